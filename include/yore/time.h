/* Times and spans as text: what yore prints can be read back, and nothing is guessed.
 *
 * A time is int64 nanoseconds UTC since 1970 (1677-09-21 to 2262-04-11), a zone is a number of seconds east
 * of UTC. No table of time zones, no locale and no environment variable is consulted. A span is what people
 * write as `90s`, `1d12h`, `2 hours` or `1y6mo`; months and years follow the calendar, so a span becomes a
 * number of nanoseconds only when it is applied to a time.
 *
 *     char text[YORE_TIME_TEXT_SIZE];
 *     yore_time_format(ns, 0, 9, text, sizeof text);              // 2026-01-31T12:00:00.000000000Z
 *     status = yore_time_parse(yore_str("2026-01-31 12:00"), 3600, &ns, &err);
 *     status = yore_span_parse(yore_str("1d12h"), &span, &err);
 *     status = yore_time_sub(now_ns, &span, 0, &ns, &err);        // 36 hours before now
 */
#ifndef YORE_TIME_H
#define YORE_TIME_H

#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_TIME_TEXT_SIZE 40u /* room for every time, in any zone, with its NUL */
#define YORE_NS_PER_S INT64_C(1000000000)
#define YORE_UTC_OFFSET_S_MAX 86340 /* 23:59, either way */

/* A length of time: calendar months, then nanoseconds. With months == 0 it is exactly `ns` long. */
typedef struct yore_span {
    uint32_t struct_size;
    uint32_t months; /* from mo and y */
    int64_t ns;      /* from all the other units; never negative */
} yore_span;

#define YORE_SPAN_INIT          \
    {                           \
        sizeof(yore_span), 0, 0 \
    }

/* Write a time as RFC 3339: "2026-01-31T12:00:00.5Z", or with "+01:00" where the offset is not 0.
 * utc_offset_s  display zone; brought into +-YORE_UTC_OFFSET_S_MAX and to whole minutes (toward UTC), as RFC 3339 has
 *               no seconds there. The text always names the instant it was made from.
 * digits        of the fraction, 0 to 9; more means 9. Fewer than 9 cut (toward the past), so only 9 read back
 *               to the same time.
 * out, size     always NUL-terminated when size > 0; cut when it is less than YORE_TIME_TEXT_SIZE and does not fit.
 * Returns the length of the whole text, without its NUL.   Threads any.   Blocks never.   Cost O(1). */
YORE_API size_t yore_time_format(int64_t ns, int32_t utc_offset_s, unsigned digits, char *out, size_t size);

/* Read a time: RFC 3339 ("2026-01-31T12:00:00.25+01:00", a space for the T allowed), or without a zone
 * `date`, `date hh:mm`, `date hh:mm:ss`, `date hh:mm:ss.f`, which mean `utc_offset_s`. A date alone is 00:00.
 * Strict: all fields have their full width, the fraction 1 to 9 digits, nothing stands before or after. There is
 * no 24:00, and a leap second (:60) is refused, as it has no number of its own in UTC nanoseconds.
 * out      set only on YORE_OK.
 * Returns YORE_OK; YORE_ERR_SPEC (err->offset is the place, err->hint a form that works),
 *         YORE_ERR_TIME_RANGE for a well-formed time outside int64 nanoseconds.
 * Threads any.   Blocks never.   Cost O(length). */
YORE_API YORE_NODISCARD yore_status yore_time_parse(yore_slice text, int32_t utc_offset_s, int64_t *out,
                                                    yore_error *err);

/* Read a span: one or more of DIGITS UNIT, blanks between allowed. UNIT is ns us ms s min h d w mo y or the
 * long word (second, seconds, ... years). A bare `m` is refused, as it could mean minutes or months. d and w are
 * 24 hours and 7 times that.
 * out      set only on YORE_OK; struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_SPEC (err->offset is the place); also when the sum does not fit.
 * Threads any.   Blocks never.   Cost O(length). */
YORE_API YORE_NODISCARD yore_status yore_span_parse(yore_slice text, yore_span *out, yore_error *err);

/* The time `span` after `ns`: first the months, by the calendar of `utc_offset_s` (a day the month does not
 * have becomes its last: 31 January + 1 month = 28 or 29 February), then the nanoseconds.
 * Returns YORE_OK; YORE_ERR_TIME_RANGE when it does not fit.   Threads any.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_time_add(int64_t ns, const yore_span *span, int32_t utc_offset_s,
                                                  int64_t *out, yore_error *err);

/* The time `span` before `ns`, by the same rules as yore_time_add.
 * Returns YORE_OK; YORE_ERR_TIME_RANGE when it does not fit.   Threads any.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_time_sub(int64_t ns, const yore_span *span, int32_t utc_offset_s,
                                                  int64_t *out, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif

/* Reading times and spans, for yore/time.h and for SPECs: the same readers, which also say what was wrong
 * and the nearest form that would be right, so that each caller can put both into its own words. */
#ifndef YR_TIME_TEXT_H
#define YR_TIME_TEXT_H

#include <yore/time.h>

#include "engine/base/calendar.h"

typedef struct yr_text_fault {
    size_t off;       /* byte position in the text that was read */
    char reason[160]; /* words that follow "'...' is not a time: " */
    char nearest[96]; /* a form that would be read, or empty */
} yr_text_fault;

/* Does the text begin as a date does, right or nearly right (digits, then '-', '/' or '.', then a digit)? */
bool yr_time_looks_like(yore_slice text);

/* Read a time by the rules of yore_time_parse. *fit says whether it lies in int64 nanoseconds (else *out is
 * the nearest end). False fills `fault`. */
bool yr_time_read(yore_slice text, int32_t utc_offset_s, int64_t *out, enum yr_calendar_fit *fit,
                  yr_text_fault *fault);

/* Read a span by the rules of yore_span_parse. False fills `fault`. */
bool yr_span_read(yore_slice text, yore_span *out, yr_text_fault *fault);

/* `ns` plus (direction 1) or minus (-1) a span; when it does not fit *out is the nearest end. */
enum yr_calendar_fit yr_span_apply(int64_t ns, const yore_span *span, int direction, int32_t utc_offset_s,
                                   int64_t *out);

/* The zone offset yore_time_format would use for this one. */
int32_t yr_offset_clean(int32_t utc_offset_s);

#endif

#include "engine/base/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/yr_assert.h"

/* A bounded walk over text. */
typedef struct cursor {
    const char *text;
    size_t size;
    size_t at;
} cursor;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0x80;
}

/* The next byte, 0 at the end (a NUL in the text is refused wherever it stands, so it cannot be confused). */
static char peek(const cursor *c)
{
    return c->at < c->size ? c->text[c->at] : '\0';
}

static bool skip(cursor *c, char wanted)
{
    if (c->at >= c->size || c->text[c->at] != wanted) return false;
    c->at++;
    return true;
}

static void skip_blanks(cursor *c)
{
    while (c->at < c->size && is_blank(c->text[c->at])) c->at++;
}

/* Exactly `count` digits. */
static bool take_fixed(cursor *c, int count, int32_t *out)
{
    int32_t value = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(peek(c))) return false;
        value = value * 10 + (c->text[c->at++] - '0');
    }
    *out = value;
    return true;
}

int32_t yr_offset_clean(int32_t utc_offset_s)
{
    if (utc_offset_s > YORE_UTC_OFFSET_S_MAX) utc_offset_s = YORE_UTC_OFFSET_S_MAX;
    if (utc_offset_s < -YORE_UTC_OFFSET_S_MAX) utc_offset_s = -YORE_UTC_OFFSET_S_MAX;
    return utc_offset_s / 60 * 60;
}

/* -- writing -- */

size_t yore_time_format(int64_t ns, int32_t utc_offset_s, unsigned digits, char *out, size_t size)
{
    int32_t offset = yr_offset_clean(utc_offset_s);
    yr_civil civil;
    yr_calendar_from_ns(ns, offset, &civil);
    if (digits > 9) digits = 9;
    char fraction[16] = "";
    if (digits) {
        snprintf(fraction, sizeof fraction, ".%09" PRId32, civil.ns);
        fraction[1 + digits] = '\0';
    }
    char zone[24] = "Z";
    if (offset) {
        int32_t away = offset < 0 ? -offset : offset;
        snprintf(zone, sizeof zone, "%c%02d:%02d", offset < 0 ? '-' : '+', (int)(away / 3600),
                 (int)(away / 60 % 60));
    }
    int length = snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d%s%s", (int)civil.year, (int)civil.month,
                          (int)civil.day, (int)civil.hour, (int)civil.minute, (int)civil.second, fraction,
                          zone);
    YR_ASSERT(length > 0 && (size_t)length < YORE_TIME_TEXT_SIZE);
    return (size_t)length;
}

/* -- reading times -- */

static bool fault_at(yr_text_fault *fault, size_t off, const char *reason)
{
    fault->off = off;
    snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    return false;
}

static bool read_date(cursor *c, yr_civil *civil, yr_text_fault *fault)
{
    static const char *const shape = "a date is YYYY-MM-DD";
    static const char *const months[] = {"january",   "february", "march",    "april",
                                         "may",       "june",     "july",     "august",
                                         "september", "october",  "november", "december"};
    if (!take_fixed(c, 4, &civil->year) || !skip(c, '-')) return fault_at(fault, c->at, shape);
    size_t month_at = c->at;
    if (!take_fixed(c, 2, &civil->month) || !skip(c, '-')) return fault_at(fault, c->at, shape);
    size_t day_at = c->at;
    if (!take_fixed(c, 2, &civil->day) || is_digit(peek(c))) return fault_at(fault, c->at, shape);
    if (civil->month < 1 || civil->month > 12) {
        snprintf(fault->reason, sizeof fault->reason, "there is no month %02d", (int)civil->month);
        fault->off = month_at;
        return false;
    }
    int32_t last = yr_calendar_days_in_month(civil->year, civil->month);
    if (civil->day < 1 || civil->day > last) {
        snprintf(fault->reason, sizeof fault->reason, "%s %04d has days 01 to %d", months[civil->month - 1],
                 (int)civil->year, (int)last);
        fault->off = day_at;
        return false;
    }
    return true;
}

/* hh:mm[:ss[.f]]; *has_seconds says which. */
static bool read_clock(cursor *c, yr_civil *civil, bool *has_seconds, yr_text_fault *fault)
{
    static const char *const shape = "a time of day is hh:mm, hh:mm:ss or hh:mm:ss.f";
    size_t hour_at = c->at;
    if (!take_fixed(c, 2, &civil->hour) || !skip(c, ':')) return fault_at(fault, c->at, shape);
    if (civil->hour > 23) return fault_at(fault, hour_at, "hours are 00 to 23");
    size_t minute_at = c->at;
    if (!take_fixed(c, 2, &civil->minute)) return fault_at(fault, c->at, shape);
    if (civil->minute > 59) return fault_at(fault, minute_at, "minutes are 00 to 59");
    *has_seconds = skip(c, ':');
    if (!*has_seconds) return true;
    size_t second_at = c->at;
    if (!take_fixed(c, 2, &civil->second)) return fault_at(fault, c->at, shape);
    if (civil->second == 60)
        return fault_at(fault, second_at, "a leap second has no number of its own in UTC nanoseconds");
    if (civil->second > 59) return fault_at(fault, second_at, "seconds are 00 to 59");
    if (!skip(c, '.')) return true;
    if (!is_digit(peek(c))) return fault_at(fault, c->at, "the fraction has no digits");
    int32_t scale = 100000000;
    for (; is_digit(peek(c)); c->at++, scale /= 10) {
        if (!scale) return fault_at(fault, c->at, "a fraction has at most 9 digits");
        civil->ns += (c->text[c->at] - '0') * scale;
    }
    return true;
}

/* Z or +hh:mm or -hh:mm; leaves *offset_s alone when there is none. */
static bool read_zone(cursor *c, bool has_seconds, int32_t *offset_s, yr_text_fault *fault)
{
    size_t zone_at = c->at;
    if (c->at == c->size) return true;
    char sign = peek(c);
    int32_t hours = 0, minutes = 0;
    c->at++;
    if (sign == '+' || sign == '-') {
        if (!take_fixed(c, 2, &hours) || !skip(c, ':') || !take_fixed(c, 2, &minutes))
            return fault_at(fault, c->at, "a zone is Z, +hh:mm or -hh:mm");
        if (hours > 23 || minutes > 59) return fault_at(fault, zone_at, "a zone goes to 23:59");
    } else if (sign != 'Z' && sign != 'z') {
        return fault_at(fault, zone_at, "what follows the time is no zone (Z, +hh:mm or -hh:mm)");
    }
    if (!has_seconds) return fault_at(fault, zone_at, "a time with a zone has seconds");
    if (c->at != c->size) return fault_at(fault, c->at, "something follows the zone");
    *offset_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

static bool read_strictly(yore_slice text, int32_t utc_offset_s, int64_t *out, enum yr_calendar_fit *fit,
                          yr_text_fault *fault)
{
    cursor c = {text.data, text.size, 0};
    yr_civil civil = {0};
    int32_t offset = yr_offset_clean(utc_offset_s);
    if (!read_date(&c, &civil, fault)) return false;
    if (c.at < c.size) {
        bool has_seconds = false;
        if (!skip(&c, 'T') && !skip(&c, 't') && !skip(&c, ' '))
            return fault_at(fault, c.at, "a date is followed by T or one blank and a time of day");
        if (!read_clock(&c, &civil, &has_seconds, fault) || !read_zone(&c, has_seconds, &offset, fault))
            return false;
    }
    *fit = yr_calendar_to_ns(&civil, offset, out);
    return true;
}

/* -- what was meant: a lenient reading, offered only if the strict one takes it -- */

/* Digits, any number of them up to 9; their value and count. */
static bool take_loose(cursor *c, int32_t *out, int *count)
{
    *out = 0;
    for (*count = 0; is_digit(peek(c)); c->at++) {
        if (++*count > 9) return false;
        *out = *out * 10 + (c->text[c->at] - '0');
    }
    return *count > 0;
}

static bool take_separator(cursor *c)
{
    return skip(c, '-') || skip(c, '/') || skip(c, '.');
}

static bool guess_date(cursor *c, yr_civil *civil)
{
    int32_t field[3];
    int count[3];
    for (int i = 0; i < 3; i++) {
        if ((i && !take_separator(c)) || !take_loose(c, &field[i], &count[i])) return false;
    }
    bool year_last = count[2] == 4 && count[0] <= 2;
    if (!year_last && count[0] != 4) return false;
    civil->year = year_last ? field[2] : field[0];
    int32_t month = field[1], day = year_last ? field[0] : field[2];
    /* Day and month are exchanged only where the other reading is impossible; 3/4/2026 stays a riddle. */
    if (month > 12 && day <= 12) {
        int32_t swap = month;
        month = day;
        day = swap;
    } else if (year_last && day <= 12 && day != month) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > 31) return false;
    int32_t last = yr_calendar_days_in_month(civil->year, month);
    civil->month = month;
    civil->day = day > last ? last : day;
    return true;
}

static void guess_zone(cursor *c, char *zone, size_t size)
{
    int32_t hours = 0, minutes = 0;
    int count = 0;
    skip_blanks(c);
    char sign = peek(c);
    yore_slice rest = {c->text + c->at, c->size - c->at};
    if (sign == 'Z' || sign == 'z' || yr_text_distance(rest, yore_str("UTC"), 0) == 0 ||
        yr_text_distance(rest, yore_str("GMT"), 0) == 0) {
        snprintf(zone, size, "Z");
    } else if (sign == '+' || sign == '-') {
        c->at++;
        if (!take_loose(c, &hours, &count)) return;
        if (count == 4) {
            minutes = hours % 100;
            hours /= 100;
        } else if (skip(c, ':') && !take_loose(c, &minutes, &count)) {
            return;
        }
        snprintf(zone, size, "%c%02d:%02d", sign, (int)hours, (int)minutes);
    }
}

/* The nearest well-formed time, or an empty string. */
static void guess_time(yore_slice text, char *out, size_t size)
{
    cursor c = {text.data, text.size, 0};
    yr_civil civil = {0};
    int count = 0;
    char zone[32] = "";
    out[0] = '\0';
    skip_blanks(&c);
    if (!guess_date(&c, &civil)) return;
    int length = snprintf(out, size, "%04d-%02d-%02d", (int)civil.year, (int)civil.month, (int)civil.day);
    while (is_blank(peek(&c)) || peek(&c) == 'T' || peek(&c) == 't' || peek(&c) == '_' || peek(&c) == ',')
        c.at++;
    if (!take_loose(&c, &civil.hour, &count)) return;
    if (!skip(&c, ':') || !take_loose(&c, &civil.minute, &count)) civil.minute = 0;
    if (skip(&c, ':') && !take_loose(&c, &civil.second, &count)) civil.second = 0;
    if (civil.hour > 23 || civil.minute > 59 || civil.second > 60) return;
    if (civil.second == 60) civil.second = 59;
    char fraction[16] = "";
    if (skip(&c, '.') || skip(&c, ',')) {
        size_t digits = 0;
        for (; is_digit(peek(&c)); c.at++) {
            if (digits < 9) fraction[1 + digits++] = c.text[c.at];
        }
        fraction[0] = digits ? '.' : '\0';
        fraction[digits ? digits + 1 : 0] = '\0';
    }
    guess_zone(&c, zone, sizeof zone);
    snprintf(out + length, size - (size_t)length, "%c%02d:%02d:%02d%s%s", zone[0] ? 'T' : ' ',
             (int)civil.hour, (int)civil.minute, (int)civil.second, fraction, zone);
}

bool yr_time_looks_like(yore_slice text)
{
    cursor c = {text.data, text.size, 0};
    int32_t value;
    int count;
    skip_blanks(&c);
    return take_loose(&c, &value, &count) && take_separator(&c) && take_loose(&c, &value, &count) &&
           take_separator(&c) && take_loose(&c, &value, &count);
}

bool yr_time_read(yore_slice text, int32_t utc_offset_s, int64_t *out, enum yr_calendar_fit *fit,
                  yr_text_fault *fault)
{
    yr_text_fault ignored;
    int64_t ns;
    memset(fault, 0, sizeof *fault);
    if (read_strictly(text, utc_offset_s, out, fit, fault)) return true;
    guess_time(text, fault->nearest, sizeof fault->nearest);
    enum yr_calendar_fit guessed_fit;
    if (!read_strictly(yore_str(fault->nearest), 0, &ns, &guessed_fit, &ignored)) fault->nearest[0] = '\0';
    return false;
}

yore_status yore_time_parse(yore_slice text, int32_t utc_offset_s, int64_t *out, yore_error *err)
{
    char quoted[YR_QUOTE_SIZE];
    yr_text_fault fault;
    enum yr_calendar_fit fit = YR_CALENDAR_FITS;
    int64_t ns = 0;
    if (!yr_time_read(text, utc_offset_s, &ns, &fit, &fault)) {
        yore_status status =
            yr_fail(err, YORE_ERR_SPEC, "'%s' is not a time: %s", yr_text_quote(text, quoted), fault.reason);
        if (err) err->offset = (uint32_t)fault.off;
        yr_hint(err, "write %s",
                fault.nearest[0] ? fault.nearest : "2026-01-31T12:00:00Z or '2026-01-31 12:00'");
        return status;
    }
    if (fit != YR_CALENDAR_FITS) {
        return yr_fail(err, YORE_ERR_TIME_RANGE, "'%s' is outside the times yore knows: %s",
                       yr_text_quote(text, quoted),
                       "1677-09-21T00:12:43.145224192Z to 2262-04-11T23:47:16.854775807Z");
    }
    *out = ns;
    return YORE_OK;
}

/* -- spans -- */

typedef struct unit {
    const char *name;
    const char *one; /* the long word */
    uint32_t months;
    int64_t ns;
} unit;

static const unit units[] = {
    {"ns", "nanosecond", 0, 1},
    {"us", "microsecond", 0, 1000},
    {"ms", "millisecond", 0, 1000000},
    {"s", "second", 0, YORE_NS_PER_S},
    {"min", "minute", 0, 60 * YORE_NS_PER_S},
    {"h", "hour", 0, 3600 * YORE_NS_PER_S},
    {"d", "day", 0, 86400 * YORE_NS_PER_S},
    {"w", "week", 0, 7 * 86400 * YORE_NS_PER_S},
    {"mo", "month", 1, 0},
    {"y", "year", 12, 0},
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

static bool same_text(yore_slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static const unit *find_unit(yore_slice word)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        size_t long_size = strlen(units[i].one);
        if (same_text(word, units[i].name) || same_text(word, units[i].one)) return &units[i];
        if (word.size == long_size + 1 && memcmp(word.data, units[i].one, long_size) == 0 &&
            ((const char *)word.data)[long_size] == 's')
            return &units[i];
    }
    return NULL;
}

/* The unit that a wrong word most likely means, or NULL. */
static const unit *guess_unit(yore_slice word)
{
    static const struct {
        const char *word;
        const char *name;
    } habits[] = {{"sec", "s"},   {"secs", "s"},  {"mins", "min"},     {"hr", "h"},        {"hrs", "h"},
                  {"yr", "y"},    {"yrs", "y"},   {"mon", "mo"},       {"mons", "mo"},     {"mth", "mo"},
                  {"mths", "mo"}, {"mos", "mo"},  {"wk", "w"},         {"wks", "w"},       {"msec", "ms"},
                  {"usec", "us"}, {"nsec", "ns"}, {"\xC2\xB5s", "us"}, {"\xCE\xBCs", "us"}};
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
        if (yr_text_distance(word, yore_str(habits[i].word), 0) == 0)
            return find_unit(yore_str(habits[i].name));
    }
    const unit *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        /* A short name is offered only for another case of itself, a long word also for a typo. */
        unsigned distance = yr_text_distance(word, yore_str(units[i].name), 0) == 0 ? 0 : best_distance;
        unsigned long_distance = word.size < 3 ? best_distance
                                               : yr_text_distance(word, yore_str(units[i].one), 2);
        if (long_distance < distance) distance = long_distance;
        if (distance < best_distance) {
            best_distance = distance;
            best = &units[i];
        }
    }
    return best;
}

/* One (number unit) pair, added to `out`. On an unknown unit *bad is that word and *meant its best guess. */
static bool read_pair(cursor *c, yore_span *out, yore_slice *bad, const unit **meant, yr_text_fault *fault)
{
    size_t number_at = c->at;
    int64_t number = 0;
    bool fits = true;
    if (!is_digit(peek(c))) return fault_at(fault, c->at, "a span is numbers with units, as in 1d12h");
    for (; is_digit(peek(c)); c->at++)
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, c->text[c->at] - '0', &number);
    if (peek(c) == '.' || peek(c) == ',') return fault_at(fault, c->at, "spans take whole numbers");
    skip_blanks(c);
    size_t word_at = c->at;
    while (is_letter(peek(c))) c->at++;
    yore_slice word = {c->text + word_at, c->at - word_at};
    if (!word.size) return fault_at(fault, word_at, "a number has no unit (ns us ms s min h d w mo y)");
    const unit *found = find_unit(word);
    if (!found) {
        *bad = word;
        char quoted[YR_QUOTE_SIZE];
        bool either = same_text(word, "m") || same_text(word, "M");
        *meant = find_unit(yore_str("min"));
        if (!either) *meant = guess_unit(word);
        fault->off = word_at;
        if (either && fits) {
            snprintf(fault->reason, sizeof fault->reason,
                     "'m' could be minutes (%" PRId64 "min) or months (%" PRId64 "mo)", number, number);
        } else {
            snprintf(fault->reason, sizeof fault->reason, "'%s' is no unit (ns us ms s min h d w mo y)",
                     yr_text_quote(word, quoted));
        }
        return false;
    }
    int64_t months = 0, ns = 0;
    fits = fits && !__builtin_mul_overflow(number, (int64_t)found->months, &months) &&
           !__builtin_mul_overflow(number, found->ns, &ns) &&
           !__builtin_add_overflow(months, out->months, &months) && months <= UINT32_MAX &&
           !__builtin_add_overflow(out->ns, ns, &ns);
    if (!fits) return fault_at(fault, number_at, "that is longer than 292 years of nanoseconds can say");
    out->months = (uint32_t)months;
    out->ns = ns;
    return true;
}

/* On a fault *bad and *meant tell of an unknown unit, as read_pair does. */
static bool read_span(yore_slice text, yore_span *out, yore_slice *bad, const unit **meant,
                      yr_text_fault *fault)
{
    cursor c = {text.data, text.size, 0};
    do {
        if (!read_pair(&c, out, bad, meant, fault)) return false;
        size_t blanks_at = c.at;
        skip_blanks(&c);
        if (c.at == c.size && blanks_at < c.at) return fault_at(fault, blanks_at, "a blank follows the span");
    } while (c.at < c.size);
    return true;
}

bool yr_span_read(yore_slice text, yore_span *out, yr_text_fault *fault)
{
    yore_span span = YORE_SPAN_INIT;
    yore_slice bad = {NULL, 0};
    const unit *meant = NULL;
    memset(fault, 0, sizeof *fault);
    if (read_span(text, &span, &bad, &meant, fault)) {
        out->months = span.months;
        out->ns = span.ns;
        return true;
    }
    if (meant) {
        /* The same text with the unit put right, when that is all that was wrong. */
        size_t before = (size_t)((const char *)bad.data - (const char *)text.data);
        size_t after = before + bad.size;
        yr_text_fault ignored;
        int length = snprintf(fault->nearest, sizeof fault->nearest, "%.*s%s%.*s", (int)before,
                              (const char *)text.data, meant->name, (int)(text.size - after),
                              (const char *)text.data + after);
        span = (yore_span)YORE_SPAN_INIT;
        if (text.size > sizeof fault->nearest || length >= (int)sizeof fault->nearest ||
            !read_span(yore_str(fault->nearest), &span, &bad, &meant, &ignored))
            fault->nearest[0] = '\0';
    }
    return false;
}

yore_status yore_span_parse(yore_slice text, yore_span *out, yore_error *err)
{
    yr_text_fault fault;
    if (yr_span_read(text, out, &fault)) return YORE_OK;
    char quoted[YR_QUOTE_SIZE];
    yore_status status = yr_fail(err, YORE_ERR_SPEC, "'%s' is not a span of time: %s",
                                 yr_text_quote(text, quoted), fault.reason);
    if (err) err->offset = (uint32_t)fault.off;
    yr_hint(err, "write %s", fault.nearest[0] ? fault.nearest : "90s, 5min, 1d12h, 2w or 1y6mo");
    return status;
}

enum yr_calendar_fit yr_span_apply(int64_t ns, const yore_span *span, int direction, int32_t utc_offset_s,
                                   int64_t *out)
{
    YR_ASSERT((direction == 1 || direction == -1) && span->ns >= 0);
    enum yr_calendar_fit past_end = direction > 0 ? YR_CALENDAR_AFTER : YR_CALENDAR_BEFORE;
    if (span->months) {
        int32_t offset = yr_offset_clean(utc_offset_s);
        yr_civil civil;
        yr_calendar_from_ns(ns, offset, &civil);
        yr_calendar_add_months(&civil, (int64_t)span->months * direction);
        if (yr_calendar_to_ns(&civil, offset, &ns) != YR_CALENDAR_FITS) {
            *out = ns;
            return past_end;
        }
    }
    if (__builtin_add_overflow(ns, span->ns * direction, out)) {
        *out = direction > 0 ? INT64_MAX : INT64_MIN;
        return past_end;
    }
    return YR_CALENDAR_FITS;
}

static yore_status apply(int64_t ns, const yore_span *span, int direction, int32_t utc_offset_s, int64_t *out,
                         yore_error *err)
{
    int64_t moved;
    if (span->ns < 0) return yr_fail(err, YORE_ERR_MISUSE, "a span is never negative");
    if (yr_span_apply(ns, span, direction, utc_offset_s, &moved) != YR_CALENDAR_FITS) {
        char text[YORE_TIME_TEXT_SIZE];
        yore_time_format(ns, 0, 0, text, sizeof text);
        return yr_fail(err, YORE_ERR_TIME_RANGE, "%s %s that span is outside 1677 to 2262", text,
                       direction > 0 ? "plus" : "less");
    }
    *out = moved;
    return YORE_OK;
}

yore_status yore_time_add(int64_t ns, const yore_span *span, int32_t utc_offset_s, int64_t *out,
                          yore_error *err)
{
    return apply(ns, span, 1, utc_offset_s, out, err);
}

yore_status yore_time_sub(int64_t ns, const yore_span *span, int32_t utc_offset_s, int64_t *out,
                          yore_error *err)
{
    return apply(ns, span, -1, utc_offset_s, out, err);
}

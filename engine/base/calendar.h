/* The proleptic Gregorian calendar as arithmetic on integers: no table, no time zone, no libc.
 *
 * A civil moment is a date, a time of day and nanoseconds, in UTC. Days are counted from 1970-01-01. Years
 * run from -32767 to 32767, far beyond what int64 nanoseconds can name, so callers range-check at the end. */
#ifndef YR_CALENDAR_H
#define YR_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_civil {
    int32_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
    int32_t hour;  /* 0..23 */
    int32_t minute;
    int32_t second;
    int32_t ns; /* 0..999,999,999 */
} yr_civil;

bool yr_calendar_is_leap(int32_t year);
/* 28..31. */
int32_t yr_calendar_days_in_month(int32_t year, int32_t month);
/* Days from 1970-01-01 to a date that exists. */
int64_t yr_calendar_days(int32_t year, int32_t month, int32_t day);
/* Does every field lie in its range, and does the month have that day? */
bool yr_calendar_is_valid(const yr_civil *civil);

/* The civil moment `offset_s` seconds after `ns`: the wall clock of that zone. Any int64, |offset_s| <= 1 day. */
void yr_calendar_from_ns(int64_t ns, int32_t offset_s, yr_civil *out);

enum yr_calendar_fit { YR_CALENDAR_FITS, YR_CALENDAR_BEFORE, YR_CALENDAR_AFTER };

/* The instant a valid civil moment of zone `offset_s` names. When it is outside int64 nanoseconds *out is the
 * nearest end of them and the result says which side. */
enum yr_calendar_fit yr_calendar_to_ns(const yr_civil *civil, int32_t offset_s, int64_t *out);

/* The civil moment `months` later (or earlier). A day the new month lacks becomes its last. */
void yr_calendar_add_months(yr_civil *civil, int64_t months);

#endif

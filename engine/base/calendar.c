/* Day numbers count from 0000-03-01 inside, so that the leap day is the last day of a year and month
 * lengths are one linear formula: Howard Hinnant, "chrono-compatible low-level date algorithms". */
#include "engine/base/calendar.h"

#include "engine/base/yr_assert.h"

#define NS_PER_S INT64_C(1000000000)
#define S_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA INT64_C(146097)  /* 400 years */
#define DAYS_TO_EPOCH INT64_C(719468) /* 0000-03-01 to 1970-01-01 */
#define YEAR_MAX 32767

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool yr_calendar_is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int32_t yr_calendar_days_in_month(int32_t year, int32_t month)
{
    YR_ASSERT(month >= 1 && month <= 12);
    if (month == 2) return yr_calendar_is_leap(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int64_t yr_calendar_days(int32_t year, int32_t month, int32_t day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year; /* the year that began last March */
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_of_year = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_of_year + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void date_from_days(int64_t days, yr_civil *out)
{
    int64_t shifted = days + DAYS_TO_EPOCH;
    int64_t era = floor_div(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_of_year = (5 * day_of_year + 2) / 153;
    out->day = (int32_t)(day_of_year - (153 * month_of_year + 2) / 5 + 1);
    out->month = (int32_t)(month_of_year < 10 ? month_of_year + 3 : month_of_year - 9);
    out->year = (int32_t)(year_of_era + era * 400 + (out->month <= 2));
}

bool yr_calendar_is_valid(const yr_civil *civil)
{
    if (civil->year < -YEAR_MAX || civil->year > YEAR_MAX) return false;
    if (civil->month < 1 || civil->month > 12) return false;
    if (civil->day < 1 || civil->day > yr_calendar_days_in_month(civil->year, civil->month)) return false;
    if (civil->hour < 0 || civil->hour > 23 || civil->minute < 0 || civil->minute > 59) return false;
    return civil->second >= 0 && civil->second <= 59 && civil->ns >= 0 && civil->ns < NS_PER_S;
}

void yr_calendar_from_ns(int64_t ns, int32_t offset_s, yr_civil *out)
{
    YR_ASSERT(offset_s >= -S_PER_DAY && offset_s <= S_PER_DAY);
    int64_t seconds = floor_div(ns, NS_PER_S);
    int64_t rest = ns % NS_PER_S; /* not `ns - seconds * NS_PER_S`: that product may leave int64 */
    out->ns = (int32_t)(rest < 0 ? rest + NS_PER_S : rest);
    seconds += offset_s; /* far from the ends of int64: it was divided by 1e9 */
    int64_t days = floor_div(seconds, S_PER_DAY);
    int32_t of_day = (int32_t)(seconds - days * S_PER_DAY);
    date_from_days(days, out);
    out->hour = of_day / 3600;
    out->minute = of_day / 60 % 60;
    out->second = of_day % 60;
}

enum yr_calendar_fit yr_calendar_to_ns(const yr_civil *civil, int32_t offset_s, int64_t *out)
{
    YR_ASSERT(yr_calendar_is_valid(civil));
    int64_t seconds = yr_calendar_days(civil->year, civil->month, civil->day) * S_PER_DAY +
                      civil->hour * 3600 + civil->minute * 60 + civil->second - offset_s;
    int64_t ns = civil->ns;
    if (seconds < 0 && ns > 0) {
        /* Bring both to one sign, or the product could leave int64 although the sum is in it. */
        seconds++;
        ns -= NS_PER_S;
    }
    int64_t product;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &product) || __builtin_add_overflow(product, ns, out)) {
        *out = seconds < 0 ? INT64_MIN : INT64_MAX;
        return seconds < 0 ? YR_CALENDAR_BEFORE : YR_CALENDAR_AFTER;
    }
    return YR_CALENDAR_FITS;
}

void yr_calendar_add_months(yr_civil *civil, int64_t months)
{
    int64_t total = (int64_t)civil->year * 12 + (civil->month - 1) + months;
    int64_t year = floor_div(total, 12);
    if (year > YEAR_MAX) year = YEAR_MAX; /* out of range of nanoseconds anyway: the caller will see that */
    if (year < -YEAR_MAX) year = -YEAR_MAX;
    civil->year = (int32_t)year;
    civil->month = (int32_t)(total - floor_div(total, 12) * 12) + 1;
    int32_t last = yr_calendar_days_in_month(civil->year, civil->month);
    if (civil->day > last) civil->day = last;
}

#include "engine/branch/spec_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/time_text.h"
#include "engine/branch/name.h"

#define NEAREST_SIZE 192u

/* One reading of a SPEC. `head` is the text up to and including '@', which suggestions repeat. */
typedef struct reader {
    const char *spec;
    yore_slice head;
    int64_t now_ns;
    int32_t utc_offset_s;
    const yr_spec_names *names;
    yore_at at;
    yore_error *err;
} reader;

/* -- small text -- */

static char char_at(yore_slice text, size_t at)
{
    return at < text.size ? ((const char *)text.data)[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static yore_slice from(yore_slice text, size_t off)
{
    return yore_bytes((const char *)text.data + off, text.size - off);
}

static yore_slice trimmed(yore_slice text)
{
    while (text.size && is_blank(char_at(text, 0))) text = from(text, 1);
    while (text.size && is_blank(char_at(text, text.size - 1))) text.size--;
    return text;
}

static bool equals(yore_slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static bool begins(yore_slice text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

/* How many digits stand at the start. */
static size_t digits_at_start(yore_slice text)
{
    size_t count = 0;
    while (is_digit(char_at(text, count))) count++;
    return count;
}

static bool all_digits(yore_slice text)
{
    return text.size && digits_at_start(text) == text.size;
}

/* The number digits make; false when it does not fit. */
static bool to_number(yore_slice digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (__builtin_mul_overflow(*out, UINT64_C(10), out) ||
            __builtin_add_overflow(*out, (uint64_t)(char_at(digits, i) - '0'), out))
            return false;
    }
    return true;
}

static void copy_name(char *to, yore_slice name)
{
    memset(to, 0, YORE_BRANCH_NAME_MAX + 1);
    memcpy(to, name.data, name.size);
}

/* -- refusals -- */

static size_t offset_of(const reader *r, yore_slice text)
{
    return (size_t)((const char *)text.data - r->spec);
}

/* Mark the place of a refusal just recorded and return its code. */
static yore_status placed(reader *r, yore_status code, size_t off)
{
    if (r->err) r->err->offset = (uint32_t)off;
    return code;
}

/* Offer `nearest` (a point) behind the branch that was typed; the general list when it is empty. */
static void suggest(reader *r, const char *nearest)
{
    char quoted[YR_QUOTE_SIZE];
    if (nearest[0] && r->head.size < sizeof quoted - 4) {
        yr_hint(r->err, "write '%s%s'", yr_text_quote(r->head, quoted), nearest);
    } else {
        yr_hint(r->err,
                "points are v1042, now, start, fork, 2h, '2 hours ago', today, yesterday, 2026-01-31, "
                "'2026-01-31 12:00', tag:NAME, back:3, epoch:1769860800");
    }
}

static yore_status refuse_point(reader *r, yore_slice text, size_t off, const char *nearest,
                                const char *reason)
{
    char quoted[YR_QUOTE_SIZE];
    yr_fail(r->err, YORE_ERR_SPEC, "'%s' is not a point in history: %s", yr_text_quote(text, quoted), reason);
    suggest(r, nearest);
    return placed(r, YORE_ERR_SPEC, offset_of(r, text) + off);
}

/* -- points -- */

static const char *const point_words[] = {"now", "start", "fork", "today", "yesterday"};
#define POINT_WORD_COUNT (sizeof point_words / sizeof point_words[0])

/* Midnight of the display zone, `days_back` days ago. */
static int64_t midnight(const reader *r, int days_back)
{
    yr_civil civil;
    int64_t ns;
    int32_t offset = yr_offset_clean(r->utc_offset_s);
    yr_calendar_from_ns(r->now_ns, offset, &civil);
    civil.hour = civil.minute = civil.second = civil.ns = 0;
    yr_calendar_to_ns(&civil, offset, &ns);
    yore_span back = YORE_SPAN_INIT;
    back.ns = days_back * 86400 * YORE_NS_PER_S;
    yr_span_apply(ns, &back, -1, offset, &ns);
    return ns;
}

static bool read_word(reader *r, yore_slice text)
{
    if (equals(text, "now"))
        r->at.kind = YORE_AT_NOW;
    else if (equals(text, "start"))
        r->at.kind = YORE_AT_START;
    else if (equals(text, "fork"))
        r->at.kind = YORE_AT_FORK;
    else if (equals(text, "today") || equals(text, "yesterday")) {
        r->at.kind = YORE_AT_TIME;
        r->at.time_ns = midnight(r, equals(text, "yesterday"));
    } else
        return false;
    return true;
}

static yore_status read_version(reader *r, yore_slice text)
{
    char quoted[YR_QUOTE_SIZE];
    r->at.kind = YORE_AT_VERSION;
    if (to_number(from(text, 1), &r->at.version)) return YORE_OK;
    yr_fail(r->err, YORE_ERR_TIME_RANGE, "version %s is past the last one", yr_text_quote(text, quoted));
    return placed(r, YORE_ERR_TIME_RANGE, offset_of(r, text));
}

static yore_status read_tag(reader *r, yore_slice text)
{
    yore_slice name = from(text, 4);
    char quoted[YR_QUOTE_SIZE], near[YORE_BRANCH_NAME_MAX + 1];
    yore_error why = YORE_ERROR_INIT;
    if (!name.size) return refuse_point(r, text, 4, "tag:NAME", "the tag's name is missing");
    if (yore_name_check(name, &why) < 0) {
        yr_fail(r->err, YORE_ERR_SPEC, "'%s' names no tag: %s", yr_text_quote(text, quoted), why.message);
        yr_hint(r->err, "%s", why.hint);
        return placed(r, YORE_ERR_SPEC, offset_of(r, name) + why.offset);
    }
    r->at.kind = YORE_AT_TAG;
    copy_name(r->at.tag, name);
    if (r->names->tag_exists(r->names->ctx, name)) return YORE_OK;
    yr_fail(r->err, YORE_ERR_NO_TAG, "no tag named '%s'", yr_text_quote(name, quoted));
    if (r->names->tag_nearest && r->names->tag_nearest(r->names->ctx, name, near))
        yr_hint(r->err, "the nearest name is '%s'; yore tag list shows all", near);
    else
        yr_hint(r->err, "yore tag list shows the tags");
    return placed(r, YORE_ERR_NO_TAG, offset_of(r, name));
}

static yore_status read_back(reader *r, yore_slice text)
{
    yore_slice count = from(text, 5);
    if (!all_digits(count)) {
        char nearest[NEAREST_SIZE] = "back:3";
        yore_slice rest = trimmed(count);
        if (char_at(rest, 0) == '-') rest = from(rest, 1);
        if (all_digits(rest) && rest.size < 20)
            snprintf(nearest, sizeof nearest, "back:%.*s", (int)rest.size, (const char *)rest.data);
        return refuse_point(r, text, 5 + digits_at_start(count), nearest, "back: takes a number of commits");
    }
    r->at.kind = YORE_AT_BACK;
    if (!to_number(count, &r->at.back)) r->at.back = UINT64_MAX; /* more than there can be, either way */
    return YORE_OK;
}

static yore_status too_late(reader *r, yore_slice text)
{
    char quoted[YR_QUOTE_SIZE];
    yr_fail(r->err, YORE_ERR_TIME_RANGE, "'%s' is later than any time a store can hold (2262-04-11)",
            yr_text_quote(text, quoted));
    return placed(r, YORE_ERR_TIME_RANGE, offset_of(r, text));
}

static yore_status read_epoch(reader *r, yore_slice text)
{
    static const char *const shape = "epoch: takes seconds since 1970, with a fraction of at most 9 digits";
    yore_slice rest = from(text, 6);
    bool negative = char_at(rest, 0) == '-';
    if (negative) rest = from(rest, 1);
    size_t whole = digits_at_start(rest);
    uint64_t seconds = 0;
    int64_t ns = 0, scale = YORE_NS_PER_S / 10;
    bool fits = to_number(yore_bytes(rest.data, whole), &seconds) && seconds <= INT64_MAX;
    size_t at = whole;
    if (whole && char_at(rest, at) == '.' && is_digit(char_at(rest, at + 1))) {
        for (at++; is_digit(char_at(rest, at)) && scale; at++, scale /= 10)
            ns += (char_at(rest, at) - '0') * scale;
    }
    if (!whole || at != rest.size)
        return refuse_point(r, text, offset_of(r, rest) + at - offset_of(r, text), "epoch:1769860800.25",
                            shape);
    int64_t sign = negative ? -1 : 1, product;
    r->at.kind = YORE_AT_TIME;
    if (fits && !__builtin_mul_overflow((int64_t)seconds, sign * YORE_NS_PER_S, &product) &&
        !__builtin_add_overflow(product, sign * ns, &r->at.time_ns))
        return YORE_OK;
    r->at.time_ns = INT64_MIN;
    if (negative) return YORE_OK;
    yore_status status = too_late(r, text);
    /* Longer than any second in range: most likely milli-, micro- or nanoseconds were pasted. */
    size_t unit_digits = whole >= 19 ? 9 : whole >= 16 ? 6 : 3;
    char nearest[NEAREST_SIZE];
    snprintf(nearest, sizeof nearest, "epoch:%.*s.%.*s", (int)(whole - unit_digits), (const char *)rest.data,
             (int)unit_digits, (const char *)rest.data + whole - unit_digits);
    if (whole <= 20) suggest(r, nearest);
    return status;
}

static yore_status read_time(reader *r, yore_slice text)
{
    yr_text_fault fault;
    enum yr_calendar_fit fit;
    if (!yr_time_read(text, r->utc_offset_s, &r->at.time_ns, &fit, &fault)) {
        return refuse_point(r, text, fault.off, fault.nearest[0] ? fault.nearest : "2026-01-31 12:00",
                            fault.reason);
    }
    if (fit == YR_CALENDAR_AFTER) return too_late(r, text);
    r->at.kind = YORE_AT_TIME;
    return YORE_OK;
}

static yore_status read_span(reader *r, yore_slice text)
{
    yr_text_fault fault;
    yore_span span = YORE_SPAN_INIT;
    yore_slice length = text;
    if (text.size > 4 && is_blank(char_at(text, text.size - 4)) && equals(from(text, text.size - 3), "ago"))
        length.size -= 3;
    bool has_ago = length.size != text.size;
    while (has_ago && length.size && is_blank(char_at(length, length.size - 1))) length.size--;
    if (!yr_span_read(length, &span, &fault)) {
        char nearest[NEAREST_SIZE] = "2h";
        if (fault.nearest[0]) snprintf(nearest, sizeof nearest, "%s%s", fault.nearest, has_ago ? " ago" : "");
        return refuse_point(r, text, fault.off, nearest, fault.reason);
    }
    r->at.kind = YORE_AT_TIME;
    yr_span_apply(r->now_ns, &span, -1, r->utc_offset_s, &r->at.time_ns);
    return YORE_OK;
}

/* A bare number names nothing: say what it could have been. */
static yore_status refuse_number(reader *r, yore_slice text)
{
    char date[32] = "", nearest[NEAREST_SIZE], reason[160], year[48] = "";
    const char *d = text.data;
    int n = (int)text.size;
    yr_text_fault fault;
    enum yr_calendar_fit fit;
    int64_t ns;
    if (text.size > 19) return refuse_point(r, text, 0, "", "it is a bare number");
    if (text.size == 8) snprintf(date, sizeof date, "%.4s-%.2s-%.2s", d, d + 4, d + 6);
    if (text.size == 4) snprintf(date, sizeof date, "%.4s-01-01", d);
    if (date[0] && yr_time_read(yore_str(date), 0, &ns, &fit, &fault))
        snprintf(year, sizeof year, " or the date %s", date);
    snprintf(reason, sizeof reason, "a bare number could be version v%.*s, back:%.*s, epoch:%.*s%s", n, d, n,
             d, n, d, year);
    snprintf(nearest, sizeof nearest, "v%.*s", n, d);
    return refuse_point(r, text, 0, year[0] && text.size == 8 ? date : nearest, reason);
}

/* `today 12:00`, `yesterday 9:30` or a time of day alone: the date it means, written out. False when it is none. */
static bool refuse_clock(reader *r, yore_slice text, yore_status *status)
{
    static const char *const reason = "a time of day needs its date";
    yore_slice clock = text;
    bool yesterday = begins(text, "yesterday ");
    if (yesterday)
        clock = trimmed(from(text, strlen("yesterday")));
    else if (begins(text, "today "))
        clock = trimmed(from(text, strlen("today")));
    size_t hours = digits_at_start(clock);
    if (!hours || hours > 2 || char_at(clock, hours) != ':' || clock.size > 20) return false;
    char date[YORE_TIME_TEXT_SIZE], typed[64];
    yr_text_fault fault;
    enum yr_calendar_fit fit;
    int64_t ns;
    yore_time_format(midnight(r, yesterday), r->utc_offset_s, 0, date, sizeof date);
    snprintf(typed, sizeof typed, "%.10s %s%.*s", date, hours == 1 ? "0" : "", (int)clock.size,
             (const char *)clock.data);
    bool good = yr_time_read(yore_str(typed), 0, &ns, &fit, &fault);
    *status = refuse_point(r, text, 0, good ? typed : fault.nearest, reason);
    return true;
}

static yore_status read_number_point(reader *r, yore_slice text)
{
    yore_status status;
    size_t digits = digits_at_start(text);
    if (digits == text.size) return refuse_number(r, text);
    if (yr_time_looks_like(text) || (digits == 4 && char_at(text, 4) == '-')) return read_time(r, text);
    if (refuse_clock(r, text, &status)) return status;
    return read_span(r, text);
}

/* `xyz:...` whose xyz is none of ours. */
static yore_status refuse_prefix(reader *r, yore_slice text, size_t colon)
{
    static const struct {
        const char *typed;
        const char *meant;
    } prefixes[] = {{"tag", "tag:"}, {"back", "back:"}, {"epoch", "epoch:"},
                    {"v", "v"},      {"ver", "v"},      {"version", "v"}};
    yore_slice prefix = {text.data, colon}, rest = trimmed(from(text, colon + 1));
    char nearest[NEAREST_SIZE] = "";
    unsigned best = 3;
    if (begins(text, "id:"))
        return refuse_point(r, text, 0, "v5", "id:N stands for a branch, as in id:17@v5");
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        unsigned distance = yr_text_distance(prefix, yore_str(prefixes[i].typed), prefix.size < 3 ? 0 : 2);
        bool fits = i == 0 ? yore_name_check(rest, NULL) == YORE_OK : all_digits(rest);
        if (distance < best && fits && rest.size < 100) {
            best = distance;
            snprintf(nearest, sizeof nearest, "%s%.*s", prefixes[i].meant, (int)rest.size,
                     (const char *)rest.data);
        }
    }
    return refuse_point(r, text, 0, nearest,
                        "what may stand before a colon is tag, back or epoch (and id for a branch)");
}

/* Read a point. *is_word is set, and nothing refused, for a plain word that is no point: it may be a branch. */
static yore_status read_point(reader *r, yore_slice text, bool *is_word)
{
    yore_status status;
    *is_word = false;
    if (read_word(r, text)) return YORE_OK;
    if (yr_name_is_version(text)) return read_version(r, text);
    if (begins(text, "tag:")) return read_tag(r, text);
    if (begins(text, "back:")) return read_back(r, text);
    if (begins(text, "epoch:")) return read_epoch(r, text);
    if (is_digit(char_at(text, 0))) return read_number_point(r, text);
    if (refuse_clock(r, text, &status)) return status;
    if ((char_at(text, 0) == '-' || char_at(text, 0) == '+') && is_digit(char_at(text, 1)) &&
        text.size < 40) {
        yore_slice rest = from(text, 1);
        char nearest[NEAREST_SIZE];
        snprintf(nearest, sizeof nearest, all_digits(rest) ? "back:%.*s" : "%.*s ago", (int)rest.size,
                 (const char *)rest.data);
        bool past = char_at(text, 0) == '-';
        return refuse_point(r, text, 0, past ? nearest : "",
                            past ? "points in the past have no sign" : "points lie in the past");
    }
    const char *colon = memchr(text.data, ':', text.size);
    if (colon) return refuse_prefix(r, text, (size_t)(colon - (const char *)text.data));
    *is_word = true;
    return YORE_OK;
}

/* -- branches and whole SPECs -- */

/* The point word a misspelt one is nearest to, or NULL. */
static const char *near_point_word(yore_slice text)
{
    const char *best = NULL;
    unsigned best_distance = text.size < 5 ? 2 : 3;
    for (size_t i = 0; i < POINT_WORD_COUNT; i++) {
        unsigned distance = yr_text_distance(text, yore_str(point_words[i]), best_distance - 1);
        if (distance < best_distance) {
            best_distance = distance;
            best = point_words[i];
        }
    }
    return best;
}

/* What a word that is no point may have meant as one; false when nothing comes near. */
static bool near_point(reader *r, yore_slice word, char nearest[NEAREST_SIZE])
{
    const char *point = near_point_word(word);
    yore_slice digits = from(word, word.size ? 1 : 0);
    nearest[0] = '\0';
    if (yore_name_check(word, NULL) == YORE_OK && r->names->tag_exists(r->names->ctx, word))
        snprintf(nearest, NEAREST_SIZE, "tag:%.*s", (int)word.size, (const char *)word.data);
    else if (char_at(word, 0) == 'V' && all_digits(digits) && digits.size < 20)
        snprintf(nearest, NEAREST_SIZE, "v%.*s", (int)digits.size, (const char *)digits.data);
    else if (point)
        snprintf(nearest, NEAREST_SIZE, "%s", point);
    else if (word.size > 4 && equals(from(word, word.size - 4), " ago"))
        snprintf(nearest, NEAREST_SIZE, "2h ago");
    return nearest[0] != '\0';
}

/* A text without '@' that is neither a point nor a branch. */
static yore_status refuse_word(reader *r, yore_slice word)
{
    char quoted[YR_QUOTE_SIZE], nearest[NEAREST_SIZE], branch[YORE_BRANCH_NAME_MAX + 1];
    bool has_point = near_point(r, word, nearest);
    bool has_branch = r->names->branch_nearest && r->names->branch_nearest(r->names->ctx, word, branch);
    yr_fail(r->err, YORE_ERR_SPEC, "'%s' is neither a point in history nor the name of a branch",
            yr_text_quote(word, quoted));
    if (has_point && has_branch)
        yr_hint(r->err, "write '%s' for the point or '%s' for the branch", nearest, branch);
    else if (has_branch)
        yr_hint(r->err, "write '%s' for the branch", branch);
    else
        suggest(r, has_point ? nearest : "");
    return placed(r, YORE_ERR_SPEC, offset_of(r, word));
}

/* The part before '@'. Only its form is judged here. */
static yore_status read_branch(reader *r, yore_slice name, yore_slice point)
{
    yore_error why = YORE_ERROR_INIT;
    if (begins(name, "id:")) {
        uint64_t id = 0;
        yore_slice digits = from(name, 3);
        char quoted[YR_QUOTE_SIZE];
        if (!all_digits(digits)) {
            yr_fail(r->err, YORE_ERR_SPEC, "'%s' is not a branch: id: takes a number",
                    yr_text_quote(name, quoted));
            yr_hint(r->err, "write id:17@now; yore branch list --all shows the ids");
            return placed(r, YORE_ERR_SPEC, offset_of(r, digits));
        }
        if (!to_number(digits, &id) || !id || id > UINT32_MAX) {
            yr_fail(r->err, YORE_ERR_NO_BRANCH, "no branch has the id %s", yr_text_quote(digits, quoted));
            return placed(r, YORE_ERR_NO_BRANCH, offset_of(r, digits));
        }
        r->at.branch_id = (uint32_t)id;
        memset(r->at.branch, 0, sizeof r->at.branch);
        return YORE_OK;
    }
    if (yore_name_check(name, &why) < 0) {
        yr_fail(r->err, YORE_ERR_SPEC, "%s", why.message);
        if (yore_name_check(point, NULL) == YORE_OK && name.size < 64)
            yr_hint(r->err, "the branch comes first: '%.*s@%.*s'", (int)point.size, (const char *)point.data,
                    (int)name.size, (const char *)name.data);
        else
            yr_hint(r->err, "write 'default@now'; %s", why.hint);
        return placed(r, YORE_ERR_SPEC, offset_of(r, name) + why.offset);
    }
    copy_name(r->at.branch, name);
    r->at.branch_id = 0;
    return YORE_OK;
}

static yore_status require_branch(reader *r, yore_slice name)
{
    char quoted[YR_QUOTE_SIZE], near[YORE_BRANCH_NAME_MAX + 1];
    if (r->at.branch_id || r->names->branch_exists(r->names->ctx, name)) return YORE_OK;
    yr_fail(r->err, YORE_ERR_NO_BRANCH, "no branch named '%s'", yr_text_quote(name, quoted));
    if (r->names->branch_nearest && r->names->branch_nearest(r->names->ctx, name, near))
        yr_hint(r->err, "the nearest name is '%s'; yore branch list shows all", near);
    else
        yr_hint(r->err, "yore branch list shows the branches");
    return placed(r, YORE_ERR_NO_BRANCH, offset_of(r, name));
}

/* A tag is (branch, version): without a branch before it, it selects its own. */
static void forget_branch_for_tag(reader *r)
{
    if (r->at.kind != YORE_AT_TAG) return;
    memset(r->at.branch, 0, sizeof r->at.branch);
    r->at.branch_id = 0;
}

/* `branch@point` or `@point`; `split` is the place of the '@'. */
static yore_status read_pair(reader *r, yore_slice spec, size_t split)
{
    yore_slice name = {spec.data, split}, point = from(spec, split + 1);
    bool is_word = false;
    char nearest[NEAREST_SIZE], quoted[YR_QUOTE_SIZE];
    const char *second = memchr(point.data, '@', point.size);
    r->head = yore_bytes(spec.data, split + 1);
    if (second) {
        yr_fail(r->err, YORE_ERR_SPEC, "'%s' has two '@': one branch and one point make a SPEC",
                yr_text_quote(spec, quoted));
        yr_hint(r->err, "write 'exp@v1042'");
        return placed(r, YORE_ERR_SPEC, (size_t)(second - r->spec));
    }
    if (trimmed(name).size != name.size || trimmed(point).size != point.size) {
        name = trimmed(name);
        point = trimmed(point);
        yr_fail(r->err, YORE_ERR_SPEC, "'%s' has blanks beside the '@'", yr_text_quote(spec, quoted));
        if (spec.size < 200)
            yr_hint(r->err, "write '%.*s@%.*s'", (int)name.size, (const char *)name.data, (int)point.size,
                    (const char *)point.data);
        return placed(r, YORE_ERR_SPEC, split);
    }
    if (!point.size) return refuse_point(r, spec, split + 1, "now", "nothing follows the '@'");
    yore_status status = name.size ? read_branch(r, name, point) : YORE_OK;
    if (status < 0) return status;
    status = read_point(r, point, &is_word);
    if (is_word) {
        bool near = near_point(r, point, nearest);
        return refuse_point(r, point, 0, near ? nearest : "", "it is no word for one");
    }
    if (!name.size && status == YORE_OK) forget_branch_for_tag(r);
    /* A form that is wrong in itself is said first; then what does not exist, left to right. */
    if (status == YORE_ERR_SPEC || !name.size) return status;
    yore_status missing = require_branch(r, name);
    return missing < 0 ? missing : status;
}

/* A text without '@'. */
static yore_status read_bare(reader *r, yore_slice spec)
{
    bool is_word = false;
    if (begins(spec, "id:")) return read_branch(r, spec, yore_str(""));
    yore_status status = read_point(r, spec, &is_word);
    if (status < 0) return status;
    if (is_word) {
        if (yore_name_check(spec, NULL) < 0 || !r->names->branch_exists(r->names->ctx, spec))
            return refuse_word(r, spec);
        copy_name(r->at.branch, spec);
        r->at.branch_id = 0;
        r->at.kind = YORE_AT_NOW;
        return YORE_OK;
    }
    forget_branch_for_tag(r);
    return YORE_OK;
}

yore_status yr_spec_parse(const char *spec, int64_t now_ns, int32_t utc_offset_s, const yr_spec_names *names,
                          yore_at *out, yore_error *err)
{
    reader r = {.spec = spec, .now_ns = now_ns, .utc_offset_s = utc_offset_s, .names = names, .err = err};
    yore_slice text = yore_str(spec), inner = trimmed(text);
    char quoted[YR_QUOTE_SIZE];
    r.at.struct_size = out->struct_size;
    r.at.branch_id = out->branch_id;
    memcpy(r.at.branch, out->branch, sizeof r.at.branch);
    if (!inner.size) {
        yr_fail(err, YORE_ERR_SPEC, "an empty text is no point in history");
        suggest(&r, "now");
        return placed(&r, YORE_ERR_SPEC, 0);
    }
    if (inner.size != text.size) {
        yr_fail(err, YORE_ERR_SPEC, "'%s' has blanks around it", yr_text_quote(text, quoted));
        if (inner.size < 200) yr_hint(err, "write '%.*s'", (int)inner.size, (const char *)inner.data);
        return placed(&r, YORE_ERR_SPEC, inner.data == text.data ? inner.size : 0);
    }
    const char *split = strchr(spec, '@');
    yore_status status = split ? read_pair(&r, text, (size_t)(split - spec)) : read_bare(&r, text);
    if (status == YORE_OK) *out = r.at;
    return status;
}

/* The SPEC grammar (docs/cli.md): every form, every kind of mistake, and that each suggestion is one that works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <yore/branch.h>
#include <yore/time.h>

#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "engine/branch/spec_parse.h"

#define NOW INT64_C(1769860800500000000) /* 2026-01-31T12:00:00.5Z, a Saturday */
#define DAY (86400 * YORE_NS_PER_S)

static const char *const branches[] = {"default", "exp", "now", "fork", "feature/x", "caf\xC3\xA9", "vault"};
static const char *const tags[] = {"rel-1", "now", "exp"};

static bool listed(const char *const *names, size_t count, yore_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (name.size == strlen(names[i]) && memcmp(names[i], name.data, name.size) == 0) return true;
    }
    return false;
}

static bool nearest(const char *const *names, size_t count, yore_slice name, char *out)
{
    for (size_t i = 0; i < count; i++) {
        if (yr_text_distance(name, yore_str(names[i]), 2) <= 2) {
            snprintf(out, YORE_BRANCH_NAME_MAX + 1, "%s", names[i]);
            return true;
        }
    }
    return false;
}

static bool branch_exists(void *ctx, yore_slice name)
{
    (void)ctx;
    return listed(branches, sizeof branches / sizeof branches[0], name);
}

static bool tag_exists(void *ctx, yore_slice name)
{
    (void)ctx;
    return listed(tags, sizeof tags / sizeof tags[0], name);
}

static bool branch_nearest(void *ctx, yore_slice name, char *out)
{
    (void)ctx;
    return nearest(branches, sizeof branches / sizeof branches[0], name, out);
}

static bool tag_nearest(void *ctx, yore_slice name, char *out)
{
    (void)ctx;
    return nearest(tags, sizeof tags / sizeof tags[0], name, out);
}

static const yr_spec_names names = {NULL, branch_exists, tag_exists, branch_nearest, tag_nearest};

/* One accepted SPEC. A branch of NULL means "as on entry". */
typedef struct good {
    const char *spec;
    const char *branch;
    uint32_t branch_id;
    uint32_t kind;
    uint64_t number; /* version or back */
    int64_t time_ns;
    const char *tag;
    int32_t utc_offset_s;
} good;

static const good accepted[] = {
    /* the examples of the contract */
    {"exp", "exp", 0, YORE_AT_NOW, 0, 0, "", 0},
    {"exp@v1042", "exp", 0, YORE_AT_VERSION, 1042, 0, "", 0},
    {"exp@2h ago", "exp", 0, YORE_AT_TIME, 0, NOW - 7200 * YORE_NS_PER_S, "", 0},
    {"v3", NULL, 0, YORE_AT_VERSION, 3, 0, "", 0},
    {"@v3", NULL, 0, YORE_AT_VERSION, 3, 0, "", 0},
    {"2h ago", NULL, 0, YORE_AT_TIME, 0, NOW - 7200 * YORE_NS_PER_S, "", 0},
    {"2h", NULL, 0, YORE_AT_TIME, 0, NOW - 7200 * YORE_NS_PER_S, "", 0},
    {"90s", NULL, 0, YORE_AT_TIME, 0, NOW - 90 * YORE_NS_PER_S, "", 0},
    {"1d12h", NULL, 0, YORE_AT_TIME, 0, NOW - DAY * 3 / 2, "", 0},
    {"1d12h ago", NULL, 0, YORE_AT_TIME, 0, NOW - DAY * 3 / 2, "", 0},
    {"2 hours ago", NULL, 0, YORE_AT_TIME, 0, NOW - 7200 * YORE_NS_PER_S, "", 0},
    {"2 hours  ago", NULL, 0, YORE_AT_TIME, 0, NOW - 7200 * YORE_NS_PER_S, "", 0},
    {"id:17@v5", "", 17, YORE_AT_VERSION, 5, 0, "", 0},
    {"id:17", "", 17, YORE_AT_NOW, 0, 0, "", 0},
    {"fork@now", "fork", 0, YORE_AT_NOW, 0, 0, "", 0},
    {"fork", NULL, 0, YORE_AT_FORK, 0, 0, "", 0}, /* a point first, although a branch has that name */
    {"now", NULL, 0, YORE_AT_NOW, 0, 0, "", 0},
    {"now@now", "now", 0, YORE_AT_NOW, 0, 0, "", 0},
    {"@now", NULL, 0, YORE_AT_NOW, 0, 0, "", 0},
    {"start", NULL, 0, YORE_AT_START, 0, 0, "", 0},
    {"exp@start", "exp", 0, YORE_AT_START, 0, 0, "", 0},
    {"exp@fork", "exp", 0, YORE_AT_FORK, 0, 0, "", 0},
    {"default@now", "default", 0, YORE_AT_NOW, 0, 0, "", 0},
    {"feature/x@v1", "feature/x", 0, YORE_AT_VERSION, 1, 0, "", 0},
    {"caf\xC3\xA9", "caf\xC3\xA9", 0, YORE_AT_NOW, 0, 0, "", 0},
    {"vault", "vault", 0, YORE_AT_NOW, 0, 0, "", 0},
    /* tags */
    {"tag:rel-1", "", 0, YORE_AT_TAG, 0, 0, "rel-1", 0},
    {"@tag:rel-1", "", 0, YORE_AT_TAG, 0, 0, "rel-1", 0},
    {"exp@tag:rel-1", "exp", 0, YORE_AT_TAG, 0, 0, "rel-1", 0},
    {"id:3@tag:now", "", 3, YORE_AT_TAG, 0, 0, "now", 0},
    /* back */
    {"back:0", NULL, 0, YORE_AT_BACK, 0, 0, "", 0},
    {"exp@back:3", "exp", 0, YORE_AT_BACK, 3, 0, "", 0},
    {"back:99999999999999999999", NULL, 0, YORE_AT_BACK, UINT64_MAX, 0, "", 0},
    /* versions */
    {"v0", NULL, 0, YORE_AT_VERSION, 0, 0, "", 0},
    {"v007", NULL, 0, YORE_AT_VERSION, 7, 0, "", 0},
    {"v18446744073709551615", NULL, 0, YORE_AT_VERSION, UINT64_MAX, 0, "", 0},
    /* times */
    {"2026-01-31", NULL, 0, YORE_AT_TIME, 0, 1769817600000000000, "", 0},
    {"2026-01-31", NULL, 0, YORE_AT_TIME, 0, 1769814000000000000, "", 3600},
    {"exp@2026-01-31 12:00", "exp", 0, YORE_AT_TIME, 0, 1769857200000000000, "", 3600},
    {"2026-01-31T12:00:00.25", NULL, 0, YORE_AT_TIME, 0, 1769860800250000000, "", 0},
    {"2026-01-31T12:00:00Z", NULL, 0, YORE_AT_TIME, 0, 1769860800000000000, "", 3600},
    {"2026-01-31T12:00:00.000000001+01:00", NULL, 0, YORE_AT_TIME, 0, 1769857200000000001, "", 0},
    {"1000-01-01", NULL, 0, YORE_AT_TIME, 0, INT64_MIN, "", 0}, /* before any data, so absent, not an error */
    {"today", NULL, 0, YORE_AT_TIME, 0, 1769817600000000000, "", 0},
    {"exp@today", "exp", 0, YORE_AT_TIME, 0, 1769817600000000000, "", 0},
    {"today", NULL, 0, YORE_AT_TIME, 0, 1769814000000000000, "", 3600},
    {"today", NULL, 0, YORE_AT_TIME, 0, 1769860800000000000, "", 43200}, /* midnight there this very second */
    {"today", NULL, 0, YORE_AT_TIME, 0, 1769817660000000000, "", 43140 + 43200}, /* 23:59 on the next day */
    {"yesterday", NULL, 0, YORE_AT_TIME, 0, 1769817600000000000 - DAY, "", 0},
    {"yesterday", NULL, 0, YORE_AT_TIME, 0, 1769835600000000000 - DAY, "", -18000},
    {"epoch:1769860800", NULL, 0, YORE_AT_TIME, 0, 1769860800000000000, "", 3600},
    {"epoch:1769860800.25", NULL, 0, YORE_AT_TIME, 0, 1769860800250000000, "", 0},
    {"exp@epoch:0.000000001", "exp", 0, YORE_AT_TIME, 0, 1, "", 0},
    {"epoch:-1.5", NULL, 0, YORE_AT_TIME, 0, -1500000000, "", 0},
    {"epoch:-99999999999", NULL, 0, YORE_AT_TIME, 0, INT64_MIN, "", 0},
    {"epoch:9223372036.854775807", NULL, 0, YORE_AT_TIME, 0, INT64_MAX, "", 0},
    {"epoch:-9223372036.854775808", NULL, 0, YORE_AT_TIME, 0, INT64_MIN, "", 0},
    /* spans by the calendar */
    {"1mo", NULL, 0, YORE_AT_TIME, 0, NOW - 31 * DAY, "", 0},
    {"2mo", NULL, 0, YORE_AT_TIME, 0, NOW - 62 * DAY, "", 0}, /* 30 November: it has no 31st */
    {"1y ago", NULL, 0, YORE_AT_TIME, 0, NOW - 365 * DAY, "", 0},
    {"1 week ago", NULL, 0, YORE_AT_TIME, 0, NOW - 7 * DAY, "", 0},
    {"5min", NULL, 0, YORE_AT_TIME, 0, NOW - 300 * YORE_NS_PER_S, "", 0},
    {"0s", NULL, 0, YORE_AT_TIME, 0, NOW, "", 0},
    {"1ns ago", NULL, 0, YORE_AT_TIME, 0, NOW - 1, "", 0},
    {"5000y", NULL, 0, YORE_AT_TIME, 0, INT64_MIN, "", 0},
};

static void test_every_form_of_the_grammar_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        const good *row = &accepted[i];
        yore_at at = YORE_AT_INIT;
        yore_error err = YORE_ERROR_INIT;
        snprintf(at.branch, sizeof at.branch, "%s", "entry");
        at.kind = 99;
        if (yr_spec_parse(row->spec, NOW, row->utc_offset_s, &names, &at, &err) != YORE_OK)
            fail_msg("'%s': %s (%s)", row->spec, err.message, err.hint);
        const char *branch = row->branch ? row->branch : "entry";
        if (strcmp(at.branch, branch) != 0 || at.branch_id != row->branch_id || at.kind != row->kind)
            fail_msg("'%s': branch '%s' id %u kind %u", row->spec, at.branch, at.branch_id, at.kind);
        if (row->kind == YORE_AT_TIME && at.time_ns != row->time_ns)
            fail_msg("'%s': time %lld", row->spec, (long long)at.time_ns);
        if (row->kind == YORE_AT_VERSION) assert_true(at.version == row->number);
        if (row->kind == YORE_AT_BACK) assert_true(at.back == row->number);
        assert_string_equal(at.tag, row->tag);
        assert_int_equal(at.struct_size, sizeof at);
        assert_int_equal(err.code, 0);
    }
}

/* One refused SPEC. `works` is a SPEC the hint must contain and that must be accepted; NULL = any hint. */
typedef struct bad {
    const char *spec;
    yore_status status;
    uint32_t offset;
    const char *in_message;
    const char *works;
} bad;

static const bad refused[] = {
    /* bare words: both readings named */
    {"exq", YORE_ERR_SPEC, 0, "neither a point in history nor the name of a branch", "exp"},
    {"defualt", YORE_ERR_SPEC, 0, "neither a point in history nor the name of a branch", "default"},
    {"yestreday", YORE_ERR_SPEC, 0, "neither a point", "yesterday"},
    {"Yesterday", YORE_ERR_SPEC, 0, "neither a point", "yesterday"},
    {"tody", YORE_ERR_SPEC, 0, "neither a point", "today"},
    {"strat", YORE_ERR_SPEC, 0, "neither a point", "start"},
    {"NOW", YORE_ERR_SPEC, 0, "neither a point", "now"},
    {"noww", YORE_ERR_SPEC, 0, "neither a point", "now"},
    {"V12", YORE_ERR_SPEC, 0, "neither a point", "v12"},
    {"rel-1", YORE_ERR_SPEC, 0, "neither a point", "tag:rel-1"},
    {"zzzzzz", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"tomorrow", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"last week", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"two hours ago", YORE_ERR_SPEC, 0, "neither a point", "2h ago"},
    {"a..b", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"HEAD~1", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"exp\n", YORE_ERR_SPEC, 0, "neither a point", NULL},
    {"v", YORE_ERR_SPEC, 0, "neither a point", NULL},
    /* what exists is exit 8 only where a name was asked for */
    {"exq@v3", YORE_ERR_NO_BRANCH, 0, "no branch named 'exq'", NULL},
    {"exq@now", YORE_ERR_NO_BRANCH, 0, "no branch named 'exq'", NULL},
    {"tag:rel-2", YORE_ERR_NO_TAG, 4, "no tag named 'rel-2'", NULL},
    {"exp@tag:nope", YORE_ERR_NO_TAG, 8, "no tag named 'nope'", NULL},
    {"exq@tag:nope", YORE_ERR_NO_BRANCH, 0, "no branch named 'exq'", NULL},
    {"exq@v99999999999999999999", YORE_ERR_NO_BRANCH, 0, "no branch named 'exq'", NULL},
    {"exq@5m", YORE_ERR_SPEC, 5, "minutes", NULL}, /* misspelt comes before missing */
    {"id:0@v1", YORE_ERR_NO_BRANCH, 3, "no branch has the id 0", NULL},
    {"id:4294967296", YORE_ERR_NO_BRANCH, 3, "no branch has the id", NULL},
    /* bare numbers list their readings */
    {"42", YORE_ERR_SPEC, 0, "v42, back:42, epoch:42", "v42"},
    {"2026", YORE_ERR_SPEC, 0, "v2026, back:2026, epoch:2026 or the date 2026-01-01", "v2026"},
    {"20260131", YORE_ERR_SPEC, 0, "or the date 2026-01-31", "2026-01-31"},
    {"20261331", YORE_ERR_SPEC, 0, "epoch:20261331", "v20261331"},
    {"1769860800", YORE_ERR_SPEC, 0, "epoch:1769860800", "v1769860800"},
    {"exp@42", YORE_ERR_SPEC, 4, "v42, back:42, epoch:42", "exp@v42"},
    {"99999999999999999999999", YORE_ERR_SPEC, 0, "bare number", NULL},
    /* units */
    {"5m", YORE_ERR_SPEC, 1, "minutes (5min) or months (5mo)", "5min"},
    {"5m ago", YORE_ERR_SPEC, 1, "minutes (5min) or months (5mo)", "5min ago"},
    {"exp@1h5m ago", YORE_ERR_SPEC, 7, "minutes (5min) or months (5mo)", "exp@1h5min ago"},
    {"2H", YORE_ERR_SPEC, 1, "'H' is no unit", "2h"},
    {"2hrs ago", YORE_ERR_SPEC, 1, "'hrs' is no unit", "2h ago"},
    {"2 horus ago", YORE_ERR_SPEC, 2, "'horus' is no unit", "2 h ago"},
    {"2hago", YORE_ERR_SPEC, 1, "'hago' is no unit", NULL},
    {"2h ago ago", YORE_ERR_SPEC, 3, "numbers with units", NULL},
    {"2h from now", YORE_ERR_SPEC, 3, "numbers with units", NULL},
    {"1.5h", YORE_ERR_SPEC, 1, "whole numbers", NULL},
    {"-2h", YORE_ERR_SPEC, 0, "no sign", "2h ago"},
    {"-3", YORE_ERR_SPEC, 0, "no sign", "back:3"},
    {"+2h", YORE_ERR_SPEC, 0, "in the past", NULL},
    {"99999999999999999999h", YORE_ERR_SPEC, 0, "292 years", NULL},
    /* dates and times */
    {"2026-02-30", YORE_ERR_SPEC, 8, "february 2026 has days 01 to 28", "2026-02-28"},
    {"2026-1-31", YORE_ERR_SPEC, 6, "YYYY-MM-DD", "2026-01-31"},
    {"2026/01/31", YORE_ERR_SPEC, 4, "YYYY-MM-DD", "2026-01-31"},
    {"31.01.2026", YORE_ERR_SPEC, 2, "YYYY-MM-DD", "2026-01-31"},
    {"exp@2026-01-31 9:30", YORE_ERR_SPEC, 16, "hh:mm", "exp@2026-01-31 09:30:00"},
    {"2026-01-31 24:00", YORE_ERR_SPEC, 11, "hours are 00 to 23", NULL},
    {"2026-06-30T23:59:60Z", YORE_ERR_SPEC, 17, "leap second", "2026-06-30T23:59:59Z"},
    {"2026-01-31T12:00:00+0100", YORE_ERR_SPEC, 22, "zone", "2026-01-31T12:00:00+01:00"},
    {"2026-01", YORE_ERR_SPEC, 7, "YYYY-MM-DD", NULL},
    {"12:00", YORE_ERR_SPEC, 0, "needs its date", "2026-01-31 12:00"},
    {"9:30", YORE_ERR_SPEC, 0, "needs its date", "2026-01-31 09:30"},
    {"today 12:00", YORE_ERR_SPEC, 0, "needs its date", "2026-01-31 12:00"},
    {"exp@yesterday 9:30", YORE_ERR_SPEC, 4, "needs its date", "exp@2026-01-30 09:30"},
    /* later than any time there is: exit 6, as every other time in the future is */
    {"2262-04-12", YORE_ERR_TIME_RANGE, 0, "later than any time", NULL},
    {"9999-12-31T23:59:59Z", YORE_ERR_TIME_RANGE, 0, "later than any time", NULL},
    {"epoch:9223372036.854775808", YORE_ERR_TIME_RANGE, 0, "later than any time", NULL},
    {"epoch:1769860800123", YORE_ERR_TIME_RANGE, 0, "later than any time", "epoch:1769860800.123"},
    {"epoch:1769860800123456789", YORE_ERR_TIME_RANGE, 0, "later than any time",
     "epoch:1769860800.123456789"},
    {"v18446744073709551616", YORE_ERR_TIME_RANGE, 0, "past the last one", NULL},
    /* prefixes */
    {"tag:", YORE_ERR_SPEC, 4, "name is missing", NULL},
    {"tag:a b", YORE_ERR_SPEC, 5, "no legal name", NULL},
    {"tags:rel-1", YORE_ERR_SPEC, 0, "before a colon", "tag:rel-1"},
    {"Tag:rel-1", YORE_ERR_SPEC, 0, "before a colon", "tag:rel-1"},
    {"tag: rel-1", YORE_ERR_SPEC, 4, "no legal name", NULL},
    {"back:", YORE_ERR_SPEC, 5, "takes a number", "back:3"},
    {"back:x", YORE_ERR_SPEC, 5, "takes a number", "back:3"},
    {"back:-3", YORE_ERR_SPEC, 5, "takes a number", "back:3"},
    {"back:3x", YORE_ERR_SPEC, 6, "takes a number", NULL},
    {"bcak:3", YORE_ERR_SPEC, 0, "before a colon", "back:3"},
    {"epoch:", YORE_ERR_SPEC, 6, "takes seconds", NULL},
    {"epoch:1.", YORE_ERR_SPEC, 7, "takes seconds", NULL},
    {"epoch:1.1234567891", YORE_ERR_SPEC, 17, "takes seconds", NULL},
    {"epoch:1e9", YORE_ERR_SPEC, 7, "takes seconds", NULL},
    {"epcoh:12", YORE_ERR_SPEC, 0, "before a colon", "epoch:12"},
    {"version:12", YORE_ERR_SPEC, 0, "before a colon", "v12"},
    {"v:12", YORE_ERR_SPEC, 0, "before a colon", "v12"},
    {"id:x", YORE_ERR_SPEC, 3, "takes a number", NULL},
    {"id:@v1", YORE_ERR_SPEC, 3, "takes a number", NULL},
    {"exp@id:17", YORE_ERR_SPEC, 4, "stands for a branch", NULL},
    {"foo:bar", YORE_ERR_SPEC, 0, "before a colon", NULL},
    /* around '@' */
    {"exp@", YORE_ERR_SPEC, 4, "nothing follows", "exp@now"},
    {"@", YORE_ERR_SPEC, 1, "nothing follows", "@now"},
    {"exp@v1@v2", YORE_ERR_SPEC, 6, "two '@'", NULL},
    {"exp @v1", YORE_ERR_SPEC, 4, "blanks beside", "exp@v1"},
    {"exp@ v1", YORE_ERR_SPEC, 3, "blanks beside", "exp@v1"},
    {"v12@exp", YORE_ERR_SPEC, 0, "is a version", "exp@v12"},
    {"2h@exp", YORE_ERR_SPEC, 0, "may not begin", "exp@2h"},
    {"a b@v1", YORE_ERR_SPEC, 1, "no legal name", NULL},
    {"exp@exp", YORE_ERR_SPEC, 4, "not a point in history", "exp@tag:exp"},
    {"exp@nwo", YORE_ERR_SPEC, 4, "not a point in history", "exp@now"},
    {"exp@V5", YORE_ERR_SPEC, 4, "not a point in history", "exp@v5"},
    {"exp@v5x", YORE_ERR_SPEC, 4, "not a point in history", NULL},
    {"exp@rel-1", YORE_ERR_SPEC, 4, "not a point in history", "exp@tag:rel-1"},
    {"\xC3\x28@v1", YORE_ERR_SPEC, 0, "no legal name", NULL},
    /* blanks and nothing */
    {"", YORE_ERR_SPEC, 0, "empty", "now"},
    {"  ", YORE_ERR_SPEC, 0, "empty", "now"},
    {" exp", YORE_ERR_SPEC, 0, "blanks around", "exp"},
    {"2h ago ", YORE_ERR_SPEC, 6, "blanks around", "2h ago"},
};

static void test_every_mistake_is_refused_with_its_place_and_a_form_that_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const bad *row = &refused[i];
        yore_at at = YORE_AT_INIT, before = YORE_AT_INIT;
        yore_error err = YORE_ERROR_INIT;
        char quoted[160];
        snprintf(at.branch, sizeof at.branch, "%s", "entry");
        before = at;
        yore_status status = yr_spec_parse(row->spec, NOW, 0, &names, &at, &err);
        if (status != row->status || err.code != status || !strstr(err.message, row->in_message) ||
            err.offset != row->offset)
            fail_msg("'%s': %d at %u: %s (%s)", row->spec, status, err.offset, err.message, err.hint);
        assert_memory_equal(&at, &before, sizeof at);
        if (row->works) {
            snprintf(quoted, sizeof quoted, "'%s'", row->works);
            if (!strstr(err.hint, quoted)) fail_msg("'%s': hint: %s", row->spec, err.hint);
            if (yr_spec_parse(row->works, NOW, 0, &names, &at, &err) != YORE_OK)
                fail_msg("hint '%s' does not work", row->works);
        }
        if (status == YORE_ERR_SPEC && !err.hint[0]) fail_msg("'%s' has no hint", row->spec);
        assert_int_equal(yr_spec_parse(row->spec, NOW, 0, &names, &before, NULL), row->status);
    }
}

/* "Any time yore prints can be pasted back as a SPEC." */
static void test_any_printed_time_reads_back_as_a_spec(void **state)
{
    (void)state;
    yr_rng rng = {3};
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)yr_rng_next(&rng);
        int32_t offset = i % 2 ? (int32_t)yr_rng_below(&rng, 86341) : 0;
        char text[YORE_TIME_TEXT_SIZE + 8] = "exp@";
        yore_at at = YORE_AT_INIT;
        yore_time_format(ns, offset, 9, text + 4, sizeof text - 4);
        assert_int_equal(yr_spec_parse(i % 3 ? text : text + 4, NOW, 0, &names, &at, NULL), YORE_OK);
        assert_int_equal(at.kind, YORE_AT_TIME);
        assert_true(at.time_ns == ns);
    }
}

/* Random edits of good SPECs: never a crash; a failure leaves the point alone, names a place inside the text
 * and gives a hint; a success never yields a name that is not legal. */
static void test_damaged_specs_are_read_or_refused_cleanly(void **state)
{
    (void)state;
    uint64_t seed = 99;
    print_message("seed %llu\n", (unsigned long long)seed);
    yr_rng rng = {seed};
    for (int i = 0; i < 400000; i++) {
        static const char alphabet[] = "@:-v019 mhdTZ.+eako\xC3\xA9/";
        char text[96];
        const char *start = accepted[yr_rng_below(&rng, sizeof accepted / sizeof accepted[0])].spec;
        size_t size = strlen(start);
        memcpy(text, start, size);
        for (uint64_t edits = 1 + yr_rng_below(&rng, 3); edits; edits--) {
            size_t at = (size_t)yr_rng_below(&rng, size + 1);
            char c = alphabet[yr_rng_below(&rng, sizeof alphabet - 1)];
            if (yr_rng_below(&rng, 2) && size > at) {
                memmove(text + at, text + at + 1, size - at - 1);
                size--;
            } else if (size + 2 < sizeof text) {
                memmove(text + at + 1, text + at, size - at);
                text[at] = c;
                size++;
            }
        }
        text[size] = '\0';
        yore_at at = YORE_AT_INIT, before = YORE_AT_INIT;
        yore_error err = YORE_ERROR_INIT;
        if (yr_spec_parse(text, NOW, 0, &names, &at, &err) == YORE_OK) {
            assert_true(!at.branch[0] || yore_name_check(yore_str(at.branch), NULL) == YORE_OK);
        } else {
            assert_memory_equal(&at, &before, sizeof at);
            if (err.offset > size) fail_msg("'%s': offset %u", text, err.offset);
            assert_true(err.message[0] && (err.code != YORE_ERR_SPEC || err.hint[0]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_the_grammar_is_read),
        cmocka_unit_test(test_every_mistake_is_refused_with_its_place_and_a_form_that_works),
        cmocka_unit_test(test_any_printed_time_reads_back_as_a_spec),
        cmocka_unit_test(test_damaged_specs_are_read_or_refused_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* yore search. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/hits.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/progress.h"

#define BATCH 16u
#define K_DEFAULT 10u
#define SNIPPET_DEFAULT 160u
#define STEP_NS \
    INT64_C(100000000) /* how long one wait for the index takes between two looks at the progress line */

typedef struct searching {
    cli *c;
    yore_query query;
    hits_style style;
    yore_where where;
    yore_search_info info;
    cli_bytes prefix;
    bool wants_kv; /* --type lets kv values through */
    bool counting;
    uint64_t shown;
    cli_explain explain; /* keeps the time in any case */
} searching;

/* -- arguments -- */

static int exclude(cli *c, const char *a, const char *b)
{
    if (!cli_has(c, a) || !cli_has(c, b)) return 0;
    return cli_usage_error(c, NULL, "--%s and --%s exclude each other", a, b);
}

/* --type: what has no values yet is known and finds nothing. */
static int read_types(searching *s)
{
    const char *list = cli_value(s->c, "type");

    s->wants_kv = list == NULL;
    while (list != NULL) {
        const char *comma = strchr(list, ',');
        yore_slice name = comma != NULL ? yore_bytes(list, (size_t)(comma - list)) : yore_str(list);
        uint32_t primitive;
        if (!cli_primitive_parse(name, &primitive)) {
            return cli_usage_error(s->c, "kv, event, state, json, tree, vector, blob",
                                   "--type: there is no type '%.*s'", (int)(name.size < 64 ? name.size : 64),
                                   (const char *)name.data);
        }
        s->wants_kv = s->wants_kv || primitive == YORE_KV;
        list = comma != NULL ? comma + 1 : NULL;
    }
    return 0;
}

static int read_snippet(searching *s)
{
    const char *text = cli_value(s->c, "snippet");
    uint64_t bytes = SNIPPET_DEFAULT;

    if (text != NULL && strcmp(text, "full") == 0) {
        s->query.snippet_bytes = YORE_SNIPPET_FULL;
    } else if (text != NULL && (!cli_parse_u64(text, &bytes) || bytes >= YORE_SNIPPET_FULL)) {
        return cli_usage_error(s->c, "bytes, 0 for none, or full", "--snippet: '%s' is not a number of bytes",
                               text);
    } else {
        s->query.snippet_bytes = (uint32_t)bytes;
    }
    if (s->style.keys_only || s->counting) s->query.snippet_bytes = YORE_SNIPPET_NONE;
    s->style.has_snippets = s->query.snippet_bytes != YORE_SNIPPET_NONE;
    return 0;
}

static int read_highlight(searching *s)
{
    static const char *const names[] = {[HITS_PLAIN] = "none", [HITS_ANSI] = "ansi", [HITS_HTML] = "html"};
    const char *text = cli_value(s->c, "highlight");

    if (text == NULL || strcmp(text, "auto") == 0) {
        s->style.mark = s->c->color_out ? HITS_ANSI : HITS_PLAIN;
        return 0;
    }
    s->style.is_mark_asked = true;
    for (size_t i = 0; i < CMD_COUNT(names); i++) {
        s->style.mark = (hits_mark)i;
        if (strcmp(text, names[i]) == 0) return 0;
    }
    return cli_usage_error(s->c, "auto, ansi, html, none",
                           "--highlight: there is no way to show it called '%s'", text);
}

static int read_hits(searching *s)
{
    uint64_t k = K_DEFAULT;
    int code = cli_value_u64(s->c, "limit", &k);

    if (code == 0 && (k == 0 || k > UINT32_MAX)) {
        return cli_usage_error(s->c, "--count tells how many there are",
                               "-k wants a number from 1 to %" PRIu32, UINT32_MAX);
    }
    s->query.k = (uint32_t)k;
    return code;
}

static int read_flags(searching *s)
{
    static const char *const exclusive[][2] = {
        {"plain", "strict"}, {"any", "all"}, {"keys", "count"}, {"keys", "snippet"}, {"count", "snippet"}};
    cli *c = s->c;
    uint32_t primitive = YORE_KV;
    int code = 0;

    for (size_t i = 0; i < CMD_COUNT(exclusive) && code == 0; i++)
        code = exclude(c, exclusive[i][0], exclusive[i][1]);
    if (code == 0 && cli_has(c, "field")) {
        code = cli_usage_error(c, "leave --field out: the whole text of a value is searched",
                               "no stored value has fields, so there is no field '%s'",
                               cli_value(c, "field"));
    }
    s->query.plain = cli_has(c, "plain");
    s->query.strict = cli_has(c, "strict");
    s->query.all = cli_has(c, "all");
    s->style.keys_only = cli_has(c, "keys");
    s->counting = cli_has(c, "count");
    s->query.count_only = s->counting;
    s->style.explain = cli_has(c, "explain");
    s->query.explain = s->style.explain;
    s->query.text = yore_str(c->args[0]);
    if (code == 0) code = read_hits(s);
    if (code == 0) code = read_types(s);
    if (code == 0) code = read_snippet(s);
    if (code == 0) code = read_highlight(s);
    if (code == 0 && cli_has(c, "prefix")) {
        code = cli_key_part(c, cli_value(c, "prefix"), &s->prefix, &primitive, &s->query.prefix);
        if (primitive != YORE_KV) s->wants_kv = false;
    }
    return code;
}

/* -- the search -- */

static int failed(searching *s, const yore_error *err)
{
    int code = cli_fail(s->c, err);

    if (err->code == YORE_ERR_QUERY && !s->c->json) hits_caret(s->query.text, err->offset);
    return code;
}

/* In steps, so that the progress line shows how far the index is. --wait limits it; without it a search waits. */
static yore_status search(searching *s, yore_snap *snap, yore_iter **iter, yore_error *err)
{
    int64_t wait_ns = cli_has(s->c, "wait") ? (int64_t)s->c->wait_ms * 1000000 : INT64_MAX;
    yore_search_stats stats = {.struct_size = sizeof stats};
    cli_progress p;
    yore_status status;

    cli_progress_begin(&p, s->c, "indexing", "versions", s->where.snap_version);
    do {
        int64_t left_ns = wait_ns - cli_explain_elapsed_ns(&s->explain);
        s->query.wait_ns = left_ns < 1 ? 1 : left_ns < STEP_NS ? left_ns : STEP_NS;
        status = yore_search(snap, &s->query, iter, err);
        if (status != YORE_TIMEOUT || left_ns < 1) break;
        if (yore_search_stats_get(s->c->db, &stats, NULL) == YORE_OK)
            cli_progress_update(&p, stats.indexed_version);
    } while (true);
    cli_progress_end(&p);
    return status;
}

static int show_hits(searching *s, yore_iter *iter)
{
    yore_hit hits[BATCH];
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    size_t count;

    while ((status = yore_search_next(iter, hits, sizeof hits[0], BATCH, &count, &err)) == YORE_OK) {
        for (size_t i = 0; i < count; i++) {
            hits_write(s->c, &s->style, &hits[i]);
            cli_explain_row(&s->explain, hits[i].key.user.size, hits[i].value.size);
        }
        s->shown += count;
    }
    return status < 0 ? cli_fail(s->c, &err) : 0;
}

static void show_count(const searching *s)
{
    if (s->c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_u64(&j, "count", s->info.matches);
        cli_json_line(&j);
    } else {
        printf("%" PRIu64 "\n", s->info.matches);
    }
}

/* What of the store is not indexed, in words; NULL when all of it is. */
static const char *not_indexed(const searching *s)
{
    yore_config_value value = {.struct_size = sizeof value};
    yore_slice none = yore_str("");
    bool store = yore_config_get_prefix(s->c->db, "search.index", none, NULL, &value, NULL) == YORE_OK &&
                 strcmp(value.value, "none") == 0;
    bool differs = false;

    value.prefix_size = 0;
    while (yore_config_next_prefix(s->c->db, "search.index", yore_bytes(value.prefix, value.prefix_size),
                                   NULL, &value, NULL) == YORE_OK)
        differs = differs || store != (strcmp(value.value, "none") == 0);
    if (differs) return "not every key is indexed: `yore config list` shows search.index by prefix";
    return store ? "nothing is indexed: the setting search.index is 'none'" : NULL;
}

/* Nothing was found: the answer is no, with the reason that people trip over. */
static int nothing(const searching *s)
{
    const yore_where *where = &s->where;
    char time[YORE_TIME_TEXT_SIZE];
    char *shown = cli_shown(s->query.text);
    int code = cli_error(s->c, YORE_NOT_FOUND, NULL, NULL, "nothing matches '%s' on %s as of v%" PRIu64,
                         shown, where->branch, where->snap_version);

    free(shown);
    if (!s->wants_kv) {
        cli_note(s->c, "note: only kv values are searched; nothing else is stored yet");
    } else if (not_indexed(s) != NULL) {
        cli_note(s->c, "note: %s", not_indexed(s));
    } else if (where->first_data_version > where->snap_version) {
        cli_time_text(s->c, where->first_data_time_ns, time);
        cli_note(s->c, "note: the first data of '%s' is v%" PRIu64 " of %s", where->branch,
                 where->first_data_version, time);
    }
    return code;
}

static int explain(searching *s)
{
    yore_search_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    hits_totals totals = {.info = &s->info, .stats = &stats, .explain = &s->explain, .shown = s->shown};

    if (yore_search_stats_get(s->c->db, &stats, &err) < 0) return cli_fail(s->c, &err);
    return hits_explain(s->c, &s->style, &totals);
}

static int search_and_show(searching *s, yore_snap *snap)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    int code = 0;

    yore_status status = search(s, snap, &iter, &err);
    if (status < 0) return failed(s, &err);
    if (status != YORE_OK) {
        return cli_answer(s->c, status, &err, "the search index did not reach the snapshot in time");
    }
    s->info.struct_size = sizeof s->info;
    if (yore_search_info_get(iter, &s->info, &err) < 0) {
        code = cli_fail(s->c, &err);
        goto out;
    }
    if (!s->wants_kv) s->info.matches = 0;
    if (s->counting) {
        show_count(s);
    } else if (s->wants_kv) {
        code = show_hits(s, iter);
    }
    if (code == 0 && s->info.matches == 0) code = s->counting ? EXIT_NO : nothing(s);
    if (code == 0 && s->c->tty_out && !s->counting && s->shown < s->info.matches)
        cli_note(s->c, "%" PRIu64 " of %" PRIu64 " hits; -k shows more", s->shown, s->info.matches);
    if ((code == 0 || code == EXIT_NO) && s->explain.wanted) {
        int explained = explain(s);
        if (explained != 0) code = explained;
    }

out:
    yore_iter_close(iter);
    return code;
}

static int run_search(cli *c)
{
    searching s = {.c = c, .query = YORE_QUERY_INIT};
    yore_snap *snap = NULL;
    int code = read_flags(&s);

    cli_explain_begin(&s.explain, s.style.explain);
    s.style.where = &s.where;
    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = cli_snap(c, cli_value(c, "as-of"), &snap, &s.where);
    if (code == 0) code = search_and_show(&s, snap);
    yore_snap_close(snap);
    cli_bytes_deinit(&s.prefix);
    return code;
}

static const cmd_flag search_flags[] = {
    {"plain", NULL, "every character of QUERY is text: no operators", 0},
    {"strict", NULL,
     "a query that does not parse is an error with a caret (else what does not parse is text)", 0},
    {"prefix", "P", "only keys that begin with P; scores stay those of the whole branch", 0},
    {"type", "TYPES", "only values of these types, as in kv,json (only kv values are stored yet)", 0},
    {"field", "FIELDS", "only in these fields (no stored value has fields yet)", 0},
    {"as-of", "SPEC", "what the search would have found then, with the scores of then", 0},
    {"limit", "N", "N hits at most (10)", 'k'},
    {"snippet", "N", "show about N bytes of each value around the words (160), full for all, 0 for none", 0},
    {"highlight", "HOW", "auto (colour on a terminal), ansi, html (with <mark>) or none", 0},
    {"keys", NULL, "only the keys", 'l'},
    {"count", NULL, "only how many there are", 0},
    {"any", NULL, "any of the words will do (the default)", 0},
    {"all", NULL, "every word is required", 0},
    {"explain", NULL, "how each score came about, and what was searched", 0},
};

const cmd cmd_search_entry = {
    .name = "search",
    .usage =
        "QUERY [--plain|--strict] [--prefix P] [--type TYPES] [--field FIELDS] [--as-of SPEC] [-k N] "
        "[--snippet N|full|0] [--highlight auto|ansi|html|none] [-l] [--count] [--any|--all] [--explain]",
    .summary = "find values by the words in them, best first, now or as of any moment",
    .details =
        "QUERY: words, \"a phrase\", +must, -not, a OR b, (a group), pre*; `yore help query` has all of it.\n"
        "A QUERY that begins with - goes behind --. On a terminal each hit is rank, score and key with a snippet\n"
        "below; piped it is a line RANK TAB SCORE TAB KEY TAB SNIPPET. Exit 1 when nothing matches.\n"
        "--explain puts a line TAB TERM TAB TF TAB DF TAB IDF TAB NORM TAB SCORE behind a hit for each of its terms.\n"
        "The first search of a call builds the index in memory, so its cost grows with the text in the store.",
    CMD_ENTRY_FLAGS(search_flags),
    .run = run_search,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = 1,
};

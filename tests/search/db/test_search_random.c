/* Random histories, searched at random (branch, point) and compared with the search by definition.
 *
 *   test_search_random [--queries N] [--seed S] [--planted]
 *
 * A history is 60 to 400 commits on up to 8 branches: puts (some expire), deletes, overwrites that change little or
 * all, transactions of several keys, forks of tips, of the past and of forks, deleted branches, reopening, a
 * reader beside the writer. Every few commits, and at its end, snapshots are taken by version, by time between commits
 * and now, and queries of every kind the language has are asked of each. `--planted` (in the build that has them) runs
 * known-wrong variants of the index and fails unless each is caught. */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/planted.h"
#include "engine/base/rng.h"
#include "search/db/follower.h"
#include "tests/search/db/reference_search.h"

enum {
    BRANCHES_MAX = 8,
    KEYS = 28,
    TIME_STEP = 1000, /* ns between commits */
    TEXT_MAX = 400
};

static const char *const words[] = {
    "run",       "runs",    "running", "runner",   "storm",     "storms",   "stormy", "damage",
    "damaged",   "data",    "compute", "computer", "computing", "computed", "branch", "branches",
    "branching", "the",     "of",      "and",      "version",   "versions", "café",   "CAFÉ",
    "straße",    "STRASSE", "日本語",  "search",   "searching", "searched", "index",  "indices",
    "a",         "x",       "fork",    "forked",   "merge",     "merged",   "tree",   "state-of-the-art",
    "don't",     "naïve",   "42",      "v2",       "über",      "zebra",    "wind",   "winds",
    "windy",     "rain",
};
enum { WORDS = sizeof words / sizeof words[0] };

static const char *const languages[] = {"english", "none", "german"};

/* Of keys, whose search.index is changed; the first is the whole store. */
static const char *const prefixes[] = {"", "a", "ab", "abc1", "doc/", "doc/x", "z", "nobody has it"};
enum { PREFIXES = sizeof prefixes / sizeof prefixes[0] };

typedef struct world {
    yr_rng rng;
    uint64_t seed;
    char path[64];
    bool on_disk;
    yore_db *db;
    yore_db *reader; /* of a store on disk: a handle that follows; NULL until it is wanted */
    yore_db *asked;  /* one of the two */
    const char *language;
    double k1, b;
    yr_analyzer *analyzer;
    reference_rule rules[PREFIXES];
    size_t rule_count;
    uint32_t branches; /* ids 1 .. branches */
    int64_t time_ns;
    uint64_t queries, snapshots, hits, commits;
    bool failed;
    char message[1024];
} world;

static uint64_t pick(world *w, uint64_t bound)
{
    return yr_rng_below(&w->rng, bound);
}

static bool chance(world *w, uint64_t percent)
{
    return pick(w, 100) < percent;
}

_Noreturn static void give_up(const world *w, const char *what, const yore_error *err)
{
    fprintf(stderr, "FAILED: seed %" PRIu64 ": %s: %s\n", w->seed, what, err->message);
    exit(1);
}

static void need(const world *w, yore_status status, const char *what, const yore_error *err)
{
    if (status != YORE_OK) give_up(w, what, err);
}

/* -- a history -- */

/* Common words are much more common than others. */
static const char *random_word(world *w)
{
    return words[chance(w, 50) ? pick(w, 12) : pick(w, WORDS)];
}

static void add_text(char *text, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, TEXT_MAX - used, "%s", more);
}

/* Bytes that mean something to somebody: operators, UTF-8 cut in the middle, marks, white space. */
static void random_bytes(world *w, char text[TEXT_MAX], uint64_t length)
{
    static const char alphabet[] = "ab\"+-*()OR :~^\t\xc3\xa9\xe6\x97\xa5\xcc\x81\xf0\x9f\xd7\xa9'.,_7";
    for (uint64_t i = 0; i < length; i++) text[i] = alphabet[pick(w, sizeof alphabet - 1)];
    text[length] = 0;
}

static yore_slice random_value(world *w, char text[TEXT_MAX])
{
    static const char *const odd[] = {"", "12345", "3.14", "the of and", "\xff\xfe binary", "nul", "  ", "😀"};
    text[0] = 0;
    if (chance(w, 8)) {
        const char *value = odd[pick(w, sizeof odd / sizeof odd[0])];
        if (strcmp(value, "nul") == 0) return yore_bytes("storm\0damage", 12);
        return yore_str(value);
    }
    if (chance(w, 4)) {
        random_bytes(w, text, pick(w, 60));
        return yore_str(text);
    }
    uint64_t count = chance(w, 10) ? 1 : 1 + pick(w, 14);
    for (uint64_t i = 0; i < count; i++) {
        if (i) add_text(text, chance(w, 5) ? ", " : " ");
        add_text(text, random_word(w));
    }
    return yore_str(text);
}

static yore_key random_key(world *w, char name[16])
{
    static const char *const stems[] = {"a", "ab", "abc", "doc/", "doc/x", "z"};
    const char *stem = stems[pick(w, 6)];
    snprintf(name, 16, "%s%u", stem, (unsigned)pick(w, KEYS / 4));
    return yore_str_key(name);
}

static void id_name(uint32_t id, char name[16])
{
    snprintf(name, 16, "id:%u", id);
}

/* Change one word of what the key has, so that most of its postings stay. */
static bool small_edit(world *w, yore_txn *txn, yore_key key, char text[TEXT_MAX])
{
    yore_pin pin = YORE_PIN_INIT;
    if (yore_txn_get(txn, key, &pin, NULL) != YORE_OK) return false;
    bool fits = pin.value.size + 20 < TEXT_MAX;
    if (fits) {
        memcpy(text, pin.value.data, pin.value.size);
        text[pin.value.size] = 0;
        fits = strlen(text) == pin.value.size;
    }
    yore_unpin(&pin);
    if (!fits) return false;
    add_text(text, " ");
    add_text(text, random_word(w));
    return true;
}

static void write_key(world *w, yore_txn *txn)
{
    yore_error err = YORE_ERROR_INIT;
    char name[16], text[TEXT_MAX];
    yore_key key = random_key(w, name);
    if (chance(w, 18)) {
        need(w, yore_del(txn, key, NULL, &err), "del", &err);
        return;
    }
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    if (chance(w, 30)) {
        options.expiry_ns = w->time_ns + (int64_t)pick(w, 40) * TIME_STEP / 2;
        if (chance(w, 5)) options.expiry_ns = w->time_ns - TIME_STEP; /* expired when it was written */
    }
    yore_slice value = chance(w, 40) && small_edit(w, txn, key, text) ? yore_str(text)
                                                                      : random_value(w, text);
    need(w, yore_put(txn, key, value, &options, &err), "put", &err);
}

static void step_commit(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    char name[16];
    yore_txn *txn;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    options.has_time = true;
    options.time_ns = w->time_ns;
    options.times = YORE_TIMES_SHIFT;
    id_name(1 + (uint32_t)pick(w, w->branches), name);
    yore_status status = yore_begin(w->db, yore_str(name), &options, &txn, &err);
    if (status == YORE_ERR_NO_BRANCH || status == YORE_ERR_REFUSED) return; /* deleted */
    need(w, status, "begin", &err);
    for (uint64_t left = chance(w, 25) ? 1 + pick(w, 6) : 1; left; left--) write_key(w, txn);
    status = yore_commit(txn, yore_str(""), NULL, &err);
    if (status != YORE_ERR_NO_BRANCH) need(w, status, "commit", &err);
    w->time_ns += TIME_STEP;
    w->commits++;
}

static uint64_t last_version(world *w)
{
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    need(w, yore_stats_get(w->db, &stats, &err), "stats", &err);
    return stats.version;
}

static void step_fork(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    if (w->branches == BRANCHES_MAX) return;
    char name[16];
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    from.branch_id = 1 + (uint32_t)pick(w, w->branches);
    if (chance(w, 50)) {
        from.kind = YORE_AT_VERSION;
        from.version = 1 + pick(w, last_version(w));
    }
    options.from = &from;
    options.empty = chance(w, 5);
    snprintf(name, sizeof name, "b%u", w->branches + 1);
    yore_status status = yore_branch_create(w->db, yore_str(name), &options, NULL, &err);
    if (status == YORE_ERR_NO_BRANCH) return; /* of a deleted one */
    need(w, status, "fork", &err);
    w->branches++;
}

static void step_delete_branch(world *w)
{
    char name[16];
    id_name(1 + (uint32_t)pick(w, w->branches), name);
    yore_status ignored = yore_branch_delete(w->db, yore_str(name), false, NULL, NULL, NULL);
    (void)ignored; /* default, one with children, one that is gone: they stay as they are */
}

static void open_store(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 256u << 20;
    need(w, yore_open(w->on_disk ? w->path : ":memory:", w->on_disk ? &options : NULL, &w->db, &err), "open",
         &err);
}

static void change_settings(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    char k1[16], b[16];
    w->language = languages[pick(w, 3)];
    w->k1 = (double)pick(w, 30) / 10;
    w->b = (double)pick(w, 11) / 10;
    snprintf(k1, sizeof k1, "%.1f", w->k1);
    snprintf(b, sizeof b, "%.1f", w->b);
    need(w, yore_config_set(w->db, "search.language", w->language, NULL, &err), "language", &err);
    need(w, yore_config_set(w->db, "search.k1", k1, NULL, &err), "k1", &err);
    need(w, yore_config_set(w->db, "search.b", b, NULL, &err), "b", &err);
    yr_analyzer_close(w->analyzer);
    need(w, yr_analyzer_open(yore_env_default(), yore_str(w->language), &w->analyzer, &err), "analyzer",
         &err);
}

/* What is indexed, for a prefix. */
static void change_prefix(world *w)
{
    static const char *const values[] = {"none", "text", ""};
    yore_error err = YORE_ERROR_INIT;
    yore_slice prefix = yore_str(prefixes[pick(w, PREFIXES)]);
    uint64_t value = pick(w, 3);
    need(w, yore_config_set_prefix(w->db, "search.index", prefix, values[value], NULL, &err), "search.index",
         &err);
    size_t i = 0;
    while (i < w->rule_count && !yr_slice_equal(w->rules[i].prefix, prefix)) i++;
    w->rules[i] = (reference_rule){.prefix = prefix, .is_indexed = value == 1};
    if (i == w->rule_count) w->rule_count++;
    if (value == 2) w->rules[i] = w->rules[--w->rule_count];
}

/* -- questions -- */

static void random_clause(world *w, char text[TEXT_MAX], int depth)
{
    if (chance(w, 12))
        add_text(text, "+");
    else if (chance(w, 10))
        add_text(text, "-");
    uint64_t kind = pick(w, 100);
    if (kind < 55) {
        add_text(text, random_word(w));
    } else if (kind < 70) {
        char prefix[8] = "";
        const char *word = random_word(w);
        memcpy(prefix, word, strlen(word) < 3 ? strlen(word) : 1 + pick(w, 3));
        add_text(text, prefix);
        add_text(text, "*");
    } else if (kind < 85 || depth == 0) {
        add_text(text, "\"");
        for (uint64_t i = 0, n = 1 + pick(w, 3); i < n; i++) {
            if (i) add_text(text, " ");
            add_text(text, random_word(w));
        }
        add_text(text, "\"");
    } else {
        add_text(text, "(");
        for (uint64_t i = 0, n = 1 + pick(w, 3); i < n; i++) {
            if (i) add_text(text, chance(w, 30) ? " OR " : " ");
            random_clause(w, text, depth - 1);
        }
        add_text(text, ")");
    }
}

static void random_query(world *w, char text[TEXT_MAX])
{
    text[0] = 0;
    if (chance(w, 5)) {
        random_bytes(w, text, 1 + pick(w, 40));
        return;
    }
    for (uint64_t i = 0, n = 1 + pick(w, 4); i < n; i++) {
        if (i) add_text(text, chance(w, 20) ? " OR " : " ");
        random_clause(w, text, 2);
    }
}

typedef struct question {
    char text[TEXT_MAX];
    yore_query query;
    yore_at at;
} question;

static bool differ(world *w, const question *q, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool differ(world *w, const question *q, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = snprintf(w->message, sizeof w->message,
                        "seed %" PRIu64 ", %s, id:%u kind %u v%" PRIu64 " t%" PRId64
                        ", query '%s'%s%s prefix '%.*s': ",
                        w->seed, w->language, q->at.branch_id, q->at.kind, q->at.version, q->at.time_ns,
                        q->text, q->query.all ? " --all" : "", q->query.plain ? " --plain" : "",
                        (int)q->query.prefix.size, (const char *)q->query.prefix.data);
    vsnprintf(w->message + used, sizeof w->message - (size_t)used, format, args);
    va_end(args);
    w->failed = true;
    return false;
}

static bool close_to(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(b));
}

static bool compare_explain(world *w, const question *q, const yore_hit *hit)
{
    double sum = 0;
    for (size_t i = 0; i < hit->term_count; i++) {
        const yore_term_score *t = &hit->terms[i];
        sum += t->score;
        if (!close_to(t->score, t->idf * (double)t->tf / ((double)t->tf + t->norm)))
            return differ(w, q, "a term's score is not what its parts give");
    }
    return close_to(sum, hit->score) ||
           differ(w, q, "the terms give %.12g, the score is %.12g", sum, hit->score);
}

static bool compare_hits(world *w, const question *q, yore_iter *iter, const reference *r,
                         const reference_hit *hits, size_t count)
{
    yore_error err = YORE_ERROR_INIT;
    yore_search_info info = {.struct_size = sizeof info};
    need(w, yore_search_info_get(iter, &info, &err), "info", &err);
    double average = r->doc_count ? (double)r->total_length / (double)r->doc_count : 0;
    if (info.documents != r->doc_count || info.total_length != r->total_length)
        return differ(w, q, "%" PRIu64 " documents of %" PRIu64 " terms, not %zu of %" PRIu64, info.documents,
                      info.total_length, r->doc_count, r->total_length);
    if (!close_to(info.average_length, average))
        return differ(w, q, "average length %g", info.average_length);
    if (info.matches != count) return differ(w, q, "%" PRIu64 " matches, not %zu", info.matches, count);
    size_t expected = q->query.count_only ? 0 : count < q->query.k ? count : q->query.k, given = 0, n;
    yore_hit rows[7];
    yore_status status;
    while ((status = yore_search_next(iter, rows, sizeof rows[0], 1 + pick(w, 7), &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++, given++) {
            if (given >= expected) return differ(w, q, "more than %zu hits", expected);
            const reference_hit *want = &hits[given];
            const yore_hit *got = &rows[i];
            if (got->key.user.size != want->key.size ||
                memcmp(got->key.user.data, want->key.data, want->key.size) != 0)
                return differ(w, q, "hit %zu is '%.*s' (%.17g), not '%.*s' (%.17g)", given + 1,
                              (int)got->key.user.size, (const char *)got->key.user.data, got->score,
                              (int)want->key.size, (const char *)want->key.data, want->score);
            if (!close_to(got->score, want->score))
                return differ(w, q, "hit %zu scores %.17g, not %.17g", given + 1, got->score, want->score);
            if (got->rank != given + 1 || got->length != want->length) return differ(w, q, "rank or length");
            if (q->query.explain && !compare_explain(w, q, got)) return false;
        }
    }
    if (status != YORE_END) give_up(w, "next", &err);
    w->hits += given;
    return given == expected || differ(w, q, "%zu hits, not %zu", given, expected);
}

static bool ask(world *w, question *q, yore_snap *snap, const reference *r)
{
    yore_error err = YORE_ERROR_INIT;
    yr_arena arena;
    yr_query_node *root;
    reference_hit *hits;
    yore_iter *iter;
    yr_arena_init(&arena, yore_env_default());
    const yr_query_options options = {.plain = q->query.plain, .all = q->query.all};
    need(w, yr_query_parse(yore_str(q->text), &options, w->analyzer, &arena, &root, &err), "parse", &err);
    const reference_question asked = {.root = root, .k1 = w->k1, .b = w->b, .prefix = q->query.prefix};
    size_t count = reference_search(r, &asked, &hits);
    need(w, yore_search(snap, &q->query, &iter, &err), "search", &err);
    bool same = compare_hits(w, q, iter, r, hits, count);
    yore_iter_close(iter);
    free(hits);
    yr_arena_deinit(&arena);
    w->queries++;
    return same;
}

/* The invariants of every layer. */
static bool check_index(world *w, const question *q)
{
    yore_error err = YORE_ERROR_INIT;
    yr_search_settings settings;
    const yr_index *index;
    const char *problem = NULL;
    need(w, yr_search_settings_get(w->asked, yr_store_visible(&w->asked->store), &settings, &err), "settings",
         &err);
    yr_follower *follower = yr_follower_peek(w->asked);
    need(w, yr_follower_hold(follower, 0, &settings.index, -1, &index, &err), "hold", &err);
    bool good = yr_index_check(index, &problem);
    yr_follower_release(follower);
    return good || differ(w, q, "the index is wrong: %s", problem);
}

static bool ask_snapshot(world *w, question *q)
{
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap;
    reference r;
    need(w, yore_snap_open(w->asked, &q->at, &snap, NULL, &err), "snapshot", &err);
    reference_load(&r, snap, w->analyzer, w->rules, w->rule_count);
    bool same = true;
    for (int i = 0; i < 6 && same; i++) {
        random_query(w, q->text);
        q->query = (yore_query)YORE_QUERY_INIT;
        q->query.text = yore_str(q->text);
        q->query.k = chance(w, 50) ? 1000 : 1 + (uint32_t)pick(w, 8);
        q->query.all = chance(w, 25);
        q->query.plain = chance(w, 8);
        q->query.explain = chance(w, 30);
        q->query.count_only = chance(w, 5);
        if (chance(w, 15)) q->query.prefix = yore_str(chance(w, 50) ? "a" : "doc/");
        same = ask(w, q, snap, &r);
    }
    reference_close(&r);
    yore_snap_close(snap);
    w->snapshots++;
    return same && check_index(w, q);
}

/* The handle that asks: the writer's, or for a store on disk also a reader's that has just caught up. */
static void choose_handle(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    w->asked = w->db;
    if (!w->on_disk || chance(w, 60)) return;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.read_only = true;
    options.memory_bytes_max = 256u << 20;
    if (!w->reader) need(w, yore_open(w->path, &options, &w->reader, &err), "open the reader", &err);
    need(w, yore_refresh(w->reader, &err), "refresh", &err);
    w->asked = w->reader;
}

static bool ask_somewhere(world *w)
{
    choose_handle(w);
    question q;
    q.at = (yore_at)YORE_AT_INIT;
    q.at.branch_id = 1 + (uint32_t)pick(w, w->branches);
    uint64_t kind = pick(w, 100);
    if (kind < 40) {
        q.at.kind = YORE_AT_VERSION;
        q.at.version = 1 + pick(w, last_version(w));
    } else if (kind < 80) {
        q.at.kind = YORE_AT_TIME; /* on commits and between them */
        q.at.time_ns = w->time_ns - (int64_t)pick(w, 2 * (w->commits + 4)) * TIME_STEP / 2;
    } else if (kind < 90) {
        /* the newest versions, before everything has expired */
        q.at.kind = YORE_AT_VERSION;
        q.at.version = last_version(w);
    }
    return ask_snapshot(w, &q);
}

/* -- one history -- */

static bool run_history(world *w, uint64_t seed)
{
    yore_error err = YORE_ERROR_INIT;
    char command[128];
    w->seed = seed;
    w->rng = (yr_rng){seed};
    w->on_disk = chance(w, 25);
    w->branches = 1;
    w->time_ns = INT64_C(1000000000000);
    w->commits = 0;
    w->rule_count = 0;
    snprintf(w->path, sizeof w->path, "/tmp/yore-search-XXXXXX");
    if (w->on_disk && !mkdtemp(w->path)) give_up(w, "mkdtemp", &err);
    open_store(w);
    change_settings(w);
    bool same = true;
    uint64_t length = 60 + pick(w, 340), every = 2 + pick(w, 30);
    for (uint64_t i = 0; i < length && same; i++) {
        uint64_t kind = pick(w, 1000);
        if (kind < 40)
            step_fork(w);
        else if (kind < 46)
            step_delete_branch(w);
        else if (kind < 50)
            change_settings(w);
        else if (kind < 60)
            change_prefix(w);
        else
            step_commit(w);
        if (w->on_disk && chance(w, 1)) {
            yore_close(w->db);
            open_store(w);
        }
        if (i % every == 0) same = ask_somewhere(w);
    }
    for (int i = 0; i < 12 && same; i++) same = ask_somewhere(w);
    yore_close(w->reader);
    w->reader = NULL;
    yore_close(w->db);
    if (w->on_disk) {
        snprintf(command, sizeof command, "rm -r '%s'", w->path);
        if (system(command) != 0) give_up(w, "rm", &err);
    }
    return same;
}

#ifdef YORE_PLANTED_BUGS
static int run_planted(world *w, uint64_t seed)
{
    static const struct {
        enum yr_bug bug;
        const char *what;
    } bugs[] = {
        {YR_BUG_SEARCH_HIDDEN_DF, "replaced documents counted"},
        {YR_BUG_SEARCH_EXPIRY, "expiry ignored in the number of documents"},
        {YR_BUG_SEARCH_END_VERSION, "posting alive in the version that ended it"},
        {YR_BUG_SEARCH_HIDE_CAP, "parent hidden before the child wrote"},
    };
    int missed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        yr_planted_bug = bugs[i].bug;
        w->queries = 0;
        bool same = true;
        for (uint64_t n = 0; n < 200 && same; n++) same = run_history(w, seed + n);
        if (same)
            printf("planted, %s: NOT CAUGHT\n", bugs[i].what);
        else
            printf("planted, %s: caught after %" PRIu64 " queries: %s\n", bugs[i].what, w->queries,
                   w->message);
        missed += same;
    }
    yr_planted_bug = YR_BUG_NONE;
    return missed;
}
#endif

int main(int argc, char **argv)
{
    static world w;
    uint64_t queries = 2000, seed = 1;
    bool planted = false;
    const char *from = getenv("YORE_TEST_SEED");
    if (from) seed = strtoull(from, NULL, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--queries") == 0 && i + 1 < argc)
            queries = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--planted") == 0)
            planted = true;
        else
            return 2;
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
#ifdef YORE_PLANTED_BUGS
    if (planted) return run_planted(&w, seed) ? 1 : 0;
#endif
    if (planted) return 2;
    bool same = true;
    uint64_t histories = 0;
    for (; w.queries < queries && same; histories++) same = run_history(&w, seed + histories);
    yr_analyzer_close(w.analyzer);
    if (!same) {
        printf("FAILED: %s\n", w.message);
        return 1;
    }
    printf("%" PRIu64 " queries with %" PRIu64 " hits of %" PRIu64 " snapshots of %" PRIu64
           " histories: all as by definition\n",
           w.queries, w.hits, w.snapshots, histories);
    return 0;
}

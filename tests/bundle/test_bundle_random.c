/* Random stores, random points of them, with and without history and base, into a store that has something already:
 * what comes out is what went in. `--scripts N --seed S`; the seed is printed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bundle/bundle_kit.h"

#define NEED(call) kit_need((call), &err)

typedef struct world {
    yr_sim *sim;
    yore_db *from, *to;
    uint64_t random;
    uint32_t branches;
    yore_error err;
} world;

static uint64_t next(world *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return w->random >> 33;
}

static uint32_t pick(world *w, uint32_t below)
{
    return (uint32_t)(next(w) % below);
}

static void fail(const world *w, const char *what)
{
    fprintf(stderr, "FAILED: %s\n", what);
    (void)w;
    abort();
}

static void branch_name(uint32_t number, char out[32])
{
    (void)snprintf(out, 32, number ? "b%u" : "default", (unsigned)number);
}

static void commit(world *w, uint32_t branch)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    char name[32], key[16], value[200];
    uint64_t parent = 1 + next(w) % kit_version(w->from);
    options.parents = &parent;
    options.parent_count = pick(w, 4) == 0;
    options.author = yore_str(pick(w, 3) ? "" : "someone");
    options.source = yore_str(pick(w, 4) ? "" : "elsewhere");
    options.has_source_time = pick(w, 3) == 0;
    options.source_time_ns = (int64_t)next(w);
    options.allow_empty = true;
    branch_name(branch, name);
    NEED(yore_begin(w->from, yore_str(name), &options, &txn, &err));
    for (uint32_t i = pick(w, 5); i > 0; i--) {
        uint32_t number = pick(w, 24);
        yore_key where = {yore_bytes(key, (size_t)snprintf(key, sizeof key, "k%u", (unsigned)number)),
                          pick(w, 5) ? YORE_KV : YORE_JSON};
        yore_put_options how = YORE_PUT_OPTIONS_INIT;
        if (pick(w, 4) == 0) {
            NEED(yore_del(txn, where, NULL, &err));
            continue;
        }
        memset(value, (int)('a' + pick(w, 3)), sizeof value);
        how.type = pick(w, 2);
        how.meta = yore_bytes("\0m", pick(w, 3));
        how.expiry_ns = number % 8 ? 0
                                   : INT64_C(4000000000000000000); /* always: a diff does not see it alone */
        NEED(yore_put(txn, where, yore_bytes(value, pick(w, sizeof value)), &how, &err));
    }
    NEED(yore_commit(txn, yore_str(pick(w, 2) ? "" : "a note"), NULL, &err));
}

static yore_at some_point(world *w, uint32_t branch)
{
    yore_error err = YORE_ERROR_INIT;
    char name[32];
    branch_name(branch, name);
    yore_at at = kit_at(name);
    if (pick(w, 2)) return at;
    yore_branch_info info = {.struct_size = sizeof info};
    NEED(yore_branch_info_get(w->from, yore_str(name), &info, &err));
    uint64_t newest = kit_version(w->from);
    return kit_at_version(name, info.create_version + next(w) % (newest - info.create_version + 1));
}

static void fork_some(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    char name[32];
    const yore_at from = some_point(w, pick(w, w->branches));
    options.from = &from;
    branch_name(w->branches++, name);
    NEED(yore_branch_create(w->from, yore_str(name), &options, NULL, &err));
}

/* Something was committed there, so it can be a base. */
static bool has_commits(world *w, const yore_at *at)
{
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log;
    NEED(yore_log(w->from, at, NULL, &log, &err));
    bool has = yore_log_next(log, &info, &err) == YORE_OK;
    yore_iter_close(log);
    return has;
}

static void bundle_one(world *w, uint32_t number)
{
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    uint32_t branch = pick(w, w->branches);
    yore_at at = some_point(w, branch), base = some_point(w, pick(w, w->branches));
    char file[32], base_file[32], name[32], base_name[32];
    uint64_t here, there, count;
    (void)snprintf(file, sizeof file, "f%u", number);
    (void)snprintf(base_file, sizeof base_file, "g%u", number);
    (void)snprintf(name, sizeof name, "x%u", number);
    (void)snprintf(base_name, sizeof base_name, "y%u", number);
    options.at = &at;
    options.history = pick(w, 2);
    bool on_base = pick(w, 2) && has_commits(w, &base);
    if (on_base) {
        yore_bundle_options first = YORE_BUNDLE_OPTIONS_INIT;
        first.at = &base;
        first.history = pick(w, 2);
        NEED(yore_bundle_make(w->from, base_file, &first, NULL, &err));
        NEED(yore_bundle_import(w->to, base_file, yore_str(base_name), NULL, NULL, NULL, &err));
        options.base = &base;
    }
    yore_status status = yore_bundle_make(w->from, file, &options, NULL, &err);
    if (status == YORE_ERR_REFUSED && options.history && on_base) { /* not in the past */
        options.history = false;
        err = (yore_error)YORE_ERROR_INIT;
        status = yore_bundle_make(w->from, file, &options, NULL, &err);
    }
    NEED(status);
    options = (yore_bundle_options)YORE_BUNDLE_OPTIONS_INIT;
    const yore_at base_here = kit_at(base_name), same = kit_at(name);
    /* where a source of its own hides where a commit came from it has to be said */
    options.base = on_base && pick(w, 2) ? &base_here : NULL;
    status = yore_bundle_import(w->to, file, yore_str(name), &options, NULL, NULL, &err);
    NEED(status);
    if (kit_state(w->from, &at) != kit_state(w->to, &same)) fail(w, "another state");
    bool whole = !on_base;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    yore_bundle_options read = kit_bundle_options(yr_sim_env(w->sim));
    NEED(yore_bundle_info_get(file, &read, &info, &err));
    if (whole && info.has_history) {
        here = kit_history(w->to, &same, &count);
        there = kit_history(w->from, &at, &count);
        if (here != there || count != info.commits) fail(w, "another history");
    }
}

static void run(uint64_t seed)
{
    world w = {.sim = yr_sim_create(seed), .random = seed, .branches = 1};
    w.from = kit_open(w.sim, "from", false);
    w.to = kit_open(w.sim, "to", false);
    yore_error err = YORE_ERROR_INIT;
    NEED(yore_db_put(w.to, yore_str(""), yore_str_key("mine"), yore_str("x"), NULL, &err));
    for (uint32_t i = 0; i < 40; i++) {
        if (pick(&w, 6) == 0)
            fork_some(&w);
        else
            commit(&w, pick(&w, w.branches));
        if (i % 8 == 7) bundle_one(&w, i);
    }
    yore_close(w.from);
    NEED(yore_check(w.to, YORE_CHECK_DEEP, NULL, &err));
    yore_close(w.to);
    if (yr_sim_has_leaks(w.sim)) fail(&w, "something was not given back");
    yr_sim_destroy(w.sim);
}

int main(int argc, char **argv)
{
    uint64_t scripts = 150, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--scripts") == 0) scripts = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
    }
    for (uint64_t i = 0; i < scripts; i++) {
        fprintf(stderr, "\rseed %" PRIu64, seed + i);
        run(seed + i);
    }
    fprintf(stderr, "\n");
    printf("%" PRIu64 " scripts from seed %" PRIu64 ": passed\n", scripts, seed);
    return 0;
}

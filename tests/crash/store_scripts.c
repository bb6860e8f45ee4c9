/* The scripts. Small on purpose: every operation of each is cut at, in every way. */
#include "tests/crash/store_scripts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NEED SCRIPT_NEED

/* -- what scripts are made of -- */

static void note(script_run *run, uint64_t version)
{
    uint64_t *digest = &run->histories[run->history_count - 1].digests[version];
    if (!script_digest(run->db, version - 1, version, digest) ||
        !script_view(run->db, version, &run->views[version]) ||
        !script_content(run->db, version, &run->content)) {
        fprintf(stderr, "%s: v%" PRIu64 " cannot be read\n", run->script, version);
        exit(1);
    }
}

void script_rewritten(script_run *run)
{
    if (run->history_count == SCRIPT_REWRITES_MAX) exit(1);
    script_history *history = &run->histories[run->history_count++];
    history->from = run->version;
    for (uint64_t v = 1; v <= run->version; v++) {
        if (!script_digest(run->db, v - 1, v, &history->digests[v])) exit(1);
    }
}

void script_made_it(script_run *run, const char *path, enum script_kind kind, uint64_t version)
{
    if (run->made_count == SCRIPT_MADE_MAX) exit(1);
    run->made[run->made_count++] =
        (script_made){.path = path, .kind = kind, .version = version, .behind = run->version};
}

void script_open(script_run *run, yore_open_options *options)
{
    yore_open_options defaults = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    bool fresh = run->version == 0;
    if (!options) options = &defaults;
    options->env = yr_sim_env(run->sim);
    options->create = true;
    options->sync = run->sync;
    options->maintain_every = run->maintain;
    options->memory_bytes_max = 64 << 20;
    if (!options->wal_bytes_min) options->wal_bytes_min = 8192;
    NEED(yore_open("db", options, &run->db, &err), err);
    if (!fresh) return;
    note(run, 1);
    run->version = 1;
    run->acked = 1;
    /* One script is about creation. The others begin behind it, or its many states would be all they show. */
    if (!run->traces_creation) {
        (void)yr_sim_trace_end(run->sim);
        yr_sim_trace_begin(run->sim);
    }
    yr_sim_ack(run->sim, 1); /* creation is synced whatever the mode */
}

void script_close(script_run *run)
{
    yore_close(run->db);
    run->db = NULL;
    script_synced(run);
}

void script_begin(script_run *run)
{
    yr_sim_begin(run->sim, run->version + 1);
}

void script_committed(script_run *run, uint64_t version)
{
    if (version != run->version + 1 || version >= SCRIPT_VERSIONS_MAX) {
        fprintf(stderr, "%s: expected v%" PRIu64 ", got v%" PRIu64 "\n", run->script, run->version + 1,
                version);
        exit(1);
    }
    note(run, version);
    for (uint32_t i = 0; i + 1 < run->history_count; i++) /* with this one all show it alike */
        run->histories[i].digests[version] = run->histories[run->history_count - 1].digests[version];
    run->version = version;
    if (run->sync == YORE_SYNC_COMMIT) script_synced(run);
}

void script_synced(script_run *run)
{
    if (run->acked == run->version) return;
    run->acked = run->version;
    yr_sim_ack(run->sim, run->version);
}

void script_put(script_run *run, const char *branch, const char *key, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_begin(run);
    NEED(yore_db_put(run->db, yore_str(branch), yore_str_key(key), yore_str(value), &where, &err), err);
    script_committed(run, where.version);
}

void script_put_number(script_run *run, const char *branch, int i)
{
    char key[32], value[160];
    snprintf(key, sizeof key, "key/%04d", i);
    snprintf(value, sizeof value, "value %d of a length that crosses a few sectors now and then %0*d", i,
             i % 80, i);
    script_put(run, branch, key, value);
}

void script_del(script_run *run, const char *branch, const char *key)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_begin(run);
    NEED(yore_db_del(run->db, yore_str(branch), yore_str_key(key), &where, &err), err);
    script_committed(run, where.version);
}

void script_fork(script_run *run, const char *name, const char *from, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_at at = YORE_AT_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    snprintf(at.branch, sizeof at.branch, "%s", from);
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    options.from = &at;
    script_begin(run);
    NEED(yore_branch_create(run->db, yore_str(name), &options, &where, &err), err);
    script_committed(run, where.version);
}

static yore_txn *begin_txn(script_run *run, const yore_txn_options *options)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn;
    NEED(yore_begin(run->db, yore_str(""), options, &txn, &err), err);
    return txn;
}

static void txn_put(yore_txn *txn, const char *key, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    NEED(yore_put(txn, yore_str_key(key), yore_str(value), NULL, &err), err);
}

static void commit_txn(script_run *run, yore_txn *txn, const char *note)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_begin(run);
    NEED(yore_commit(txn, yore_str(note), &where, &err), err);
    script_committed(run, where.version);
}

void script_sync(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    NEED(yore_sync(run->db, &err), err);
    script_synced(run);
}

/* -- the scripts -- */

static void run_create(script_run *run)
{
    run->traces_creation = true;
    script_open(run, NULL);
}

static void run_puts(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 6; i++) script_put_number(run, "", i);
}

static void run_puts_os(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    for (int i = 0; i < 5; i++) script_put_number(run, "", i);
    script_sync(run);
    for (int i = 0; i < 4; i++) script_put_number(run, "", i);
}

static void run_puts_group(script_run *run)
{
    run->sync = YORE_SYNC_GROUP;
    script_open(run, NULL);
    for (int i = 0; i < 4; i++) script_put_number(run, "", i);
    script_sync(run);
    script_put_number(run, "", 9);
}

static void run_batches(script_run *run)
{
    script_open(run, NULL);
    for (int t = 0; t < 3; t++) {
        yore_txn *txn = begin_txn(run, NULL);
        for (int i = 0; i < 12; i++) {
            char key[32];
            snprintf(key, sizeof key, "batch/%d/%d", t, i);
            txn_put(txn, key, "all of these or none");
        }
        commit_txn(run, txn, "a batch");
    }
}

static void run_overwrites(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 4; i++) script_put(run, "", "hot", i % 2 ? "odd" : "even and a little longer");
    script_del(run, "", "hot");
    script_put(run, "", "hot", "again");
}

static void run_forks(script_run *run)
{
    script_open(run, NULL);
    script_put(run, "", "a", "1");
    script_put(run, "", "a", "2");
    script_fork(run, "tip", "default", 0);
    script_fork(run, "past", "default", 2);
    script_put(run, "tip", "a", "tip");
    script_put(run, "past", "a", "past");
    script_fork(run, "grandchild", "past", 0);
    script_put(run, "grandchild", "b", "deep");
}

static void merge(script_run *run, const char *from, const char *into)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_at at = YORE_AT_INIT;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    snprintf(at.branch, sizeof at.branch, "%s", from);
    options.on_conflict = YORE_MERGE_NEWEST;
    script_begin(run);
    NEED(yore_merge(run->db, &at, yore_str(into), &options, yore_str(""), NULL, NULL, &where, &err), err);
    script_committed(run, where.version);
}

static void undo(script_run *run, const char *branch, uint32_t kind)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_undo *plan;
    options.kind = kind;
    NEED(yore_undo_open(run->db, yore_str(branch), &options, &plan, &err), err);
    script_begin(run);
    NEED(yore_undo_apply(plan, NULL, yore_str(""), &where, &err), err);
    yore_undo_close(plan);
    script_committed(run, where.version);
}

static void run_merges(script_run *run)
{
    script_open(run, NULL);
    script_put(run, "", "a", "1");
    script_fork(run, "b", "default", 0);
    script_put(run, "b", "a", "2");
    script_put(run, "", "c", "3");
    merge(run, "b", "default");
    script_put(run, "", "a", "4");
    merge(run, "default", "b");
    undo(run, "default", YORE_UNDO_UNDO);
    undo(run, "default", YORE_UNDO_UNDO);
    undo(run, "default", YORE_UNDO_REDO);
}

static void run_branch_ops(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_open(run, NULL);
    script_fork(run, "one", "default", 0);
    script_fork(run, "two", "one", 0);
    script_put(run, "two", "k", "v");
    script_begin(run);
    NEED(yore_branch_rename(run->db, yore_str("two"), yore_str("deux"), &where, &err), err);
    script_committed(run, where.version);
    script_begin(run);
    NEED(yore_branch_delete(run->db, yore_str("one"), true, &where, NULL, &err), err);
    script_committed(run, where.version);
    script_begin(run);
    NEED(yore_branch_recover(run->db, yore_str("one"), yore_str("un"), &where, &err), err);
    script_committed(run, where.version);
}

static void run_tags_and_settings(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_open(run, NULL);
    script_put(run, "", "a", "1");
    script_begin(run);
    NEED(yore_tag_create(run->db, yore_str("rel-1"), NULL, &where, &err), err);
    script_committed(run, where.version);
    script_begin(run);
    NEED(yore_config_set(run->db, "durability", "commit", &where, &err), err);
    script_committed(run, where.version);
    script_begin(run);
    NEED(yore_config_set_prefix(run->db, "search.index", yore_str("a"), "none", &where, &err), err);
    script_committed(run, where.version);
    script_begin(run);
    NEED(yore_tag_delete(run->db, yore_str("rel-1"), &where, &err), err);
    script_committed(run, where.version);
}

/* Enough bytes to go through several log files. */
static void fill(script_run *run, int count)
{
    char value[1500];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = 0;
    for (int i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "fill/%d", i);
        value[i % 100] = (char)('a' + i % 26);
        script_put(run, "", key, value);
    }
}

static void run_rotation(script_run *run)
{
    script_open(run, NULL);
    fill(run, 14);
}

static void run_rotation_os(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    fill(run, 9);
    script_sync(run);
    fill(run, 5);
}

/* Files that ended and are not synced, while more are listed. */
static void run_rotation_unsynced(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    fill(run, 17);
    script_sync(run);
    fill(run, 2);
}

static void run_large_value(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    static char value[40000];
    script_open(run, NULL);
    script_put(run, "", "before", "small");
    memset(value, 'L', sizeof value);
    script_begin(run);
    NEED(yore_db_put(run->db, yore_str(""), yore_str_key("large"), yore_bytes(value, sizeof value), &where,
                     &err),
         err);
    script_committed(run, where.version);
    script_put(run, "", "after", "small");
}

/* Into value files, where there are flushes; one goes with the values of its keys. */
static void run_value_files(script_run *run)
{
    enum { SIZE = 66000 };
    yore_error err = YORE_ERROR_INIT;
    static char value[SIZE];
    script_open(run, NULL);
    for (int i = 0; i < 2; i++) {
        yore_where where = YORE_WHERE_INIT;
        memset(value, 'a' + i, sizeof value);
        script_begin(run);
        NEED(yore_db_put(run->db, yore_str(""), yore_str_key("large"), yore_bytes(value, sizeof value),
                         &where, &err),
             err);
        script_committed(run, where.version);
        script_put_number(run, "", i);
    }
}

static void run_reopen(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) {
        script_put_number(run, "", i);
        script_close(run);
        script_open(run, NULL);
    }
    script_put_number(run, "", 7);
}

static void run_reopen_os(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    script_put_number(run, "", 1);
    script_close(run);
    script_open(run, NULL);
    script_put_number(run, "", 2);
    script_put_number(run, "", 3);
    script_close(run);
}

static void run_resolved(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) {
        yore_txn *txn = begin_txn(run, NULL);
        NEED(yore_incr(txn, yore_str_key("counter"), 5, &err), err);
        NEED(yore_append(txn, yore_str_key("list"), yore_str("item,"), &err), err);
        commit_txn(run, txn, "");
    }
    yore_txn *txn = begin_txn(run, NULL);
    NEED(yore_cas(txn, yore_str_key("counter"), yore_str("15"), yore_str("0"), NULL, &err), err);
    commit_txn(run, txn, "reset");
}

static void run_attributes(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) {
        yore_put_options options = YORE_PUT_OPTIONS_INIT;
        options.ttl_ns = 1000000000 * (int64_t)(i + 1);
        options.meta = yore_str("100755");
        options.type = YORE_TYPE_JSON;
        yore_txn *txn = begin_txn(run, NULL);
        NEED(yore_put(txn, yore_str_key("session"), yore_str("{\"user\":1}"), &options, &err), err);
        commit_txn(run, txn, "");
    }
}

static void run_serializable(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    options.isolation = YORE_ISOLATION_SERIALIZABLE;
    script_open(run, NULL);
    script_put(run, "", "x", "1");
    yore_txn *loser = begin_txn(run, &options);
    NEED(yore_txn_get(loser, yore_str_key("x"), &pin, &err), err);
    txn_put(loser, "y", "never");
    script_put(run, "", "x", "2");
    if (yore_commit(loser, yore_str(""), NULL, &err) != YORE_CONFLICT) exit(1);
    yore_txn *winner = begin_txn(run, &options);
    txn_put(winner, "y", "2");
    commit_txn(run, winner, "");
}

/* Commits of both kinds in one store: a synced one makes all before it durable. */
static void run_mixed_durability(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) {
        script_put_number(run, "", i);
        yore_txn_options options = YORE_TXN_OPTIONS_INIT;
        options.sync = YORE_SYNC_COMMIT;
        yore_txn *txn = begin_txn(run, &options);
        txn_put(txn, "durable", i % 2 ? "odd" : "even");
        commit_txn(run, txn, "");
        script_synced(run);
    }
    script_put_number(run, "", 5);
}

static void run_imported(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 4; i++) {
        const uint64_t parents[] = {1, 2};
        yore_txn_options options = YORE_TXN_OPTIONS_INIT;
        options.time_ns = 1000000000 * (int64_t)(i + 1);
        options.source_time_ns = 999;
        options.author = yore_str("A U Thor <author@example.com>");
        options.source = yore_str("0123456789abcdef0123456789abcdef01234567");
        options.parent_count = i == 3 ? 2 : 0;
        options.parents = parents;
        options.allow_empty = true;
        yore_txn *txn = begin_txn(run, &options);
        if (i != 2) txn_put(txn, "README.md", i % 2 ? "one" : "two");
        commit_txn(run, txn, "import a commit");
    }
}

static void run_without_mapping(script_run *run)
{
    yr_sim_set_map_support(run->sim, false);
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    for (int i = 0; i < 4; i++) script_put_number(run, "", i);
    script_sync(run);
    script_put_number(run, "", 3);
}

/* The disk is full for a while: commits are refused, nothing acknowledged goes, writing goes on later. */
static void run_disk_full(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    static char value[3000];
    memset(value, 'f', sizeof value);
    script_open(run, NULL);
    script_put_number(run, "", 1);
    yr_sim_set_capacity(run->sim, yr_sim_used_bytes(run->sim), ENOSPC);
    int refused = 0;
    for (int i = 0; i < 6; i++) {
        yore_where where = YORE_WHERE_INIT;
        script_begin(run);
        yore_status status = yore_db_put(run->db, yore_str(""), yore_str_key("big"),
                                         yore_bytes(value, sizeof value), &where, &err);
        if (status == YORE_OK)
            script_committed(run, where.version);
        else if (status == YORE_ERR_FULL)
            refused++;
        else
            NEED(status, err);
    }
    if (!refused) exit(1);
    yr_sim_set_capacity(run->sim, UINT64_MAX, ENOSPC);
    script_put_number(run, "", 2);
}

/* A sync fails: the commit's outcome is unknown, the handle refuses more, a reopened store goes on. */
static void run_sync_failure(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    script_open(run, NULL);
    script_put_number(run, "", 1);
    yr_sim_set_fault(run->sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
    script_begin(run);
    yore_where where = YORE_WHERE_INIT;
    yore_status status =
        yore_db_put(run->db, yore_str(""), yore_str_key("unknown"), yore_str("?"), &where, &err);
    if (status == YORE_OK) { /* a store that believes a second sync: the cuts will show what that is worth */
        script_committed(run, where.version);
        return;
    }
    status = yore_db_put(run->db, yore_str(""), yore_str_key("refused"), yore_str("?"), NULL, &err);
    if (status != YORE_ERR_POISONED) exit(1);
    yore_close(run->db);
    script_open(run, NULL);
    /* what became of the unknown commit is settled now */
    yore_stats stats = {.struct_size = sizeof stats};
    NEED(yore_stats_get(run->db, &stats, &err), err);
    if (stats.version == run->version + 1) script_committed(run, stats.version);
    script_put_number(run, "", 2);
}

static void run_write_failure(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    script_open(run, NULL);
    script_put_number(run, "", 1);
    yr_sim_set_fault(run->sim, (yr_sim_fault){.kinds = YR_SIM_OP_WRITE, .nth = 1, .os_errno = EIO});
    script_begin(run);
    if (yore_db_put(run->db, yore_str(""), yore_str_key("lost"), yore_str("?"), NULL, &err) == YORE_OK)
        exit(1);
    yore_close(run->db);
    script_open(run, NULL);
    script_put_number(run, "", 2);
}

static void run_reader_beside(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options reading = YORE_OPEN_OPTIONS_INIT;
    yore_db *reader;
    reading.env = yr_sim_env(run->sim);
    reading.read_only = true;
    reading.memory_bytes_max = 64 << 20;
    script_open(run, NULL);
    script_put_number(run, "", 1);
    NEED(yore_open("db", &reading, &reader, &err), err);
    script_put_number(run, "", 2);
    NEED(yore_refresh(reader, &err), err);
    script_put_number(run, "", 3);
    yore_close(reader);
}

static void run_many(script_run *run)
{
    run->sync = YORE_SYNC_OS;
    script_open(run, NULL);
    for (int i = 0; i < 40; i++) script_put(run, "", i % 3 ? "one" : "two", "short");
    script_sync(run);
}

const store_script store_scripts[] = {
    {"create", run_create},
    {"puts", run_puts},
    {"puts os", run_puts_os},
    {"puts group", run_puts_group},
    {"batches", run_batches},
    {"overwrites and deletes", run_overwrites},
    {"forks", run_forks},
    {"merges and undos", run_merges},
    {"branch operations", run_branch_ops},
    {"tags and settings", run_tags_and_settings},
    {"log rotation", run_rotation},
    {"log rotation os", run_rotation_os},
    {"log rotation unsynced", run_rotation_unsynced},
    {"large value", run_large_value},
    {"value files", run_value_files},
    {"reopen", run_reopen},
    {"reopen os", run_reopen_os},
    {"resolved operations", run_resolved},
    {"attributes", run_attributes},
    {"serializable", run_serializable},
    {"mixed durability", run_mixed_durability},
    {"imported commits", run_imported},
    {"without mapping", run_without_mapping},
    {"disk full", run_disk_full},
    {"sync failure", run_sync_failure},
    {"write failure", run_write_failure},
    {"reader beside", run_reader_beside},
    {"many small", run_many},
    {"collection", script_gc},
    {"collection of a branch", script_gc_branch},
    {"erasure", script_erase},
    {"compaction", script_compact},
    {"backup", script_backup},
    {"bundle", script_bundle},
    {"restore", script_restore},
    {"salvage", script_salvage},
};
const size_t store_scripts_count = sizeof store_scripts / sizeof store_scripts[0];

/* Checking and counting. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/check_private.h"
#include "engine/wal/wal_file.h"

/* -- what a check finds -- */

bool yr_check_note(yr_check *check, yore_status status, const yore_error *why)
{
    if (status >= 0) return true;
    bool is_problem = status == YORE_ERR_CORRUPT || status == YORE_ERR_IO || status == YORE_ERR_FORMAT;
    if (check->report->problems == 0 || !is_problem) {
        check->status = status;
        if (check->err) *check->err = *why;
    }
    if (!is_problem) {
        check->is_over = true;
        return false;
    }
    check->report->problems++;
    if (check->options->problem) check->options->problem(check->options->problem_arg, why);
    return true;
}

bool yr_check_progress(yr_check *check, uint64_t bytes)
{
    const yore_check_options *options = check->options;
    yore_error why = YORE_ERROR_INIT;
    check->done += bytes;
    if (!options->progress || options->progress(options->progress_arg, check->done, check->total) == 0)
        return true;
    return yr_check_note(check, yr_fail(&why, YORE_ERR_CANCELLED, "the check was stopped"), &why);
}

/* -- memory -- */

/* What the layers hold of a branch, for a comparison with the catalog. */
typedef struct tally {
    uint64_t keys;
    uint64_t bytes;
    uint64_t first, head; /* data commits, 0 = none */
} tally;

typedef struct tallies {
    tally *of; /* by id */
    uint32_t count;
} tallies;

static yore_status check_commits(const yr_memtable *mem, yore_error *err)
{
    const yr_commit_table *commits = &mem->commits;
    for (uint64_t v = mem->base_version + 1; v <= commits->last; v++) {
        if (v > mem->base_version + 1 && yr_commit_time(commits, v) <= yr_commit_time(commits, v - 1)) {
            return yr_fail(err, YORE_ERR_CORRUPT, "the time of v%" PRIu64 " is not later than the one before",
                           v);
        }
        if (yr_commit_prev(commits, v) >= v) {
            return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " names a later commit as the one before it",
                           v);
        }
    }
    return YORE_OK;
}

static void tally_row(tallies *sums, const yr_memtable *mem, const yr_entry *entry, const yr_version *v,
                      uint64_t version)
{
    uint32_t branch = yr_entry_branch(entry);
    if (branch >= sums->count) return; /* said elsewhere: the catalog has none of that id */
    tally *sum = &sums->of[branch];
    sum->bytes += yr_version_value(v).size + yr_version_meta(v).size;
    if (!yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, version - 1), true)) sum->keys++;
}

/* The older ones come first. */
static void tally_commit(tallies *sums, uint32_t branch, uint64_t first, uint64_t last)
{
    if (branch >= sums->count || last == 0) return;
    tally *sum = &sums->of[branch];
    if (!sum->first || first < sum->first) sum->first = first;
    if (last > sum->head) sum->head = last;
}

/* Every row a commit says it wrote is there, and they are all the versions there are. */
static yore_status check_rows(const yr_memtable *mem, tallies *sums, yore_error *err)
{
    uint64_t rows = 0;
    yr_commit_head head;
    for (uint64_t version = mem->base_version + 1; version <= mem->commits.last; version++) {
        yr_commit_describe(&mem->commits, version, &head);
        if (head.kind == YORE_COMMIT_DATA) tally_commit(sums, head.branch, version, version);
        for (uint32_t i = 0; i < head.row_count; i++) {
            const yr_entry *entry = yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, version, i));
            const yr_version *v = yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, version), true);
            if (!v || yr_memtable_version(mem, v) != version || yr_entry_branch(entry) != head.branch) {
                return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " names a key that has no such version",
                               version);
            }
            tally_row(sums, mem, entry, v, version);
        }
        rows += head.row_count;
    }
    uint64_t versions = atomic_load_explicit(&mem->versions, memory_order_relaxed);
    if (rows == versions) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "commits name %" PRIu64 " writes, but there are %" PRIu64 " versions", rows, versions);
}

static yore_status check_memtable(const yr_memtable *mem, tallies *sums, yore_error *err)
{
    yore_status status = yr_memtable_check(mem, err);
    if (status == YORE_OK) status = check_commits(mem, err);
    return status == YORE_OK ? check_rows(mem, sums, err) : status;
}

/* L1, and each memtable. */
static bool check_layers(yr_check *check, const yr_layers *layers, tallies *sums)
{
    uint64_t last = check->db->store.last_version;
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        const yr_memtable *mem = layers->mems[i];
        yore_error why = YORE_ERROR_INIT;
        yore_status status = YORE_OK;
        if (mem->commits.last != last) {
            status = yr_fail(&why, YORE_ERR_CORRUPT, "a commit table ends at v%" PRIu64 ", not at v%" PRIu64,
                             mem->commits.last, last);
        }
        if (!yr_check_note(check, status, &why)) return false;
        why = (yore_error)YORE_ERROR_INIT;
        if (!yr_check_note(check, check_memtable(mem, sums, &why), &why)) return false;
        last = mem->base_version;
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        const yr_run *run = layers->runs[i];
        yore_error why = YORE_ERROR_INIT;
        yore_status status = YORE_OK;
        if (yr_run_last(run) != last) {
            status = yr_fail(&why, YORE_ERR_CORRUPT,
                             "a run of segments ends at v%" PRIu64 ", not at v%" PRIu64, yr_run_last(run),
                             last);
        }
        if (!yr_check_note(check, status, &why)) return false;
        for (uint32_t k = 0; k < yr_run_branch_count(run); k++) {
            const yr_run_branch *facts = yr_run_branch_at(run, k);
            tally_commit(sums, facts->branch, facts->first_commit, facts->last_commit);
            if (facts->branch >= sums->count) continue;
            sums->of[facts->branch].keys += facts->keys;
            sums->of[facts->branch].bytes += facts->value_bytes;
        }
        last = yr_run_after(run);
    }
    if (last == 0) return true;
    yore_error why = YORE_ERROR_INIT;
    return yr_check_note(
        check, yr_fail(&why, YORE_ERR_CORRUPT, "no layer has the versions up to v%" PRIu64, last), &why);
}

/* What the catalog says of each branch, and what the layers hold of it. */
static bool check_branches(yr_check *check, const tallies *sums)
{
    const yr_catalog *catalog = check->db->store.catalog;
    for (uint32_t id = YR_DEFAULT_BRANCH; id < sums->count; id++) {
        const yr_branch *branch = yr_catalog_by_id(catalog, id);
        const tally *sum = &sums->of[id];
        yore_error why = YORE_ERROR_INIT;
        yore_status status = YORE_OK;
        if (!branch) continue;
        /* relaxed: the leader writes them, and that is us */
        uint64_t keys = atomic_load_explicit(&branch->own_keys, memory_order_relaxed);
        uint64_t bytes = atomic_load_explicit(&branch->own_bytes, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&branch->head, memory_order_relaxed);
        uint64_t first = atomic_load_explicit(&branch->first, memory_order_relaxed);
        if (keys != sum->keys || bytes != sum->bytes) {
            status = yr_fail(&why, YORE_ERR_CORRUPT,
                             "branch id:%" PRIu32 " is said to have %" PRIu64 " keys and %" PRIu64
                             " bytes, but has %" PRIu64 " and %" PRIu64,
                             id, keys, bytes, sum->keys, sum->bytes);
        } else if (head != sum->head || (head && first != sum->first)) {
            status = yr_fail(&why, YORE_ERR_CORRUPT,
                             "branch id:%" PRIu32 " is said to have commits from v%" PRIu64 " to v%" PRIu64
                             ", but has v%" PRIu64 " to v%" PRIu64,
                             id, first, head, sum->first, sum->head);
        }
        if (!yr_check_note(check, status, &why)) return false;
    }
    return true;
}

/* What the layers hold: a key counts once in each layer that has a version of it. */
typedef struct totals {
    uint64_t keys, versions; /* of users: without the registry's */
    uint64_t key_bytes, value_bytes;
    uint64_t run_files, run_bytes;
    uint64_t memtable_bytes, hash_bytes, tree_bytes;
} totals;

static void count_memtable(const yr_memtable *mem, totals *sum)
{
    /* relaxed: statistics */
    sum->keys += atomic_load_explicit(&mem->keys, memory_order_relaxed) -
                 atomic_load_explicit(&mem->system_keys, memory_order_relaxed);
    sum->versions += atomic_load_explicit(&mem->versions, memory_order_relaxed) -
                     atomic_load_explicit(&mem->system_versions, memory_order_relaxed);
    sum->key_bytes += atomic_load_explicit(&mem->key_bytes, memory_order_relaxed);
    sum->value_bytes += atomic_load_explicit(&mem->value_bytes, memory_order_relaxed);
    sum->memtable_bytes += yr_memtable_bytes(mem);
    sum->hash_bytes += yr_hash_index_bytes(mem->hash);
    sum->tree_bytes += yr_art_bytes(mem->art);
}

static void count_run(const yr_run *run, totals *sum)
{
    for (uint32_t i = 0; i < yr_run_branch_count(run); i++) {
        const yr_run_branch *branch = yr_run_branch_at(run, i);
        sum->key_bytes += branch->key_bytes;
        sum->value_bytes += branch->value_bytes;
        if (branch->branch == YR_REGISTRY_BRANCH) continue;
        sum->keys += branch->keys;
        sum->versions += branch->rows;
    }
    sum->run_files += yr_run_file_count(run);
    for (uint32_t i = 0; i < yr_run_file_count(run); i++) {
        sum->run_bytes += yr_segment_facts(yr_run_file(run, i))->file_bytes;
    }
}

static totals count_layers(const yr_layers *layers)
{
    totals sum = {0};
    for (uint32_t i = 0; i < layers->mem_count; i++) count_memtable(layers->mems[i], &sum);
    for (uint32_t i = 0; i < layers->run_count; i++) count_run(layers->runs[i], &sum);
    return sum;
}

/* What is in memory, in the leader's turn; *layers and *state are what it was all in agreement with. */
static bool check_memory(yr_check *check, yr_layers **layers, yr_store_state *state)
{
    yore_db *db = check->db;
    yr_store *store = &db->store;
    yore_error why = YORE_ERROR_INIT;
    const char *problem = NULL;
    const yr_store_state *now = NULL;
    *layers = yr_store_layers(store); /* a leader's stay */
    yr_layers_ref(*layers);
    if (db->wal && yr_wal_state(db->wal, &now) == YORE_OK && !yr_state_copy(state, now, db->env))
        return yr_check_note(check, yr_fail(&why, YORE_ERR_NOMEM, "out of memory for a check"), &why);
    yore_status status = yr_art_settle(store->mem->art);
    if (status < 0) status = yr_fail(&why, status, "out of memory while putting keys in order");
    if (!yr_check_note(check, status, &why)) return false;
    tallies sums = {.count = yr_catalog_last_id(store->catalog) + 1};
    sums.of = yr_alloc_zero(db->env, sums.count * sizeof *sums.of);
    if (!sums.of)
        return yr_check_note(check, yr_fail(&why, YORE_ERR_NOMEM, "out of memory for a check"), &why);
    bool goes_on = check_layers(check, *layers, &sums);
    if (goes_on && !yr_catalog_check(store->catalog, &problem)) {
        status = yr_fail(&why, YORE_ERR_CORRUPT, "branch registry: %s", problem);
        goes_on = yr_check_note(check, status, &why);
    }
    if (goes_on) goes_on = check_branches(check, &sums);
    yr_free(db->env, sums.of, sums.count * sizeof *sums.of);
    return goes_on;
}

/* Everything else than the runs' own bytes: what the store counts. */
static void count(const yr_check *check, const yr_layers *layers)
{
    yore_check_report *report = check->report;
    const totals sum = count_layers(layers);
    report->keys = sum.keys;
    report->versions = sum.versions;
    report->commits = check->db->store.last_version;
    report->branches = yr_catalog_live_count(check->db->store.catalog);
    report->tail_bytes_cut = check->db->report.cut_bytes;
    if (check->db->wal) {
        uint64_t syncs;
        yr_wal_stats(check->db->wal, &report->wal_files, &report->wal_bytes, &syncs);
    }
}

static void check_all(yr_check *check)
{
    yore_db *db = check->db;
    yr_layers *layers = NULL;
    yr_store_state state = {0};
    yore_error why = YORE_ERROR_INIT;
    /* so that layers and state are of one moment: a maintainer changes them under this lock */
    if (db->maintainer.store) yr_mutex_lock(&db->maintainer.install);
    yr_store_lead(&db->store);
    bool goes_on = check_memory(check, &layers, &state);
    count(check, layers);
    yr_store_unlead(&db->store);
    if (db->maintainer.store) yr_mutex_unlock(&db->maintainer.install);
    check->total = check->options->level == YORE_CHECK_DEEP ? check->report->wal_bytes : 0;
    if (goes_on && db->wal) yr_check_files(check, layers, &state);
    if (!check->is_over && db->wal && check->options->level == YORE_CHECK_DEEP) {
        yore_check_report *report = check->report;
        (void)yr_check_note(check, yr_wal_verify(db->wal, &report->wal_records, &report->wal_bytes, &why),
                            &why);
        if (!check->is_over) (void)yr_check_progress(check, report->wal_bytes);
    }
    yr_state_deinit(&state, db->env);
    yr_layers_unref(layers);
}

yore_status yore_check_run(yore_db *db, const yore_check_options *options, yore_check_report *out,
                           yore_error *err)
{
    static const yore_check_options defaults = YORE_CHECK_OPTIONS_INIT;
    yore_check_report report = {.struct_size = sizeof report};
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "check options are not initialised with YORE_CHECK_OPTIONS_INIT");
    if (options->level < YORE_CHECK_QUICK || options->level > YORE_CHECK_DEEP)
        return yr_fail(err, YORE_ERR_MISUSE, "no such check level");
    yore_status status = yr_db_usable(db, err);
    if (status < 0) return status;
    yr_check check = {.db = db, .options = options, .report = &report, .err = err};
    check_all(&check);
    if (out) *out = report;
    return check.status;
}

yore_status yore_check(yore_db *db, uint32_t level, yore_check_report *out, yore_error *err)
{
    yore_check_options options = YORE_CHECK_OPTIONS_INIT;
    options.level = level;
    return yore_check_run(db, &options, out, err);
}

static uint64_t relaxed(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed); /* a statistic */
}

static void fill_disk_stats(const yore_db *db, const yr_layers *layers, const totals *sum, yore_stats *out)
{
    const yr_maintainer_stats *stats = &db->maintainer.stats;
    out->segments = sum->run_files;
    out->runs = layers->run_count;
    out->value_files = layers->values ? yr_value_set_count(layers->values) : 0;
    for (uint32_t i = 0; i < out->value_files; i++)
        out->value_file_bytes += yr_value_file_facts(yr_value_set_at(layers->values, i))->file_bytes;
    if (!db->maintainer.store) return;
    yr_block_cache_stats cache;
    yr_block_cache_stats_get(db->disk.cache, &cache);
    out->cache_bytes = cache.bytes;
    out->cache_bytes_max = db->disk.cache_bytes;
    out->cache_hits = cache.hits;
    out->cache_misses = cache.misses;
    out->flushes = relaxed(&stats->flushes);
    out->flushed_bytes = relaxed(&stats->flushed_bytes);
    out->compactions = relaxed(&stats->compactions);
    out->compacted_bytes = relaxed(&stats->compacted_bytes);
    out->files_retired = relaxed(&stats->files_retired);
    out->stall_ns = relaxed(&stats->stall_ns);
    out->stall_reason = atomic_load_explicit(&stats->stall_reason, memory_order_relaxed);
    out->at_work = atomic_load_explicit(&stats->at_work, memory_order_relaxed);
}

yore_status yore_stats_get(yore_db *db, yore_stats *out, yore_error *err)
{
    const yr_store *store = &db->store;
    if (!out || out->struct_size != sizeof *out)
        return yr_fail(err, YORE_ERR_MISUSE, "set struct_size of the stats first");
    uint64_t visible = yr_store_visible(store);
    yr_layers *layers = yr_store_layers_ref(store);
    const totals sum = count_layers(layers);
    *out =
        (yore_stats){.struct_size = sizeof *out,
                     .format_major = yore_format_version() / 1000,
                     .format_minor = yore_format_version() % 1000,
                     .sync = store->sync,
                     .version = visible,
                     .branches = yr_catalog_live_count(store->catalog),
                     .keys = sum.keys,
                     .versions = sum.versions,
                     .commits = visible,
                     .key_bytes = sum.key_bytes,
                     .value_bytes = sum.value_bytes,
                     .hash_bytes = sum.hash_bytes,
                     .tree_bytes = sum.tree_bytes,
                     .segment_bytes = sum.run_bytes,
                     .durable_version = atomic_load_explicit(&store->durable_version, memory_order_relaxed),
                     .groups = atomic_load_explicit(&store->groups, memory_order_relaxed),
                     .read_only = store->read_only,
                     .poisoned = atomic_load_explicit(&store->poisoned, memory_order_relaxed) != 0};
    if (db->wal && yr_wal_is_poisoned(db->wal)) out->poisoned = true; /* no commit has met it yet */
    out->memory_bytes = sum.memtable_bytes + yr_catalog_bytes(store->catalog);
    out->entry_bytes = sum.memtable_bytes - out->hash_bytes - out->tree_bytes;
    if (db->wal) yr_wal_stats(db->wal, &out->wal_files, &out->wal_bytes, &out->syncs);
    fill_disk_stats(db, layers, &sum, out);
    yore_status status = yr_layers_commit_time(layers, visible, &out->time_ns, err);
    yr_layers_unref(layers);
    return status;
}

const char *yore_version(void)
{
    return "0.1.0";
}

uint32_t yore_format_version(void)
{
    return 1001;
}

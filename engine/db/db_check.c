/* Checking and counting. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/db/handle.h"

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

/* Every row a commit says it wrote is there, and they are all the versions there are. */
static yore_status check_rows(const yr_memtable *mem, yore_error *err)
{
    uint64_t rows = 0;
    yr_commit_head head;
    for (uint64_t version = mem->base_version + 1; version <= mem->commits.last; version++) {
        yr_commit_describe(&mem->commits, version, &head);
        for (uint32_t i = 0; i < head.row_count; i++) {
            const yr_entry *entry = yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, version, i));
            const yr_version *v = yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, version), true);
            if (!v || yr_memtable_version(mem, v) != version || yr_entry_branch(entry) != head.branch) {
                return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " names a key that has no such version",
                               version);
            }
        }
        rows += head.row_count;
    }
    uint64_t versions = atomic_load_explicit(&mem->versions, memory_order_relaxed);
    if (rows == versions) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "commits name %" PRIu64 " writes, but there are %" PRIu64 " versions", rows, versions);
}

/* L1, and each memtable. */
static yore_status check_memtables(const yr_store *store, const yr_layers *layers, yore_error *err)
{
    uint64_t last = store->last_version;
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++) {
        const yr_memtable *mem = layers->mems[i];
        if (mem->commits.last != last) {
            return yr_fail(err, YORE_ERR_CORRUPT, "a commit table ends at v%" PRIu64 ", not at v%" PRIu64,
                           mem->commits.last, last);
        }
        status = yr_memtable_check(mem, err);
        if (status == YORE_OK) status = check_commits(mem, err);
        if (status == YORE_OK) status = check_rows(mem, err);
        last = mem->base_version;
    }
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        if (yr_run_last(layers->runs[i]) != last) {
            return yr_fail(err, YORE_ERR_CORRUPT, "a run of segments ends at v%" PRIu64 ", not at v%" PRIu64,
                           yr_run_last(layers->runs[i]), last);
        }
        last = yr_run_after(layers->runs[i]);
    }
    if (status < 0 || last == 0) return status;
    return yr_fail(err, YORE_ERR_CORRUPT, "no layer has the versions up to v%" PRIu64, last);
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

yore_status yore_check(yore_db *db, uint32_t level, yore_check_report *out, yore_error *err)
{
    yr_store *store = &db->store;
    const char *problem = NULL;
    yore_check_report report = {.struct_size = sizeof report};
    if (level < YORE_CHECK_QUICK || level > YORE_CHECK_DEEP)
        return yr_fail(err, YORE_ERR_MISUSE, "no such check level");
    yore_status status = yr_db_usable(db, err);
    if (status < 0) return status;
    yr_store_lead(store);
    status = yr_art_settle(store->mem->art);
    if (status < 0) status = yr_fail(err, status, "out of memory while putting keys in order");
    const yr_layers *layers = yr_store_layers(store); /* a leader's stay */
    if (status == YORE_OK) status = check_memtables(store, layers, err);
    if (status == YORE_OK && !yr_catalog_check(store->catalog, &problem)) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "branch registry: %s", problem);
    }
    if (status == YORE_OK && db->wal) {
        uint64_t syncs;
        yr_wal_stats(db->wal, &report.wal_files, &report.wal_bytes, &syncs);
        if (level == YORE_CHECK_DEEP)
            status = yr_wal_verify(db->wal, &report.wal_records, &report.wal_bytes, err);
    }
    const totals sum = count_layers(layers);
    report.keys = sum.keys;
    report.versions = sum.versions;
    report.commits = store->last_version;
    report.branches = yr_catalog_live_count(store->catalog);
    report.tail_bytes_cut = db->report.cut_bytes;
    report.problems = status < 0;
    yr_store_unlead(store);
    if (out) *out = report;
    return status;
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

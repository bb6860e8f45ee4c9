/* Checking and counting. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/db/handle.h"

static yore_status check_commits(const yr_store *store, yore_error *err)
{
    const yr_commit_table *commits = &store->mem->commits;
    if (commits->count != store->last_version) {
        return yr_fail(err, YORE_ERR_CORRUPT, "the commit table holds %" PRIu64 " commits, not %" PRIu64,
                       commits->count, store->last_version);
    }
    for (uint64_t v = 2; v <= commits->count; v++) {
        if (yr_commit_time(commits, v) <= yr_commit_time(commits, v - 1)) {
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
static yore_status check_rows(const yr_store *store, yore_error *err)
{
    const yr_memtable *mem = store->mem;
    uint64_t rows = 0;
    yr_commit_head head;
    for (uint64_t version = 1; version <= mem->commits.count; version++) {
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

/* What users wrote: without the registry's entries. */
static uint64_t user_keys(const yr_memtable *mem)
{
    return atomic_load_explicit(&mem->keys, memory_order_relaxed) -
           atomic_load_explicit(&mem->system_keys, memory_order_relaxed);
}

static uint64_t user_versions(const yr_memtable *mem)
{
    return atomic_load_explicit(&mem->versions, memory_order_relaxed) -
           atomic_load_explicit(&mem->system_versions, memory_order_relaxed);
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
    if (status == YORE_OK) status = yr_memtable_check(store->mem, err);
    if (status == YORE_OK && !yr_catalog_check(store->catalog, &problem)) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "branch registry: %s", problem);
    }
    if (status == YORE_OK) status = check_commits(store, err);
    if (status == YORE_OK) status = check_rows(store, err);
    if (status == YORE_OK && db->wal) {
        uint64_t syncs;
        yr_wal_stats(db->wal, &report.wal_files, &report.wal_bytes, &syncs);
        if (level == YORE_CHECK_DEEP)
            status = yr_wal_verify(db->wal, &report.wal_records, &report.wal_bytes, err);
    }
    report.keys = user_keys(store->mem);
    report.versions = user_versions(store->mem);
    report.commits = store->last_version;
    report.branches = yr_catalog_live_count(store->catalog);
    report.tail_bytes_cut = db->report.cut_bytes;
    report.problems = status < 0;
    yr_store_unlead(store);
    if (out) *out = report;
    return status;
}

yore_status yore_stats_get(yore_db *db, yore_stats *out, yore_error *err)
{
    const yr_store *store = &db->store;
    const yr_memtable *mem = store->mem;
    if (!out || out->struct_size != sizeof *out)
        return yr_fail(err, YORE_ERR_MISUSE, "set struct_size of the stats first");
    uint64_t visible = yr_store_visible(store);
    *out =
        (yore_stats){.struct_size = sizeof *out,
                     .format_major = yore_format_version() / 1000,
                     .format_minor = yore_format_version() % 1000,
                     .sync = store->sync,
                     .version = visible,
                     .time_ns = yr_commit_time(&mem->commits, visible),
                     .branches = yr_catalog_live_count(store->catalog),
                     .keys = user_keys(mem),
                     .versions = user_versions(mem),
                     .commits = visible,
                     .key_bytes = atomic_load_explicit(&mem->key_bytes, memory_order_relaxed),
                     .value_bytes = atomic_load_explicit(&mem->value_bytes, memory_order_relaxed),
                     .hash_bytes = yr_hash_index_bytes(mem->hash),
                     .tree_bytes = yr_art_bytes(mem->art),
                     .durable_version = atomic_load_explicit(&store->durable_version, memory_order_relaxed),
                     .groups = atomic_load_explicit(&store->groups, memory_order_relaxed),
                     .read_only = store->read_only,
                     .poisoned = atomic_load_explicit(&store->poisoned, memory_order_relaxed) != 0};
    if (db->wal && yr_wal_is_poisoned(db->wal)) out->poisoned = true; /* no commit has met it yet */
    uint64_t region = yr_memtable_bytes(mem);
    out->memory_bytes = region + yr_catalog_bytes(store->catalog);
    out->entry_bytes = region - out->hash_bytes - out->tree_bytes;
    if (db->wal) yr_wal_stats(db->wal, &out->wal_files, &out->wal_bytes, &out->syncs);
    return YORE_OK;
}

const char *yore_version(void)
{
    return "0.1.0";
}

uint32_t yore_format_version(void)
{
    return 1001;
}

/* What is stored, row by row; sizes; compaction. */
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/registry_scan.h"
#include "engine/db/upkeep_private.h"

enum { TRIES = 16 }; /* against changes of branches while tags are read */

/* -- what retention asks about commits -- */

static yore_status at_time(void *arg, int64_t time_ns, uint64_t *version, yore_error *err)
{
    const yore_db *db = arg;
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    yore_status status = yr_layers_version_at(layers, visible, time_ns, version, err);
    yr_layers_unref(layers);
    return status;
}

static yore_status time_of(void *arg, uint64_t version, int64_t *time_ns, yore_error *err)
{
    return yr_db_commit_time(arg, version, time_ns, err);
}

static yore_status own_at(void *arg, uint32_t branch, uint64_t version, uint64_t *commit, yore_error *err)
{
    const yore_db *db = arg;
    uint64_t visible = yr_store_visible(&db->store);
    if (version > visible) version = visible;
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yore_status status =
        yr_branch_head_at(layers, visible, yr_catalog_by_id(db->store.catalog, branch), version, commit, err);
    yr_layers_unref(layers);
    return status;
}

static yore_status own_back(void *arg, uint32_t branch, uint64_t n, uint64_t *commit, yore_error *err)
{
    const yore_db *db = arg;
    yore_status status = own_at(arg, branch, UINT64_MAX, commit, err);
    yr_layers *layers = yr_store_layers_ref(&db->store);
    while (status == YORE_OK && *commit && --n) {
        yr_found_commit found;
        status = yr_layers_commit(layers, *commit, &found, err);
        if (status < 0) break;
        *commit = found.prev;
        yr_layers_commit_release(&found);
    }
    yr_layers_unref(layers);
    return status;
}

yr_retention_commits yr_retention_commits_of(yore_db *db)
{
    return (yr_retention_commits){
        .arg = db, .at_time = at_time, .time_of = time_of, .own_at = own_at, .own_back = own_back};
}

/* -- what compaction keeps -- */

typedef struct erasure_list {
    yr_arena *arena;
    yr_keep_erasure *erasures;
    size_t room, count;
} erasure_list;

static yore_status take_erasure(void *arg, const yore_row *row, yore_error *err)
{
    erasure_list *list = arg;
    yr_keep_erasure erasure;
    if (!yr_erase_key_decode(row->key, &erasure.version) ||
        !yr_erase_record_decode(row->value, &erasure.record))
        return yr_fail(err, YORE_ERR_CORRUPT, "the record of an erasure cannot be read");
    list->erasures = yr_arena_grow(list->arena, list->erasures, sizeof erasure, list->count, &list->room);
    if (!list->erasures) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the erasures");
    list->erasures[list->count++] = erasure;
    return YORE_OK;
}

yore_status yr_upkeep_erasures(yore_db *db, yr_arena *arena, yr_keep_set *out, yore_error *err)
{
    erasure_list list = {.arena = arena};
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    yore_status status = yr_registry_scan(layers, visible, 'e', false, take_erasure, &list, err);
    yr_layers_unref(layers);
    out->erasures = list.erasures;
    out->erasure_count = status < 0 ? 0 : (uint32_t)list.count;
    return status;
}

/* Branches and tags as of one moment: what a tag pinned may be pinned by a fork alone, a moment later. */
static yore_status pins_and_facts(yore_db *db, yr_arena *arena, yr_retention_pins *pins,
                                  const yr_retention_branch **facts, uint32_t *count, yore_error *err)
{
    const yr_catalog *catalog = db->store.catalog;
    for (int tries = 0; tries < TRIES; tries++) {
        uint64_t generation = yr_catalog_changes(catalog);
        *facts = yr_retention_facts(db, arena, count);
        if (!*facts) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branches");
        yore_status status = yr_retention_tags(db, arena, pins, err);
        if (status < 0 || yr_catalog_changes(catalog) == generation) return status;
    }
    return yr_fail(err, YORE_ERR_LOCKED,
                   "branches keep changing, so what to keep of them cannot be said; try again");
}

yore_status yr_upkeep_keep_rules(void *arg, yr_arena *arena, yr_keep_set *out, yore_error *err)
{
    yore_db *db = arg;
    *out = (yr_keep_set){0};
    yore_status status = YORE_OK;
    if (yr_catalog_trimmed(db->store.catalog)) {
        yr_retention_pins pins = {.floor = UINT64_MAX};
        const yr_retention_commits commits = yr_retention_commits_of(db);
        const yr_retention_branch *facts = NULL;
        uint32_t count = 0;
        status = pins_and_facts(db, arena, &pins, &facts, &count, err);
        if (status == YORE_OK) status = yr_retention_rules(arena, facts, count, &pins, &commits, out, err);
    }
    return status == YORE_OK ? yr_upkeep_erasures(db, arena, out, err) : status;
}

yore_status yr_upkeep_shows_below(yore_db *db, const yr_branch *branch, uint32_t primitive, yore_slice key,
                                  bool *shows, yore_error *err)
{
    int64_t time_ns;
    yore_status status = yr_db_commit_time(db, branch->fork_version, &time_ns, err);
    if (status < 0) return status;
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yr_view view = yr_store_view(&db->store, layers, branch->parent, branch->fork_version, time_ns);
    const yr_lookup lookup = {
        .key_hash = yr_layers_key_hash(layers, primitive, key), .user_key = key, .primitive = primitive};
    yr_found found;
    yr_epoch_enter();
    status = yr_lineage_find(&view, &lookup, &found, err);
    yr_epoch_exit();
    *shows = status == YORE_OK && yr_found_is_visible(&found, time_ns);
    if (status == YORE_OK) yr_found_release(&found);
    yr_layers_unref(layers);
    return status < 0 ? status : YORE_OK;
}

/* -- sizes and compaction -- */

static uint64_t disk_of(const yore_stats *stats)
{
    return stats->segment_bytes + stats->value_file_bytes + stats->wal_bytes;
}

uint64_t yr_upkeep_disk_bytes(yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    return yore_stats_get(db, &stats, NULL) < 0 ? 0 : disk_of(&stats);
}

uint64_t yr_upkeep_disk_share(yore_db *db, uint64_t bytes)
{
    yore_stats stats = {.struct_size = sizeof stats};
    if (yore_stats_get(db, &stats, NULL) < 0) return 0;
    uint64_t held = stats.key_bytes + stats.value_bytes;
    if (bytes >= held) return held ? disk_of(&stats) : 0;
    return (uint64_t)((double)disk_of(&stats) * (double)bytes / (double)held);
}

yore_status yr_upkeep_compact(yore_db *db, const yr_compact_all *options, yore_error *err)
{
    yore_status status = yr_db_writable(db, err);
    if (status < 0 || !db->maintainer.store) return status; /* a store in memory is as compact as it can be */
    yr_maintainer_rules_changed(&db->maintainer);
    status = yr_maintainer_flush(&db->maintainer, true, err);
    if (status == YORE_OK) status = yr_maintainer_compact(&db->maintainer, options, err);
    return status;
}

yore_status yore_compact(yore_db *db, yore_upkeep_progress progress, void *arg, yore_error *err)
{
    return yr_upkeep_compact(db, &(yr_compact_all){.progress = progress, .arg = arg}, err);
}

static void add_run(const yr_run *run, uint32_t branch, yore_branch_size *out)
{
    const yr_run_branch *own = yr_run_branch_find(run, branch);
    uint64_t all = 0, bytes = 0;
    if (!own) return;
    out->keys += own->keys;
    out->versions += own->rows;
    out->deletes += own->deletes;
    out->key_bytes += own->key_bytes;
    out->value_bytes += own->value_bytes;
    for (uint32_t i = 0; i < yr_run_branch_count(run); i++)
        all += yr_run_branch_at(run, i)->key_bytes + yr_run_branch_at(run, i)->value_bytes;
    for (uint32_t i = 0; i < yr_run_file_count(run); i++)
        bytes += yr_segment_facts(yr_run_file(run, i))->file_bytes;
    if (all)
        out->disk_bytes +=
            (uint64_t)((double)bytes * (double)(own->key_bytes + own->value_bytes) / (double)all);
}

/* What is in memory and not in runs: a walk over the branch's part of the trees. */
static yore_status add_memtable(const yr_memtable *mem, uint32_t branch, uint64_t visible,
                                yore_branch_size *out)
{
    yr_art_iter iter;
    uint8_t first[4];
    yr_put_be32(first, branch);
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(first, sizeof first)); ref; ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        if (yr_entry_branch(entry) != branch) break;
        uint32_t count = yr_chain_rank(&mem->region, entry, yr_memtable_cap(mem, visible));
        out->keys += count > 0;
        out->key_bytes += count > 0 ? yr_entry_user_key(entry).size : 0;
        out->versions += count;
        for (uint32_t i = 0; i < count; i++) {
            const yr_version *v = yr_chain_at(&mem->region, entry, i);
            out->deletes += yr_version_op(v) == YORE_OP_DEL;
            out->value_bytes += (uint64_t)v->value_bytes + v->meta_bytes;
        }
    }
    yr_epoch_exit();
    bool failed = iter.failed;
    yr_art_iter_deinit(&iter);
    return failed ? YORE_ERR_NOMEM : YORE_OK;
}

yore_status yore_branch_size_next(yore_db *db, uint32_t after_id, yore_branch_size *out, yore_error *err)
{
    const yr_catalog *catalog = db->store.catalog;
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    if (after_id >= yr_catalog_last_id(catalog)) return YORE_END;
    yore_status status = yr_db_settle(db, err);
    if (status < 0) return status;
    const yr_branch *branch = yr_catalog_by_id(catalog, after_id + 1);
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    *out = (yore_branch_size){.struct_size = sizeof *out, .id = branch->id};
    snprintf(out->name, sizeof out->name, "%s", yr_branch_text(branch));
    for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++)
        status = add_memtable(layers->mems[i], branch->id, visible, out);
    for (uint32_t i = 0; i < layers->run_count; i++) add_run(layers->runs[i], branch->id, out);
    yr_layers_unref(layers);
    return status == YORE_OK ? YORE_OK : yr_fail(err, status, "out of memory while counting a branch");
}

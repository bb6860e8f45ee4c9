/* Replay: log payloads to memory. Bytes from the log are input even when their checksums are right (I9):
 * everything the rest of the engine relies on is judged here, before it is applied. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/yr_assert.h"
#include "engine/branch/name.h"
#include "engine/mvcc/apply.h"

static yore_status bad_commit(yore_error *err, const char *what, uint64_t version)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "the log's commit v%" PRIu64 " is not valid: %s", version, what);
}

/* -- registry rows -- */

/* What a branch record may say of a branch that is new (`known` NULL) or known. */
static const char *judge_branch(const yr_store *store, const yr_branch_record *record, uint32_t id,
                                const yr_branch *known, uint64_t version)
{
    const yr_catalog *catalog = store->catalog;
    const yr_branch *parent = record->parent ? yr_catalog_by_id(catalog, record->parent) : NULL;
    bool deleted = (record->flags & YR_BRANCH_DELETED) != 0;
    if (yore_name_check(record->name, NULL) != YORE_OK) return "a branch's name is not legal";
    bool purged = (record->flags & YR_BRANCH_PURGED) != 0;
    if (record->flags & ~(YR_BRANCH_DELETED | YR_BRANCH_HIDDEN | YR_BRANCH_PURGED)) {
        return "a branch has unknown flags";
    }
    if (record->trimmed_version > version || (purged && !deleted)) return "a branch is trimmed at no version";
    if (known &&
        (record->trimmed_version < yr_branch_trimmed(known) || purged < yr_branch_is_purged(known))) {
        return "trimmed history comes back";
    }
    if (deleted != (record->deleted_version != 0) || record->deleted_version > version) {
        return "a branch is deleted at no version";
    }
    if ((record->parent != 0) != (parent != NULL) || (record->parent != 0) != (record->fork_version != 0)) {
        return "a branch has no such parent";
    }
    if (known && (known->parent != parent || known->fork_version != record->fork_version)) {
        return "a branch changes its parent";
    }
    if (!known) {
        if (id != yr_catalog_last_id(catalog) + 1 || deleted) return "branch ids are not in order";
        if (record->fork_version >= version) return "a branch leaves its parent in the future";
        if (parent && parent->depth >= YORE_LINEAGE_DEPTH_MAX) return "a lineage is too deep";
    }
    bool is_default = yr_slice_equal(record->name, yore_str("default"));
    if (is_default != (id == YR_DEFAULT_BRANCH) || (is_default && deleted))
        return "`default` is another branch";
    const yr_branch *namesake = deleted ? NULL : yr_catalog_by_name(catalog, record->name);
    return namesake && namesake != known ? "two live branches have one name" : NULL;
}

/* Of a row that was judged. */
static yore_status replay_branch(yr_store *store, const yr_row *row, uint32_t id, uint64_t version,
                                 yore_error *err)
{
    yr_branch_record record;
    bool is_record = yr_branch_record_decode(row->value, &record);
    YR_ASSERT(is_record); /* it was judged */
    yr_branch *known = yr_catalog_by_id(store->catalog, id);
    yr_catalog_change change;
    bool ready = known ? yr_catalog_prepare_change(store->catalog, known, &record, &change)
                       : yr_catalog_prepare_create(store->catalog, id, &record, version, &change);
    if (!ready) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the branch registry");
    yr_catalog_apply(store->catalog, &change);
    return YORE_OK;
}

static bool is_legal_tag(const yr_store *store, const yr_row *row, yore_slice name, uint64_t version)
{
    yr_tag_record tag;
    if (yore_name_check(name, NULL) != YORE_OK) return false;
    if (row->op == YORE_OP_DEL) return true;
    return yr_tag_record_decode(row->value, &tag) && yr_catalog_by_id(store->catalog, tag.branch) &&
           tag.version >= 1 && tag.version < version;
}

static bool is_legal_erase(const yr_store *store, const yr_row *row, uint64_t version)
{
    yr_erase_record erase;
    uint64_t said;
    return row->op == YORE_OP_PUT && yr_erase_key_decode(row->key, &said) && said == version &&
           yr_erase_record_decode(row->value, &erase) &&
           (erase.branch == 0 || yr_catalog_by_id(store->catalog, erase.branch));
}

static bool is_legal_prefix_table(const yr_row *row, uint64_t version)
{
    if (row->op == YORE_OP_DEL) return true;
    return row->op == YORE_OP_PUT && yr_prefix_table_check(row->value) &&
           yr_prefix_table_since(row->value) >= 1 && yr_prefix_table_since(row->value) <= version;
}

const char *yr_replay_judge_row(const yr_store *store, const yr_row *row, uint64_t version)
{
    uint32_t id;
    yr_branch_record record;
    const char *key = row->key.data;
    yore_slice name = yore_bytes(key + 1, row->key.size - 1);
    if (yr_branch_key_decode(row->key, &id) && id != YR_REGISTRY_BRANCH) {
        if (row->op != YORE_OP_PUT || !yr_branch_record_decode(row->value, &record))
            return "a branch record cannot be read";
        return judge_branch(store, &record, id, yr_catalog_by_id(store->catalog, id), version);
    }
    if (key[0] == 'e' && is_legal_erase(store, row, version)) return NULL;
    if (key[0] == 't' && is_legal_tag(store, row, name, version)) return NULL;
    bool is_named = name.size >= 1 && name.size <= YORE_BRANCH_NAME_MAX;
    if (key[0] == 'c' && is_named) return NULL;
    if (key[0] == 'p' && is_named && is_legal_prefix_table(row, version)) return NULL;
    return "a registry row cannot be read";
}

/* A registry row changes the catalog too; tags and settings are read from the rows themselves. */
static yore_status replay_registry_row(yr_store *store, const yr_row *row, uint64_t version, yore_error *err)
{
    uint32_t id;
    uint64_t erased;
    const char *problem = yr_replay_judge_row(store, row, version);
    if (problem) return bad_commit(err, problem, version);
    if (yr_erase_key_decode(row->key, &erased)) yr_catalog_note_erased(store->catalog, version);
    return yr_branch_key_decode(row->key, &id) ? replay_branch(store, row, id, version, err) : YORE_OK;
}

/* -- frames -- */

static const char *judge_head(const yr_store *store, const yr_commit_head *head)
{
    if (head->version != store->last_version + 1 || head->time_ns <= store->last_time_ns ||
        head->time_ns > YR_TIME_REACHED_MAX) {
        return "versions or times are not ascending";
    }
    if (head->kind < YORE_COMMIT_DATA || head->kind > YORE_COMMIT_ERASE) return "its kind is unknown";
    if ((head->kind == YORE_COMMIT_DATA) != (head->branch != YR_REGISTRY_BRANCH)) {
        return "its kind does not fit its branch";
    }
    if ((head->version == 1) != (head->kind == YORE_COMMIT_INIT)) return "the first commit is not the first";
    for (uint32_t i = 0; i < head->parent_count; i++) {
        uint64_t parent = yr_get_le64((const uint8_t *)head->parents + 8u * (size_t)i);
        if (parent == 0 || parent >= head->version) return "a parent is not an earlier commit";
    }
    return NULL;
}

static yore_status replay_frame(yr_store *store, const yr_commit_head *head, yr_reader *reader,
                                yore_error *err)
{
    yr_branch *branch = NULL;
    const char *problem = judge_head(store, head);
    if (problem) return bad_commit(err, problem, head->version);
    if (head->branch != YR_REGISTRY_BRANCH) {
        branch = yr_catalog_by_id(store->catalog, head->branch);
        if (!branch) return bad_commit(err, "its branch does not exist", head->version);
    }
    yr_row *rows = yr_arena_alloc(&store->scratch, (head->row_count + (size_t)1) * sizeof *rows);
    uint64_t *hashes = yr_arena_alloc(&store->scratch, (head->row_count + (size_t)1) * sizeof *hashes);
    if (!rows || !hashes) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the log");
    for (uint32_t i = 0; i < head->row_count; i++) {
        if (!yr_row_take(reader, head->branch, &rows[i]) ||
            (rows[i].primitive == YORE_SYSTEM) != (head->branch == YR_REGISTRY_BRANCH)) {
            return bad_commit(err, "a row cannot be read", head->version);
        }
        hashes[i] = yr_store_key_hash(store, rows[i].primitive, rows[i].key);
    }
    if (reader->left) return bad_commit(err, "it is longer than its rows", head->version);
    yore_status status = yr_apply(store, branch, head, rows, hashes, head->row_count, err);
    if (status < 0) return status;
    yr_apply_advance(store, head);
    for (uint32_t i = 0; !branch && status == YORE_OK && i < head->row_count; i++) {
        status = replay_registry_row(store, &rows[i], head->version, err);
    }
    if (status == YORE_OK && !yr_catalog_by_id(store->catalog, YR_DEFAULT_BRANCH)) {
        status = bad_commit(err, "the first commit does not make `default`", head->version);
    }
    return status;
}

yore_status yr_store_replay(yr_store *store, yore_slice payload, yore_error *err)
{
    yr_reader reader = yr_reader_of(payload), rows;
    yr_commit_head head;
    yore_status status = YORE_OK;
    while (status == YORE_OK && reader.left) {
        if (!yr_frame_take(&reader, &head, &rows)) {
            status = bad_commit(err, "its frame cannot be read", store->last_version + 1);
        } else if (head.version > store->mem->base_version) { /* else it is in a run */
            status = replay_frame(store, &head, &rows, err);
        }
        yr_arena_reset(&store->scratch);
    }
    if (status == YORE_OK) {
        /* release pairs with yr_store_visible */
        atomic_store_explicit(&store->visible, store->last_version, memory_order_release);
    }
    return status;
}

/* Turning a transaction's operations into rows: preconditions, conflicts, and the operations whose result
 * depends on the newest value (incr, append, cas, deletes of what may not be there). Leader only, so the
 * newest version of a key, published or not, is the truth. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/mvcc/commit.h"

/* The value a key has for the leader, now. */
typedef struct current {
    bool exists;    /* there is a visible one; if not, only found.version is set, to 0 */
    yr_found found; /* what it borrows lasts as long as the group */
} current;

static yr_lookup lookup_of(const yr_op *op)
{
    return (yr_lookup){.key_hash = op->key_hash, .user_key = op->key, .primitive = op->primitive};
}

static yore_status current_of(yr_store *store, const yr_request *request, const yr_op *op, int64_t time_ns,
                              current *now)
{
    yr_view view = yr_store_view(store, yr_store_layers(store), request->branch, UINT64_MAX, time_ns);
    const yr_lookup key = lookup_of(op);
    view.past = false;
    yore_status status = yr_lineage_find(&view, &key, &now->found, request->err);
    if (status < 0) return status;
    now->exists = status == YORE_OK && yr_found_is_visible(&now->found, time_ns);
    if (status == YORE_OK && !yr_store_hold(store, &now->found))
        return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while committing");
    if (!now->exists) now->found.version = 0;
    return YORE_OK;
}

static int shown(yore_slice key)
{
    return key.size > 64 ? 64 : (int)key.size;
}

/* The newest version the branch itself has of a key, 0 if none above the snapshot. */
static yore_status newest_own(const yr_store *store, const yr_request *request, const yr_lookup *key,
                              uint64_t *newest)
{
    return yr_layers_newest(yr_store_layers(store), key, request->branch->id, request->snapshot, newest,
                            request->err);
}

/* First committer wins: has anyone committed this key on this branch since the snapshot? Parents cannot
 * matter: what they commit after the fork is not visible here. */
static bool is_newer_than_snapshot(uint64_t newest, uint64_t snapshot)
{
    if (YR_BUG(FIRST_COMMITTER)) return newest > snapshot + 1;
    return newest > snapshot;
}

static yore_status check_preconditions(yr_store *store, const yr_request *request, const yr_op *op,
                                       const current *now)
{
    const char *key = op->key.data;
    if (op->check_snapshot) {
        const yr_lookup lookup = lookup_of(op);
        uint64_t newest;
        yore_status status = newest_own(store, request, &lookup, &newest);
        if (status < 0) return status;
        if (is_newer_than_snapshot(newest, request->snapshot)) {
            return yr_fail(request->err, YORE_CONFLICT,
                           "key '%.*s' was committed by another transaction at v%" PRIu64
                           " (this one began at v%" PRIu64 ")",
                           shown(op->key), key, newest, request->snapshot);
        }
    }
    if (op->if_absent && now->exists) {
        return yr_fail(request->err, YORE_EXISTS, "key '%.*s' has a value already (v%" PRIu64 ")",
                       shown(op->key), key, now->found.version);
    }
    if (op->has_if_version && now->found.version != op->if_version) {
        return yr_fail(request->err, YORE_CONFLICT, "key '%.*s' is at v%" PRIu64 ", not at v%" PRIu64,
                       shown(op->key), key, now->found.version, op->if_version);
    }
    if (op->has_expected && (!now->exists || !yr_slice_equal(now->found.value, op->expected))) {
        return yr_fail(request->err, YORE_CONFLICT, "key '%.*s' %s", shown(op->key), key,
                       now->exists ? "has another value than expected" : "has no value");
    }
    return YORE_OK;
}

static yore_status range_changed(const yr_request *request, yore_slice key, uint64_t version)
{
    return yr_fail(request->err, YORE_CONFLICT,
                   "key '%.*s' of a range that was read has changed at v%" PRIu64, shown(key),
                   (const char *)key.data, version);
}

static yore_status range_no_memory(const yr_request *request)
{
    return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while validating a range");
}

/* Has the range changed in one memtable? `seek` is its lower bound as a tree key. */
static yore_status check_memtable(const yr_memtable *mem, const yr_request *request, const yr_read *read,
                                  yore_slice seek)
{
    yr_art_iter iter;
    yore_status status = yr_art_settle(mem->art);
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    for (yr_ref ref = yr_art_seek(&iter, seek); ref && status == YORE_OK; ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        if (yr_entry_branch(entry) != request->branch->id || yr_entry_primitive(entry) != read->primitive)
            break;
        yore_slice key = yr_entry_user_key(entry);
        if (read->has_upper && yr_slice_compare(key, read->upper) >= 0) break;
        const yr_version *v = yr_chain_newest(&mem->region, entry);
        if (v && is_newer_than_snapshot(yr_memtable_version(mem, v), request->snapshot))
            status = range_changed(request, key, yr_memtable_version(mem, v));
    }
    yr_epoch_exit();
    if (status == YORE_ERR_NOMEM || (status == YORE_OK && iter.failed)) status = range_no_memory(request);
    yr_art_iter_deinit(&iter);
    return status;
}

/* And in a run. */
static yore_status check_run(yr_run *run, const yr_request *request, const yr_read *read, yore_slice seek)
{
    yr_run_cursor cursor;
    yr_segment_row row;
    yr_run_cursor_init(&cursor, run, UINT64_MAX, yore_bytes(seek.data, YR_TREE_KEY_PREFIX));
    yore_status status = yr_run_cursor_seek(&cursor, seek, &row, request->err);
    while (status == YORE_OK) {
        yore_slice key = yore_bytes((const uint8_t *)row.tree_key.data + YR_TREE_KEY_PREFIX,
                                    row.tree_key.size - YR_TREE_KEY_PREFIX);
        if (read->has_upper && yr_slice_compare(key, read->upper) >= 0) break;
        if (is_newer_than_snapshot(row.version, request->snapshot)) {
            status = range_changed(request, key, row.version);
            break;
        }
        status = yr_run_cursor_next(&cursor, &row, request->err);
    }
    yr_run_cursor_deinit(&cursor);
    return status == YORE_END ? YORE_OK : status;
}

static yore_status check_range(yr_store *store, const yr_request *request, const yr_read *read)
{
    const yr_layers *layers = yr_store_layers(store);
    size_t size = YR_TREE_KEY_PREFIX + read->key.size;
    uint8_t *seek = yr_arena_alloc(&store->scratch, size);
    yore_status status = YORE_OK;
    if (!seek) return range_no_memory(request);
    yr_put_be32(seek, request->branch->id);
    seek[4] = read->primitive;
    if (read->key.size) memcpy(seek + YR_TREE_KEY_PREFIX, read->key.data, read->key.size);
    for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++) {
        /* a layer that ends at or below the snapshot cannot have changed since */
        if (i && layers->mems[i - 1]->base_version <= request->snapshot) return YORE_OK;
        status = check_memtable(layers->mems[i], request, read, yore_bytes(seek, size));
    }
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        if (yr_run_last(layers->runs[i]) <= request->snapshot) break;
        status = check_run(layers->runs[i], request, read, yore_bytes(seek, size));
    }
    return status;
}

/* Whether something changed since a snapshot that is older than what the branch keeps can no longer be told. */
static yore_status check_kept(const yr_request *request)
{
    uint64_t kept = yr_branch_trimmed(request->branch);
    bool asks = request->read_count > 0;
    if (request->snapshot >= kept) return YORE_OK;
    for (uint32_t i = 0; i < request->op_count && !asks; i++) asks = request->ops[i].check_snapshot;
    if (!asks) return YORE_OK;
    return yr_fail(request->err, YORE_CONFLICT,
                   "the transaction began at v%" PRIu64 ", and the branch's history before v%" PRIu64
                   " has been collected since",
                   request->snapshot, kept);
}

/* serializable: nothing that was read may have changed since the snapshot. Where the branch has no commit since,
 * nothing has, however long the ranges are: what its parents commit does not show in it. */
static yore_status check_reads(yr_store *store, const yr_request *request)
{
    uint64_t head = atomic_load_explicit(&request->branch->head, memory_order_relaxed); /* leaders store it */
    if (head <= request->snapshot) return YORE_OK;
    for (uint32_t i = 0; i < request->read_count; i++) {
        const yr_read *read = &request->reads[i];
        if (read->is_range) {
            yore_status status = check_range(store, request, read);
            if (status != YORE_OK) return status;
            continue;
        }
        const yr_lookup lookup = {
            .key_hash = read->key_hash, .user_key = read->key, .primitive = read->primitive};
        uint64_t newest;
        yore_status status = newest_own(store, request, &lookup, &newest);
        if (status < 0) return status;
        if (is_newer_than_snapshot(newest, request->snapshot)) {
            return yr_fail(request->err, YORE_CONFLICT,
                           "key '%.*s', which was read, has changed at v%" PRIu64, shown(read->key),
                           (const char *)read->key.data, newest);
        }
    }
    return YORE_OK;
}

/* Decimal int64 text, exactly: optional '-', digits, nothing else. */
static bool parse_int64(yore_slice text, int64_t *out)
{
    const char *p = text.data;
    size_t i = 0;
    bool negative = text.size > 0 && p[0] == '-';
    if (negative) i = 1;
    if (i == text.size || text.size - i > 19) return false;
    uint64_t n = 0;
    for (; i < text.size; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    if (n > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) return false;
    *out = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

yore_status yr_incr_resolve(yore_slice old, bool has_old, int64_t delta, char out[24], size_t *size,
                            yore_error *err)
{
    int64_t value = 0, sum;
    if (has_old && !parse_int64(old, &value)) {
        return yr_fail(err, YORE_ERR_TYPE, "the value '%.*s' is not a decimal integer of 64 bits", shown(old),
                       (const char *)old.data);
    }
    if (__builtin_add_overflow(value, delta, &sum)) {
        return yr_fail(err, YORE_ERR_TYPE, "%" PRId64 " + %" PRId64 " does not fit in 64 bits", value, delta);
    }
    *size = (size_t)snprintf(out, 24, "%" PRId64, sum);
    return YORE_OK;
}

/* A value that is changed in place keeps its type, metadata and expiry. */
static void keep_attributes(const current *now, yr_row *row)
{
    if (!now->exists) return;
    row->type = now->found.type;
    row->meta = now->found.meta;
    row->expiry_ns = now->found.expiry_ns;
}

static yore_status resolve_incr(yr_store *store, const yr_request *request, const yr_op *op,
                                const current *now, yr_row *row)
{
    char *text = yr_arena_alloc(&store->scratch, 24);
    if (!text) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while committing");
    yore_slice old = now->exists ? now->found.value : yore_bytes("", 0);
    row->value.data = text;
    keep_attributes(now, row);
    return yr_incr_resolve(old, now->exists, op->delta, text, &row->value.size, request->err);
}

static yore_status resolve_append(yr_store *store, const yr_request *request, const yr_op *op,
                                  const current *now, yr_row *row)
{
    if (!now->exists) return YORE_OK; /* the row has the bytes already */
    yore_slice old = now->found.value;
    size_t size = old.size + op->value.size;
    if (size > YORE_VALUE_BYTES_MAX) {
        return yr_fail(request->err, YORE_ERR_LIMIT,
                       "appending %zu bytes to key '%.*s' passes the limit of %u bytes", op->value.size,
                       shown(op->key), (const char *)op->key.data, YORE_VALUE_BYTES_MAX);
    }
    uint8_t *bytes = yr_arena_alloc(&store->scratch, size);
    if (!bytes) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while committing");
    if (old.size) memcpy(bytes, old.data, old.size);
    if (op->value.size) memcpy(bytes + old.size, op->value.data, op->value.size);
    row->value = yore_bytes(bytes, size);
    keep_attributes(now, row);
    return YORE_OK;
}

static bool needs_current(const yr_op *op)
{
    return op->kind != YR_OP_PUT || op->if_absent || op->has_if_version || op->has_expected;
}

/* One operation to at most one row. *wrote says whether there is one. */
static yore_status resolve_op(yr_store *store, const yr_request *request, const yr_op *op, int64_t time_ns,
                              yr_row *row, bool *wrote)
{
    current now;
    now.exists = false;
    now.found.version = 0;
    yore_status status = needs_current(op) ? current_of(store, request, op, time_ns, &now) : YORE_OK;
    if (status == YORE_OK) status = check_preconditions(store, request, op, &now);
    *wrote = status == YORE_OK && (op->kind != YR_OP_DEL || now.exists);
    if (!*wrote) return status;
    *row = (yr_row){.key = op->key,
                    .value = op->value,
                    .meta = op->meta,
                    .branch = request->branch->id,
                    .primitive = op->primitive,
                    .op = op->kind == YR_OP_DEL ? YORE_OP_DEL : YORE_OP_PUT,
                    .type = op->type};
    if (op->expiry_ns) row->expiry_ns = op->expiry_ns;
    if (op->ttl_ns && __builtin_add_overflow(time_ns, op->ttl_ns, &row->expiry_ns))
        row->expiry_ns = INT64_MAX;
    if (op->ttl_ns && row->expiry_ns == 0) row->expiry_ns = -1; /* 0 means never */
    if (op->kind == YR_OP_INCR) return resolve_incr(store, request, op, &now, row);
    if (op->kind == YR_OP_APPEND) return resolve_append(store, request, op, &now, row);
    return YORE_OK;
}

enum { AHEAD = 8 }; /* operations whose hash buckets are on their way while one is resolved */

yore_status yr_commit_resolve(yr_store *store, yr_request *request, int64_t time_ns, yr_row **rows,
                              uint64_t **key_hashes, uint32_t *row_count)
{
    yore_status status = check_kept(request);
    if (status == YORE_OK && request->read_count) status = check_reads(store, request);
    *row_count = 0;
    if (status != YORE_OK) return status;
    yr_row *out = yr_arena_alloc(&store->scratch, (request->op_count + 1u) * sizeof *out);
    uint64_t *hashes = yr_arena_alloc(&store->scratch, (request->op_count + 1u) * sizeof *hashes);
    if (!out || !hashes) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while committing");
    for (uint32_t i = 0; i < request->op_count; i++) {
        bool wrote;
        if (i + AHEAD < request->op_count) {
            uint64_t hash = yr_branch_hash(request->ops[i + AHEAD].key_hash, request->branch->id);
            yr_hash_index_prefetch_bucket(store->mem->hash, hash);
        }
        status = resolve_op(store, request, &request->ops[i], time_ns, &out[*row_count], &wrote);
        if (status != YORE_OK) return status;
        if (!wrote) continue;
        hashes[(*row_count)++] = request->ops[i].key_hash;
    }
    *rows = out;
    *key_hashes = hashes;
    return YORE_OK;
}

/* Transactions and one-call writes. */
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/txn_handle.h"

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a transaction");
}

static yore_status check_options(const yore_txn_options *options, yore_error *err)
{
    if (options->struct_size != sizeof *options || options->sync > YORE_SYNC_NONE ||
        options->isolation > YORE_ISOLATION_SERIALIZABLE || options->times > YORE_TIMES_SHIFT) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "transaction options are not initialised with YORE_TXN_OPTIONS_INIT");
    }
    if (options->parent_count >= YORE_PARENTS_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "a commit has at most %u parents", YORE_PARENTS_MAX);
    }
    if (options->author.size > UINT16_MAX || options->source.size > UINT16_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "a commit's author and source have at most %u bytes each",
                       UINT16_MAX);
    }
    return YORE_OK;
}

yore_status yore_begin(yore_db *db, yore_slice branch_name, const yore_txn_options *options, yore_txn **out,
                       yore_error *err)
{
    static const yore_txn_options defaults = YORE_TXN_OPTIONS_INIT;
    if (!options) options = &defaults;
    yore_status status = check_options(options, err);
    if (status == YORE_OK) status = yr_db_writable(db, err);
    if (status == YORE_OK) status = yr_db_sync_check(db, options->sync, err);
    if (status < 0) return status;
    yr_branch *branch = yr_db_branch(db, branch_name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    if (atomic_load_explicit(&branch->deleted_version, memory_order_acquire)) {
        return yr_fail(err, YORE_ERR_NO_BRANCH, "branch '%s' has been deleted", yr_branch_text(branch));
    }
    yore_txn *txn = yr_alloc_zero(db->env, sizeof *txn);
    if (!txn) return no_memory(err);
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    int64_t now = db->env->wall_ns(db->env->ctx), latest;
    status = yr_layers_commit_time(layers, visible, &latest, err);
    if (status < 0) {
        yr_layers_unref(layers);
        yr_free(db->env, txn, sizeof *txn);
        return status;
    }
    yr_pin_source_init(&txn->reader, db, layers);
    yr_layers_unref(layers);
    txn->db = db;
    txn->branch = branch;
    txn->holds_branch = atomic_load_explicit(&branch->ttl_ns, memory_order_relaxed) != 0;
    if (txn->holds_branch) atomic_fetch_add_explicit(&branch->open_writes, 1, memory_order_relaxed);
    txn->options = *options;
    txn->view = yr_store_view(&db->store, layers, branch, visible, now > latest ? now : latest);
    yr_arena_init(&txn->arena, db->env);
    yr_write_set_init(&txn->writes, db->env, &txn->arena);
    *out = txn;
    return YORE_OK;
}

/* A version that a folded write was made of; in the transaction's arena. */
struct yr_txn_held {
    struct yr_txn_held *next;
    yr_found found;
};

void yore_rollback(yore_txn *txn)
{
    if (!txn) return;
    yore_db *db = txn->db;
    /* release pairs with the expirer's look: what was committed came before */
    if (txn->holds_branch) atomic_fetch_sub_explicit(&txn->branch->open_writes, 1, memory_order_release);
    for (; txn->held; txn->held = txn->held->next) yr_found_release(&txn->held->found);
    yr_write_set_deinit(&txn->writes);
    yr_free(db->env, txn->reads, txn->read_capacity * sizeof *txn->reads);
    yr_arena_deinit(&txn->arena);
    yr_db_ref(db); /* the environment is wanted a moment longer */
    yr_pin_source_deinit(&txn->reader);
    yr_free(db->env, txn, sizeof *txn);
    yr_db_unref(db);
}

/* -- collecting writes -- */

static yore_status check_put(const yore_put_options *options, yore_slice value, yore_error *err)
{
    if (value.size > YORE_VALUE_BYTES_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "a value of %zu bytes is too long: the limit is %u", value.size,
                       YORE_VALUE_BYTES_MAX);
    }
    if (!options) return YORE_OK;
    if (options->struct_size != sizeof *options || options->type > YORE_TYPE_JSON) {
        return yr_fail(err, YORE_ERR_MISUSE, "put options are not initialised with YORE_PUT_OPTIONS_INIT");
    }
    if (options->meta.size > YORE_META_BYTES_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "metadata of %zu bytes is too long: the limit is %u",
                       options->meta.size, YORE_META_BYTES_MAX);
    }
    if (options->ttl_ns < 0 || (options->ttl_ns && options->expiry_ns)) {
        return yr_fail(err, YORE_ERR_MISUSE, "give a positive time to live or an expiry time, not both");
    }
    return YORE_OK;
}

static yr_op op_of(const yore_txn *txn, yore_key key, enum yr_op_kind kind, yore_slice value,
                   const yore_put_options *options)
{
    yr_op op = {.key = key.user,
                .key_hash = yr_store_key_hash(&txn->db->store, yr_key_primitive(key), key.user),
                .value = value,
                .kind = (uint8_t)kind,
                .primitive = (uint8_t)yr_key_primitive(key),
                .check_snapshot = kind == YR_OP_PUT || kind == YR_OP_DEL};
    if (!options) return op;
    op.meta = options->meta;
    op.type = (uint8_t)options->type;
    op.ttl_ns = options->ttl_ns;
    op.expiry_ns = options->expiry_ns;
    op.if_absent = options->if_absent;
    op.has_if_version = options->if_version_set;
    op.if_version = options->if_version;
    return op;
}

static yore_status find(const yore_txn *txn, const yr_op *op, yr_found *found, yore_error *err)
{
    const yr_lookup key = {.key_hash = op->key_hash, .user_key = op->key, .primitive = op->primitive};
    yr_epoch_enter();
    yore_status status = yr_lineage_find(&txn->view, &key, found, err);
    yr_epoch_exit();
    yr_flatten_if_wanted(txn->reader.db, txn->view.branch);
    if (status != YORE_OK || yr_found_is_visible(found, txn->view.time_ns)) return status;
    yr_found_release(found);
    return YORE_NOT_FOUND;
}

/* What the snapshot has of the operation's key and is visible; what it borrows lasts as long as the transaction. */
static yore_status snapshot_version(yore_txn *txn, const yr_op *op, yr_found *found, bool *any,
                                    yore_error *err)
{
    yore_status status = find(txn, op, found, err);
    *any = status == YORE_OK;
    if (!*any) return status < 0 ? status : YORE_OK;
    if (found->pin_count == 0) return YORE_OK;
    struct yr_txn_held *held = yr_arena_alloc(&txn->arena, sizeof *held);
    if (!held) {
        yr_found_release(found);
        return no_memory(err);
    }
    *held = (struct yr_txn_held){.next = txn->held, .found = *found};
    txn->held = held;
    return YORE_OK;
}

/* The value a key has for this transaction: its own write, else its snapshot. `text` is room for a number. */
static yore_status provisional(yore_txn *txn, const yr_op *own, const yr_op *key, char text[24],
                               yore_slice *value, bool *has, yore_error *err)
{
    *has = false;
    if (own && own->kind == YR_OP_DEL) return YORE_OK;
    if (own && own->kind == YR_OP_PUT) {
        *value = own->value;
        *has = true;
        return YORE_OK;
    }
    yr_found found;
    bool any;
    yore_status status = snapshot_version(txn, key, &found, &any, err);
    if (status < 0) return status;
    *value = any ? found.value : yore_bytes("", 0);
    *has = any || own;
    if (!own) return YORE_OK;
    if (own->kind == YR_OP_INCR) {
        yore_slice old = *value;
        value->data = text;
        return yr_incr_resolve(old, any, own->delta, text, &value->size, err);
    }
    uint8_t *joined = yr_arena_alloc(&txn->arena, value->size + own->value.size + 1);
    if (!joined) return no_memory(err);
    if (value->size) memcpy(joined, value->data, value->size);
    if (own->value.size) memcpy(joined + value->size, own->value.data, own->value.size);
    *value = yore_bytes(joined, value->size + own->value.size);
    return YORE_OK;
}

/* A precondition on a key that this transaction has written already is judged at once. */
static yore_status check_own(const yr_op *op, yore_slice value, bool has, yore_error *err)
{
    if (op->if_absent && has)
        return yr_fail(err, YORE_EXISTS, "this transaction has written the key already");
    if (op->has_if_version)
        return yr_fail(err, YORE_CONFLICT, "this transaction has written the key already");
    if (op->has_expected && !(has && yr_slice_equal(value, op->expected))) {
        return yr_fail(err, YORE_CONFLICT, "this transaction has written another value");
    }
    return YORE_OK;
}

static bool copy_bytes(yore_txn *txn, yore_slice *bytes)
{
    if (bytes->size == 0) return true;
    bytes->data = yr_arena_copy(&txn->arena, bytes->data, bytes->size);
    return bytes->data != NULL;
}

/* Make an operation the plain put of a value; its first preconditions stay. What an incr or append changes in
 * place keeps its type, metadata and expiry. */
static yore_status become_put(yore_txn *txn, yr_op *own, yore_slice value, yore_error *err)
{
    if (!copy_bytes(txn, &value)) return no_memory(err);
    yr_found found;
    bool any = false;
    if (own->kind == YR_OP_INCR || own->kind == YR_OP_APPEND) {
        yore_status status = snapshot_version(txn, own, &found, &any, err);
        if (status < 0) return status;
    }
    if (any) {
        own->type = found.type;
        own->meta = found.meta;
        own->expiry_ns = found.expiry_ns;
    }
    /* an incr or append resolved here was read from the snapshot, so it may no longer slip past others */
    own->check_snapshot = true;
    own->kind = YR_OP_PUT;
    own->value = value;
    return YORE_OK;
}

static yore_status fold_incr(yore_txn *txn, yr_op *own, const yr_op *op, yore_error *err)
{
    if (own->kind == YR_OP_INCR) {
        int64_t sum;
        if (__builtin_add_overflow(own->delta, op->delta, &sum)) {
            return yr_fail(err, YORE_ERR_TYPE, "the sum of the increments does not fit in 64 bits");
        }
        own->delta = sum;
        return YORE_OK;
    }
    char text[24], result[24];
    yore_slice old;
    bool has;
    size_t size;
    yore_status status = provisional(txn, own, op, text, &old, &has, err);
    if (status == YORE_OK) status = yr_incr_resolve(old, has, op->delta, result, &size, err);
    return status == YORE_OK ? become_put(txn, own, yore_bytes(result, size), err) : status;
}

static yore_status fold_append(yore_txn *txn, yr_op *own, const yr_op *op, yore_error *err)
{
    char text[24];
    yore_slice old = own->value;
    bool has;
    if (own->kind != YR_OP_APPEND) {
        yore_status status = provisional(txn, own, op, text, &old, &has, err);
        if (status < 0) return status;
        if (!has) old.size = 0;
    }
    if (old.size + op->value.size > YORE_VALUE_BYTES_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "the value would pass the limit of %u bytes",
                       YORE_VALUE_BYTES_MAX);
    }
    uint8_t *joined = yr_arena_alloc(&txn->arena, old.size + op->value.size + 1);
    if (!joined) return no_memory(err);
    if (old.size) memcpy(joined, old.data, old.size);
    if (op->value.size) memcpy(joined + old.size, op->value.data, op->value.size);
    yore_slice value = yore_bytes(joined, old.size + op->value.size);
    if (own->kind == YR_OP_APPEND)
        own->value = value;
    else
        return become_put(txn, own, value, err);
    return YORE_OK;
}

/* Fold an operation into the one this transaction has for the key. */
static yore_status fold(yore_txn *txn, yr_op *own, const yr_op *op, yore_error *err)
{
    if (op->kind == YR_OP_INCR) return fold_incr(txn, own, op, err);
    if (op->kind == YR_OP_APPEND) return fold_append(txn, own, op, err);
    if (op->if_absent || op->has_if_version || op->has_expected) {
        char text[24];
        yore_slice old = {0};
        bool has;
        yore_status status = provisional(txn, own, op, text, &old, &has, err);
        if (status == YORE_OK) status = check_own(op, old, has, err);
        if (status != YORE_OK) return status;
        own->check_snapshot = true;
    }
    yr_op next = *own;
    next.kind = op->kind;
    next.type = op->type;
    next.ttl_ns = op->ttl_ns;
    next.expiry_ns = op->expiry_ns;
    next.value = op->value;
    next.meta = op->meta;
    next.check_snapshot |= op->check_snapshot;
    if (!copy_bytes(txn, &next.value) || !copy_bytes(txn, &next.meta)) return no_memory(err);
    *own = next;
    return YORE_OK;
}

static yore_status collect(yore_txn *txn, yore_key key, yr_op *op, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    if (yr_key_primitive(key) == YORE_SYSTEM) {
        return yr_fail(err, YORE_ERR_REFUSED,
                       "system keys are written through branches, tags and settings only");
    }
    uint64_t bytes = key.user.size + op->value.size + op->meta.size + YR_ROW_HEADER + 8u;
    if (txn->writes.bytes + bytes > YORE_TXN_BYTES_MAX + (uint64_t)YORE_KEY_BYTES_MAX + 4096u ||
        txn->writes.count == UINT32_MAX / 2) {
        return yr_fail(err, YORE_ERR_LIMIT, "the transaction would pass the limit of %u bytes",
                       YORE_TXN_BYTES_MAX);
    }
    yr_op *own = yr_write_set_find(&txn->writes, op->key_hash, op->primitive, key.user);
    if (own)
        status = fold(txn, own, op, err);
    else if (!yr_write_set_add(&txn->writes, op))
        status = no_memory(err);
    if (status == YORE_OK) txn->writes.bytes += bytes;
    if (status > 0 && !txn->lost) {
        txn->lost = status;
        if (err) memcpy(txn->lost_message, err->message, sizeof txn->lost_message);
    }
    return status;
}

yore_status yore_put(yore_txn *txn, yore_key key, yore_slice value, const yore_put_options *options,
                     yore_error *err)
{
    yore_status status = check_put(options, value, err);
    if (status < 0) return status;
    yr_op op = op_of(txn, key, YR_OP_PUT, value, options);
    return collect(txn, key, &op, err);
}

yore_status yore_del(yore_txn *txn, yore_key key, const yore_put_options *options, yore_error *err)
{
    yore_status status = check_put(options, yore_bytes(NULL, 0), err);
    if (status < 0) return status;
    yr_op op = op_of(txn, key, YR_OP_DEL, yore_bytes(NULL, 0), options);
    op.meta = yore_bytes(NULL, 0);
    op.ttl_ns = op.expiry_ns = 0;
    return collect(txn, key, &op, err);
}

yore_status yore_incr(yore_txn *txn, yore_key key, int64_t delta, yore_error *err)
{
    yr_op op = op_of(txn, key, YR_OP_INCR, yore_bytes(NULL, 0), NULL);
    op.delta = delta;
    return collect(txn, key, &op, err);
}

yore_status yore_append(yore_txn *txn, yore_key key, yore_slice bytes, yore_error *err)
{
    yore_status status = check_put(NULL, bytes, err);
    if (status < 0) return status;
    yr_op op = op_of(txn, key, YR_OP_APPEND, bytes, NULL);
    return collect(txn, key, &op, err);
}

yore_status yore_cas(yore_txn *txn, yore_key key, yore_slice expected, yore_slice value,
                     const yore_put_options *options, yore_error *err)
{
    yore_status status = check_put(options, value, err);
    if (status < 0) return status;
    yr_op op = op_of(txn, key, YR_OP_PUT, value, options);
    op.expected = expected;
    op.has_expected = true;
    op.check_snapshot = false; /* the comparison at commit is the check */
    return collect(txn, key, &op, err);
}

/* -- reading inside -- */

yore_status yr_txn_note_read(yore_txn *txn, const yr_read *read, yore_error *err)
{
    if (txn->options.isolation != YORE_ISOLATION_SERIALIZABLE) return YORE_OK;
    if (txn->read_count == txn->read_capacity) {
        uint32_t capacity = txn->read_capacity ? txn->read_capacity * 2 : 16;
        yr_read *reads = yr_realloc(txn->db->env, txn->reads, txn->read_capacity * sizeof *reads,
                                    capacity * sizeof *reads);
        if (!reads) return no_memory(err);
        txn->reads = reads;
        txn->read_capacity = capacity;
    }
    yr_read copy = *read;
    if (!copy_bytes(txn, &copy.key) || !copy_bytes(txn, &copy.upper)) return no_memory(err);
    txn->reads[txn->read_count++] = copy;
    return YORE_OK;
}

yore_status yore_txn_get(yore_txn *txn, yore_key key, yore_pin *out, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    uint32_t primitive = yr_key_primitive(key);
    const yr_op wanted = op_of(txn, key, YR_OP_PUT, yore_bytes(NULL, 0), NULL);
    const yr_op *own = yr_write_set_find(&txn->writes, wanted.key_hash, wanted.primitive, key.user);
    if (!own || own->kind == YR_OP_INCR || own->kind == YR_OP_APPEND) {
        /* The answer depends on the snapshot, also the provisional one of an own incr or append. */
        const yr_read read = {.key = key.user, .key_hash = wanted.key_hash, .primitive = (uint8_t)primitive};
        status = yr_txn_note_read(txn, &read, err);
        if (status < 0) return status;
    }
    if (own) {
        char *text = yr_arena_alloc(&txn->arena, 24);
        yore_slice value = {0};
        bool has;
        if (!text) return no_memory(err);
        status = provisional(txn, own, &wanted, text, &value, &has, err);
        if (status < 0) return status;
        if (!has) return YORE_NOT_FOUND;
        *out = (yore_pin){.value = value, .meta = own->meta, .branch_id = txn->branch->id, .type = own->type};
        return YORE_OK;
    }
    yr_found found;
    status = find(txn, &wanted, &found, err);
    return status == YORE_OK ? yr_pin_fill(&txn->reader, &found, out, err) : status;
}

/* -- committing -- */

/* Where a commit landed. It stands whatever a look at other commits' times may meet. */
static void fill_where(yore_db *db, const yr_branch *branch, uint64_t version, yore_where *where)
{
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    int64_t time_ns = 0;
    yore_status ignored = yr_layers_commit_time(layers, version, &time_ns, NULL);
    ignored = yr_where_fill(layers, visible, branch, version, version, time_ns, where, NULL);
    (void)ignored;
    yr_layers_unref(layers);
}

yore_status yore_commit(yore_txn *txn, yore_slice note, yore_where *where, yore_error *err)
{
    yore_db *db = txn->db;
    yore_status status = yr_db_writable(db, err);
    if (status == YORE_OK && note.size > YORE_NOTE_BYTES_MAX) {
        status = yr_fail(err, YORE_ERR_LIMIT, "a note of %zu bytes is too long: the limit is %u", note.size,
                         YORE_NOTE_BYTES_MAX);
    }
    yr_request request = {.err = err,
                          .branch = txn->branch,
                          .ops = txn->writes.ops,
                          .op_count = txn->writes.count,
                          .snapshot = txn->view.cap,
                          .reads = txn->reads,
                          .read_count = txn->read_count,
                          .options = &txn->options,
                          .note = note,
                          .sync = yr_db_sync_mode(db, txn->options.sync)};
    bool writes = txn->writes.count || txn->options.allow_empty;
    if (status == YORE_OK && txn->lost) status = yr_fail(err, txn->lost, "%s", txn->lost_message);
    if (status == YORE_OK && writes) status = yr_commit_run(&db->store, &request);
    if (status == YORE_OK && where) {
        uint64_t version = request.version ? request.version : txn->view.cap;
        fill_where(db, txn->branch, version, where);
    }
    if (status == YORE_OK && writes) yr_expirer_after_commit(&db->expirer);
    yore_rollback(txn);
    return status;
}

/* A transaction of one operation, without the object. */
static yore_status commit_single(yore_db *db, yore_slice branch_name, yore_key key, yr_op *op,
                                 yr_request *request, yore_error *err)
{
    static const yore_txn_options defaults = YORE_TXN_OPTIONS_INIT;
    yore_status status = yr_key_check(key, err);
    if (status == YORE_OK) status = check_put(NULL, op->value, err);
    if (status == YORE_OK) status = yr_db_writable(db, err);
    if (status < 0) return status;
    if (yr_key_primitive(key) == YORE_SYSTEM) {
        return yr_fail(err, YORE_ERR_REFUSED,
                       "system keys are written through branches, tags and settings only");
    }
    yr_branch *branch = yr_db_branch(db, branch_name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    op->key = key.user;
    op->primitive = (uint8_t)yr_key_primitive(key);
    op->key_hash = yr_store_key_hash(&db->store, op->primitive, key.user);
    *request = (yr_request){
        .err = err, .branch = branch, .ops = op, .op_count = 1, .options = &defaults, .sync = db->store.sync};
    status = yr_commit_run(&db->store, request);
    if (status == YORE_OK) yr_expirer_after_commit(&db->expirer);
    return status;
}

static void single_where(yore_db *db, const yr_request *request, yore_where *where)
{
    if (where && request->version) fill_where(db, request->branch, request->version, where);
}

yore_status yore_db_put(yore_db *db, yore_slice branch, yore_key key, yore_slice value, yore_where *where,
                        yore_error *err)
{
    yr_op op = {.kind = YR_OP_PUT, .value = value};
    yr_request request;
    yore_status status = commit_single(db, branch, key, &op, &request, err);
    if (status == YORE_OK) single_where(db, &request, where);
    return status;
}

yore_status yore_db_del(yore_db *db, yore_slice branch, yore_key key, yore_where *where, yore_error *err)
{
    yr_op op = {.kind = YR_OP_DEL};
    yr_request request;
    yore_status status = commit_single(db, branch, key, &op, &request, err);
    if (status == YORE_OK && request.version == 0) return YORE_NOT_FOUND;
    if (status == YORE_OK) single_where(db, &request, where);
    return status;
}

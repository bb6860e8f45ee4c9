/* Making a plan that brings back older states: one transaction, judged from the version the plan looked at. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/txn_handle.h"
#include "engine/db/undo_private.h"

enum { SHOWN_CLASHES = 3 };

typedef struct clash_list {
    uint64_t count;
    size_t used;
    char keys[128];
} clash_list;

static void note_clash(clash_list *list, yore_slice key)
{
    int size = key.size > 32 ? 32 : (int)key.size;
    if (list->count++ >= SHOWN_CLASHES) return;
    int n = snprintf(list->keys + list->used, sizeof list->keys - list->used, "%s'%.*s'",
                     list->used ? ", " : "", size, (const char *)key.data);
    if (n > 0) list->used += (size_t)n;
}

static yore_status refuse_clashes(const yore_undo *plan, const clash_list *list, yore_error *err)
{
    const char *more = list->count > SHOWN_CLASHES ? ", ..." : "";
    const char *is = list->count == 1 ? "key is" : "keys are";
    uint64_t version = plan->mark.version;
    if (plan->mark.kind == YORE_UNDO_PICK) {
        yr_fail(err, YORE_CONFLICT, "%" PRIu64 " %s not as v%" PRIu64 " found it: %s%s", list->count, is,
                version, list->keys, more);
        yr_hint(err, "yore restore KEY --from %s@v%" PRIu64 " takes its state without asking",
                yr_branch_text(plan->source), version);
    } else {
        yr_fail(err, YORE_CONFLICT, "%" PRIu64 " %s not as v%" PRIu64 " left it: %s%s", list->count, is,
                version, list->keys, more);
        yr_hint(err, "yore restore KEY --from %s@v%" PRIu64 " takes the state before it without asking",
                yr_branch_text(plan->branch), version - 1);
    }
    return YORE_CONFLICT;
}

/* A range of which nothing may have been committed since. */
static yore_status guard_range(yore_txn *txn, uint32_t primitive, yore_slice prefix, yore_error *err)
{
    yr_read read = {.key = prefix, .primitive = (uint8_t)primitive, .is_range = true};
    if (prefix.size) {
        uint8_t *end = yr_arena_copy(&txn->arena, prefix.data, prefix.size);
        if (!end) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a transaction");
        read.upper = yore_bytes(end, yr_prefix_end(end, prefix.size));
        read.has_upper = read.upper.size > 0;
    }
    return yr_txn_note_read(txn, &read, err);
}

/* A diff speaks of all keys of its range, also of those that it does not name. */
static yore_status guard(const yore_undo *plan, yore_txn *txn, yore_error *err)
{
    yore_status status = YORE_OK;
    if (!yr_undo_is_diff(plan)) return YORE_OK;
    if (plan->mark.kind == YORE_UNDO_RESTORE) return guard_range(txn, plan->primitive, plan->prefix, err);
    for (uint32_t primitive = YORE_KV; primitive <= YORE_BLOB && status == YORE_OK; primitive++)
        status = guard_range(txn, primitive, plan->prefix, err);
    return status;
}

static yore_status write_row(yore_txn *txn, const yore_undo_row *row, yore_error *err)
{
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_key key = {.user = row->key, .primitive = row->primitive};
    if (row->op == YORE_DIFF_DEL) return yore_del(txn, key, NULL, err);
    options.type = row->then.type;
    options.meta = row->then.meta;
    options.expiry_ns = row->then.expiry_ns;
    return yore_put(txn, key, row->then.value, &options, err);
}

static yore_status write_rows(yore_undo *plan, yore_txn *txn, yore_error *err)
{
    clash_list clashes = {0};
    yore_undo_row row;
    yore_status status;
    yr_undo_rewind(plan);
    while ((status = yore_undo_next(plan, &row, err)) == YORE_OK) {
        if (row.clash) note_clash(&clashes, row.key);
        if (clashes.count) continue; /* nothing will be written: only count the others */
        status = write_row(txn, &row, err);
        if (status < 0) return status;
    }
    if (status < 0) return status;
    return clashes.count ? refuse_clashes(plan, &clashes, err) : YORE_OK;
}

static yore_status begin(const yore_undo *plan, const yore_txn_options *options,
                         char source[YR_UNDO_MARK_SIZE], yore_txn **out, yore_error *err)
{
    static const yore_txn_options defaults = YORE_TXN_OPTIONS_INIT;
    yore_txn_options own = options ? *options : defaults;
    char name[16];
    own.source = yore_bytes(source, yr_undo_mark_format(plan->mark, source));
    own.parents = NULL;
    own.parent_count = 0;
    own.has_source_time = false; /* it would pass for one that was imported */
    own.source_time_ns = 0;
    own.isolation = yr_undo_is_diff(plan) ? YORE_ISOLATION_SERIALIZABLE : YORE_ISOLATION_SNAPSHOT;
    own.allow_empty |= plan->moves_stack;
    snprintf(name, sizeof name, "id:%" PRIu32, plan->branch->id);
    yore_status status = yore_begin(plan->db, yore_str(name), &own, out, err);
    if (status < 0) return status;
    yr_txn_judge_from(*out, plan->views[YR_UNDO_NOW].cap);
    return guard(plan, *out, err);
}

/* The branch as the plan found it, under another name. */
static yore_status keep(const yore_undo *plan, uint32_t sync, yore_error *err)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at tip = YORE_AT_INIT;
    if (plan->keep_as.size == 0) return YORE_OK;
    tip.kind = YORE_AT_VERSION;
    tip.branch_id = plan->branch->id;
    tip.version = plan->views[YR_UNDO_NOW].cap;
    options.from = &tip;
    options.sync = sync;
    return yore_branch_create(plan->db, plan->keep_as, &options, NULL, err);
}

static void nowhere(const yore_undo *plan, yore_where *where)
{
    if (!where) return;
    *where = (yore_where){.struct_size = sizeof *where, .branch_id = plan->branch->id};
    snprintf(where->branch, sizeof where->branch, "%s", yr_branch_text(plan->branch));
}

yore_status yore_undo_apply(yore_undo *plan, const yore_txn_options *options, yore_slice note,
                            yore_where *where, yore_error *err)
{
    char source[YR_UNDO_MARK_SIZE];
    yore_txn *txn = NULL;
    yore_where landed = YORE_WHERE_INIT;
    if (!plan || plan->is_applied) return yr_fail(err, YORE_ERR_MISUSE, "a plan is applied once");
    yore_status status = begin(plan, options, source, &txn, err);
    if (status == YORE_OK) status = write_rows(plan, txn, err);
    if (status == YORE_OK) status = keep(plan, options ? options->sync : YORE_SYNC_DEFAULT, err);
    if (status == YORE_OK) {
        status = yore_commit(txn, note, &landed, err);
        txn = NULL; /* ended by the commit */
        if (status != YORE_OK && status != YORE_ERR_POISONED && status != YORE_ERR_IO && plan->keep_as.size) {
            yore_status ignored = yore_branch_delete(plan->db, plan->keep_as, false, NULL, NULL, NULL);
            (void)ignored; /* what stays is a branch more */
        }
    }
    yore_rollback(txn);
    yr_undo_rewind(plan);
    if (status != YORE_OK) return status;
    plan->is_applied = true;
    if (landed.version <= plan->views[YR_UNDO_NOW].cap)
        nowhere(plan, where);
    else if (where)
        *where = landed;
    return YORE_OK;
}

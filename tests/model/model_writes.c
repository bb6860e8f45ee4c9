/* Steps that write keys: single calls, batches, and transactions that stay open while others commit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

#define FUTURE_SLACK_NS INT64_C(2000000000)
#define MAY_TIME_ORDER 256u
#define MAY_TIME_RANGE 512u

void step_clock(world *w)
{
    static const int64_t jumps[] = {0, 1, 1000, 1000000, 1000000000, 3600000000000};
    int64_t jump = jumps[below(w, 6)];
    if (chance(w, 8)) jump = -jump;
    world_say(w, "clock moves %" PRId64 " ns", jump);
    world_advance(w, jump);
}

void step_put(world *w)
{
    const model_branch *branch = world_pick_branch(w);
    yore_key key = world_key(world_pick_key(w));
    yore_slice value = world_pick_value(w);
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    int64_t time = world_commit_time(w);
    world_say(w, "put on %s, key %.*s of primitive %u, %zu bytes", branch->name,
              key.user.size > 20 ? 20 : (int)key.user.size, (const char *)key.user.data, key.primitive,
              value.size);
    world_expect(w, yore_db_put(w->db, yore_str(branch->name), key, value, &where, &err), YORE_OK,
                 "yore_db_put", &err);
    world_check_where(w, &where, branch->id, time);
    model_row row = {.op = YORE_OP_PUT, .primitive = key.primitive, .key = key.user, .value = value};
    model_commit_data(&w->m, branch->id, time, &row, 1, 0, 0);
}

void step_del(world *w)
{
    const model_branch *branch = world_pick_branch(w);
    yore_key key = world_key(world_pick_key(w));
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    int64_t time = world_commit_time(w);
    bool present = model_get(&w->m, branch->id, UINT64_MAX, time, key.primitive, key.user) != NULL;
    world_say(w, "del on %s, key %.*s of primitive %u (%s)", branch->name,
              key.user.size > 20 ? 20 : (int)key.user.size, (const char *)key.user.data, key.primitive,
              present ? "there" : "not there");
    yore_status status = yore_db_del(w->db, yore_str(branch->name), key, &where, &err);
    world_expect(w, status, present ? YORE_OK : YORE_NOT_FOUND, "yore_db_del", &err);
    if (!present) return;
    world_check_where(w, &where, branch->id, time);
    model_row row = {.op = YORE_OP_DEL, .primitive = key.primitive, .key = key.user};
    model_commit_data(&w->m, branch->id, time, &row, 1, 0, 0);
}

/* -- operations of a transaction -- */

static bool is_precondition(const model_op *op)
{
    return op->if_absent || op->has_if_version || op->kind == MODEL_CAS;
}

static bool has_extras(const model_op *op)
{
    return op->ttl_ns || op->expiry_ns || op->meta.size || op->type;
}

static bool is_extreme(int64_t delta)
{
    return delta > 1000000 || delta < -1000000;
}

/* May `op` follow what the transaction does to its key already? What the documentation leaves open is left out:
 * preconditions next to other operations on the key, incr and append mixed, and sums that overflow on the way. */
static bool may_follow(const model_txn *txn, const model_op *op)
{
    for (size_t i = 0; i < txn->op_count; i++) {
        const model_op *old = &txn->ops[i];
        if (old->primitive != op->primitive || !yr_slice_equal(old->key, op->key)) continue;
        if (is_precondition(old) || is_precondition(op)) return false;
        if (old->kind == MODEL_INCR && op->kind == MODEL_APPEND) return false;
        if (old->kind == MODEL_APPEND && op->kind == MODEL_INCR) return false;
        bool both = old->kind == MODEL_INCR && op->kind == MODEL_INCR;
        if (both && (is_extreme(old->delta) || is_extreme(op->delta))) return false;
    }
    return true;
}

static void pick_extras(world *w, model_op *op)
{
    static const int64_t ttls[] = {1, 1000, 1000000, 2000000000, 7200000000000, INT64_MAX};
    uint64_t shape = below(w, 12);
    if (shape == 0) op->ttl_ns = ttls[below(w, 6)];
    if (shape == 1) op->expiry_ns = w->clock + (int64_t)below(w, 4000000000) - 1000000000;
    if (shape == 2) op->meta = model_keep(&w->m, yore_bytes("meta-of-a-key", below(w, 13)));
    if (shape == 3) op->type = 1 + (uint32_t)below(w, 2);
}

/* A precondition that holds, or does not. */
static void pick_precondition(world *w, const model_txn *txn, model_op *op)
{
    const model_row *now =
        model_get(&w->m, txn->branch, UINT64_MAX, world_commit_time(w), op->primitive, op->key);
    uint64_t shape = below(w, 20);
    if (shape == 0) op->if_absent = true;
    if (shape == 1) {
        op->has_if_version = true;
        op->if_version = now ? now->version : 0;
        if (chance(w, 3)) op->if_version = below(w, model_last_version(&w->m) + 1);
    }
    if (shape == 2) {
        op->kind = MODEL_CAS;
        op->expected = model_keep(&w->m, now && below(w, 3) ? now->value : yore_str("not that"));
    }
}

static void pick_op(world *w, const model_txn *txn, model_op *op)
{
    yore_key key = world_key(world_pick_key(w));
    *op = (model_op){.kind = MODEL_PUT, .primitive = key.primitive, .key = key.user};
    uint64_t shape = below(w, 100);
    const model_row *now =
        model_get(&w->m, txn->branch, UINT64_MAX, world_commit_time(w), op->primitive, op->key);
    bool is_number = now && now->value.size && now->value.size < 6;
    for (size_t i = 0; is_number && i < now->value.size; i++) {
        is_number = memchr("-0123456789", ((const char *)now->value.data)[i], 11) != NULL;
    }
    if (shape < 15) {
        op->kind = MODEL_DEL;
    } else if (shape < 35 && (!now || is_number || chance(w, 40))) {
        op->kind = MODEL_INCR;
        op->delta = (int64_t)below(w, 200) - 100;
        if (chance(w, 50)) op->delta = below(w, 2) ? INT64_MAX : INT64_MIN;
    } else if (shape < 50) {
        op->kind = MODEL_APPEND;
        op->value = model_keep(&w->m, yore_bytes("0123456789", below(w, 4)));
    } else {
        op->value = model_keep(&w->m, world_pick_value(w));
        pick_extras(w, op);
        pick_precondition(w, txn, op);
    }
}

static yore_status call_op(yore_txn *txn, const model_op *op, yore_error *err)
{
    yore_key key = {op->key, op->primitive};
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    options.type = op->type;
    options.ttl_ns = op->ttl_ns;
    options.expiry_ns = op->expiry_ns;
    options.meta = op->meta;
    options.if_absent = op->if_absent;
    options.if_version_set = op->has_if_version;
    options.if_version = op->if_version;
    bool plain = !has_extras(op) && !op->if_absent && !op->has_if_version;
    switch (op->kind) {
    case MODEL_PUT: return yore_put(txn, key, op->value, plain ? NULL : &options, err);
    case MODEL_DEL: return yore_del(txn, key, NULL, err);
    case MODEL_INCR: return yore_incr(txn, key, op->delta, err);
    case MODEL_APPEND: return yore_append(txn, key, op->value, err);
    default: return yore_cas(txn, key, op->expected, op->value, plain ? NULL : &options, err);
    }
}

/* Does the newest operation not fit a value this transaction wrote itself? That may be said before the commit. */
static bool is_type_fault_of_its_own(world *w, const slot *s, const model_op *op)
{
    model_row scratch;
    const model_row *row;
    model_txn before = s->expected;
    before.op_count--;
    return op->kind == MODEL_INCR && model_txn_touches(&before, op->primitive, op->key) &&
           !model_txn_get(&w->m, &s->expected, op->primitive, op->key, &scratch, &row);
}

static void do_ops(world *w, slot *s, size_t count)
{
    static const char *const names[] = {"put", "del", "incr", "append", "cas"};
    for (size_t i = 0; i < count && s->expected.op_count < MODEL_OPS_MAX; i++) {
        model_op op;
        yore_error err = YORE_ERROR_INIT;
        pick_op(w, &s->expected, &op);
        if (!may_follow(&s->expected, &op)) continue;
        if (w->trace)
            printf("             %s '%.*s' of %u, value '%.*s', delta %lld%s%s ttl %lld expiry %lld\n",
                   names[op.kind], op.key.size > 20 ? 20 : (int)op.key.size, (const char *)op.key.data,
                   op.primitive, op.value.size > 20 ? 20 : (int)op.value.size,
                   op.value.data ? (const char *)op.value.data : "", (long long)op.delta,
                   op.if_absent ? " if-absent" : "", op.has_if_version ? " if-version" : "",
                   (long long)op.ttl_ns, (long long)op.expiry_ns);
        yore_status status = call_op(s->txn, &op, &err);
        s->expected.ops[s->expected.op_count++] = op;
        if (status == YORE_ERR_TYPE && is_type_fault_of_its_own(w, s, &op)) {
            s->expected.op_count--; /* refused at once; the transaction stays as it was */
            continue;
        }
        world_expect(w, status, YORE_OK, names[op.kind], &err);
    }
}

/* -- begin and commit -- */

static void begin(world *w, slot *s, const yore_txn_options *options)
{
    const model_branch *branch = world_pick_branch(w);
    yore_error err = YORE_ERROR_INIT;
    int64_t latest = model_last_time(&w->m);
    world_say(w, "begin on %s%s", branch->name,
              options->isolation == YORE_ISOLATION_SERIALIZABLE ? ", serializable" : "");
    yore_slice name = yore_str(branch->name);
    if (branch->id == MODEL_DEFAULT_BRANCH && below(w, 2)) name = yore_str("");
    world_expect(w, yore_begin(w->db, name, options, &s->txn, &err), YORE_OK, "yore_begin", &err);
    s->expected = (model_txn){.branch = branch->id,
                              .isolation = options->isolation,
                              .snapshot = model_last_version(&w->m),
                              .snapshot_time_ns = w->clock > latest ? w->clock : latest};
}

/* The time a commit with these options gets, and how the options alone may make it fail. */
static unsigned time_outcome(const world *w, const yore_txn_options *options, int64_t *time_ns)
{
    const model *m = &w->m;
    int64_t least = model_last_time(m) + 1;
    *time_ns = world_commit_time(w);
    if (!options->has_time) return 0;
    if (options->time_ns > w->clock + FUTURE_SLACK_NS && !options->allow_future) return MAY_TIME_RANGE;
    if (options->times == YORE_TIMES_STRICT && m->has_data && options->time_ns <= m->last_data_time_ns)
        return MAY_TIME_ORDER;
    *time_ns = options->time_ns > least ? options->time_ns : least;
    return 0;
}

static unsigned status_bit(yore_status status)
{
    switch (status) {
    case YORE_OK: return MODEL_MAY_OK;
    case YORE_CONFLICT: return MODEL_MAY_CONFLICT;
    case YORE_EXISTS: return MODEL_MAY_EXIST;
    case YORE_ERR_TYPE: return MODEL_MAY_TYPE;
    case YORE_ERR_NO_BRANCH: return MODEL_MAY_NO_BRANCH;
    case YORE_ERR_TIME_ORDER: return MAY_TIME_ORDER;
    case YORE_ERR_TIME_RANGE: return MAY_TIME_RANGE;
    default: return 0;
    }
}

static void commit(world *w, slot *s, const yore_txn_options *options)
{
    model_row rows[MODEL_OPS_MAX];
    size_t row_count;
    int64_t time;
    char text[32] = "";
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t note = below(w, 3) ? 0 : ++w->note_count;
    unsigned time_fault = time_outcome(w, options, &time);
    unsigned allowed = model_txn_outcome(&w->m, &s->expected, time, rows, &row_count);
    bool writes = row_count > 0 || options->allow_empty;
    if (time_fault) {
        /* Nothing to write: whether its time is looked at is left open. */
        if (writes) allowed &= ~MODEL_MAY_OK;
        allowed |= time_fault;
    }
    if (note) snprintf(text, sizeof text, "note %u", note);
    yore_txn *txn = s->txn;
    s->txn = NULL;
    yore_status status = yore_commit(txn, yore_str(text), &where, &err);
    if (w->trace)
        printf("             commit gave %s %s\n", yore_status_name(status), status ? err.message : "");
    if (!(allowed & status_bit(status)))
        world_fail(w, "yore_commit gave %s (%s), allowed are the outcomes %x", yore_status_name(status),
                   status ? err.message : "", allowed);
    if (status == YORE_OK && writes) {
        world_check_where(w, &where, s->expected.branch, time);
        model_commit_data(&w->m, s->expected.branch, time, rows, row_count, note,
                          options->has_source_time ? options->source_time_ns : 0);
    }
    yore_stats stats = {.struct_size = sizeof stats};
    world_expect(w, yore_stats_get(w->db, &stats, &err), YORE_OK, "yore_stats_get", &err);
    if (stats.version != model_last_version(&w->m))
        world_fail(w, "the store is at v%" PRIu64 ", the model at v%" PRIu64, stats.version,
                   model_last_version(&w->m));
}

static void pick_options(world *w, yore_txn_options *options)
{
    options->isolation = below(w, 3) ? YORE_ISOLATION_DEFAULT : YORE_ISOLATION_SERIALIZABLE;
    options->allow_empty = chance(w, 16);
    if (chance(w, 10)) {
        options->has_source_time = true;
        options->source_time_ns = (int64_t)below(w, 1000000);
    }
    if (chance(w, 10)) {
        options->has_time = true;
        options->times = (uint32_t)below(w, 2);
        options->time_ns = w->clock + (int64_t)below(w, 4) * 1500000000 - 2000000000;
        if (chance(w, 4) && w->m.has_data)
            options->time_ns = w->m.last_data_time_ns + (int64_t)below(w, 3) - 1;
        options->allow_future = chance(w, 8);
    }
}

void step_batch(world *w)
{
    slot s = {0};
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    pick_options(w, &options);
    begin(w, &s, &options);
    do_ops(w, &s, (size_t)below(w, w->is_wide ? MODEL_OPS_MAX : 10));
    commit(w, &s, &options);
}

static slot *pick_slot(world *w, bool open)
{
    size_t first = (size_t)below(w, SLOT_COUNT);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        slot *s = &w->slots[(first + i) % SLOT_COUNT];
        if ((s->txn != NULL) == open) return s;
    }
    return NULL;
}

void step_begin(world *w)
{
    slot *s = pick_slot(w, false);
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    options.isolation = below(w, 2) ? YORE_ISOLATION_SNAPSHOT : YORE_ISOLATION_SERIALIZABLE;
    if (s) begin(w, s, &options);
}

void step_txn_ops(world *w)
{
    slot *s = pick_slot(w, true);
    if (!s) return;
    world_say(w, "operations in transaction %d", (int)(s - w->slots));
    do_ops(w, s, 1 + (size_t)below(w, 3));
}

void step_commit(world *w)
{
    slot *s = pick_slot(w, true);
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    if (!s) return;
    world_say(w, "commit transaction %d", (int)(s - w->slots));
    commit(w, s, &options);
}

void step_rollback(world *w)
{
    slot *s = pick_slot(w, true);
    if (!s) return;
    world_say(w, "roll transaction %d back", (int)(s - w->slots));
    yore_rollback(s->txn);
    s->txn = NULL;
}

void world_rollback_all(world *w)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        yore_rollback(w->slots[i].txn);
        w->slots[i].txn = NULL;
    }
}

/* -- reading inside a transaction -- */

static void note_read(slot *s, model_read read)
{
    if (s->expected.read_count < MODEL_READS_MAX) {
        s->expected.reads[s->expected.read_count++] = read;
        return;
    }
    /* No more room: from here on any change may count. */
    s->expected.reads[MODEL_READS_MAX - 1] =
        (model_read){.is_range = true, .primitive = YORE_KV, .is_doubtful = true};
    s->expected.reads[MODEL_READS_MAX - 2] =
        (model_read){.is_range = true, .primitive = YORE_JSON, .is_doubtful = true};
}

/* Is the value the transaction shows for a key it has operations on made from that of its snapshot? */
static bool depends_on_snapshot(const model_txn *txn, yore_key key)
{
    for (size_t i = 0; i < txn->op_count; i++) {
        const model_op *op = &txn->ops[i];
        bool resolves = op->kind == MODEL_INCR || op->kind == MODEL_APPEND;
        if (op->primitive == key.primitive && yr_slice_equal(op->key, key.user) && !resolves) return false;
    }
    return true;
}

void step_txn_get(world *w)
{
    slot *s = pick_slot(w, true);
    if (!s) return;
    yore_key key = world_key(world_pick_key(w));
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    model_row scratch;
    const model_row *want;
    bool touched = model_txn_touches(&s->expected, key.primitive, key.user);
    world_say(w, "get in transaction %d, key %.*s", (int)(s - w->slots),
              key.user.size > 20 ? 20 : (int)key.user.size, (const char *)key.user.data);
    if (!model_txn_get(&w->m, &s->expected, key.primitive, key.user, &scratch, &want)) return;
    yore_status status = yore_txn_get(s->txn, key, &pin, &err);
    world_expect(w, status, want ? YORE_OK : YORE_NOT_FOUND, "yore_txn_get", &err);
    note_read(s, (model_read){.primitive = key.primitive,
                              .key = key.user,
                              .is_doubtful = touched && !depends_on_snapshot(&s->expected, key)});
    if (status != YORE_OK) return;
    if (!yr_slice_equal(pin.value, want->value)) world_fail(w, "the transaction reads another value");
    if (!touched &&
        (pin.version != want->version || pin.expiry_ns != want->expiry_ns || pin.type != want->type))
        world_fail(w, "v%" PRIu64 ", expected v%" PRIu64, pin.version, want->version);
    yore_unpin(&pin);
}

/* What the scan must give: the keys of the universe that are there, in order. False when a type error makes one of
 * them unreadable. */
static bool expect_scan(world *w, const slot *s, const yore_range *range, model_row *rows, size_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        uint32_t at = range->reverse ? KEY_COUNT - 1 - i : i;
        yore_key key = world_key(at);
        const model_row *row;
        if (key.primitive != range->primitive || !world_uses_key(w, at)) continue;
        if (range->prefix.size && (key.user.size < range->prefix.size ||
                                   memcmp(key.user.data, range->prefix.data, range->prefix.size) != 0))
            continue;
        if (range->from.size && yr_slice_compare(key.user, range->from) < 0) continue;
        if (range->to.size && yr_slice_compare(key.user, range->to) >= 0) continue;
        if (!model_txn_get(&w->m, &s->expected, key.primitive, key.user, &rows[*count], &row)) return false;
        if (row) rows[(*count)++].key = key.user;
    }
    if (range->limit && *count > range->limit) *count = (size_t)range->limit;
    return true;
}

void step_txn_scan(world *w)
{
    slot *s = pick_slot(w, true);
    if (!s) return;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    static model_row want[KEY_COUNT];
    size_t count;
    range.primitive = chance(w, 5) ? YORE_JSON : YORE_KV;
    if (below(w, 2)) range.prefix = yore_bytes("user:", below(w, 6));
    if (chance(w, 3)) range.from = world_key(world_pick_key(w)).user;
    if (chance(w, 3)) range.to = world_key(world_pick_key(w)).user;
    if (chance(w, 3)) range.limit = 1 + below(w, 6);
    range.reverse = chance(w, 3);
    world_say(w, "scan in transaction %d%s", (int)(s - w->slots), range.reverse ? ", reverse" : "");
    if (!expect_scan(w, s, &range, want, &count)) return;
    bool stops_early = chance(w, 4);
    size_t stop = stops_early ? (size_t)below(w, count + 1) : count;
    world_expect(w, yore_txn_scan(s->txn, &range, &iter, &err), YORE_OK, "yore_txn_scan", &err);
    for (size_t i = 0; i < stop; i++) {
        yore_row row;
        size_t n = 0;
        world_expect(w, yore_next(iter, &row, sizeof row, 1, &n, &err), YORE_OK, "yore_next", &err);
        if (n != 1 || !yr_slice_equal(row.key, want[i].key) || !yr_slice_equal(row.value, want[i].value))
            world_fail(w, "row %zu is '%.*s' (%zu bytes), expected '%.*s' (%zu bytes)", i, (int)row.key.size,
                       (const char *)row.key.data, row.value.size, (int)want[i].key.size,
                       (const char *)want[i].key.data, want[i].value.size);
    }
    if (!stops_early) {
        yore_row row;
        size_t n = 0;
        world_expect(w, yore_next(iter, &row, sizeof row, 1, &n, &err), YORE_END, "yore_next", &err);
    }
    yore_iter_close(iter);
    note_read(s, (model_read){.is_range = true,
                              .primitive = range.primitive,
                              .from = range.from,
                              .to = range.to,
                              .prefix = range.prefix,
                              .is_partial = stops_early || range.limit});
}

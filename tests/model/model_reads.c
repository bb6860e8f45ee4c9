/* Steps that read, and the samples of the past that are read again after every step. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

#define ROWS_AT_ONCE 7u

static void open_snap(world *w, yore_db *db, const point *at, yore_snap **snap)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_status status = yore_snap_open(db, &at->at, snap, &where, &err);
    world_expect(w, status, at->status, "yore_snap_open", &err);
    if (status < 0) return;
    if (where.branch_id != at->branch || where.snap_version != at->cap || where.snap_time_ns != at->time_ns)
        world_fail(
            w, "snapshot of branch %u v%" PRIu64 " time %" PRId64 ", expected %u v%" PRIu64 " time %" PRId64,
            where.branch_id, where.snap_version, where.snap_time_ns, at->branch, at->cap, at->time_ns);
}

static void compare_pin(world *w, const yore_pin *pin, const model_row *want, yore_key key)
{
    if (!yr_slice_equal(pin->value, want->value) || !yr_slice_equal(pin->meta, want->meta) ||
        pin->version != want->version || yore_pin_time(pin) != want->time_ns ||
        pin->expiry_ns != want->expiry_ns || pin->branch_id != want->branch || pin->type != want->type)
        world_fail(w,
                   "key '%.*s': %zu bytes of v%" PRIu64 " branch %u type %u, expected %zu of v%" PRIu64
                   " branch %u type %u",
                   key.user.size > 20 ? 20 : (int)key.user.size, (const char *)key.user.data, pin->value.size,
                   pin->version, pin->branch_id, pin->type, want->value.size, want->version, want->branch,
                   want->type);
}

void world_compare_key(world *w, yore_snap *snap, const point *at, uint32_t index)
{
    yore_key key = world_key(index);
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    const model_row *want = model_get(&w->m, at->branch, at->cap, at->time_ns, key.primitive, key.user);
    yore_status status = yore_get(snap, key, &pin, &err);
    if (status != (want ? YORE_OK : YORE_NOT_FOUND))
        world_fail(w, "key '%.*s' of primitive %u at branch %u v%" PRIu64 ": %s, expected %s %" PRIu64,
                   key.user.size > 20 ? 20 : (int)key.user.size, (const char *)key.user.data, key.primitive,
                   at->branch, at->cap, yore_status_name(status), want ? "v" : "nothing",
                   want ? want->version : 0);
    if (status == YORE_OK) compare_pin(w, &pin, want, key);
    yore_unpin(&pin);
}

void step_get(world *w)
{
    point at;
    yore_snap *snap = NULL;
    world_pick_point(w, true, &at);
    world_say(w, "get on %s", at.text);
    open_snap(w, w->db, &at, &snap);
    for (int i = 0; snap && i < 3; i++) world_compare_key(w, snap, &at, world_pick_key(w));
    yore_snap_close(snap);
    /* The one-call form, of the present. */
    const model_branch *branch = world_pick_branch(w);
    yore_key key = world_key(world_pick_key(w));
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    int64_t latest = model_last_time(&w->m), now = w->clock > latest ? w->clock : latest;
    const model_row *want = model_get(&w->m, branch->id, UINT64_MAX, now, key.primitive, key.user);
    world_expect(w, yore_db_get(w->db, yore_str(branch->name), key, &pin, &err),
                 want ? YORE_OK : YORE_NOT_FOUND, "yore_db_get", &err);
    if (want) compare_pin(w, &pin, want, key);
    yore_unpin(&pin);
}

void step_get_many(world *w)
{
    enum { MANY = 24 };
    point at;
    yore_snap *snap = NULL;
    yore_key keys[MANY];
    yore_pin pins[MANY];
    yore_status each[MANY];
    yore_error err = YORE_ERROR_INIT;
    size_t n = (size_t)below(w, MANY + 1);
    memset(pins, 0, sizeof pins);
    world_pick_point(w, true, &at);
    world_say(w, "get %zu keys on %s", n, at.text);
    open_snap(w, w->db, &at, &snap);
    if (!snap) return;
    for (size_t i = 0; i < n; i++) keys[i] = world_key(world_pick_key(w));
    world_expect(w, yore_get_many(snap, keys, n, pins, each, &err), YORE_OK, "yore_get_many", &err);
    for (size_t i = 0; i < n; i++) {
        const model_row *want =
            model_get(&w->m, at.branch, at.cap, at.time_ns, keys[i].primitive, keys[i].user);
        world_expect(w, each[i], want ? YORE_OK : YORE_NOT_FOUND, "a key of yore_get_many", &err);
        if (want) compare_pin(w, &pins[i], want, keys[i]);
        yore_unpin(&pins[i]);
    }
    yore_snap_close(snap);
}

void world_compare_row(world *w, const yore_row *got, const model_row *want, bool with_value, const char *of)
{
    if (!yr_slice_equal(got->key, want->key) || got->version != want->version ||
        got->time_ns != want->time_ns || got->branch_id != want->branch || got->primitive != want->primitive)
        world_fail(w, "%s: row '%.*s' v%" PRIu64 " of branch %u, expected '%.*s' v%" PRIu64 " of branch %u",
                   of, got->key.size > 20 ? 20 : (int)got->key.size, (const char *)got->key.data,
                   got->version, got->branch_id, want->key.size > 20 ? 20 : (int)want->key.size,
                   (const char *)want->key.data, want->version, want->branch);
    if (with_value && got->op == YORE_OP_PUT &&
        (!yr_slice_equal(got->value, want->value) || !yr_slice_equal(got->meta, want->meta) ||
         got->type != want->type || got->expiry_ns != want->expiry_ns))
        world_fail(w, "%s: row '%.*s' v%" PRIu64 " has another value, metadata, type or expiry", of,
                   got->key.size > 20 ? 20 : (int)got->key.size, (const char *)got->key.data, got->version);
}

/* Read an iterator in batches and compare each row. `time_ns` decides which rows of `want` count as deleted; with
 * INT64_MIN only deletes do (histories). */
static void compare_rows(world *w, yore_iter *iter, const yore_range *range, model_list want, size_t count,
                         int64_t time_ns, const char *of)
{
    yore_row rows[ROWS_AT_ONCE];
    yore_error err = YORE_ERROR_INIT;
    size_t seen = 0, n = 0;
    yore_status status;
    while ((status = yore_next(iter, rows, sizeof rows[0], 1 + (size_t)below(w, ROWS_AT_ONCE), &n, &err)) ==
           YORE_OK) {
        if (n == 0) world_fail(w, "%s: no rows but not the end", of);
        for (size_t i = 0; i < n; i++, seen++) {
            if (seen == count)
                world_fail(w, "%s: more than %zu rows, the next is '%.*s'", of, count,
                           rows[i].key.size > 20 ? 20 : (int)rows[i].key.size,
                           (const char *)rows[i].key.data);
            uint32_t op = model_is_visible(want[seen], time_ns) ? YORE_OP_PUT : YORE_OP_DEL;
            if (rows[i].op != op)
                world_fail(w, "%s: row %zu has op %u, expected %u", of, seen, rows[i].op, op);
            world_compare_row(w, &rows[i], want[seen], !range->keys_only, of);
            if (range->keys_only && rows[i].value.size) world_fail(w, "%s: a value although keys_only", of);
        }
    }
    world_expect(w, status, YORE_END, "yore_next", &err);
    if (seen != count)
        world_fail(w, "%s: %zu rows, expected %zu, missing '%.*s'", of, seen, count,
                   want[seen]->key.size > 20 ? 20 : (int)want[seen]->key.size,
                   (const char *)want[seen]->key.data);
    yore_iter_close(iter);
}

static void compare_scan(world *w, yore_snap *snap, const point *at, const yore_range *range)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    model_list want;
    size_t count = model_scan(&w->m, at->branch, at->cap, at->time_ns, range, &want);
    world_expect(w, yore_scan(snap, range, &iter, &err), YORE_OK, "yore_scan", &err);
    compare_rows(w, iter, range, want, count, at->time_ns, "scan");
    free(want);
}

void step_scan(world *w)
{
    static const char *const prefixes[] = {"a", "ab", "user:", "F", "F0", "k", "a/long", "\xFF"};
    point at;
    yore_snap *snap = NULL;
    yore_range range = YORE_RANGE_INIT;
    world_pick_point(w, true, &at);
    if (chance(w, 4)) range.primitive = YORE_JSON;
    if (below(w, 2)) range.prefix = yore_str(prefixes[below(w, 8)]);
    if (chance(w, 3)) range.from = world_key(world_pick_key(w)).user;
    if (chance(w, 3)) range.to = world_key(world_pick_key(w)).user;
    if (chance(w, 3)) range.limit = 1 + below(w, 8);
    range.reverse = below(w, 2);
    range.keys_only = chance(w, 4);
    range.with_deleted = chance(w, 3);
    range.own_only = chance(w, 4);
    world_say(w, "scan on %s: prefix '%.*s'%s%s%s%s limit %" PRIu64, at.text, (int)range.prefix.size,
              range.prefix.data ? (const char *)range.prefix.data : "", range.reverse ? " reverse" : "",
              range.with_deleted ? " with-deleted" : "", range.own_only ? " own-only" : "",
              range.from.size || range.to.size ? " from-to" : "", range.limit);
    open_snap(w, w->db, &at, &snap);
    if (snap) compare_scan(w, snap, &at, &range);
    yore_snap_close(snap);
}

static void compare_history(world *w, yore_db *db, const point *at, yore_key key, const yore_range *range)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    model_list want;
    yore_range everything = YORE_RANGE_INIT;
    size_t count = model_history(&w->m, at->branch, at->cap, key.primitive, key.user, &everything, &want);
    bool ever = count > 0;
    free(want);
    yore_status status = yore_history(db, &at->at, key, range, &iter, &err);
    if (at->status || !ever) {
        /* A key never seen is an answer of the call, or an empty list. */
        if (!at->status && status == YORE_OK) {
            compare_rows(w, iter, &everything, NULL, 0, INT64_MIN, "history");
            return;
        }
        world_expect(w, status, at->status ? at->status : YORE_NOT_FOUND, "yore_history", &err);
        return;
    }
    count = model_history(&w->m, at->branch, at->cap, key.primitive, key.user, range ? range : &everything,
                          &want);
    if (count == 0 && status == YORE_NOT_FOUND) { /* all of it is older than since_version */
        free(want);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_history", &err);
    compare_rows(w, iter, range ? range : &everything, want, count, INT64_MIN, "history");
    free(want);
}

void step_history(world *w)
{
    point at;
    yore_range range = YORE_RANGE_INIT;
    world_pick_point(w, true, &at);
    yore_key key = world_key(world_pick_key(w));
    if (chance(w, 3)) range.limit = 1 + below(w, 5);
    if (chance(w, 3)) range.since_version = below(w, model_last_version(&w->m) + 1);
    world_say(w, "history on %s of '%.*s'", at.text, key.user.size > 20 ? 20 : (int)key.user.size,
              (const char *)key.user.data);
    compare_history(w, w->db, &at, key, below(w, 2) ? &range : NULL);
}

void world_compare_point(world *w, yore_db *db, const point *at)
{
    yore_snap *snap = NULL;
    yore_range range = YORE_RANGE_INIT;
    open_snap(w, db, at, &snap);
    if (!snap) return;
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        if (!world_uses_key(w, i) || (w->is_wide && below(w, 4))) continue;
        world_compare_key(w, snap, at, i);
        compare_history(w, db, at, world_key(i), NULL);
    }
    compare_scan(w, snap, at, &range);
    range.reverse = range.with_deleted = true;
    compare_scan(w, snap, at, &range);
    range.primitive = YORE_JSON;
    compare_scan(w, snap, at, &range);
    yore_snap_close(snap);
}

/* -- samples (I2, I10) -- */

static void sample_key(world *w)
{
    sample *s = &w->samples[below(w, SAMPLE_COUNT)];
    const model_branch *branch = &w->m.branches[below(w, w->m.branch_count)];
    point at;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    *s = (sample){.used = true,
                  .branch = branch->id,
                  .version = 1 + below(w, model_last_version(&w->m)),
                  .key = world_pick_key(w)};
    world_point_at_version(s->branch, s->version, &w->m, &at);
    world_say(w, "sample %s", at.text);
    open_snap(w, w->db, &at, &snap);
    /* The store's own answer is kept, not the model's. */
    s->present = yore_get(snap, world_key(s->key), &pin, &err) == YORE_OK;
    if (s->present) {
        s->value_version = pin.version;
        s->value = model_keep(&w->m, pin.value);
    }
    yore_unpin(&pin);
    yore_snap_close(snap);
}

static void hold_snapshot(world *w)
{
    held *h = &w->helds[below(w, HELD_COUNT)];
    point at;
    yore_error err = YORE_ERROR_INIT;
    world_pick_point(w, true, &at);
    world_say(w, "hold %s open", at.text);
    yore_snap_close(h->snap);
    yore_unpin(&h->pin);
    *h = (held){.branch = at.branch, .cap = at.cap, .time_ns = at.time_ns};
    open_snap(w, w->db, &at, &h->snap);
    if (!h->snap) return;
    for (int i = 0; i < 4 && !h->pin_value.data; i++) {
        if (yore_get(h->snap, world_key(world_pick_key(w)), &h->pin, &err) != YORE_OK) continue;
        world_expect(w, yore_pin_keep(&h->pin, &err), YORE_OK, "yore_pin_keep", &err);
        h->pin_value = model_keep(&w->m, h->pin.value);
    }
    if (chance(w, 4)) { /* a kept pin outlives its snapshot */
        yore_snap_close(h->snap);
        h->snap = NULL;
    }
}

void step_sample(world *w)
{
    if (chance(w, 4))
        hold_snapshot(w);
    else
        sample_key(w);
}

static void check_sample(world *w, const sample *s)
{
    point at;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    world_point_at_version(s->branch, s->version, &w->m, &at);
    open_snap(w, w->db, &at, &snap);
    bool present = yore_get(snap, world_key(s->key), &pin, &err) == YORE_OK;
    if (present != s->present ||
        (present && (pin.version != s->value_version || !yr_slice_equal(pin.value, s->value))))
        world_fail(w, "an earlier answer changed: %s key %u was v%" PRIu64 ", is v%" PRIu64, at.text, s->key,
                   s->value_version, present ? pin.version : 0);
    yore_unpin(&pin);
    yore_snap_close(snap);
}

void world_check_samples(world *w)
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        if (w->samples[i].used && w->db) check_sample(w, &w->samples[i]);
    }
    for (size_t i = 0; i < HELD_COUNT; i++) {
        held *h = &w->helds[i];
        if (h->pin_value.data && !yr_slice_equal(h->pin.value, h->pin_value))
            world_fail(w, "a kept pin changed");
        if (!h->snap) continue;
        point at = {.branch = h->branch, .cap = h->cap, .time_ns = h->time_ns};
        for (uint32_t key = 0; key < 3; key++) world_compare_key(w, h->snap, &at, world_pick_key(w));
    }
}

void world_drop_samples(world *w)
{
    for (size_t i = 0; i < HELD_COUNT; i++) {
        yore_snap_close(w->helds[i].snap);
        yore_unpin(&w->helds[i].pin);
        w->helds[i] = (held){0};
    }
}

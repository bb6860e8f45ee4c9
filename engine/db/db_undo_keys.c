/* The keys of a plan that brings back older states: what each is, and what becomes of it. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/db/undo_private.h"
#include "engine/merge/three_way.h"

static void release_key(yore_undo *plan)
{
    for (int i = 0; i < YR_UNDO_STATES; i++) {
        if (plan->shows[i]) yr_found_release(&plan->found[i]);
        plan->shows[i] = false;
    }
    if (plan->is_merged) yr_json_merged_deinit(&plan->json);
    plan->is_merged = false;
}

void yr_undo_rewind(yore_undo *plan)
{
    release_key(plan);
    yore_iter_close(plan->rows);
    yr_diff_close(plan->diff);
    plan->rows = NULL;
    plan->diff = NULL;
    plan->key_at = 0;
}

/* -- one key in one state -- */

static yore_status look(yore_undo *plan, int state, const yr_lookup *key, yore_error *err)
{
    const yr_view *view = &plan->views[state];
    yr_found *found = &plan->found[state];
    yr_epoch_enter();
    yore_status status = yr_lineage_find(view, key, found, err);
    yr_epoch_exit();
    if (status != YORE_OK) return status < 0 ? status : YORE_OK;
    plan->shows[state] = yr_found_is_visible(found, view->time_ns);
    if (!plan->shows[state]) yr_found_release(found);
    return YORE_OK;
}

static yr_lookup lookup_of(const yore_undo *plan, yore_key key)
{
    uint32_t primitive = yr_key_primitive(key);
    return (yr_lookup){.key_hash = yr_layers_key_hash(plan->layers, primitive, key.user),
                       .user_key = key.user,
                       .primitive = primitive};
}

static yore_status look_everywhere(yore_undo *plan, yore_key key, yore_error *err)
{
    const yr_lookup lookup = lookup_of(plan, key);
    yore_status status = look(plan, YR_UNDO_NOW, &lookup, err);
    if (status == YORE_OK && plan->has_base) status = look(plan, YR_UNDO_BASE, &lookup, err);
    if (status == YORE_OK) status = look(plan, YR_UNDO_THEN, &lookup, err);
    return status;
}

/* -- the keys -- */

/* A key that was asked for must be one of the commit's. */
static yore_status check_picked(yore_undo *plan, yore_key key, yore_error *err)
{
    yr_found found;
    const yr_lookup lookup = lookup_of(plan, key);
    yr_epoch_enter();
    yore_status status = yr_lineage_find(&plan->views[YR_UNDO_THEN], &lookup, &found, err);
    yr_epoch_exit();
    if (status < 0) return status;
    bool wrote = status == YORE_OK && found.version == plan->mark.version;
    if (status == YORE_OK) yr_found_release(&found);
    if (wrote) return YORE_OK;
    yr_fail(err, YORE_ERR_REFUSED, "v%" PRIu64 " did not write key '%.*s'", plan->mark.version,
            key.user.size > 64 ? 64 : (int)key.user.size, (const char *)key.user.data);
    yr_hint(err, "yore show v%" PRIu64, plan->mark.version);
    return YORE_ERR_REFUSED;
}

static yore_status next_given(yore_undo *plan, yore_key *key, yore_error *err)
{
    if (plan->key_at == plan->key_count) return YORE_END;
    *key = plan->keys[plan->key_at++];
    yore_status status = plan->has_base ? check_picked(plan, *key, err) : YORE_OK;
    return status < 0 ? status : look_everywhere(plan, *key, err);
}

static yore_status next_of_commit(yore_undo *plan, yore_key *key, yore_error *err)
{
    yore_range range = YORE_RANGE_INIT;
    yore_row row;
    size_t n;
    yore_status status = YORE_OK;
    range.keys_only = true;
    if (!plan->rows)
        status = yr_commit_rows(plan->db, plan->layers, plan->mark.version, &range, &plan->rows, err);
    if (status == YORE_OK) status = yore_next(plan->rows, &row, sizeof row, 1, &n, err);
    if (status != YORE_OK) return status;
    *key = (yore_key){.user = row.key, .primitive = row.primitive};
    return look_everywhere(plan, *key, err);
}

static yore_status open_diff(yore_undo *plan, yore_error *err)
{
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.primitive = plan->mark.kind == YORE_UNDO_RESET ? YORE_ANY_PRIMITIVE : plan->primitive;
    options.prefix = plan->prefix;
    yore_status status = yr_db_settle(plan->db, err);
    if (status < 0) return status;
    status = yr_diff_open(plan->db->env, &plan->views[YR_UNDO_NOW], &plan->views[YR_UNDO_THEN], &options,
                          &plan->diff, err);
    if (status == YORE_OK) yr_diff_mind_expiry(plan->diff);
    return status;
}

static yore_status next_of_diff(yore_undo *plan, yore_key *key, yore_error *err)
{
    yr_diff_row row;
    yore_status status = plan->diff ? YORE_OK : open_diff(plan, err);
    if (status == YORE_OK) status = yr_diff_next(plan->diff, &row, err);
    if (status != YORE_OK) return status;
    *key = (yore_key){.user = row.key, .primitive = row.primitive};
    plan->shows[YR_UNDO_NOW] = row.has_old;
    plan->shows[YR_UNDO_THEN] = row.has_new;
    if (row.has_old) plan->found[YR_UNDO_NOW] = row.old;
    if (row.has_new) plan->found[YR_UNDO_THEN] = row.new_;
    /* what they borrow stays the diff's */
    plan->found[YR_UNDO_NOW].pin_count = plan->found[YR_UNDO_THEN].pin_count = 0;
    return YORE_OK;
}

static yore_status next_key(yore_undo *plan, yore_key *key, yore_error *err)
{
    release_key(plan);
    if (plan->keys) return next_given(plan, key, err);
    return plan->has_base ? next_of_commit(plan, key, err) : next_of_diff(plan, key, err);
}

/* -- rows -- */

static const yr_found *shown(const yore_undo *plan, int state)
{
    return plan->shows[state] ? &plan->found[state] : NULL;
}

static yore_undo_state state_of(const yore_undo *plan, int state)
{
    const yr_found *found = shown(plan, state);
    if (!found) return (yore_undo_state){0};
    return (yore_undo_state){.value = found->value,
                             .meta = found->meta,
                             .version = found->version,
                             .expiry_ns = found->expiry_ns,
                             .type = found->type};
}

static uint32_t op_of(const yore_undo *plan)
{
    if (!plan->shows[YR_UNDO_THEN]) return YORE_DIFF_DEL;
    return plan->shows[YR_UNDO_NOW] ? YORE_DIFF_CHANGE : YORE_DIFF_ADD;
}

static yr_merge_state side_of(const yore_undo *plan, int state)
{
    const yr_found *found = shown(plan, state);
    if (!found) return (yr_merge_state){0};
    return (yr_merge_state){.shows = true, .type = found->type, .value = found->value, .meta = found->meta};
}

/* What stands beside a merged value: each of type, metadata and expiry from the side that changed it. False when both
 * did, differently. */
static bool merge_beside(yore_undo *plan, const yr_merge_state sides[YR_SIDE_COUNT])
{
    int64_t base = plan->found[YR_UNDO_BASE].expiry_ns, then = plan->found[YR_UNDO_THEN].expiry_ns;
    int64_t now = plan->found[YR_UNDO_NOW].expiry_ns;
    plan->merged = (yore_undo_state){.expiry_ns = now == base ? then : now,
                                     .version = plan->found[YR_UNDO_THEN].version};
    return yr_merge_beside(sides, &plan->merged.type, &plan->merged.meta) &&
           (now == base || then == base || now == then);
}

/* A clash of JSON objects may be none by path: the change took place elsewhere in the object than the later edits. */
static yore_status merge_by_path(yore_undo *plan, yr_undo_verdict *verdict, yore_error *err)
{
    const yr_merge_state sides[YR_SIDE_COUNT] = {[YR_SIDE_BASE] = side_of(plan, YR_UNDO_BASE),
                                                 [YR_SIDE_OURS] = side_of(plan, YR_UNDO_NOW),
                                                 [YR_SIDE_THEIRS] = side_of(plan, YR_UNDO_THEN)};
    const yr_json_sides texts = {.base = sides[YR_SIDE_BASE].value,
                                 .ours = sides[YR_SIDE_OURS].value,
                                 .theirs = sides[YR_SIDE_THEIRS].value};
    if (!yr_merge_may_be_json(sides) || !merge_beside(plan, sides)) return YORE_OK;
    yore_status status = yr_json_merge(plan->db->env, &texts, YR_JSON_STOP, &plan->json, NULL);
    if (status == YORE_ERR_NOMEM) return yr_fail(err, status, "out of memory for an undo");
    if (status < 0) return YORE_OK; /* no JSON after all, or too much of it: a value like any other */
    plan->is_merged = true;         /* json is to be ended */
    plan->merged.value = plan->json.text;
    if (plan->json.conflict_count) return YORE_OK;
    yr_found merged = plan->found[YR_UNDO_NOW];
    merged.value = plan->merged.value;
    merged.meta = plan->merged.meta;
    merged.type = (uint8_t)plan->merged.type;
    merged.expiry_ns = plan->merged.expiry_ns;
    *verdict = yr_undo_same(&merged, &plan->found[YR_UNDO_NOW]) ? YR_UNDO_KEEP : YR_UNDO_WRITE;
    return YORE_OK;
}

static yore_status judge(yore_undo *plan, yr_undo_verdict *verdict, yore_error *err)
{
    const yr_found *now = shown(plan, YR_UNDO_NOW);
    const yr_found *base = plan->has_base ? shown(plan, YR_UNDO_BASE) : now;
    *verdict = yr_undo_decide(now, base, shown(plan, YR_UNDO_THEN));
    return *verdict == YR_UNDO_CLASH ? merge_by_path(plan, verdict, err) : YORE_OK;
}

yore_status yore_undo_next(yore_undo *plan, yore_undo_row *row, yore_error *err)
{
    yore_key key;
    yr_undo_verdict verdict = YR_UNDO_KEEP;
    if (!plan || !row) return yr_fail(err, YORE_ERR_MISUSE, "a plan and room for a row are needed");
    while (verdict == YR_UNDO_KEEP) {
        yore_status status = next_key(plan, &key, err);
        if (status == YORE_OK) status = judge(plan, &verdict, err);
        if (status != YORE_OK) {
            yr_undo_rewind(plan);
            return status;
        }
    }
    bool is_merged = plan->is_merged && verdict == YR_UNDO_WRITE;
    *row = (yore_undo_row){.key = key.user,
                           .primitive = yr_key_primitive(key),
                           .op = verdict == YR_UNDO_CLASH ? 0 : op_of(plan),
                           .clash = verdict == YR_UNDO_CLASH,
                           .merged = is_merged,
                           .now = state_of(plan, YR_UNDO_NOW),
                           .base = state_of(plan, YR_UNDO_BASE),
                           .then = is_merged ? plan->merged : state_of(plan, YR_UNDO_THEN)};
    return YORE_OK;
}

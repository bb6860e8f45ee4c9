#include "engine/merge/merge_plan.h"

#include "engine/base/epoch.h"
#include "engine/base/error.h"
#include "engine/diff/view_diff.h"
#include "engine/json/json_merge.h"
#include "engine/merge/resolutions.h"

typedef struct maker {
    yr_merge_plan *plan;
    const yore_merge_options *options;
    yr_resolutions resolutions;
} maker;

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a merge");
}

/* -- reading -- */

static yr_merge_state state_of(const yr_found *found)
{
    return (yr_merge_state){.shows = true, .type = found->type, .value = found->value, .meta = found->meta};
}

static yore_status read_side(const yr_merge_plan *plan, const yr_merge_item *item, int side,
                             yr_merge_reads *out, yore_error *err)
{
    const yr_view *view = &plan->views[side];
    const yr_lookup key = {.key_hash = item->key_hash, .user_key = item->key, .primitive = item->primitive};
    yr_epoch_enter();
    yore_status status = yr_lineage_find(view, &key, &out->found[side], err);
    yr_epoch_exit();
    if (status != YORE_OK) return status < 0 ? status : YORE_OK;
    out->any[side] = true;
    if (yr_found_is_visible(&out->found[side], view->time_ns))
        out->states[side] = state_of(&out->found[side]);
    return YORE_OK;
}

yore_status yr_merge_read(const yr_merge_plan *plan, const yr_merge_item *item, uint32_t sides,
                          yr_merge_reads *out, yore_error *err)
{
    yore_status status = YORE_OK;
    for (int side = 0; side < YR_SIDE_COUNT; side++) {
        out->any[side] = false;
        out->states[side] = (yr_merge_state){.shows = false};
    }
    for (int side = 0; side < YR_SIDE_COUNT && status == YORE_OK; side++) {
        if (sides >> side & 1) status = read_side(plan, item, side, out, err);
    }
    return status;
}

void yr_merge_unread(yr_merge_reads *reads)
{
    for (int side = 0; side < YR_SIDE_COUNT; side++) {
        if (reads->any[side]) yr_found_release(&reads->found[side]);
        reads->any[side] = false;
    }
}

static uint64_t version_shown(const yr_merge_reads *reads, int side)
{
    return reads->states[side].shows ? reads->found[side].version : 0;
}

/* The side that was written or deleted later. A delete of which nothing is kept any more is the older one. */
static uint32_t newest_side(const yr_merge_reads *reads)
{
    uint64_t ours = reads->any[YR_SIDE_OURS] ? reads->found[YR_SIDE_OURS].version : 0;
    uint64_t theirs = reads->any[YR_SIDE_THEIRS] ? reads->found[YR_SIDE_THEIRS].version : 0;
    return theirs > ours ? YORE_MERGE_THEIRS : YORE_MERGE_OURS;
}

/* -- writing down -- */

static bool copy(yr_arena *arena, yore_slice *bytes)
{
    if (bytes->size == 0) {
        bytes->data = NULL;
        return true;
    }
    bytes->data = yr_arena_copy(arena, bytes->data, bytes->size);
    return bytes->data != NULL;
}

static bool list_item(yr_arena *arena, uint32_t **list, size_t *count, size_t *room, size_t item)
{
    if (*count == *room) {
        uint32_t *grown = yr_arena_grow(arena, *list, sizeof **list, *count, room);
        if (!grown) return false;
        *list = grown;
    }
    (*list)[(*count)++] = (uint32_t)item;
    return true;
}

static yore_status add_item(yr_merge_plan *plan, const yr_merge_item *item, yore_error *err)
{
    bool writes = item->fate == YR_FATE_TAKE || item->fate == YR_FATE_WRITE || item->fate == YR_FATE_DELETE;
    if (plan->count == UINT32_MAX) return yr_fail(err, YORE_ERR_LIMIT, "too many changes for one merge");
    if (plan->count == plan->room) {
        yr_merge_item *grown =
            yr_arena_grow(&plan->arena, plan->items, sizeof *plan->items, plan->count, &plan->room);
        if (!grown) return no_memory(err);
        plan->items = grown;
    }
    if (writes &&
        !list_item(&plan->arena, &plan->changes, &plan->change_count, &plan->change_room, plan->count))
        return no_memory(err);
    if (item->kind &&
        !list_item(&plan->arena, &plan->conflicts, &plan->conflict_count, &plan->conflict_room, plan->count))
        return no_memory(err);
    plan->items[plan->count++] = *item;
    plan->open += item->fate == YR_FATE_OPEN;
    plan->puts += writes && item->fate != YR_FATE_DELETE;
    plan->dels += item->fate == YR_FATE_DELETE;
    plan->by_path += writes && item->is_by_path;
    return YORE_OK;
}

/* Ours becomes `state`, which may be what it is. */
static yore_status set_value(yr_merge_plan *plan, yr_merge_item *item, const yr_merge_state *ours,
                             const yr_merge_state *state, yore_error *err)
{
    item->fate = YR_FATE_KEEP;
    if (yr_merge_same(ours, state)) return YORE_OK;
    item->fate = state->shows ? YR_FATE_WRITE : YR_FATE_DELETE;
    if (!state->shows) return YORE_OK;
    item->type = (uint8_t)state->type;
    item->value = state->value;
    item->meta = state->meta;
    return copy(&plan->arena, &item->value) && copy(&plan->arena, &item->meta) ? YORE_OK : no_memory(err);
}

static void take_theirs(yr_merge_item *item, const yr_merge_state *theirs)
{
    item->fate = theirs->shows ? YR_FATE_TAKE : YR_FATE_DELETE;
}

/* The expiry of a value made of both sides: the one that was changed, of two that were the later one. */
static int64_t merged_expiry(const yr_merge_reads *reads)
{
    int64_t base = reads->found[YR_SIDE_BASE].expiry_ns, ours = reads->found[YR_SIDE_OURS].expiry_ns;
    int64_t theirs = reads->found[YR_SIDE_THEIRS].expiry_ns;
    if (ours == base) return theirs;
    if (theirs == base || ours == 0) return ours;
    return theirs == 0 || theirs > ours ? theirs : ours;
}

/* -- deciding -- */

/* Merge the values by path, as far as that goes. *done: it went, and the item says how. */
static yore_status merge_by_path(maker *m, yr_merge_item *item, const yr_merge_reads *reads, uint32_t prefer,
                                 bool *done, yore_error *err)
{
    static const yr_json_prefer how[] = {YR_JSON_STOP, YR_JSON_OURS, YR_JSON_THEIRS};
    const yr_merge_state *states = reads->states;
    const yr_json_sides sides = {.base = states[YR_SIDE_BASE].value,
                                 .ours = states[YR_SIDE_OURS].value,
                                 .theirs = states[YR_SIDE_THEIRS].value};
    yr_merge_state merged = {.shows = true};
    yr_json_merged json;
    *done = false;
    bool beside = yr_merge_beside(states, &merged.type, &merged.meta);
    if (!beside && prefer == YORE_MERGE_STOP) return YORE_OK;
    if (!beside) merged.meta = states[prefer == YORE_MERGE_OURS ? YR_SIDE_OURS : YR_SIDE_THEIRS].meta;
    yore_status status = yr_json_merge(m->plan->env, &sides, how[prefer], &json, err);
    if (status == YORE_ERR_INPUT || status == YORE_ERR_LIMIT) return YORE_OK; /* as a whole then */
    if (status < 0) return status;
    *done = json.conflict_count == 0 || prefer != YORE_MERGE_STOP;
    if (*done) {
        merged.value = json.text;
        item->is_by_path = true;
        item->expiry_ns = merged_expiry(reads);
        if (json.conflict_count == 0 && beside) item->kind = 0;
        status = set_value(m->plan, item, &states[YR_SIDE_OURS], &merged, err);
    }
    yr_json_merged_deinit(&json);
    return status;
}

static yore_status resolve(maker *m, yr_merge_item *item, const yr_merge_reads *reads, yore_error *err)
{
    const uint64_t versions[YR_SIDE_COUNT] = {version_shown(reads, YR_SIDE_BASE),
                                              version_shown(reads, YR_SIDE_OURS),
                                              version_shown(reads, YR_SIDE_THEIRS)};
    const yore_merge_resolution *one;
    yore_status status =
        yr_resolutions_take(&m->resolutions, item->primitive, item->key, versions, &one, err);
    if (status < 0) return status;
    item->fate = YR_FATE_OPEN;
    if (!one) return YORE_OK; /* the plan will be refused */
    int like = reads->states[YR_SIDE_OURS].shows ? YR_SIDE_OURS : YR_SIDE_THEIRS;
    yr_merge_state state = reads->states[like];
    item->expiry_ns = reads->found[like].expiry_ns;
    state.shows = !one->is_delete;
    state.value = one->value;
    return set_value(m->plan, item, &reads->states[YR_SIDE_OURS], &state, err);
}

/* Both changed it differently. */
static yore_status decide(maker *m, yr_merge_item *item, const yr_merge_reads *reads, yore_error *err)
{
    const yr_merge_state *theirs = &reads->states[YR_SIDE_THEIRS];
    uint32_t prefer = m->options->on_conflict;
    bool done = false;
    if (prefer == YORE_MERGE_NEWEST) prefer = newest_side(reads);
    item->kind = (uint8_t)yr_merge_conflict_kind(reads->states);
    if (!m->options->whole_values && yr_merge_may_be_json(reads->states)) {
        yore_status status = merge_by_path(m, item, reads, prefer, &done, err);
        if (status < 0) return status;
    }
    if (item->kind && !m->resolutions.list) item->decided = (uint8_t)prefer;
    if (done) return YORE_OK;
    if (m->resolutions.list) return resolve(m, item, reads, err);
    if (prefer == YORE_MERGE_THEIRS)
        take_theirs(item, theirs);
    else
        item->fate = prefer == YORE_MERGE_OURS ? YR_FATE_KEEP : YR_FATE_OPEN;
    return YORE_OK;
}

static yore_status judge(maker *m, yr_merge_item *item, const yr_merge_reads *reads, yore_error *err)
{
    switch (yr_three_way(reads->states)) {
    case YR_MERGE_OURS: return YORE_OK; /* but the diff says that theirs changed it */
    case YR_MERGE_THEIRS: take_theirs(item, &reads->states[YR_SIDE_THEIRS]); return YORE_OK;
    case YR_MERGE_ALIKE: m->plan->alike++; return YORE_OK;
    case YR_MERGE_CONFLICT: break;
    }
    return decide(m, item, reads, err);
}

/* A key that theirs changed since the base. */
static yore_status add_key(maker *m, const yr_diff_row *row, yore_error *err)
{
    yr_merge_plan *plan = m->plan;
    yr_merge_item item = {
        .key = row->key,
        .primitive = (uint8_t)row->primitive,
        .fate = YR_FATE_KEEP,
        .key_hash = yr_layers_key_hash(plan->views[YR_SIDE_OURS].layers, row->primitive, row->key)};
    if (!copy(&plan->arena, &item.key)) return no_memory(err);
    yr_merge_reads reads;
    yore_status status = yr_merge_read(plan, &item, 1u << YR_SIDE_OURS, &reads, err);
    if (row->has_old) reads.states[YR_SIDE_BASE] = state_of(&row->old);
    if (row->has_new) reads.states[YR_SIDE_THEIRS] = state_of(&row->new_);
    bool is_clear = status == YORE_OK && yr_three_way(reads.states) != YR_MERGE_CONFLICT;
    if (status == YORE_OK && !is_clear) { /* versions, and deletes, too */
        yr_merge_unread(&reads);
        status = yr_merge_read(plan, &item, (1u << YR_SIDE_COUNT) - 1, &reads, err);
    }
    if (status == YORE_OK) status = judge(m, &item, &reads, err);
    yr_merge_unread(&reads);
    return status == YORE_OK ? add_item(plan, &item, err) : status;
}

static yore_status check_options(const yore_merge_options *options, yore_error *err)
{
    if (options->struct_size != sizeof *options || options->on_conflict > YORE_MERGE_NEWEST ||
        (options->resolution_count && !options->resolutions)) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "merge options are not initialised with YORE_MERGE_OPTIONS_INIT");
    }
    if (options->resolutions && options->on_conflict) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "resolutions answer every conflict: on_conflict has nothing to say");
    }
    return YORE_OK;
}

yore_status yr_merge_plan_make(yr_merge_plan *plan, const yore_merge_options *options, yore_error *err)
{
    yore_diff_options all = YORE_DIFF_OPTIONS_INIT;
    maker m = {.plan = plan, .options = options};
    yr_diff *diff = NULL;
    yr_diff_row row;
    all.primitive = YORE_ANY_PRIMITIVE;
    yore_status status = check_options(options, err);
    if (status == YORE_OK) status = yr_resolutions_open(&m.resolutions, options, &plan->arena, err);
    if (status == YORE_OK)
        status = yr_diff_open(plan->env, &plan->views[YR_SIDE_BASE], &plan->views[YR_SIDE_THEIRS], &all,
                              &diff, err);
    while (status == YORE_OK) {
        status = yr_diff_next(diff, &row, err);
        if (status == YORE_OK) status = add_key(&m, &row, err);
    }
    if (diff) yr_diff_close(diff);
    if (status < 0) return status;
    return yr_resolutions_end(&m.resolutions, err);
}

void yr_merge_plan_deinit(yr_merge_plan *plan)
{
    yr_arena_deinit(&plan->arena);
}

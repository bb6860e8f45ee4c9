/* Merges, what undoes, and collections that no rule lets drop anything. A merge's base is found by its definition. The
 * rows such a commit writes are taken from the store, and then each key must be what its three states say; keys that
 * expire are left to the tests of merge and undo, since each of the three is looked at in its own time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

enum { ROWS_MAX = 1024 };

typedef struct place {
    uint32_t branch;
    uint64_t cap;
} place;

/* -- states of a key -- */

static int64_t now_of(const world *w)
{
    int64_t latest = model_last_time(&w->m);
    return w->clock > latest ? w->clock : latest;
}

static const model_row *state_of(const world *w, place at, yore_key key)
{
    if (!at.cap) return NULL;
    return model_get(&w->m, at.branch, at.cap, now_of(w), key.primitive, key.user);
}

static bool expires(const world *w, place at, yore_key key)
{
    const model_row *row = at.cap ? model_newest(&w->m, at.branch, at.cap, key.primitive, key.user) : NULL;
    return row && row->expiry_ns;
}

static bool is_same(const model_row *a, const model_row *b)
{
    if (!a || !b) return !a && !b;
    return a->type == b->type && yr_slice_equal(a->value, b->value) && yr_slice_equal(a->meta, b->meta);
}

/* -- taking over a commit -- */

static uint32_t make_note(world *w, char text[32])
{
    snprintf(text, 32, "note %u", ++w->note_count);
    return w->note_count;
}

static void absorb(world *w, uint32_t branch, const yore_where *where, uint32_t note, uint64_t merged)
{
    static model_row rows[ROWS_MAX];
    yore_iter *iter = NULL;
    yore_row row;
    yore_error err = YORE_ERROR_INIT;
    size_t count = 0, n;
    yore_status status;
    int64_t time = world_commit_time(w);
    world_check_where(w, where, branch, time);
    world_expect(w, yore_commit_rows(w->db, where->version, &iter, &err), YORE_OK, "yore_commit_rows", &err);
    while ((status = yore_next(iter, &row, sizeof row, 1, &n, &err)) == YORE_OK) {
        if (count == ROWS_MAX) world_fail(w, "more rows than there are keys");
        rows[count++] = (model_row){.op = row.op,
                                    .primitive = row.primitive,
                                    .type = row.type,
                                    .expiry_ns = row.expiry_ns,
                                    .key = model_keep(&w->m, row.key),
                                    .value = model_keep(&w->m, row.value),
                                    .meta = model_keep(&w->m, row.meta)};
    }
    world_expect(w, status, YORE_END, "yore_next", &err);
    yore_iter_close(iter);
    uint64_t version = model_commit_data(&w->m, branch, time, rows, count, note, 0);
    w->m.commits[version - 1].merged = merged;
}

static void expect_nothing_committed(world *w)
{
    yore_stats stats = {.struct_size = sizeof stats};
    world_expect(w, yore_stats_get(w->db, &stats, NULL), YORE_OK, "yore_stats_get", NULL);
    if (stats.version != model_last_version(&w->m)) world_fail(w, "something was committed");
}

/* -- merging -- */

/* Mark everything that went into a place: its lineage, and what was merged into that. */
static void mark_ancestors(const model *m, place at, bool *marks)
{
    yore_log_options all = YORE_LOG_OPTIONS_INIT;
    const model_commit **log;
    size_t count = at.cap ? model_log(m, at.branch, at.cap, &all, &log) : 0;
    if (!at.cap) return;
    for (size_t i = 0; i < count; i++) {
        if (marks[log[i]->version]) continue;
        marks[log[i]->version] = true;
        const model_commit *merged = model_commit_at(m, log[i]->merged);
        if (log[i]->merged) mark_ancestors(m, (place){merged->branch, merged->version}, marks);
    }
    free(log);
}

/* The newest commit that went into both; 0 = there is none. */
static uint64_t common_version(const model *m, place a, place b)
{
    size_t count = model_last_version(m) + 1;
    bool *in_a = calloc(count, sizeof *in_a), *in_b = calloc(count, sizeof *in_b);
    if (!in_a || !in_b) abort();
    mark_ancestors(m, a, in_a);
    mark_ancestors(m, b, in_b);
    uint64_t version = count - 1;
    while (version > 0 && !(in_a[version] && in_b[version])) version--;
    free(in_a);
    free(in_b);
    return version;
}

/* What a key must be after the merge. *conflict: both changed it, differently. */
static const model_row *merged_state(const world *w, yore_key key, const place at[3], uint32_t on_conflict,
                                     bool *conflict)
{
    const model_row *base = state_of(w, at[0], key), *ours = state_of(w, at[1], key),
                    *theirs = state_of(w, at[2], key);
    *conflict = false;
    if (is_same(base, theirs) || is_same(ours, theirs)) return ours;
    if (is_same(base, ours)) return theirs;
    *conflict = true;
    if (on_conflict != YORE_MERGE_NEWEST) return on_conflict == YORE_MERGE_THEIRS ? theirs : ours;
    const model_row *a = model_newest(&w->m, at[1].branch, at[1].cap, key.primitive, key.user);
    const model_row *b = model_newest(&w->m, at[2].branch, at[2].cap, key.primitive, key.user);
    return b && (!a || b->version > a->version) ? theirs : ours;
}

/* Every key, after the merge or instead of it. */
static void check_merge(world *w, const place at[3], uint32_t on_conflict, bool is_merged)
{
    place result = {at[1].branch, model_last_version(&w->m)};
    bool any_conflict = false, any_expires = false;
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        yore_key key = world_key(i);
        bool conflict;
        if (expires(w, at[0], key) || expires(w, at[1], key) || expires(w, at[2], key)) {
            any_expires = true;
            continue;
        }
        const model_row *want = merged_state(w, key, at, on_conflict, &conflict);
        any_conflict = any_conflict || conflict;
        if (is_merged && !is_same(state_of(w, result, key), want))
            world_fail(w, "key %u is not what the three states make it", i);
    }
    if (is_merged && any_conflict && on_conflict == YORE_MERGE_STOP)
        world_fail(w, "a conflict was merged over");
    if (!is_merged && !any_conflict && !any_expires) world_fail(w, "a conflict where there is none");
}

static void check_base(world *w, const yore_merge_info *info, place ours, place theirs)
{
    uint64_t want = common_version(&w->m, ours, theirs);
    if (info->base_version != want)
        world_fail(w, "the base of a merge is v%" PRIu64 ", expected v%" PRIu64, info->base_version, want);
    const model_commit *head = model_head(&w->m, theirs.branch, theirs.cap);
    bool nothing = !head || want == head->version;
    if (info->is_nothing != nothing) world_fail(w, "there is %s to merge", nothing ? "nothing" : "something");
}

void step_merge(world *w)
{
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_merge_info info = {.struct_size = sizeof info};
    yore_merge_plan *plan = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_at from = YORE_AT_INIT;
    char note[32];
    const model_branch *ours = world_pick_branch(w), *theirs = world_pick_branch(w);
    uint64_t tip = model_last_version(&w->m);
    options.on_conflict = (uint32_t)below(w, 4);
    options.allow_unrelated = below(w, 2);
    from.branch_id = theirs->id;
    world_say(w, "merge %s into %s, on conflict %u", theirs->name, ours->name, options.on_conflict);
    place at[3] = {{0, 0}, {ours->id, tip}, {theirs->id, tip}};
    yore_status status = yore_merge_plan_open(w->db, &from, yore_str(ours->name), &options, &plan, &err);
    if (status == YORE_ERR_REFUSED) {
        bool is_unrelated = common_version(&w->m, at[1], at[2]) == 0;
        if (ours != theirs && (!is_unrelated || options.allow_unrelated))
            world_fail(w, "the merge was refused: %s", err.message);
        expect_nothing_committed(w);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_merge_plan_open", &err);
    world_expect(w, yore_merge_plan_info(plan, &info, &err), YORE_OK, "yore_merge_plan_info", &err);
    check_base(w, &info, at[1], at[2]);
    at[0] = (place){info.base_branch_id, info.base_version};
    uint32_t number = make_note(w, note);
    status = yore_merge_apply(plan, yore_str(note), NULL, &where, &err);
    yore_merge_plan_close(plan);
    if (status == YORE_CONFLICT) {
        expect_nothing_committed(w);
        check_merge(w, at, options.on_conflict, false);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_merge_apply", &err);
    if (info.is_nothing) {
        expect_nothing_committed(w);
        return;
    }
    absorb(w, ours->id, &where, number, info.theirs_version);
    check_merge(w, at, options.on_conflict, true);
}

/* -- undoing -- */

static bool is_row_of(const model *m, uint64_t version, yore_key key)
{
    const model_commit *commit = model_commit_at(m, version);
    for (size_t i = commit->first_row; i < commit->first_row + commit->row_count; i++) {
        if (m->rows[i].primitive == key.primitive && yr_slice_equal(m->rows[i].key, key.user)) return true;
    }
    return false;
}

/* The keys of commit `version`: now they are as they were at `want`, if they were so before or as at `base`. */
static void check_taken_back(world *w, uint32_t branch, const yore_undo_info *info, bool is_done)
{
    const model_commit *commit = model_commit_at(&w->m, info->version);
    place before = {commit->branch, commit->version - 1}, after = {commit->branch, commit->version};
    bool is_pick = info->kind == YORE_UNDO_PICK, any_clash = false, any_expires = false;
    place base = is_pick ? before : after, want = is_pick ? after : before;
    place was = {branch, model_last_version(&w->m) - is_done}, is = {branch, model_last_version(&w->m)};
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        yore_key key = world_key(i);
        bool is_meant = is_row_of(&w->m, commit->version, key);
        if (is_done && !is_meant && is_row_of(&w->m, is.cap, key))
            world_fail(w, "key %u is not of v%" PRIu64, i, info->version);
        if (!is_meant) continue;
        if (expires(w, before, key) || expires(w, after, key) || expires(w, was, key)) {
            any_expires = true;
            continue;
        }
        bool is_change = !is_same(state_of(w, base, key), state_of(w, want, key)); /* else it says nothing */
        if (!is_change && is_done && !is_same(state_of(w, is, key), state_of(w, was, key)))
            world_fail(w, "key %u was changed", i);
        if (!is_change) continue;
        bool is_clash = !is_same(state_of(w, was, key), state_of(w, base, key)) &&
                        !is_same(state_of(w, was, key), state_of(w, want, key));
        any_clash = any_clash || is_clash;
        if (is_done && !is_same(state_of(w, is, key), state_of(w, want, key)))
            world_fail(w, "key %u is not what it was", i);
    }
    if (is_done && any_clash) world_fail(w, "a clash was written over");
    if (!is_done && !any_clash && !any_expires) world_fail(w, "a clash where there is none");
}

/* Keys with the prefix are as at the point, and the others are what they were. */
static void check_restored(world *w, uint32_t branch, const point *at, const yore_undo_options *options,
                           bool is_done)
{
    place was = {branch, model_last_version(&w->m) - is_done}, is = {branch, model_last_version(&w->m)};
    place want = {at->branch, at->cap};
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        yore_key key = world_key(i);
        if (expires(w, was, key) || expires(w, want, key)) continue;
        bool is_meant = options->kind == YORE_UNDO_RESET ||
                        (key.primitive == YORE_KV && key.user.size >= options->prefix.size &&
                         yr_slice_equal(yore_bytes(key.user.data, options->prefix.size), options->prefix));
        if (!is_same(state_of(w, is, key), state_of(w, is_meant ? want : was, key)))
            world_fail(w, "key %u is not as at %s", i, at->text);
    }
}

static void pick_undo(world *w, yore_undo_options *options, point *at)
{
    static const char *const prefixes[] = {"", "a", "user:", "user:1", "k"};
    options->kind = 1 + (uint32_t)below(w, 6);
    if (options->kind == YORE_UNDO_REVERT || options->kind == YORE_UNDO_PICK)
        options->version = 1 + below(w, model_last_version(&w->m));
    if (options->kind != YORE_UNDO_RESTORE && options->kind != YORE_UNDO_RESET) return;
    world_pick_point(w, false, at);
    options->at = &at->at;
    if (options->kind == YORE_UNDO_RESTORE) options->prefix = yore_str(prefixes[below(w, 5)]);
}

void step_undo(world *w)
{
    static const char *const names[] = {"", "undo", "redo", "revert", "pick", "restore", "reset"};
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_undo_info info = {.struct_size = sizeof info};
    yore_undo *plan = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    point at = {.text = ""};
    char note[32];
    const model_branch *branch = world_pick_branch(w);
    pick_undo(w, &options, &at);
    bool has_point = options.at != NULL;
    world_say(w, "%s on %s, v%" PRIu64 " %s", names[options.kind], branch->name, options.version, at.text);
    yore_status status = yore_undo_open(w->db, yore_str(branch->name), &options, &plan, &err);
    if (has_point && at.status) {
        world_expect(w, status, at.status, "yore_undo_open", &err);
        return;
    }
    if (!has_point && status == YORE_ERR_REFUSED) return; /* nothing to undo, or another branch's */
    world_expect(w, status, YORE_OK, "yore_undo_open", &err);
    world_expect(w, yore_undo_info_get(plan, &info, &err), YORE_OK, "yore_undo_info_get", &err);
    uint32_t number = make_note(w, note);
    status = yore_undo_apply(plan, NULL, yore_str(note), &where, &err);
    yore_undo_close(plan);
    if (status != YORE_CONFLICT || has_point) world_expect(w, status, YORE_OK, "yore_undo_apply", &err);
    bool is_done = status == YORE_OK && where.version > 0;
    if (is_done)
        absorb(w, branch->id, &where, number, 0);
    else
        expect_nothing_committed(w);
    if (has_point)
        check_restored(w, branch->id, &at, &options, is_done);
    else if (is_done || status == YORE_CONFLICT)
        check_taken_back(w, branch->id, &info, is_done);
}

/* -- keeping everything, said in every way, and collecting -- */

void step_retention(world *w)
{
    yore_retention keep = YORE_RETENTION_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    const model_branch *branch = world_pick_branch(w);
    keep.kind = (uint32_t)below(w, 4);
    keep.age_ns = INT64_C(1) << 60;
    keep.versions = 100000;
    world_say(w, "keep everything of %s by rule %u, and collect", branch->name, keep.kind);
    world_expect(w, yore_branch_retention_set(w->db, yore_str(branch->name), &keep, &where, &err), YORE_OK,
                 "yore_branch_retention_set", &err);
    int64_t time = model_last_time(&w->m) + 1;
    world_check_where(w, &where, 0, time);
    model_commit_system(&w->m, YORE_COMMIT_BRANCH, time);
    yore_gc_report report = YORE_GC_REPORT_INIT;
    world_expect(w, yore_gc(w->db, NULL, &report, &err), YORE_OK, "yore_gc", &err);
    if (report.version || report.branches_trimmed || report.branches_purged)
        world_fail(w, "%u branches were trimmed and %u purged", report.branches_trimmed,
                   report.branches_purged);
    if (chance(w, 2)) world_expect(w, yore_compact(w->db, NULL, NULL, &err), YORE_OK, "yore_compact", &err);
    expect_nothing_committed(w);
}

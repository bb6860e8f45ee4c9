#include "tests/unit/compact/compact_world.h"

#include "engine/format/file_name.h"
#include "engine/format/value_format.h"
#include "engine/segment/segment_verify.h"

#define NONE UINT32_MAX
#define HASH_SEED UINT64_C(0x1234567890ABCDEF)
static const uint8_t uuid[YR_UUID_BYTES] = {1, 2, 3};

static const yore_slice user_keys[WORLD_KEYS] = {
    {"a", 1},
    {"ab", 2},
    {"ab\0", 3},
    {"abc", 3},
    {"k", 1},
    {"\0", 1},
    {"key/with/a/rather/long/name/of/many/bytes/000001", 48},
};

void assert_world_ok(const world *w, yore_status status, const char *what, int line)
{
    if (status == YORE_OK) return;
    print_error("line %d: %s: %s: %s\n", line, what, yore_status_name(status), w->err.message);
    fail();
}

static void wrong(world *w, const char *what, uint32_t branch, uint32_t key, uint64_t version)
{
    if (!w->notes_wrong) {
        print_error("%s: branch %u, key %u, version %" PRIu64 "\n", what, branch, key, version);
        fail();
    }
    if (!w->wrong) w->wrong = what;
}

void world_init(world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->rng = (yr_rng){seed};
    w->sim = yr_sim_create(seed);
    w->env = yr_sim_env(w->sim);
    w->err = (yore_error)YORE_ERROR_INIT;
    assert_int_equal(w->env->dir_open(w->env->ctx, "db", YORE_DIR_CREATE, NULL, &w->dir), 0);
    world_ok(w, yr_block_cache_create(w->env, 1u << 20, &w->cache, &w->err));
    world_ok(w, yr_decoders_create(w->env, &w->decoders, &w->err));
    w->branch_count = 2; /* the registry, and one root */
    for (uint32_t i = 0; i < WORLD_BRANCHES; i++) {
        for (uint32_t k = 0; k < WORLD_KEYS; k++) w->branches[i].newest[k] = NONE;
    }
}

void world_deinit(world *w)
{
    for (uint32_t i = 0; i < w->run_count; i++) yr_run_unref(w->runs[i]);
    for (uint32_t i = 0; i < w->row_count; i++) {
        yr_segment_row *row = &w->rows[i].row;
        free((void *)(uintptr_t)row->tree_key.data);
        free((void *)(uintptr_t)row->value.data);
        free((void *)(uintptr_t)row->meta.data);
    }
    yr_decoders_destroy(w->decoders);
    yr_block_cache_destroy(w->cache);
    w->env->dir_close(w->env->ctx, w->dir);
    assert_false(yr_sim_has_leaks(w->sim));
    yr_sim_destroy(w->sim);
}

/* -- what happens -- */

static void *bytes_of(yr_rng *rng, size_t size)
{
    uint8_t *p = malloc(size ? size : 1);
    assert_non_null(p);
    for (size_t i = 0; i < size; i++) p[i] = (uint8_t)yr_rng_below(rng, i % 3 ? 256 : 4);
    return p;
}

static yore_slice some_value(world *w, bool is_reference)
{
    if (is_reference) {
        uint8_t *p = bytes_of(&w->rng, YR_VALUE_REF_BYTES);
        yr_value_ref ref = {.file_id = 1000 + yr_rng_below(&w->rng, 3),
                            .off = 64 + 8 * yr_rng_below(&w->rng, 1000),
                            .bytes = 65537 + yr_rng_below(&w->rng, 100000),
                            .hash = yr_rng_next(&w->rng)};
        yr_value_ref_encode(&ref, p);
        return yore_bytes(p, YR_VALUE_REF_BYTES);
    }
    size_t size = yr_rng_below(&w->rng, 10) ? (size_t)yr_rng_below(&w->rng, 60)
                                            : (size_t)yr_rng_below(&w->rng, 4000);
    return yore_bytes(bytes_of(&w->rng, size), size);
}

static void add_row(world *w, uint32_t branch, uint32_t key)
{
    world_branch *b = &w->branches[branch];
    yore_slice user = user_keys[key];
    assert_true(w->row_count < WORLD_ROWS);
    uint8_t *tree_key = bytes_of(&w->rng, 5 + user.size);
    yr_put_be32(tree_key, branch);
    tree_key[4] = branch ? YORE_KV : YORE_SYSTEM;
    memcpy(tree_key + 5, user.data, user.size);
    world_row *r = &w->rows[w->row_count];
    *r = (world_row){.branch = branch, .key = key, .older = b->newest[key]};
    r->row = (yr_segment_row){.tree_key = yore_bytes(tree_key, 5 + user.size), .version = w->version};
    bool is_delete = yr_rng_below(&w->rng, 3) == 0;
    r->row.op = is_delete ? YORE_OP_DEL : YORE_OP_PUT;
    if (!is_delete) {
        r->row.type = (uint8_t)yr_rng_below(&w->rng, 3);
        r->row.is_reference = yr_rng_below(&w->rng, 12) == 0;
        r->row.value = some_value(w, r->row.is_reference);
        if (yr_rng_below(&w->rng, 3) == 0)
            r->row.expiry_ns = w->commits[w->version].time_ns + 1 + (int64_t)yr_rng_below(&w->rng, 600);
    }
    size_t meta = yr_rng_below(&w->rng, 5) ? 0 : (size_t)yr_rng_below(&w->rng, 40);
    r->row.meta = yore_bytes(bytes_of(&w->rng, meta), meta);
    b->newest[key] = w->row_count++;
    w->commits[w->version].row_count++;
}

static void begin_commit(world *w, uint32_t branch)
{
    assert_true(w->version < WORLD_VERSIONS);
    int64_t time_ns = w->commits[w->version].time_ns + 1 + (int64_t)yr_rng_below(&w->rng, 20);
    uint64_t prev = w->version;
    while (prev > 0 && w->commits[prev].branch != branch) prev--;
    w->version++;
    w->commits[w->version].time_ns = time_ns;
    w->commits[w->version].branch = branch;
    w->commits[w->version].prev = prev;
}

static bool is_full(const world *w)
{
    return w->version >= WORLD_VERSIONS - 1 || w->row_count + WORLD_KEYS > WORLD_ROWS;
}

/* A live branch, 0 when there is none. */
static uint32_t some_live(world *w)
{
    for (uint32_t try = 0; try < 20; try++) {
        uint32_t branch = 1 + (uint32_t)yr_rng_below(&w->rng, w->branch_count - 1);
        if (!w->branches[branch].is_dead) return branch;
    }
    return 0;
}

void world_commit(world *w)
{
    uint32_t branch = some_live(w);
    if (!branch || is_full(w)) return;
    begin_commit(w, branch);
    for (uint32_t k = 0; k < WORLD_KEYS; k++) {
        if (yr_rng_below(&w->rng, 3) == 0) add_row(w, branch, k);
    }
}

/* -- reading by definition -- */

static uint64_t next_cap(const world *w, uint32_t branch, uint64_t cap)
{
    uint64_t fork = w->branches[branch].fork_version;
    return fork < cap ? fork : cap;
}

/* The row a read shows, NONE for absent. */
static uint32_t shown(const world *w, uint32_t branch, uint64_t cap, uint32_t key, int64_t time_ns, bool full)
{
    for (; branch; cap = next_cap(w, branch, cap), branch = w->branches[branch].parent) {
        for (uint32_t i = w->branches[branch].newest[key]; i != NONE; i = w->rows[i].older) {
            const yr_segment_row *row = &w->rows[i].row;
            if (row->version > cap || (!full && !w->rows[i].is_there && row->version <= w->flushed)) continue;
            bool is_visible = row->op == YORE_OP_PUT && (!row->expiry_ns || row->expiry_ns > time_ns);
            return is_visible ? i : NONE;
        }
    }
    return NONE;
}

static bool is_readable(const world *w, uint32_t branch, uint64_t cap)
{
    for (; branch; cap = next_cap(w, branch, cap), branch = w->branches[branch].parent) {
        if (!yr_keep_is_readable(yr_keep_find(&w->keep, branch), cap)) return false;
    }
    return true;
}

void world_check(world *w)
{
    for (uint32_t branch = 1; branch < w->branch_count; branch++) {
        for (uint64_t cap = 0; cap <= w->version; cap++) {
            if (!is_readable(w, branch, cap)) continue;
            int64_t at = w->commits[cap].time_ns;
            const int64_t times[] = {at, at + 9, at + 300, INT64_MAX};
            for (uint32_t key = 0; key < WORLD_KEYS; key++) {
                for (size_t t = 0; t < sizeof times / sizeof *times; t++) {
                    w->reads++;
                    if (shown(w, branch, cap, key, times[t], true) !=
                        shown(w, branch, cap, key, times[t], false))
                        wrong(w, "another answer than before", branch, key, cap);
                }
            }
        }
    }
}

/* -- rules -- */

static void pin_lineage(world *w, uint32_t branch, uint64_t cap)
{
    for (; branch; cap = next_cap(w, branch, cap), branch = w->branches[branch].parent) {
        yr_keep_rules *rules = &w->rules[branch];
        assert_true(rules->pin_count < sizeof w->pins[0] / sizeof *w->pins[0]);
        w->pins[branch][rules->pin_count++] = (yr_keep_pin){cap, w->commits[cap].time_ns};
    }
}

void world_rules(world *w)
{
    for (uint32_t i = 0; i < w->branch_count; i++) {
        const world_branch *b = &w->branches[i];
        w->rules[i] = (yr_keep_rules){.branch = i,
                                      .is_root = b->parent == 0,
                                      .is_dead = b->is_dead,
                                      .horizon = b->horizon,
                                      .horizon_ns = w->commits[b->horizon].time_ns,
                                      .pins = w->pins[i]};
    }
    for (uint32_t i = 1; i < w->branch_count; i++) {
        const world_branch *b = &w->branches[i];
        if (b->parent && !b->is_dead) pin_lineage(w, b->parent, b->fork_version);
    }
    for (uint32_t i = 0; i < WORLD_TAGS; i++) {
        if (w->tags[i].version) pin_lineage(w, w->tags[i].branch, w->tags[i].version);
    }
    for (uint32_t i = 0; i < w->branch_count; i++) yr_keep_settle(&w->rules[i]);
    w->keep = (yr_keep_set){.rules = w->rules, .count = w->branch_count};
    assert_null(yr_keep_set_problem(&w->keep));
}

void world_fork(world *w)
{
    uint32_t parent = some_live(w);
    if (!parent || is_full(w) || w->branch_count == WORLD_BRANCHES) return;
    world_rules(w);
    uint64_t version = yr_rng_below(&w->rng, w->version + 1);
    if (yr_rng_below(&w->rng, 2)) version = w->version;
    if (!is_readable(w, parent, version)) return;
    begin_commit(w, 0);
    add_row(w, 0, w->branch_count % WORLD_KEYS);
    world_branch *b = &w->branches[w->branch_count++];
    b->parent = parent;
    b->fork_version = version;
}

void world_kill(world *w)
{
    uint32_t branch = 1 + (uint32_t)yr_rng_below(&w->rng, w->branch_count - 1);
    uint32_t live = 0;
    for (uint32_t i = 1; i < w->branch_count; i++) live += !w->branches[i].is_dead;
    if (w->branches[branch].is_dead || live < 2) return;
    w->branches[branch].is_dead = true;
    for (uint32_t i = 0; i < WORLD_TAGS; i++) {
        if (w->tags[i].branch == branch) w->tags[i] = (world_tag){0};
    }
}

void world_raise_horizon(world *w)
{
    uint32_t branch = some_live(w);
    if (!branch) return;
    uint64_t *horizon = &w->branches[branch].horizon;
    *horizon += yr_rng_below(&w->rng, w->version - *horizon + 1);
}

void world_tag_something(world *w)
{
    world_tag *tag = &w->tags[yr_rng_below(&w->rng, WORLD_TAGS)];
    uint32_t branch = some_live(w);
    if (tag->version || !branch) {
        *tag = (world_tag){0};
        return;
    }
    world_rules(w);
    uint64_t version = yr_rng_below(&w->rng, w->version + 1);
    if (is_readable(w, branch, version)) *tag = (world_tag){branch, version};
}

/* -- files -- */

static yr_segment *open_file(world *w, uint64_t file_id)
{
    char name[YR_FILE_NAME_BYTES];
    yore_file *file = NULL;
    yr_segment *segment = NULL;
    yr_segment_open_options options = {
        .env = w->env, .cache = w->cache, .decoders = w->decoders, .uuid = uuid, .file_id = file_id};
    yr_file_name(YR_FILE_SEGMENT, file_id, false, name);
    assert_int_equal(w->env->open(w->env->ctx, w->dir, name, 0, &file), 0);
    world_ok(w, yr_segment_open(&options, file, name, &segment, &w->err));
    world_ok(w, yr_segment_verify(segment, &w->err));
    return segment;
}

uint32_t world_names(const world *w)
{
    uint32_t n = 0;
    while (yr_sim_dir_name(w->sim, "db", n)) n++;
    return n;
}

static uint64_t new_file_id(void *arg)
{
    world *w = arg;
    return ++w->last_file_id;
}

static void build_options(world *w, yr_segment_build_options *build)
{
    *build = (yr_segment_build_options){.hash_seed = HASH_SEED,
                                        .form = yr_rng_below(&w->rng, 2) ? YR_SEGMENT_HOT : YR_SEGMENT_COLD,
                                        .history_block_bytes = yr_rng_below(&w->rng, 2) ? 4096 : 0,
                                        .has_no_dictionary = yr_rng_below(&w->rng, 4) != 0};
    memcpy(build->uuid, uuid, sizeof uuid);
}

static void commit_head(const world *w, uint64_t version, char note[32], yr_commit_head *head)
{
    int n = snprintf(note, 32, "commit %" PRIu64, version);
    *head = (yr_commit_head){.version = version,
                             .time_ns = w->commits[version].time_ns,
                             .branch = w->commits[version].branch,
                             .row_count = w->commits[version].row_count,
                             .kind = w->commits[version].branch ? YORE_COMMIT_DATA : YORE_COMMIT_BRANCH,
                             .note = yore_bytes(note, version % 2 ? (size_t)n : 0)};
}

static const world *sorted_world; /* qsort has no context */
static int by_key(const void *a, const void *b)
{
    const yr_segment_row *p = &sorted_world->rows[*(const uint32_t *)a].row;
    const yr_segment_row *q = &sorted_world->rows[*(const uint32_t *)b].row;
    int order = yr_slice_compare(p->tree_key, q->tree_key);
    return order ? order : p->version > q->version ? -1 : 1;
}

/* The next segment of a flush: rows from *at on, up to a key's end. The first one takes the commits. */
static yr_segment *flush_file(world *w, const uint32_t *rows, uint32_t count, uint32_t *at, bool is_first,
                              bool is_last)
{
    char making[YR_FILE_NAME_BYTES], name[YR_FILE_NAME_BYTES], note[32];
    yr_segment_build_options build;
    yr_segment_builder *builder;
    build_options(w, &build);
    build.file_id = new_file_id(w);
    build.after_version = w->flushed;
    build.last_version = w->version;
    yr_file_name(YR_FILE_SEGMENT, build.file_id, true, making);
    yr_file_name(YR_FILE_SEGMENT, build.file_id, false, name);
    world_ok(w, yr_segment_builder_create(w->env, &build, w->dir, making, &builder, &w->err));
    for (uint64_t v = w->flushed + 1; is_first && v <= w->version; v++) {
        yr_commit_head head;
        commit_head(w, v, note, &head);
        world_ok(w, yr_segment_builder_commit(builder, &head, w->commits[v].prev, &w->err));
    }
    for (uint32_t first = *at; *at < count; ++*at) {
        const yr_segment_row *row = &w->rows[rows[*at]].row;
        bool is_new = *at > first && !yr_slice_equal(row->tree_key, w->rows[rows[*at - 1]].row.tree_key);
        if (is_new && !is_last && yr_rng_below(&w->rng, 8) == 0) break;
        world_ok(w, yr_segment_builder_add(builder, row, &w->err));
        w->rows[rows[*at]].is_there = true;
    }
    world_ok(w, yr_segment_builder_finish(builder, NULL, &w->err));
    yr_segment_builder_destroy(builder);
    assert_int_equal(w->env->rename(w->env->ctx, w->dir, making, w->dir, name), 0);
    return open_file(w, build.file_id);
}

yore_status world_flush(world *w)
{
    uint32_t rows[WORLD_ROWS], count = 0, at = 0, files = 0;
    yr_segment *segments[3];
    if (w->version == w->flushed || w->run_count == WORLD_RUNS) return YORE_OK;
    for (uint32_t i = 0; i < w->row_count; i++) {
        if (w->rows[i].row.version > w->flushed) rows[count++] = i;
    }
    sorted_world = w;
    qsort(rows, count, sizeof *rows, by_key);
    do {
        segments[files] = flush_file(w, rows, count, &at, files == 0, files == 2);
        files++;
    } while (at < count);
    memmove(w->runs + 1, w->runs, w->run_count * sizeof *w->runs);
    w->run_count++;
    w->flushed = w->version;
    yore_status status = yr_run_create(w->env, w->last_file_id, segments, files, &w->runs[0], &w->err);
    world_ok(w, status);
    return status;
}

/* -- merging -- */

static uint32_t key_of(yore_slice tree_key)
{
    yore_slice user = yore_bytes((const uint8_t *)tree_key.data + 5, tree_key.size - 5);
    for (uint32_t k = 0; k < WORLD_KEYS; k++) {
        if (yr_slice_equal(user, user_keys[k])) return k;
    }
    fail_msg("a key that nobody wrote");
    return 0;
}

static yore_status has_older(void *arg, yore_slice tree_key, bool *answer, yore_error *err)
{
    (void)err;
    world *w = arg;
    const world_branch *b = &w->branches[yr_get_be32(tree_key.data)];
    w->asked++;
    *answer = false;
    for (uint32_t i = b->newest[key_of(tree_key)]; i != NONE; i = w->rows[i].older) {
        if (w->rows[i].is_there && w->rows[i].row.version <= yr_run_after(w->runs[w->merge_last]))
            *answer = true;
    }
    return YORE_OK;
}

static yore_status shows_below(void *arg, uint32_t branch, yore_slice tree_key, bool *answer, yore_error *err)
{
    (void)err;
    world *w = arg;
    const world_branch *b = &w->branches[branch];
    w->asked++;
    *answer = shown(w, b->parent, b->fork_version, key_of(tree_key), w->commits[b->fork_version].time_ns,
                    false) != NONE;
    return YORE_OK;
}

static yore_status progress(void *arg, const yr_merge_progress *now, yore_error *err)
{
    (void)err;
    world *w = arg;
    assert_true(now->files_out <= 1 + now->rows_in);
    w->progress_calls++;
    return w->cancel_after && w->progress_calls >= w->cancel_after ? YORE_ERR_CANCELLED : YORE_OK;
}

void world_options(world *w, yr_merge_options *options)
{
    *options =
        (yr_merge_options){.env = w->env,
                           .dir = w->dir,
                           .target_bytes = yr_rng_below(&w->rng, 2) ? 1 + yr_rng_below(&w->rng, 20000) : 0,
                           .new_file_id = new_file_id,
                           .progress = progress,
                           .arg = w};
    build_options(w, &options->build);
    options->build.is_verified_by_row = yr_rng_below(&w->rng, 8) == 0;
    options->questions.arg = w;
    if (yr_rng_below(&w->rng, 8)) options->questions.has_older = has_older;
    if (yr_rng_below(&w->rng, 8)) options->questions.shows_below = shows_below;
}

static bool same_row(const yr_segment_row *a, const yr_segment_row *b)
{
    return yr_slice_equal(a->tree_key, b->tree_key) && yr_slice_equal(a->value, b->value) &&
           yr_slice_equal(a->meta, b->meta) && a->version == b->version && a->expiry_ns == b->expiry_ns &&
           a->op == b->op && a->type == b->type && a->is_reference == b->is_reference;
}

/* All rows of a run are in the list and bit-equal; notes which were seen. */
static void see_rows(world *w, yr_run *run)
{
    yr_run_rows rows;
    yr_segment_row row;
    yore_status status;
    world_ok(w, yr_run_rows_open(run, &rows, &w->err));
    while ((status = yr_run_rows_next(&rows, &row, &w->err)) == YORE_OK) {
        uint32_t i = w->branches[yr_get_be32(row.tree_key.data)].newest[key_of(row.tree_key)];
        while (i != NONE && w->rows[i].row.version != row.version) i = w->rows[i].older;
        assert_true(i != NONE);
        assert_true(w->rows[i].is_there && !w->rows[i].was_seen);
        assert_true(same_row(&row, &w->rows[i].row));
        w->rows[i].was_seen = true;
    }
    assert_int_equal(status, YORE_END);
    yr_run_rows_close(&rows);
}

static void check_commits(world *w, yr_run *run)
{
    yr_run_commits commits;
    yr_segment_commit commit;
    yore_status status;
    uint64_t version = yr_run_after(run);
    char note[32];
    world_ok(w, yr_run_commits_open(run, &commits, &w->err));
    while ((status = yr_run_commits_next(&commits, &commit, &w->err)) == YORE_OK) {
        yr_commit_head want;
        commit_head(w, ++version, note, &want);
        assert_int_equal(commit.head.version, version);
        assert_int_equal(commit.head.time_ns, want.time_ns);
        assert_int_equal(commit.head.branch, want.branch);
        assert_int_equal(commit.head.row_count, want.row_count);
        assert_int_equal(commit.head.kind, want.kind);
        assert_true(yr_slice_equal(commit.head.note, want.note));
        assert_int_equal(commit.prev, w->commits[version].prev);
    }
    assert_int_equal(status, YORE_END);
    assert_int_equal(version, yr_run_last(run));
    yr_run_commits_close(&commits);
}

/* What the run no longer has is struck off the list. */
static void strike_off(world *w, yr_run *run, const yr_keep_set *keep, const yr_merge_result *result)
{
    uint64_t dropped = 0;
    for (uint32_t i = 0; i < w->row_count; i++) w->rows[i].was_seen = false;
    see_rows(w, run);
    for (uint32_t i = 0; i < w->row_count; i++) {
        world_row *r = &w->rows[i];
        if (r->row.version <= yr_run_after(run) || r->row.version > yr_run_last(run)) continue;
        if (!r->is_there || r->was_seen) continue;
        const world_branch *b = &w->branches[r->branch];
        if (!keep || r->branch == 0 || (!b->is_dead && r->row.version >= b->horizon))
            wrong(w, "a row went that must stay", r->branch, r->key, r->row.version);
        r->is_there = false;
        dropped++;
    }
    assert_int_equal(dropped, result->rows_in - result->rows_out);
    w->rows_dropped += dropped;
    w->hiding_dropped += result->hiding_in - result->hiding_out;
}

/* A new run in the place of [first, last]; files that it does not share with them go. */
static void install(world *w, uint32_t first, uint32_t last, yr_run *run)
{
    for (uint32_t i = first; i <= last; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(w->runs[i]); k++) {
            yr_segment *segment = yr_run_file(w->runs[i], k);
            bool is_shared = false;
            for (uint32_t n = 0; n < yr_run_file_count(run); n++)
                is_shared = is_shared || yr_run_file(run, n) == segment;
            if (!is_shared) (void)w->env->unlink(w->env->ctx, w->dir, yr_segment_name(segment));
        }
        yr_run_unref(w->runs[i]);
    }
    w->runs[first] = run;
    memmove(w->runs + first + 1, w->runs + last + 1, (w->run_count - last - 1) * sizeof *w->runs);
    w->run_count -= last - first;
    uint32_t files = 0;
    for (uint32_t i = 0; i < w->run_count; i++) files += yr_run_file_count(w->runs[i]);
    assert_int_equal(world_names(w), files);
}

yore_status world_merge(world *w, uint32_t first, uint32_t last, const yr_keep_set *keep)
{
    yr_merge_options options;
    yr_merge_result result;
    yr_segment *segments[WORLD_ROWS];
    yr_run *run = NULL;
    world_options(w, &options);
    options.keep = keep;
    options.is_bottom = last + 1 == w->run_count;
    w->merge_last = last;
    yore_status status = yr_merge_runs(&options, w->runs + first, last - first + 1, &result, &w->err);
    if (status < 0) return status;
    assert_true(result.file_count > 0);
    for (uint32_t i = 0; i < result.file_count; i++) segments[i] = open_file(w, result.files[i].file_id);
    world_ok(w, yr_run_create(w->env, w->last_file_id, segments, result.file_count, &run, &w->err));
    assert_int_equal(yr_run_after(run), yr_run_after(w->runs[last]));
    assert_int_equal(yr_run_last(run), yr_run_last(w->runs[first]));
    strike_off(w, run, keep, &result);
    check_commits(w, run);
    install(w, first, last, run);
    yr_merge_result_deinit(w->env, &result);
    return YORE_OK;
}

yore_status world_rewrite(world *w, uint32_t at, uint32_t file, const yr_keep_set *keep)
{
    yr_merge_options options;
    yr_merge_result result;
    yr_segment *segments[WORLD_ROWS];
    yr_run *run = NULL, *old = w->runs[at];
    uint32_t count = 0;
    world_options(w, &options);
    options.keep = keep;
    options.is_bottom = at + 1 == w->run_count;
    w->merge_last = at;
    yore_status status = yr_merge_one_file(&options, old, file, &result, &w->err);
    if (status < 0) return status;
    assert_true(result.file_count == 1 || (result.file_count == 0 && file != 0));
    for (uint32_t i = 0; i < yr_run_file_count(old); i++) {
        if (i != file) {
            segments[count++] = yr_segment_ref(yr_run_file(old, i));
        } else if (result.file_count) {
            segments[count++] = open_file(w, result.files[0].file_id);
        }
    }
    world_ok(w, yr_run_create(w->env, w->last_file_id, segments, count, &run, &w->err));
    strike_off(w, run, keep, &result);
    check_commits(w, run);
    install(w, at, at, run);
    yr_merge_result_deinit(w->env, &result);
    return YORE_OK;
}

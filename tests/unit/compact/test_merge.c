/* Merging runs of segments: random histories over a tree of branches, random retention, random merges; after each every
 * read that the rules allow answers as if nothing had been dropped.
 *
 *   test_merge [--worlds N] [--seed S] [--planted]
 *
 * `--planted` (in the build that has them) runs wrong variants of the drop rule and fails unless each is caught. */
#include "engine/base/planted.h"
#include "engine/compact/survey.h"
#include "tests/unit/compact/compact_world.h"

static uint64_t world_count = 60;
static uint64_t first_seed = 1;
static world the_world; /* large */

/* One of the things that happen, but for merges. */
static void live(world *w)
{
    switch (yr_rng_below(&w->rng, 16)) {
    case 0: world_fork(w); break;
    case 1: world_fork(w); break;
    case 2: world_raise_horizon(w); break;
    case 3: world_tag_something(w); break;
    case 4:
        if (yr_rng_below(&w->rng, 3) == 0) world_kill(w);
        break;
    case 5: world_ok(w, world_flush(w)); break;
    default: world_commit(w);
    }
}

static void merge_something(world *w)
{
    if (w->run_count == 0) return;
    world_rules(w);
    uint32_t first = (uint32_t)yr_rng_below(&w->rng, w->run_count);
    uint32_t last = first + (uint32_t)yr_rng_below(&w->rng, w->run_count - first);
    if (w->run_count == WORLD_RUNS) last = w->run_count - 1;
    if (yr_rng_below(&w->rng, 3) == 0) {
        uint32_t file = (uint32_t)yr_rng_below(&w->rng, yr_run_file_count(w->runs[first]));
        world_ok(w, world_rewrite(w, first, file, &w->keep));
    } else {
        world_ok(w, world_merge(w, first, last, yr_rng_below(&w->rng, 6) ? &w->keep : NULL));
    }
    world_check(w);
}

/* A whole life. */
static void run_world(world *w, uint64_t seed, uint32_t steps, bool notes_wrong)
{
    world_init(w, seed);
    w->notes_wrong = notes_wrong;
    for (uint32_t i = 0; i < steps && !w->wrong; i++) {
        live(w);
        if (yr_rng_below(&w->rng, 20) == 0) merge_something(w);
    }
    world_ok(w, world_flush(w));
    world_rules(w);
    if (!w->wrong) world_check(w);
    /* What nobody can read any more goes in the end, when everything is merged. */
    if (!w->wrong && w->run_count) {
        world_ok(w, world_merge(w, 0, w->run_count - 1, &w->keep));
        world_check(w);
        uint64_t before = w->rows_dropped;
        world_ok(w, world_merge(w, 0, 0, NULL));
        assert_int_equal(w->rows_dropped, before);
    }
}

static void test_every_readable_point_answers_as_before(void **state)
{
    (void)state;
    uint64_t reads = 0, dropped = 0, hiding = 0, rows = 0, asked = 0;
    world *w = &the_world;
    for (uint64_t seed = first_seed; seed < first_seed + world_count; seed++) {
        print_message("%s%" PRIu64, seed == first_seed ? "seeds " : " ", seed);
        run_world(w, seed, 500, false);
        reads += w->reads;
        dropped += w->rows_dropped;
        hiding += w->hiding_dropped;
        rows += w->row_count;
        asked += w->asked;
        world_deinit(w);
    }
    print_message("\n%" PRIu64 " reads as before; %" PRIu64 " of %" PRIu64 " rows went, %" PRIu64
                  " of them deleted or expired ones that hid nothing; %" PRIu64 " questions\n",
                  reads, dropped, rows, hiding, asked);
    assert_true(dropped > rows / 10);
    assert_true(hiding > rows / 100);
}

static void test_keeping_everything_gives_the_union(void **state)
{
    (void)state;
    world *w = &the_world;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        world_init(w, seed);
        while (w->run_count < 6) live(w);
        world_ok(w, world_merge(w, 1, 3, NULL));
        world_ok(w, world_merge(w, 0, w->run_count - 1, NULL));
        world_ok(w, world_rewrite(w, 0, 0, NULL));
        assert_int_equal(w->rows_dropped, 0);
        assert_int_equal(w->run_count, 1);
        world_deinit(w);
    }
}

/* A branch that nobody can read leaves nothing behind, whatever is on it, but its commits. */
static void test_a_dead_branch_goes_with_everything(void **state)
{
    (void)state;
    world *w = &the_world;
    uint64_t gone = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        world_init(w, seed);
        while (w->run_count < 5) live(w);
        for (uint32_t i = 2; i < w->branch_count; i++) w->branches[i].is_dead = true;
        w->branches[1].is_dead = false;
        memset(w->tags, 0, sizeof w->tags);
        world_rules(w);
        world_ok(w, world_merge(w, 0, w->run_count - 1, &w->keep));
        world_check(w);
        for (uint32_t i = 0; i < w->row_count; i++) {
            if (w->rows[i].row.version > w->flushed || w->rows[i].branch < 2) continue;
            assert_false(w->rows[i].is_there);
            gone++;
        }
        world_deinit(w);
    }
    assert_true(gone > 100);
}

/* Rewriting a file that is not the first may leave nothing of it. */
static void test_files_that_lose_everything_go(void **state)
{
    (void)state;
    world *w = &the_world;
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world_init(w, seed);
        while (w->branch_count < 4) live(w);
        while (w->run_count < 1 || yr_run_file_count(w->runs[0]) < 2) {
            if (w->run_count > 4) world_ok(w, world_merge(w, 0, w->run_count - 1, NULL));
            live(w);
        }
        for (uint32_t i = 2; i < w->branch_count; i++) w->branches[i].is_dead = true;
        memset(w->tags, 0, sizeof w->tags);
        world_rules(w);
        uint32_t files = yr_run_file_count(w->runs[0]);
        world_ok(w, world_rewrite(w, 0, files - 1, &w->keep));
        lost += yr_run_file_count(w->runs[0]) < files;
        world_check(w);
        world_deinit(w);
    }
    print_message("%u files lost everything\n", lost);
    assert_true(lost > 0);
}

/* A dry run counts what a merge then does, and makes nothing; what the survey calls garbage went. */
static void test_a_dry_run_and_the_survey_foretell_a_merge(void **state)
{
    (void)state;
    world *w = &the_world;
    uint64_t foretold = 0, estimated = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        yr_merge_options options;
        yr_merge_result dry, wet;
        yr_compact_file files[64];
        yr_compact_run facts;
        world_init(w, seed);
        while (w->run_count < 4) live(w);
        world_ok(w, world_merge(w, 0, w->run_count - 1, NULL));
        for (uint32_t i = 1; i < w->branch_count; i++) w->branches[i].horizon = w->version;
        w->branches[w->branch_count - 1].is_dead = w->branch_count > 2;
        if (seed % 2) memset(w->tags, 0, sizeof w->tags);
        world_rules(w);
        uint32_t names = world_names(w);
        world_options(w, &options);
        options.keep = &w->keep;
        options.is_bottom = true;
        w->merge_last = 0;
        options.is_dry_run = true;
        world_ok(w, yr_merge_runs(&options, w->runs, 1, &dry, &w->err));
        assert_int_equal(world_names(w), names);
        assert_int_equal(dry.file_count, 0);
        options.is_dry_run = false;
        world_ok(w, yr_merge_runs(&options, w->runs, 1, &wet, &w->err));
        assert_int_equal(dry.rows_in, wet.rows_in);
        assert_int_equal(dry.rows_out, wet.rows_out);
        assert_int_equal(dry.row_bytes_in, wet.row_bytes_in);
        assert_int_equal(dry.row_bytes_out, wet.row_bytes_out);
        foretold += dry.rows_in - dry.rows_out;
        assert_true(yr_run_file_count(w->runs[0]) <= 64);
        world_ok(w, yr_compact_survey(w->runs[0], &w->keep, files, &facts, &w->err));
        assert_int_equal(facts.file_count, yr_run_file_count(w->runs[0]));
        for (uint32_t i = 0; i < facts.file_count; i++) {
            assert_int_equal(files[i].bytes, yr_segment_facts(yr_run_file(w->runs[0], i))->file_bytes);
            assert_true(files[i].garbage_bytes <= files[i].bytes);
            estimated += files[i].garbage_bytes;
            if (dry.rows_in == dry.rows_out) assert_int_equal(files[i].garbage_bytes, 0);
        }
        yr_merge_result_remove(&options, &wet);
        yr_merge_result_deinit(w->env, &wet);
        world_deinit(w);
    }
    assert_true(foretold > 0 && estimated > 0);
}

/* -- planted bugs -- */

#ifdef YORE_PLANTED_BUGS
static int run_planted(void)
{
    const struct {
        enum yr_bug bug;
        const char *what;
    } bugs[] = {
        {YR_BUG_COMPACT_UNASKED_DELETE, "a child's delete dropped without asking the parent"},
        {YR_BUG_COMPACT_NO_PINS, "fork points and tags not kept"},
        {YR_BUG_COMPACT_EXPIRY_NOW, "expiry judged by the newest reader"},
    };
    int missed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        world *w = &the_world;
        const char *found = NULL;
        uint64_t seed = 1;
        yr_planted_bug = bugs[i].bug;
        for (; seed <= 60 && !found; seed++) {
            run_world(w, seed, 500, true);
            found = w->wrong;
            world_deinit(w);
        }
        if (found) {
            printf("planted, %s: caught after %" PRIu64 " worlds: %s\n", bugs[i].what, seed - 1, found);
        } else {
            printf("planted, %s: NOT CAUGHT\n", bugs[i].what);
            missed++;
        }
    }
    yr_planted_bug = YR_BUG_NONE;
    return missed;
}
#endif

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--worlds") == 0 && i + 1 < argc) {
            world_count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            first_seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--planted") == 0) {
#ifdef YORE_PLANTED_BUGS
            return run_planted() ? 1 : 0;
#else
            return 2;
#endif
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_readable_point_answers_as_before),
        cmocka_unit_test(test_keeping_everything_gives_the_union),
        cmocka_unit_test(test_a_dead_branch_goes_with_everything),
        cmocka_unit_test(test_files_that_lose_everything_go),
        cmocka_unit_test(test_a_dry_run_and_the_survey_foretell_a_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

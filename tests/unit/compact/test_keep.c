/* The judgement of single versions, against reading by definition: a key's versions on one branch, random rules, every
 * cap that the rules allow at every time a reader may have there. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/compact/keep.h"

#define VERSIONS 40u
#define TIME_OF(version) ((int64_t)(version)*10) /* of a commit */

typedef struct row {
    uint64_t version;
    int64_t expiry_ns;
    uint8_t op;
} row;

/* The version that a read shows, 0 when it shows nothing of this branch; *falls_through when it has no row at all. */
static uint64_t shown(const row *rows, uint32_t count, uint64_t cap, int64_t time_ns, bool *falls_through)
{
    *falls_through = true;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].version > cap) continue;
        *falls_through = false;
        bool is_visible = rows[i].op == YORE_OP_PUT && (!rows[i].expiry_ns || rows[i].expiry_ns > time_ns);
        return is_visible ? rows[i].version : 0;
    }
    return 0;
}

static uint32_t random_rows(yr_rng *rng, row *rows)
{
    uint32_t count = 0;
    for (uint64_t version = VERSIONS; version > 0; version--) {
        if (yr_rng_below(rng, 4)) continue;
        rows[count] = (row){.version = version, .op = yr_rng_below(rng, 3) ? YORE_OP_PUT : YORE_OP_DEL};
        if (yr_rng_below(rng, 3) == 0) {
            rows[count].expiry_ns = TIME_OF(version) + (int64_t)yr_rng_below(rng, 150);
            if (rows[count].op == YORE_OP_DEL || rows[count].expiry_ns == 0) rows[count].expiry_ns = 0;
        }
        count++;
    }
    return count;
}

static void random_rules(yr_rng *rng, yr_keep_rules *rules, yr_keep_pin *pins)
{
    *rules = (yr_keep_rules){
        .is_dead = yr_rng_below(rng, 4) == 0, .horizon = yr_rng_below(rng, VERSIONS + 3), .pins = pins};
    rules->horizon_ns = TIME_OF(rules->horizon);
    rules->pin_count = (uint32_t)yr_rng_below(rng, 5);
    for (uint32_t i = 0; i < rules->pin_count; i++) {
        pins[i].version = 1 + yr_rng_below(rng, VERSIONS);
        pins[i].time_ns = TIME_OF(pins[i].version);
    }
    yr_keep_settle(rules);
    assert_null(yr_keep_set_problem(&(yr_keep_set){.rules = rules, .count = 1}));
}

/* What compaction does with one key: K2 to K4. */
static uint32_t compact(const yr_keep_rules *rules, const row *rows, uint32_t count, bool shows, row *out)
{
    uint32_t kept = 0, pending = 0; /* the last so many of `out` are there only if they hide something */
    for (uint32_t i = 0; i < count; i++) {
        enum yr_keep keep =
            yr_keep_judge(rules, rows[i].version, i ? rows[i - 1].version : 0, rows[i].op, rows[i].expiry_ns);
        if (keep == YR_KEEP_NOT) continue;
        out[kept++] = rows[i];
        pending = keep == YR_KEEP_IF_HIDING && !shows ? pending + 1 : 0;
    }
    return kept - pending;
}

static void test_every_allowed_read_answers_as_before(void **state)
{
    (void)state;
    const uint64_t seed = 20;
    yr_rng rng = {seed};
    uint64_t dropped = 0, all = 0, hidden = 0;
    for (uint32_t round = 0; round < 30000; round++) {
        row rows[VERSIONS], after[VERSIONS];
        yr_keep_pin pins[8];
        yr_keep_rules rules;
        uint32_t count = random_rows(&rng, rows);
        bool shows = yr_rng_below(&rng, 2), falls_before, falls_after;
        random_rules(&rng, &rules, pins);
        uint32_t kept = compact(&rules, rows, count, shows, after);
        all += count;
        dropped += count - kept;
        for (uint64_t cap = 0; cap <= VERSIONS + 2; cap++) {
            if (!yr_keep_is_readable(&rules, cap)) continue;
            for (int64_t time_ns = TIME_OF(cap); time_ns < TIME_OF(VERSIONS + 20); time_ns += 5) {
                uint64_t before = shown(rows, count, cap, time_ns, &falls_before);
                assert_int_equal(before, shown(after, kept, cap, time_ns, &falls_after));
                if (shows) assert_int_equal(falls_before, falls_after);
                hidden += falls_before != falls_after;
            }
        }
        /* All that is younger than the horizon is there. */
        for (uint32_t i = 0; !rules.is_dead && i < count && rows[i].version >= rules.horizon; i++)
            assert_int_equal(after[i].version, rows[i].version);
    }
    print_message("seed %" PRIu64 ": %" PRIu64 " of %" PRIu64 " versions went, %" PRIu64
                  " reads fall through where nothing shows\n",
                  seed, dropped, all, hidden);
    assert_true(dropped > all / 4);
    assert_true(hidden > 1000);
}

/* Nothing stays that nobody reads, and what may go if it hides nothing is what says "absent" to all of its readers. */
static void test_what_is_kept_is_read(void **state)
{
    (void)state;
    yr_rng rng = {22};
    for (uint32_t round = 0; round < 20000; round++) {
        row rows[VERSIONS];
        yr_keep_pin pins[8];
        yr_keep_rules rules;
        uint32_t count = random_rows(&rng, rows);
        random_rules(&rng, &rules, pins);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t newer = i ? rows[i - 1].version : 0, end = newer ? newer : VERSIONS + 4;
            uint64_t first = rows[i].version; /* of its readers */
            while (first < end && !yr_keep_is_readable(&rules, first)) first++;
            bool is_young = !rules.is_dead && rows[i].version >= rules.horizon;
            bool is_absent = rows[i].op == YORE_OP_DEL ||
                             (rows[i].expiry_ns != 0 && rows[i].expiry_ns <= TIME_OF(first));
            enum yr_keep want = is_young ? YR_KEEP_ROW : is_absent ? YR_KEEP_IF_HIDING : YR_KEEP_ROW;
            if (first >= end) want = YR_KEEP_NOT;
            assert_int_equal(yr_keep_judge(&rules, rows[i].version, newer, rows[i].op, rows[i].expiry_ns),
                             want);
        }
    }
}

/* What the newest version is may be known only to a layer that the compaction does not see. */
static void test_a_newer_layer_changes_nothing(void **state)
{
    (void)state;
    yr_rng rng = {21};
    for (uint32_t round = 0; round < 20000; round++) {
        row rows[VERSIONS], after[VERSIONS];
        yr_keep_pin pins[8];
        yr_keep_rules rules;
        uint32_t count = random_rows(&rng, rows), newer = (uint32_t)yr_rng_below(&rng, count + 1);
        bool shows = yr_rng_below(&rng, 2), falls;
        random_rules(&rng, &rules, pins);
        memcpy(after, rows, newer * sizeof *rows);
        uint32_t kept = newer + compact(&rules, rows + newer, count - newer, shows, after + newer);
        for (uint64_t cap = 0; cap <= VERSIONS + 2; cap++) {
            if (!yr_keep_is_readable(&rules, cap)) continue;
            for (int64_t time_ns = TIME_OF(cap); time_ns < TIME_OF(VERSIONS + 20); time_ns += 7)
                assert_int_equal(shown(rows, count, cap, time_ns, &falls),
                                 shown(after, kept, cap, time_ns, &falls));
        }
    }
}

static void test_without_rules_everything_stays(void **state)
{
    (void)state;
    const yr_keep_rules rules[] = {
        {.branch = 0, .is_dead = true}, {.branch = 3, .is_dead = true}, {.branch = 9, .horizon = 5}};
    const yr_keep_set set = {.rules = rules, .count = 3};
    assert_null(yr_keep_set_problem(&set));
    const uint32_t kept[] = {0, 1, 4, 10}; /* the registry too, whatever is said of it */
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const yr_keep_rules *found = yr_keep_find(&set, kept[i]);
        assert_int_equal(yr_keep_judge(found, 1, 2, YORE_OP_DEL, 0), YR_KEEP_ROW);
        assert_true(yr_keep_is_readable(found, 1));
    }
    assert_ptr_equal(yr_keep_find(&set, 9), &rules[2]);
    assert_int_equal(yr_keep_judge(yr_keep_find(NULL, 3), 1, 2, YORE_OP_PUT, 1), YR_KEEP_ROW);
    assert_int_equal(yr_keep_judge(yr_keep_find(&set, 3), 1, 0, YORE_OP_PUT, 0), YR_KEEP_NOT);
    assert_false(yr_keep_is_readable(yr_keep_find(&set, 3), 100));
}

static void test_rules_are_settled_and_checked(void **state)
{
    (void)state;
    yr_keep_pin pins[] = {{9, 90}, {4, 40}, {7, 70}, {4, 35}, {12, 120}};
    yr_keep_rules rules = {.branch = 2, .horizon = 9, .horizon_ns = 90, .pins = pins, .pin_count = 5};
    const yr_keep_set set = {.rules = &rules, .count = 1};
    assert_non_null(yr_keep_set_problem(&set));
    yr_keep_settle(&rules);
    assert_null(yr_keep_set_problem(&set));
    assert_int_equal(rules.pin_count, 2);
    assert_int_equal(pins[0].version, 4);
    assert_int_equal(pins[0].time_ns, 35);
    assert_int_equal(pins[1].version, 7);
    pins[1].time_ns = 10;
    assert_non_null(yr_keep_set_problem(&set));
    pins[1].time_ns = 91;
    assert_non_null(yr_keep_set_problem(&set));
    const yr_keep_rules twice[] = {{.branch = 2}, {.branch = 2}};
    assert_non_null(yr_keep_set_problem(&(yr_keep_set){.rules = twice, .count = 2}));
}

static void test_garbage_is_estimated_from_sums(void **state)
{
    (void)state;
    const yr_keep_facts facts = {
        .keys = 10, .rows = 110, .deletes = 10, .key_bytes = 100, .value_bytes = 1000};
    yr_keep_pin pin = {50, 500};
    yr_keep_rules rules = {.branch = 2};
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 60), 0); /* everything is kept */
    rules.horizon = 59;
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 60), 0); /* who knows */
    rules.horizon = 60;
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 60), 900); /* all but the newest of each key */
    rules.pins = &pin;
    rules.pin_count = 1;
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 60), 0);
    assert_int_equal(yr_keep_garbage(&rules, &facts, 50, 60), 900); /* the pin is below it */
    rules.is_dead = true;
    assert_int_equal(yr_keep_garbage(&rules, &facts, 50, 60), 1100); /* everything */
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 50), 900);
    assert_int_equal(yr_keep_garbage(&rules, &facts, 20, 60), 0);
    /* Sums that cannot be are no reason to stop. */
    const yr_keep_facts odd = {.keys = 9, .rows = 2, .deletes = 5, .key_bytes = UINT64_MAX, .value_bytes = 7};
    assert_int_equal(yr_keep_garbage(&rules, &odd, 50, 60), UINT64_MAX);
    rules.is_dead = false;
    assert_int_equal(yr_keep_garbage(&rules, &odd, 50, 60), 0);
    assert_int_equal(yr_keep_garbage(&rules, &odd, UINT64_MAX, 60), 0);
}

/* branch 7, kv, "user/17" and the like */
static yore_slice tree_key(uint32_t branch, const char *key, uint8_t to[32])
{
    yr_put_be32(to, branch);
    to[4] = YORE_KV;
    memcpy(to + 5, key, strlen(key));
    return yore_bytes(to, 5 + strlen(key));
}

static void test_the_last_erasure_of_a_key_counts(void **state)
{
    (void)state;
    uint8_t key[32];
    yr_keep_erasure erasures[] = {
        {.version = 20, .record = {.branch = 7, .primitive = YORE_KV}},
        {.version = 10, .record = {.primitive = YORE_KV, .is_prefix = true}},
        {.version = 30, .record = {.branch = 8, .primitive = YORE_KV}},
    };
    yr_erase_record_make(&erasures[0].record, yore_str("user/17"), 1);
    yr_erase_record_make(&erasures[1].record, yore_str("user/"), 2);
    yr_erase_record_make(&erasures[2].record, yore_str("user/17"), 3);
    const yr_keep_set set = {.erasures = erasures, .erasure_count = 3};
    assert_int_equal(yr_keep_erased(&set, tree_key(7, "user/17", key)), 20);
    assert_int_equal(yr_keep_erased(&set, tree_key(8, "user/17", key)), 30);
    assert_int_equal(yr_keep_erased(&set, tree_key(9, "user/17", key)), 10);
    assert_int_equal(yr_keep_erased(&set, tree_key(7, "user/18", key)), 10);
    assert_int_equal(yr_keep_erased(&set, tree_key(7, "users", key)), 0);
    assert_int_equal(yr_keep_erased(NULL, tree_key(7, "user/17", key)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allowed_read_answers_as_before),
        cmocka_unit_test(test_what_is_kept_is_read),
        cmocka_unit_test(test_a_newer_layer_changes_nothing),
        cmocka_unit_test(test_without_rules_everything_stays),
        cmocka_unit_test(test_rules_are_settled_and_checked),
        cmocka_unit_test(test_the_last_erasure_of_a_key_counts),
        cmocka_unit_test(test_garbage_is_estimated_from_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The planted bug HASH_BEFORE_ENTRY (the slot's tag is published before its reference) is caught: a reader that
 * comes by between the two stores meets a tag without an entry. Only in the planted-bug build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/base/planted.h"
#include "fixture.h"
#include "index/hash_index.h"

#define SECRET UINT64_C(42)

static yr_region region;
static yr_hash_index *table;
static yr_ref entry;

static yr_ref find_entry(void)
{
    const yr_entry *e = yr_entry_at(&region, entry);
    return yr_hash_index_find(table, fixture_hash(&region, SECRET, entry), yr_entry_branch(e),
                              yr_entry_primitive(e), yr_entry_user_key(e));
}

/* Finding nothing is right here, and so would be the entry; anything else is the bug. */
static void look_for_entry(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "hash-insert") == 0 && find_entry() != 0) _exit(3);
}

static int insert_in_a_child(enum yr_bug bug)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        yr_planted_bug = bug;
        yore_env env = *fixture_env();
        env.point = look_for_entry;
        if (!yr_region_init(&region, &env, 1 << 20)) _exit(4);
        table = yr_hash_index_create(&env, &region, SECRET);
        entry = fixture_entry(&region, 1, YORE_KV, "key", 3);
        if (!table || !yr_hash_index_insert(table, fixture_hash(&region, SECRET, entry), entry)) _exit(4);
        _exit(find_entry() == entry ? 0 : 5);
    }
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_publishing_the_tag_before_the_reference_is_caught(void **state)
{
    (void)state;
    assert_int_equal(insert_in_a_child(YR_BUG_NONE), 0);
    assert_int_not_equal(insert_in_a_child(YR_BUG_HASH_BEFORE_ENTRY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publishing_the_tag_before_the_reference_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

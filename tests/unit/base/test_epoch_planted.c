/* The scenario of test_epoch notices a collector that forgets the readers of the current epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/epoch.h"
#include "engine/base/planted.h"
#include "tests/unit/base/epoch_reader.h"

static void release(void *owner, void *block, uint64_t size)
{
    (void)owner;
    (void)block;
    (void)size;
}

/* How many blocks a collection releases under a reader that may hold them. */
static uint32_t released_under_reader(void)
{
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), NULL);
    epoch_reader reader;
    epoch_reader_start(&reader);
    epoch_reader_enter(&reader);
    yr_retire(&list, NULL, 8, release);
    uint32_t released = yr_retire_collect(&list);
    epoch_reader_exit(&reader);
    epoch_reader_stop(&reader);
    yr_retire_deinit(&list);
    return released;
}

static void test_one_epoch_of_grace_is_caught(void **state)
{
    (void)state;
    yr_planted_bug = YR_BUG_ONE_EPOCH;
    assert_int_equal(released_under_reader(), 1);
    yr_planted_bug = YR_BUG_NONE;
    assert_int_equal(released_under_reader(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_epoch_of_grace_is_caught)};
    return cmocka_run_group_tests_name("epoch_planted", tests, NULL, NULL);
}

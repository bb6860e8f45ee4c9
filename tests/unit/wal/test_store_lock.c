/* The writer's lock: one at a time, named, gone with its process; on the simulated machine and with real
 * processes. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/format/lock_format.h"
#include "tests/unit/wal/wal_kit.h"

static void test_the_second_writer_is_told_who_the_first_is(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 61);
    yr_sim_set_process_id(kit.sim, 4711);
    assert_ok(&kit, kit_create(&kit));
    yr_store_lock *second = NULL;
    assert_status(&kit, YORE_ERR_LOCKED,
                  yr_store_lock_acquire(kit.env, kit.dir, KIT_PATH, 0, &second, &kit.err));
    assert_null(second);
    assert_says(&kit, "store 'db' is being written by pid 4711 (");
    assert_says(&kit, "on host ");
    assert_says(&kit, ")");
    yr_store_lock_release(kit.lock);
    kit.lock = NULL;
    assert_ok(&kit, yr_store_lock_acquire(kit.env, kit.dir, KIT_PATH, 0, &second, &kit.err));
    yr_store_lock_release(second);
    kit_deinit(&kit);
}

static void test_waiting_for_the_lock_takes_as_long_as_asked(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 62);
    assert_ok(&kit, kit_create(&kit));
    yr_store_lock *second = NULL;
    int64_t before = kit.env->monotonic_ns(kit.env->ctx);
    assert_status(&kit, YORE_ERR_LOCKED,
                  yr_store_lock_acquire(kit.env, kit.dir, KIT_PATH, 500, &second, &kit.err));
    int64_t waited = kit.env->monotonic_ns(kit.env->ctx) - before;
    assert_true(waited >= 500000000 && waited < 600000000);
    kit_deinit(&kit);
}

static void test_any_bytes_in_the_lock_file_give_a_readable_message(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "\n", "12", "x y z w\n", "1 2", "99999999999999999999 h b p\n", "1 h b p"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        wal_kit kit;
        kit_init(&kit, 63);
        assert_ok(&kit, kit_create(&kit));
        uint8_t bytes[YR_LOCK_TEXT_BYTES] = {0};
        memcpy(bytes, texts[i], strlen(texts[i]));
        assert_true(yr_sim_file_write(kit.sim, "db/LOCK", bytes, sizeof(bytes), 0));
        yr_store_lock *second = NULL;
        assert_status(&kit, YORE_ERR_LOCKED,
                      yr_store_lock_acquire(kit.env, kit.dir, KIT_PATH, 0, &second, &kit.err));
        assert_says(&kit, "is being written by another process");
        kit_deinit(&kit);
    }
}

static void test_a_killed_holder_frees_the_lock(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    char path[] = "/tmp/yore-lock-XXXXXX";
    assert_non_null(mkdtemp(path));
    yore_dir *dir = NULL;
    assert_int_equal(env->dir_open(env->ctx, path, 0, NULL, &dir), 0);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        yr_store_lock *lock = NULL;
        char status = yr_store_lock_acquire(env, dir, path, 0, &lock, NULL) == YORE_OK ? 'y' : 'n';
        if (write(ready[1], &status, 1) != 1) _exit(1);
        for (;;) (void)pause();
    }
    char status = 0;
    assert_int_equal(read(ready[0], &status, 1), 1);
    assert_int_equal(status, 'y');
    yr_store_lock *lock = NULL;
    yore_error err = YORE_ERROR_INIT;
    assert_int_equal(yr_store_lock_acquire(env, dir, path, 30, &lock, &err), YORE_ERR_LOCKED);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "by pid %d (", (int)child);
    assert_non_null(strstr(err.message, expected));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(yr_store_lock_acquire(env, dir, path, 0, &lock, &err), YORE_OK);
    /* a second handle in the same process is another writer too */
    yr_store_lock *second = NULL;
    assert_int_equal(yr_store_lock_acquire(env, dir, path, 0, &second, &err), YORE_ERR_LOCKED);
    yr_store_lock_release(lock);
    assert_int_equal(env->unlink(env->ctx, dir, "LOCK"), 0);
    env->dir_close(env->ctx, dir);
    (void)close(ready[0]);
    (void)close(ready[1]);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_writer_is_told_who_the_first_is),
        cmocka_unit_test(test_waiting_for_the_lock_takes_as_long_as_asked),
        cmocka_unit_test(test_any_bytes_in_the_lock_file_give_a_readable_message),
        cmocka_unit_test(test_a_killed_holder_frees_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

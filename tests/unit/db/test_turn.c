/* The leader's turn among threads: a thread that wants it for something else than a commit gets it before the next
 * commit, however many commits come without a pause; and commits of several threads become groups. */
#define _DEFAULT_SOURCE /* nanosleep */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "engine/db/handle.h"
#include "engine/mvcc/commit.h"

enum { TURNS = 100, WRITERS = 3, COMMITS = 3000 };

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static yore_db *opened(void)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.memory_bytes_max = 64 << 20;
    assert_int_equal(yore_open(":memory:", &options, &db, NULL), YORE_OK);
    return db;
}

static void put(yore_db *db, const char *branch, const char *key)
{
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_db_put(db, yore_str(branch), yore_str_key(key), yore_str("value"), NULL, &err);
    if (status != YORE_OK) {
        fprintf(stderr, "put: %s\n", err.message);
        abort(); /* cmocka's asserts are for its own thread */
    }
}

static void *put_one(void *arg)
{
    put(arg, "", "key");
    return NULL;
}

/* Waits for the turn, and notes which commits were visible when it had it. */
typedef struct wanter {
    yr_store *store;
    uint64_t visible;
} wanter;

static void *take_turn(void *arg)
{
    wanter *self = arg;
    yr_store_lead(self->store);
    self->visible = yr_store_visible(self->store);
    yr_store_unlead(self->store);
    return NULL;
}

static void test_whoever_waits_for_the_turn_has_it_before_the_next_commit(void **state)
{
    (void)state;
    yore_db *db = opened();
    for (int i = 0; i < TURNS; i++) {
        pthread_t committer, other;
        wanter want = {&db->store, 0};
        yr_store_lead(&db->store);
        uint64_t before = yr_store_visible(&db->store);
        assert_int_equal(pthread_create(&other, NULL, take_turn, &want), 0);
        while (!atomic_load(&db->store.turns_wanted)) rest();
        assert_int_equal(pthread_create(&committer, NULL, put_one, db), 0);
        while (!atomic_load(&db->store.queue)) rest(); /* it has asked, and cannot lead yet */
        yr_store_unlead(&db->store);
        pthread_join(other, NULL);
        pthread_join(committer, NULL);
        assert_int_equal(want.visible, before);
        assert_int_equal(yr_store_visible(&db->store), before + 1);
        assert_int_equal(atomic_load(&db->store.turns_wanted), 0);
    }
    yore_close(db);
}

typedef struct writer {
    yore_db *db;
    char branch[16];
} writer;

static void *write_much(void *arg)
{
    const writer *self = arg;
    char key[32];
    for (int i = 0; i < COMMITS; i++) {
        snprintf(key, sizeof key, "key %d", i % 500);
        put(self->db, self->branch, key);
    }
    return NULL;
}

/* Turns are taken while three threads commit as fast as they can; all commits arrive, each branch has its own. */
static void test_turns_are_had_beside_commits_without_a_pause(void **state)
{
    (void)state;
    yore_db *db = opened();
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i].db = db;
        snprintf(writers[i].branch, sizeof writers[i].branch, "writer-%d", i);
        assert_int_equal(yore_branch_create(db, yore_str(writers[i].branch), NULL, NULL, NULL), YORE_OK);
    }
    uint64_t before = yr_store_visible(&db->store);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_much, &writers[i]), 0);
    for (int i = 0; i < TURNS; i++) {
        yr_store_lead(&db->store);
        assert_int_equal(db->store.last_version, yr_store_visible(&db->store)); /* nobody is half-way */
        yr_store_unlead(&db->store);
        rest();
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(yr_store_visible(&db->store), before + WRITERS * COMMITS);
    assert_int_equal(atomic_load(&db->store.turns_wanted), 0);
    assert_int_equal(atomic_load(&db->store.sleepers), 0);
    yore_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whoever_waits_for_the_turn_has_it_before_the_next_commit),
        cmocka_unit_test(test_turns_are_had_beside_commits_without_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

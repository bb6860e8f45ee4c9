/* Merges beside writers of both branches. Each branch counts in pairs of keys of its own, both of a pair in one commit;
 * theirs come over by merges alone. Whoever looks at ours sees whole pairs and no number go back. Keys that both write
 * are ours in the end, whoever was first: a merge is one commit, and takes nothing away that was committed while it was
 * planned. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <yore.h>

enum { PAIRS = 12, BOTH = 2000 };

static yore_db *db;
static _Atomic uint32_t done;
static _Atomic uint64_t commits[2];
static const char *const branches[2] = {"default", "exp"};

static void must(yore_status status, const yore_error *err, const char *what)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, yore_status_name(status), err->message);
    abort();
}

static void name_key(char out[24], int branch, int pair, char half)
{
    (void)snprintf(out, 24, "%s/%02d%c", branches[branch], pair, half);
}

/* Count one pair up, and say whose the key is that both write then. A merge may have written that first. */
static yore_status write_pair(int branch, int pair, uint64_t number)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn;
    char key[24], value[24];
    (void)snprintf(value, sizeof value, "%" PRIu64, number);
    must(yore_begin(db, yore_str(branches[branch]), NULL, &txn, &err), &err, "begin");
    for (char half = 'a'; half <= 'b'; half++) {
        name_key(key, branch, pair, half);
        must(yore_put(txn, yore_str_key(key), yore_str(value), NULL, &err), &err, "put");
    }
    (void)snprintf(key, sizeof key, "both/%" PRIu64, number);
    if (number && number <= BOTH)
        must(yore_put(txn, yore_str_key(key), yore_str(branches[branch]), NULL, &err), &err, "put");
    yore_status status = yore_commit(txn, yore_str(""), NULL, &err);
    if (status != YORE_CONFLICT) must(status, &err, "commit");
    return status;
}

static void *writer(void *arg)
{
    int branch = *(const int *)arg;
    for (uint64_t n = 1; !atomic_load(&done); n++) {
        while (write_pair(branch, (int)(n % PAIRS), n) == YORE_CONFLICT) {}
        atomic_fetch_add(&commits[branch], 1);
    }
    return NULL;
}

static uint64_t number_at(yore_snap *snap, int branch, int pair, char half)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    char key[24], text[24] = "";
    name_key(key, branch, pair, half);
    yore_status status = yore_get(snap, yore_str_key(key), &pin, &err);
    if (status != YORE_OK) return 0;
    memcpy(text, pin.value.data, pin.value.size < sizeof text ? pin.value.size : sizeof text - 1);
    yore_unpin(&pin);
    return strtoull(text, NULL, 10);
}

static void *reader(void *arg)
{
    uint64_t seen[2][PAIRS] = {{0}};
    (void)arg;
    while (!atomic_load(&done)) {
        yore_error err = YORE_ERROR_INIT;
        yore_snap *snap;
        must(yore_snap_open(db, NULL, &snap, NULL, &err), &err, "snapshot");
        for (int branch = 0; branch < 2; branch++) {
            for (int pair = 0; pair < PAIRS; pair++) {
                uint64_t a = number_at(snap, branch, pair, 'a'), b = number_at(snap, branch, pair, 'b');
                if (a != b || a < seen[branch][pair]) {
                    fprintf(stderr, "pair %d of %s: %" PRIu64 " and %" PRIu64 ", before %" PRIu64 "\n", pair,
                            branches[branch], a, b, seen[branch][pair]);
                    abort();
                }
                seen[branch][pair] = a;
            }
        }
        yore_snap_close(snap);
    }
    return NULL;
}

static uint64_t merge_exp(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_info info = {.struct_size = sizeof info};
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "exp");
    options.on_conflict = YORE_MERGE_OURS;
    must(yore_merge(db, &at, yore_str(""), &options, yore_str(""), NULL, &info, NULL, &err), &err, "merge");
    return info.puts;
}

static void merges_take_nothing_away_from_writers(void **state)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_branch_options fork = YORE_BRANCH_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    static const int which[2] = {0, 1};
    pthread_t threads[3];
    uint64_t puts = 0;
    (void)state;
    options.create = true;
    must(yore_open(":memory:", &options, &db, &err), &err, "open");
    assert_int_equal(write_pair(0, 0, 0), YORE_OK);
    must(yore_branch_create(db, yore_str("exp"), &fork, NULL, &err), &err, "fork");
    assert_int_equal(pthread_create(&threads[0], NULL, writer, (void *)(uintptr_t)&which[0]), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, writer, (void *)(uintptr_t)&which[1]), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, reader, NULL), 0);
    while (atomic_load(&commits[0]) < BOTH || atomic_load(&commits[1]) < BOTH) puts += merge_exp();
    atomic_store(&done, 1);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    puts += merge_exp();
    print_message("%" PRIu64 " and %" PRIu64 " commits, %" PRIu64 " keys merged\n", atomic_load(&commits[0]),
                  atomic_load(&commits[1]), puts);
    assert_true(puts >= 2 * PAIRS);
    yore_snap *ours, *theirs;
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "exp");
    must(yore_snap_open(db, NULL, &ours, NULL, &err), &err, "snapshot");
    must(yore_snap_open(db, &at, &theirs, NULL, &err), &err, "snapshot");
    for (int pair = 0; pair < PAIRS; pair++)
        assert_int_equal(number_at(ours, 1, pair, 'a'), number_at(theirs, 1, pair, 'a'));
    for (uint64_t n = 1; n <= BOTH; n++) {
        yore_pin pin = YORE_PIN_INIT;
        char key[24];
        (void)snprintf(key, sizeof key, "both/%" PRIu64, n);
        must(yore_get(ours, yore_str_key(key), &pin, &err), &err, key);
        assert_int_equal(pin.value.size, strlen(branches[0]));
        yore_unpin(&pin);
    }
    yore_snap_close(ours);
    yore_snap_close(theirs);
    yore_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merges_take_nothing_away_from_writers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

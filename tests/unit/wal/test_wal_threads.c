/* The log on the real system with a thread for each role: a leader that appends (and rotates), one that syncs, one
 * that prepares files, one that publishes, one that edits MANIFEST, and a reader. Meant for ThreadSanitizer; the
 * reader's invariant is that records come whole, in order, never beyond what was published and never short of it. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "tests/unit/wal/wal_kit.h"

#define RECORDS 6000u

typedef struct world {
    const yore_env *env;
    yore_dir *dir;
    const char *path;
    yr_wal_options options;
    yr_wal *wal;
    atomic_uint_fast64_t published; /* what readers may see */
    atomic_uint_fast64_t told;      /* what they must see */
    atomic_bool is_over;
    atomic_uint_fast64_t edge; /* what a flush would have written: the lsn at the last rotation */
    uint64_t synced, edits, restarts;
} world;

static void run_syncer(void *arg)
{
    world *w = arg;
    while (!atomic_load(&w->is_over)) {
        uint64_t before = yr_wal_last_lsn(w->wal);
        yore_error err = YORE_ERROR_INIT;
        if (yr_wal_sync(w->wal, &err) != YORE_OK) abort();
        if (yr_wal_durable_lsn(w->wal) < before) abort();
        w->synced++;
    }
}

static void run_preparer(void *arg)
{
    world *w = arg;
    while (!atomic_load(&w->is_over)) {
        if (yr_wal_wants_prepare(w->wal) && yr_wal_prepare(w->wal, NULL, NULL) != YORE_OK) abort();
        uint64_t files;
        uint64_t bytes;
        uint64_t syncs;
        yr_wal_stats(w->wal, &files, &bytes, &syncs);
        w->env->yield(w->env->ctx);
    }
}

static void run_publisher(void *arg)
{
    world *w = arg;
    while (!atomic_load(&w->is_over)) {
        uint64_t lsn = yr_wal_last_lsn(w->wal);
        uint64_t seen = atomic_load(&w->published);
        while (seen < lsn && !atomic_compare_exchange_weak(&w->published, &seen, lsn)) {}
        yr_wal_publish(w->wal, lsn);
        atomic_store(&w->told, lsn);
        w->env->yield(w->env->ctx);
    }
}

/* No segments here: the state alone says that records up to the edge are not needed. Record n has lsn n + 1. */
static void run_editor(void *arg)
{
    world *w = arg;
    yr_store_state state = {.hash_seed = 1};
    while (!atomic_load(&w->is_over)) {
        uint64_t edge = atomic_load(&w->edge);
        if (edge > state.flushed_lsn) {
            state.flushed_lsn = state.flushed_version = edge;
            yore_error err = YORE_ERROR_INIT;
            if (yr_wal_new_file_id(w->wal) == 0 || yr_wal_edit(w->wal, &state, &err) != YORE_OK) {
                (void)fprintf(stderr, "edit: %s\n", err.message);
                abort();
            }
            w->edits++;
        }
        w->env->yield(w->env->ctx);
    }
}

typedef struct reading {
    world *w;
    uint64_t count;
} reading;

static yore_status begin_reading(void *arg, const yr_store_state *state, yore_error *err)
{
    (void)err;
    reading *r = arg;
    r->count = state->flushed_version;
    return YORE_OK;
}

static yore_status check_record(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    (void)err;
    reading *r = arg;
    uint8_t expected[KIT_PAYLOAD_MAX];
    size_t size = kit_payload(r->count, expected);
    if (payload.size != size || memcmp(payload.data, expected, size) != 0) abort();
    if (lsn > 1 && lsn > atomic_load(&r->w->published)) abort();
    r->count++;
    return YORE_OK;
}

static void run_reader(void *arg)
{
    world *w = arg;
    yr_wal_options options = w->options;
    options.read_only = true;
    reading r = {.w = w};
    yr_wal *wal = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yr_wal_open(&options, begin_reading, check_record, &r, &wal, NULL, &err);
    while (status >= 0 && !atomic_load(&w->is_over)) {
        uint64_t told = atomic_load(&w->told);
        status = yr_wal_refresh(wal, check_record, &r, &err);
        if (status == YORE_END) {
            status = yr_wal_restart(wal, begin_reading, check_record, &r, &err);
            w->restarts++;
        }
        if (status >= 0 && !yr_wal_is_behind(wal) && r.count < told) abort();
    }
    if (status < 0) {
        (void)fprintf(stderr, "reader: %s\n", err.message);
        abort();
    }
    yr_wal_close(wal);
}

static void empty_dir(world *w)
{
    static const char *const names[] = {"LOCK", "MANIFEST", "MANIFEST.bak"};
    for (size_t i = 0; i < 3; i++) (void)w->env->unlink(w->env->ctx, w->dir, names[i]);
    for (unsigned id = 1; id < 4000; id++) {
        char name[40];
        (void)snprintf(name, sizeof(name), "wal-%08u.log", id);
        (void)w->env->unlink(w->env->ctx, w->dir, name);
    }
}

static void run_roles(bool mapped, bool flushes)
{
    char path[] = "/tmp/yore-wal-XXXXXX";
    assert_non_null(mkdtemp(path));
    world w = {.env = yore_env_default(), .path = path};
    assert_int_equal(w.env->dir_open(w.env->ctx, path, 0, NULL, &w.dir), 0);
    w.options = (yr_wal_options){
        .env = w.env, .dir = w.dir, .path = path, .bytes_min = 16384, .bytes_max = 65536, .mapped = mapped};
    yr_store_lock *lock = NULL;
    yore_error err = YORE_ERROR_INIT;
    assert_int_equal(yr_store_lock_acquire(w.env, w.dir, path, 0, &lock, &err), YORE_OK);
    uint8_t payload[KIT_PAYLOAD_MAX];
    size_t size = kit_payload(0, payload);
    assert_int_equal(yr_wal_create(&w.options, (yore_slice){payload, size}, &err), YORE_OK);
    assert_int_equal(yr_wal_open(&w.options, NULL, NULL, NULL, &w.wal, NULL, &err), YORE_OK);

    static void (*const roles[])(void *) = {run_syncer, run_preparer, run_publisher, run_reader, run_editor};
    int roles_count = flushes ? 5 : 4;
    yore_thread *threads[5];
    for (int i = 0; i < roles_count; i++)
        assert_int_equal(w.env->thread_create(w.env->ctx, roles[i], &w, &threads[i]), 0);
    for (uint64_t n = 1; n < RECORDS; n++) {
        size = kit_payload(n, payload);
        uint64_t lsn = 0;
        assert_int_equal(yr_wal_reserve(w.wal, size, false, &err), YORE_OK);
        assert_int_equal(yr_wal_append(w.wal, (yore_slice){payload, size}, &lsn, &err), YORE_OK);
        assert_int_equal(lsn, n + 1);
        if (!flushes || n % 50 != 0) continue;
        assert_int_equal(yr_wal_rotate(w.wal, &err), YORE_OK);
        atomic_store(&w.edge, yr_wal_last_lsn(w.wal));
    }
    atomic_store(&w.is_over, true);
    for (int i = 0; i < roles_count; i++) w.env->thread_join(w.env->ctx, threads[i]);
    assert_int_equal(yr_wal_seal(w.wal, &err), YORE_OK);
    yr_wal_close(w.wal);
    yr_store_lock_release(lock);
    reading r = {.w = &w};
    atomic_store(&w.published, UINT64_MAX);
    yr_wal_report report;
    assert_int_equal(yr_wal_open(&w.options, begin_reading, check_record, &r, &w.wal, &report, &err),
                     YORE_OK);
    assert_int_equal(r.count, RECORDS);
    assert_true(report.sealed);
    assert_true(flushes ? w.edits > 0 : report.files > 3);
    print_message("%s: %llu files, %llu syncs beside the appends, %llu edits, %llu restarts of the reader\n",
                  mapped ? "mapped" : "written", (unsigned long long)report.files,
                  (unsigned long long)w.synced, (unsigned long long)w.edits, (unsigned long long)w.restarts);
    yr_wal_close(w.wal);
    empty_dir(&w);
    w.env->dir_close(w.env->ctx, w.dir);
    assert_int_equal(rmdir(path), 0);
}

static void test_the_roles_run_side_by_side_mapped(void **state)
{
    (void)state;
    run_roles(true, false);
}

static void test_the_roles_run_side_by_side_written(void **state)
{
    (void)state;
    run_roles(false, false);
}

static void test_the_roles_run_side_by_side_with_edits(void **state)
{
    (void)state;
    run_roles(true, true);
    run_roles(false, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_roles_run_side_by_side_mapped),
        cmocka_unit_test(test_the_roles_run_side_by_side_written),
        cmocka_unit_test(test_the_roles_run_side_by_side_with_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

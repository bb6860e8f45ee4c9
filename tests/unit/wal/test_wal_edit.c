/* The state in MANIFEST and the log that begins late: what segments have is dropped and nothing else, whatever fails,
 * and readers in other processes get by. */
#include <errno.h>
#include <inttypes.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/format/wal_format.h"
#include "tests/unit/wal/wal_kit.h"

static void open_new(wal_kit *kit, uint64_t seed)
{
    kit_init(kit, seed);
    assert_ok(kit, kit_create(kit));
    assert_ok(kit, kit_open(kit));
}

static void reopen(wal_kit *kit)
{
    kit_close(kit);
    assert_ok(kit, kit_open(kit));
    if (kit->is_wrong) fail_msg("%s", kit->why);
}

static uint32_t count_files(const wal_kit *kit, enum yr_file_kind wanted)
{
    uint32_t count = 0;
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(kit->sim, KIT_PATH, i)); i++) {
        enum yr_file_kind kind;
        bool making;
        if (yr_file_name_id(name, &kind, &making) && kind == wanted) count++;
    }
    return count;
}

static bool has_file(const wal_kit *kit, const char *path)
{
    return yr_sim_file_size(kit->sim, path) >= 0;
}

static uint64_t listed(const wal_kit *kit)
{
    uint64_t files;
    uint64_t bytes;
    uint64_t syncs;
    yr_wal_stats(kit->wal, &files, &bytes, &syncs);
    return files;
}

static void test_an_edit_drops_what_the_segments_have(void **state)
{
    (void)state;
    for (int how = 0; how < 8; how++) {
        wal_kit kit;
        open_new(&kit, 60);
        kit_append_many(&kit, 60);
        if (how & 1) assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        if (how & 2) assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
        uint64_t before = listed(&kit);
        assert_true(before >= 2 && count_files(&kit, YR_FILE_WAL) == before);
        assert_ok(&kit, kit_flush(&kit, true));
        assert_int_equal(listed(&kit), 1);
        assert_int_equal(count_files(&kit, YR_FILE_WAL), 1);
        assert_true(yr_wal_durable_lsn(kit.wal) >= kit.state.flushed_lsn);
        kit_append_many(&kit, 3);
        if (how & 4) {
            assert_ok(&kit, kit_seal_and_close(&kit));
        }
        kit.begins = 0;
        reopen(&kit);
        assert_int_equal(kit.begins, 1);
        assert_int_equal(kit.replayed, 64);
        assert_int_equal(kit.report.records, how & 4 ? 4 : 3); /* all the log has */
        const yr_store_state *now;
        assert_ok(&kit, yr_wal_state(kit.wal, &now));
        assert_int_equal(now->flushed_version, 61);
        assert_int_equal(now->file_count, 1);
        assert_int_equal(now->files[0].file_id, kit.files[0].file_id);
        uint64_t records;
        uint64_t bytes;
        assert_ok(&kit, yr_wal_verify(kit.wal, &records, &bytes, &kit.err));
        kit_deinit(&kit);
    }
}

static void test_the_file_being_written_and_the_one_prepared_stay(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 61);
    while (!yr_wal_wants_prepare(kit.wal)) kit_append_many(&kit, 1);
    assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
    assert_int_equal(listed(&kit), 2);
    assert_ok(&kit, kit_flush(&kit, false));
    assert_int_equal(listed(&kit), 2);
    uint64_t all = kit.appended;
    reopen(&kit);
    assert_int_equal(kit.replayed, all);
    assert_int_equal(kit.report.records, all); /* read and passed over */
    kit_append_many(&kit, 50);
    reopen(&kit);
    assert_int_equal(kit.replayed, all + 50);
    kit_deinit(&kit);
}

static void test_an_edit_below_the_end_keeps_the_rest(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 62);
    kit_append_many(&kit, 20);
    assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
    uint64_t version = kit.appended;
    uint64_t lsn = yr_wal_last_lsn(kit.wal);
    kit_append_many(&kit, 20); /* while the flush goes on */
    assert_ok(&kit, kit_flush_to(&kit, version, lsn));
    uint64_t all = kit.appended;
    reopen(&kit);
    assert_int_equal(kit.replayed, all);
    assert_int_equal(kit.report.records, all - version);
    kit_deinit(&kit);
}

static void test_rotation_leaves_a_file_without_data_and_fits_the_size(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 63);
    kit.options.bytes_max = 1u << 20;
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
    assert_int_equal(listed(&kit), 2);
    for (int i = 0; i < 3; i++) { /* nothing to leave behind */
        assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
        assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
    }
    assert_int_equal(listed(&kit), 2);
    reopen(&kit);
    assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
    assert_true(listed(&kit) <= 2);
    kit_append_many(&kit, 400);
    for (int i = 0; i < 24; i++) { /* small flushes: the files get small again */
        kit_append_many(&kit, 2);
        if (yr_wal_wants_prepare(kit.wal)) assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
        assert_ok(&kit, kit_flush(&kit, true));
    }
    assert_int_equal(count_files(&kit, YR_FILE_WAL), 1);
    char name[YR_FILE_NAME_BYTES + 8];
    uint64_t id = yr_wal_new_file_id(kit.wal);
    int64_t size = -1;
    while (size < 0 && id-- > 1) {
        (void)snprintf(name, sizeof(name), "db/wal-%08" PRIu64 ".log", id);
        size = yr_sim_file_size(kit.sim, name);
    }
    assert_int_equal(size, 4096);
    kit_deinit(&kit);
}

static void test_a_file_left_empty_for_a_larger_one_is_read_past(void **state)
{
    (void)state;
    for (int how = 0; how < 8; how++) {
        wal_kit kit;
        open_new(&kit, 76);
        kit_append_many(&kit, 6);
        assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
        uint64_t version = kit.appended;
        uint64_t lsn = yr_wal_last_lsn(kit.wal);
        if (how & 1) assert_ok(&kit, kit_flush_to(&kit, version, lsn));
        assert_ok(&kit, yr_wal_reserve(kit.wal, 30000, false, &kit.err)); /* not this small one */
        if (how & 2) assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        kit_append_many(&kit, 200); /* and so many that MANIFEST is written again */
        if (how & 4) assert_ok(&kit, kit_flush_to(&kit, version, lsn));
        uint64_t all = kit.appended;
        wal_kit r;
        kit_attach(&r, kit.sim);
        yr_wal_publish(kit.wal, yr_wal_last_lsn(kit.wal));
        assert_ok(&r, kit_open_reader(&r));
        assert_int_equal(r.replayed, all);
        kit_detach(&r);
        reopen(&kit);
        assert_int_equal(kit.replayed, all);
        if (how & 4) assert_ok(&kit, kit_flush(&kit, true));
        kit_append_many(&kit, 30);
        reopen(&kit);
        assert_int_equal(kit.replayed, all + 30);
        kit_deinit(&kit);
    }
}

/* MANIFEST was written when the log had just moved on, and the file before was not durable: after a kill the log goes
 * on in that one, and later begins the next with another record. */
static void test_a_file_begun_and_found_empty_begins_with_another_record(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 77);
    kit_append_many(&kit, 4);
    assert_ok(&kit, kit_flush(&kit, false));
    assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
    uint64_t lsn = yr_wal_last_lsn(kit.wal);
    kit_append_many(&kit, 2);
    assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
    assert_ok(&kit, kit_flush_to(&kit, kit.appended - 2, lsn)); /* writes MANIFEST */
    for (int i = 0; i < 3; i++) {
        reopen(&kit);
        kit_append_many(&kit, 3);
        assert_ok(&kit, yr_wal_rotate(kit.wal, &kit.err));
        kit_append_many(&kit, 1);
        uint64_t all = kit.appended;
        reopen(&kit);
        assert_int_equal(kit.replayed, all);
    }
    kit_deinit(&kit);
}

static void test_numbers_are_never_used_twice(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 64);
    uint64_t first = yr_wal_new_file_id(kit.wal);
    assert_true(first > 1);
    assert_int_equal(yr_wal_new_file_id(kit.wal), first + 1);
    assert_true(yr_sim_file_create(kit.sim, "db/00000050.seg"));
    assert_true(yr_sim_file_create(kit.sim, "db/00000060.val.tmp"));
    assert_true(yr_sim_file_create(kit.sim, "db/99999999999999999.seg.tmp"));
    reopen(&kit);
    assert_true(yr_wal_new_file_id(kit.wal) > UINT64_C(99999999999999999));
    assert_false(has_file(&kit, "db/00000050.seg") || has_file(&kit, "db/00000060.val.tmp"));
    kit_append_many(&kit, 3);
    assert_ok(&kit, kit_flush(&kit, true));
    reopen(&kit);
    assert_false(kit.is_wrong);
    kit_deinit(&kit);
}

static void test_orphans_go_when_manifest_has_verified_and_not_before(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 65);
    kit_append_many(&kit, 9);
    assert_ok(&kit, kit_flush(&kit, true));
    kit_append_many(&kit, 9);
    assert_ok(&kit, kit_flush(&kit, true));
    assert_ok(&kit, kit_compact(&kit));
    assert_int_equal(count_files(&kit, YR_FILE_SEGMENT), 1);
    assert_int_equal(count_files(&kit, YR_FILE_VALUES), 1);
    uint64_t all = kit.appended;
    kit_close(&kit);
    yr_sim_image image;
    yr_sim_image_clone(&image, yr_sim_image_of(kit.sim));
    for (int damaged = 0; damaged < 2; damaged++) {
        kit_restart(&kit, &image);
        assert_true(yr_sim_file_create(kit.sim, "db/00000002.seg"));
        assert_true(yr_sim_file_create(kit.sim, "db/00000003.val"));
        assert_true(yr_sim_file_create(kit.sim, "db/00000090.seg"));
        assert_true(yr_sim_file_create(kit.sim, "db/00000091.val.tmp"));
        assert_true(yr_sim_file_create(kit.sim, "db/MANIFEST.tmp"));
        assert_true(yr_sim_file_create(kit.sim, "db/notes.seg"));
        if (damaged) {
            for (uint64_t bit = 0; bit < 1600; bit += 97) {
                yr_sim_file_flip(kit.sim, "db/MANIFEST", bit);
                yr_sim_file_remove(kit.sim, "db/MANIFEST.bak");
                assert_status(&kit, YORE_ERR_CORRUPT, kit_open(&kit));
                yr_sim_file_flip(kit.sim, "db/MANIFEST", bit);
                kit_close(&kit);
            }
            assert_int_equal(count_files(&kit, YR_FILE_SEGMENT), 3);
            assert_int_equal(count_files(&kit, YR_FILE_VALUES), 3);
            continue;
        }
        assert_ok(&kit, kit_open(&kit));
        assert_int_equal(kit.replayed, all);
        assert_int_equal(count_files(&kit, YR_FILE_SEGMENT), 1);
        assert_int_equal(count_files(&kit, YR_FILE_VALUES), 1);
        assert_true(has_file(&kit, "db/notes.seg"));
        assert_false(has_file(&kit, "db/MANIFEST.tmp"));
        assert_true(yr_wal_new_file_id(kit.wal) > 91);
    }
    yr_sim_image_deinit(&image);
    kit_deinit(&kit);
}

static void test_the_probe_knows_the_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum yr_store_kind kind;
    } cases[] = {{"db/00000004.seg", YR_STORE_DAMAGED},   {"db/00000004.val", YR_STORE_DAMAGED},
                 {"db/00000004.seg.tmp", YR_STORE_EMPTY}, {"db/00000004.val.tmp", YR_STORE_EMPTY},
                 {"db/00000004.se", YR_STORE_FOREIGN},    {"db/4.seg", YR_STORE_FOREIGN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wal_kit kit;
        kit_init(&kit, 66);
        assert_true(yr_sim_file_create(kit.sim, cases[i].name));
        enum yr_store_kind kind;
        assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
        assert_int_equal(kind, cases[i].kind);
        kit_deinit(&kit);
    }
}

static void test_a_missing_file_is_named(void **state)
{
    (void)state;
    wal_kit kit;
    open_new(&kit, 67);
    kit_append_many(&kit, 30);
    assert_ok(&kit, kit_flush(&kit, true));
    kit_append_many(&kit, 90);
    kit_close(&kit);
    yr_sim_image image;
    yr_sim_image_clone(&image, yr_sim_image_of(kit.sim));
    const char *name;
    uint32_t removed = 0;
    for (uint32_t i = 0; (name = yr_sim_dir_name(kit.sim, KIT_PATH, i)); i++) {
        enum yr_file_kind kind;
        bool making;
        if (!yr_file_name_id(name, &kind, &making)) continue;
        char path[YR_FILE_NAME_BYTES + 8];
        (void)snprintf(path, sizeof(path), "db/%s", name);
        yr_sim_file_remove(kit.sim, path);
        assert_status(&kit, YORE_ERR_CORRUPT, kit_open(&kit));
        assert_says(&kit, path + 3);
        assert_status(&kit, YORE_ERR_CORRUPT, kit_open_reader(&kit));
        assert_says(&kit, path + 3);
        kit_restart(&kit, &image);
        removed++;
    }
    assert_true(removed > 3);
    yr_sim_image_deinit(&image);
    kit_deinit(&kit);
}

/* MANIFEST as 1.0 wrote it. */
static void make_1_0(wal_kit *kit)
{
    uint8_t bytes[4096];
    uint8_t old[4096] = {0};
    uint64_t size = (uint64_t)yr_sim_file_size(kit->sim, "db/MANIFEST");
    assert_true(size < sizeof(bytes) && yr_sim_file_read(kit->sim, "db/MANIFEST", bytes, size, 0));
    yr_manifest_fixed fixed;
    const char *why;
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, size}, &fixed, &why), YR_HEADER_OK);
    yr_file_header header = fixed.header;
    header.minor = 0;
    header.must_understand = 0;
    yr_file_header_encode(&header, old);
    memcpy(old + 64, bytes + 64, 20);
    memcpy(old + 96, bytes + YR_MANIFEST_FIXED_BYTES, fixed.count * YR_MANIFEST_ENTRY_BYTES);
    size_t end = 96 + fixed.count * YR_MANIFEST_ENTRY_BYTES;
    yr_put_le64(old + end, yr_hash64(old, end, yr_file_seed(&header)));
    assert_true(yr_sim_file_truncate(kit->sim, "db/MANIFEST", end + 8));
    assert_true(yr_sim_file_write(kit->sim, "db/MANIFEST", old, end + 8, 0));
    yr_sim_file_remove(kit->sim, "db/MANIFEST.bak");
}

static void test_a_store_of_1_0_is_opened_and_upgraded_by_its_next_edit(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        wal_kit kit;
        open_new(&kit, 68);
        kit_append_many(&kit, 40);
        if (sealed) assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
        kit_close(&kit);
        make_1_0(&kit);
        assert_ok(&kit, kit_open_reader(&kit));
        assert_int_equal(kit.state.hash_seed, 0);
        assert_int_equal(kit.report.format_minor, 0);
        assert_int_equal(kit.replayed, 41);
        kit_close(&kit);
        assert_ok(&kit, kit_open(&kit));
        assert_int_equal(kit.replayed, 41);
        assert_int_equal(kit.state.hash_seed | kit.state.file_count | kit.state.flushed_version, 0);
        kit_append_many(&kit, 4);
        kit.state.hash_seed = 4711;
        assert_ok(&kit, kit_flush(&kit, true));
        reopen(&kit);
        assert_int_equal(kit.report.format_minor, 1);
        assert_int_equal(kit.state.hash_seed, 4711);
        assert_int_equal(kit.replayed, 45);
        kit_deinit(&kit);
    }
}

/* -- faults -- */

typedef struct progress {
    uint64_t acked, tried;
} progress;

static void work(wal_kit *kit, progress *p)
{
    for (int i = 0; i < 30 && !yr_wal_is_poisoned(kit->wal); i++) {
        yore_status status = kit_append(kit);
        p->tried = kit->appended + (status < 0);
        if (status == YORE_OK && i % 5 == 4) {
            uint64_t files = listed(kit);
            yr_store_state before = kit->state;
            status = kit_flush(kit, i % 2 == 0);
            if (status == YORE_OK) p->acked = kit->appended;
            if (status == YORE_ERR_FULL || status == YORE_ERR_NOMEM) {
                assert_false(yr_wal_is_poisoned(kit->wal));
                const yr_store_state *now;
                assert_ok(kit, yr_wal_state(kit->wal, &now));
                assert_int_equal(now->flushed_lsn, before.flushed_lsn);
                assert_int_equal(now->file_count, before.file_count);
                assert_true(listed(kit) >= files); /* a rotation may have gone well */
            }
        }
        if (status == YORE_OK && i % 12 == 11) status = kit_compact(kit);
        if (status == YORE_OK && i % 3 == 1) status = yr_wal_sync(kit->wal, &kit->err);
        if (status == YORE_OK && i % 3 == 1) p->acked = kit->appended;
        bool expected = status == YORE_OK || status == YORE_ERR_FULL || status == YORE_ERR_IO ||
                        status == YORE_ERR_POISONED || status == YORE_ERR_NOMEM;
        if (!expected) fail_msg("%s: %s", yore_status_name(status), kit->err.message);
        if (kit->is_wrong) fail_msg("%s", kit->why);
    }
}

static void prepare_disk(yr_sim_image *image)
{
    wal_kit kit;
    open_new(&kit, 69);
    kit_append_many(&kit, 12);
    assert_ok(&kit, kit_flush(&kit, true));
    kit_append_many(&kit, 12);
    assert_ok(&kit, kit_flush(&kit, false));
    kit_append_many(&kit, 5);
    kit_close(&kit);
    yr_sim_image_clone(image, yr_sim_image_of(kit.sim));
    kit_deinit(&kit);
}

static void check_after(wal_kit *kit, const progress *p, uint64_t nth)
{
    kit_close(kit);
    kit->is_wrong = false;
    assert_ok(kit, kit_open(kit));
    if (kit->is_wrong) fail_msg("fault %" PRIu64 ": %s", nth, kit->why);
    if (kit->replayed < p->acked || kit->replayed > p->tried) {
        fail_msg("fault %" PRIu64 ": %" PRIu64 " records, %" PRIu64 " acknowledged, %" PRIu64 " tried", nth,
                 kit->replayed, p->acked, p->tried);
    }
    kit_append_many(kit, 2);
    assert_ok(kit, kit_flush(kit, true));
    uint64_t all = kit->appended;
    reopen(kit);
    assert_int_equal(kit->replayed, all);
    assert_int_equal(count_files(kit, YR_FILE_SEGMENT) + count_files(kit, YR_FILE_VALUES),
                     kit->state.file_count);
    kit_deinit(kit);
}

static bool fail_nth(const yr_sim_image *image, yr_sim_fault fault)
{
    wal_kit kit;
    kit_init(&kit, 70);
    kit_restart(&kit, image);
    yr_sim_set_fault(kit.sim, fault);
    progress p = {.acked = 30, .tried = 30};
    if (kit_open(&kit) == YORE_OK) work(&kit, &p);
    bool hit = yr_sim_fault_hits(kit.sim) > 0;
    yr_sim_set_fault(kit.sim, (yr_sim_fault){0});
    check_after(&kit, &p, fault.nth);
    return hit;
}

static void test_any_operation_of_a_flush_may_fail(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,    YR_SIM_OP_APPEND, YR_SIM_OP_SYNC,
                                     YR_SIM_OP_OPEN,     YR_SIM_OP_RENAME, YR_SIM_OP_UNLINK,
                                     YR_SIM_OP_DIR_SYNC, YR_SIM_OP_READ,   YR_SIM_OP_DIR};
    static const int errnos[] = {EIO, ENOSPC, EDQUOT};
    yr_sim_image image;
    prepare_disk(&image);
    uint64_t points = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (size_t e = 0; e < sizeof(errnos) / sizeof(errnos[0]); e++) {
            for (int sticky = 0; sticky < 2; sticky++) {
                for (uint64_t nth = 1;; nth++, points++) {
                    yr_sim_fault fault = {
                        .kinds = kinds[k], .nth = nth, .os_errno = errnos[e], .sticky = sticky == 1};
                    if (!fail_nth(&image, fault)) break;
                }
            }
        }
    }
    print_message("%" PRIu64 " faults\n", points);
    assert_true(points > 1000);
    yr_sim_image_deinit(&image);
}

static void test_memory_may_run_out_in_a_flush(void **state)
{
    (void)state;
    yr_sim_image image;
    prepare_disk(&image);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t nth = 1;; nth++) {
            wal_kit kit;
            kit_init(&kit, 71);
            kit_restart(&kit, &image);
            yr_sim_fail_alloc(kit.sim, nth, sticky == 1);
            progress p = {.acked = 30, .tried = 30};
            if (kit_open(&kit) == YORE_OK) work(&kit, &p);
            bool hit = yr_sim_alloc_fault_hits(kit.sim) > 0;
            yr_sim_fail_alloc(kit.sim, 0, false);
            check_after(&kit, &p, nth);
            if (!hit) break;
        }
    }
    yr_sim_image_deinit(&image);
}

static void test_a_full_disk_takes_flushes_again_when_there_is_space(void **state)
{
    (void)state;
    yr_sim_image image;
    prepare_disk(&image);
    for (uint64_t room = 0; room < 40; room++) {
        wal_kit kit;
        kit_init(&kit, 72);
        kit_restart(&kit, &image);
        yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim) + room * 1024, room % 2 ? ENOSPC : EDQUOT);
        progress p = {.acked = 30, .tried = 30};
        assert_ok(&kit, kit_open(&kit));
        work(&kit, &p);
        assert_false(yr_wal_is_poisoned(kit.wal));
        yr_sim_set_capacity(kit.sim, UINT64_MAX, ENOSPC);
        kit_append_many(&kit, 2);
        assert_ok(&kit, kit_flush(&kit, true));
        assert_ok(&kit, kit_compact(&kit));
        p.acked = p.tried = kit.appended;
        check_after(&kit, &p, room);
    }
    yr_sim_image_deinit(&image);
}

/* -- readers -- */

static void publish(wal_kit *writer)
{
    yr_wal_publish(writer->wal, yr_wal_last_lsn(writer->wal));
}

static void open_reader(wal_kit *r, const wal_kit *writer)
{
    kit_attach(r, writer->sim);
    assert_ok(r, kit_open_reader(r));
    assert_false(r->is_wrong);
}

static void refresh(wal_kit *r, yore_status status, uint64_t records)
{
    assert_status(r, status, yr_wal_refresh(r->wal, kit_apply, r, &r->err));
    if (r->is_wrong) fail_msg("%s", r->why);
    assert_int_equal(r->replayed, records);
    assert_int_equal(yr_wal_is_behind(r->wal), status == YORE_END);
}

static void restart(wal_kit *r, uint64_t records)
{
    assert_ok(r, yr_wal_restart(r->wal, kit_begin, kit_apply, r, &r->err));
    if (r->is_wrong) fail_msg("%s", r->why);
    assert_int_equal(r->replayed, records);
    assert_false(yr_wal_is_behind(r->wal));
}

static void test_a_reader_reads_dropped_files_to_their_end(void **state)
{
    (void)state;
    for (int prepared = 0; prepared < 2; prepared++) {
        wal_kit writer;
        open_new(&writer, 73);
        kit_append_many(&writer, 40);
        publish(&writer);
        wal_kit r;
        open_reader(&r, &writer);
        assert_int_equal(r.replayed, 41);
        kit_append_many(&writer, 3);
        if (prepared) assert_ok(&writer, yr_wal_prepare(writer.wal, NULL, &writer.err));
        publish(&writer);
        assert_ok(&writer, kit_flush(&writer, true)); /* every file the reader knew is gone */
        refresh(&r, YORE_OK, 44);
        kit_append_many(&writer, 2);
        publish(&writer);
        refresh(&r, YORE_OK, 46);
        kit_append_many(&writer, 30);
        assert_ok(&writer, kit_flush(&writer, false));
        publish(&writer);
        refresh(&r, YORE_OK, 76);
        uint64_t records;
        uint64_t bytes;
        assert_ok(&r, yr_wal_verify(r.wal, &records, &bytes, &r.err));
        kit_detach(&r);
        kit_deinit(&writer);
    }
}

static void test_a_reader_comes_to_files_that_were_dropped_since_it_opened(void **state)
{
    (void)state;
    wal_kit writer;
    open_new(&writer, 78);
    kit_append_many(&writer, 5);
    publish(&writer);
    kit_append_many(&writer, 60); /* into files that are listed, but not the reader's to read yet */
    uint64_t files = listed(&writer);
    assert_true(files > 2);
    wal_kit r;
    open_reader(&r, &writer);
    assert_int_equal(r.replayed, 6);
    kit_append_many(&writer, 1); /* where the reader has been told to look, since it looked */
    assert_int_equal(listed(&writer), files);
    assert_ok(&writer, kit_flush(&writer, true));
    assert_int_equal(listed(&writer), 1);
    publish(&writer);
    refresh(&r, YORE_OK, 67);
    kit_detach(&r);
    kit_deinit(&writer);
}

/* The writer goes on and drops the file just when the reader has come to its end. */
static void append_and_drop(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    wal_kit *writer = arg;
    if (kind != YR_SIM_OP_OPEN || writer->begins++ == 0) return; /* of LOCK; the second is of MANIFEST */
    yr_sim_set_hook(sim, NULL, NULL);
    kit_append_many(writer, 3);
    assert_ok(writer, kit_flush(writer, true));
    kit_append_many(writer, 2);
    publish(writer);
}

static void test_a_file_dropped_while_the_reader_is_at_its_end_is_read_once_more(void **state)
{
    (void)state;
    wal_kit writer;
    open_new(&writer, 79);
    kit_append_many(&writer, 5);
    publish(&writer);
    wal_kit r;
    open_reader(&r, &writer);
    assert_int_equal(r.replayed, 6);
    kit_append_many(&writer, 2);
    publish(&writer);
    yr_sim_file_remove(writer.sim,
                       "db/LOCK"); /* no mark to stop at: it looks for the end, and for a newer MANIFEST */
    kit_close(&r);
    assert_ok(&r, kit_open_reader(&r));
    kit_append_many(&writer, 2);
    writer.begins = 0;
    yr_sim_set_hook(writer.sim, append_and_drop, &writer);
    refresh(&r, YORE_OK, 15);
    assert_int_equal(writer.appended, 15);
    kit_detach(&r);
    kit_deinit(&writer);
}

static void test_a_reader_that_is_behind_says_so_and_starts_again(void **state)
{
    (void)state;
    wal_kit writer;
    open_new(&writer, 74);
    kit_append_many(&writer, 10);
    publish(&writer);
    wal_kit r;
    open_reader(&r, &writer);
    assert_int_equal(r.replayed, 11);
    uint64_t total = 11;
    for (int round = 0; round < 6; round++) {
        kit_append_many(&writer, 40); /* into files the reader has not seen */
        assert_ok(&writer, kit_flush(&writer, true));
        if (round % 2) assert_ok(&writer, kit_compact(&writer));
        kit_append_many(&writer, 2);
        publish(&writer);
        uint64_t seen = r.replayed;
        assert_status(&r, YORE_END, yr_wal_refresh(r.wal, kit_apply, &r, &r.err));
        assert_true(r.replayed >= seen && r.replayed < total + 42);
        seen = r.replayed;
        refresh(&r, YORE_END, seen);
        total += 42;
        if (round == 3) { /* a restart that fails leaves it behind */
            yr_sim_fail_alloc(writer.sim, 1, true);
            assert_status(&r, YORE_ERR_NOMEM, yr_wal_restart(r.wal, kit_begin, kit_apply, &r, &r.err));
            yr_sim_fail_alloc(writer.sim, 0, false);
            assert_status(&r, YORE_END, yr_wal_refresh(r.wal, kit_apply, &r, &r.err));
        }
        restart(&r, total);
        assert_int_equal(r.state.flushed_version, total - 2);
        refresh(&r, YORE_OK, total);
    }
    kit_close(&writer); /* and without a writer */
    refresh(&r, YORE_OK, total);
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 40);
    assert_ok(&writer, kit_flush(&writer, true));
    assert_ok(&writer, kit_seal_and_close(&writer));
    assert_status(&r, YORE_END, yr_wal_refresh(r.wal, kit_apply, &r, &r.err));
    restart(&r, total + 40);
    kit_detach(&r);
    kit_deinit(&writer);
}

/* A writer that flushes whenever the reader is about to open or read something. */
typedef struct haste {
    wal_kit *writer;
    yr_rng rng;
    uint32_t every;
    uint64_t flushes;
    bool is_busy;
} haste;

static void hurry(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)sim;
    (void)point;
    haste *h = arg;
    if (h->is_busy || !(kind & (YR_SIM_OP_OPEN | YR_SIM_OP_READ)) || yr_rng_below(&h->rng, h->every)) return;
    h->is_busy = true;
    wal_kit *w = h->writer;
    kit_append_many(w, 1 + yr_rng_below(&h->rng, 30));
    if (yr_rng_below(&h->rng, 2)) assert_ok(w, yr_wal_prepare(w->wal, NULL, &w->err));
    if (yr_rng_below(&h->rng, 2)) publish(w);
    assert_ok(w, kit_flush(w, yr_rng_below(&h->rng, 4) > 0));
    assert_ok(w, kit_compact(w));
    publish(w);
    h->flushes++;
    h->is_busy = false;
}

static void test_a_reader_gets_by_with_a_writer_that_drops_files_all_the_time(void **state)
{
    (void)state;
    uint64_t flushes = 0;
    uint64_t behind = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        wal_kit writer;
        open_new(&writer, 75);
        kit_append_many(&writer, 5);
        publish(&writer);
        haste h = {.writer = &writer, .rng = {.state = seed}, .every = seed % 2 ? 8 : 30};
        yr_sim_set_hook(writer.sim, hurry, &h);
        wal_kit r;
        kit_attach(&r, writer.sim);
        uint64_t published = writer.appended;
        assert_ok(&r, kit_open_reader(&r));
        for (int i = 0; i < 6; i++) {
            if (yr_wal_is_behind(r.wal)) {
                behind++;
                published = writer.appended;
                assert_ok(&r, yr_wal_restart(r.wal, kit_begin, kit_apply, &r, &r.err));
            }
            if (r.is_wrong) fail_msg("seed %" PRIu64 ": %s", seed, r.why);
            if (!yr_wal_is_behind(r.wal) && r.replayed < published) {
                fail_msg("seed %" PRIu64 ": %" PRIu64 " records, %" PRIu64 " were published", seed,
                         r.replayed, published);
            }
            published = writer.appended;
            yore_status status = yr_wal_refresh(r.wal, kit_apply, &r, &r.err);
            if (status != YORE_OK && status != YORE_END) {
                fail_msg("seed %" PRIu64 ": %s: %s", seed, yore_status_name(status), r.err.message);
            }
        }
        yr_sim_set_hook(writer.sim, NULL, NULL);
        while (yr_wal_is_behind(r.wal))
            assert_ok(&r, yr_wal_restart(r.wal, kit_begin, kit_apply, &r, &r.err));
        publish(&writer);
        yore_status status = yr_wal_refresh(r.wal, kit_apply, &r, &r.err);
        if (status == YORE_END) status = yr_wal_restart(r.wal, kit_begin, kit_apply, &r, &r.err);
        assert_ok(&r, status);
        assert_int_equal(r.replayed, writer.appended);
        flushes += h.flushes;
        kit_detach(&r);
        kit_deinit(&writer);
    }
    print_message("%" PRIu64 " flushes while reading, %" PRIu64 " times behind\n", flushes, behind);
    assert_true(flushes > 100 && behind > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_edit_drops_what_the_segments_have),
        cmocka_unit_test(test_the_file_being_written_and_the_one_prepared_stay),
        cmocka_unit_test(test_an_edit_below_the_end_keeps_the_rest),
        cmocka_unit_test(test_rotation_leaves_a_file_without_data_and_fits_the_size),
        cmocka_unit_test(test_a_file_left_empty_for_a_larger_one_is_read_past),
        cmocka_unit_test(test_a_file_begun_and_found_empty_begins_with_another_record),
        cmocka_unit_test(test_numbers_are_never_used_twice),
        cmocka_unit_test(test_orphans_go_when_manifest_has_verified_and_not_before),
        cmocka_unit_test(test_the_probe_knows_the_names),
        cmocka_unit_test(test_a_missing_file_is_named),
        cmocka_unit_test(test_a_store_of_1_0_is_opened_and_upgraded_by_its_next_edit),
        cmocka_unit_test(test_any_operation_of_a_flush_may_fail),
        cmocka_unit_test(test_memory_may_run_out_in_a_flush),
        cmocka_unit_test(test_a_full_disk_takes_flushes_again_when_there_is_space),
        cmocka_unit_test(test_a_reader_reads_dropped_files_to_their_end),
        cmocka_unit_test(test_a_reader_comes_to_files_that_were_dropped_since_it_opened),
        cmocka_unit_test(test_a_file_dropped_while_the_reader_is_at_its_end_is_read_once_more),
        cmocka_unit_test(test_a_reader_that_is_behind_says_so_and_starts_again),
        cmocka_unit_test(test_a_reader_gets_by_with_a_writer_that_drops_files_all_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

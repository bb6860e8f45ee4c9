/* Damage at rest: every single bit, every sector, every length, missing and swapped files. Each is reported, or
 * it changes nothing; the one silence allowed is the last record of a log that was not sealed, which no later
 * record proves. And the opposite: a torn tail opens unattended. */
#include <inttypes.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/format/manifest_format.h"
#include "engine/format/wal_format.h"
#include "tests/unit/wal/wal_kit.h"

#define RECORDS 60u
#define FILES_MAX 8u
#define SPARE "db/MANIFEST.bak"

typedef struct sample {
    wal_kit kit;
    yr_sim_image image;
    char files[FILES_MAX][32];
    uint32_t file_count;
    bool is_sealed;
} sample;

static void note_files(sample *s)
{
    for (uint32_t id = 1; id < 20 && s->file_count < FILES_MAX; id++) {
        (void)snprintf(s->files[s->file_count], sizeof(s->files[0]), "db/wal-%08u.log", id);
        if (yr_sim_file_size(s->kit.sim, s->files[s->file_count]) > 0) s->file_count++;
    }
}

/* A log of 60 records over several files, each synced, closed with a seal or by a kill. MANIFEST has no copy, which
 * would take its place. */
static void make_sample(sample *s, bool is_sealed)
{
    *s = (sample){.is_sealed = is_sealed};
    kit_init(&s->kit, 31);
    assert_ok(&s->kit, kit_create(&s->kit));
    assert_ok(&s->kit, kit_open(&s->kit));
    while (s->kit.appended < RECORDS) {
        kit_append_many(&s->kit, 1);
        assert_ok(&s->kit, yr_wal_sync(s->kit.wal, &s->kit.err));
    }
    if (is_sealed) assert_ok(&s->kit, yr_wal_seal(s->kit.wal, &s->kit.err));
    kit_close(&s->kit);
    assert_true(yr_sim_file_remove(s->kit.sim, SPARE));
    note_files(s);
    assert_true(s->file_count >= 3);
    yr_sim_image_clone(&s->image, yr_sim_image_of(s->kit.sim));
}

static void free_sample(sample *s)
{
    yr_sim_image_deinit(&s->image);
    kit_deinit(&s->kit);
}

enum outcome { REPORTED, HARMLESS, LOST_LAST, SILENT };

/* Open what the disk holds now. */
static enum outcome look(sample *s, bool reader)
{
    wal_kit *kit = &s->kit;
    kit->is_wrong = false;
    yore_status status = reader ? kit_open_reader(kit) : kit_open(kit);
    enum outcome outcome = SILENT;
    if (status == YORE_ERR_CORRUPT || status == YORE_ERR_FORMAT) {
        outcome = kit->err.message[0] && strstr(kit->err.message, "db") ? REPORTED : SILENT;
    } else if (status == YORE_OK && !kit->is_wrong && kit->replayed == RECORDS) {
        outcome = HARMLESS;
    } else if (status == YORE_OK && !kit->is_wrong && kit->replayed == RECORDS - 1 && !s->is_sealed) {
        outcome = LOST_LAST;
    }
    kit_close(kit);
    return outcome;
}

static void flip_every_bit(bool is_sealed)
{
    sample s;
    make_sample(&s, is_sealed);
    uint64_t counts[4] = {0};
    uint64_t flips = 0;
    for (uint32_t f = 0; f <= s.file_count; f++) {
        const char *file = f < s.file_count ? s.files[f] : "db/MANIFEST";
        uint64_t used = kit_used_bytes(&s.kit, file);
        uint64_t size = (uint64_t)yr_sim_file_size(s.kit.sim, file);
        for (uint64_t bit = 0; bit < size * 8; bit++) {
            if (bit > (used + 72) * 8 && bit % 97 != 0) continue; /* zeros to the end: a sample of them */
            assert_true(yr_sim_file_flip(s.kit.sim, file, bit));
            enum outcome outcome = look(&s, true);
            counts[outcome]++;
            flips++;
            if (outcome == SILENT) {
                print_error("%s bit %" PRIu64 ": %" PRIu64 " records, %s\n", file, bit, s.kit.replayed,
                            s.kit.err.message);
            }
            assert_true(yr_sim_file_flip(s.kit.sim, file, bit));
            if (bit % 61 != 0) continue;
            kit_restart(&s.kit, &s.image); /* a writer too, on a copy: it may cut */
            assert_true(yr_sim_file_flip(s.kit.sim, file, bit));
            assert_int_equal(look(&s, false), outcome);
            kit_restart(&s.kit, &s.image);
        }
    }
    print_message("%s: %" PRIu64 " flips: %" PRIu64 " reported, %" PRIu64 " harmless, %" PRIu64
                  " lost the unproven last record, %" PRIu64 " silent\n",
                  is_sealed ? "sealed" : "not sealed", flips, counts[REPORTED], counts[HARMLESS],
                  counts[LOST_LAST], counts[SILENT]);
    assert_int_equal(counts[SILENT], 0);
    if (is_sealed) assert_int_equal(counts[LOST_LAST], 0);
    assert_true(counts[REPORTED] > flips / 2);
    free_sample(&s);
}

static void test_every_flipped_bit_of_a_sealed_log_is_reported_or_harmless(void **state)
{
    (void)state;
    flip_every_bit(true);
}

static void test_every_flipped_bit_of_an_unsealed_log_costs_at_most_the_last_record(void **state)
{
    (void)state;
    flip_every_bit(false);
}

static void test_every_truncation_is_reported(void **state)
{
    (void)state;
    sample s;
    make_sample(&s, true);
    for (uint32_t f = 0; f <= s.file_count; f++) {
        const char *file = f < s.file_count ? s.files[f] : "db/MANIFEST";
        uint64_t size = (uint64_t)yr_sim_file_size(s.kit.sim, file);
        for (uint64_t end = 0; end < size; end++) {
            kit_restart(&s.kit, &s.image);
            assert_true(yr_sim_file_truncate(s.kit.sim, file, end));
            if (look(&s, end % 2 == 0) != REPORTED)
                fail_msg("%s cut to %" PRIu64 " bytes: not reported", file, end);
            const char *name = strrchr(file, '/') + 1;
            assert_says(&s.kit, name);
        }
    }
    kit_restart(&s.kit, &s.image);
    free_sample(&s);
}

static void test_zeroed_and_stale_sectors_are_reported_or_harmless(void **state)
{
    (void)state;
    sample s;
    make_sample(&s, true);
    static const uint64_t grains[] = {8, 512, 4096};
    uint64_t counts[4] = {0};
    for (uint32_t f = 0; f < s.file_count; f++) {
        uint64_t size = (uint64_t)yr_sim_file_size(s.kit.sim, s.files[f]);
        for (size_t g = 0; g < 3; g++) {
            for (uint64_t off = 0; off < size; off += grains[g]) {
                kit_restart(&s.kit, &s.image);
                assert_true(yr_sim_file_zero(s.kit.sim, s.files[f], off, grains[g]));
                enum outcome outcome = look(&s, true);
                /* a block with both the last record and its seal takes the proof with it */
                bool is_last = f + 1 == s.file_count && grains[g] > 8 &&
                               off + grains[g] >= kit_used_bytes(&s.kit, s.files[f]);
                if (outcome == SILENT && !is_last)
                    fail_msg("%s: %" PRIu64 " zeros at %" PRIu64, s.files[f], grains[g], off);
                counts[outcome]++;
            }
        }
        uint8_t block[512];
        for (uint64_t off = 0; off + 1024 <= size;
             off += 512) { /* a block written to its neighbour's place */
            kit_restart(&s.kit, &s.image);
            assert_true(yr_sim_file_read(s.kit.sim, s.files[f], block, sizeof(block), off));
            assert_true(yr_sim_file_write(s.kit.sim, s.files[f], block, sizeof(block), off + 512));
            enum outcome outcome = look(&s, true);
            bool is_last = f + 1 == s.file_count && off + 1024 >= kit_used_bytes(&s.kit, s.files[f]);
            if (outcome == SILENT && !is_last) fail_msg("%s: block %" PRIu64 " twice", s.files[f], off);
            counts[outcome]++;
        }
    }
    assert_true(counts[REPORTED] > 500);
    kit_restart(&s.kit, &s.image);
    free_sample(&s);
}

static void test_a_missing_empty_or_foreign_file_is_named(void **state)
{
    (void)state;
    sample s;
    make_sample(&s, true);
    for (uint32_t f = 0; f <= s.file_count; f++) {
        const char *file = f < s.file_count ? s.files[f] : "db/MANIFEST";
        const char *name = strrchr(file, '/') + 1;
        for (int how = 0; how < 4; how++) {
            kit_restart(&s.kit, &s.image);
            uint64_t size = (uint64_t)yr_sim_file_size(s.kit.sim, file);
            uint8_t *bytes = malloc(size);
            assert_non_null(bytes);
            const char *from = how == 3 && f < s.file_count ? s.files[(f + 1) % s.file_count] : file;
            /* two kits made with one seed would be twins: this one is a stranger */
            bool is_stranger = how == 2;
            if (is_stranger) {
                wal_kit stranger;
                kit_init(&stranger, 99);
                assert_ok(&stranger, kit_create(&stranger));
                kit_close(&stranger);
                int64_t other_size =
                    yr_sim_file_size(stranger.sim, f < s.file_count ? "db/wal-00000001.log" : "db/MANIFEST");
                assert_true(other_size > 0 && (uint64_t)other_size <= size);
                assert_true(yr_sim_file_read(stranger.sim,
                                             f < s.file_count ? "db/wal-00000001.log" : "db/MANIFEST", bytes,
                                             (size_t)other_size, 0));
                size = (uint64_t)other_size;
                kit_deinit(&stranger);
            } else {
                uint64_t from_size = (uint64_t)yr_sim_file_size(s.kit.sim, from);
                if (from_size < size) size = from_size;
                assert_true(yr_sim_file_read(s.kit.sim, from, bytes, size, 0));
            }
            yr_sim_file_remove(s.kit.sim, file);
            if (how > 0) yr_sim_file_create(s.kit.sim, file);
            if (how > 1) assert_true(yr_sim_file_write(s.kit.sim, file, bytes, size, 0));
            free(bytes);
            if (how == 3 && f == s.file_count) continue; /* MANIFEST in its own place */
            enum outcome outcome = look(&s, how % 2 == 0);
            if (outcome != REPORTED) fail_msg("%s, way %d: not reported (%s)", file, how, s.kit.err.message);
            /* a stranger's MANIFEST is whole: then the logs are what does not belong */
            if (!(is_stranger && f == s.file_count)) assert_says(&s.kit, name);
        }
    }
    kit_restart(&s.kit, &s.image);
    free_sample(&s);
}

/* -- the copy of MANIFEST -- */

/* A store with segments and a late log, and the copy. */
static void make_flushed(sample *s)
{
    *s = (sample){.is_sealed = true};
    wal_kit *kit = &s->kit;
    kit_init(kit, 36);
    assert_ok(kit, kit_create(kit));
    assert_ok(kit, kit_open(kit));
    kit_append_many(kit, 20);
    assert_ok(kit, kit_flush(kit, true));
    kit_append_many(kit, RECORDS - 22);
    assert_ok(kit, kit_flush(kit, false));
    kit_append_many(kit, 1);
    assert_int_equal(kit->appended, RECORDS);
    assert_ok(kit, kit_seal_and_close(kit));
    yr_sim_image_clone(&s->image, yr_sim_image_of(kit->sim));
}

static uint64_t bits_of(const sample *s, const char *file)
{
    int64_t size = yr_sim_file_size(s->kit.sim, file);
    assert_true(size > 0);
    return (uint64_t)size * 8;
}

static void test_a_damaged_manifest_is_replaced_by_its_copy(void **state)
{
    (void)state;
    sample s;
    make_flushed(&s);
    uint64_t bits = bits_of(&s, "db/MANIFEST");
    assert_int_equal(bits, bits_of(&s, SPARE));
    for (uint64_t bit = 0; bit < bits + 64; bit++) {
        kit_restart(&s.kit, &s.image);
        if (bit < bits) {
            assert_true(yr_sim_file_flip(s.kit.sim, "db/MANIFEST", bit));
        } else {
            assert_true(yr_sim_file_truncate(s.kit.sim, "db/MANIFEST", (bit - bits) * 5));
        }
        assert_int_equal(look(&s, true), HARMLESS);
        if (bit % 7 && bit < bits) continue;
        assert_ok(&s.kit, kit_open_reader(&s.kit)); /* the check says what is wrong */
        uint64_t records;
        uint64_t bytes;
        assert_true(s.kit.report.manifest_was_damaged);
        assert_status(&s.kit, YORE_ERR_CORRUPT, yr_wal_verify(s.kit.wal, &records, &bytes, &s.kit.err));
        assert_says(&s.kit, "db/MANIFEST'");
        kit_close(&s.kit);
        assert_int_equal(look(&s, false), HARMLESS); /* a writer makes it good */
        assert_true(yr_sim_file_remove(s.kit.sim, SPARE));
        assert_int_equal(look(&s, false), HARMLESS);
        assert_false(s.kit.report.manifest_was_damaged);
        assert_ok(&s.kit, kit_open(&s.kit));
        assert_ok(&s.kit, yr_wal_verify(s.kit.wal, &records, &bytes, &s.kit.err));
        assert_int_equal(yr_sim_file_size(s.kit.sim, SPARE) * 8, bits_of(&s, "db/MANIFEST"));
        kit_append_many(&s.kit, 1);
        kit_close(&s.kit);
    }
    free_sample(&s);
}

static void test_damage_to_the_copy_is_harmless_reported_and_mended(void **state)
{
    (void)state;
    sample s;
    make_flushed(&s);
    uint64_t bits = bits_of(&s, SPARE);
    for (uint64_t bit = 0; bit < bits; bit += 3) {
        kit_restart(&s.kit, &s.image);
        assert_true(yr_sim_file_flip(s.kit.sim, SPARE, bit));
        assert_ok(&s.kit, kit_open_reader(&s.kit));
        assert_int_equal(s.kit.replayed, RECORDS);
        uint64_t records;
        uint64_t bytes;
        assert_status(&s.kit, YORE_ERR_CORRUPT, yr_wal_verify(s.kit.wal, &records, &bytes, &s.kit.err));
        assert_says(&s.kit, SPARE);
        kit_close(&s.kit);
        assert_ok(&s.kit, kit_open(&s.kit));
        assert_ok(&s.kit, yr_wal_verify(s.kit.wal, &records, &bytes, &s.kit.err));
        kit_close(&s.kit);
    }
    free_sample(&s);
}

static void test_both_damaged_is_reported(void **state)
{
    (void)state;
    sample s;
    make_flushed(&s);
    uint64_t bits = bits_of(&s, SPARE);
    yr_rng rng = {.state = 5};
    for (int round = 0; round < 600; round++) {
        kit_restart(&s.kit, &s.image);
        assert_true(yr_sim_file_flip(s.kit.sim, "db/MANIFEST", yr_rng_below(&rng, bits)));
        assert_true(yr_sim_file_flip(s.kit.sim, SPARE, yr_rng_below(&rng, bits)));
        uint64_t before = yr_sim_image_hash(yr_sim_image_of(s.kit.sim));
        s.kit.err = (yore_error)YORE_ERROR_INIT;
        assert_int_equal(look(&s, true), REPORTED);
        assert_says(&s.kit, "db/MANIFEST'");
        assert_non_null(strstr(s.kit.err.hint, "yore check --salvage"));
        assert_true(before == yr_sim_image_hash(yr_sim_image_of(s.kit.sim)));
        assert_int_equal(look(&s, false), REPORTED);
    }
    free_sample(&s);
}

/* The copy stayed behind while MANIFEST went on, for want of space or by a power cut. Then MANIFEST rots. */
static void test_a_copy_that_is_too_old_is_not_believed(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        for (int header = 0; header < 2; header++) {
            sample s;
            make_flushed(&s);
            wal_kit *kit = &s.kit;
            uint8_t old[4096];
            uint64_t size = bits_of(&s, SPARE) / 8;
            assert_ok(kit, kit_open(kit));
            assert_true(yr_sim_file_read(kit->sim, SPARE, old, size, 0));
            kit_append_many(kit, 3);
            if (what == 0) assert_ok(kit, kit_flush(kit, true));
            if (what == 1) assert_ok(kit, kit_flush(kit, false));
            if (what == 2) assert_ok(kit, kit_compact(kit));
            if (what == 3) kit_append_many(kit, 40); /* other log files */
            if (what == 4) assert_ok(kit, yr_wal_rotate(kit->wal, &kit->err));
            if (what == 4) kit_append_many(kit, 1);
            assert_ok(kit, kit_seal_and_close(kit));
            assert_true(yr_sim_file_truncate(kit->sim, SPARE, size));
            assert_true(yr_sim_file_write(kit->sim, SPARE, old, size, 0));
            assert_true(yr_sim_file_flip(kit->sim, "db/MANIFEST", header ? 300 : 1000));
            assert_int_equal(look(&s, true), REPORTED);
            assert_int_equal(look(&s, false), REPORTED);
            free_sample(&s);
        }
    }
}

static void test_an_older_manifest_does_not_lose_newer_files(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 32);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    uint8_t old[4096];
    int64_t old_size = yr_sim_file_size(kit.sim, "db/MANIFEST");
    assert_true(old_size > 0 && yr_sim_file_read(kit.sim, "db/MANIFEST", old, (size_t)old_size, 0));
    while (kit.appended < 60) {
        kit_append_many(&kit, 1);
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    }
    kit_close(&kit);
    assert_true(yr_sim_file_truncate(kit.sim, "db/MANIFEST", 0));
    assert_true(yr_sim_file_write(kit.sim, "db/MANIFEST", old, (size_t)old_size, 0));
    yr_sim_file_remove(kit.sim, "db/LOCK"); /* opening signs it: compare the rest */
    uint64_t before = yr_sim_image_hash(yr_sim_image_of(kit.sim));
    assert_status(&kit, YORE_ERR_CORRUPT, kit_open(&kit));
    assert_says(&kit, "MANIFEST is older than the log");
    kit_close(&kit);
    yr_sim_file_remove(kit.sim, "db/LOCK");
    assert_true(before == yr_sim_image_hash(yr_sim_image_of(kit.sim)));
    kit_deinit(&kit);
}

/* All files that an older MANIFEST lists are there, and no others: records know better. */
static void test_records_tell_that_manifest_is_too_old(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 37);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 3);
    uint8_t old[4096];
    uint64_t size = (uint64_t)yr_sim_file_size(kit.sim, "db/MANIFEST");
    assert_true(yr_sim_file_read(kit.sim, "db/MANIFEST", old, size, 0));
    kit.state.trimmed_version = kit.state.flushed_version;
    assert_ok(&kit, yr_wal_edit(kit.wal, &kit.state, &kit.err));
    kit_append_many(&kit, 1);
    assert_ok(&kit, kit_seal_and_close(&kit));
    assert_true(yr_sim_file_write(kit.sim, "db/MANIFEST", old, size, 0));
    assert_status(&kit, YORE_ERR_CORRUPT, kit_open(&kit));
    assert_says(&kit, "MANIFEST is older than the log");
    kit_close(&kit); /* the lock, too: a reader waits for a writer that recovers */
    assert_status(&kit, YORE_ERR_CORRUPT, kit_open_reader(&kit));
    assert_says(&kit, "MANIFEST is older than the log");
    kit_deinit(&kit);
}

/* Torn tails: the unsynced end of a log, cut to pieces in every way of 8 bytes. */
static void test_a_tail_torn_at_any_8_bytes_opens_unattended_and_takes_records(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 33);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 8);
    assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    uint64_t durable = kit.appended;
    const char *file = "db/wal-00000001.log";
    uint64_t from = (kit_used_bytes(&kit, file) + 7) & ~UINT64_C(7);
    kit_append_many(&kit, 4);
    uint64_t all = kit.appended;
    uint64_t end = (kit_used_bytes(&kit, file) + 7) & ~UINT64_C(7);
    kit_close(&kit);
    yr_sim_image image;
    yr_sim_image_clone(&image, yr_sim_image_of(kit.sim));
    yr_rng rng = {.state = 1};
    uint64_t cuts = 0;
    uint64_t fewer = 0;
    for (uint64_t off = from; off < end; off += 8) {
        for (int how = 0; how < 4; how++) {
            kit_restart(&kit, &image);
            if (how == 0) yr_sim_file_zero(kit.sim, file, off, 8);           /* one unit missing */
            if (how == 1) yr_sim_file_zero(kit.sim, file, off, end - off);   /* all from here */
            if (how == 2) yr_sim_file_zero(kit.sim, file, from, off - from); /* all up to here */
            for (uint64_t at = from; how == 3 && at < end; at += 8) {
                if (yr_rng_below(&rng, 2)) yr_sim_file_zero(kit.sim, file, at, 8);
            }
            kit.is_wrong = false;
            assert_ok(&kit, kit_open(&kit));
            assert_false(kit.is_wrong);
            assert_true(kit.replayed >= durable && kit.replayed <= all);
            cuts += kit.report.cut_bytes > 0;
            fewer += kit.replayed < all;
            uint64_t found = kit.replayed;
            kit_append_many(&kit, 2);
            kit_close(&kit);
            assert_ok(&kit, kit_open(&kit));
            assert_false(kit.is_wrong);
            assert_int_equal(kit.replayed, found + 2);
        }
    }
    assert_true(cuts > 100 && fewer >= cuts);
    assert_true(yr_sim_dir_name(kit.sim, "db/lost+found", 0) != NULL); /* of the last one */
    yr_sim_image_deinit(&image);
    kit_deinit(&kit);
}

/* A hole in one file and whole records in the next that do not claim it durable: cut at the hole. */
static void test_a_hole_before_a_file_switch_is_cut_and_the_later_file_set_aside(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 34);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 40);
    assert_true(yr_sim_file_size(kit.sim, "db/wal-00000002.log") > 0);
    kit_close(&kit);
    uint64_t used = kit_used_bytes(&kit, "db/wal-00000001.log");
    yr_sim_file_zero(kit.sim, "db/wal-00000001.log", used & ~UINT64_C(7),
                     8); /* its last 8 bytes never came */
    assert_ok(&kit, kit_open(&kit));
    assert_false(kit.is_wrong);
    assert_true(kit.replayed > 5 && kit.replayed < 41);
    assert_true(kit.report.cut_bytes > 0);
    assert_true(yr_sim_file_size(kit.sim, "db/lost+found/wal-00000002.log") > 0);
    uint64_t found = kit.replayed;
    kit_append_many(&kit, 30);
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit));
    assert_false(kit.is_wrong);
    assert_int_equal(kit.replayed, found + 30);
    kit_deinit(&kit);
}

static void patch_header(wal_kit *kit, const char *file, uint16_t major, uint32_t must_understand)
{
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header header;
    assert_true(yr_sim_file_read(kit->sim, file, bytes, sizeof(bytes), 0));
    assert_int_equal(yr_file_header_decode((yore_slice){bytes, sizeof(bytes)}, &header), YR_HEADER_OK);
    header.major = major;
    header.must_understand = must_understand;
    yr_file_header_encode(&header, bytes);
    assert_true(yr_sim_file_write(kit->sim, file, bytes, sizeof(bytes), 0));
}

static void test_a_newer_format_is_refused_and_left_alone(void **state)
{
    (void)state;
    static const char *const files[] = {"db/MANIFEST", "db/wal-00000001.log"};
    static const char *const says[] = {"newer format (7.1), this is yore format 1.1", "newer format (1.1)",
                                       "newer format (7.0), this is yore format 1.0", "newer format (1.0)"};
    for (int i = 0; i < 4; i++) {
        wal_kit kit;
        kit_init(&kit, 35);
        assert_ok(&kit, kit_create(&kit));
        patch_header(&kit, files[i / 2], i % 2 ? 1 : 7, i % 2 ? 4 : 0);
        uint64_t before = yr_sim_image_hash(yr_sim_image_of(kit.sim));
        assert_status(&kit, YORE_ERR_FORMAT, kit_open(&kit));
        assert_says(&kit, says[i]);
        assert_status(&kit, YORE_ERR_FORMAT, kit_open_reader(&kit));
        assert_true(before == yr_sim_image_hash(yr_sim_image_of(kit.sim)));
        kit_deinit(&kit);
    }
}

static void test_random_bytes_never_crash_the_open(void **state)
{
    (void)state;
    sample s;
    make_sample(&s, false);
    yr_rng rng = {.state = 2024};
    print_message("seed 2024\n");
    for (int round = 0; round < 3000; round++) {
        kit_restart(&s.kit, &s.image);
        uint32_t edits = 1 + (uint32_t)yr_rng_below(&rng, 4);
        for (uint32_t i = 0; i < edits; i++) {
            uint64_t pick = yr_rng_below(&rng, s.file_count + 1);
            const char *file = pick < s.file_count ? s.files[pick] : "db/MANIFEST";
            uint64_t size = (uint64_t)yr_sim_file_size(s.kit.sim, file);
            uint8_t noise[64];
            for (size_t b = 0; b < sizeof(noise); b++) noise[b] = (uint8_t)yr_rng_next(&rng);
            uint64_t off = yr_rng_below(&rng, size);
            uint64_t n = 1 + yr_rng_below(&rng, sizeof(noise));
            yr_sim_file_write(s.kit.sim, file, noise, n < size - off ? n : size - off, off);
        }
        s.kit.is_wrong = false;
        yore_status status = round % 2 ? kit_open(&s.kit) : kit_open_reader(&s.kit);
        assert_true(status == YORE_OK || status == YORE_ERR_CORRUPT || status == YORE_ERR_FORMAT);
        assert_false(s.kit.is_wrong);
        assert_true(yr_sim_peak_bytes(s.kit.sim) < (8u << 20));
        kit_close(&s.kit);
    }
    kit_restart(&s.kit, &s.image);
    free_sample(&s);
}

/* -- bytes made by someone who knows the format and every salt -- */

static uint64_t wild(yr_rng *rng, uint64_t near)
{
    switch (yr_rng_below(rng, 6)) {
    case 0: return near + 1;
    case 1: return near - 1;
    case 2: return near + 8 * yr_rng_below(rng, 100);
    case 3: return yr_rng_next(rng) >> yr_rng_below(rng, 64);
    case 4: return UINT64_MAX - yr_rng_below(rng, 100);
    default: return 0;
    }
}

/* One field of one record (or the link), with the checksums made right again. */
static void forge_log(wal_kit *kit, const char *file, yr_rng *rng)
{
    uint8_t bytes[8192 + 64];
    uint64_t size = (uint64_t)yr_sim_file_size(kit->sim, file);
    assert_true(size <= sizeof(bytes));
    assert_true(yr_sim_file_read(kit->sim, file, bytes, size, 0));
    yr_file_header header;
    assert_int_equal(yr_file_header_decode((yore_slice){bytes, size}, &header), YR_HEADER_OK);
    uint64_t seed = yr_file_seed(&header);
    yr_wal_link link;
    if (!yr_wal_link_decode((yore_slice){bytes + 64, 64}, seed, &link)) return; /* forged before */
    if (yr_rng_below(rng, 8) == 0) {
        uint64_t *fields[] = {&link.prev_id, &link.prev_last_lsn, &link.prev_chain, &link.bytes};
        uint64_t *field = fields[yr_rng_below(rng, 4)];
        *field = wild(rng, *field);
        yr_wal_link_encode(&link, seed, bytes + 64);
        assert_true(yr_sim_file_write(kit->sim, file, bytes, YR_WAL_START_OFF, 0));
        return;
    }
    uint64_t off = YR_WAL_START_OFF;
    uint64_t pick = yr_rng_below(rng, 30);
    yr_wal_record_header record = {0};
    while (yr_wal_record_decode((yore_slice){bytes + off, size - off}, seed, off, &record) && pick-- > 0) {
        uint64_t next = off + yr_wal_record_bytes(record.payload_bytes);
        if (next >= size - YR_WAL_RECORD_HEADER_BYTES) break; /* forged before */
        off = next;
    }
    uint64_t *fields[] = {&record.payload_bytes, &record.lsn, &record.prev, &record.durable_lsn};
    uint64_t *field = fields[yr_rng_below(rng, 4)];
    *field = wild(rng, *field);
    record.type = (uint8_t)(1 + yr_rng_below(rng, 2));
    uint64_t claimed =
        record.payload_bytes; /* the encoder takes the size from the payload: forge it by hand */
    uint64_t there = size - off - YR_WAL_RECORD_HEADER_BYTES;
    uint8_t out[YR_WAL_RECORD_HEADER_BYTES];
    yore_slice payload = {bytes + off + YR_WAL_RECORD_HEADER_BYTES, claimed < there ? claimed : there};
    yr_wal_record_encode(&record, payload, seed, off, out);
    yr_put_le64(out + 8, claimed);
    yr_put_le64(out + 48, yr_hash64(out, 48, yr_offset_seed(seed, off)));
    assert_true(yr_sim_file_write(kit->sim, file, out, sizeof(out), off));
}

static void forge_manifest(wal_kit *kit, yr_rng *rng)
{
    uint8_t bytes[4096];
    uint64_t size = (uint64_t)yr_sim_file_size(kit->sim, "db/MANIFEST");
    assert_true(size <= sizeof(bytes) - YR_MANIFEST_ENTRY_BYTES * 3);
    assert_true(yr_sim_file_read(kit->sim, "db/MANIFEST", bytes, size, 0));
    yr_manifest_fixed fixed;
    const char *why;
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, size}, &fixed, &why), YR_HEADER_OK);
    yr_manifest_entry entries[16];
    assert_true(fixed.count <= 12);
    for (uint32_t i = 0; i < fixed.count; i++)
        yr_manifest_decode_entry((yore_slice){bytes, size}, &fixed, i, &entries[i]);
    yr_manifest_entry *entry = &entries[yr_rng_below(rng, fixed.count)];
    uint64_t *fields[] = {&fixed.next_id,   &fixed.durable_lsn, &entry->id,       &entry->first_lsn,
                          &entry->last_lsn, &entry->end_off,    &entry->end_chain};
    uint64_t *field = fields[yr_rng_below(rng, 7)];
    *field = wild(rng, *field);
    if (yr_rng_below(rng, 6) == 0) entry->closed = !entry->closed;
    if (yr_rng_below(rng, 6) == 0) fixed.count--;
    if (yr_rng_below(rng, 6) == 0) {
        entries[fixed.count] = entries[yr_rng_below(rng, fixed.count + 1)];
        entries[fixed.count].id = fixed.next_id++;
        fixed.count++;
    }
    yr_manifest_encode(&fixed, entries, bytes);
    uint64_t new_size = yr_manifest_bytes(fixed.count, 0);
    assert_true(yr_sim_file_truncate(kit->sim, "db/MANIFEST", new_size));
    assert_true(yr_sim_file_write(kit->sim, "db/MANIFEST", bytes, new_size, 0));
}

static void test_forged_files_with_right_checksums_never_crash_the_open(void **state)
{
    (void)state;
    sample s;
    make_sample(&s, false);
    yr_rng rng = {.state = 77};
    print_message("seed 77\n");
    uint64_t opened = 0;
    for (int round = 0; round < 4000; round++) {
        kit_restart(&s.kit, &s.image);
        for (uint64_t i = yr_rng_below(&rng, 3) + 1; i > 0; i--) {
            uint64_t pick = yr_rng_below(&rng, s.file_count + 2);
            if (pick >= s.file_count) {
                if (i == 1) forge_manifest(&s.kit, &rng); /* once: the next could not be read back */
            } else {
                forge_log(&s.kit, s.files[pick], &rng);
            }
        }
        yore_status status = round % 2 ? kit_open(&s.kit) : kit_open_reader(&s.kit);
        assert_true(status == YORE_OK || status == YORE_ERR_CORRUPT || status == YORE_ERR_IO);
        if (status == YORE_OK && round % 2) {
            opened++;
            (void)kit_append(&s.kit);
            (void)yr_wal_prepare(s.kit.wal, NULL, NULL);
            (void)yr_wal_seal(s.kit.wal, NULL);
        }
        assert_true(yr_sim_peak_bytes(s.kit.sim) < (8u << 20));
        kit_close(&s.kit);
    }
    assert_true(opened > 100);
    kit_restart(&s.kit, &s.image);
    free_sample(&s);
}

static void test_a_log_file_too_short_for_a_record_is_damage_not_a_crash(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 41);
    for (uint64_t size = YR_WAL_START_OFF; size <= YR_WAL_START_OFF + 64; size += 8) {
        uint8_t bytes[YR_WAL_START_OFF + 64] = {0};
        yr_file_header header = {.major = 1, .kind = YR_FILE_WAL, .file_id = 1};
        yr_file_header_encode(&header, bytes);
        yr_wal_link link = {.bytes = size};
        yr_wal_link_encode(&link, yr_file_seed(&header), bytes + YR_FILE_HEADER_BYTES);
        assert_true(yr_sim_file_create(kit.sim, "db/wal-00000001.log"));
        assert_true(yr_sim_file_write(kit.sim, "db/wal-00000001.log", bytes, size, 0));
        enum yr_store_kind kind;
        assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
        assert_int_equal(kind, YR_STORE_DAMAGED);
        assert_true(yr_sim_file_remove(kit.sim, "db/wal-00000001.log"));
    }
    kit_deinit(&kit);
}

static void test_a_stray_file_with_the_last_number_leaves_numbers_for_others(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 42);
    assert_ok(&kit, kit_create(&kit));
    assert_true(yr_sim_file_create(kit.sim, "db/wal-4611686018427387903.log"));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 100); /* over several files */
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.replayed, 101);
    kit_deinit(&kit);
}

static void test_a_manifest_without_a_number_left_gives_an_error(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        wal_kit kit;
        kit_init(&kit, 43);
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, 2);
        if (!killed) assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
        kit_close(&kit);
        uint8_t bytes[4096];
        uint64_t size = (uint64_t)yr_sim_file_size(kit.sim, "db/MANIFEST");
        assert_true(size <= sizeof(bytes) && yr_sim_file_read(kit.sim, "db/MANIFEST", bytes, size, 0));
        yr_manifest_fixed fixed;
        const char *why;
        assert_int_equal(yr_manifest_decode((yore_slice){bytes, size}, &fixed, &why), YR_HEADER_OK);
        yr_manifest_entry entry;
        yr_manifest_decode_entry((yore_slice){bytes, size}, &fixed, 0, &entry);
        fixed.next_id = YR_MANIFEST_ID_MAX;
        yr_manifest_encode(&fixed, &entry, bytes);
        assert_true(yr_sim_file_write(kit.sim, "db/MANIFEST", bytes, size, 0));
        yore_status status = kit_open(&kit); /* after a kill the tail would be copied to another file */
        for (int i = 0; status == YORE_OK && i < 100; i++) status = kit_append(&kit);
        assert_int_equal(status, YORE_ERR_LIMIT);
        assert_int_equal(kit.wal == NULL, killed);
        kit_deinit(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit_of_a_sealed_log_is_reported_or_harmless),
        cmocka_unit_test(test_every_flipped_bit_of_an_unsealed_log_costs_at_most_the_last_record),
        cmocka_unit_test(test_every_truncation_is_reported),
        cmocka_unit_test(test_zeroed_and_stale_sectors_are_reported_or_harmless),
        cmocka_unit_test(test_a_missing_empty_or_foreign_file_is_named),
        cmocka_unit_test(test_a_damaged_manifest_is_replaced_by_its_copy),
        cmocka_unit_test(test_damage_to_the_copy_is_harmless_reported_and_mended),
        cmocka_unit_test(test_both_damaged_is_reported),
        cmocka_unit_test(test_a_copy_that_is_too_old_is_not_believed),
        cmocka_unit_test(test_an_older_manifest_does_not_lose_newer_files),
        cmocka_unit_test(test_records_tell_that_manifest_is_too_old),
        cmocka_unit_test(test_a_tail_torn_at_any_8_bytes_opens_unattended_and_takes_records),
        cmocka_unit_test(test_a_hole_before_a_file_switch_is_cut_and_the_later_file_set_aside),
        cmocka_unit_test(test_a_newer_format_is_refused_and_left_alone),
        cmocka_unit_test(test_random_bytes_never_crash_the_open),
        cmocka_unit_test(test_forged_files_with_right_checksums_never_crash_the_open),
        cmocka_unit_test(test_a_log_file_too_short_for_a_record_is_damage_not_a_crash),
        cmocka_unit_test(test_a_stray_file_with_the_last_number_leaves_numbers_for_others),
        cmocka_unit_test(test_a_manifest_without_a_number_left_gives_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

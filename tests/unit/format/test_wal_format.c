/* Bytes of log files, MANIFEST and LOCK: what is encoded is decoded, the golden files of every format version
 * stay readable and are what this code writes, and no changed bit passes.
 *
 * `YORE_GOLDEN_UPDATE=1` writes the golden files of the current version instead of comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/format/file_name.h"
#include "engine/format/lock_format.h"
#include "engine/format/manifest_format.h"
#include "engine/format/wal_format.h"

#define GOLDEN_BYTES 1024u

static const yr_file_header sample_header = {
    .major = 1,
    .minor = 0,
    .kind = YR_FILE_WAL,
    .may_ignore = 0x0102,
    .must_understand = 0,
    .uuid = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F},
    .file_id = 7,
    .salt = {0xF0, 0xE1, 0xD2, 0xC3, 0xB4, 0xA5, 0x96, 0x87, 0x78, 0x69, 0x5A, 0x4B, 0x3C, 0x2D, 0x1E, 0x0F},
};

static const yr_wal_link sample_link = {
    .prev_id = 6, .prev_last_lsn = 41, .prev_chain = 0x1122334455667788, .bytes = 1024};

/* A log file: header, link, a group of 5 bytes, an empty group, a seal, zeros. Returns the end of the records. */
static size_t make_log(uint8_t out[GOLDEN_BYTES])
{
    memset(out, 0, GOLDEN_BYTES);
    yr_file_header_encode(&sample_header, out);
    uint64_t seed = yr_file_seed(&sample_header);
    yr_wal_link_encode(&sample_link, seed, out + YR_FILE_HEADER_BYTES);
    static const char *const payloads[] = {"hello", "", ""};
    static const uint8_t types[] = {YR_WAL_GROUP, YR_WAL_GROUP, YR_WAL_SEAL};
    uint64_t off = YR_WAL_START_OFF;
    uint64_t chain = sample_link.prev_chain;
    for (uint64_t i = 0; i < 3; i++) {
        yore_slice payload = {payloads[i], strlen(payloads[i])};
        yr_wal_record_header header = {.type = types[i], .lsn = 42 + i, .prev = chain, .durable_lsn = 41 + i};
        header.manifest = (uint16_t)(0x300 + i);
        yr_wal_record_encode(&header, payload, seed, off, out + off);
        memcpy(out + off + YR_WAL_RECORD_HEADER_BYTES, payload.data, payload.size);
        chain = header.sum;
        off += yr_wal_record_bytes(payload.size);
    }
    return (size_t)off;
}

static const yr_manifest_entry sample_entries[3] = {
    {.id = 2, .first_lsn = 11, .last_lsn = 30, .end_off = 4096, .end_chain = 0xAABBCCDD, .closed = true},
    {.id = 7, .first_lsn = 31},
    {.id = 8},
};

/* Two runs, the newer one of two files, and a value file. */
static yr_store_file sample_files[4] = {
    {.file_id = 12,
     .run_id = 12,
     .after_version = 20,
     .last_version = 25,
     .file_bytes = 5000,
     .file_hash = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
     .kind = YR_FILE_SEGMENT},
    {.file_id = 13,
     .run_id = 12,
     .after_version = 20,
     .last_version = 25,
     .file_bytes = 6000,
     .kind = YR_FILE_SEGMENT,
     .level = 1},
    {.file_id = 5,
     .run_id = 5,
     .last_version = 20,
     .file_bytes = UINT64_C(1) << 33,
     .kind = YR_FILE_SEGMENT,
     .level = 7},
    {.file_id = 6, .last_version = 20, .file_bytes = 300000, .kind = YR_FILE_VALUES},
};

static yr_manifest_fixed sample_manifest(void)
{
    yr_manifest_fixed fixed = {.header = sample_header, .next_id = 14, .durable_lsn = 41, .count = 3};
    fixed.header.kind = YR_FILE_MANIFEST;
    fixed.header.may_ignore = 0;
    fixed.start_id = 1;
    fixed.start_lsn = 10;
    fixed.start_chain = 0x99887766;
    fixed.state = (yr_store_state){.hash_seed = 0x0123456789ABCDEF,
                                   .flushed_version = 25,
                                   .flushed_lsn = 33,
                                   .last_time_ns = 1700000000000000001,
                                   .last_data_time_ns = -5,
                                   .trimmed_version = 3,
                                   .files = sample_files,
                                   .file_count = 4};
    return fixed;
}

static size_t make_manifest(uint8_t out[GOLDEN_BYTES])
{
    yr_manifest_fixed fixed = sample_manifest();
    yr_manifest_encode(&fixed, sample_entries, out);
    return (size_t)yr_manifest_bytes(3, 4);
}

static size_t make_lock(uint8_t out[YR_LOCK_BYTES])
{
    memset(out, 0, YR_LOCK_BYTES);
    yr_lock_holder holder = {.pid = 123, .host = "meadow", .boot_id = "5b7c", .program = "yore"};
    yr_lock_text_encode(&holder, out);
    yr_lock_slot_encode(41, sample_header.uuid, out + YR_LOCK_SLOT_OFF);
    yr_lock_slot_encode(42, sample_header.uuid, out + YR_LOCK_SLOT_OFF + YR_LOCK_SLOT_STRIDE);
    return YR_LOCK_BYTES;
}

/* -- golden files -- */

static FILE *golden_open(const char *name, const char *mode)
{
    const char *source = getenv("YORE_SOURCE_DIR");
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/tests/unit/format/golden/%s", source ? source : ".", name);
    FILE *file = fopen(path, mode);
    if (!file) fail_msg("cannot open %s (set YORE_SOURCE_DIR)", path);
    return file;
}

static void compare_golden(const char *name, const uint8_t *bytes, size_t size)
{
    if (getenv("YORE_GOLDEN_UPDATE")) {
        FILE *file = golden_open(name, "wb");
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        return;
    }
    uint8_t golden[YR_LOCK_BYTES + 1];
    FILE *file = golden_open(name, "rb");
    size_t n = fread(golden, 1, sizeof(golden), file);
    (void)fclose(file);
    assert_int_equal(n, size);
    assert_memory_equal(golden, bytes, size);
}

static void test_the_golden_files_are_what_is_written(void **state)
{
    (void)state;
    uint8_t bytes[YR_LOCK_BYTES];
    (void)make_log(bytes);
    compare_golden("wal_1_0.bin", bytes, GOLDEN_BYTES);
    compare_golden("manifest_1_1.bin", bytes, make_manifest(bytes));
    compare_golden("lock_1_0.bin", bytes, make_lock(bytes));
}

static void test_the_golden_files_are_read(void **state)
{
    (void)state;
    uint8_t bytes[YR_LOCK_BYTES];
    FILE *file = golden_open("wal_1_0.bin", "rb");
    assert_int_equal(fread(bytes, 1, sizeof(bytes), file), GOLDEN_BYTES);
    (void)fclose(file);
    yr_file_header header;
    assert_int_equal(yr_file_header_decode((yore_slice){bytes, GOLDEN_BYTES}, &header), YR_HEADER_OK);
    uint8_t again[YR_FILE_HEADER_BYTES];
    yr_file_header_encode(&header, again);
    assert_memory_equal(again, bytes, sizeof(again));
    assert_int_equal(header.file_id, sample_header.file_id);
    uint64_t seed = yr_file_seed(&header);
    yr_wal_link link;
    assert_true(yr_wal_link_decode((yore_slice){bytes + 64, 64}, seed, &link));
    assert_memory_equal(&link, &sample_link, sizeof(link));
    static const uint64_t sizes[] = {5, 0, 0};
    static const uint8_t types[] = {YR_WAL_GROUP, YR_WAL_GROUP, YR_WAL_SEAL};
    uint64_t off = YR_WAL_START_OFF;
    uint64_t chain = link.prev_chain;
    for (uint64_t i = 0; i < 3; i++) {
        yr_wal_record_header record;
        assert_true(yr_wal_record_decode((yore_slice){bytes + off, GOLDEN_BYTES - off}, seed, off, &record));
        assert_int_equal(record.type, types[i]);
        assert_int_equal(record.lsn, 42 + i);
        assert_int_equal(record.durable_lsn, 41 + i);
        assert_int_equal(record.manifest, 0x300 + i);
        assert_int_equal(record.prev, chain);
        assert_int_equal(record.payload_bytes, sizes[i]);
        yore_slice payload = {bytes + off + YR_WAL_RECORD_HEADER_BYTES, (size_t)sizes[i]};
        assert_int_equal(yr_wal_payload_sum(payload, seed, off), record.payload_sum);
        chain = record.sum;
        off += yr_wal_record_bytes(sizes[i]);
    }

    file = golden_open("lock_1_0.bin", "rb");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    yr_lock_holder holder;
    assert_true(yr_lock_text_decode((yore_slice){bytes, n}, &holder));
    assert_int_equal(holder.pid, 123);
    assert_string_equal(holder.host, "meadow");
    assert_string_equal(holder.boot_id, "5b7c");
    assert_string_equal(holder.program, "yore");
    assert_int_equal(yr_lock_watermark((yore_slice){bytes, n}, sample_header.uuid), 42);
}

static void test_the_golden_manifest_without_a_state_is_read(void **state)
{
    (void)state;
    uint8_t bytes[GOLDEN_BYTES];
    FILE *file = golden_open("manifest_1_0.bin", "rb");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    yr_manifest_fixed fixed;
    const char *why;
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, n}, &fixed, &why), YR_HEADER_OK);
    assert_int_equal(fixed.header.minor, 0);
    assert_int_equal(fixed.count, 3);
    assert_int_equal(fixed.next_id, 9);
    assert_int_equal(fixed.durable_lsn, 41);
    assert_int_equal(fixed.start_id | fixed.start_lsn | fixed.start_chain, 0);
    static const yr_store_state empty;
    assert_memory_equal(&fixed.state, &empty, sizeof(empty));
    yr_manifest_entry entry;
    yr_manifest_decode_entry((yore_slice){bytes, n}, &fixed, 0, &entry);
    assert_true(entry.closed && entry.id == 2 && entry.last_lsn == 30 && entry.end_off == 4096);
    assert_int_equal(entry.end_chain, 0xAABBCCDD);
    yr_manifest_decode_entry((yore_slice){bytes, n}, &fixed, 2, &entry);
    assert_true(!entry.closed && entry.id == 8 && entry.first_lsn == 0);
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(yr_manifest_decode((yore_slice){bytes, n}, &fixed, &why), YR_HEADER_BAD);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_the_golden_manifest_with_a_state_is_read(void **state)
{
    (void)state;
    uint8_t bytes[GOLDEN_BYTES];
    FILE *file = golden_open("manifest_1_1.bin", "rb");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    yr_manifest_fixed fixed;
    yr_manifest_fixed expected = sample_manifest();
    const char *why;
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, n}, &fixed, &why), YR_HEADER_OK);
    assert_int_equal(fixed.header.minor, 1);
    assert_int_equal(fixed.header.must_understand, YR_FORMAT_MUST_STATE);
    assert_true(fixed.count == 3 && fixed.next_id == 14 && fixed.durable_lsn == 41);
    assert_true(fixed.start_id == 1 && fixed.start_lsn == 10 && fixed.start_chain == 0x99887766);
    assert_null(fixed.state.files);
    fixed.state.files = sample_files;
    assert_memory_equal(&fixed.state, &expected.state, sizeof(fixed.state));
    for (uint32_t i = 0; i < 3; i++) {
        yr_manifest_entry entry;
        yr_manifest_decode_entry((yore_slice){bytes, n}, &fixed, i, &entry);
        assert_true(entry.id == sample_entries[i].id && entry.first_lsn == sample_entries[i].first_lsn);
        assert_true(entry.closed == sample_entries[i].closed);
    }
    for (uint32_t i = 0; i < 4; i++) {
        yr_store_file got = {0};
        yr_manifest_decode_file((yore_slice){bytes, n}, &fixed, i, &got);
        const yr_store_file *f = &sample_files[i];
        assert_true(got.file_id == f->file_id && got.run_id == f->run_id && got.kind == f->kind);
        assert_true(got.after_version == f->after_version && got.last_version == f->last_version);
        assert_true(got.file_bytes == f->file_bytes && got.level == f->level);
        assert_memory_equal(got.file_hash, f->file_hash, YR_FILE_HASH_BYTES);
    }
}

/* -- what must not pass -- */

static void test_no_flipped_bit_of_a_header_or_record_passes(void **state)
{
    (void)state;
    uint8_t bytes[GOLDEN_BYTES];
    size_t end = make_log(bytes);
    uint64_t seed = yr_file_seed(&sample_header);
    for (size_t bit = 0; bit < end * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        yr_file_header header;
        yr_wal_link link;
        yr_wal_record_header record;
        bool ok = yr_file_header_decode((yore_slice){bytes, 64}, &header) == YR_HEADER_OK &&
                  yr_wal_link_decode((yore_slice){bytes + 64, 64}, seed, &link);
        for (uint64_t i = 0, off = YR_WAL_START_OFF; ok && i < 3; i++) {
            ok = yr_wal_record_decode((yore_slice){bytes + off, GOLDEN_BYTES - off}, seed, off, &record);
            if (!ok) break;
            yore_slice payload = {bytes + off + YR_WAL_RECORD_HEADER_BYTES, (size_t)record.payload_bytes};
            ok = yr_wal_payload_sum(payload, seed, off) == record.payload_sum;
            off += yr_wal_record_bytes(record.payload_bytes);
        }
        size_t hello = YR_WAL_START_OFF + YR_WAL_RECORD_HEADER_BYTES;
        bool is_padding = bit / 8 >= hello + 5 &&
                          bit / 8 < hello + 8; /* the log's walk asks for zeros there */
        if (ok != is_padding) fail_msg("bit %zu: %s", bit, ok ? "passes" : "fails");
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_no_flipped_bit_or_cut_of_a_manifest_passes(void **state)
{
    (void)state;
    uint8_t bytes[GOLDEN_BYTES];
    size_t size = make_manifest(bytes);
    yr_manifest_fixed fixed;
    const char *why;
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(yr_manifest_decode((yore_slice){bytes, size}, &fixed, &why), YR_HEADER_BAD);
        assert_non_null(why);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(yr_manifest_decode((yore_slice){bytes, cut}, &fixed, &why), YR_HEADER_BAD);
    }
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, size + 1}, &fixed, &why), YR_HEADER_BAD);
}

static void test_a_record_is_whole_only_at_its_place_in_its_file(void **state)
{
    (void)state;
    uint8_t bytes[GOLDEN_BYTES];
    (void)make_log(bytes);
    uint64_t seed = yr_file_seed(&sample_header);
    yore_slice at = {bytes + YR_WAL_START_OFF, GOLDEN_BYTES - YR_WAL_START_OFF};
    yr_wal_record_header record;
    assert_true(yr_wal_record_decode(at, seed, YR_WAL_START_OFF, &record));
    assert_false(yr_wal_record_decode(at, seed, YR_WAL_START_OFF + 8, &record));
    yr_file_header other = sample_header;
    other.file_id++;
    assert_false(yr_wal_record_decode(at, yr_file_seed(&other), YR_WAL_START_OFF, &record));
    other = sample_header;
    other.salt[15] ^= 1;
    assert_false(yr_wal_record_decode(at, yr_file_seed(&other), YR_WAL_START_OFF, &record));
    for (size_t size = 0; size < YR_WAL_RECORD_HEADER_BYTES; size++) {
        assert_false(yr_wal_record_decode((yore_slice){at.data, size}, seed, YR_WAL_START_OFF, &record));
    }
}

static void test_nonsense_with_right_checksums_is_refused(void **state)
{
    (void)state;
    uint8_t out[GOLDEN_BYTES];
    static const yr_wal_record_header bad[] = {
        {.type = YR_WAL_END, .lsn = 1},
        {.type = 9, .lsn = 1},
        {.type = YR_WAL_GROUP, .lsn = 0},
        {.type = YR_WAL_GROUP, .lsn = 5, .durable_lsn = 5},
        {.type = YR_WAL_GROUP, .lsn = 5, .durable_lsn = UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        yr_wal_record_header header = bad[i];
        yr_wal_record_encode(&header, (yore_slice){"", 0}, 1, 128, out);
        assert_false(yr_wal_record_decode((yore_slice){out, 56}, 1, 128, &header));
    }
    yr_wal_record_header seal = {.type = YR_WAL_SEAL, .lsn = 1};
    yr_wal_record_encode(&seal, (yore_slice){"x", 1}, 1, 128, out); /* a seal has no payload */
    assert_false(yr_wal_record_decode((yore_slice){out, 56}, 1, 128, &seal));
    static const uint64_t sizes[] = {0, 127, 129, UINT64_MAX, YR_WAL_FILE_BYTES_MAX + 8};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        yr_wal_link link = {.bytes = sizes[i]};
        yr_wal_link_encode(&link, 1, out);
        assert_false(yr_wal_link_decode((yore_slice){out, 64}, 1, &link));
    }
    static const yr_manifest_entry lists[][2] = {
        {{.id = 2}, {.id = 2}},
        {{.id = 2}, {.id = 1}},
        {{.id = 2}, {.id = 9}},
        {{.id = 0}, {.id = 1}},
        {{.id = 1}, {.id = 2, .last_lsn = 5, .end_off = 200, .closed = true}},
        {{.id = 1, .last_lsn = 5, .end_off = 200, .closed = true},
         {.id = 2, .last_lsn = 6, .end_off = 200, .closed = true}},
    };
    const char *why = NULL;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        yr_manifest_fixed fixed = {.header = sample_header, .next_id = 9, .count = 2};
        fixed.header.kind = YR_FILE_MANIFEST;
        yr_manifest_encode(&fixed, lists[i], out);
        why = NULL;
        assert_int_equal(yr_manifest_decode((yore_slice){out, yr_manifest_bytes(2, 0)}, &fixed, &why),
                         YR_HEADER_BAD);
        assert_non_null(why);
    }
    yr_manifest_fixed none = {.header = sample_header, .next_id = 9};
    none.header.kind = YR_FILE_MANIFEST;
    yr_manifest_encode(&none, NULL, out);
    assert_int_equal(yr_manifest_decode((yore_slice){out, yr_manifest_bytes(0, 0)}, &none, &why),
                     YR_HEADER_BAD);
    assert_string_equal(why, "no open file");
}

/* The sample with one thing changed that no store can say. */
static const char *refuse_state(void (*change)(yr_manifest_fixed *fixed, yr_store_file files[4]))
{
    uint8_t out[GOLDEN_BYTES];
    yr_manifest_fixed fixed = sample_manifest();
    yr_store_file files[4];
    memcpy(files, sample_files, sizeof(files));
    fixed.state.files = files;
    change(&fixed, files);
    yr_manifest_encode(&fixed, sample_entries, out);
    const char *why = NULL;
    size_t size = (size_t)yr_manifest_bytes(3, fixed.state.file_count);
    enum yr_header_verdict verdict = yr_manifest_decode((yore_slice){out, size}, &fixed, &why);
    if (verdict != YR_HEADER_BAD) fail_msg("passes");
    return why;
}

#define REFUSES(text, ...)                                                \
    static void text##_change(yr_manifest_fixed *fixed, yr_store_file *f) \
    {                                                                     \
        (void)fixed;                                                      \
        (void)f;                                                          \
        __VA_ARGS__;                                                      \
    }
REFUSES(start_without_file, fixed->start_id = 0)
REFUSES(start_not_flushed, fixed->start_lsn = 34)
REFUSES(not_durable, fixed->durable_lsn = 32)
REFUSES(start_in_the_list, fixed->start_id = 2)
REFUSES(trimmed_too_far, fixed->state.trimmed_version = 26)
REFUSES(id_too_high, f[1].file_id = 14)
REFUSES(id_zero, f[1].file_id = 0)
REFUSES(no_bytes, f[2].file_bytes = 0)
REFUSES(unknown_kind, f[2].kind = 1)
REFUSES(values_in_a_run, f[3].run_id = 3)
REFUSES(segment_in_no_run, f[2].run_id = 0)
REFUSES(segment_behind_values, f[3] = f[2]; f[2] = sample_files[3])
REFUSES(empty_range, f[2].last_version = 0)
REFUSES(range_not_flushed, fixed->state.flushed_version = 24)
REFUSES(run_of_two_ranges, f[1].after_version = 19)
REFUSES(runs_overlap, f[2].last_version = 21)
REFUSES(runs_out_of_order, f[2] = f[0]; f[0] = sample_files[2])
#undef REFUSES

static void test_a_state_that_no_store_has_is_refused(void **state)
{
    (void)state;
    assert_string_equal(refuse_state(start_without_file_change), "a log that begins nowhere");
    static const char behind[] = "a log that begins behind what the segments have";
    assert_string_equal(refuse_state(start_not_flushed_change), behind);
    assert_string_equal(refuse_state(not_durable_change), "a log that ends before the segments do");
    assert_string_equal(refuse_state(start_in_the_list_change), "file ids out of order");
    assert_string_equal(refuse_state(trimmed_too_far_change), "versions out of range");
    assert_string_equal(refuse_state(id_too_high_change), "file ids out of range");
    assert_string_equal(refuse_state(id_zero_change), "file ids out of range");
    assert_string_equal(refuse_state(no_bytes_change), "an empty file");
    assert_string_equal(refuse_state(unknown_kind_change), "a file of an unknown kind");
    assert_string_equal(refuse_state(values_in_a_run_change), "a value file in a run");
    assert_string_equal(refuse_state(segment_in_no_run_change), "a segment in no run");
    assert_string_equal(refuse_state(segment_behind_values_change), "a segment behind a value file");
    assert_string_equal(refuse_state(empty_range_change), "a segment's versions out of range");
    assert_string_equal(refuse_state(range_not_flushed_change), "a segment's versions out of range");
    assert_string_equal(refuse_state(run_of_two_ranges_change), "files of one run with different versions");
    assert_string_equal(refuse_state(runs_overlap_change), "runs out of order");
    assert_string_equal(refuse_state(runs_out_of_order_change), "runs out of order");
}

static void test_file_names_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        enum yr_file_kind kind;
        uint64_t id;
        bool making;
        const char *name;
    } names[] = {
        {YR_FILE_WAL, 1, false, "wal-00000001.log"},
        {YR_FILE_WAL, 12, true, "wal-00000012.tmp"},
        {YR_FILE_SEGMENT, 12, false, "00000012.seg"},
        {YR_FILE_SEGMENT, 123456789, true, "123456789.seg.tmp"},
        {YR_FILE_VALUES, 13, false, "00000013.val"},
        {YR_FILE_VALUES, YR_MANIFEST_ID_MAX - 1, true, "4611686018427387903.val.tmp"},
    };
    enum yr_file_kind kind;
    bool making;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[YR_FILE_NAME_BYTES];
        yr_file_name(names[i].kind, names[i].id, names[i].making, name);
        assert_string_equal(name, names[i].name);
        assert_int_equal(yr_file_name_id(name, &kind, &making), names[i].id);
        assert_true(kind == names[i].kind && making == names[i].making);
    }
    static const char *const strange[] = {"",
                                          "MANIFEST",
                                          "wal-",
                                          "wal-1.log",
                                          "wal-00000001.LOG",
                                          "wal-00000000.log",
                                          "12.seg",
                                          "00000012.segx",
                                          "00000012.seg~",
                                          "00000000.seg",
                                          "x00000012.seg",
                                          "wal-00000012.seg",
                                          "000000012.seg",
                                          "4611686018427387904.seg",
                                          "99999999999999999999999.seg",
                                          "-0000012.seg",
                                          " 00000012.seg"};
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        if (yr_file_name_id(strange[i], &kind, &making) != 0) fail_msg("'%s' passes", strange[i]);
    }
}

static void test_newer_formats_are_told_from_damage(void **state)
{
    (void)state;
    uint8_t out[64];
    yr_file_header header = sample_header;
    header.major = 7;
    yr_file_header_encode(&header, out);
    assert_int_equal(yr_file_header_decode((yore_slice){out, 64}, &header), YR_HEADER_NEWER);
    assert_int_equal(header.major, 7);
    header = sample_header;
    header.must_understand = 0x80000000u;
    yr_file_header_encode(&header, out);
    assert_int_equal(yr_file_header_decode((yore_slice){out, 64}, &header), YR_HEADER_NEWER);
    header = sample_header;
    header.minor = 9; /* a newer minor may be read */
    header.may_ignore = 0xFFFF;
    yr_file_header_encode(&header, out);
    assert_int_equal(yr_file_header_decode((yore_slice){out, 64}, &header), YR_HEADER_OK);
    header.major = 0;
    yr_file_header_encode(&header, out);
    assert_int_equal(yr_file_header_decode((yore_slice){out, 64}, &header), YR_HEADER_BAD);
    out[0] ^= 1;
    assert_int_equal(yr_file_header_decode((yore_slice){out, 64}, &header), YR_HEADER_BAD);
    assert_int_equal(yr_file_header_decode((yore_slice){out, 63}, &header), YR_HEADER_BAD);
}

static void test_a_damaged_watermark_gives_the_other_one_or_none(void **state)
{
    (void)state;
    uint8_t bytes[YR_LOCK_BYTES];
    for (size_t bit = 0; bit < YR_LOCK_SLOT_BYTES * 8; bit++) {
        (void)make_lock(bytes);
        size_t second = YR_LOCK_SLOT_OFF + YR_LOCK_SLOT_STRIDE;
        bytes[second + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(yr_lock_watermark((yore_slice){bytes, sizeof(bytes)}, sample_header.uuid), 41);
        bytes[YR_LOCK_SLOT_OFF + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(yr_lock_watermark((yore_slice){bytes, sizeof(bytes)}, sample_header.uuid), 0);
    }
    (void)make_lock(bytes);
    uint8_t other[YR_UUID_BYTES] = {1};
    assert_int_equal(yr_lock_watermark((yore_slice){bytes, sizeof(bytes)}, other), 0);
    assert_int_equal(yr_lock_watermark((yore_slice){bytes, 1030}, sample_header.uuid), 0);
    yr_lock_holder holder = {.pid = INT64_MAX};
    memset(holder.host, 'h', sizeof(holder.host) - 1);
    yr_lock_text_encode(&holder, bytes);
    assert_false(yr_lock_text_decode((yore_slice){bytes, sizeof(bytes)}, &holder)); /* 19 digits are no pid */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_golden_files_are_what_is_written),
        cmocka_unit_test(test_the_golden_files_are_read),
        cmocka_unit_test(test_the_golden_manifest_without_a_state_is_read),
        cmocka_unit_test(test_the_golden_manifest_with_a_state_is_read),
        cmocka_unit_test(test_a_state_that_no_store_has_is_refused),
        cmocka_unit_test(test_file_names_are_read_as_they_are_written),
        cmocka_unit_test(test_no_flipped_bit_of_a_header_or_record_passes),
        cmocka_unit_test(test_no_flipped_bit_or_cut_of_a_manifest_passes),
        cmocka_unit_test(test_a_record_is_whole_only_at_its_place_in_its_file),
        cmocka_unit_test(test_nonsense_with_right_checksums_is_refused),
        cmocka_unit_test(test_newer_formats_are_told_from_damage),
        cmocka_unit_test(test_a_damaged_watermark_gives_the_other_one_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

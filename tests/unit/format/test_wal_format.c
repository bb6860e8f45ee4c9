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

static size_t make_manifest(uint8_t out[GOLDEN_BYTES])
{
    yr_manifest_fixed fixed = {.header = sample_header, .next_id = 9, .durable_lsn = 41, .count = 3};
    fixed.header.kind = YR_FILE_MANIFEST;
    fixed.header.may_ignore = 0;
    yr_manifest_entry entries[3] = {
        {.id = 2, .first_lsn = 1, .last_lsn = 30, .end_off = 4096, .end_chain = 0xAABBCCDD, .closed = true},
        {.id = 7, .first_lsn = 31},
        {.id = 8},
    };
    yr_manifest_encode(&fixed, entries, out);
    return (size_t)yr_manifest_bytes(3);
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
    compare_golden("manifest_1_0.bin", bytes, make_manifest(bytes));
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

    file = golden_open("manifest_1_0.bin", "rb");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    yr_manifest_fixed fixed;
    const char *why;
    assert_int_equal(yr_manifest_decode((yore_slice){bytes, n}, &fixed, &why), YR_HEADER_OK);
    assert_int_equal(fixed.count, 3);
    assert_int_equal(fixed.next_id, 9);
    assert_int_equal(fixed.durable_lsn, 41);
    yr_manifest_entry entry;
    yr_manifest_decode_entry((yore_slice){bytes, n}, 0, &entry);
    assert_true(entry.closed && entry.id == 2 && entry.last_lsn == 30 && entry.end_off == 4096);
    assert_int_equal(entry.end_chain, 0xAABBCCDD);
    yr_manifest_decode_entry((yore_slice){bytes, n}, 2, &entry);
    assert_true(!entry.closed && entry.id == 8 && entry.first_lsn == 0);

    file = golden_open("lock_1_0.bin", "rb");
    n = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    yr_lock_holder holder;
    assert_true(yr_lock_text_decode((yore_slice){bytes, n}, &holder));
    assert_int_equal(holder.pid, 123);
    assert_string_equal(holder.host, "meadow");
    assert_string_equal(holder.boot_id, "5b7c");
    assert_string_equal(holder.program, "yore");
    assert_int_equal(yr_lock_watermark((yore_slice){bytes, n}, sample_header.uuid), 42);
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
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        yr_manifest_fixed fixed = {.header = sample_header, .next_id = 9, .count = 2};
        fixed.header.kind = YR_FILE_MANIFEST;
        yr_manifest_encode(&fixed, lists[i], out);
        const char *why = NULL;
        assert_int_equal(yr_manifest_decode((yore_slice){out, yr_manifest_bytes(2)}, &fixed, &why),
                         YR_HEADER_BAD);
    }
    yr_manifest_fixed none = {.header = sample_header, .next_id = 9};
    none.header.kind = YR_FILE_MANIFEST;
    yr_manifest_encode(&none, NULL, out);
    const char *why = NULL;
    assert_int_equal(yr_manifest_decode((yore_slice){out, yr_manifest_bytes(0)}, &none, &why), YR_HEADER_BAD);
    assert_string_equal(why, "no open file");
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
        cmocka_unit_test(test_no_flipped_bit_of_a_header_or_record_passes),
        cmocka_unit_test(test_no_flipped_bit_or_cut_of_a_manifest_passes),
        cmocka_unit_test(test_a_record_is_whole_only_at_its_place_in_its_file),
        cmocka_unit_test(test_nonsense_with_right_checksums_is_refused),
        cmocka_unit_test(test_newer_formats_are_told_from_damage),
        cmocka_unit_test(test_a_damaged_watermark_gives_the_other_one_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

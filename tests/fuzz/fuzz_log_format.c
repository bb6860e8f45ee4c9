/* File headers, links, records, MANIFEST and LOCK: any bytes are refused or give what the encoder makes of it again.
 * The first byte picks the decoder; with its top bit set the input is taken as field values and encoded first, so
 * that nonsense with right checksums is tried too. */
#include "tests/fuzz/fuzz_target.h"

#include "engine/base/bytes.h"
#include "engine/base/yr_assert.h"
#include "engine/format/lock_format.h"
#include "engine/format/manifest_format.h"
#include "engine/format/wal_format.h"

enum what { HEADER, LINK, RECORD, MANIFEST, LOCK, WHAT_COUNT };

#define SEED UINT64_C(0x0123456789ABCDEF)
#define OFF 128u

static void try_header(yore_slice bytes)
{
    yr_file_header header;
    if (yr_file_header_decode(bytes, &header) != YR_HEADER_OK) return;
    uint8_t again[YR_FILE_HEADER_BYTES];
    yr_file_header_encode(&header, again);
    YR_ASSERT(memcmp(again, bytes.data, sizeof again) == 0);
}

static void try_link(yore_slice bytes)
{
    yr_wal_link link;
    if (!yr_wal_link_decode(bytes, SEED, &link)) return;
    uint8_t again[64];
    yr_wal_link_encode(&link, SEED, again);
    YR_ASSERT(memcmp(again, bytes.data, sizeof again) == 0);
}

static void try_record(yore_slice bytes)
{
    yr_wal_record_header header;
    if (!yr_wal_record_decode(bytes, SEED, OFF, &header)) return;
    YR_ASSERT(header.payload_bytes <= YR_WAL_PAYLOAD_MAX);
    YR_ASSERT(header.durable_lsn < header.lsn);
    yr_wal_record_header other;
    YR_ASSERT(!yr_wal_record_decode(bytes, SEED, OFF + 8, &other)); /* nor anywhere else */
    YR_ASSERT(!yr_wal_record_decode(bytes, SEED + 1, OFF, &other)); /* nor in another file */
}

static void try_manifest(yore_slice bytes)
{
    yr_manifest_fixed fixed;
    const char *why = NULL;
    if (yr_manifest_decode(bytes, &fixed, &why) != YR_HEADER_OK) return;
    YR_ASSERT(bytes.size <= yr_manifest_bytes(fixed.count, fixed.state.file_count));
    uint64_t last_id = 0;
    for (uint32_t i = 0; i < fixed.count; i++) {
        yr_manifest_entry entry;
        yr_manifest_decode_entry(bytes, &fixed, i, &entry);
        YR_ASSERT(entry.id > last_id && entry.id < fixed.next_id); /* M1 */
        last_id = entry.id;
    }
    YR_ASSERT(fixed.start_lsn <= fixed.state.flushed_lsn &&
              fixed.state.flushed_lsn <= fixed.durable_lsn); /* M4 */
    uint64_t newest = fixed.state.flushed_version;
    for (uint32_t i = 0; i < fixed.state.file_count; i++) {
        yr_store_file file;
        yr_manifest_decode_file(bytes, &fixed, i, &file);
        YR_ASSERT(file.file_id > 0 && file.file_id < fixed.next_id);
        if (file.kind != YR_FILE_SEGMENT) continue;
        YR_ASSERT(file.after_version < file.last_version && file.last_version <= newest); /* M5 */
        newest = file.last_version;
    }
}

static void try_lock(yore_slice bytes)
{
    yr_lock_holder holder;
    if (yr_lock_text_decode(bytes, &holder)) {
        YR_ASSERT(memchr(holder.host, 0, sizeof holder.host));
        YR_ASSERT(memchr(holder.boot_id, 0, sizeof holder.boot_id));
        YR_ASSERT(memchr(holder.program, 0, sizeof holder.program));
    }
    static const uint8_t uuid[YR_UUID_BYTES] = {1};
    (void)yr_lock_watermark(bytes, uuid);
}

/* Any field values, with the checksums an encoder gives them. */
static void try_made(uint8_t what, yore_slice fields)
{
    yr_reader r = yr_reader_of(fields);
    uint8_t out[FUZZ_INPUT_MAX];
    yr_file_header header = {.kind = (uint16_t)yr_take_le16(&r), .major = yr_take_le16(&r)};
    header.must_understand = yr_take_u8(&r);
    header.file_id = yr_take_le64(&r);
    if (what == HEADER) {
        yr_file_header_encode(&header, out);
        try_header(yore_bytes(out, YR_FILE_HEADER_BYTES));
    } else if (what == RECORD) {
        yr_wal_record_header record = {.type = yr_take_u8(&r), .prev = yr_take_le64(&r)};
        record.lsn = yr_take_le64(&r);
        record.durable_lsn = yr_take_le64(&r);
        yore_slice payload = yore_bytes(r.p, r.left);
        yr_wal_record_encode(&record, payload, SEED, OFF, out);
        try_record(yore_bytes(out, YR_WAL_RECORD_HEADER_BYTES));
    } else if (what == MANIFEST) {
        yr_manifest_entry entries[8] = {{0}};
        yr_manifest_fixed fixed = {
            .header = header, .next_id = yr_take_le64(&r), .durable_lsn = yr_take_le64(&r)};
        fixed.count = yr_take_u8(&r) % 9u;
        for (uint32_t i = 0; i < fixed.count; i++) {
            entries[i].closed = yr_take_u8(&r) & 1;
            entries[i].id = yr_take_le64(&r);
            entries[i].first_lsn = yr_take_le64(&r);
            entries[i].last_lsn = yr_take_le64(&r);
            entries[i].end_off = yr_take_le64(&r);
        }
        yr_store_file files[8] = {{0}};
        fixed.state.files = files;
        fixed.state.file_count = yr_take_u8(&r) % 9u;
        fixed.state.flushed_version = yr_take_u8(&r);
        fixed.state.flushed_lsn = yr_take_u8(&r);
        fixed.start_id = yr_take_u8(&r);
        fixed.start_lsn = yr_take_u8(&r);
        for (uint32_t i = 0; i < fixed.state.file_count; i++) {
            files[i].kind = yr_take_u8(&r);
            files[i].file_id = yr_take_u8(&r);
            files[i].run_id = yr_take_u8(&r);
            files[i].after_version = yr_take_u8(&r);
            files[i].last_version = yr_take_u8(&r);
            files[i].file_bytes = yr_take_u8(&r);
        }
        yr_manifest_encode(&fixed, entries, out);
        try_manifest(yore_bytes(out, (size_t)yr_manifest_bytes(fixed.count, fixed.state.file_count)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    yore_slice bytes = yore_bytes(data + 1, size - 1);
    if (data[0] & 0x80u) {
        try_made(data[0] & 0x7fu, bytes);
        return 0;
    }
    switch (data[0] % WHAT_COUNT) {
    case HEADER: try_header(bytes); break;
    case LINK: try_link(bytes); break;
    case RECORD: try_record(bytes); break;
    case MANIFEST: try_manifest(bytes); break;
    default: try_lock(bytes); break;
    }
    return 0;
}

static yr_file_header some_header(yr_rng *rng, uint16_t kind)
{
    yr_file_header header = {.major = YR_FORMAT_MAJOR, .minor = YR_FORMAT_MINOR, .kind = kind};
    header.may_ignore = (uint16_t)yr_rng_below(rng, 4);
    header.file_id = yr_rng_below(rng, 100);
    for (size_t i = 0; i < YR_UUID_BYTES; i++) header.uuid[i] = (uint8_t)yr_rng_next(rng);
    for (size_t i = 0; i < YR_SALT_BYTES; i++) header.salt[i] = (uint8_t)yr_rng_next(rng);
    return header;
}

static size_t some_manifest(yr_rng *rng, uint8_t *out)
{
    yr_manifest_entry entries[8] = {{0}};
    yr_manifest_fixed fixed = {.header = some_header(rng, YR_FILE_MANIFEST)};
    fixed.count = 1 + (uint32_t)yr_rng_below(rng, 8);
    uint64_t id = 1;
    for (uint32_t i = 0; i < fixed.count; i++) {
        entries[i].id = id;
        entries[i].first_lsn = 1 + 10u * i;
        entries[i].closed = i + 1 < fixed.count;
        if (entries[i].closed) {
            entries[i].last_lsn = 10u * (i + 1);
            entries[i].end_off = 4096;
            entries[i].end_chain = yr_rng_next(rng);
        }
        id += 1 + yr_rng_below(rng, 3);
    }
    yr_store_file files[6] = {{0}};
    fixed.state.files = files;
    fixed.state.file_count = (uint32_t)yr_rng_below(rng, 7);
    uint64_t version = 100;
    fixed.state.flushed_version = version;
    for (uint32_t i = 0; i < fixed.state.file_count; i++) {
        bool is_segment = i < 4;
        files[i] = (yr_store_file){.file_id = id++, .file_bytes = 1 + yr_rng_next(rng) % 9999};
        files[i].kind = is_segment ? YR_FILE_SEGMENT : YR_FILE_VALUES;
        files[i].run_id = is_segment ? files[i].file_id : 0;
        files[i].last_version = version;
        if (is_segment) version -= 1 + yr_rng_below(rng, 9);
        files[i].after_version = version;
    }
    fixed.next_id = id;
    yr_manifest_encode(&fixed, entries, out);
    return (size_t)yr_manifest_bytes(fixed.count, fixed.state.file_count);
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    uint8_t *body = out + 1;
    out[0] = (uint8_t)yr_rng_below(rng, WHAT_COUNT);
    if (yr_rng_below(rng, 4) == 0) {
        size_t size = 1 + (size_t)yr_rng_below(rng, 300);
        out[0] |= 0x80u;
        for (size_t i = 1; i < size; i++) out[i] = yr_rng_below(rng, 3) ? 0 : (uint8_t)yr_rng_below(rng, 4);
        return size;
    }
    switch (out[0]) {
    case HEADER: {
        yr_file_header header = some_header(rng, YR_FILE_WAL);
        yr_file_header_encode(&header, body);
        return 1 + YR_FILE_HEADER_BYTES;
    }
    case LINK: {
        yr_wal_link link = {1, yr_rng_below(rng, 100), yr_rng_next(rng), 1u << 20};
        yr_wal_link_encode(&link, SEED, body);
        return 1 + 64;
    }
    case RECORD: {
        uint64_t lsn = 2 + yr_rng_below(rng, 100);
        yr_wal_record_header header = {.type = YR_WAL_GROUP, .lsn = lsn, .durable_lsn = lsn - 1};
        size_t bytes = (size_t)yr_rng_below(rng, 100);
        memset(body + YR_WAL_RECORD_HEADER_BYTES, 'x', bytes);
        yr_wal_record_encode(&header, yore_bytes(body + YR_WAL_RECORD_HEADER_BYTES, bytes), SEED, OFF, body);
        return 1 + YR_WAL_RECORD_HEADER_BYTES + bytes;
    }
    case MANIFEST: return 1 + some_manifest(rng, body);
    default: {
        yr_lock_holder holder = {
            .pid = 1 + (int64_t)yr_rng_below(rng, 9999), .host = "h", .boot_id = "b", .program = "p"};
        memset(body, 0, FUZZ_INPUT_MAX - 1);
        yr_lock_text_encode(&holder, body);
        return FUZZ_INPUT_MAX; /* one byte short of a whole LOCK: the watermark must not be read past it */
    }
    }
}

/* Bundles: any bytes are refused or imported, with checksums as they come and with all of them put right, so that what
 * lies behind them is reached. Every fourth that reads is imported: what is refused leaves no branch, and what is taken
 * a store that checks. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/base/yr_assert.h"
#include "engine/format/backup_format.h"
#include "engine/format/bundle_format.h"
#include "engine/segment/segment_codec.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { INPUT_BYTES_MAX = 1 << 16 };

/* The hash of the last of the frames in a chunk that is not packed. */
static void put_last_hash_right(const uint8_t *chunk, size_t size, uint8_t *manifest)
{
    const uint8_t *frame = chunk;
    size_t left = size;
    while (left >= 4 && yr_get_le32(frame) >= 40 && yr_get_le32(frame) < left) {
        left -= yr_get_le32(frame);
        frame += yr_get_le32(frame);
    }
    if (left >= 4 && yr_get_le32(frame) == left) yr_hash128_of(frame, left, manifest + 104);
}

/* Make every checksum of the file right, as far as its structure can be followed. */
static void put_right(uint8_t *bytes, size_t size)
{
    yr_file_header header;
    if (size < YR_BACKUP_BYTES_MIN) return;
    yr_put_le64(bytes + 56, yr_hash64(bytes, 56, 0));
    if (yr_file_header_decode(yore_bytes(bytes, size), &header) != YR_HEADER_OK) return;
    uint64_t seed = yr_file_seed(&header), off = YR_FILE_HEADER_BYTES, end = size - YR_BACKUP_MANIFEST_BYTES;
    uint8_t *manifest = bytes + end;
    while (end - off >= YR_BACKUP_CHUNK_HEADER) {
        uint8_t *chunk = bytes + off;
        uint64_t stored = yr_get_le32(chunk + 12);
        if (stored > end - off - YR_BACKUP_CHUNK_HEADER) break;
        const yore_slice inside = {chunk + YR_BACKUP_CHUNK_HEADER, (size_t)stored};
        yr_put_le64(chunk + 16, yr_backup_chunk_checksum(seed, off, inside));
        yr_put_le64(chunk + 24, yr_hash64(chunk, 24, yr_offset_seed(seed, off)));
        if (chunk[4] == YR_BACKUP_PLAIN) put_last_hash_right(inside.data, inside.size, manifest);
        off += YR_BACKUP_CHUNK_HEADER + stored;
    }
    yr_hash128_of(bytes, (size_t)end + YR_BACKUP_MANIFEST_HASH_OFF, manifest + YR_BACKUP_MANIFEST_HASH_OFF);
    yr_put_le64(manifest + 184, yr_hash64(manifest, 184, yr_offset_seed(seed, end)));
}

static yore_db *open_store(yr_sim *sim)
{
    yore_open_options open = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    open.env = yr_sim_env(sim);
    YR_ASSERT(yore_open(":memory:", &open, &db, NULL) == YORE_OK);
    YR_ASSERT(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, NULL) == YORE_OK);
    return db;
}

static bool has_branch(yore_db *db, const char *name)
{
    yore_branch_info info = {.struct_size = sizeof info};
    return yore_branch_info_get(db, yore_str(name), &info, NULL) == YORE_OK;
}

static void read_file(const uint8_t *data, size_t size)
{
    static uint32_t taken;
    static yr_sim *sim;
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    yore_at here = YORE_AT_INIT;
    yore_error err = YORE_ERROR_INIT;
    if (!sim) sim = yr_sim_create(1);
    yr_sim_reset(sim, NULL);
    YR_ASSERT(yr_sim_file_create(sim, "b") && (size == 0 || yr_sim_file_write(sim, "b", data, size, 0)));
    options.env = yr_sim_env(sim);
    yore_status told = yore_bundle_info_get("b", &options, &info, &err);
    YR_ASSERT(told == YORE_OK || (told < 0 && err.message[0]));
    YR_ASSERT(yr_sim_peak_bytes(sim) < (16u << 20));
    if (told == YORE_OK && taken++ % 4 == 0) {
        yore_db *db = open_store(sim);
        options.base = info.has_base ? &here : NULL; /* with the keys of that one it may even do */
        err = (yore_error)YORE_ERROR_INIT;
        yore_status status = yore_bundle_import(db, "b", yore_str("x"), &options, NULL, NULL, &err);
        YR_ASSERT(status == YORE_OK || (status < 0 && err.message[0]));
        YR_ASSERT(has_branch(db, "x") == (status == YORE_OK) && !has_branch(db, "importing/x"));
        YR_ASSERT(yore_check(db, YORE_CHECK_DEEP, NULL, &err) == YORE_OK);
        yore_close(db);
    }
    YR_ASSERT(!yr_sim_has_leaks(sim));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX) return 0;
    read_file(data, size);
    uint8_t *right = malloc(size + 1);
    if (!right) abort();
    if (size) memcpy(right, data, size);
    put_right(right, size);
    read_file(right, size);
    free(right);
    return 0;
}

/* The same bundle with its chunk as it is, so that damage reaches the head and the commits. */
static size_t unpack(uint8_t *bytes, size_t size)
{
    yr_decoders *decoders;
    uint8_t *chunk = bytes + YR_FILE_HEADER_BYTES, raw[FUZZ_INPUT_MAX], manifest[YR_BACKUP_MANIFEST_BYTES];
    size_t raw_size = yr_get_le32(chunk + 8), stored_size = yr_get_le32(chunk + 12);
    size_t unpacked_size = YR_BACKUP_BYTES_MIN + YR_BACKUP_CHUNK_HEADER + raw_size;
    if (chunk[4] != YR_BACKUP_ZSTD || unpacked_size > FUZZ_INPUT_MAX) return size;
    const yore_slice stored = {chunk + YR_BACKUP_CHUNK_HEADER, stored_size};
    YR_ASSERT(yr_decoders_create(yore_env_default(), &decoders, NULL) == YORE_OK);
    YR_ASSERT(yr_decode(decoders, NULL, stored, raw, raw_size) == YR_DECODE_OK);
    yr_decoders_destroy(decoders);
    memcpy(manifest, bytes + size - sizeof manifest, sizeof manifest);
    chunk[4] = YR_BACKUP_PLAIN;
    yr_put_le32(chunk + 12, (uint32_t)raw_size);
    memcpy(chunk + YR_BACKUP_CHUNK_HEADER, raw, raw_size);
    yr_put_le64(manifest + 96, unpacked_size);
    memcpy(bytes + unpacked_size - sizeof manifest, manifest, sizeof manifest);
    put_right(bytes, unpacked_size);
    return unpacked_size;
}

static size_t make(yr_rng *rng, uint8_t *to, size_t room)
{
    yr_sim *sim = yr_sim_create(yr_rng_next(rng));
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_db *db = open_store(sim);
    yore_at exp = YORE_AT_INIT, base = YORE_AT_INIT;
    char text[256];
    YR_ASSERT(yore_branch_create(db, yore_str("exp"), NULL, NULL, NULL) == YORE_OK);
    YR_ASSERT(yore_at_parse(db, "exp", 0, 0, &exp, NULL) == YORE_OK);
    for (uint64_t i = yr_rng_below(rng, 6); i > 0; i--) {
        size_t size = (size_t)yr_rng_below(rng, sizeof text);
        for (size_t k = 0; k < size; k++) text[k] = (char)('a' + k % 3);
        YR_ASSERT(yore_db_put(db, yore_str("exp"), yore_bytes_key(text, size % 20 + 1),
                              yore_bytes(text, size), NULL, NULL) == YORE_OK);
    }
    options.at = &exp;
    options.history = yr_rng_below(rng, 2);
    options.base = yr_rng_below(rng, 2) ? &base : NULL;
    YR_ASSERT(yore_bundle_make(db, "b", &options, NULL, NULL) == YORE_OK);
    yore_close(db);
    size_t size = (size_t)yr_sim_file_size(sim, "b");
    YR_ASSERT(size <= room && yr_sim_file_read(sim, "b", to, size, 0));
    yr_sim_destroy(sim);
    return size;
}

/* Making one takes long, so it is made once in a while and damaged more often. */
size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static uint8_t made[FUZZ_INPUT_MAX];
    static size_t made_size;
    static uint32_t uses;
    if (uses++ % 64 == 0) {
        made_size = make(rng, made, sizeof made);
        if (yr_rng_below(rng, 4)) made_size = unpack(made, made_size);
    }
    memcpy(out, made, made_size);
    return made_size;
}

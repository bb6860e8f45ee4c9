/* Backup files: any bytes are refused or read as commits, with checksums as they come and with all of them put right,
 * so that what lies behind them is reached. Every fourth file that verifies is opened as a store, too. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/base/yr_assert.h"
#include "engine/format/backup_format.h"
#include "engine/segment/segment_codec.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { INPUT_BYTES_MAX = 1 << 16 };

/* Make every checksum of the file right, as far as its structure can be followed. */
static void put_right(uint8_t *bytes, size_t size)
{
    yr_file_header header;
    if (size < YR_BACKUP_BYTES_MIN) return;
    yr_put_le64(bytes + 56, yr_hash64(bytes, 56, 0));
    if (yr_file_header_decode(yore_bytes(bytes, size), &header) != YR_HEADER_OK) return;
    uint64_t seed = yr_file_seed(&header), off = YR_FILE_HEADER_BYTES, end = size - YR_BACKUP_MANIFEST_BYTES;
    while (end - off >= YR_BACKUP_CHUNK_HEADER) {
        uint8_t *chunk = bytes + off;
        uint64_t stored = yr_get_le32(chunk + 12);
        if (stored > end - off - YR_BACKUP_CHUNK_HEADER) break;
        const yore_slice inside = {chunk + YR_BACKUP_CHUNK_HEADER, (size_t)stored};
        yr_put_le64(chunk + 16, yr_backup_chunk_checksum(seed, off, inside));
        yr_put_le64(chunk + 24, yr_hash64(chunk, 24, yr_offset_seed(seed, off)));
        off += YR_BACKUP_CHUNK_HEADER + stored;
    }
    uint8_t *manifest = bytes + end;
    yr_hash128_of(bytes, (size_t)end + YR_BACKUP_MANIFEST_HASH_OFF, manifest + YR_BACKUP_MANIFEST_HASH_OFF);
    yr_put_le64(manifest + 184, yr_hash64(manifest, 184, yr_offset_seed(seed, end)));
}

static void look_at_store(const yore_backup_options *options)
{
    yore_db *db;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_backup_open("b", options, &db, &err);
    YR_ASSERT(status == YORE_OK || (status < 0 && err.message[0]));
    if (status < 0) return;
    YR_ASSERT(yore_check(db, YORE_CHECK_DEEP, NULL, &err) == YORE_OK);
    yore_close(db);
}

static void read_file(const uint8_t *data, size_t size)
{
    static uint32_t opened;
    static yr_sim *sim;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    if (!sim) sim = yr_sim_create(1);
    yr_sim_reset(sim, NULL);
    YR_ASSERT(yr_sim_file_create(sim, "b") && (size == 0 || yr_sim_file_write(sim, "b", data, size, 0)));
    options.env = yr_sim_env(sim);
    yore_status told = yore_backup_info_get("b", &options, &info, &err);
    YR_ASSERT(told == YORE_OK || (told < 0 && err.message[0]));
    yore_status status = yore_backup_verify("b", &options, &info, &err);
    YR_ASSERT(status == YORE_OK || (status < 0 && err.message[0]));
    YR_ASSERT(told == YORE_OK || status < 0);
    YR_ASSERT(yr_sim_peak_bytes(sim) < (16u << 20));
    if (status == YORE_OK && opened++ % 4 == 0) look_at_store(&options);
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

/* The same backup with its chunk as it is, so that damage reaches the commits. */
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

/* A small store's backup. Making one takes long, so it is made once in a while and damaged more often. */
size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static uint8_t made[FUZZ_INPUT_MAX];
    static size_t made_size;
    static uint32_t uses;
    if (uses++ % 64 == 0) {
        yr_sim *sim = yr_sim_create(yr_rng_next(rng));
        yore_open_options open = YORE_OPEN_OPTIONS_INIT;
        yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
        yore_db *db;
        char text[512];
        open.env = options.env = yr_sim_env(sim);
        YR_ASSERT(yore_open(":memory:", &open, &db, NULL) == YORE_OK);
        YR_ASSERT(yore_branch_create(db, yore_str("exp"), NULL, NULL, NULL) == YORE_OK);
        for (uint64_t i = yr_rng_below(rng, 8); i > 0; i--) {
            size_t size = (size_t)yr_rng_below(rng, sizeof text);
            bool is_noise = yr_rng_below(rng, 2);
            for (size_t k = 0; k < size; k++) text[k] = (char)(is_noise ? yr_rng_next(rng) : 'a' + k % 3);
            YR_ASSERT(yore_db_put(db, yore_str(i % 2 ? "exp" : ""), yore_bytes_key(text, size % 20 + 1),
                                  yore_bytes(text, size), NULL, NULL) == YORE_OK);
        }
        YR_ASSERT(yore_tag_create(db, yore_str("rel"), NULL, NULL, NULL) == YORE_OK);
        YR_ASSERT(yore_backup_make(db, "b", &options, NULL, NULL) == YORE_OK);
        yore_close(db);
        made_size = (size_t)yr_sim_file_size(sim, "b");
        YR_ASSERT(made_size <= sizeof made);
        YR_ASSERT(yr_sim_file_read(sim, "b", made, made_size, 0));
        yr_sim_destroy(sim);
        if (yr_rng_below(rng, 4)) made_size = unpack(made, made_size);
    }
    memcpy(out, made, made_size);
    return made_size;
}

#include "engine/format/backup_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

static const uint8_t chunk_magic[4] = {'c', 'h', 'n', 'k'};
static const uint8_t manifest_magic[4] = {'m', 'a', 'n', 'i'};

uint64_t yr_backup_chunk_checksum(uint64_t file_seed, uint64_t off, yore_slice stored)
{
    return yr_hash64(stored.data, stored.size, yr_offset_seed(file_seed, off + YR_BACKUP_CHUNK_HEADER));
}

void yr_backup_chunk_encode(const yr_backup_chunk *chunk, uint64_t file_seed, uint64_t off,
                            uint8_t out[YR_BACKUP_CHUNK_HEADER])
{
    memset(out, 0, YR_BACKUP_CHUNK_HEADER);
    memcpy(out, chunk_magic, sizeof chunk_magic);
    out[4] = chunk->codec;
    yr_put_le32(out + 8, chunk->raw_bytes);
    yr_put_le32(out + 12, chunk->stored_bytes);
    yr_put_le64(out + 16, chunk->checksum);
    yr_put_le64(out + 24, yr_hash64(out, 24, yr_offset_seed(file_seed, off)));
}

bool yr_backup_chunk_decode(const uint8_t bytes[YR_BACKUP_CHUNK_HEADER], uint64_t file_seed, uint64_t off,
                            yr_backup_chunk *chunk)
{
    if (memcmp(bytes, chunk_magic, sizeof chunk_magic) != 0 ||
        yr_get_le64(bytes + 24) != yr_hash64(bytes, 24, yr_offset_seed(file_seed, off))) {
        return false;
    }
    *chunk = (yr_backup_chunk){.codec = bytes[4],
                               .raw_bytes = yr_get_le32(bytes + 8),
                               .stored_bytes = yr_get_le32(bytes + 12),
                               .checksum = yr_get_le64(bytes + 16)};
    if (bytes[5] || bytes[6] || bytes[7] || chunk->codec > YR_BACKUP_ZSTD) return false;
    if (chunk->raw_bytes == 0 || chunk->raw_bytes > YR_BACKUP_CHUNK_MAX || chunk->stored_bytes == 0)
        return false;
    return chunk->codec == YR_BACKUP_PLAIN ? chunk->stored_bytes == chunk->raw_bytes
                                           : chunk->stored_bytes < chunk->raw_bytes;
}

void yr_backup_manifest_encode(const yr_backup_manifest *manifest, uint8_t out[YR_BACKUP_MANIFEST_BYTES])
{
    memset(out, 0, YR_BACKUP_MANIFEST_BYTES);
    memcpy(out, manifest_magic, sizeof manifest_magic);
    memcpy(out + 8, manifest->base_id, YR_SALT_BYTES);
    memcpy(out + 24, manifest->base_hash, YR_HASH128_BYTES);
    yr_put_le64(out + 40, manifest->first_version);
    yr_put_le64(out + 48, manifest->last_version);
    yr_put_le64(out + 56, (uint64_t)manifest->last_time_ns);
    yr_put_le64(out + 64, (uint64_t)manifest->created_ns);
    yr_put_le64(out + 72, manifest->rows);
    yr_put_le64(out + 80, manifest->raw_bytes);
    yr_put_le64(out + 88, manifest->chunks);
    yr_put_le64(out + 96, manifest->file_bytes);
    memcpy(out + 104, manifest->last_hash, YR_HASH128_BYTES);
    memcpy(out + 120, manifest->uuid, YR_UUID_BYTES);
}

void yr_backup_manifest_seal(const yr_backup_manifest *manifest, uint64_t file_seed, uint64_t off,
                             uint8_t out[YR_BACKUP_MANIFEST_BYTES])
{
    memcpy(out + YR_BACKUP_MANIFEST_HASH_OFF, manifest->hash, YR_HASH128_BYTES);
    yr_put_le64(out + 184, yr_hash64(out, 184, yr_offset_seed(file_seed, off)));
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) return false;
    }
    return true;
}

static const char *judge(const yr_backup_manifest *manifest, const yr_file_header *header, uint64_t off)
{
    if (memcmp(manifest->uuid, header->uuid, YR_UUID_BYTES) != 0) return "its manifest is of another store";
    if (manifest->file_bytes != off + YR_BACKUP_MANIFEST_BYTES)
        return "its size is not what its manifest says";
    if (manifest->first_version != header->file_id || manifest->first_version == 0 ||
        manifest->last_version == UINT64_MAX || manifest->last_version + 1 < manifest->first_version ||
        manifest->last_version == 0) {
        return "its manifest names versions that cannot be";
    }
    if (yr_backup_is_full(manifest) != is_zero(manifest->base_id, YR_SALT_BYTES)) {
        return "its manifest names a base that cannot be";
    }
    /* a frame and a row have more bytes than these */
    uint64_t commits = manifest->last_version + 1 - manifest->first_version;
    if (commits > manifest->raw_bytes || manifest->rows > manifest->raw_bytes) {
        return "its manifest counts what cannot be";
    }
    return NULL;
}

bool yr_backup_manifest_decode(const uint8_t bytes[YR_BACKUP_MANIFEST_BYTES], const yr_file_header *header,
                               uint64_t off, yr_backup_manifest *manifest, const char **why)
{
    *why = "it ends without its manifest: it is cut, or was never finished";
    if (memcmp(bytes, manifest_magic, sizeof manifest_magic) != 0) return false;
    *why = "its manifest is damaged";
    uint64_t seed = yr_offset_seed(yr_file_seed(header), off);
    if (yr_get_le64(bytes + 184) != yr_hash64(bytes, 184, seed)) return false;
    *manifest = (yr_backup_manifest){.first_version = yr_get_le64(bytes + 40),
                                     .last_version = yr_get_le64(bytes + 48),
                                     .last_time_ns = (int64_t)yr_get_le64(bytes + 56),
                                     .created_ns = (int64_t)yr_get_le64(bytes + 64),
                                     .rows = yr_get_le64(bytes + 72),
                                     .raw_bytes = yr_get_le64(bytes + 80),
                                     .chunks = yr_get_le64(bytes + 88),
                                     .file_bytes = yr_get_le64(bytes + 96)};
    memcpy(manifest->base_id, bytes + 8, YR_SALT_BYTES);
    memcpy(manifest->base_hash, bytes + 24, YR_HASH128_BYTES);
    memcpy(manifest->last_hash, bytes + 104, YR_HASH128_BYTES);
    memcpy(manifest->uuid, bytes + 120, YR_UUID_BYTES);
    memcpy(manifest->hash, bytes + YR_BACKUP_MANIFEST_HASH_OFF, YR_HASH128_BYTES);
    if (!is_zero(bytes + 4, 4) || !is_zero(bytes + 136, 32)) return false;
    *why = judge(manifest, header, off);
    return *why == NULL;
}

/* Backup files: a header, chunks of commit frames, a manifest. Pure encode and decode, no I/O.
 *
 *   file      off  size
 *               0    64  file header (file_header.h): kind 4, the store's id, as file id the first version that
 *                        the backup holds, and a salt, which is the backup's id
 *              64        chunks, one behind the other
 *             end-192    manifest
 *   chunk       0     4  "chnk"
 *               4     1  codec: 0 = as it is, 1 = zstd
 *               5     3  zero
 *               8     4  bytes of it, unpacked; 1 .. 1 MiB
 *              12     4  bytes stored; fewer when packed, else as many
 *              16     8  XXH3-64 of the stored bytes, salted with their offset
 *              24     8  XXH3-64 of bytes 0 .. 23, salted with the chunk's offset
 *              32        the stored bytes
 *   manifest    0     4  "mani"
 *               4     4  zero
 *               8    16  the base's id, zeros = a full backup
 *              24    16  the base's hash of everything
 *              40     8  first version
 *              48     8  last version (first - 1 = nothing was new)
 *              56     8  time of the commit of the last version
 *              64     8  when the backup was made, wall clock
 *              72     8  rows
 *              80     8  bytes of frames, unpacked
 *              88     8  chunks
 *              96     8  bytes of the file
 *             104    16  XXH3-128 of the frame of the last version
 *             120    16  the store's id once more
 *             136    32  zero
 *             168    16  XXH3-128 of everything before: the file up to here
 *             184     8  XXH3-64 of bytes 0 .. 183, salted with the manifest's offset
 *
 * Unpacked and put together, the chunks are the commit frames (commit_format.h) of the first to the last version,
 * without holes; a frame may go over several chunks.
 */
#ifndef YR_BACKUP_FORMAT_H
#define YR_BACKUP_FORMAT_H

#include <stdbool.h>

#include "engine/base/hash128.h"
#include "engine/format/file_header.h"

#define YR_BACKUP_CHUNK_HEADER 32u
#define YR_BACKUP_CHUNK_MAX (1u << 20)
#define YR_BACKUP_MANIFEST_BYTES 192u
#define YR_BACKUP_MANIFEST_HASH_OFF 168u /* what the hash of everything covers of the manifest */
#define YR_BACKUP_BYTES_MIN (YR_FILE_HEADER_BYTES + YR_BACKUP_MANIFEST_BYTES)

enum yr_backup_codec { YR_BACKUP_PLAIN = 0, YR_BACKUP_ZSTD = 1 };

typedef struct yr_backup_chunk {
    uint32_t raw_bytes;
    uint32_t stored_bytes;
    uint8_t codec;
    uint64_t checksum; /* of the stored bytes */
} yr_backup_chunk;

typedef struct yr_backup_manifest {
    uint8_t uuid[YR_UUID_BYTES];
    uint8_t base_id[YR_SALT_BYTES];
    uint8_t base_hash[YR_HASH128_BYTES];
    uint64_t first_version, last_version;
    int64_t last_time_ns;
    int64_t created_ns;
    uint64_t rows;
    uint64_t raw_bytes;
    uint64_t chunks;
    uint64_t file_bytes;
    uint8_t last_hash[YR_HASH128_BYTES];
    uint8_t hash[YR_HASH128_BYTES];
} yr_backup_manifest;

static inline bool yr_backup_is_full(const yr_backup_manifest *manifest)
{
    return manifest->first_version == 1;
}

/* The checksum of a chunk's stored bytes, whose header is at `off`. */
uint64_t yr_backup_chunk_checksum(uint64_t file_seed, uint64_t off, yore_slice stored);
void yr_backup_chunk_encode(const yr_backup_chunk *chunk, uint64_t file_seed, uint64_t off,
                            uint8_t out[YR_BACKUP_CHUNK_HEADER]);
/* False when the bytes are no chunk header of that file at that place, or sizes are past their limits. */
bool yr_backup_chunk_decode(const uint8_t bytes[YR_BACKUP_CHUNK_HEADER], uint64_t file_seed, uint64_t off,
                            yr_backup_chunk *chunk);

/* Everything but the two hashes at the end; then, when the first YR_BACKUP_MANIFEST_HASH_OFF bytes have been hashed
 * with the file, yr_backup_manifest_seal puts in manifest->hash and the checksum. */
void yr_backup_manifest_encode(const yr_backup_manifest *manifest, uint8_t out[YR_BACKUP_MANIFEST_BYTES]);
void yr_backup_manifest_seal(const yr_backup_manifest *manifest, uint64_t file_seed, uint64_t off,
                             uint8_t out[YR_BACKUP_MANIFEST_BYTES]);
/* False when the bytes are no manifest of that file at that place, or contradict themselves; *why says it. */
bool yr_backup_manifest_decode(const uint8_t bytes[YR_BACKUP_MANIFEST_BYTES], const yr_file_header *header,
                               uint64_t off, yr_backup_manifest *manifest, const char **why);

#endif

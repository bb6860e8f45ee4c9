/* Bytes of a value file: large values, kept out of the segments that refer to them. docs/format.md has the tables.
 *
 *   header      64 bytes, as every file's, kind 5
 *   values      each at a multiple of 8: its bytes, zeros up to a multiple of 8, its tail
 *   directory   pages of 512 bytes: where each value is, in the order they were written
 *   footer      128 bytes, the last of the file
 *
 *   tail        0     8n  a sum a chunk of 256 KiB of the value
 *               8n     8  bytes of the value
 *               8n+8   8  hash of the value
 *               8n+16  8  sum of the tail up to here
 *   page        0    504  21 times offset (8), bytes (8), hash (8) of a value; zeros behind the last
 *               504    8  sum of bytes 0..503
 *
 * Every byte but the zeros behind a value has exactly one checksum, seeded with salt, file id and offset: the header
 * its own, a chunk the one in the tail, the tail, a page and the footer their last 8 bytes. The footer's 128-bit hash
 * covers everything before it. The hash of a value is the first 8 bytes of its XXH3-128, the same in every file.
 *
 * A reference stands for a value where the value was: in a segment's row, and while it is merged.
 * Pure functions over bytes; no I/O. */
#ifndef YR_VALUE_FORMAT_H
#define YR_VALUE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_VALUE_CHUNK_BYTES (256u << 10)
#define YR_VALUE_PAGE_BYTES 512u
#define YR_VALUE_PAGE_ENTRIES 21u
#define YR_VALUE_ENTRY_BYTES 24u
#define YR_VALUE_TAIL_BYTES 24u /* and 8 a chunk */
#define YR_VALUE_FOOTER_BYTES 128u
#define YR_VALUE_HASH_OFF 104u /* of the whole-file hash inside the footer */
#define YR_VALUE_REF_BYTES 40u
#define YR_VALUE_FILE_BYTES_MAX (UINT64_C(1) << 36)
#define YR_VALUE_COUNT_MAX UINT32_MAX

/* What stands for a value. */
typedef struct yr_value_ref {
    uint64_t file_id;
    uint64_t off; /* of the value's first byte */
    uint64_t bytes;
    uint64_t hash;
} yr_value_ref;

void yr_value_ref_encode(const yr_value_ref *ref, uint8_t out[YR_VALUE_REF_BYTES]);
/* False when it is not one, from a newer yore, or damaged. */
bool yr_value_ref_decode(yore_slice bytes, yr_value_ref *ref);

/* -- sizes; `bytes` is 1..YORE_VALUE_BYTES_MAX -- */
static inline uint32_t yr_value_chunks(uint64_t bytes)
{
    return (uint32_t)((bytes + YR_VALUE_CHUNK_BYTES - 1) / YR_VALUE_CHUNK_BYTES);
}
/* Where the tail begins behind a value's first byte. */
static inline uint64_t yr_value_tail_off(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}
static inline uint32_t yr_value_tail_bytes(uint64_t bytes)
{
    return 8 * yr_value_chunks(bytes) + YR_VALUE_TAIL_BYTES;
}
/* A value with all that belongs to it. */
static inline uint64_t yr_value_record_bytes(uint64_t bytes)
{
    return yr_value_tail_off(bytes) + yr_value_tail_bytes(bytes);
}

/* The first 8 bytes of a XXH3-128. */
uint64_t yr_value_hash_of(const uint8_t digest[16]);
/* The sum of bytes at `off`: of chunks, tails, pages, footer. */
uint64_t yr_value_sum(const void *bytes, size_t size, uint64_t file_seed, uint64_t off);

/* Behind the chunk sums, which are in `tail` already: what makes a tail of them. `off` is the tail's in the file. */
void yr_value_tail_encode(const yr_value_ref *ref, uint64_t file_seed, uint64_t off, uint8_t *tail);
/* Is this the tail of the value that `ref` speaks of? `tail` has yr_value_tail_bytes(ref->bytes) bytes. */
bool yr_value_tail_check(const yr_value_ref *ref, const uint8_t *tail, uint64_t file_seed, uint64_t off,
                         bool is_unchecked);
/* The same without the sum: for a tail that was checked when it came into memory, by way of another reference. */
bool yr_value_tail_is_of(const yr_value_ref *ref, const uint8_t *tail);

/* `count` entries (at most YR_VALUE_PAGE_ENTRIES) and their sum. */
void yr_value_page_encode(const yr_value_ref *refs, uint32_t count, uint64_t file_seed, uint64_t off,
                          uint8_t out[YR_VALUE_PAGE_BYTES]);
/* Gives `count` references of file `file_id`. */
bool yr_value_page_decode(const uint8_t page[YR_VALUE_PAGE_BYTES], uint32_t count, uint64_t file_id,
                          uint64_t file_seed, uint64_t off, bool is_unchecked, yr_value_ref *refs);

typedef struct yr_value_footer {
    uint64_t file_bytes;
    uint64_t directory_off; /* here the values end */
    uint64_t values;
    uint64_t value_bytes;   /* of all values, without what belongs to them */
    uint64_t largest_bytes; /* of the largest: no more is ever allocated for one */
    uint64_t after_version; /* versions of the rows they were written for: (after_version, last_version] */
    uint64_t last_version;
    uint8_t file_hash[16];
} yr_value_footer;

/* The footer begins at file_bytes - YR_VALUE_FOOTER_BYTES. file_hash must be set. */
void yr_value_footer_encode(const yr_value_footer *footer, uint64_t file_seed,
                            uint8_t out[YR_VALUE_FOOTER_BYTES]);
/* `bytes` are the last YR_VALUE_FOOTER_BYTES of a file of `file_bytes`. Checks the sum (unless is_unchecked) and that
 * all sizes fit together; *why names what is wrong. */
bool yr_value_footer_decode(yore_slice bytes, uint64_t file_bytes, uint64_t file_seed, bool is_unchecked,
                            yr_value_footer *footer, const char **why);

/* Directory pages of a file with so many values. */
static inline uint64_t yr_value_pages(uint64_t values)
{
    return (values + YR_VALUE_PAGE_ENTRIES - 1) / YR_VALUE_PAGE_ENTRIES;
}

/* Can the reference be one to a value of the file? Lengths and offsets only, without a look at the file. */
bool yr_value_ref_fits(const yr_value_ref *ref, const yr_value_footer *footer);

#endif

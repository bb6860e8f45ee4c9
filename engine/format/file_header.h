/* The 64 bytes every data file of a store begins with. The layout below never changes, in any format
 * version, so that any yore can read any yore's header and say what made it. docs/format.md has the table.
 *
 * Pure functions over bytes; no I/O. */
#ifndef YR_FILE_HEADER_H
#define YR_FILE_HEADER_H

#include <stdint.h>

#include <yore/types.h>

#define YR_FORMAT_MAJOR 1u
#define YR_FORMAT_MINOR 0u
#define YR_FORMAT_MUST_STATE 1u /* must-understand bit of a MANIFEST with segments in it: all of 1.1 */
#define YR_FORMAT_MUST_KNOWN YR_FORMAT_MUST_STATE /* must-understand bits this code understands */

#define YR_FILE_HEADER_BYTES 64u
#define YR_UUID_BYTES 16u
#define YR_SALT_BYTES 16u

enum yr_file_kind {
    YR_FILE_WAL = 1,
    YR_FILE_MANIFEST = 2,
    YR_FILE_SEGMENT = 3,
    YR_FILE_BACKUP = 4,
    YR_FILE_VALUES = 5,
    YR_FILE_BUNDLE = 6
};

typedef struct yr_file_header {
    uint16_t major, minor;
    uint16_t kind;               /* enum yr_file_kind */
    uint16_t may_ignore;         /* feature bits an older reader may pass over */
    uint32_t must_understand;    /* feature bits an older reader must refuse */
    uint8_t uuid[YR_UUID_BYTES]; /* of the store */
    uint64_t file_id;
    uint8_t salt[YR_SALT_BYTES]; /* random, new for every file */
} yr_file_header;

enum yr_header_verdict {
    YR_HEADER_OK = 0,
    YR_HEADER_BAD,  /* wrong magic or checksum: not ours, or damaged */
    YR_HEADER_NEWER /* whole, but from a format this code does not know; `header` is filled */
};

void yr_file_header_encode(const yr_file_header *header, uint8_t out[YR_FILE_HEADER_BYTES]);
enum yr_header_verdict yr_file_header_decode(yore_slice bytes, yr_file_header *header);

/* Four bytes say "written by yore" even when the rest is damaged. */
int yr_file_header_has_magic(yore_slice bytes);

/* What every checksum in the file starts from: a hash of its salt and id. */
uint64_t yr_file_seed(const yr_file_header *header);

/* The seed for bytes at an offset of that file: a block that was misdirected, swapped, left over from an
 * older file or made up by a user's value does not verify there. */
static inline uint64_t yr_offset_seed(uint64_t file_seed, uint64_t off)
{
    uint64_t z = file_seed ^ (off + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

#endif

/* Bytes of a segment file: where everything is. docs/format.md has the tables.
 *
 *   header      64 bytes, as every file's
 *   blocks      five streams (main, history, commits, changes, infos), mixed, each block at a multiple of 8
 *   index       sections at multiples of 64: the block tables of the streams, fences, hash buckets, dictionary,
 *               groups, bounds, heads, value files; checked in pages of 4 KiB counted from the index's start
 *   page sums   8 bytes a page
 *   footer      256 bytes, the last of the file
 *
 * Every byte but the padding between blocks has exactly one checksum, seeded with salt, file id and offset:
 * the header its own, a block the one in its table entry, an index page the one in the page sums, these and the
 * footer the ones in the footer. The footer's 128-bit hash covers everything before it, padding too.
 * Pure functions over bytes; no I/O. */
#ifndef YR_SEGMENT_FORMAT_H
#define YR_SEGMENT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_SEGMENT_FOOTER_BYTES 256u
#define YR_SEGMENT_HASH_OFF 232u /* of the whole-file hash inside the footer */
#define YR_SEGMENT_PAGE_BYTES 4096u
#define YR_SEGMENT_SECTION_ALIGN 64u
#define YR_SEGMENT_ENTRY_BYTES 32u
#define YR_SEGMENT_GROUP_BYTES 48u
#define YR_SEGMENT_TALLY_BYTES 24u     /* of a head or a value file */
#define YR_SEGMENT_FENCE_MAX 255u      /* a longer fence is cut: the block's first key decides then */
#define YR_SEGMENT_FENCE_SKIP_MAX 247u /* so that the word behind is in a cut fence, too */

#define YR_SEGMENT_FILE_BYTES_MAX (UINT64_C(1) << 34)
#define YR_SEGMENT_BLOCK_BYTES_MAX (1u << 20) /* of a block before compression: allocated before it is read */
#define YR_SEGMENT_VALUE_BYTES_MAX (64u << 10) /* larger values belong in value files */
#define YR_REFERENCE_BYTES 40u                 /* what stands for a value in a value file: value_format.h */
#define YR_SEGMENT_DICTIONARY_MAX (64u << 10)
#define YR_SEGMENT_TREE_KEY_MAX (YORE_KEY_BYTES_MAX + 5u)

enum yr_segment_form {
    YR_SEGMENT_HOT = 1, /* blocks as they are: may be read in place */
    YR_SEGMENT_COLD = 2 /* blocks compressed with zstd where that makes them smaller */
};

enum yr_segment_stream {
    YR_STREAM_MAIN,    /* the newest version of each key, in key order */
    YR_STREAM_HISTORY, /* the older ones */
    YR_STREAM_COMMITS, /* commits, in version order */
    YR_STREAM_CHANGES, /* version -> ordinals of the keys it wrote */
    YR_STREAM_INFOS,   /* notes, authors ... of commits that have any */
    YR_STREAM_COUNT
};

/* Sections of the index; the first are the block tables of the streams. */
enum yr_segment_section {
    YR_SECTION_FENCES =
        YR_STREAM_COUNT, /* u32 shared bytes, u32 zero, u32 offset a main block, {u8 size, bytes} a main block */
    YR_SECTION_HASH,
    YR_SECTION_DICTIONARY,
    YR_SECTION_GROUPS,
    YR_SECTION_BOUNDS,      /* u32 size and bytes of the first tree key, then of the last */
    YR_SECTION_HEADS,       /* a branch's first and last commit, by branch */
    YR_SECTION_VALUE_FILES, /* what rows refer to, by file */
    YR_SECTION_COUNT
};

/* What a stream's table says of a block. */
typedef struct yr_segment_entry {
    uint64_t sum; /* of the stored bytes */
    uint64_t key; /* main: fence; history: newest version of its first chunk; others: first version */
    uint64_t off;
    uint32_t stored_bytes;
    uint32_t raw_bytes; /* equal to stored_bytes: not compressed */
    uint32_t first;     /* main: ordinal of its first key; commits: mask of their branches; else 0 */
} yr_segment_entry;

/* All rows of one primitive on one branch. */
typedef struct yr_segment_group {
    uint32_t branch;
    uint8_t primitive;
    uint64_t keys;
    uint64_t rows;
    uint64_t deletes;     /* of rows */
    uint64_t key_bytes;   /* user keys, once each */
    uint64_t value_bytes; /* values and metadata of all rows; a referenced value counts in full */
} yr_segment_group;

/* The oldest and the newest commit of a branch. */
typedef struct yr_segment_head {
    uint64_t branch;
    uint64_t first;
    uint64_t last;
} yr_segment_head;

/* How many values of a value file are referred to, and their bytes. */
typedef struct yr_segment_value_file {
    uint64_t file_id;
    uint64_t count;
    uint64_t bytes;
} yr_segment_value_file;

typedef struct yr_segment_footer {
    uint16_t form; /* enum yr_segment_form */
    uint16_t level;
    uint64_t file_bytes;
    uint64_t index_off;
    uint64_t sums_sum;      /* of the page sums */
    uint64_t after_version; /* the segment holds versions in (after_version, last_version] */
    uint64_t last_version;
    int64_t first_time_ns; /* of its first and last commit, 0 without commits */
    int64_t last_time_ns;
    uint64_t keys;
    uint64_t rows;
    uint64_t commits;
    uint64_t hash_seed;
    uint64_t section_bytes[YR_SECTION_COUNT];
    uint8_t file_hash[16];
} yr_segment_footer;

/* Where the parts are, computed from a footer that decoded. */
typedef struct yr_segment_layout {
    uint64_t section_off[YR_SECTION_COUNT]; /* from the start of the file */
    uint64_t index_bytes;
    uint64_t page_count;
    uint64_t sums_off;
    uint32_t block_count[YR_STREAM_COUNT];
    uint32_t bucket_count;
    uint32_t group_count;
    uint32_t head_count;
    uint32_t value_file_count;
} yr_segment_layout;

static inline uint64_t yr_align_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* Fills the layout from index_off and section_bytes; also what file_bytes must be. Sizes at most
 * YR_SEGMENT_FILE_BYTES_MAX each. */
uint64_t yr_segment_lay_out(const yr_segment_footer *footer, yr_segment_layout *layout);

/* The footer begins at `off` of its file. file_hash must be set. */
void yr_segment_footer_encode(const yr_segment_footer *footer, uint64_t file_seed,
                              uint8_t out[YR_SEGMENT_FOOTER_BYTES]);
/* `bytes` are the last YR_SEGMENT_FOOTER_BYTES of a file of `file_bytes`. Checks the sum (unless is_unchecked) and
 * that all sizes fit together; *why names what is wrong. */
bool yr_segment_footer_decode(yore_slice bytes, uint64_t file_bytes, uint64_t file_seed, bool is_unchecked,
                              yr_segment_footer *footer, yr_segment_layout *layout, const char **why);

void yr_segment_entry_encode(const yr_segment_entry *entry, uint8_t out[YR_SEGMENT_ENTRY_BYTES]);
/* False when the block it describes cannot be one: not inside [header, index), larger than allowed. */
bool yr_segment_entry_decode(const uint8_t bytes[YR_SEGMENT_ENTRY_BYTES], uint64_t index_off,
                             yr_segment_entry *entry);

void yr_segment_group_encode(const yr_segment_group *group, uint8_t out[YR_SEGMENT_GROUP_BYTES]);
void yr_segment_group_decode(const uint8_t bytes[YR_SEGMENT_GROUP_BYTES], yr_segment_group *group);

void yr_segment_head_encode(const yr_segment_head *head, uint8_t out[YR_SEGMENT_TALLY_BYTES]);
void yr_segment_head_decode(const uint8_t bytes[YR_SEGMENT_TALLY_BYTES], yr_segment_head *head);
void yr_segment_value_file_encode(const yr_segment_value_file *file, uint8_t out[YR_SEGMENT_TALLY_BYTES]);
void yr_segment_value_file_decode(const uint8_t bytes[YR_SEGMENT_TALLY_BYTES], yr_segment_value_file *file);

/* The 8 bytes of a key behind the first `skip`, which it shares with all fences, as a number that orders like them;
 * a shorter key counts as filled up with zeros. */
uint64_t yr_segment_fence_word(yore_slice key, uint32_t skip);

/* The sum of stored bytes at `off`: of blocks, index pages, page sums, footer. */
uint64_t yr_segment_sum(const void *bytes, size_t size, uint64_t file_seed, uint64_t off);

#endif

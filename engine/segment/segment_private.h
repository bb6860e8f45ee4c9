/* A segment's state and the way to its bytes, shared by segment_*.c of the reader. Private to these. */
#ifndef YR_SEGMENT_PRIVATE_H
#define YR_SEGMENT_PRIVATE_H

#include <stdatomic.h>

#include "engine/format/segment_commits.h"
#include "engine/segment/segment.h"

/* Where a block is in an image that was checked as a whole: what reads of one segment in memory need of its tables. */
typedef struct yr_block_ref {
    uint32_t off;   /* / 8 */
    uint32_t bytes; /* 0: compressed, and goes the long way */
} yr_block_ref;

/* The times of a commit block of neighbouring versions in such an image. */
typedef struct yr_time_ref {
    const uint8_t *column;
    uint64_t base;
    uint32_t width;
} yr_time_ref;

struct yr_segment {
    /* Immutable after open. */
    const yore_env *env;
    yore_file *file; /* NULL: image only */
    yr_block_cache *cache;
    yr_decoders *decoders;
    char *name;
    size_t name_bytes;
    const uint8_t *image;                /* NULL: pread */
    void *own_image;                     /* the same, when yr_segment_load read it; bytes of the file, */
    uint64_t own_image_reserved;         /* from vm_reserve with as many as this; 0: allocated */
    yr_block_ref *refs[YR_STREAM_COUNT]; /* of own_image, one a block */
    uint64_t *fence_words;               /* the same: keys of the main blocks' entries */
    yr_time_ref *times;                  /* the same, one a commit block, when is_dense */
    /* pread: pages of the index but the hash buckets, kept once they were read. Release and acquire. */
    _Atomic(uint8_t *) *pages;
    _Atomic uint64_t page_bytes_held; /* relaxed: a count */
    uint64_t cache_file;
    uint64_t seed;
    yr_file_header header;
    yr_segment_footer footer;
    yr_segment_layout layout;
    uint8_t *page_sums; /* 8 bytes a page */
    bool is_unchecked;  /* as the opener said */
    bool is_salvaged;   /* likewise */
    bool is_trusted; /* sums are not looked at: unchecked, or the hash of the whole image was found right */
    bool owns_file;
    bool is_dense;           /* a commit for every version: block and position of one follow from it */
    _Atomic uint32_t owners; /* the last release pairs with itself (acquire and release) */
    /* Images: a bit for each index page, then for each block of each stream, once its sum was found right. Relaxed:
     * what the bit speaks of never changes, and checking twice does no harm. */
    _Atomic uint64_t *checked;
    size_t checked_words;
    uint64_t checked_block[YR_STREAM_COUNT]; /* first bit of the stream's blocks */
    /* Made when first needed; whoever loses the race destroys its own. Release and acquire. */
    _Atomic(yr_dictionary *) dictionary;
};

/* "segment 'NAME': WHAT at OFFSET", YORE_ERR_CORRUPT. */
yore_status yr_segment_bad(const yr_segment *segment, uint64_t off, const char *what, yore_error *err);
/* As yr_segment_bad, of a block: names stream and number too. */
yore_status yr_segment_bad_block(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 const char *what, yore_error *err);

/* `size` bytes of the index at `off` of the file, checked. In place, pinned, or copied to `scratch` (of `size` bytes)
 * when they are not in one page. */
yore_status yr_segment_index_read(yr_segment *segment, uint64_t off, size_t size, void *scratch,
                                  yr_block_pin *pin, const uint8_t **at, yore_error *err);
yore_status yr_segment_entry_get(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 yr_segment_entry *entry, yore_error *err);
/* Are the stored bytes of a block what its table says? */
yore_status yr_segment_block_check(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                   const yr_segment_entry *entry, const uint8_t *stored, yore_error *err);
/* Decompress stored bytes that were checked to entry->raw_bytes. */
yore_status yr_segment_block_expand(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                    const yr_segment_entry *entry, const uint8_t *stored, uint8_t *to,
                                    yore_error *err);
/* The bytes of a block: checked and decompressed. */
yore_status yr_segment_block_get(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 yr_block_pin *pin, yore_error *err);
/* Tables in memory, of an image that was found right. */
yore_status yr_segment_refs_make(yr_segment *segment, yore_error *err);
void yr_segment_refs_free(yr_segment *segment);
void yr_segment_image_free(yr_segment *segment);
/* Stored bytes from the file or the image, unchecked. Short files are YORE_ERR_CORRUPT. */
yore_status yr_segment_bytes_read(yr_segment *segment, uint64_t off, void *to, size_t size, yore_error *err);

/* The first entry of a stream's table whose `key` (or `first`, by_first) is above the limit: the blocks before it begin
 * at or below. */
yore_status yr_segment_table_rank(yr_segment *segment, enum yr_segment_stream stream, bool by_first,
                                  uint64_t limit, uint32_t *rank, yore_error *err);

/* The main block that a key is in if it is in any. The segment has keys. */
yore_status yr_segment_locate(yr_segment *segment, yore_slice tree_key, uint32_t *block, yore_error *err);
/* A key's record: YORE_OK, YORE_NOT_FOUND, failures. */
yore_status yr_segment_record_find(yr_segment *segment, yore_slice tree_key, uint64_t hash, yr_block_pin *pin,
                                   yr_record *record, yore_error *err);
/* The newest version <= cap of a key that has older ones than its record's. *held says which block `pin` holds, so that
 * the same one is not asked for again; UINT32_MAX for none. */
yore_status yr_segment_older_find(yr_segment *segment, const yr_record *record, uint64_t cap, uint32_t *held,
                                  yr_block_pin *pin, yr_segment_row *row, yore_error *err);
/* Chunk number n (0 = newest) of a key. */
yore_status yr_segment_chunk_get(yr_segment *segment, const yr_record *record, uint32_t n, uint32_t *held,
                                 yr_block_pin *pin, yr_chunk *chunk, yore_error *err);

/* The block and position of the newest commit at or below a version; *pin holds the block on YORE_OK. */
yore_status yr_segment_commit_locate(yr_segment *segment, uint64_t version, yr_block_pin *pin,
                                     yr_commits *commits, uint32_t *block, uint32_t *at, yore_error *err);
/* Commit block i. */
yore_status yr_segment_commits_get(yr_segment *segment, uint32_t i, yr_block_pin *pin, yr_commits *commits,
                                   yore_error *err);
/* Entry i of the heads. */
yore_status yr_segment_head_get(yr_segment *segment, uint32_t i, yr_segment_head *head, yore_error *err);
/* The version of the next change, which is not taken: YORE_OK, YORE_END, failures. */
yore_status yr_segment_changes_peek(yr_segment_changes *changes, uint64_t *version, yore_error *err);

#endif

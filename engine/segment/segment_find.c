/* One key: hash index or key order to its record, record to its older versions. */
#include "engine/segment/segment_private.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/yr_assert.h"
#include "engine/format/segment_hash.h"

/* -- key order -- */

/* Is block i's fence at or below the key? A fence of the greatest size may have been cut: then the block's first key
 * decides. */
static yore_status fence_is_below(yr_segment *segment, uint32_t i, yore_slice tree_key, bool *is_below,
                                  yore_error *err)
{
    uint8_t word[4], scratch[1 + YR_SEGMENT_FENCE_MAX];
    const uint8_t *at;
    yr_block_pin pin = {0};
    uint64_t start = segment->layout.section_off[YR_SECTION_FENCES];
    uint64_t bytes = segment->footer.section_bytes[YR_SECTION_FENCES];
    yore_status status = yr_segment_index_read(segment, start + 8 + 4 * (uint64_t)i, 4, word, &pin, &at, err);
    if (status < 0) return status;
    uint64_t off = yr_get_le32(at);
    yr_block_pin_release(&pin);
    if (off >= bytes) return yr_segment_bad(segment, start + 8 + 4 * (uint64_t)i, "fence out of range", err);
    size_t most = bytes - off < sizeof scratch ? (size_t)(bytes - off) : sizeof scratch;
    status = yr_segment_index_read(segment, start + off, most, scratch, &pin, &at, err);
    if (status < 0) return status;
    size_t size = *at;
    if (size >= most) {
        yr_block_pin_release(&pin);
        return yr_segment_bad(segment, start + off, "fence out of range", err);
    }
    *is_below = yr_slice_compare(yore_bytes(at + 1, size), tree_key) <= 0;
    bool is_cut = size == YR_SEGMENT_FENCE_MAX && tree_key.size >= size &&
                  memcmp(at + 1, tree_key.data, size) == 0;
    yr_block_pin_release(&pin);
    if (!is_cut) return YORE_OK;
    yr_block block;
    yore_slice first;
    uint32_t record_bytes;
    status = yr_segment_block_get(segment, YR_STREAM_MAIN, i, &pin, err);
    if (status < 0) return status;
    if (!yr_block_open(yore_bytes(pin.data, pin.size), &block) ||
        !yr_record_key(yr_block_from(&block, 0), &first, &record_bytes)) {
        status = yr_segment_bad_block(segment, YR_STREAM_MAIN, i, "damaged record", err);
    } else {
        *is_below = yr_slice_compare(first, tree_key) <= 0;
    }
    yr_block_pin_release(&pin);
    return status;
}

/* How a key compares with the bytes that all fences but the first share: below all fences, among them, above. */
static yore_status fences_common(yr_segment *segment, yore_slice tree_key, uint32_t *skip, int *side,
                                 yore_error *err)
{
    uint8_t scratch[YR_SEGMENT_FENCE_MAX];
    const uint8_t *at;
    yr_block_pin pin = {0};
    uint64_t start = segment->layout.section_off[YR_SECTION_FENCES];
    uint64_t bytes = segment->footer.section_bytes[YR_SECTION_FENCES];
    yore_status status = yr_segment_index_read(segment, start, 4, scratch, &pin, &at, err);
    if (status < 0) return status;
    *skip = yr_get_le32(at);
    yr_block_pin_release(&pin);
    *side = 0;
    if (*skip == 0) return YORE_OK;
    status = yr_segment_index_read(segment, start + 12, 4, scratch, &pin, &at, err);
    if (status < 0) return status;
    uint64_t off = (uint64_t)yr_get_le32(at) + 1;
    yr_block_pin_release(&pin);
    if (*skip > YR_SEGMENT_FENCE_SKIP_MAX || off >= bytes || *skip > bytes - off)
        return yr_segment_bad(segment, start, "fences out of range", err);
    status = yr_segment_index_read(segment, start + off, *skip, scratch, &pin, &at, err);
    if (status < 0) return status;
    size_t n = tree_key.size < *skip ? tree_key.size : *skip;
    *side = memcmp(tree_key.data, at, n);
    if (*side == 0 && n < *skip) *side = -1;
    yr_block_pin_release(&pin);
    return YORE_OK;
}

static yore_status fence_word_get(yr_segment *segment, uint32_t i, uint64_t *word, yore_error *err)
{
    yr_segment_entry entry;
    if (segment->fence_words) {
        *word = segment->fence_words[i];
        return YORE_OK;
    }
    yore_status status = yr_segment_entry_get(segment, YR_STREAM_MAIN, i, &entry, err);
    if (status == YORE_OK) *word = entry.key;
    return status;
}

yore_status yr_segment_locate(yr_segment *segment, yore_slice tree_key, uint32_t *block, yore_error *err)
{
    uint32_t count = segment->layout.block_count[YR_STREAM_MAIN], skip = 0;
    int side = -1;
    *block = 0;
    if (count == 1 || tree_key.size == 0) return YORE_OK;
    yore_status status = fences_common(segment, tree_key, &skip, &side, err);
    if (status < 0 || side < 0) return status;
    if (side > 0) *block = count - 1;
    if (side > 0) return YORE_OK;
    uint64_t word = yr_segment_fence_word(tree_key, skip);
    uint32_t low = 1,
             high = count; /* blocks below `low` have fences at or below the key, from `high` on above */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t fence = 0;
        status = fence_word_get(segment, middle, &fence, err);
        if (status < 0) return status;
        bool is_below = fence < word;
        if (fence == word) {
            status = fence_is_below(segment, middle, tree_key, &is_below, err);
            if (status < 0) return status;
        }
        if (is_below) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *block = low - 1;
    return YORE_OK;
}

/* Search a whole block for a key, record by record from the restart before it. */
static yore_status record_by_order(yr_segment *segment, yore_slice tree_key, yr_block_pin *pin,
                                   yr_record *record, yore_error *err)
{
    uint32_t i;
    yore_status status = yr_segment_locate(segment, tree_key, &i, err);
    if (status == YORE_OK) status = yr_segment_block_get(segment, YR_STREAM_MAIN, i, pin, err);
    if (status < 0) return status;
    yr_block block;
    if (!yr_block_open(yore_bytes(pin->data, pin->size), &block)) goto damaged;
    for (uint32_t off = 0; off < block.records_end; off += record->bytes) {
        if (!yr_record_take(yr_block_from(&block, off), record)) goto damaged;
        int order = yr_slice_compare(record->row.tree_key, tree_key);
        if (order == 0) return YORE_OK;
        if (order > 0) break;
    }
    yr_block_pin_release(pin);
    return YORE_NOT_FOUND;
damaged:
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_MAIN, i, "damaged record", err);
}

/* -- hash index -- */

/* A record ends some lines behind its first; of a chunk of 20 versions these hold the table and the key. */
static void prefetch_lines(const uint8_t *at)
{
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    __builtin_prefetch(at + 128);
    __builtin_prefetch(at + 192);
}

/* Is the record at a location the key's? YORE_NOT_FOUND: it is another's. The block's trailer is left alone, a line
 * nobody else needs: the record is bounded by the whole block. */
static yore_status record_at(yr_segment *segment, uint32_t location, yore_slice tree_key, yr_block_pin *pin,
                             yr_record *record, yore_error *err)
{
    uint32_t i = yr_location_block(location), off = yr_location_off(location);
    if (i >= segment->layout.block_count[YR_STREAM_MAIN])
        return yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_HASH],
                              "hash index: no such block", err);
    yore_status status = yr_segment_block_get(segment, YR_STREAM_MAIN, i, pin, err);
    if (status < 0) return status;
    yore_slice key;
    uint32_t bytes;
    status = YORE_NOT_FOUND;
    bool is_sound = off < pin->size;
    yore_slice from = yore_bytes(pin->data + off, is_sound ? pin->size - off : 0);
    if (is_sound) prefetch_lines(from.data);
    is_sound = is_sound && yr_record_key(from, &key, &bytes);
    if (is_sound && yr_slice_equal(key, tree_key)) {
        is_sound = yr_record_take(from, record);
        if (is_sound) return YORE_OK;
    }
    yr_block_pin_release(pin);
    return is_sound ? status : yr_segment_bad_block(segment, YR_STREAM_MAIN, i, "damaged record", err);
}

yore_status yr_segment_record_find(yr_segment *segment, yore_slice tree_key, uint64_t hash, yr_block_pin *pin,
                                   yr_record *record, yore_error *err)
{
    uint8_t scratch[YR_BUCKET_BYTES];
    uint32_t count = segment->layout.bucket_count;
    if (count == 0) return YORE_NOT_FOUND;
    uint32_t at = yr_bucket_home(hash, count);
    uint16_t fingerprint = yr_bucket_fingerprint(hash);
    uint32_t probes = count < YR_BUCKET_PROBES ? count : YR_BUCKET_PROBES;
    for (uint32_t n = 0; n < probes; n++) {
        const uint8_t *bucket;
        yr_block_pin bucket_pin = {0};
        uint64_t off = segment->layout.section_off[YR_SECTION_HASH] + (uint64_t)at * YR_BUCKET_BYTES;
        yore_status status =
            yr_segment_index_read(segment, off, YR_BUCKET_BYTES, scratch, &bucket_pin, &bucket, err);
        if (status < 0) return status;
        status = YORE_NOT_FOUND;
        for (uint32_t bits = yr_bucket_match(bucket, fingerprint); bits && status == YORE_NOT_FOUND;
             bits &= bits - 1) {
            uint32_t location = yr_bucket_location(bucket, (uint32_t)__builtin_ctz(bits));
            status = record_at(segment, location, tree_key, pin, record, err);
        }
        bool goes_on = yr_bucket_overflow(bucket) != 0;
        yr_block_pin_release(&bucket_pin);
        if (status != YORE_NOT_FOUND || !goes_on) return status;
        at = at + 1 == count ? 0 : at + 1;
    }
    return record_by_order(segment, tree_key, pin, record, err);
}

void yr_segment_prefetch(const yr_segment *segment, uint64_t hash)
{
    uint32_t count = segment->layout.bucket_count;
    if (!segment->image || count == 0) return;
    __builtin_prefetch(segment->image + segment->layout.section_off[YR_SECTION_HASH] +
                       (uint64_t)yr_bucket_home(hash, count) * YR_BUCKET_BYTES);
}

void yr_segment_prefetch_record(const yr_segment *segment, uint64_t hash)
{
    const yr_block_ref *refs = segment->refs[YR_STREAM_MAIN];
    uint32_t count = segment->layout.bucket_count;
    if (!refs || count == 0) return;
    const uint8_t *bucket = segment->image + segment->layout.section_off[YR_SECTION_HASH] +
                            (uint64_t)yr_bucket_home(hash, count) * YR_BUCKET_BYTES;
    uint32_t bits = yr_bucket_match(bucket, yr_bucket_fingerprint(hash));
    for (; bits; bits &= bits - 1) {
        uint32_t location = yr_bucket_location(bucket, (uint32_t)__builtin_ctz(bits));
        uint32_t i = yr_location_block(location), off = yr_location_off(location);
        if (i < segment->layout.block_count[YR_STREAM_MAIN] && off < refs[i].bytes)
            prefetch_lines(segment->image + 8 * (uint64_t)refs[i].off + off);
    }
}

/* -- older versions -- */

yore_status yr_segment_chunk_get(yr_segment *segment, const yr_record *record, uint32_t n, uint32_t *held,
                                 yr_block_pin *pin, yr_chunk *chunk, yore_error *err)
{
    const yr_history_ref *ref = &record->history;
    uint64_t i = (uint64_t)ref->block + n;
    if (i >= segment->layout.block_count[YR_STREAM_HISTORY] || n > ref->span)
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_HISTORY], "history out of range",
                              err);
    if (*held != i) {
        yr_block_pin_release(pin);
        *held = UINT32_MAX;
        yore_status status = yr_segment_block_get(segment, YR_STREAM_HISTORY, (uint32_t)i, pin, err);
        if (status < 0) return status;
        *held = (uint32_t)i;
    }
    uint32_t off = n ? 0 : ref->off;
    if (off < pin->size) prefetch_lines(pin->data + off);
    if (off >= pin->size || off % 4 || !yr_chunk_take(yore_bytes(pin->data + off, pin->size - off), chunk) ||
        !yr_slice_equal(chunk->tree_key, record->row.tree_key) || chunk->version >= record->row.version) {
        return yr_segment_bad_block(segment, YR_STREAM_HISTORY, (uint32_t)i, "damaged history", err);
    }
    return YORE_OK;
}

/* The first of the further chunks (1 .. span) whose newest version is <= cap; span + 1: none. */
static yore_status chunk_rank(yr_segment *segment, const yr_history_ref *ref, uint64_t cap, uint32_t *rank,
                              yore_error *err)
{
    if ((uint64_t)ref->block + ref->span >= segment->layout.block_count[YR_STREAM_HISTORY])
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_HISTORY], "history out of range",
                              err);
    uint32_t low = 1, high = ref->span + 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        yr_segment_entry entry;
        yore_status status =
            yr_segment_entry_get(segment, YR_STREAM_HISTORY, ref->block + middle, &entry, err);
        if (status < 0) return status;
        if (entry.key > cap) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *rank = low;
    return YORE_OK;
}

yore_status yr_segment_older_find(yr_segment *segment, const yr_record *record, uint64_t cap, uint32_t *held,
                                  yr_block_pin *pin, yr_segment_row *row, yore_error *err)
{
    uint32_t rank = 1;
    yr_chunk chunk;
    if (record->history.older == 0) return YORE_NOT_FOUND;
    yore_status status = chunk_rank(segment, &record->history, cap, &rank, err);
    /* The chunk before has a newest version above the cap, but may have one below it. */
    for (uint32_t n = rank - 1; status == YORE_OK && n <= rank && n <= record->history.span; n++) {
        status = yr_segment_chunk_get(segment, record, n, held, pin, &chunk, err);
        if (status < 0) return status;
        uint32_t i = yr_chunk_seek(&chunk, cap);
        if (i == chunk.count) continue;
        if (!yr_chunk_row(&chunk, i, row) || row->version > cap)
            return yr_segment_bad_block(segment, YR_STREAM_HISTORY, *held, "damaged history", err);
        return YORE_OK;
    }
    return status < 0 ? status : YORE_NOT_FOUND;
}

/* -- the interface -- */

yore_status yr_segment_find(yr_segment *segment, yore_slice tree_key, uint64_t hash, uint64_t cap,
                            yr_segment_hit *hit, yore_error *err)
{
    yr_record record;
    yr_segment_hit found = {0};
    if (cap <= segment->footer.after_version) return YORE_NOT_FOUND;
    yore_status status = yr_segment_record_find(segment, tree_key, hash, &found.record, &record, err);
    if (status != YORE_OK) return status;
    found.row = record.row;
    if (record.row.version > cap) {
        uint32_t held = UINT32_MAX;
        status = yr_segment_older_find(segment, &record, cap, &held, &found.older, &found.row, err);
    }
    if (status != YORE_OK) {
        yr_segment_hit_release(&found);
        return status;
    }
    *hit = found;
    return YORE_OK;
}

void yr_segment_hit_release(yr_segment_hit *hit)
{
    yr_block_pin_release(&hit->record);
    yr_block_pin_release(&hit->older);
}

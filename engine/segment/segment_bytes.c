/* The way to a segment's bytes: index pages and blocks, from the image or through the cache, checked either way. */
#include "engine/segment/segment_private.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

#define PAGES YR_STREAM_COUNT /* index pages among the cache's kinds of blocks */

static const char *const stream_names[] = {"main", "history", "commit", "change", "info"};

static yr_cache_key cache_key(const yr_segment *segment, uint32_t kind, uint64_t number)
{
    return (yr_cache_key){.file = segment->cache_file, .block = (uint64_t)kind << 56 | number};
}

static bool is_checked(const yr_segment *segment, uint64_t bit)
{
    uint64_t word =
        atomic_load_explicit(&segment->checked[bit / 64], memory_order_relaxed); /* pairs with nothing */
    return word >> (bit % 64) & 1;
}

static void set_checked(const yr_segment *segment, uint64_t bit)
{
    /* relaxed: pairs with nothing, see `checked` */
    atomic_fetch_or_explicit(&segment->checked[bit / 64], UINT64_C(1) << (bit % 64), memory_order_relaxed);
}

/* -- index pages -- */

static size_t page_bytes(const yr_segment *segment, uint64_t page)
{
    uint64_t left = segment->layout.index_bytes - page * YR_SEGMENT_PAGE_BYTES;
    return left < YR_SEGMENT_PAGE_BYTES ? (size_t)left : YR_SEGMENT_PAGE_BYTES;
}

static yore_status page_check(const yr_segment *segment, uint64_t page, const uint8_t *bytes, yore_error *err)
{
    uint64_t off = segment->footer.index_off + page * YR_SEGMENT_PAGE_BYTES;
    if (segment->is_trusted) return YORE_OK;
    uint64_t sum = yr_segment_sum(bytes, page_bytes(segment, page), segment->seed, off);
    if (sum == yr_get_le64(segment->page_sums + 8 * page)) return YORE_OK;
    return yr_segment_bad(segment, off, "index page: checksum mismatch", err);
}

typedef struct page_load {
    yr_segment *segment;
    uint64_t page;
} page_load;

static yore_status load_page(void *arg, uint8_t *to, size_t size, yore_error *err)
{
    const page_load *load = arg;
    uint64_t off = load->segment->footer.index_off + load->page * YR_SEGMENT_PAGE_BYTES;
    yore_status status = yr_segment_bytes_read(load->segment, off, to, size, err);
    return status < 0 ? status : page_check(load->segment, load->page, to, err);
}

/* Tables, fences and what is behind the hash buckets: little, and needed again and again. */
static bool is_page_kept(const yr_segment *segment, uint64_t page)
{
    uint64_t hash = segment->layout.section_off[YR_SECTION_HASH] - segment->footer.index_off;
    uint64_t at = page * YR_SEGMENT_PAGE_BYTES;
    return at < hash || at + YR_SEGMENT_PAGE_BYTES > hash + segment->footer.section_bytes[YR_SECTION_HASH];
}

/* Read a page to keep. Two threads may do so at once; one keeps it. */
static yore_status page_keep(yr_segment *segment, uint64_t page, uint8_t **out, yore_error *err)
{
    size_t size = page_bytes(segment, page);
    page_load load = {segment, page};
    uint8_t *expected = NULL, *bytes = yr_alloc(segment->env, size);
    if (!bytes) return yr_fail(err, YORE_ERR_NOMEM, "no memory for the index of segment '%s'", segment->name);
    yore_status status = load_page(&load, bytes, size, err);
    if (status < 0) {
        yr_free(segment->env, bytes, size);
        return status;
    }
    *out = bytes;
    /* release: its bytes are there; acquire: so are another's. Pairs with itself and the load in page_get */
    if (!atomic_compare_exchange_strong_explicit(&segment->pages[page], &expected, bytes,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        yr_free(segment->env, bytes, size);
        *out = expected;
    } else {
        atomic_fetch_add_explicit(&segment->page_bytes_held, size, memory_order_relaxed); /* a count */
    }
    return YORE_OK;
}

static yore_status page_get(yr_segment *segment, uint64_t page, yr_block_pin *pin, yore_error *err)
{
    page_load load = {segment, page};
    if (!segment->image) {
        if (!is_page_kept(segment, page))
            return yr_block_cache_get(segment->cache, cache_key(segment, PAGES, page),
                                      page_bytes(segment, page), load_page, &load, pin, err);
        /* acquire: pairs with page_keep */
        uint8_t *kept = atomic_load_explicit(&segment->pages[page], memory_order_acquire);
        yore_status status = kept ? YORE_OK : page_keep(segment, page, &kept, err);
        if (status == YORE_OK) *pin = (yr_block_pin){.data = kept, .size = page_bytes(segment, page)};
        return status;
    }
    const uint8_t *bytes = segment->image + segment->footer.index_off + page * YR_SEGMENT_PAGE_BYTES;
    *pin = (yr_block_pin){.data = bytes, .size = page_bytes(segment, page)};
    if (YR_LIKELY(segment->is_trusted || is_checked(segment, page))) return YORE_OK;
    yore_status status = page_check(segment, page, bytes, err);
    if (status == YORE_OK) set_checked(segment, page);
    return status;
}

yore_status yr_segment_index_read(yr_segment *segment, uint64_t off, size_t size, void *scratch,
                                  yr_block_pin *pin, const uint8_t **at, yore_error *err)
{
    uint64_t from = off - segment->footer.index_off;
    YR_ASSERT(size > 0 && from <= segment->layout.index_bytes && size <= segment->layout.index_bytes - from);
    uint64_t page = from / YR_SEGMENT_PAGE_BYTES;
    size_t within = (size_t)(from % YR_SEGMENT_PAGE_BYTES);
    yore_status status = page_get(segment, page, pin, err);
    if (status < 0) return status;
    *at = pin->data + within;
    if (YR_LIKELY(within + size <= pin->size)) return YORE_OK;
    uint8_t *to = scratch;
    *at = scratch;
    for (;;) {
        size_t n = pin->size - within < size ? pin->size - within : size;
        memcpy(to, pin->data + within, n);
        yr_block_pin_release(pin);
        to += n;
        size -= n;
        within = 0;
        if (size == 0) return YORE_OK;
        status = page_get(segment, ++page, pin, err);
        if (status < 0) return status;
    }
}

yore_status yr_segment_entry_get(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 yr_segment_entry *entry, yore_error *err)
{
    uint8_t scratch[YR_SEGMENT_ENTRY_BYTES];
    const uint8_t *at;
    yr_block_pin pin = {0};
    YR_ASSERT(i < segment->layout.block_count[stream]);
    uint64_t off = segment->layout.section_off[stream] + (uint64_t)i * sizeof scratch;
    yore_status status = yr_segment_index_read(segment, off, sizeof scratch, scratch, &pin, &at, err);
    if (YR_UNLIKELY(status == YORE_ERR_CORRUPT && segment->is_salvaged)) {
        at = scratch;
        status = yr_segment_bytes_read(segment, off, scratch, sizeof scratch, err);
    }
    if (status < 0) return status;
    if (!yr_segment_entry_decode(at, segment->footer.index_off, entry) ||
        (segment->footer.form == YR_SEGMENT_HOT && entry->stored_bytes != entry->raw_bytes)) {
        status = yr_segment_bad(segment, off, "block table: impossible block", err);
    }
    yr_block_pin_release(&pin);
    return status;
}

yore_status yr_segment_table_rank(yr_segment *segment, enum yr_segment_stream stream, bool by_first,
                                  uint64_t limit, uint32_t *rank, yore_error *err)
{
    uint32_t low = 0, high = segment->layout.block_count[stream];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        yr_segment_entry entry;
        yore_status status = yr_segment_entry_get(segment, stream, middle, &entry, err);
        if (status < 0) return status;
        if ((by_first ? entry.first : entry.key) <= limit) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *rank = low;
    return YORE_OK;
}

/* -- blocks -- */

yore_status yr_segment_bad_block(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 const char *what, yore_error *err)
{
    yr_segment_entry entry = {0};
    if (yr_segment_entry_get(segment, stream, i, &entry, NULL) < 0) entry.off = 0;
    return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': %s block %" PRIu32 " at %" PRIu64 ": %s",
                   segment->name, stream_names[stream], i, entry.off, what);
}

yore_status yr_segment_block_check(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                   const yr_segment_entry *entry, const uint8_t *stored, yore_error *err)
{
    if (segment->is_trusted) return YORE_OK;
    if (yr_segment_sum(stored, entry->stored_bytes, segment->seed, entry->off) == entry->sum) return YORE_OK;
    return yr_segment_bad_block(segment, stream, i, "checksum mismatch", err);
}

/* *dictionary is NULL when the segment has none. */
static yore_status dictionary_get(yr_segment *segment, const yr_dictionary **dictionary, yore_error *err)
{
    size_t size = (size_t)segment->footer.section_bytes[YR_SECTION_DICTIONARY];
    /* acquire: pairs with the exchange below */
    yr_dictionary *made = atomic_load_explicit(&segment->dictionary, memory_order_acquire);
    *dictionary = made;
    if (made || size == 0) return YORE_OK;
    const uint8_t *at;
    yr_block_pin pin = {0};
    yr_dictionary *expected = NULL;
    uint8_t *scratch = yr_alloc(segment->env, size);
    yore_status status = YORE_ERR_NOMEM;
    if (!scratch) goto out;
    status = yr_segment_index_read(segment, segment->layout.section_off[YR_SECTION_DICTIONARY], size, scratch,
                                   &pin, &at, err);
    if (status < 0) goto out;
    made = yr_dictionary_create(segment->env, yore_bytes(at, size));
    if (!made) status = YORE_ERR_NOMEM;
    if (!made) goto out;
    /* release: what was made is complete; acquire: so is another's. Pairs with itself and the load above */
    if (!atomic_compare_exchange_strong_explicit(&segment->dictionary, &expected, made, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        yr_dictionary_destroy(made);
        made = expected;
    }
    *dictionary = made;
out:
    if (status == YORE_ERR_NOMEM)
        status = yr_fail(err, YORE_ERR_NOMEM, "no memory for the dictionary of segment '%s'", segment->name);
    yr_block_pin_release(&pin);
    yr_free(segment->env, scratch, size);
    return status;
}

yore_status yr_segment_block_expand(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                    const yr_segment_entry *entry, const uint8_t *stored, uint8_t *to,
                                    yore_error *err)
{
    const yr_dictionary *dictionary = NULL;
    if (stream == YR_STREAM_MAIN || stream == YR_STREAM_HISTORY) {
        yore_status status = dictionary_get(segment, &dictionary, err);
        if (status < 0) return status;
    }
    yore_slice bytes = yore_bytes(stored, entry->stored_bytes);
    enum yr_decode_result result = yr_decode(segment->decoders, dictionary, bytes, to, entry->raw_bytes);
    if (result == YR_DECODE_NO_MEMORY) return yr_fail(err, YORE_ERR_NOMEM, "no memory to decompress a block");
    if (result == YR_DECODE_BAD) return yr_segment_bad_block(segment, stream, i, "does not decompress", err);
    return YORE_OK;
}

typedef struct block_load {
    yr_segment *segment;
    enum yr_segment_stream stream;
    uint32_t i;
    const yr_segment_entry *entry;
} block_load;

static yore_status load_block(void *arg, uint8_t *to, size_t size, yore_error *err)
{
    const block_load *load = arg;
    yr_segment *segment = load->segment;
    const yr_segment_entry *entry = load->entry;
    YR_ASSERT(size == entry->raw_bytes);
    bool is_compressed = entry->stored_bytes != entry->raw_bytes;
    uint8_t *scratch = NULL;
    const uint8_t *stored = to;
    yore_status status = YORE_OK;
    if (segment->image) {
        stored = segment->image + entry->off;
    } else {
        if (is_compressed) stored = scratch = yr_alloc(segment->env, entry->stored_bytes);
        if (!stored)
            return yr_fail(err, YORE_ERR_NOMEM, "no memory to read a block of segment '%s'", segment->name);
        status = yr_segment_bytes_read(segment, entry->off, scratch ? scratch : to, entry->stored_bytes, err);
    }
    if (status == YORE_OK)
        status = yr_segment_block_check(segment, load->stream, load->i, entry, stored, err);
    if (status == YORE_OK && is_compressed)
        status = yr_segment_block_expand(segment, load->stream, load->i, entry, stored, to, err);
    yr_free(segment->env, scratch, entry->stored_bytes);
    return status;
}

yore_status yr_segment_block_get(yr_segment *segment, enum yr_segment_stream stream, uint32_t i,
                                 yr_block_pin *pin, yore_error *err)
{
    yr_segment_entry entry;
    if (segment->refs[stream]) {
        yr_block_ref ref = segment->refs[stream][i];
        *pin = (yr_block_pin){.data = segment->image + 8 * (uint64_t)ref.off, .size = ref.bytes};
        if (YR_LIKELY(ref.bytes)) return YORE_OK;
    }
    yore_status status = yr_segment_entry_get(segment, stream, i, &entry, err);
    if (status < 0) return status;
    if (segment->image && entry.stored_bytes == entry.raw_bytes) {
        const uint8_t *bytes = segment->image + entry.off;
        uint64_t bit = segment->checked_block[stream] + i;
        if (YR_UNLIKELY(!segment->is_trusted && !is_checked(segment, bit))) {
            status = yr_segment_block_check(segment, stream, i, &entry, bytes, err);
            if (status < 0) return status;
            set_checked(segment, bit);
        }
        *pin = (yr_block_pin){.data = bytes, .size = entry.raw_bytes};
        return YORE_OK;
    }
    block_load load = {segment, stream, i, &entry};
    return yr_block_cache_get(segment->cache, cache_key(segment, stream, i), entry.raw_bytes, load_block,
                              &load, pin, err);
}

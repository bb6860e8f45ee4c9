#include "engine/format/value_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

#define FOOTER_MAGIC UINT32_C(0x6c617679) /* "yval" */
#define REF_FORMAT 1u
#define SUM_OFF 120u
#define PAGE_SUM_OFF (YR_VALUE_PAGE_BYTES - 8)

_Static_assert(YR_VALUE_PAGE_ENTRIES *YR_VALUE_ENTRY_BYTES == PAGE_SUM_OFF, "a page is full");
_Static_assert(YR_VALUE_HASH_OFF + 16 == SUM_OFF, "the footer's sum is behind the hash");

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i]) return false;
    }
    return true;
}

/* -- references -- */

static uint32_t ref_check(const uint8_t bytes[YR_VALUE_REF_BYTES])
{
    return (uint32_t)yr_hash64(bytes + 8, YR_VALUE_REF_BYTES - 8, bytes[0]);
}

void yr_value_ref_encode(const yr_value_ref *ref, uint8_t out[YR_VALUE_REF_BYTES])
{
    memset(out, 0, 8);
    out[0] = REF_FORMAT;                  /* 0  1  format of the reference */
                                          /* 1  3  zero */
    yr_put_le64(out + 8, ref->file_id);   /* 8  8  value file */
    yr_put_le64(out + 16, ref->off);      /* 16 8  offset of the value in it */
    yr_put_le64(out + 24, ref->bytes);    /* 24 8  bytes of the value */
    yr_put_le64(out + 32, ref->hash);     /* 32 8  hash of the value */
    yr_put_le32(out + 4, ref_check(out)); /* 4  4  low half of the sum of bytes 8..39, seeded with byte 0 */
}

bool yr_value_ref_decode(yore_slice bytes, yr_value_ref *ref)
{
    const uint8_t *p = bytes.data;
    if (bytes.size != YR_VALUE_REF_BYTES || p[0] != REF_FORMAT || !is_zero(p + 1, 3)) return false;
    if (yr_get_le32(p + 4) != ref_check(p)) return false;
    *ref = (yr_value_ref){.file_id = yr_get_le64(p + 8),
                          .off = yr_get_le64(p + 16),
                          .bytes = yr_get_le64(p + 24),
                          .hash = yr_get_le64(p + 32)};
    return ref->file_id && ref->bytes && ref->bytes <= YORE_VALUE_BYTES_MAX &&
           ref->off >= YR_FILE_HEADER_BYTES && ref->off % 8 == 0 && ref->off < YR_VALUE_FILE_BYTES_MAX;
}

bool yr_value_ref_fits(const yr_value_ref *ref, const yr_value_footer *footer)
{
    if (ref->bytes == 0 || ref->bytes > footer->largest_bytes || ref->off < YR_FILE_HEADER_BYTES ||
        ref->off % 8 || ref->off > footer->directory_off)
        return false;
    return yr_value_record_bytes(ref->bytes) <= footer->directory_off - ref->off;
}

/* -- values -- */

uint64_t yr_value_hash_of(const uint8_t digest[16])
{
    return yr_get_le64(digest);
}

uint64_t yr_value_sum(const void *bytes, size_t size, uint64_t file_seed, uint64_t off)
{
    return yr_hash64(bytes, size, yr_offset_seed(file_seed, off));
}

void yr_value_tail_encode(const yr_value_ref *ref, uint64_t file_seed, uint64_t off, uint8_t *tail)
{
    size_t at = 8 * (size_t)yr_value_chunks(ref->bytes);
    yr_put_le64(tail + at, ref->bytes);
    yr_put_le64(tail + at + 8, ref->hash);
    yr_put_le64(tail + at + 16, yr_value_sum(tail, at + 16, file_seed, off));
}

bool yr_value_tail_is_of(const yr_value_ref *ref, const uint8_t *tail)
{
    const uint8_t *end = tail + 8 * (size_t)yr_value_chunks(ref->bytes);
    return yr_get_le64(end) == ref->bytes && yr_get_le64(end + 8) == ref->hash;
}

bool yr_value_tail_check(const yr_value_ref *ref, const uint8_t *tail, uint64_t file_seed, uint64_t off,
                         bool is_unchecked)
{
    size_t at = 8 * (size_t)yr_value_chunks(ref->bytes) + 16;
    if (!is_unchecked && yr_get_le64(tail + at) != yr_value_sum(tail, at, file_seed, off)) return false;
    return yr_value_tail_is_of(ref, tail);
}

/* -- directory -- */

void yr_value_page_encode(const yr_value_ref *refs, uint32_t count, uint64_t file_seed, uint64_t off,
                          uint8_t out[YR_VALUE_PAGE_BYTES])
{
    memset(out, 0, YR_VALUE_PAGE_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *p = out + (size_t)i * YR_VALUE_ENTRY_BYTES;
        yr_put_le64(p + 0, refs[i].off);
        yr_put_le64(p + 8, refs[i].bytes);
        yr_put_le64(p + 16, refs[i].hash);
    }
    yr_put_le64(out + PAGE_SUM_OFF, yr_value_sum(out, PAGE_SUM_OFF, file_seed, off));
}

bool yr_value_page_decode(const uint8_t page[YR_VALUE_PAGE_BYTES], uint32_t count, uint64_t file_id,
                          uint64_t file_seed, uint64_t off, bool is_unchecked, yr_value_ref *refs)
{
    if (!is_unchecked && yr_get_le64(page + PAGE_SUM_OFF) != yr_value_sum(page, PAGE_SUM_OFF, file_seed, off))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = page + (size_t)i * YR_VALUE_ENTRY_BYTES;
        refs[i] = (yr_value_ref){.file_id = file_id,
                                 .off = yr_get_le64(p),
                                 .bytes = yr_get_le64(p + 8),
                                 .hash = yr_get_le64(p + 16)};
    }
    size_t used = (size_t)count * YR_VALUE_ENTRY_BYTES;
    return is_zero(page + used, PAGE_SUM_OFF - used);
}

/* -- footer -- */

void yr_value_footer_encode(const yr_value_footer *footer, uint64_t file_seed,
                            uint8_t out[YR_VALUE_FOOTER_BYTES])
{
    memset(out, 0, YR_VALUE_FOOTER_BYTES);
    yr_put_le32(out + 0, FOOTER_MAGIC);           /* 0   4  "yval" */
                                                  /* 4   4  zero */
    yr_put_le64(out + 8, footer->file_bytes);     /* 8   8  size of the file */
    yr_put_le64(out + 16, footer->directory_off); /* 16  8  where the directory begins */
    yr_put_le64(out + 24, footer->values);        /* 24  8  values */
    yr_put_le64(out + 32, footer->value_bytes);   /* 32  8  bytes of all values */
    yr_put_le64(out + 40, footer->largest_bytes); /* 40  8  bytes of the largest */
    yr_put_le64(out + 48, footer->after_version); /* 48  8  written for rows of versions above this one, */
    yr_put_le64(out + 56, footer->last_version);  /* 56  8  up to this one */
                                                  /* 64 40  zero */
    memcpy(out + YR_VALUE_HASH_OFF, footer->file_hash, 16); /* 104 16 hash of everything before */
    uint64_t off = footer->file_bytes - YR_VALUE_FOOTER_BYTES;
    yr_put_le64(out + SUM_OFF, yr_value_sum(out, SUM_OFF, file_seed, off)); /* 120 8 sum of bytes 0..119 */
}

static const char *check_footer(const yr_value_footer *f, uint64_t file_bytes)
{
    const uint64_t least = yr_value_record_bytes(1);
    if (f->file_bytes != file_bytes) return "truncated or grown";
    if (file_bytes > YR_VALUE_FILE_BYTES_MAX) return "too large";
    if (f->directory_off < YR_FILE_HEADER_BYTES || f->directory_off > file_bytes || f->directory_off % 8)
        return "directory out of range";
    if (f->values > YR_VALUE_COUNT_MAX || f->values > (f->directory_off - YR_FILE_HEADER_BYTES) / least)
        return "too many values";
    if (f->directory_off + YR_VALUE_PAGE_BYTES * yr_value_pages(f->values) + YR_VALUE_FOOTER_BYTES !=
        file_bytes)
        return "sizes do not add up";
    if (f->largest_bytes > YORE_VALUE_BYTES_MAX || f->largest_bytes > f->value_bytes ||
        (f->values == 0) != (f->largest_bytes == 0))
        return "values do not fit their sizes";
    if (f->value_bytes > f->directory_off - YR_FILE_HEADER_BYTES) return "more bytes than the file has";
    if (f->after_version >= f->last_version) return "versions out of order";
    return NULL;
}

bool yr_value_footer_decode(yore_slice bytes, uint64_t file_bytes, uint64_t file_seed, bool is_unchecked,
                            yr_value_footer *f, const char **why)
{
    *why = "truncated";
    if (bytes.size != YR_VALUE_FOOTER_BYTES || file_bytes < YR_FILE_HEADER_BYTES + bytes.size) return false;
    const uint8_t *p = bytes.data;
    *why = "no footer";
    if (yr_get_le32(p) != FOOTER_MAGIC) return false;
    *why = "checksum mismatch";
    uint64_t off = file_bytes - YR_VALUE_FOOTER_BYTES;
    if (!is_unchecked && yr_get_le64(p + SUM_OFF) != yr_value_sum(p, SUM_OFF, file_seed, off)) return false;
    *f = (yr_value_footer){.file_bytes = yr_get_le64(p + 8),
                           .directory_off = yr_get_le64(p + 16),
                           .values = yr_get_le64(p + 24),
                           .value_bytes = yr_get_le64(p + 32),
                           .largest_bytes = yr_get_le64(p + 40),
                           .after_version = yr_get_le64(p + 48),
                           .last_version = yr_get_le64(p + 56)};
    memcpy(f->file_hash, p + YR_VALUE_HASH_OFF, 16);
    *why = "unknown fields";
    if (!is_zero(p + 4, 4) || !is_zero(p + 64, YR_VALUE_HASH_OFF - 64)) return false;
    *why = check_footer(f, file_bytes);
    return !*why;
}

#include "engine/format/segment_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/format/segment_commits.h"

#define FOOTER_MAGIC UINT32_C(0x67657379) /* "yseg" */
#define SECTIONS_OFF 104u
#define SUM_OFF 248u

_Static_assert(SECTIONS_OFF + 8 * YR_SECTION_COUNT <= YR_SEGMENT_HASH_OFF, "the sections fit the footer");

uint64_t yr_segment_sum(const void *bytes, size_t size, uint64_t file_seed, uint64_t off)
{
    return yr_hash64(bytes, size, yr_offset_seed(file_seed, off));
}

uint64_t yr_segment_fence_word(yore_slice key, uint32_t skip)
{
    uint8_t bytes[8] = {0};
    if (key.size > skip) {
        size_t n = key.size - skip < 8 ? key.size - skip : 8;
        memcpy(bytes, (const uint8_t *)key.data + skip, n);
    }
    return yr_get_be64(bytes);
}

uint64_t yr_segment_lay_out(const yr_segment_footer *footer, yr_segment_layout *layout)
{
    uint64_t at = footer->index_off;
    for (uint32_t i = 0; i < YR_SECTION_COUNT; i++) {
        layout->section_off[i] = at;
        at += yr_align_up(footer->section_bytes[i], YR_SEGMENT_SECTION_ALIGN);
    }
    layout->index_bytes = at - footer->index_off;
    layout->page_count = (layout->index_bytes + YR_SEGMENT_PAGE_BYTES - 1) / YR_SEGMENT_PAGE_BYTES;
    layout->sums_off = at;
    for (uint32_t i = 0; i < YR_STREAM_COUNT; i++) {
        layout->block_count[i] = (uint32_t)(footer->section_bytes[i] / YR_SEGMENT_ENTRY_BYTES);
    }
    layout->bucket_count = (uint32_t)(footer->section_bytes[YR_SECTION_HASH] / 64);
    layout->group_count = (uint32_t)(footer->section_bytes[YR_SECTION_GROUPS] / YR_SEGMENT_GROUP_BYTES);
    layout->head_count = (uint32_t)(footer->section_bytes[YR_SECTION_HEADS] / YR_SEGMENT_TALLY_BYTES);
    layout->value_file_count =
        (uint32_t)(footer->section_bytes[YR_SECTION_VALUE_FILES] / YR_SEGMENT_TALLY_BYTES);
    return at + 8 * layout->page_count + YR_SEGMENT_FOOTER_BYTES;
}

void yr_segment_footer_encode(const yr_segment_footer *footer, uint64_t file_seed,
                              uint8_t out[YR_SEGMENT_FOOTER_BYTES])
{
    memset(out, 0, YR_SEGMENT_FOOTER_BYTES);
    yr_put_le32(out + 0, FOOTER_MAGIC);                     /* 0   4  "yseg" */
    yr_put_le16(out + 4, footer->form);                     /* 4   2  1 hot, 2 cold */
    yr_put_le16(out + 6, footer->level);                    /* 6   2  level */
    yr_put_le64(out + 8, footer->file_bytes);               /* 8   8  size of the file */
    yr_put_le64(out + 16, footer->index_off);               /* 16  8  where the index begins */
    yr_put_le64(out + 24, footer->sums_sum);                /* 24  8  sum of the page sums */
    yr_put_le64(out + 32, footer->after_version);           /* 32  8  versions above this one, */
    yr_put_le64(out + 40, footer->last_version);            /* 40  8  up to this one */
    yr_put_le64(out + 48, (uint64_t)footer->first_time_ns); /* 48  8  time of the first commit */
    yr_put_le64(out + 56, (uint64_t)footer->last_time_ns);  /* 56  8  time of the last one */
    yr_put_le64(out + 64, footer->keys);                    /* 64  8  keys */
    yr_put_le64(out + 72, footer->rows);                    /* 72  8  rows: versions of keys */
    yr_put_le64(out + 80, footer->commits);                 /* 80  8  commits */
    yr_put_le64(out + 88, footer->hash_seed);               /* 88  8  seed of the hash index */
                                                            /* 96  8  zero */
    for (uint32_t i = 0; i < YR_SECTION_COUNT; i++) {       /* 104 96 bytes of each section */
        yr_put_le64(out + SECTIONS_OFF + 8 * i, footer->section_bytes[i]);
    }
    memcpy(out + YR_SEGMENT_HASH_OFF, footer->file_hash, 16); /* 232 16 hash of everything before */
    uint64_t off = footer->file_bytes - YR_SEGMENT_FOOTER_BYTES;
    yr_put_le64(out + SUM_OFF, yr_segment_sum(out, SUM_OFF, file_seed, off)); /* 248 8 sum of bytes 0..247 */
}

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i]) return false;
    }
    return true;
}

static const char *check_footer(const yr_segment_footer *f, yr_segment_layout *layout, uint64_t file_bytes)
{
    static const uint8_t unit[YR_SECTION_COUNT] = {[YR_STREAM_MAIN] = YR_SEGMENT_ENTRY_BYTES,
                                                   [YR_STREAM_HISTORY] = YR_SEGMENT_ENTRY_BYTES,
                                                   [YR_STREAM_COMMITS] = YR_SEGMENT_ENTRY_BYTES,
                                                   [YR_STREAM_CHANGES] = YR_SEGMENT_ENTRY_BYTES,
                                                   [YR_STREAM_INFOS] = YR_SEGMENT_ENTRY_BYTES,
                                                   [YR_SECTION_FENCES] = 1,
                                                   [YR_SECTION_HASH] = 64,
                                                   [YR_SECTION_DICTIONARY] = 1,
                                                   [YR_SECTION_GROUPS] = YR_SEGMENT_GROUP_BYTES,
                                                   [YR_SECTION_BOUNDS] = 1,
                                                   [YR_SECTION_HEADS] = YR_SEGMENT_TALLY_BYTES,
                                                   [YR_SECTION_VALUE_FILES] = YR_SEGMENT_TALLY_BYTES};
    if (f->form != YR_SEGMENT_HOT && f->form != YR_SEGMENT_COLD) return "unknown form";
    if (f->file_bytes != file_bytes) return "truncated or grown";
    if (file_bytes > YR_SEGMENT_FILE_BYTES_MAX) return "too large";
    if (f->index_off < YR_FILE_HEADER_BYTES || f->index_off > file_bytes || f->index_off % 64)
        return "index out of range";
    for (uint32_t i = 0; i < YR_SECTION_COUNT; i++) {
        if (f->section_bytes[i] > file_bytes || f->section_bytes[i] % unit[i]) return "bad section size";
    }
    if (yr_segment_lay_out(f, layout) != file_bytes) return "sizes do not add up";
    if (f->section_bytes[YR_SECTION_DICTIONARY] > YR_SEGMENT_DICTIONARY_MAX) return "dictionary too large";
    if (f->after_version >= f->last_version) return "versions out of order";
    if (f->last_version - f->after_version > UINT32_MAX) return "version range too large";
    if (f->keys > UINT32_MAX || f->rows < f->keys) return "counts do not fit";
    if ((f->keys == 0) != (layout->block_count[YR_STREAM_MAIN] == 0)) return "keys without blocks";
    if ((f->keys == 0) != (layout->bucket_count == 0)) return "keys without a hash index";
    if ((f->keys == 0) != (layout->group_count == 0)) return "keys without groups";
    if (f->commits > f->last_version - f->after_version) return "more commits than versions";
    /* All commit blocks but the last are full: a dense segment finds a version without a search. */
    if (layout->block_count[YR_STREAM_COMMITS] != yr_commits_blocks(f->commits))
        return "commits without blocks";
    if ((f->commits == 0) != (layout->head_count == 0) || layout->head_count > f->commits)
        return "commits without heads";
    if (layout->block_count[YR_STREAM_INFOS] > f->commits) return "more infos than commits";
    if (layout->value_file_count > f->rows) return "more value files than rows";
    if (layout->block_count[YR_STREAM_MAIN] > 1u << 20) return "too many blocks";
    if (f->keys &&
        f->section_bytes[YR_SECTION_FENCES] < 8 + 5 * (uint64_t)layout->block_count[YR_STREAM_MAIN])
        return "fences too small";
    if (f->section_bytes[YR_SECTION_BOUNDS] < 8) return "bounds too small";
    return NULL;
}

bool yr_segment_footer_decode(yore_slice bytes, uint64_t file_bytes, uint64_t file_seed, bool is_unchecked,
                              yr_segment_footer *f, yr_segment_layout *layout, const char **why)
{
    *why = "truncated";
    if (bytes.size != YR_SEGMENT_FOOTER_BYTES || file_bytes < YR_FILE_HEADER_BYTES + bytes.size) return false;
    const uint8_t *p = bytes.data;
    *why = "no footer";
    if (yr_get_le32(p) != FOOTER_MAGIC) return false;
    *why = "checksum mismatch";
    uint64_t off = file_bytes - YR_SEGMENT_FOOTER_BYTES;
    if (!is_unchecked && yr_get_le64(p + SUM_OFF) != yr_segment_sum(p, SUM_OFF, file_seed, off)) return false;
    *f = (yr_segment_footer){.form = yr_get_le16(p + 4),
                             .level = yr_get_le16(p + 6),
                             .file_bytes = yr_get_le64(p + 8),
                             .index_off = yr_get_le64(p + 16),
                             .sums_sum = yr_get_le64(p + 24),
                             .after_version = yr_get_le64(p + 32),
                             .last_version = yr_get_le64(p + 40),
                             .first_time_ns = (int64_t)yr_get_le64(p + 48),
                             .last_time_ns = (int64_t)yr_get_le64(p + 56),
                             .keys = yr_get_le64(p + 64),
                             .rows = yr_get_le64(p + 72),
                             .commits = yr_get_le64(p + 80),
                             .hash_seed = yr_get_le64(p + 88)};
    for (uint32_t i = 0; i < YR_SECTION_COUNT; i++) {
        f->section_bytes[i] = yr_get_le64(p + SECTIONS_OFF + 8 * i);
    }
    memcpy(f->file_hash, p + YR_SEGMENT_HASH_OFF, 16);
    size_t end = SECTIONS_OFF + 8 * YR_SECTION_COUNT;
    *why = "unknown fields";
    if (!is_zero(p + 96, 8) || !is_zero(p + end, YR_SEGMENT_HASH_OFF - end)) return false;
    *why = check_footer(f, layout, file_bytes);
    return !*why;
}

void yr_segment_entry_encode(const yr_segment_entry *entry, uint8_t out[YR_SEGMENT_ENTRY_BYTES])
{
    yr_put_le64(out + 0, entry->sum);                  /* 0  8  sum of the stored bytes */
    yr_put_le64(out + 8, entry->key);                  /* 8  8  fence or version */
    yr_put_le32(out + 16, (uint32_t)(entry->off / 8)); /* 16 4  offset in the file / 8 */
    yr_put_le32(out + 20, entry->stored_bytes);        /* 20 4  bytes in the file */
    yr_put_le32(out + 24, entry->raw_bytes);           /* 24 4  bytes decompressed */
    yr_put_le32(out + 28, entry->first);               /* 28 4  ordinal of the first key, or mask */
}

bool yr_segment_entry_decode(const uint8_t p[YR_SEGMENT_ENTRY_BYTES], uint64_t index_off,
                             yr_segment_entry *entry)
{
    *entry = (yr_segment_entry){.sum = yr_get_le64(p),
                                .key = yr_get_le64(p + 8),
                                .off = 8 * (uint64_t)yr_get_le32(p + 16),
                                .stored_bytes = yr_get_le32(p + 20),
                                .raw_bytes = yr_get_le32(p + 24),
                                .first = yr_get_le32(p + 28)};
    return entry->off >= YR_FILE_HEADER_BYTES && entry->off <= index_off &&
           entry->stored_bytes <= index_off - entry->off && entry->stored_bytes > 0 &&
           entry->stored_bytes <= entry->raw_bytes && entry->raw_bytes <= YR_SEGMENT_BLOCK_BYTES_MAX;
}

void yr_segment_group_encode(const yr_segment_group *group, uint8_t out[YR_SEGMENT_GROUP_BYTES])
{
    memset(out, 0, YR_SEGMENT_GROUP_BYTES);
    yr_put_le32(out + 0, group->branch);       /* 0  4  branch */
    out[4] = group->primitive;                 /* 4  1  primitive */
                                               /* 5  3  zero */
    yr_put_le64(out + 8, group->keys);         /* 8  8  keys */
    yr_put_le64(out + 16, group->rows);        /* 16 8  rows */
    yr_put_le64(out + 24, group->deletes);     /* 24 8  of them deletes */
    yr_put_le64(out + 32, group->key_bytes);   /* 32 8  bytes of user keys */
    yr_put_le64(out + 40, group->value_bytes); /* 40 8  bytes of values and metadata */
}

void yr_segment_group_decode(const uint8_t p[YR_SEGMENT_GROUP_BYTES], yr_segment_group *group)
{
    *group = (yr_segment_group){.branch = yr_get_le32(p),
                                .primitive = p[4],
                                .keys = yr_get_le64(p + 8),
                                .rows = yr_get_le64(p + 16),
                                .deletes = yr_get_le64(p + 24),
                                .key_bytes = yr_get_le64(p + 32),
                                .value_bytes = yr_get_le64(p + 40)};
}

static void put_three(uint8_t *out, uint64_t a, uint64_t b, uint64_t c)
{
    yr_put_le64(out + 0, a);
    yr_put_le64(out + 8, b);
    yr_put_le64(out + 16, c);
}

void yr_segment_head_encode(const yr_segment_head *head, uint8_t out[YR_SEGMENT_TALLY_BYTES])
{
    put_three(out, head->branch, head->first, head->last); /* 3 x 8  branch, its first commit, its last one */
}

void yr_segment_head_decode(const uint8_t p[YR_SEGMENT_TALLY_BYTES], yr_segment_head *head)
{
    *head =
        (yr_segment_head){.branch = yr_get_le64(p), .first = yr_get_le64(p + 8), .last = yr_get_le64(p + 16)};
}

void yr_segment_value_file_encode(const yr_segment_value_file *file, uint8_t out[YR_SEGMENT_TALLY_BYTES])
{
    put_three(out, file->file_id, file->count, file->bytes); /* 3 x 8  file, references to it, their bytes */
}

void yr_segment_value_file_decode(const uint8_t p[YR_SEGMENT_TALLY_BYTES], yr_segment_value_file *file)
{
    *file = (yr_segment_value_file){
        .file_id = yr_get_le64(p), .count = yr_get_le64(p + 8), .bytes = yr_get_le64(p + 16)};
}

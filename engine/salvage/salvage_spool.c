/* Rows come in the order of keys, frames in that of the log: here they are put in the order of versions, as many
 * versions at a time as memory has room for. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/salvage/salvage_private.h"

void yr_salvage_spool_init(yr_salvage_spool *spool, const yore_env *env, size_t bytes_max)
{
    *spool = (yr_salvage_spool){.env = env, .bytes_max = bytes_max};
    yr_buf_init(&spool->entries, env, YR_SALVAGE_LIST_MAX);
    yr_buf_init(&spool->bytes, env, YR_SALVAGE_LIST_MAX);
}

void yr_salvage_spool_deinit(yr_salvage_spool *spool)
{
    yr_buf_deinit(&spool->entries);
    yr_buf_deinit(&spool->bytes);
}

static int compare_entries(const void *a, const void *b)
{
    const yr_salvage_entry *x = a, *y = b;
    if (x->version != y->version) return x->version < y->version ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return x->off < y->off ? -1 : x->off > y->off;
}

static void sort(yr_salvage_spool *spool)
{
    uint32_t count = YR_SALVAGE_COUNT(spool->entries, yr_salvage_entry);
    if (count) qsort(spool->entries.data, count, sizeof(yr_salvage_entry), compare_entries);
}

static size_t size_of(const yr_salvage_spool *spool)
{
    return spool->entries.size + spool->bytes.size;
}

/* Keep about the older half of it: whole versions, one at least. */
static bool shrink(yr_salvage_spool *spool)
{
    sort(spool);
    uint32_t count = YR_SALVAGE_COUNT(spool->entries, yr_salvage_entry), kept = 0;
    uint64_t last = spool->after + 1;
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        const yr_salvage_entry *entry = YR_SALVAGE_AT(spool->entries, yr_salvage_entry, i);
        size += sizeof *entry + entry->bytes;
        if (size > spool->bytes_max / 2 && entry->version > last) {
            last = entry->version - 1;
            break;
        }
        last = entry->version;
    }
    yr_buf bytes;
    bool ok = true;
    yr_buf_init(&bytes, spool->env, YR_SALVAGE_LIST_MAX);
    for (; kept < count && ok; kept++) {
        yr_salvage_entry *entry = YR_SALVAGE_AT(spool->entries, yr_salvage_entry, kept);
        if (entry->version > last) break;
        size_t off = bytes.size;
        ok = yr_buf_append(&bytes, spool->bytes.data + entry->off, entry->bytes);
        entry->off = off;
    }
    spool->entries.size = kept * sizeof(yr_salvage_entry);
    yr_buf_deinit(&spool->bytes);
    spool->bytes = bytes;
    spool->last = last;
    if (size_of(spool) > spool->bytes_max / 2) spool->bytes_max = 4 * size_of(spool); /* one large version */
    return ok;
}

static bool is_wanted(const yr_salvage_spool *spool, uint64_t version)
{
    return version > spool->after && version <= spool->last;
}

/* `entry` with its bytes, which begin at entry->off, just put. */
static bool add(yr_salvage_spool *spool, yr_salvage_entry *entry)
{
    entry->bytes = spool->bytes.size - entry->off;
    if (!yr_buf_append(&spool->entries, entry, sizeof *entry)) return false;
    return size_of(spool) <= spool->bytes_max || shrink(spool);
}

/* -- what goes in -- */

typedef struct filler {
    yr_salvage *s;
    yr_salvage_spool *spool;
    uint32_t rank;
} filler;

static yore_status row_sink(void *arg, const yr_segment_row *row, yore_error *err)
{
    const filler *f = arg;
    const uint8_t *key = row->tree_key.data;
    if (!is_wanted(f->spool, row->version)) return YORE_OK;
    yr_salvage_entry entry = {.version = row->version,
                              .off = f->spool->bytes.size,
                              .rank = f->rank,
                              .kind = YR_SALVAGE_ROW,
                              .is_reference = row->is_reference,
                              .branch = yr_get_be32(key)};
    const yr_row frame_row = {.key = yore_bytes(key + 5, row->tree_key.size - 5),
                              .value = row->value,
                              .meta = row->meta,
                              .expiry_ns = row->expiry_ns,
                              .branch = entry.branch,
                              .primitive = key[4],
                              .op = row->op,
                              .type = row->type};
    bool ok = yr_frame_row(&f->spool->bytes, &frame_row) && add(f->spool, &entry);
    return ok ? YORE_OK : yr_salvage_no_memory(f->s, err);
}

static yore_status commit_sink(void *arg, const yr_commit_head *head, yore_error *err)
{
    const filler *f = arg;
    yr_buf *bytes = &f->spool->bytes;
    if (!is_wanted(f->spool, head->version)) return YORE_OK;
    yr_salvage_entry entry = {.version = head->version,
                              .off = bytes->size,
                              .rank = f->rank,
                              .rows = head->row_count,
                              .kind = YR_SALVAGE_HEAD};
    size_t at;
    bool ok = yr_frame_begin(bytes, head, &at);
    if (ok) {
        yr_frame_finish(bytes, at);
        yr_frame_set_rows(bytes, at, 0);
        ok = add(f->spool, &entry);
    }
    return ok ? YORE_OK : yr_salvage_no_memory(f->s, err);
}

static bool put_frames(yr_salvage_spool *spool, yore_slice payload)
{
    yr_reader reader = yr_reader_of(payload), rows;
    yr_commit_head head;
    while (reader.left) {
        const uint8_t *frame = (const uint8_t *)payload.data + (payload.size - reader.left);
        if (!yr_frame_take(&reader, &head, &rows)) return true;
        if (!is_wanted(spool, head.version)) continue;
        yr_salvage_entry entry = {.version = head.version,
                                  .off = spool->bytes.size,
                                  .rows = head.row_count,
                                  .kind = YR_SALVAGE_FRAME};
        if (!yr_buf_append(&spool->bytes, frame, yr_get_le32(frame)) || !add(spool, &entry)) return false;
    }
    return true;
}

yore_status yr_salvage_spool_fill(yr_salvage *s, yr_salvage_spool *spool, uint64_t after, yore_error *err)
{
    filler f = {.s = s, .spool = spool};
    yore_status status = YORE_OK;
    yr_buf_clear(&spool->entries);
    yr_buf_clear(&spool->bytes);
    spool->after = after;
    spool->last = s->last_version;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->records, yr_salvage_record) && status == YORE_OK; i++) {
        yore_slice payload;
        status = yr_salvage_payload(s, YR_SALVAGE_AT(s->records, yr_salvage_record, i), &payload, err);
        if (status == YORE_OK && !put_frames(spool, payload)) status = yr_salvage_no_memory(s, err);
    }
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->segments, yr_salvage_segment) && status == YORE_OK; i++) {
        yr_salvage_segment *segment = YR_SALVAGE_AT(s->segments, yr_salvage_segment, i);
        if (yr_run_last(segment->run) <= after || yr_run_after(segment->run) >= spool->last) continue;
        f.rank = i + 1;
        status = yr_salvage_commits(s, segment, false, commit_sink, &f, err);
        if (status == YORE_OK) status = yr_salvage_rows(s, segment, row_sink, &f, err);
    }
    sort(spool);
    return status;
}

#include "engine/segment/segment_tally.h"

#include <string.h>

#include "engine/format/value_format.h"

_Static_assert(sizeof(yr_segment_head) == YR_SEGMENT_TALLY_BYTES &&
                   sizeof(yr_segment_value_file) == YR_SEGMENT_TALLY_BYTES,
               "both are three u64");
_Static_assert(YR_REFERENCE_BYTES == YR_VALUE_REF_BYTES, "a row's reference is a value file's");

static uint64_t id_at(const yr_buf *list, size_t i)
{
    uint64_t id;
    memcpy(&id, list->data + i * YR_SEGMENT_TALLY_BYTES, sizeof id);
    return id;
}

void *yr_tally_at(yr_buf *list, uint64_t id)
{
    size_t low = 0, high = list->size / YR_SEGMENT_TALLY_BYTES, count = high;
    uint8_t *end;
    /* Ids are given out in ascending order, so the newest is the likeliest. */
    if (count && id_at(list, count - 1) < id) low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_at(list, middle) < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == count || id_at(list, low) != id) {
        if (!yr_buf_reserve(list, YR_SEGMENT_TALLY_BYTES, &end)) return NULL;
        uint8_t *at = list->data + low * YR_SEGMENT_TALLY_BYTES;
        memmove(at + YR_SEGMENT_TALLY_BYTES, at, (count - low) * YR_SEGMENT_TALLY_BYTES);
        memset(at, 0, YR_SEGMENT_TALLY_BYTES);
        memcpy(at, &id, sizeof id);
        list->size += YR_SEGMENT_TALLY_BYTES;
    }
    return list->data + low * YR_SEGMENT_TALLY_BYTES;
}

bool yr_tally_head(yr_buf *heads, uint32_t branch, uint64_t version)
{
    yr_segment_head *head = yr_tally_at(heads, branch);
    if (!head) return false;
    if (head->first == 0) head->first = version;
    head->last = version;
    return true;
}

yore_status yr_tally_value(yr_buf *value_files, const yr_segment_row *row, uint64_t *value_bytes)
{
    yr_value_ref ref;
    *value_bytes = row->value.size;
    if (!row->is_reference) return YORE_OK;
    if (!yr_value_ref_decode(row->value, &ref)) return YORE_ERR_CORRUPT;
    *value_bytes = ref.bytes;
    yr_segment_value_file *file = yr_tally_at(value_files, ref.file_id);
    if (!file) return YORE_ERR_NOMEM;
    file->count++;
    file->bytes += ref.bytes;
    return YORE_OK;
}

#include "engine/format/commit_format.h"

enum { ROW_FLAG_EXPIRY = 1 };

uint64_t yr_frame_bytes(const yr_commit_head *head)
{
    return YR_FRAME_HEADER + yr_texts_bytes(head);
}

uint64_t yr_row_bytes(const yr_row *row)
{
    return YR_ROW_HEADER + (row->expiry_ns ? 8u : 0u) + row->key.size + row->value.size + row->meta.size;
}

static uint8_t *put_bytes(uint8_t *to, yore_slice bytes)
{
    if (bytes.size) memcpy(to, bytes.data, bytes.size);
    return to + bytes.size;
}

/* -- texts -- */

uint64_t yr_texts_bytes(const yr_commit_head *head)
{
    return (head->source_time_ns ? 8u : 0u) + (head->wall_ns ? 8u : 0u) + 8u * (uint64_t)head->parent_count +
           head->note.size + head->author.size + head->source.size;
}

uint8_t *yr_texts_put(uint8_t *to, const yr_commit_head *head)
{
    if (head->source_time_ns) {
        yr_put_le64(to, (uint64_t)head->source_time_ns);
        to += 8;
    }
    if (head->wall_ns) {
        yr_put_le64(to, (uint64_t)head->wall_ns);
        to += 8;
    }
    to = put_bytes(to, yore_bytes(head->parents, 8u * (size_t)head->parent_count));
    to = put_bytes(to, head->note);
    to = put_bytes(to, head->author);
    return put_bytes(to, head->source);
}

bool yr_texts_take(yr_reader *from, uint32_t flags, yr_texts_sizes sizes, yr_commit_head *head)
{
    if (flags & YR_TEXTS_SOURCE_TIME) head->source_time_ns = (int64_t)yr_take_le64(from);
    if (flags & YR_TEXTS_WALL) head->wall_ns = (int64_t)yr_take_le64(from);
    head->parents = yr_take(from, 8u * (size_t)head->parent_count).data;
    head->note = yr_take(from, sizes.note);
    head->author = yr_take(from, sizes.author);
    head->source = yr_take(from, sizes.source);
    return from->ok && !(flags & ~(YR_TEXTS_SOURCE_TIME | YR_TEXTS_WALL)) &&
           head->parent_count < YORE_PARENTS_MAX && sizes.note <= YORE_NOTE_BYTES_MAX;
}

/* -- frames -- */

bool yr_frame_begin(yr_buf *out, const yr_commit_head *head, size_t *at)
{
    uint8_t *p;
    *at = out->size;
    if (!yr_buf_reserve(out, (size_t)yr_frame_bytes(head), &p)) return false;
    yr_put_le32(p, 0);
    yr_put_le32(p + 4, head->row_count);
    yr_put_le64(p + 8, head->version);
    yr_put_le64(p + 16, (uint64_t)head->time_ns);
    yr_put_le32(p + 24, head->branch);
    p[28] = head->kind;
    p[29] = yr_texts_flags(head);
    yr_put_le16(p + 30, (uint16_t)head->parent_count);
    yr_put_le32(p + 32, (uint32_t)head->note.size);
    yr_put_le16(p + 36, (uint16_t)head->author.size);
    yr_put_le16(p + 38, (uint16_t)head->source.size);
    p = yr_texts_put(p + YR_FRAME_HEADER, head);
    out->size = (size_t)(p - out->data);
    return true;
}

bool yr_frame_row(yr_buf *out, const yr_row *row)
{
    uint8_t *p;
    if (!yr_buf_reserve(out, (size_t)yr_row_bytes(row), &p)) return false;
    p[0] = (uint8_t)(row->op | row->type << 4);
    p[1] = row->expiry_ns ? ROW_FLAG_EXPIRY : 0;
    yr_put_le16(p + 2, (uint16_t)row->key.size);
    yr_put_le32(p + 4, (uint32_t)row->value.size);
    yr_put_le16(p + 8, (uint16_t)row->meta.size);
    p[10] = row->primitive;
    p[11] = 0;
    p += YR_ROW_HEADER;
    if (row->expiry_ns) {
        yr_put_le64(p, (uint64_t)row->expiry_ns);
        p += 8;
    }
    p = put_bytes(p, row->key);
    p = put_bytes(p, row->value);
    p = put_bytes(p, row->meta);
    out->size = (size_t)(p - out->data);
    return true;
}

void yr_frame_finish(yr_buf *out, size_t at)
{
    yr_put_le32(out->data + at, (uint32_t)(out->size - at));
}

void yr_frame_set_rows(yr_buf *out, size_t at, uint32_t row_count)
{
    yr_put_le32(out->data + at + 4, row_count);
}

bool yr_frame_take(yr_reader *payload, yr_commit_head *head, yr_reader *rows)
{
    yore_slice fixed = yr_take(payload, YR_FRAME_HEADER);
    if (!fixed.data) return false;
    const uint8_t *p = fixed.data;
    uint32_t bytes = yr_get_le32(p);
    if (bytes < YR_FRAME_HEADER) return false;
    yr_reader rest = yr_reader_of(yr_take(payload, bytes - YR_FRAME_HEADER));
    if (!payload->ok) return false;

    *head = (yr_commit_head){.row_count = yr_get_le32(p + 4),
                             .version = yr_get_le64(p + 8),
                             .time_ns = (int64_t)yr_get_le64(p + 16),
                             .branch = yr_get_le32(p + 24),
                             .kind = p[28],
                             .parent_count = yr_get_le16(p + 30)};
    const yr_texts_sizes sizes = {
        .note = yr_get_le32(p + 32), .author = yr_get_le16(p + 36), .source = yr_get_le16(p + 38)};
    if (!yr_texts_take(&rest, p[29], sizes, head) || head->version == 0 ||
        head->row_count > rest.left / YR_ROW_HEADER) {
        return false;
    }
    *rows = rest;
    return true;
}

bool yr_row_take(yr_reader *rows, uint32_t branch, yr_row *row)
{
    yore_slice fixed = yr_take(rows, YR_ROW_HEADER);
    if (!fixed.data) return false;
    const uint8_t *p = fixed.data;
    *row = (yr_row){.branch = branch, .primitive = p[10], .op = p[0] & 15u, .type = p[0] >> 4};
    if (p[1] & ROW_FLAG_EXPIRY) row->expiry_ns = (int64_t)yr_take_le64(rows);
    row->key = yr_take(rows, yr_get_le16(p + 2));
    row->value = yr_take(rows, yr_get_le32(p + 4));
    row->meta = yr_take(rows, yr_get_le16(p + 8));
    return rows->ok && !(p[1] & ~ROW_FLAG_EXPIRY) && p[11] == 0 && row->type <= YORE_TYPE_JSON &&
           row->primitive != 0 && row->key.size > 0 && row->key.size <= YORE_KEY_BYTES_MAX &&
           row->value.size <= YORE_VALUE_BYTES_MAX && row->meta.size <= YORE_META_BYTES_MAX &&
           (row->op == YORE_OP_PUT || row->op == YORE_OP_DEL);
}

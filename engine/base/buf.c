/* Growable byte buffer. Capacity doubles, so appending n bytes one at a time costs O(n), and never passes
 * `max`. A failed call leaves data, size and capacity as they were. */
#include "engine/base/buf.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

#define BUF_CAPACITY_MIN 64u

void yr_buf_init(yr_buf *buf, const yore_env *env, size_t max)
{
    *buf = (yr_buf){.env = env, .max = max};
}

void yr_buf_deinit(yr_buf *buf)
{
    yr_free(buf->env, buf->data, buf->capacity);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
}

static size_t capacity_for(const yr_buf *buf, size_t need)
{
    size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
    while (capacity < need) capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    return capacity < buf->max ? capacity : buf->max;
}

bool yr_buf_reserve(yr_buf *buf, size_t extra, uint8_t **at)
{
    YR_ASSERT(buf->size <= buf->capacity);
    size_t need;
    if (!yr_add_size(buf->size, extra, &need) || need > buf->max) return false;
    if (need > buf->capacity || !buf->data) {
        size_t capacity = capacity_for(buf, need);
        uint8_t *grown = yr_realloc(buf->env, buf->data, buf->capacity, capacity ? capacity : 1);
        if (!grown) return false;
        buf->data = grown;
        buf->capacity = capacity ? capacity : 1;
    }
    *at = buf->data + buf->size;
    return true;
}

bool yr_buf_append(yr_buf *buf, const void *bytes, size_t size)
{
    uint8_t *at;
    if (!yr_buf_reserve(buf, size, &at)) return false;
    if (size) memcpy(at, bytes, size);
    buf->size += size;
    return true;
}

bool yr_buf_append_le32(yr_buf *buf, uint32_t v)
{
    uint8_t bytes[4];
    yr_put_le32(bytes, v);
    return yr_buf_append(buf, bytes, sizeof bytes);
}

bool yr_buf_append_le64(yr_buf *buf, uint64_t v)
{
    uint8_t bytes[8];
    yr_put_le64(bytes, v);
    return yr_buf_append(buf, bytes, sizeof bytes);
}

void yr_buf_trim(yr_buf *buf, size_t keep)
{
    if (buf->capacity <= keep || buf->size > keep) return;
    if (keep == 0) {
        yr_buf_deinit(buf);
        return;
    }
    uint8_t *smaller = yr_realloc(buf->env, buf->data, buf->capacity, keep);
    if (!smaller) return; /* the larger block is still good */
    buf->data = smaller;
    buf->capacity = keep;
}

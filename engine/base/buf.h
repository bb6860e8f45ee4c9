/* A growable byte buffer with a hard maximum given at init. Appends fail (false) past the maximum or when
 * memory runs out, and then leave the buffer as it was. */
#ifndef YR_BUF_H
#define YR_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/env.h>
#include <yore/types.h>

typedef struct yr_buf {
    const yore_env *env;
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max;
} yr_buf;

void yr_buf_init(yr_buf *buf, const yore_env *env, size_t max);
void yr_buf_deinit(yr_buf *buf);
/* Room for `extra` more bytes; *at points to them. `size` does not change. */
bool yr_buf_reserve(yr_buf *buf, size_t extra, uint8_t **at);
bool yr_buf_append(yr_buf *buf, const void *bytes, size_t size);
bool yr_buf_append_le32(yr_buf *buf, uint32_t v);
bool yr_buf_append_le64(yr_buf *buf, uint64_t v);
static inline void yr_buf_clear(yr_buf *buf)
{
    buf->size = 0;
}
/* Give memory back when the buffer has grown past `keep` bytes. */
void yr_buf_trim(yr_buf *buf, size_t keep);

#endif

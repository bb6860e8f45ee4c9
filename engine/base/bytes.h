/* Bytes to numbers and back: little endian on disk, big endian inside ordered keys; bounded readers. */
#ifndef YR_BYTES_H
#define YR_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <yore/types.h>

/* Written out, not as loops: compilers turn these into one store or load, and a loop of shifts they do not. */
static inline void yr_put_le16(void *to, uint16_t v)
{
    uint8_t *p = to;
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void yr_put_le32(void *to, uint32_t v)
{
    uint8_t *p = to;
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
static inline void yr_put_le64(void *to, uint64_t v)
{
    uint8_t *p = to;
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    p[4] = (uint8_t)(v >> 32);
    p[5] = (uint8_t)(v >> 40);
    p[6] = (uint8_t)(v >> 48);
    p[7] = (uint8_t)(v >> 56);
}
static inline uint16_t yr_get_le16(const void *from)
{
    const uint8_t *p = from;
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t yr_get_le32(const void *from)
{
    const uint8_t *p = from;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t yr_get_le64(const void *from)
{
    return (uint64_t)yr_get_le32(from) | (uint64_t)yr_get_le32((const uint8_t *)from + 4) << 32;
}
static inline void yr_put_be32(void *to, uint32_t v)
{
    uint8_t *p = to;
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
static inline uint32_t yr_get_be32(const void *from)
{
    const uint8_t *p = from;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}
static inline void yr_put_be64(void *to, uint64_t v)
{
    yr_put_be32(to, (uint32_t)(v >> 32));
    yr_put_be32((uint8_t *)to + 4, (uint32_t)v);
}
static inline uint64_t yr_get_be64(const void *from)
{
    return (uint64_t)yr_get_be32(from) << 32 | yr_get_be32((const uint8_t *)from + 4);
}

/* a + b, or false when it does not fit. */
static inline bool yr_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline int yr_slice_compare(yore_slice a, yore_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}
static inline bool yr_slice_equal(yore_slice a, yore_slice b)
{
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* A bounded reader: every take compares with what is left, and moves only then. `ok` turns false at the
 * first take that does not fit and stays so; takes after that give zero. */
typedef struct yr_reader {
    const uint8_t *p;
    size_t left;
    bool ok;
} yr_reader;

static inline yr_reader yr_reader_of(yore_slice bytes)
{
    return (yr_reader){.p = bytes.data, .left = bytes.size, .ok = true};
}
static inline yore_slice yr_take(yr_reader *r, size_t size)
{
    if (!r->ok || size > r->left) {
        r->ok = false;
        return (yore_slice){NULL, 0};
    }
    yore_slice out = {r->p, size};
    r->p += size;
    r->left -= size;
    return out;
}
static inline uint8_t yr_take_u8(yr_reader *r)
{
    yore_slice s = yr_take(r, 1);
    return s.data ? *(const uint8_t *)s.data : 0;
}
static inline uint16_t yr_take_le16(yr_reader *r)
{
    yore_slice s = yr_take(r, 2);
    return s.data ? yr_get_le16(s.data) : 0;
}
static inline uint32_t yr_take_le32(yr_reader *r)
{
    yore_slice s = yr_take(r, 4);
    return s.data ? yr_get_le32(s.data) : 0;
}
static inline uint64_t yr_take_le64(yr_reader *r)
{
    yore_slice s = yr_take(r, 8);
    return s.data ? yr_get_le64(s.data) : 0;
}

#endif

#include "engine/format/segment_changes.h"

#include "engine/base/yr_assert.h"

static bool take_number(yr_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (uint32_t shift = 0; shift < 64 && r->ok; shift += 7) {
        uint8_t byte = yr_take_u8(r);
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 127u) << shift;
        if (byte < 128) {
            *out = v;
            return r->ok;
        }
    }
    r->ok = false;
    return false;
}

static uint8_t *put_number(uint8_t *p, uint64_t v)
{
    while (v >= 128) {
        *p++ = (uint8_t)(v | 128u);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

bool yr_changes_open(yore_slice raw, yr_changes *changes)
{
    *changes = (yr_changes){.bytes = yr_reader_of(raw)};
    changes->version = yr_take_le64(&changes->bytes);
    return changes->bytes.ok && changes->version > 0;
}

enum yr_changes_step yr_changes_next(yr_changes *changes)
{
    yr_reader *r = &changes->bytes;
    uint64_t step;
    if (changes->left == 0) {
        if (r->left == 0) return r->ok ? YR_CHANGES_END : YR_CHANGES_BAD;
        if (!take_number(r, &step) || __builtin_add_overflow(changes->version, step, &changes->version))
            return YR_CHANGES_BAD;
        /* Only the first version of a block may be the one of the block before. */
        if (step == 0 && changes->is_started) return YR_CHANGES_BAD;
        changes->is_started = true;
        if (!take_number(r, &changes->left) || changes->left == 0 || changes->left > r->left)
            return YR_CHANGES_BAD;
        if (!take_number(r, &changes->ordinal)) return YR_CHANGES_BAD;
    } else {
        if (!take_number(r, &step) || step == 0) return YR_CHANGES_BAD;
        if (__builtin_add_overflow(changes->ordinal, step, &changes->ordinal)) return YR_CHANGES_BAD;
    }
    changes->left--;
    return changes->ordinal <= UINT32_MAX ? YR_CHANGES_ONE : YR_CHANGES_BAD;
}

bool yr_changes_maker_begin(yr_changes_maker *maker, yr_buf *out, uint64_t first_version)
{
    *maker = (yr_changes_maker){.out = out, .version = first_version};
    return yr_buf_append_le64(out, first_version); /* 0  8  first version */
}

bool yr_changes_maker_add(yr_changes_maker *maker, uint64_t version, const uint32_t *ordinals, uint32_t n)
{
    uint8_t *p;
    YR_ASSERT(n > 0 && version >= maker->version);
    if (!yr_buf_reserve(maker->out, yr_changes_bytes_max(n), &p)) return false;
    p = put_number(p, version - maker->version);
    p = put_number(p, n);
    p = put_number(p, ordinals[0]);
    for (uint32_t i = 1; i < n; i++) p = put_number(p, ordinals[i] - ordinals[i - 1]);
    maker->out->size = (size_t)(p - maker->out->data);
    maker->version = version;
    return true;
}

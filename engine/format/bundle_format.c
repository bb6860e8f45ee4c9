#include "engine/format/bundle_format.h"

#include <string.h>

#include "engine/base/bytes.h"

#define VERSION 1u
#define FLAG_HISTORY 1u
#define FLAG_BASE 2u

static const uint8_t magic[4] = {'b', 'n', 'd', 'l'};

size_t yr_bundle_head_encode(const yr_bundle_head *head, uint8_t out[YR_BUNDLE_HEAD_MAX])
{
    memset(out, 0, YR_BUNDLE_HEAD_FIXED);
    memcpy(out, magic, sizeof magic);
    out[4] = VERSION;
    out[5] = (uint8_t)((head->has_history ? FLAG_HISTORY : 0u) | (head->has_base ? FLAG_BASE : 0u));
    yr_put_le32(out + 8, head->branch_id);
    yr_put_le32(out + 12, head->base_branch_id);
    yr_put_le64(out + 16, head->version);
    yr_put_le64(out + 24, (uint64_t)head->time_ns);
    yr_put_le64(out + 32, head->base_version);
    yr_put_le64(out + 40, (uint64_t)head->base_time_ns);
    yr_put_le64(out + 48, (uint64_t)head->base_source_time_ns);
    memcpy(out + 56, head->base_identity, YR_HASH128_BYTES);
    yr_put_le16(out + 72, (uint16_t)head->branch.size);
    yr_put_le16(out + 74, (uint16_t)head->base_branch.size);
    uint8_t *to = out + YR_BUNDLE_HEAD_FIXED;
    if (head->branch.size) memcpy(to, head->branch.data, head->branch.size);
    if (head->base_branch.size)
        memcpy(to + head->branch.size, head->base_branch.data, head->base_branch.size);
    return YR_BUNDLE_HEAD_FIXED + head->branch.size + head->base_branch.size;
}

bool yr_bundle_head_decode(yore_slice bytes, yr_bundle_head *head, bool *newer)
{
    const uint8_t *p = bytes.data;
    *newer = false;
    if (bytes.size < YR_BUNDLE_HEAD_FIXED || memcmp(p, magic, sizeof magic) != 0) return false;
    *newer = p[4] > VERSION;
    if (p[4] != VERSION || (p[5] & ~(FLAG_HISTORY | FLAG_BASE)) || yr_get_le16(p + 6) || yr_get_le32(p + 76))
        return false;
    size_t name = yr_get_le16(p + 72), base_name = yr_get_le16(p + 74);
    *head = (yr_bundle_head){.has_history = (p[5] & FLAG_HISTORY) != 0,
                             .has_base = (p[5] & FLAG_BASE) != 0,
                             .branch_id = yr_get_le32(p + 8),
                             .base_branch_id = yr_get_le32(p + 12),
                             .version = yr_get_le64(p + 16),
                             .time_ns = (int64_t)yr_get_le64(p + 24),
                             .base_version = yr_get_le64(p + 32),
                             .base_time_ns = (int64_t)yr_get_le64(p + 40),
                             .base_source_time_ns = (int64_t)yr_get_le64(p + 48)};
    memcpy(head->base_identity, p + 56, YR_HASH128_BYTES);
    if (name == 0 || name > YORE_BRANCH_NAME_MAX || base_name > YORE_BRANCH_NAME_MAX ||
        bytes.size != YR_BUNDLE_HEAD_FIXED + name + base_name ||
        head->has_base != (head->base_version != 0) || head->has_base != (base_name != 0)) {
        return false;
    }
    head->branch = yore_bytes(p + YR_BUNDLE_HEAD_FIXED, name);
    head->base_branch = yore_bytes(p + YR_BUNDLE_HEAD_FIXED + name, base_name);
    return true;
}

void yr_bundle_state_hash(uint32_t type, yore_slice value, yore_slice meta, uint8_t out[YR_HASH128_BYTES])
{
    uint8_t parts[4 + 2 * YR_HASH128_BYTES];
    yr_put_le32(parts, type);
    yr_hash128_of(value.data, value.size, parts + 4);
    yr_hash128_of(meta.data, meta.size, parts + 4 + YR_HASH128_BYTES);
    yr_hash128_of(parts, sizeof parts, out);
}

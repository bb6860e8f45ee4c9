#include "engine/format/registry_format.h"

#include "engine/base/yr_assert.h"

enum { RECORD_VERSION = 1 };

size_t yr_branch_record_encode(const yr_branch_record *record, uint8_t out[YR_BRANCH_RECORD_MAX])
{
    YR_ASSERT(record->name.size <= YORE_BRANCH_NAME_MAX);
    out[0] = RECORD_VERSION;
    out[1] = (uint8_t)record->flags;
    yr_put_le16(out + 2, (uint16_t)record->name.size);
    yr_put_le32(out + 4, record->parent);
    yr_put_le64(out + 8, record->fork_version);
    yr_put_le64(out + 16, (uint64_t)record->created_ns);
    yr_put_le64(out + 24, (uint64_t)record->ttl_ns);
    yr_put_le64(out + 32, record->deleted_version);
    memcpy(out + YR_BRANCH_RECORD_FIXED, record->name.data, record->name.size);
    return YR_BRANCH_RECORD_FIXED + record->name.size;
}

bool yr_branch_record_decode(yore_slice bytes, yr_branch_record *record)
{
    const uint8_t *p = bytes.data;
    if (bytes.size < YR_BRANCH_RECORD_FIXED || p[0] != RECORD_VERSION) return false;
    *record = (yr_branch_record){.flags = p[1],
                                 .parent = yr_get_le32(p + 4),
                                 .fork_version = yr_get_le64(p + 8),
                                 .created_ns = (int64_t)yr_get_le64(p + 16),
                                 .ttl_ns = (int64_t)yr_get_le64(p + 24),
                                 .deleted_version = yr_get_le64(p + 32),
                                 .name = {p + YR_BRANCH_RECORD_FIXED, yr_get_le16(p + 2)}};
    return record->name.size >= 1 && record->name.size <= YORE_BRANCH_NAME_MAX &&
           bytes.size == YR_BRANCH_RECORD_FIXED + record->name.size;
}

void yr_branch_key_encode(uint32_t id, uint8_t out[YR_BRANCH_KEY_BYTES])
{
    out[0] = 'b';
    yr_put_be32(out + 1, id);
}

bool yr_branch_key_decode(yore_slice key, uint32_t *id)
{
    const uint8_t *p = key.data;
    if (key.size != YR_BRANCH_KEY_BYTES || p[0] != 'b') return false;
    *id = yr_get_be32(p + 1);
    return true;
}

void yr_tag_record_encode(const yr_tag_record *record, uint8_t out[YR_TAG_RECORD_BYTES])
{
    memset(out, 0, 4);
    out[0] = RECORD_VERSION;
    yr_put_le32(out + 4, record->branch);
    yr_put_le64(out + 8, record->version);
    yr_put_le64(out + 16, (uint64_t)record->created_ns);
}

bool yr_tag_record_decode(yore_slice bytes, yr_tag_record *record)
{
    const uint8_t *p = bytes.data;
    if (bytes.size != YR_TAG_RECORD_BYTES || p[0] != RECORD_VERSION) return false;
    *record = (yr_tag_record){.branch = yr_get_le32(p + 4),
                              .version = yr_get_le64(p + 8),
                              .created_ns = (int64_t)yr_get_le64(p + 16)};
    return true;
}

size_t yr_registry_key(char kind, yore_slice name, uint8_t out[YR_REGISTRY_KEY_MAX])
{
    YR_ASSERT(name.size < YR_REGISTRY_KEY_MAX);
    out[0] = (uint8_t)kind;
    if (name.size) memcpy(out + 1, name.data, name.size);
    return name.size + 1;
}

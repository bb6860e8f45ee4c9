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

/* -- settings by prefix -- */

size_t yr_prefix_table_bytes(const yr_prefix_value *values, size_t count)
{
    size_t bytes = YR_PREFIX_TABLE_FIXED;
    for (size_t i = 0; i < count; i++)
        bytes += YR_PREFIX_VALUE_FIXED + values[i].prefix.size + values[i].text.size;
    return bytes;
}

void yr_prefix_table_encode(const yr_prefix_value *values, size_t count, uint64_t since, uint8_t *out)
{
    YR_ASSERT(count >= 1 && count <= YORE_CONFIG_PREFIXES_MAX);
    memset(out, 0, YR_PREFIX_TABLE_FIXED);
    out[0] = RECORD_VERSION;
    yr_put_le16(out + 2, (uint16_t)count);
    yr_put_le64(out + 8, since);
    out += YR_PREFIX_TABLE_FIXED;
    for (size_t i = 0; i < count; i++) {
        const yr_prefix_value *value = &values[i];
        yr_put_le16(out, (uint16_t)value->prefix.size);
        yr_put_le16(out + 2, (uint16_t)value->text.size);
        memcpy(out + YR_PREFIX_VALUE_FIXED, value->prefix.data, value->prefix.size);
        out += YR_PREFIX_VALUE_FIXED + value->prefix.size;
        memcpy(out, value->text.data, value->text.size);
        out += value->text.size;
    }
}

bool yr_prefix_table_check(yore_slice table)
{
    const uint8_t *p = table.data;
    if (table.size < YR_PREFIX_TABLE_FIXED || p[0] != RECORD_VERSION || p[1] || yr_get_le32(p + 4))
        return false;
    size_t count = yr_get_le16(p + 2), at = YR_PREFIX_TABLE_FIXED;
    yore_slice last = yore_bytes(NULL, 0); /* before every prefix */
    if (count < 1 || count > YORE_CONFIG_PREFIXES_MAX) return false;
    for (; count; count--) {
        if (table.size - at < YR_PREFIX_VALUE_FIXED) return false;
        size_t prefix_size = yr_get_le16(p + at), text_size = yr_get_le16(p + at + 2);
        at += YR_PREFIX_VALUE_FIXED;
        if (prefix_size < 1 || prefix_size > YORE_CONFIG_PREFIX_MAX || text_size < 1 ||
            text_size >= YR_SETTING_SIZE || table.size - at < prefix_size + text_size)
            return false;
        yore_slice prefix = yore_bytes(p + at, prefix_size);
        if (yr_slice_compare(last, prefix) >= 0 || memchr(p + at + prefix_size, 0, text_size)) return false;
        last = prefix;
        at += prefix_size + text_size;
    }
    return at == table.size;
}

uint64_t yr_prefix_table_since(yore_slice table)
{
    return table.size ? yr_get_le64((const uint8_t *)table.data + 8) : 0;
}

bool yr_prefix_table_next(yore_slice table, size_t *at, yr_prefix_value *out)
{
    const uint8_t *p = table.data;
    if (*at == 0) *at = YR_PREFIX_TABLE_FIXED;
    if (*at >= table.size) return false;
    size_t prefix_size = yr_get_le16(p + *at), text_size = yr_get_le16(p + *at + 2);
    *at += YR_PREFIX_VALUE_FIXED;
    YR_ASSERT(table.size - *at >= prefix_size + text_size);
    out->prefix = yore_bytes(p + *at, prefix_size);
    out->text = yore_bytes(p + *at + prefix_size, text_size);
    *at += prefix_size + text_size;
    return true;
}

/* Of two prefixes of one key the longer is the later. */
bool yr_prefix_table_find(yore_slice table, yore_slice key, yr_prefix_value *out)
{
    yr_prefix_value value;
    bool found = false;
    for (size_t at = 0; yr_prefix_table_next(table, &at, &value);) {
        if (value.prefix.size > key.size || memcmp(value.prefix.data, key.data, value.prefix.size) != 0)
            continue;
        *out = value;
        found = true;
    }
    return found;
}

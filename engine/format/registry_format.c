#include "engine/format/registry_format.h"

#include "engine/base/hash.h"
#include "engine/base/yr_assert.h"

enum { RECORD_VERSION = 1, RETENTION_VERSION = 2, PLAIN_FIXED = 40 };

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i]) return false;
    return true;
}

/* -- branches -- */

bool yr_retention_is_legal(yr_retention retention)
{
    switch (retention.kind) {
    case YORE_RETENTION_UNSET:
    case YORE_RETENTION_ALL: return retention.amount == 0;
    case YORE_RETENTION_AGE: return retention.amount >= 1 && retention.amount <= INT64_MAX;
    case YORE_RETENTION_VERSIONS: return retention.amount >= 1;
    default: return false;
    }
}

/* Does the record say what only version 2 can say? */
static bool has_retention(const yr_branch_record *record)
{
    return record->retention.kind != YORE_RETENTION_UNSET || record->trimmed_version != 0 ||
           (record->flags & YR_BRANCH_PURGED) != 0;
}

size_t yr_branch_record_encode(const yr_branch_record *record, uint8_t out[YR_BRANCH_RECORD_MAX])
{
    YR_ASSERT(record->name.size <= YORE_BRANCH_NAME_MAX);
    size_t fixed = has_retention(record) ? YR_BRANCH_RECORD_FIXED : PLAIN_FIXED;
    out[0] = fixed == PLAIN_FIXED ? RECORD_VERSION : RETENTION_VERSION;
    out[1] = (uint8_t)record->flags;
    yr_put_le16(out + 2, (uint16_t)record->name.size);
    yr_put_le32(out + 4, record->parent);
    yr_put_le64(out + 8, record->fork_version);
    yr_put_le64(out + 16, (uint64_t)record->created_ns);
    yr_put_le64(out + 24, (uint64_t)record->ttl_ns);
    yr_put_le64(out + 32, record->deleted_version);
    if (fixed != PLAIN_FIXED) {
        YR_ASSERT(yr_retention_is_legal(record->retention));
        memset(out + PLAIN_FIXED, 0, 8);
        out[40] = (uint8_t)record->retention.kind;
        yr_put_le64(out + 48, record->retention.amount);
        yr_put_le64(out + 56, record->trimmed_version);
    }
    memcpy(out + fixed, record->name.data, record->name.size);
    return fixed + record->name.size;
}

bool yr_branch_record_decode(yore_slice bytes, yr_branch_record *record)
{
    const uint8_t *p = bytes.data;
    if (bytes.size < PLAIN_FIXED || (p[0] != RECORD_VERSION && p[0] != RETENTION_VERSION)) return false;
    size_t fixed = p[0] == RECORD_VERSION ? PLAIN_FIXED : YR_BRANCH_RECORD_FIXED;
    if (bytes.size < fixed) return false;
    *record = (yr_branch_record){.flags = p[1],
                                 .parent = yr_get_le32(p + 4),
                                 .fork_version = yr_get_le64(p + 8),
                                 .created_ns = (int64_t)yr_get_le64(p + 16),
                                 .ttl_ns = (int64_t)yr_get_le64(p + 24),
                                 .deleted_version = yr_get_le64(p + 32),
                                 .name = {p + fixed, yr_get_le16(p + 2)}};
    if (record->name.size < 1 || record->name.size > YORE_BRANCH_NAME_MAX ||
        bytes.size != fixed + record->name.size)
        return false;
    if (fixed == PLAIN_FIXED) return (record->flags & YR_BRANCH_PURGED) == 0;
    record->retention = (yr_retention){.kind = p[40], .amount = yr_get_le64(p + 48)};
    record->trimmed_version = yr_get_le64(p + 56);
    return is_zero(p + 41, 7) && yr_retention_is_legal(record->retention) && has_retention(record);
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

/* -- tags -- */

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

/* -- erased keys -- */

static void hash_pattern(yore_slice pattern, uint64_t seed, uint64_t hash[2])
{
    hash[0] = yr_hash64(pattern.data, pattern.size, seed);
    hash[1] = yr_hash64(pattern.data, pattern.size, ~seed);
}

void yr_erase_record_make(yr_erase_record *record, yore_slice pattern, uint64_t seed)
{
    YR_ASSERT(pattern.size <= YORE_KEY_BYTES_MAX);
    record->pattern_bytes = (uint32_t)pattern.size;
    record->seed = seed;
    hash_pattern(pattern, seed, record->hash);
}

bool yr_erase_record_has(const yr_erase_record *record, uint32_t branch, uint32_t primitive, yore_slice key)
{
    uint64_t hash[2];
    if ((record->branch && record->branch != branch) || record->primitive != primitive) return false;
    if (record->is_prefix ? key.size < record->pattern_bytes : key.size != record->pattern_bytes)
        return false;
    hash_pattern(yore_bytes(key.data, record->pattern_bytes), record->seed, hash);
    return hash[0] == record->hash[0] && hash[1] == record->hash[1];
}

void yr_erase_record_encode(const yr_erase_record *record, uint8_t out[YR_ERASE_RECORD_BYTES])
{
    memset(out, 0, YR_ERASE_RECORD_BYTES);
    out[0] = RECORD_VERSION;
    out[1] = record->is_prefix;
    out[2] = (uint8_t)record->primitive;
    yr_put_le32(out + 4, record->branch);
    yr_put_le16(out + 8, (uint16_t)record->pattern_bytes);
    yr_put_le64(out + 16, record->seed);
    yr_put_le64(out + 24, record->hash[0]);
    yr_put_le64(out + 32, record->hash[1]);
}

bool yr_erase_record_decode(yore_slice bytes, yr_erase_record *record)
{
    const uint8_t *p = bytes.data;
    if (bytes.size != YR_ERASE_RECORD_BYTES || p[0] != RECORD_VERSION || p[1] > 1 || p[3] != 0) return false;
    *record = (yr_erase_record){.branch = yr_get_le32(p + 4),
                                .primitive = p[2],
                                .is_prefix = p[1] == 1,
                                .pattern_bytes = yr_get_le16(p + 8),
                                .seed = yr_get_le64(p + 16),
                                .hash = {yr_get_le64(p + 24), yr_get_le64(p + 32)}};
    return is_zero(p + 10, 6) && record->primitive != 0 && record->primitive != YORE_SYSTEM &&
           record->pattern_bytes <= YORE_KEY_BYTES_MAX && (record->is_prefix || record->pattern_bytes >= 1);
}

void yr_erase_key_encode(uint64_t version, uint8_t out[YR_ERASE_KEY_BYTES])
{
    out[0] = 'e';
    yr_put_be64(out + 1, version);
}

bool yr_erase_key_decode(yore_slice key, uint64_t *version)
{
    const uint8_t *p = key.data;
    if (key.size != YR_ERASE_KEY_BYTES || p[0] != 'e') return false;
    *version = yr_get_be64(p + 1);
    return *version != 0;
}

/* -- names -- */

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

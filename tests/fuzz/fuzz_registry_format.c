/* Registry rows: any bytes are refused or are a branch, a tag, an erase record or a setting's values by prefix, and
 * then write the same bytes again. */
#include "tests/fuzz/fuzz_target.h"

#include "engine/base/yr_assert.h"
#include "engine/format/registry_format.h"

enum { VALUES_MAX = 40 };

static void check_branch(yore_slice bytes)
{
    uint8_t again[YR_BRANCH_RECORD_MAX];
    yr_branch_record record;
    if (!yr_branch_record_decode(bytes, &record)) return;
    fuzz_touch(record.name.data, record.name.size);
    YR_ASSERT(yr_branch_record_encode(&record, again) == bytes.size);
    YR_ASSERT(memcmp(again, bytes.data, bytes.size) == 0);
}

static void check_tag(yore_slice bytes)
{
    uint8_t again[YR_TAG_RECORD_BYTES];
    yr_tag_record tag, same;
    if (!yr_tag_record_decode(bytes, &tag)) return;
    yr_tag_record_encode(&tag, again);
    YR_ASSERT(yr_tag_record_decode(yore_bytes(again, sizeof again), &same));
    YR_ASSERT(same.branch == tag.branch && same.version == tag.version && same.created_ns == tag.created_ns);
}

static void check_erase(yore_slice bytes)
{
    uint8_t again[YR_ERASE_RECORD_BYTES];
    yr_erase_record erase;
    if (!yr_erase_record_decode(bytes, &erase)) return;
    YR_ASSERT(!yr_erase_record_has(&erase, erase.branch, YORE_SYSTEM, bytes));
    yr_erase_record_encode(&erase, again);
    YR_ASSERT(memcmp(again, bytes.data, bytes.size) == 0);
}

/* The last of all prefixes is the longest one of itself. */
static void check_table(yore_slice table)
{
    static yr_prefix_value values[YORE_CONFIG_PREFIXES_MAX];
    static uint8_t again[FUZZ_INPUT_MAX];
    yr_prefix_value found;
    size_t count = 0;
    if (!yr_prefix_table_check(table)) return;
    for (size_t at = 0; yr_prefix_table_next(table, &at, &found); count++) {
        YR_ASSERT(count < YORE_CONFIG_PREFIXES_MAX);
        values[count] = found;
        fuzz_touch(found.prefix.data, found.prefix.size);
        fuzz_touch(found.text.data, found.text.size);
    }
    YR_ASSERT(count > 0 && yr_prefix_table_find(table, values[count - 1].prefix, &found));
    YR_ASSERT(found.prefix.data == values[count - 1].prefix.data);
    YR_ASSERT(yr_prefix_table_bytes(values, count) == table.size);
    if (table.size > sizeof again) return;
    yr_prefix_table_encode(values, count, yr_prefix_table_since(table), again);
    YR_ASSERT(memcmp(again, table.data, table.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yore_slice bytes = yore_bytes(data, size);
    check_branch(bytes);
    check_tag(bytes);
    check_erase(bytes);
    check_table(bytes);
    return 0;
}

/* Ascending prefixes: each begins with the one before it, or with the next letter. */
static size_t table_example(yr_rng *rng, uint8_t *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    yr_prefix_value values[VALUES_MAX];
    size_t count = 1 + (size_t)yr_rng_below(rng, 20), from = 0, size = 1;
    for (size_t i = 0; i < count; i++) {
        values[i] = (yr_prefix_value){.prefix = {letters + from, size}, .text = yore_str("none")};
        bool longer = yr_rng_below(rng, 2) && size < 20;
        size = longer ? size + 1 : 1;
        from += !longer;
    }
    yr_prefix_table_encode(values, count, yr_rng_below(rng, 100), out);
    return yr_prefix_table_bytes(values, count);
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    yr_branch_record branch = {.parent = 1, .fork_version = yr_rng_below(rng, 9), .name = yore_str("exp")};
    yr_erase_record erase = {.branch = 1, .primitive = YORE_KV, .is_prefix = yr_rng_below(rng, 2) == 0};
    const yr_tag_record tag = {.branch = 1, .version = yr_rng_below(rng, 9)};
    switch (yr_rng_below(rng, 6)) {
    case 0: return yr_branch_record_encode(&branch, out);
    case 1: yr_tag_record_encode(&tag, out); return YR_TAG_RECORD_BYTES;
    case 2:
        branch.retention =
            (yr_retention){.kind = YORE_RETENTION_VERSIONS, .amount = 1 + yr_rng_below(rng, 9)};
        branch.trimmed_version = yr_rng_below(rng, 9);
        return yr_branch_record_encode(&branch, out);
    case 3:
        yr_erase_record_make(&erase, yore_str("user/17"), yr_rng_next(rng));
        yr_erase_record_encode(&erase, out);
        return YR_ERASE_RECORD_BYTES;
    default: return table_example(rng, out);
    }
}

/* JSON: any bytes are refused, or give a tree that holds together. Three texts, split at zero bytes, are merged and
 * compared: what comes out is JSON again, and what only one side changed comes through to the byte. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/json/json_merge.h"
#include "engine/json/json_tree.h"
#include "tests/unit/json/json_kit.h"

#include <yore/json.h>

static bool is_json(yore_slice text)
{
    yr_json_doc doc;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yr_json_parse(yore_env_default(), text, &doc, &err);
    if (status != YORE_OK) {
        YR_ASSERT(status == YORE_ERR_INPUT && err.message[0] && err.offset <= text.size);
        return false;
    }
    yr_json_check(&doc);
    YR_ASSERT(yr_json_equal(&doc, 0, &doc, 0));
    yr_json_deinit(&doc);
    return true;
}

static void check_diff(yore_slice a, yore_slice b)
{
    yore_json_diff *diff = NULL;
    yore_json_change change = YORE_JSON_CHANGE_INIT;
    yore_status status = yore_json_diff_open(yore_env_default(), a, b, &diff, NULL);
    YR_ASSERT(status == YORE_OK);
    while ((status = yore_json_diff_next(diff, &change, NULL)) == YORE_OK) {
        YR_ASSERT(change.path.size == 0 || *(const char *)change.path.data == '/');
        YR_ASSERT((change.old_text.data == NULL) == (change.op == YORE_DIFF_ADD));
        YR_ASSERT((change.new_text.data == NULL) == (change.op == YORE_DIFF_DEL));
        fuzz_touch(change.path.data, change.path.size);
        fuzz_touch(change.old_text.data, change.old_text.size);
        fuzz_touch(change.new_text.data, change.new_text.size);
    }
    YR_ASSERT(status == YORE_END);
    yore_json_diff_close(diff);
}

static void check_merge(const yr_json_sides *sides, yr_json_prefer prefer)
{
    yr_json_merged merged;
    YR_ASSERT(yr_json_merge(yore_env_default(), sides, prefer, &merged, NULL) == YORE_OK);
    YR_ASSERT(merged.listed <= merged.conflict_count);
    for (size_t i = 0; i < merged.listed; i++) {
        fuzz_touch(merged.conflicts[i].path.data, merged.conflicts[i].path.size);
    }
    if (merged.conflict_count == 0 || prefer != YR_JSON_STOP) YR_ASSERT(is_json(merged.text));
    yr_json_merged_deinit(&merged);
}

static void check_one_sided(yore_slice base, yore_slice changed)
{
    const yr_json_sides both[] = {{base, changed, base}, {base, base, changed}, {base, changed, changed}};
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        yr_json_merged merged;
        YR_ASSERT(yr_json_merge(yore_env_default(), &both[i], YR_JSON_STOP, &merged, NULL) == YORE_OK);
        YR_ASSERT(merged.conflict_count == 0 && merged.text.size == changed.size);
        YR_ASSERT(memcmp(merged.text.data, changed.data, changed.size) == 0);
        yr_json_merged_deinit(&merged);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yore_slice texts[3];
    const uint8_t *end = data + size;
    bool good = true;
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *cut = i < 2 && data < end ? memchr(data, 0, (size_t)(end - data)) : NULL;
        const uint8_t *stop = cut ? cut : end;
        texts[i] = yore_bytes(data, (size_t)(stop - data));
        good = is_json(texts[i]) && good;
        data = cut ? cut + 1 : end;
    }
    if (!good) return 0;
    yr_json_sides sides = {texts[0], texts[1], texts[2]};
    check_diff(texts[0], texts[1]);
    check_one_sided(texts[0], texts[1]);
    check_merge(&sides, YR_JSON_STOP);
    check_merge(&sides, YR_JSON_OURS);
    check_merge(&sides, YR_JSON_THEIRS);
    sides.base = (yore_slice){NULL, 0};
    check_merge(&sides, YR_JSON_STOP);
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    yr_buf text;
    yr_json_doc doc;
    size_t size = 0;
    yr_buf_init(&text, yore_env_default(), FUZZ_INPUT_MAX - 1);
    json_kit_value(rng, &text, 2);
    size_t base = text.size;
    if (yr_json_parse(yore_env_default(), yore_bytes(text.data, base), &doc, NULL) == YORE_OK) {
        yr_buf variants;
        yr_buf_init(&variants, yore_env_default(), FUZZ_INPUT_MAX - 1 - base);
        for (int i = 0; i < 2; i++) {
            (void)yr_buf_append(&variants, "", 1);
            json_kit_variant(rng, &doc, 0, &variants);
        }
        yr_json_deinit(&doc);
        (void)yr_buf_append(&text, variants.data, variants.size);
        yr_buf_deinit(&variants);
    }
    size = text.size;
    if (size) memcpy(out, text.data, size);
    yr_buf_deinit(&text);
    return size;
}

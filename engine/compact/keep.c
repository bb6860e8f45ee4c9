#include "engine/compact/keep.h"

#include <stdlib.h>

#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"
#include "engine/format/registry_format.h"
#include "index/entry.h"

static int by_version(const void *a, const void *b)
{
    const yr_keep_pin *p = a, *q = b;
    return p->version < q->version ? -1 : p->version > q->version;
}

/* Index of the first pin at or above a version; pin_count when there is none. */
static uint32_t pin_from(const yr_keep_rules *rules, uint64_t version)
{
    uint32_t low = 0, high = rules->pin_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rules->pins[middle].version < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void yr_keep_settle(yr_keep_rules *rules)
{
    uint32_t kept = 0;
    if (rules->pin_count == 0) return;
    qsort(rules->pins, rules->pin_count, sizeof *rules->pins, by_version);
    for (uint32_t i = 0; i < rules->pin_count; i++) {
        yr_keep_pin pin = rules->pins[i];
        if (!rules->is_dead && pin.version >= rules->horizon) continue;
        if (kept == 0 || rules->pins[kept - 1].version != pin.version) {
            rules->pins[kept++] = pin;
        } else if (pin.time_ns < rules->pins[kept - 1].time_ns) {
            rules->pins[kept - 1].time_ns = pin.time_ns;
        }
    }
    rules->pin_count = kept;
}

static const char *rules_problem(const yr_keep_rules *rules)
{
    for (uint32_t i = 0; i < rules->pin_count; i++) {
        const yr_keep_pin *pin = &rules->pins[i];
        if (!rules->is_dead && pin->version >= rules->horizon) return "a pin that the horizon covers";
        if (!rules->is_dead && pin->time_ns > rules->horizon_ns) return "a pin later than the horizon";
        if (i > 0 && pin->version <= pin[-1].version) return "pins out of order";
        if (i > 0 && pin->time_ns < pin[-1].time_ns) return "times of pins out of order";
    }
    return NULL;
}

const char *yr_keep_set_problem(const yr_keep_set *set)
{
    const char *problem = NULL;
    for (uint32_t i = 0; i < set->count && !problem; i++) {
        if (i > 0 && set->rules[i].branch <= set->rules[i - 1].branch) problem = "branches out of order";
        if (!problem) problem = rules_problem(&set->rules[i]);
    }
    return problem;
}

const yr_keep_rules *yr_keep_find(const yr_keep_set *set, uint32_t branch)
{
    static const yr_keep_rules everything = {.horizon = 0};
    uint32_t low = 0, high = set && branch != YR_REGISTRY_BRANCH ? set->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->rules[middle].branch == branch) return &set->rules[middle];
        if (set->rules[middle].branch < branch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &everything;
}

bool yr_keep_is_readable(const yr_keep_rules *rules, uint64_t cap)
{
    if (!rules->is_dead && cap >= rules->horizon) return true;
    uint32_t i = pin_from(rules, cap);
    return i < rules->pin_count && rules->pins[i].version == cap;
}

enum yr_keep yr_keep_judge(const yr_keep_rules *rules, uint64_t version, uint64_t newer, uint8_t op,
                           int64_t expiry_ns)
{
    YR_ASSERT(newer == 0 || newer > version);
    if (!rules->is_dead && version >= rules->horizon) return YR_KEEP_ROW;
    /* The oldest cap that reads it; caps ascend in time as well. */
    uint64_t last = newer ? newer - 1 : UINT64_MAX;
    uint32_t i = pin_from(rules, version);
    bool is_pinned = i < rules->pin_count && rules->pins[i].version <= last && !YR_BUG(COMPACT_NO_PINS);
    bool is_current = !rules->is_dead && rules->horizon <= last;
    if (!is_pinned && !is_current) return YR_KEEP_NOT;
    int64_t time_ns = is_pinned ? rules->pins[i].time_ns : rules->horizon_ns;
    if (YR_BUG(COMPACT_EXPIRY_NOW)) time_ns = rules->horizon_ns;
    bool is_absent = op == YORE_OP_DEL || (expiry_ns != 0 && expiry_ns <= time_ns);
    return is_absent ? YR_KEEP_IF_HIDING : YR_KEEP_ROW;
}

uint64_t yr_keep_erased(const yr_keep_set *set, yore_slice tree_key)
{
    const uint8_t *p = tree_key.data;
    uint64_t below = 0;
    for (uint32_t i = 0; set && i < set->erasure_count; i++) {
        const yr_keep_erasure *erasure = &set->erasures[i];
        if (erasure->version <= below) continue;
        yore_slice key = yore_bytes(p + YR_TREE_KEY_PREFIX, tree_key.size - YR_TREE_KEY_PREFIX);
        if (yr_erase_record_has(&erasure->record, yr_get_be32(p), p[4], key)) below = erasure->version;
    }
    return below;
}

uint64_t yr_keep_garbage(const yr_keep_rules *rules, const yr_keep_facts *facts, uint64_t after,
                         uint64_t last)
{
    /* The sums come from a file: whatever they are, the answer is at most all of it. */
    uint64_t all = UINT64_MAX;
    if (facts->value_bytes <= UINT64_MAX - facts->key_bytes) all = facts->key_bytes + facts->value_bytes;
    uint64_t older = facts->rows > facts->keys ? facts->rows - facts->keys : 0;
    uint32_t i = after < UINT64_MAX ? pin_from(rules, after + 1) : rules->pin_count;
    if (rules->is_dead) {
        /* A pin above the file reads the newest version of each key; one inside it, who knows which. */
        if (i == rules->pin_count) return all;
        if (rules->pins[i].version < last) return 0;
    } else if (rules->horizon < last || (i < rules->pin_count && rules->pins[i].version < last)) {
        return 0;
    }
    uint64_t put_rows = facts->rows > facts->deletes ? facts->rows - facts->deletes : 0;
    if (put_rows == 0 || older == 0) return 0;
    uint64_t newest_puts = put_rows < facts->keys ? put_rows : facts->keys;
    return (uint64_t)((double)facts->value_bytes * (double)(put_rows - newest_puts) / (double)put_rows);
}

#include "engine/segment/value_collect.h"

#include "engine/base/yr_assert.h"

#define GARBAGE_PERCENT 50u
#define MOVED_BYTES_MAX (UINT64_C(256) << 20)

bool yr_value_usage_add(yr_value_usage *usages, uint32_t count, uint64_t file_id, uint64_t live_count,
                        uint64_t live_bytes)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (usages[mid].file_id < file_id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == count || usages[low].file_id != file_id) return false;
    usages[low].live_count += live_count;
    usages[low].live_bytes += live_bytes;
    return true;
}

/* Sums of a merge that is not installed may count a value twice: then there is no garbage to speak of. */
static uint64_t garbage(const yr_value_usage *usage)
{
    return usage->live_bytes < usage->value_bytes ? usage->value_bytes - usage->live_bytes : 0;
}

/* Is more dead, in proportion? The older file of two that are alike. value_bytes is below 2^36: doubles are good
 * enough to order such ratios by. */
static bool is_worse(const yr_value_usage *a, const yr_value_usage *b)
{
    double of_a = (double)garbage(a) / (double)a->value_bytes;
    double of_b = (double)garbage(b) / (double)b->value_bytes;
    return of_a > of_b || (of_a >= of_b && a->file_id < b->file_id);
}

static bool is_worth_it(const yr_value_usage *usage, uint32_t percent)
{
    YR_ASSERT(usage->value_bytes <= UINT64_MAX / 100);
    return garbage(usage) * 100 > usage->value_bytes * percent;
}

void yr_value_collect(const yr_value_usage *usages, uint32_t count, const yr_value_policy *policy,
                      enum yr_value_fate *fates, yr_value_plan *plan)
{
    uint32_t percent = policy->garbage_percent ? policy->garbage_percent : GARBAGE_PERCENT;
    uint64_t moved_max = policy->moved_bytes_max ? policy->moved_bytes_max : MOVED_BYTES_MAX;
    YR_ASSERT(percent <= 100);
    *plan = (yr_value_plan){0};
    for (uint32_t i = 0; i < count; i++) {
        YR_ASSERT(i == 0 || usages[i - 1].file_id < usages[i].file_id);
        bool is_dead = usages[i].live_count == 0;
        fates[i] = is_dead ? YR_VALUES_DEAD : YR_VALUES_KEEP;
        if (!is_dead) continue;
        plan->dead++;
        plan->freed_bytes += usages[i].file_bytes;
    }
    for (;;) { /* the worst of those left, while there is room: few are rewritten in one go */
        uint32_t worst = count;
        for (uint32_t i = 0; i < count; i++) {
            if (fates[i] != YR_VALUES_KEEP || !is_worth_it(&usages[i], percent)) continue;
            if (worst == count || is_worse(&usages[i], &usages[worst])) worst = i;
        }
        if (worst == count) break;
        if (plan->rewrites && usages[worst].live_bytes > moved_max - plan->moved_bytes) break;
        fates[worst] = YR_VALUES_REWRITE;
        plan->rewrites++;
        plan->moved_bytes += usages[worst].live_bytes;
        plan->saved_bytes += garbage(&usages[worst]);
        if (plan->moved_bytes >= moved_max) break;
    }
}

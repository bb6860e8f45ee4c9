#include "search/index/expiring.h"

void yr_expiring_free(yr_space *space, yr_expiring_list *list)
{
    uint32_t blocks = list->block_capacity;
    yr_space_free(space, list->items, list->capacity * sizeof *list->items);
    yr_space_free(space, list->blocks, blocks * sizeof *list->blocks);
    *list = (yr_expiring_list){0};
}

bool yr_expiring_add(yr_space *space, yr_expiring_list *list, const yr_expiring *item)
{
    uint32_t index = list->count / YR_EXPIRING_BLOCK;
    if (!yr_space_grow(space, &list->items, &list->capacity, (uint64_t)list->count + 1,
                       sizeof *list->items) ||
        !yr_space_grow(space, &list->blocks, &list->block_capacity, (uint64_t)index + 1,
                       sizeof *list->blocks))
        return false;
    yr_expiring_block *block = &list->blocks[index];
    if (list->count % YR_EXPIRING_BLOCK == 0)
        *block = (yr_expiring_block){.expiry_min = item->expiry_ns, .expiry_max = item->expiry_ns};
    if (item->expiry_ns < block->expiry_min) block->expiry_min = item->expiry_ns;
    if (item->expiry_ns > block->expiry_max) block->expiry_max = item->expiry_ns;
    block->sign += item->sign;
    block->length += (int64_t)item->sign * item->length;
    block->alive++;
    list->items[list->count++] = *item;
    return true;
}

void yr_expiring_end(yr_expiring_list *list, uint32_t index, uint32_t version)
{
    yr_expiring_block *block = &list->blocks[index / YR_EXPIRING_BLOCK];
    list->items[index].end = version;
    block->alive--;
    block->end_max = version; /* versions ascend */
}

static bool counts(const yr_expiring *item, uint32_t cap, int64_t time_ns)
{
    return item->begin <= cap && cap < item->end && item->expiry_ns <= time_ns;
}

static uint32_t block_end(const yr_expiring_list *list, uint32_t block)
{
    uint32_t end = (block + 1) * YR_EXPIRING_BLOCK;
    return end < list->count ? end : list->count;
}

enum share { NOBODY, SOME, EVERYBODY };

static enum share share_of(const yr_expiring_list *list, uint32_t index, uint32_t cap, int64_t time_ns)
{
    const yr_expiring_block *block = &list->blocks[index];
    uint32_t from = index * YR_EXPIRING_BLOCK, end = block_end(list, index);
    if (block->expiry_min > time_ns || (block->alive == 0 && block->end_max <= cap)) return NOBODY;
    bool all = block->expiry_max <= time_ns && block->alive == end - from &&
               list->items[end - 1].begin <= cap;
    return all ? EVERYBODY : SOME;
}

void yr_expiring_sum(const yr_expiring_list *list, uint32_t cap, int64_t time_ns, int64_t *signs,
                     int64_t *length)
{
    *signs = *length = 0;
    for (uint32_t from = 0; from < list->count && list->items[from].begin <= cap; from += YR_EXPIRING_BLOCK) {
        uint32_t block = from / YR_EXPIRING_BLOCK;
        enum share share = share_of(list, block, cap, time_ns);
        if (share == EVERYBODY) {
            *signs += list->blocks[block].sign;
            *length += list->blocks[block].length;
        }
        for (uint32_t i = from; share == SOME && i < block_end(list, block); i++) {
            const yr_expiring *item = &list->items[i];
            if (!counts(item, cap, time_ns)) continue;
            *signs += item->sign;
            *length += (int64_t)item->sign * item->length;
        }
    }
}

/* The first of indexes[at..] that is in a later block. It is near, because a block has 32. */
static uint32_t next_block(const uint32_t *indexes, uint32_t count, uint32_t at)
{
    uint32_t end = (indexes[at] / YR_EXPIRING_BLOCK + 1) * YR_EXPIRING_BLOCK;
    uint32_t low = at + 1, high = count - at > YR_EXPIRING_BLOCK ? at + YR_EXPIRING_BLOCK : count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (indexes[mid] < end)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int64_t yr_expiring_sum_of(const yr_expiring_list *list, const uint32_t *indexes, uint32_t count,
                           uint32_t cap, int64_t time_ns)
{
    int64_t sum = 0;
    for (uint32_t at = 0, next; at < count && list->items[indexes[at]].begin <= cap; at = next) {
        uint32_t block = indexes[at] / YR_EXPIRING_BLOCK;
        enum share share = share_of(list, block, cap, time_ns);
        next = next_block(indexes, count, at);
        /* as many signs as items: all of them +1 */
        bool all_plus = list->blocks[block].sign ==
                        (int32_t)(block_end(list, block) - block * YR_EXPIRING_BLOCK);
        if (share == EVERYBODY && all_plus) {
            sum += next - at;
            continue;
        }
        for (uint32_t i = at; share != NOBODY && i < next; i++) {
            const yr_expiring *item = &list->items[indexes[i]];
            if (counts(item, cap, time_ns)) sum += item->sign;
        }
    }
    return sum;
}

static bool block_is_right(const yr_expiring_list *list, uint32_t index)
{
    yr_expiring_block sum = {0};
    const yr_expiring_block *block = &list->blocks[index];
    for (uint32_t i = index * YR_EXPIRING_BLOCK; i < block_end(list, index); i++) {
        const yr_expiring *item = &list->items[i];
        if (item->expiry_ns < block->expiry_min || item->expiry_ns > block->expiry_max) return false;
        sum.sign += item->sign;
        sum.length += (int64_t)item->sign * item->length;
        sum.alive += item->end == YR_ALIVE;
        if (item->end != YR_ALIVE && item->end > sum.end_max) sum.end_max = item->end;
    }
    return sum.sign == block->sign && sum.length == block->length && sum.alive == block->alive &&
           sum.end_max == block->end_max;
}

const char *yr_expiring_check(const yr_expiring_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (i && list->items[i - 1].begin > list->items[i].begin)
            return "E1: expiring documents out of order";
        if (list->items[i].end < list->items[i].begin) return "an expiring document ends before it begins";
        if (i % YR_EXPIRING_BLOCK == 0 && !block_is_right(list, i / YR_EXPIRING_BLOCK))
            return "E3: a block of expiring documents is not their sum";
    }
    return NULL;
}

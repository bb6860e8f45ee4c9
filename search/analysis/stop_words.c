#include "search/analysis/stop_words.h"

#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

#define WORD_BYTES_MAX 255u

/* The slot where `word` is, or where it belongs. */
static uint32_t *find(const yr_stop_set *set, yore_slice word)
{
    size_t mask = set->slot_count - 1;
    for (size_t i = (size_t)yr_hash64(word.data, word.size, 0) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &set->slots[i];
        if (!*slot) return slot;
        const char *at = set->words + *slot - 1;
        if ((uint8_t)at[0] == word.size && memcmp(at + 1, word.data, word.size) == 0) return slot;
    }
}

static void add(yr_stop_set *set, yore_slice word)
{
    uint32_t *slot = find(set, word);
    if (*slot) return;
    YR_ASSERT(word.size <= WORD_BYTES_MAX && set->words_size + 1 + word.size <= set->words_capacity);
    char *at = set->words + set->words_size;
    at[0] = (char)(uint8_t)word.size;
    memcpy(at + 1, word.data, word.size);
    *slot = (uint32_t)set->words_size + 1;
    set->words_size += 1 + word.size;
}

bool yr_stop_set_init(yr_stop_set *set, const yore_env *env, const char *list, yr_folder *folder)
{
    *set = (yr_stop_set){.env = env};
    if (!list) return true;
    size_t count = 1;
    for (const char *at = list; *at; at++) count += *at == ' ';
    size_t slot_count = 16;
    while (slot_count < 2 * count) slot_count *= 2;
    /* No folded word of ours is more than twice as long as it is written. */
    set->words_capacity = 2 * strlen(list) + 2;
    set->words = yr_alloc(env, set->words_capacity);
    set->slots = yr_alloc_zero(env, slot_count * sizeof *set->slots);
    if (!set->words || !set->slots) return false;
    set->slot_count = slot_count;
    while (*list) {
        size_t size = strcspn(list, " ");
        yore_slice folded;
        if (size && yr_fold_any(folder, yore_bytes(list, size), &folded)) add(set, folded);
        list += size + (list[size] != 0);
    }
    return true;
}

void yr_stop_set_deinit(yr_stop_set *set)
{
    yr_free(set->env, set->words, set->words_capacity);
    if (set->slots) yr_free(set->env, set->slots, set->slot_count * sizeof *set->slots);
    *set = (yr_stop_set){0};
}

bool yr_stop_set_has(const yr_stop_set *set, yore_slice word)
{
    return set->slot_count && word.size && *find(set, word) != 0;
}

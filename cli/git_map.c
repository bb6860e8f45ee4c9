#include "cli/git_map.h"

#include <stdlib.h>
#include <string.h>

/* Marks count up from 1, so their low bits would do; the product also spreads marks that do not. */
static size_t number_slot(const git_numbers *map, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (map->cap - 1);
}

static size_t number_find(const git_numbers *map, uint64_t key)
{
    size_t at = number_slot(map, key);
    while (map->used[at] && map->keys[at] != key) {
        at = (at + 1) & (map->cap - 1);
    }
    return at;
}

static void number_grow(git_numbers *map)
{
    git_numbers old = *map;
    map->cap = old.cap == 0 ? 1024 : old.cap * 2;
    map->keys = cli_alloc(map->cap * sizeof *map->keys);
    map->values = cli_alloc(map->cap * sizeof *map->values);
    map->used = cli_alloc(map->cap);
    for (size_t i = 0; i < old.cap; i++) {
        if (old.used[i]) {
            size_t at = number_find(map, old.keys[i]);
            map->used[at] = 1;
            map->keys[at] = old.keys[i];
            map->values[at] = old.values[i];
        }
    }
    git_numbers_deinit(&old);
}

void git_numbers_set(git_numbers *map, uint64_t key, uint64_t value)
{
    if (map->cap == 0 || map->count + 1 > map->cap - map->cap / 4) {
        number_grow(map);
    }
    size_t at = number_find(map, key);
    map->count += !map->used[at];
    map->used[at] = 1;
    map->keys[at] = key;
    map->values[at] = value;
}

bool git_numbers_get(const git_numbers *map, uint64_t key, uint64_t *value)
{
    if (map->cap == 0) {
        return false;
    }
    size_t at = number_find(map, key);
    if (!map->used[at]) {
        return false;
    }
    *value = map->values[at];
    return true;
}

void git_numbers_deinit(git_numbers *map)
{
    free(map->keys);
    free(map->values);
    free(map->used);
    memset(map, 0, sizeof *map);
}

/* FNV-1a: names are short. */
static uint64_t name_hash(yore_slice name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    const unsigned char *at = name.data;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    }
    return hash ^ (hash >> 29);
}

yore_slice git_names_at(const git_names *map, size_t entry)
{
    size_t start = entry == 0 ? 0 : map->ends[entry - 1];
    return yore_bytes(map->text.data + start, map->ends[entry] - start);
}

/* The slot that holds the name, or the free one where it would go. */
static size_t name_slot(const git_names *map, yore_slice name)
{
    size_t at = (size_t)name_hash(name) & (map->slot_count - 1);
    while (map->slots[at] != 0) {
        yore_slice have = git_names_at(map, map->slots[at] - 1);
        if (have.size == name.size && memcmp(have.data, name.data, name.size) == 0) {
            break;
        }
        at = (at + 1) & (map->slot_count - 1);
    }
    return at;
}

size_t git_names_find(const git_names *map, yore_slice name)
{
    if (map->slot_count == 0) {
        return GIT_NAME_NONE;
    }
    size_t at = name_slot(map, name);
    return map->slots[at] == 0 ? GIT_NAME_NONE : map->slots[at] - 1;
}

static void name_grow(git_names *map)
{
    map->slot_count = map->slot_count == 0 ? 256 : map->slot_count * 2;
    free(map->slots);
    map->slots = cli_alloc(map->slot_count * sizeof *map->slots);
    for (size_t i = 0; i < map->count; i++) {
        map->slots[name_slot(map, git_names_at(map, i))] = (uint32_t)(i + 1);
    }
}

size_t git_names_set(git_names *map, yore_slice name, uint64_t value)
{
    if (map->slot_count == 0 || map->count + 1 > map->slot_count / 2) {
        name_grow(map);
    }
    size_t slot = name_slot(map, name);
    if (map->slots[slot] == 0) {
        if (map->count == map->cap) {
            map->cap = map->cap == 0 ? 64 : map->cap * 2;
            map->ends = cli_realloc(map->ends, map->cap * sizeof *map->ends);
            map->values = cli_realloc(map->values, map->cap * sizeof *map->values);
        }
        cli_bytes_append(&map->text, name.data, name.size);
        map->ends[map->count] = map->text.size;
        map->slots[slot] = (uint32_t)++map->count;
    }
    size_t entry = map->slots[slot] - 1;
    map->values[entry] = value;
    return entry;
}

void git_names_deinit(git_names *map)
{
    cli_bytes_deinit(&map->text);
    free(map->ends);
    free(map->values);
    free(map->slots);
    memset(map, 0, sizeof *map);
}

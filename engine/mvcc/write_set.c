#include "engine/mvcc/write_set.h"

#include <stdlib.h>

#include "engine/base/mem.h"

enum { LINEAR_MAX = 8 };

void yr_write_set_init(yr_write_set *set, const yore_env *env, yr_arena *arena)
{
    *set = (yr_write_set){.env = env, .arena = arena};
}

void yr_write_set_deinit(yr_write_set *set)
{
    yr_free(set->env, set->ops, set->capacity * sizeof *set->ops);
    yr_free(set->env, set->slots, set->slot_count * sizeof *set->slots);
    *set = (yr_write_set){0};
}

static bool is_same(const yr_op *op, uint64_t key_hash, uint8_t primitive, yore_slice key)
{
    return op->key_hash == key_hash && op->primitive == primitive && yr_slice_equal(op->key, key);
}

yr_op *yr_write_set_find(const yr_write_set *set, uint64_t key_hash, uint8_t primitive, yore_slice key)
{
    if (!set->slots) {
        for (uint32_t i = 0; i < set->count; i++) {
            if (is_same(&set->ops[i], key_hash, primitive, key)) return &set->ops[i];
        }
        return NULL;
    }
    uint32_t mask = set->slot_count - 1;
    for (uint32_t i = (uint32_t)key_hash & mask; set->slots[i]; i = (i + 1) & mask) {
        yr_op *op = &set->ops[set->slots[i] - 1];
        if (is_same(op, key_hash, primitive, key)) return op;
    }
    return NULL;
}

static void put_slot(yr_write_set *set, uint32_t index)
{
    uint32_t mask = set->slot_count - 1, i = (uint32_t)set->ops[index].key_hash & mask;
    while (set->slots[i]) i = (i + 1) & mask;
    set->slots[i] = index + 1;
}

static bool grow(yr_write_set *set)
{
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : LINEAR_MAX;
        yr_op *ops = yr_realloc(set->env, set->ops, set->capacity * sizeof *ops, capacity * sizeof *ops);
        if (!ops) return false;
        set->ops = ops;
        set->capacity = capacity;
    }
    if (set->count < LINEAR_MAX || (set->count + 1) * 2 <= set->slot_count) return true;
    uint32_t slot_count = set->slot_count ? set->slot_count * 2 : LINEAR_MAX * 8;
    uint32_t *slots = yr_alloc_zero(set->env, slot_count * sizeof *slots);
    if (!slots) return false;
    yr_free(set->env, set->slots, set->slot_count * sizeof *slots);
    set->slots = slots;
    set->slot_count = slot_count;
    for (uint32_t i = 0; i < set->count; i++) put_slot(set, i);
    return true;
}

static bool copy(yr_arena *arena, yore_slice *bytes)
{
    if (bytes->size == 0) {
        bytes->data = "";
        return true;
    }
    bytes->data = yr_arena_copy(arena, bytes->data, bytes->size);
    return bytes->data != NULL;
}

yr_op *yr_write_set_add(yr_write_set *set, const yr_op *op)
{
    if (!grow(set)) return NULL;
    yr_op *to = &set->ops[set->count];
    *to = *op;
    if (!copy(set->arena, &to->key) || !copy(set->arena, &to->value) || !copy(set->arena, &to->meta) ||
        !copy(set->arena, &to->expected)) {
        return NULL;
    }
    if (set->slots) put_slot(set, set->count);
    set->count++;
    return to;
}

static int by_key(const void *a, const void *b)
{
    return yr_slice_compare(*(const yore_slice *)a, *(const yore_slice *)b);
}

yore_slice *yr_write_set_keys(const yr_write_set *set, uint8_t primitive, uint32_t *count)
{
    yore_slice *out = yr_arena_alloc(set->arena, (set->count + (size_t)1) * sizeof *out);
    *count = 0;
    if (!out) return NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->ops[i].primitive == primitive) out[(*count)++] = set->ops[i].key;
    }
    qsort(out, *count, sizeof *out, by_key);
    return out;
}

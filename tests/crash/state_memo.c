#include "tests/crash/state_memo.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

/* -- hash to number -- */

typedef struct table {
    uint64_t *keys; /* 0 = free */
    uint64_t *values;
    uint64_t count;
    uint64_t capacity; /* a power of two */
} table;

static void table_deinit(table *t)
{
    free(t->keys);
    free(t->values);
}

static uint64_t *table_at(const table *t, uint64_t key, uint64_t *place)
{
    uint64_t at = key & (t->capacity - 1);
    while (t->keys[at] && t->keys[at] != key) at = (at + 1) & (t->capacity - 1);
    *place = at;
    return t->keys[at] ? &t->values[at] : NULL;
}

static uint64_t *table_find(const table *t, uint64_t key)
{
    uint64_t place;
    return t->capacity ? table_at(t, key ? key : 1, &place) : NULL;
}

/* True when the key is new. */
static bool table_put(table *t, uint64_t key, uint64_t value)
{
    uint64_t place;
    if (key == 0) key = 1;
    if (t->count * 2 >= t->capacity) {
        table grown = {.capacity = t->capacity ? t->capacity * 2 : 1024};
        grown.keys = yr_sim_need(calloc(grown.capacity, sizeof *grown.keys));
        grown.values = yr_sim_need(calloc(grown.capacity, sizeof *grown.values));
        for (uint64_t i = 0; i < t->capacity; i++) {
            if (t->keys[i]) (void)table_put(&grown, t->keys[i], t->values[i]);
        }
        table_deinit(t);
        *t = grown;
    }
    uint64_t *there = table_at(t, key, &place);
    t->keys[place] = key;
    t->values[place] = value;
    if (!there) t->count++;
    return !there;
}

/* -- what recoveries did not open -- */

enum { UNOPENED_MAX = 8 };

/* With these names the files not listed here were opened. */
typedef struct opening {
    uint64_t names_hash;
    uint64_t unopened[UNOPENED_MAX]; /* hashes of names, in order; what has no room counts as opened */
    uint32_t count;
    uint32_t next; /* with the same names, + 1 */
} opening;

struct state_memo {
    table first;   /* names_hash: an opening, + 1 */
    table answers; /* an opening and the bytes it saw */
    table images;
    opening *openings;
    uint32_t count, capacity;
};

state_memo *state_memo_create(void)
{
    return yr_sim_need(calloc(1, sizeof(state_memo)));
}

void state_memo_destroy(state_memo *memo)
{
    if (!memo) return;
    table_deinit(&memo->first);
    table_deinit(&memo->answers);
    table_deinit(&memo->images);
    free(memo->openings);
    free(memo);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    const uint64_t both[2] = {a, b};
    return yr_hash64(both, sizeof both, 11);
}

bool state_files_note(state_files *files, const yr_sim *disk, const char *dir, uint64_t how)
{
    const yr_sim_image *image = yr_sim_image_of(disk);
    uint32_t ino = yr_sim_image_find(image, YR_SIM_ROOT, dir);
    files->count = 0;
    if (ino == YR_SIM_NONE) return false;
    const yr_sim_node *root = image->nodes[YR_SIM_ROOT];
    for (uint32_t i = 0; i < root->entry_count; i++) { /* what is beside the store may be opened as well */
        const yr_sim_entry *entry = &root->entries[i];
        if (entry->ino != ino) how += mix(entry->hash, yr_sim_image_node_hash(image, entry->ino));
    }
    const yr_sim_node *node = image->nodes[ino];
    if (node->entry_count > STATE_FILES_MAX) return false;
    files->names_hash = mix(how, node->entry_count);
    for (uint32_t i = 0; i < node->entry_count; i++) {
        const yr_sim_entry *entry = &node->entries[i];
        if (image->nodes[entry->ino]->is_dir) return false;
        files->inos[i] = entry->ino;
        files->names[i] = entry->hash;
        files->hashes[i] = mix(files->names[i], yr_sim_image_file_hash(image, entry->ino));
        files->names_hash += files->names[i] * UINT64_C(0x9E3779B97F4A7C15); /* in any order */
    }
    files->count = node->entry_count;
    return true;
}

static uint64_t hash_opened(const state_files *files, const opening *o, uint32_t index)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < files->count; i++) {
        bool is_opened = true;
        for (uint32_t k = 0; k < o->count; k++) is_opened = is_opened && o->unopened[k] != files->names[i];
        if (is_opened) sum += files->hashes[i] * UINT64_C(0x9E3779B97F4A7C15);
    }
    return mix(mix(o->names_hash, index), sum);
}

bool state_memo_find(const state_memo *memo, const state_files *files, uint64_t *answer)
{
    const uint64_t *first = table_find(&memo->first, files->names_hash);
    for (uint32_t next = first ? (uint32_t)*first : 0; next; next = memo->openings[next - 1].next) {
        const uint64_t *found =
            table_find(&memo->answers, hash_opened(files, &memo->openings[next - 1], next));
        if (!found) continue;
        *answer = *found;
        return true;
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t opening_of(state_memo *memo, const opening *o)
{
    const uint64_t *first = table_find(&memo->first, o->names_hash);
    for (uint32_t next = first ? (uint32_t)*first : 0; next; next = memo->openings[next - 1].next) {
        const opening *there = &memo->openings[next - 1];
        if (there->count == o->count &&
            memcmp(there->unopened, o->unopened, o->count * sizeof o->unopened[0]) == 0)
            return next;
    }
    if (memo->count == memo->capacity) {
        memo->capacity = memo->capacity ? memo->capacity * 2 : 64;
        memo->openings = yr_sim_need(realloc(memo->openings, memo->capacity * sizeof *memo->openings));
    }
    memo->openings[memo->count] = *o;
    memo->openings[memo->count].next = first ? (uint32_t)*first : 0;
    memo->count++;
    (void)table_put(&memo->first, o->names_hash, memo->count);
    return memo->count;
}

void state_memo_add(state_memo *memo, const state_files *files, const yr_sim *disk, uint64_t answer)
{
    opening o = {.names_hash = files->names_hash};
    for (uint32_t i = 0; i < files->count && o.count < UNOPENED_MAX; i++) {
        if (!yr_sim_was_opened(disk, files->inos[i])) o.unopened[o.count++] = files->names[i];
    }
    qsort(o.unopened, o.count, sizeof o.unopened[0], by_value);
    uint32_t index = opening_of(memo, &o);
    (void)table_put(&memo->answers, hash_opened(files, &o, index), answer);
}

bool state_memo_add_image(state_memo *memo, const yr_sim *disk, uint64_t how)
{
    return table_put(&memo->images, mix(yr_sim_image_hash(yr_sim_image_of(disk)), how), 1);
}

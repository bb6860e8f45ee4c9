/* The universe of keys. A script uses the core, where a few keys get most of the writes, or all of it, where the
 * radix tree gets nodes of every size. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

#define CORE_COUNT 40u
#define FAN_COUNT 256u /* a prefix and any byte */
#define DEEP_COUNT 44u /* below one of those, and behind a long common prefix */

static_assert(CORE_COUNT + FAN_COUNT + DEEP_COUNT == KEY_COUNT, "the universe is one table");

typedef struct entry {
    yore_key key;
    uint32_t core; /* 1-based number in the core, 0 = not in it */
} entry;

static entry universe[KEY_COUNT];
static uint32_t core[CORE_COUNT]; /* number in the core to place in the universe */
static char texts[KEY_COUNT][40];

static int by_primitive_and_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key.primitive != y->key.primitive) return x->key.primitive < y->key.primitive ? -1 : 1;
    return yr_slice_compare(x->key.user, y->key.user);
}

/* Keys that are prefixes of keys, binary ones, long ones, counters; and some of another primitive. */
static void add_core(uint32_t *count)
{
    static const char *const kv[] = {
        "\x01",     "a",        "aa",       "ab",     "abc",     "abcd",      "abd",     "b",
        "counter1", "counter2", "counter3", "dir",    "dir/",    "dir/a",     "dir/a/b", "dir/b",
        "list1",    "list2",    "u",        "user:1", "user:10", "user:11",   "user:2",  "user:3",
        "user:30",  "users",    "v",        "w",      "x",       "z\xC3\xA9", "\xFE",    "\xFF\xFF"};
    static const char *const json[] = {"a", "ab", "doc", "user:1"};
    static char big[300];
    memset(big, 'k', sizeof big);
    for (size_t i = 0; i < sizeof kv / sizeof kv[0]; i++) universe[(*count)++].key = yore_str_key(kv[i]);
    universe[(*count)++].key = yore_bytes_key("\0", 1);
    universe[(*count)++].key = yore_bytes_key("a\0", 2);
    universe[(*count)++].key = yore_bytes_key(big, 200);
    universe[(*count)++].key = yore_bytes_key(big, 300);
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++) {
        universe[*count].key = yore_str_key(json[i]);
        universe[(*count)++].key.primitive = YORE_JSON;
    }
    for (uint32_t i = 0; i < *count; i++) universe[i].core = i + 1;
}

static void build_universe(void)
{
    uint32_t count = 0;
    add_core(&count);
    for (uint32_t i = 0; i < FAN_COUNT; i++, count++) {
        texts[count][0] = 'F';
        texts[count][1] = (char)i;
        universe[count].key = yore_bytes_key(texts[count], 2);
    }
    for (uint32_t i = 0; i < DEEP_COUNT; i++, count++) {
        const char *prefix = i % 2 ? "F0" : "a/long/prefix/that/all/of/these/share";
        size_t size = (size_t)snprintf(texts[count], sizeof texts[count], "%s%c", prefix, (char)(' ' + i));
        universe[count].key = yore_bytes_key(texts[count], size);
    }
    qsort(universe, KEY_COUNT, sizeof universe[0], by_primitive_and_key);
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        if (universe[i].core) core[universe[i].core - 1] = i;
    }
}

yore_key world_key(uint32_t index)
{
    if (!universe[0].key.primitive) build_universe();
    return universe[index].key;
}

bool world_uses_key(const world *w, uint32_t index)
{
    (void)world_key(index);
    return w->is_wide || universe[index].core != 0;
}

uint32_t world_pick_key(world *w)
{
    (void)world_key(0);
    if (w->is_wide && below(w, 4)) return (uint32_t)below(w, KEY_COUNT);
    /* Few keys are hot, so that versions, conflicts and overwrites happen. */
    if (below(w, 3)) return core[below(w, 8) * 5];
    return core[below(w, CORE_COUNT)];
}

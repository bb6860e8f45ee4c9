#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/hash.h"

int64_t fixture_memory_left = INT64_MAX;
int64_t fixture_live_bytes;
static yore_env env;

static bool refuse(void)
{
    if (fixture_memory_left <= 0) return true;
    if (fixture_memory_left != INT64_MAX) fixture_memory_left--;
    return false;
}

static void *counted_alloc(void *ctx, size_t size)
{
    if (refuse()) return NULL;
    fixture_live_bytes += (int64_t)size;
    return yore_env_default()->alloc(ctx, size);
}

static void *counted_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    if (refuse()) return NULL;
    fixture_live_bytes += (int64_t)size - (int64_t)old_size;
    return yore_env_default()->realloc(ctx, old, old_size, size);
}

static void counted_free(void *ctx, void *block, size_t size)
{
    fixture_live_bytes -= (int64_t)size;
    yore_env_default()->free(ctx, block, size);
}

const yore_env *fixture_env(void)
{
    env = *yore_env_default();
    env.alloc = counted_alloc;
    env.realloc = counted_realloc;
    env.free = counted_free;
    return &env;
}

uint64_t fixture_seed(const char *test)
{
    const char *given = getenv("YORE_TEST_SEED");
    const yore_env *os = yore_env_default();
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)os->monotonic_ns(os->ctx);
    printf("%s: YORE_TEST_SEED=0x%" PRIx64 "\n", test, seed);
    return seed;
}

yr_ref fixture_entry(yr_region *region, uint32_t branch, uint32_t primitive, const void *key, size_t size)
{
    yr_ref ref = yr_region_alloc(region, YR_ENTRY_HEADER + size);
    YR_ASSERT(ref != 0);
    yr_entry *entry = yr_region_at(region, ref);
    atomic_init(&entry->newest, 0);
    atomic_init(&entry->hist, 0);
    entry->key_bytes = (uint16_t)size;
    entry->flags = 0;
    yr_put_be32(entry->tree_key, branch);
    entry->tree_key[4] = (uint8_t)primitive;
    memcpy(entry->tree_key + YR_TREE_KEY_PREFIX, key, size);
    return ref;
}

uint64_t fixture_hash(const yr_region *region, uint64_t secret, yr_ref ref)
{
    const yr_entry *entry = yr_entry_at(region, ref);
    yore_slice key = yr_entry_user_key(entry);
    return yr_branch_hash(yr_key_hash(secret, yr_entry_primitive(entry), key.data, key.size),
                          yr_entry_branch(entry));
}

/* -- shapes of keys: each writes one key and returns its size -- */

static size_t dense(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)rng;
    yr_put_be32(to, i * 3);
    return 4;
}

static size_t decimal(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    return (size_t)snprintf((char *)to, 32, "%" PRIu64, yr_rng_below(rng, 1000000000));
}

static size_t uuid(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    uint64_t a = yr_rng_next(rng), b = yr_rng_next(rng);
    return (size_t)snprintf((char *)to, 40, "%08x-%04x-4%03x-%04x-%012" PRIx64, (uint32_t)a,
                            (unsigned)(a >> 32 & 0xFFFF), (unsigned)(a >> 48 & 0xFFF), (unsigned)(b & 0xFFFF),
                            b >> 16);
}

static size_t base64(uint8_t *to, uint32_t i, yr_rng *rng)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (void)i;
    for (size_t k = 0; k < 22; k++) to[k] = (uint8_t)digits[yr_rng_below(rng, 64)];
    return 22;
}

static size_t path(uint8_t *to, uint32_t i, yr_rng *rng)
{
    static const char *const parts[] = {"src", "include",         "tests", "documentation",
                                        "a",   "configuration.d", "x86"};
    size_t size = 0;
    (void)i;
    for (uint64_t depth = 1 + yr_rng_below(rng, 7); depth > 0; depth--) {
        size += (size_t)snprintf((char *)to + size, 64, "%s/", parts[yr_rng_below(rng, 7)]);
    }
    return size + (size_t)snprintf((char *)to + size, 32, "f%u.c", (unsigned)yr_rng_below(rng, 50));
}

/* Every key a prefix of others. */
static size_t prefixes(uint8_t *to, uint32_t i, yr_rng *rng)
{
    size_t size = 1 + (size_t)yr_rng_below(rng, 300);
    (void)i;
    memset(to, 'a', size);
    if (yr_rng_below(rng, 3) == 0) to[size - 1] = 'b';
    return size;
}

static size_t extremes(uint8_t *to, uint32_t i, yr_rng *rng)
{
    static const uint8_t bytes[] = {0, 0xFF, 0x80, 0x7F, 1};
    size_t size = 1 + (size_t)yr_rng_below(rng, 9);
    (void)i;
    for (size_t k = 0; k < size; k++) to[k] = bytes[yr_rng_below(rng, 5)];
    return size;
}

/* Few long prefixes: split and merged again, around the lengths where a node keeps all of a prefix, the start
 * of it, or is of another type. */
static size_t long_prefix(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    size_t size = 0;
    for (int part = 0; part < 3; part++) {
        static const uint16_t runs[] = {2, 5, 8, 14, 23, 251};
        size_t run = runs[yr_rng_below(rng, 6)];
        memset(to + size, (int)('k' + yr_rng_below(rng, 2)), run);
        size += run;
    }
    if (yr_rng_below(rng, 2)) to[size++] = (uint8_t)yr_rng_next(rng);
    return size;
}

static size_t huge(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    size_t size = 1 + (size_t)yr_rng_below(rng, YORE_KEY_BYTES_MAX);
    if (yr_rng_below(rng, 8) == 0) size = YORE_KEY_BYTES_MAX;
    memset(to, 'z', size);
    for (int k = 0; k < 2; k++) to[yr_rng_below(rng, size)] = (uint8_t)yr_rng_next(rng);
    return size;
}

/* Two bytes of all 256 values: N48 and N256 fill and shrink. */
static size_t wide(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    to[0] = (uint8_t)(yr_rng_below(rng, 8) * 37);
    to[1] = (uint8_t)yr_rng_next(rng);
    if (yr_rng_below(rng, 4)) return 2;
    to[2] = (uint8_t)yr_rng_next(rng);
    return 3;
}

static size_t user_hex(uint8_t *to, uint32_t i, yr_rng *rng)
{
    (void)i;
    return (size_t)snprintf((char *)to, 32, "user:%016" PRIx64, yr_rng_next(rng));
}

static const struct {
    const char *name;
    size_t (*make)(uint8_t *to, uint32_t i, yr_rng *rng);
} shapes[KEY_SETS] = {
    {"dense integers", dense},
    {"decimal", decimal},
    {"uuid", uuid},
    {"base64", base64},
    {"paths", path},
    {"prefixes of each other", prefixes},
    {"0x00 and 0xff", extremes},
    {"long prefixes", long_prefix},
    {"to 32 KiB", huge},
    {"wide", wide},
    {"user:hex", user_hex},
};

static const yr_region *sort_region;

static int by_key(const void *a, const void *b)
{
    return yr_slice_compare(yr_entry_tree_key(yr_entry_at(sort_region, *(const yr_ref *)a)),
                            yr_entry_tree_key(yr_entry_at(sort_region, *(const yr_ref *)b)));
}

key_set fixture_keys(yr_region *region, uint32_t shape, uint32_t count, yr_rng *rng)
{
    key_set set = {.name = shapes[shape].name, .region = region};
    set.entries = calloc(count, sizeof *set.entries);
    YR_ASSERT(set.entries != NULL);
    static uint8_t bytes[YORE_KEY_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        size_t size = shapes[shape].make(bytes, i, rng);
        uint32_t branch = yr_rng_below(rng, 4) ? 1 : 1 + (uint32_t)yr_rng_below(rng, 300);
        set.entries[i] = fixture_entry(region, branch, YORE_KV, bytes, size);
    }
    sort_region = region;
    qsort(set.entries, count, sizeof *set.entries, by_key);
    for (uint32_t i = 0; i < count; i++) {
        if (set.count && by_key(&set.entries[set.count - 1], &set.entries[i]) == 0) continue;
        set.entries[set.count++] = set.entries[i];
    }
    return set;
}

void fixture_keys_free(key_set *set)
{
    free(set->entries);
    set->entries = NULL;
}

yore_slice fixture_key(const key_set *set, uint32_t index)
{
    return yr_entry_tree_key(yr_entry_at(set->region, set->entries[index]));
}

uint32_t fixture_lower_bound(const key_set *set, yore_slice key)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (yr_slice_compare(fixture_key(set, middle), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Times the two indexes alone: one thread, keys "user:%016llx" in random order. Not a test; build it optimised.
 *
 *     index_bench [KEYS] [ROUNDS]     (1000000 and 5)
 *
 * Entries hold the key and 100 bytes behind it, as a first version would, so that misses are real. The clock is the
 * thread's processor time, which other load on the machine disturbs less. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "index/art.h"
#include "index/hash_index.h"

#define SECRET UINT64_C(0x1234567890ABCDEF)
#define VALUE_BYTES 112u
#define KEY_BYTES 21u
#define ROUNDS_MAX 31u
#define SCAN_ROWS 100u
#define AHEAD 16u

enum figure { ENTRY, HASH_INSERT, ART_INSERT, HIT, MISS, MANY, ART_FIND, SCAN, WALK, WALK_BACK, FIGURES };
static const char *const figure_names[FIGURES] = {
    "write an entry",
    "hash insert",
    "tree insert",
    "hash find, hit, key and value read",
    "hash find, miss",
    "hash find, 16 at a time, prefetched",
    "tree find, hit",
    "tree seek + 100 rows read, a row",
    "tree walk, entries not read, a row",
    "tree walk back, entries not read, a row",
};

typedef struct bench {
    const yore_env *env;
    yr_region region;
    yr_hash_index *hash;
    yr_art *art;
    yr_ref *entries;
    uint32_t count;
    yr_rng rng;
    uint64_t sum; /* of what was read, so that reading is not optimised away */
} bench;

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) abort();
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t hash_of(yore_slice key)
{
    return yr_branch_hash(yr_key_hash(SECRET, YORE_KV, key.data, key.size), 1);
}

static void format_key(char *to, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    memcpy(to, "user:", 5);
    for (int i = 0; i < 16; i++) to[5 + i] = digits[number >> (60 - 4 * i) & 15];
}

static void write_entries(bench *b, double *ns)
{
    char key[KEY_BYTES];
    uint64_t start = now_ns();
    for (uint32_t i = 0; i < b->count; i++) {
        format_key(key, yr_rng_next(&b->rng));
        yr_ref ref = yr_region_alloc(&b->region, YR_ENTRY_HEADER + KEY_BYTES + VALUE_BYTES);
        if (!ref) abort();
        yr_entry *entry = yr_region_at(&b->region, ref);
        entry->key_bytes = KEY_BYTES;
        yr_put_be32(entry->tree_key, 1);
        entry->tree_key[4] = YORE_KV;
        memcpy(entry->tree_key + YR_TREE_KEY_PREFIX, key, KEY_BYTES);
        memset(entry->tree_key + YR_TREE_KEY_PREFIX + KEY_BYTES, (int)i, VALUE_BYTES);
        b->entries[i] = ref;
    }
    ns[ENTRY] = (double)(now_ns() - start) / b->count;
}

static void insert(bench *b, double *ns)
{
    uint64_t start = now_ns();
    for (uint32_t i = 0; i < b->count; i++) {
        yore_slice key = yr_entry_user_key(yr_entry_at(&b->region, b->entries[i]));
        if (!yr_hash_index_insert(b->hash, hash_of(key), b->entries[i])) abort();
    }
    uint64_t middle = now_ns();
    for (uint32_t i = 0; i < b->count; i++) {
        if (yr_art_insert(b->art, b->entries[i]) != YORE_OK) abort();
    }
    ns[HASH_INSERT] = (double)(middle - start) / b->count;
    ns[ART_INSERT] = (double)(now_ns() - middle) / b->count;
}

/* Keys to ask for, made outside the clock. */
static void choose_keys(bench *b, char (*keys)[KEY_BYTES], bool there)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (there) {
            yr_ref ref = b->entries[yr_rng_below(&b->rng, b->count)];
            memcpy(keys[i], yr_entry_user_key(yr_entry_at(&b->region, ref)).data, KEY_BYTES);
        } else {
            format_key(keys[i], yr_rng_next(&b->rng));
        }
    }
}

static void read_entry(bench *b, yr_ref ref)
{
    const uint8_t *bytes = (const uint8_t *)yr_entry_at(&b->region, ref);
    b->sum += yr_get_le64(bytes + YR_ENTRY_HEADER + KEY_BYTES) +
              bytes[YR_ENTRY_HEADER + KEY_BYTES + VALUE_BYTES - 1];
}

static void find(bench *b, char (*keys)[KEY_BYTES], double *ns)
{
    for (int there = 1; there >= 0; there--) {
        choose_keys(b, keys, there);
        uint64_t start = now_ns();
        for (uint32_t i = 0; i < b->count; i++) {
            yore_slice key = yore_bytes(keys[i], KEY_BYTES);
            yr_epoch_enter();
            yr_ref ref = yr_hash_index_find(b->hash, hash_of(key), 1, YORE_KV, key);
            if (ref) read_entry(b, ref);
            yr_epoch_exit();
        }
        ns[there ? HIT : MISS] = (double)(now_ns() - start) / b->count;
    }
    choose_keys(b, keys, true);
    uint64_t start = now_ns();
    yr_epoch_enter();
    for (uint32_t i = 0; i < b->count; i++) {
        yore_slice key = yore_bytes(keys[i], KEY_BYTES);
        if (yr_art_find_key(b->art, 1, YORE_KV, key)) b->sum++;
    }
    yr_epoch_exit();
    ns[ART_FIND] = (double)(now_ns() - start) / b->count;
}

static void find_many(bench *b, char (*keys)[KEY_BYTES], double *ns)
{
    choose_keys(b, keys, true);
    uint64_t start = now_ns();
    for (uint32_t i = 0; i + 16 <= b->count; i += 16) {
        uint64_t hashes[16];
        yr_epoch_enter();
        for (uint32_t k = 0; k < 16; k++) {
            hashes[k] = hash_of(yore_bytes(keys[i + k], KEY_BYTES));
            yr_hash_index_prefetch_bucket(b->hash, hashes[k]);
        }
        for (uint32_t k = 0; k < 16; k++) yr_hash_index_prefetch_entry(b->hash, hashes[k]);
        for (uint32_t k = 0; k < 16; k++) {
            yr_ref ref =
                yr_hash_index_find(b->hash, hashes[k], 1, YORE_KV, yore_bytes(keys[i + k], KEY_BYTES));
            if (ref) read_entry(b, ref);
        }
        yr_epoch_exit();
    }
    ns[MANY] = (double)(now_ns() - start) / b->count;
}

static void prefetch_rows(const bench *b, const yr_ref *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = (const uint8_t *)yr_entry_at(&b->region, rows[i]);
        for (uint32_t line = 0; line < 3; line++) __builtin_prefetch(at + line * 64);
    }
}

/* Seek to a random key and read 100 rows: a batch is taken and prefetched while the one before is read. */
static void scan(bench *b, char (*keys)[KEY_BYTES], double *ns)
{
    choose_keys(b, keys, false);
    uint32_t seeks = b->count / SCAN_ROWS;
    uint64_t rows = 0;
    uint64_t start = now_ns();
    for (uint32_t i = 0; i < seeks; i++) {
        uint8_t key[YR_TREE_KEY_PREFIX + KEY_BYTES];
        yr_put_be32(key, 1);
        key[4] = YORE_KV;
        memcpy(key + YR_TREE_KEY_PREFIX, keys[i], KEY_BYTES);
        yr_ref batch[2][AHEAD];
        yr_art_iter iter;
        yr_epoch_enter();
        yr_art_iter_init(&iter, b->art);
        batch[0][0] = yr_art_seek(&iter, yore_bytes(key, sizeof key));
        uint32_t got = batch[0][0] ? 1 + yr_art_next_many(&iter, batch[0] + 1, AHEAD - 1) : 0;
        prefetch_rows(b, batch[0], got);
        for (uint32_t done = 0, turn = 0; got && done < SCAN_ROWS; turn ^= 1) {
            uint32_t left = SCAN_ROWS - done > got ? SCAN_ROWS - done - got : 0;
            uint32_t next = left ? yr_art_next_many(&iter, batch[turn ^ 1], left < AHEAD ? left : AHEAD) : 0;
            prefetch_rows(b, batch[turn ^ 1], next);
            for (uint32_t k = 0; k < got; k++) read_entry(b, batch[turn][k]);
            done += got;
            rows += got;
            got = next;
        }
        yr_art_iter_deinit(&iter);
        yr_epoch_exit();
    }
    ns[SCAN] = (double)(now_ns() - start) / (double)rows;
}

static void walk(bench *b, double *ns)
{
    yr_ref batch[64];
    yr_art_iter iter;
    yr_epoch_enter();
    yr_art_iter_init(&iter, b->art);
    uint64_t start = now_ns();
    uint64_t rows = yr_art_seek(&iter, yore_bytes(NULL, 0)) != 0;
    for (uint32_t got = 64; got == 64; rows += got) got = yr_art_next_many(&iter, batch, 64);
    uint64_t middle = now_ns();
    rows += yr_art_seek_last(&iter) != 0;
    for (uint32_t got = 64; got == 64; rows += got) got = yr_art_prev_many(&iter, batch, 64);
    ns[WALK] = (double)(middle - start) / b->count;
    ns[WALK_BACK] = (double)(now_ns() - middle) / b->count;
    yr_art_iter_deinit(&iter);
    yr_epoch_exit();
    if (rows != 2 * (uint64_t)b->count) abort();
}

static void round_of(uint32_t count, uint64_t seed, double *ns, double *bytes)
{
    bench b = {.env = yore_env_default(), .count = count, .rng = {seed}};
    if (!yr_region_init(&b.region, b.env, UINT64_C(8) << 30)) abort();
    b.hash = yr_hash_index_create(b.env, &b.region, SECRET);
    b.art = yr_art_create(b.env, &b.region);
    size_t entries_size = count * sizeof(yr_ref);
    size_t keys_size = (size_t)count * KEY_BYTES;
    b.entries = yr_alloc(b.env, entries_size);
    char(*keys)[KEY_BYTES] = yr_alloc(b.env, keys_size);
    if (!b.hash || !b.art || !b.entries || !keys) abort();
    write_entries(&b, ns);
    insert(&b, ns);
    find(&b, keys, ns);
    find_many(&b, keys, ns);
    scan(&b, keys, ns);
    walk(&b, ns);
    bytes[0] = (double)yr_hash_index_bytes(b.hash) / count;
    bytes[1] = (double)yr_art_bytes(b.art) / count;
    if (b.sum == 42) puts("");
    yr_art_destroy(b.art);
    yr_hash_index_destroy(b.hash);
    yr_region_deinit(&b.region);
    yr_free(b.env, b.entries, entries_size);
    yr_free(b.env, keys, keys_size);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 5;
    if (count < 1000 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: index_bench [KEYS >= 1000] [ROUNDS 1..%u]\n", ROUNDS_MAX);
        return 2;
    }
    static double ns[FIGURES][ROUNDS_MAX];
    double bytes[2] = {0, 0};
    for (uint32_t round = 0; round < rounds; round++) {
        double figures[FIGURES] = {0};
        round_of(count, 7 + round, figures, bytes);
        for (uint32_t i = 0; i < FIGURES; i++) ns[i][round] = figures[i];
    }
    printf("compiler %s, %" PRIu32 " keys \"user:%%016llx\", %" PRIu32 " rounds, median [range]\n",
           __VERSION__, count, rounds);
    for (uint32_t i = 0; i < FIGURES; i++) {
        qsort(ns[i], rounds, sizeof(double), by_value);
        double median = ns[i][rounds / 2];
        printf("%-42s %7.1f ns [%.1f-%.1f]  %6.2f M/s\n", figure_names[i], median, ns[i][0],
               ns[i][rounds - 1], 1000 / median);
    }
    printf("%-42s %7.1f bytes a key\n%-42s %7.1f bytes a key\n", "hash", bytes[0], "tree", bytes[1]);
    return 0;
}

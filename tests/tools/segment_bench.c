/* Times segments alone: one thread, keys "user:%016llx", one row a commit, against the figures of the prototype. Not a
 * test; build it optimised.
 *
 *     segment_bench DIR [KEYS] [GETS]     (1000000 and 300000)
 *
 * Two loads: KEYS keys of one version, and KEYS / 20 of 20 versions. Values are 100 bytes, half of them random; a
 * version changes 8 of them. The clock is the thread's processor time, which other load on the machine disturbs less;
 * reads are of a warm page cache. Sizes are bytes a key (of all its versions). */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/segment/run.h"
#include "engine/segment/segment_builder.h"
#include "engine/segment/segment_verify.h"

#define VALUE_BYTES 100u
#define TREE_KEY_BYTES 26u
#define NAME "bench.seg"
#define SCAN_ROWS 100u

typedef struct load {
    const char *name;
    uint32_t keys;
    uint32_t versions; /* of each */
    uint64_t *ids;     /* ascending */
} load;

typedef struct bench {
    const yore_env *env;
    const char *path; /* of the directory */
    yore_dir *dir;
    yr_block_cache *cache;
    yr_decoders *decoders;
    yr_segment *segment;
    yr_run *run; /* of that one */
    void *map;
    size_t map_bytes;
    uint32_t gets;
    yore_error err;
    uint64_t sum; /* of what was read, so that reading is not optimised away */
} bench;

static uint64_t now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) abort();
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void must(const bench *b, yore_status status)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "segment_bench: %s: %s\n", yore_status_name(status), b->err.message);
    exit(1);
}

/* As sprintf("user:%016llx") behind branch 1 and primitive kv, but faster. */
static void make_key(uint64_t id, uint8_t to[TREE_KEY_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(to, "\0\0\0\1\1user:", 10);
    for (uint32_t i = 0; i < 16; i++) to[10 + i] = (uint8_t)digits[id >> (60 - 4 * i) & 15];
}

static void make_value(uint64_t id, uint32_t version, uint8_t to[VALUE_BYTES])
{
    yr_rng rng = {id};
    memset(to, 'x', VALUE_BYTES);
    for (uint32_t i = 0; i < 48; i += 8) yr_put_le64(to + i, yr_rng_next(&rng));
    if (version == 0) return;
    rng.state += version;
    yr_put_le64(to + 40, yr_rng_next(&rng));
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void make_load(load *l, const char *name, uint32_t keys, uint32_t versions)
{
    yr_rng rng = {keys};
    *l = (load){.name = name, .keys = keys, .versions = versions, .ids = malloc(sizeof(uint64_t) * keys)};
    if (!l->ids) abort();
    for (uint32_t i = 0; i < keys; i++) l->ids[i] = yr_rng_next(&rng);
    qsort(l->ids, keys, sizeof(uint64_t), by_id);
}

/* Version of key i's v-th write: writes go round the keys in a scattered order. */
static uint64_t version_of(const load *l, uint32_t i, uint32_t v)
{
    return 1 + (uint64_t)v * l->keys + ((uint64_t)i * 7919 + v) % l->keys;
}

/* -- building -- */

/* What the loop below takes without a builder. */
static uint64_t time_to_make(bench *b, const load *l)
{
    uint8_t key[TREE_KEY_BYTES], value[VALUE_BYTES];
    uint64_t start = now_ns();
    for (uint32_t i = 0; i < l->keys; i++) {
        make_key(l->ids[i], key);
        for (uint32_t v = l->versions; v-- > 0;) {
            make_value(l->ids[i], v, value);
            b->sum += value[v % VALUE_BYTES] + version_of(l, i, v);
        }
    }
    return now_ns() - start;
}

static void build(bench *b, const load *l, enum yr_segment_form form, bool is_quiet)
{
    yr_segment_builder *builder;
    yr_segment_footer footer;
    uint64_t rows = (uint64_t)l->keys * l->versions, made = time_to_make(b, l), start = now_ns();
    yr_segment_build_options options = {.file_id = 1, .last_version = rows, .form = form, .hash_seed = 12345};
    (void)b->env->unlink(b->env->ctx, b->dir, NAME);
    must(b, yr_segment_builder_create(b->env, &options, b->dir, NAME, &builder, &b->err));
    uint8_t key[TREE_KEY_BYTES], value[VALUE_BYTES];
    yr_segment_row row = {.op = YORE_OP_PUT, .tree_key = {key, sizeof key}, .value = {value, sizeof value}};
    for (uint32_t i = 0; i < l->keys; i++) {
        make_key(l->ids[i], key);
        for (uint32_t v = l->versions; v-- > 0;) {
            make_value(l->ids[i], v, value);
            row.version = version_of(l, i, v);
            must(b, yr_segment_builder_add(builder, &row, &b->err));
        }
    }
    for (uint64_t v = 1; v <= rows; v++) {
        yr_commit_head head = {
            .version = v, .time_ns = (int64_t)(v * 1700 + v % 100), .branch = 1, .row_count = 1};
        must(b, yr_segment_builder_commit(builder, &head, v - 1, &b->err));
    }
    uint64_t rest = now_ns();
    must(b, yr_segment_builder_finish(builder, &footer, &b->err));
    uint64_t end = now_ns();
    yr_segment_builder_destroy(builder);
    if (is_quiet) return;
    double keys = l->keys;
    printf("  build %.2f s CPU (writing the index and reading all back: %.2f)\n",
           (double)(end - start - made) / 1e9, (double)(end - rest) / 1e9);
    printf(
        "  %.1f bytes a key: file %.1f MB; hash index %.2f, tables and fences %.2f, dictionary %.2f a key\n",
        (double)footer.file_bytes / keys, (double)footer.file_bytes / 1e6,
        (double)footer.section_bytes[YR_SECTION_HASH] / keys,
        (double)(footer.section_bytes[0] + footer.section_bytes[1] + footer.section_bytes[2] +
                 footer.section_bytes[3] + footer.section_bytes[4] +
                 footer.section_bytes[YR_SECTION_FENCES]) /
            keys,
        (double)footer.section_bytes[YR_SECTION_DICTIONARY] / keys);
}

/* Stored bytes a key of each stream: sums of the tables. */
static void print_streams(bench *b, const load *l)
{
    static const char *const names[] = {"main", "history", "commits", "changes", "infos"};
    const yr_segment_footer *footer = yr_segment_facts(b->segment);
    yr_segment_layout layout;
    (void)yr_segment_lay_out(footer, &layout);
    printf(" ");
    for (uint32_t s = 0; s < YR_STREAM_COUNT; s++) {
        uint64_t stored = 0, raw = 0;
        for (uint32_t i = 0; i < layout.block_count[s]; i++) {
            yr_segment_entry entry;
            const uint8_t *p = (const uint8_t *)b->map + layout.section_off[s] +
                               (size_t)i * YR_SEGMENT_ENTRY_BYTES;
            if (!yr_segment_entry_decode(p, footer->index_off, &entry)) abort();
            stored += entry.stored_bytes;
            raw += entry.raw_bytes;
        }
        printf(" %s %.1f (raw %.1f)", names[s], (double)stored / l->keys, (double)raw / l->keys);
    }
    printf(" bytes a key\n");
}

/* -- reading -- */

enum way { WAY_PREAD, WAY_MAPPED, WAY_LOADED };

static void open_segment(bench *b, enum way way, uint64_t cache_bytes)
{
    char path[4096];
    yore_file *file = NULL;
    yr_segment_open_options options = {.env = b->env};
    must(b, yr_block_cache_create(b->env, cache_bytes, &b->cache, &b->err));
    options.cache = b->cache;
    options.decoders = b->decoders;
    (void)snprintf(path, sizeof path, "%s/%s", b->path, NAME);
    int fd = open(path, O_RDONLY);
    b->map_bytes = (size_t)lseek(fd, 0, SEEK_END);
    b->map = mmap(NULL, b->map_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (b->map == MAP_FAILED) abort();
    (void)madvise(b->map, b->map_bytes, MADV_RANDOM);
    if (way == WAY_MAPPED) {
        options.image = yore_bytes(b->map, b->map_bytes);
    } else if (b->env->open(b->env->ctx, b->dir, NAME, 0, &file) < 0) {
        abort();
    }
    uint64_t start = now_ns();
    must(b, way == WAY_LOADED ? yr_segment_load(&options, file, NAME, NULL, &b->segment, &b->err)
                              : yr_segment_open(&options, file, NAME, &b->segment, &b->err));
    must(b, yr_run_create(b->env, 1, &b->segment, 1, &b->run, &b->err));
    printf("    open %" PRIu64 " us", (now_ns() - start) / 1000);
}

static void close_segment(bench *b)
{
    yr_run_unref(b->run);
    yr_block_cache_destroy(b->cache);
    munmap(b->map, b->map_bytes);
}

static uint64_t hash_of(const uint8_t key[TREE_KEY_BYTES])
{
    return yr_segment_hash_of(12345, 1, 1, yore_bytes(key + 5, TREE_KEY_BYTES - 5));
}

enum what { GET, MISSING, AS_OF };

static double find_many(bench *b, const load *l, enum what what, uint32_t n)
{
    yr_rng rng = {77 + (uint64_t)what};
    uint64_t *ids =
        malloc(sizeof(uint64_t) * n); /* drawn before: looking up an id is a cache miss of its own */
    if (!ids) abort();
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = what == MISSING ? yr_rng_next(&rng) : l->ids[yr_rng_below(&rng, l->keys)];
    }
    uint64_t start = now_ns(), rows = (uint64_t)l->keys * l->versions;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t key[TREE_KEY_BYTES];
        uint64_t cap = what == AS_OF ? l->keys + yr_rng_below(&rng, rows - l->keys + 1) : UINT64_MAX;
        make_key(ids[i], key);
        yr_segment_hit hit;
        yore_status status =
            yr_run_find(b->run, yore_bytes(key, sizeof key), hash_of(key), cap, &hit, &b->err);
        if (status == YORE_NOT_FOUND && what == MISSING) continue;
        must(b, status);
        b->sum += ((const uint8_t *)hit.row.value.data)[99];
        yr_segment_hit_release(&hit);
    }
    double ns = (double)(now_ns() - start) / n;
    free(ids);
    return ns;
}

/* 16 keys at once: three rounds, so that the misses of each overlap. */
static double find_together(bench *b, const load *l, uint32_t n)
{
    enum { TOGETHER = 16 };
    yr_rng rng = {66};
    uint8_t keys[TOGETHER][TREE_KEY_BYTES];
    uint64_t hashes[TOGETHER], *ids = malloc(sizeof(uint64_t) * n);
    if (!ids) abort();
    for (uint32_t i = 0; i < n; i++) ids[i] = l->ids[yr_rng_below(&rng, l->keys)];
    uint64_t start = now_ns();
    for (uint32_t at = 0; at + TOGETHER <= n; at += TOGETHER) {
        for (uint32_t i = 0; i < TOGETHER; i++) {
            make_key(ids[at + i], keys[i]);
            hashes[i] = hash_of(keys[i]);
            yr_run_prefetch(b->run, yore_bytes(keys[i], TREE_KEY_BYTES), hashes[i]);
        }
        for (uint32_t i = 0; i < TOGETHER; i++)
            yr_run_prefetch_record(b->run, yore_bytes(keys[i], TREE_KEY_BYTES), hashes[i]);
        for (uint32_t i = 0; i < TOGETHER; i++) {
            yr_segment_hit hit;
            must(b, yr_run_find(b->run, yore_bytes(keys[i], TREE_KEY_BYTES), hashes[i], UINT64_MAX, &hit,
                                &b->err));
            b->sum += ((const uint8_t *)hit.row.value.data)[99];
            yr_segment_hit_release(&hit);
        }
    }
    double ns = (double)(now_ns() - start) / n;
    free(ids);
    return ns;
}

static double scan_many(bench *b, const load *l, uint64_t cap, uint32_t n)
{
    yr_rng rng = {99};
    uint64_t start = now_ns(), rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t key[TREE_KEY_BYTES];
        yr_segment_row row;
        yr_run_cursor cursor;
        make_key(l->ids[yr_rng_below(&rng, l->keys)], key);
        yr_run_cursor_init(&cursor, b->run, cap, yore_bytes(NULL, 0));
        yore_status status = yr_run_cursor_seek(&cursor, yore_bytes(key, sizeof key), &row, &b->err);
        for (uint32_t k = 0; status == YORE_OK && k < SCAN_ROWS; k++, rows++) {
            b->sum += ((const uint8_t *)row.value.data)[99];
            status = yr_run_cursor_next(&cursor, &row, &b->err);
        }
        if (status < 0) must(b, status);
        yr_run_cursor_deinit(&cursor);
    }
    return (double)(now_ns() - start) / (double)rows;
}

/* Times of random versions, one by one or many at once. */
static double times_many(bench *b, const load *l, size_t at_once, uint32_t n)
{
    enum { MOST = 64 };
    yr_rng rng = {55};
    uint64_t *versions = malloc(sizeof(uint64_t) * (n + MOST));
    int64_t times[MOST];
    if (!versions) abort();
    for (uint32_t i = 0; i < n + MOST; i++)
        versions[i] = 1 + yr_rng_below(&rng, (uint64_t)l->keys * l->versions);
    uint64_t start = now_ns();
    for (uint32_t i = 0; i < n; i += (uint32_t)at_once) {
        if (at_once == 1) must(b, yr_run_commit_time(b->run, versions[i], times, &b->err));
        if (at_once > 1) must(b, yr_run_commit_times(b->run, versions + i, times, at_once, &b->err));
        b->sum += (uint64_t)times[0];
    }
    double ns = (double)(now_ns() - start) / n;
    free(versions);
    return ns;
}

/* All rows, and all commits. */
static void pass_over(bench *b)
{
    yr_run_rows rows;
    yr_run_commits commits;
    yr_segment_row row;
    yr_segment_commit commit;
    uint64_t start = now_ns(), n = 0;
    yore_status status;
    must(b, yr_run_rows_open(b->run, &rows, &b->err));
    while ((status = yr_run_rows_next(&rows, &row, &b->err)) == YORE_OK) n += row.value.size > 0;
    yr_run_rows_close(&rows);
    if (status < 0) must(b, status);
    printf(", all rows %.1f M/s", (double)n * 1e3 / (double)(now_ns() - start));
    start = now_ns();
    n = 0;
    must(b, yr_run_commits_open(b->run, &commits, &b->err));
    while ((status = yr_run_commits_next(&commits, &commit, &b->err)) == YORE_OK) n += commit.head.row_count;
    yr_run_commits_close(&commits);
    if (status < 0) must(b, status);
    printf(", all commits %.1f M/s", (double)n * 1e3 / (double)(now_ns() - start));
}

static double scan_all(bench *b)
{
    yr_segment_row row;
    yr_run_cursor cursor;
    uint64_t start = now_ns(), rows = 0;
    yr_run_cursor_init(&cursor, b->run, UINT64_MAX, yore_bytes(NULL, 0));
    yore_status status = yr_run_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, &b->err);
    for (; status == YORE_OK; rows++) {
        b->sum += ((const uint8_t *)row.value.data)[99];
        status = yr_run_cursor_next(&cursor, &row, &b->err);
    }
    if (status < 0) must(b, status);
    yr_run_cursor_deinit(&cursor);
    return (double)(now_ns() - start) / (double)rows;
}

static void rate(const char *what, double ns)
{
    printf(", %s %.0f k/s", what, 1e6 / ns);
}

static void read_all(bench *b, const load *l, const char *how, enum way way, uint64_t cache_bytes, uint32_t n)
{
    printf("  %s:\n", how);
    open_segment(b, way, cache_bytes);
    (void)find_many(b, l, GET, n / 2); /* warm */
    rate("get", find_many(b, l, GET, n));
    rate("get 16 together", find_together(b, l, n));
    rate("missing", find_many(b, l, MISSING, n));
    rate("scan100 rows", scan_many(b, l, UINT64_MAX, n / 50));
    if (l->versions > 1) {
        (void)find_many(b, l, AS_OF, n / 2);
        rate("as-of", find_many(b, l, AS_OF, n));
        rate("scan100 rows in the past", scan_many(b, l, (uint64_t)l->keys * 10, n / 200));
    }
    rate("rows of one scan", scan_all(b));
    (void)times_many(b, l, 1, n);
    printf(", a time %.1f ns, of 64 %.1f", times_many(b, l, 1, n), times_many(b, l, 64, n));
    pass_over(b);
    yr_block_cache_stats stats;
    yr_block_cache_stats_get(b->cache, &stats);
    printf("; cache %.1f MB\n", (double)stats.bytes / 1e6);
    close_segment(b);
}

static void verify_once(bench *b)
{
    open_segment(b, WAY_PREAD, 64u << 20);
    uint64_t start = now_ns();
    must(b, yr_segment_verify(b->segment, &b->err));
    printf(", verify %.2f s\n", (double)(now_ns() - start) / 1e9);
    close_segment(b);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: segment_bench DIR [KEYS] [GETS]\n");
        return 2;
    }
    uint32_t keys = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    uint32_t gets = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 300000;
    bench b = {.env = yore_env_default(), .path = argv[1], .gets = gets, .err = YORE_ERROR_INIT};
    load loads[2];
    if (keys < 100 || b.env->dir_open(b.env->ctx, argv[1], YORE_DIR_CREATE, NULL, &b.dir) < 0) return 2;
    must(&b, yr_decoders_create(b.env, &b.decoders, &b.err));
    make_load(&loads[0], "one version", keys, 1);
    make_load(&loads[1], "20 versions", keys / 20, 20);
    printf("compiler %s, %" PRIu32 " rows\n", __VERSION__, keys);
    for (uint32_t i = 0; i < 2; i++) {
        load *l = &loads[i];
        printf("%s of %" PRIu32 " keys, hot\n", l->name, l->keys);
        build(&b, l, YR_SEGMENT_HOT, true);
        build(&b, l, YR_SEGMENT_HOT, false);
        verify_once(&b);
        open_segment(&b, WAY_MAPPED, 1u << 20);
        print_streams(&b, l);
        close_segment(&b);
        read_all(&b, l, "in place, mapped", WAY_MAPPED, 1u << 20, gets);
        read_all(&b, l, "in place, loaded", WAY_LOADED, 1u << 20, gets);
        read_all(&b, l, "pread, all cached", WAY_PREAD, UINT64_C(1) << 30, gets);
        printf("%s of %" PRIu32 " keys, cold\n", l->name, l->keys);
        build(&b, l, YR_SEGMENT_COLD, false);
        verify_once(&b);
        open_segment(&b, WAY_MAPPED, 1u << 20);
        print_streams(&b, l);
        close_segment(&b);
        read_all(&b, l, "mapped, all blocks cached", WAY_MAPPED, UINT64_C(1) << 30, gets);
        read_all(&b, l, "pread, all cached", WAY_PREAD, UINT64_C(1) << 30, gets);
        read_all(&b, l, "pread, cache of 4 MiB", WAY_PREAD, 4u << 20, gets / 20);
        free(l->ids);
    }
    (void)b.env->unlink(b.env->ctx, b.dir, NAME);
    b.env->dir_close(b.env->ctx, b.dir);
    yr_decoders_destroy(b.decoders);
    return b.sum == 42;
}

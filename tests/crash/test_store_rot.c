/* Damage at rest, seen through the whole store: a closed store of some 60 commits over forks, tags, batches
 * and settings in several log files. Every single bit of every file flipped, every sector zeroed, repeated
 * and swapped, every file cut short, emptied, removed, exchanged with its neighbour or with a stranger's:
 * opening or a deep check reports it, or the content is what it was. Never anything in between.
 *     test_store_rot [--full]     without it every bit of the records, and a sample of the zeros behind them */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/hash.h"
#include "tests/crash/store_scripts.h"

enum { FILES_MAX = 24, WAL_BYTES = 4096, COMMITS = 60, VERSIONS_MAX = 80, LARGE_BYTES = 70000 };

typedef struct sample {
    yr_sim *sim;
    yr_sim_image image, middle; /* closed; before the last of its commits */
    char files[FILES_MAX][32];
    uint32_t file_count;
    uint32_t wal_count;  /* they come first */
    uint32_t data_count; /* with segments and value files, which come next */
    uint64_t version;
    uint64_t digest;                 /* of every commit and of the registry */
    uint64_t prefixes[VERSIONS_MAX]; /* [v]: of commits 1..v */
    uint64_t seal_off;               /* of the last file's seal: the only proof of the record before it */
} sample;

enum outcome { REPORTED, HARMLESS, LOST_TAIL, SILENT };
typedef struct counts {
    uint64_t of[4];
} counts;

static bool is_full;
static bool has_segments; /* the store flushes and merges, and MANIFEST's copy is there */

/* -- the store -- */

static void need(yore_status status, const yore_error *err)
{
    if (status != YORE_OK) fail_msg("the sample: %s %s", yore_status_name(status), err->message);
}

static yore_open_options options_for(yr_sim *sim, bool read_only)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.read_only = read_only;
    options.sync = YORE_SYNC_COMMIT;
    options.memory_bytes_max = 16 << 20;
    options.memory_budget = 16 << 20;
    options.maintain_every = has_segments ? 7 : 0;
    options.wal_bytes_min = WAL_BYTES;
    options.wal_bytes_max = WAL_BYTES;
    return options;
}

static void put(yore_db *db, const char *branch, int i)
{
    yore_error err = YORE_ERROR_INIT;
    char key[32], value[64];
    snprintf(key, sizeof key, "key/%02d", i % 23);
    snprintf(value, sizeof value, "value %d %.*s", i, i % 37, "of a length that is not always the same..");
    need(yore_db_put(db, yore_str(branch), yore_str_key(key), yore_str(value), NULL, &err), &err);
}

static void batch(yore_db *db, const char *branch, int t)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn;
    need(yore_begin(db, yore_str(branch), NULL, &txn, &err), &err);
    for (int i = 0; i < 5; i++) {
        char key[32];
        snprintf(key, sizeof key, "batch/%d/%d", t, i);
        need(yore_put(txn, yore_str_key(key), yore_str("one of five"), NULL, &err), &err);
    }
    need(yore_commit(txn, yore_str("a batch"), NULL, &err), &err);
}

/* A value that goes into a value file. */
static void put_large(yore_db *db, const char *key)
{
    static uint64_t value[LARGE_BYTES / 8];
    yore_error err = YORE_ERROR_INIT;
    for (size_t i = 0; i < LARGE_BYTES / 8; i++) value[i] = yr_hash64(&i, sizeof i, strlen(key));
    yore_slice bytes = yore_bytes(value, sizeof value);
    need(yore_db_put(db, yore_str(""), yore_str_key(key), bytes, NULL, &err), &err);
}

/* Registry and settings: names and where they point. */
static bool registry_digest(yore_db *db, uint64_t *digest)
{
    yore_branch_info branch = {.struct_size = sizeof branch};
    yore_tag_info tag = {.struct_size = sizeof tag};
    yore_status status;
    uint64_t d = *digest;
    for (uint32_t id = 0; (status = yore_branch_next(db, id, &branch, NULL)) == YORE_OK; id = branch.id) {
        const uint64_t numbers[] = {branch.id,           branch.parent_id,      branch.fork_version,
                                    branch.head_version, branch.own_keys,       branch.own_bytes,
                                    branch.children,     branch.deleted_version};
        d = yr_hash64(numbers, sizeof numbers, d);
        d = yr_hash64(branch.name, strlen(branch.name), d);
    }
    if (status != YORE_END) return false;
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    while ((status = yore_tag_next(db, yore_str(after), &tag, NULL)) == YORE_OK) {
        d = yr_hash64(&tag.version, sizeof tag.version, d + tag.branch_id);
        d = yr_hash64(tag.name, strlen(tag.name), d);
        memcpy(after, tag.name, sizeof after);
    }
    *digest = d;
    return status == YORE_END;
}

static bool whole_digest(yore_db *db, uint64_t version, uint64_t *digest)
{
    *digest = 0;
    return script_digest(db, 0, version, digest) && registry_digest(db, digest);
}

static uint64_t used_bytes(const sample *s, const char *file)
{
    uint64_t size = (uint64_t)yr_sim_file_size(s->sim, file);
    uint8_t byte = 0;
    while (size > 0 && yr_sim_file_read(s->sim, file, &byte, 1, size - 1) && byte == 0) size--;
    return size;
}

static void note_files(sample *s)
{
    for (uint32_t id = 1; id < 20 && s->file_count < FILES_MAX - 2; id++) {
        snprintf(s->files[s->file_count], sizeof s->files[0], "db/wal-%08u.log", id);
        if (yr_sim_file_size(s->sim, s->files[s->file_count]) > 0) s->file_count++;
    }
    s->wal_count = s->file_count;
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(s->sim, "db", i)) != NULL; i++) {
        if (!strstr(name, ".seg") && !strstr(name, ".val")) continue;
        assert_true(s->file_count < FILES_MAX - 3);
        snprintf(s->files[s->file_count++], sizeof s->files[0], "db/%.20s", name);
    }
    s->data_count = s->file_count;
}

static void make_store(sample *s)
{
    yr_sim *sim = s->sim;
    yore_open_options options = options_for(sim, false);
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    yore_db *db;
    options.create = true;
    need(yore_open("db", &options, &db, &err), &err);
    for (int i = 0; i < 14; i++) put(db, "", i);
    need(yore_branch_create(db, yore_str("exp"), NULL, NULL, &err), &err);
    for (int i = 0; i < 10; i++) put(db, i % 2 ? "exp" : "", i + 20);
    need(yore_tag_create(db, yore_str("rel"), NULL, NULL, &err), &err);
    batch(db, "exp", 1);
    need(yore_branch_create(db, yore_str("gone"), NULL, NULL, &err), &err);
    put(db, "gone", 40);
    need(yore_branch_delete(db, yore_str("gone"), false, NULL, NULL, &err), &err);
    need(yore_config_set(db, "durability", "commit", NULL, &err), &err);
    need(yore_db_del(db, yore_str("exp"), yore_str_key("key/05"), NULL, &err), &err);
    yore_close(db); /* a seal in the middle */
    need(yore_open("db", &options, &db, &err), &err);
    if (has_segments) put_large(db, "large");
    batch(db, "", 2);
    for (int i = 0; i < 28; i++) put(db, i % 3 ? "" : "exp", i + 60);
    yr_sim_image_clone(&s->middle, yr_sim_image_of(sim));
    if (has_segments) put_large(db, "large/2");
    need(yore_tag_create(db, yore_str("end"), NULL, NULL, &err), &err);
    need(yore_stats_get(db, &stats, &err), &err);
    assert_true(stats.version >= COMMITS);
    s->version = stats.version;
    assert_true(stats.version < VERSIONS_MAX);
    for (uint64_t v = 1; v <= stats.version; v++) {
        s->prefixes[v] = s->prefixes[v - 1];
        assert_true(script_digest(db, v - 1, v, &s->prefixes[v]));
    }
    assert_true(whole_digest(db, stats.version, &s->digest));
    note_files(s);
    s->seal_off = (used_bytes(s, s->files[s->wal_count - 1]) + 7) & ~UINT64_C(7);
    yore_close(db);
}

static void make_sample(sample *s)
{
    *s = (sample){.sim = yr_sim_create(8)};
    make_store(s);
    assert_true(has_segments ? s->data_count >= s->wal_count + 2 : s->wal_count >= 2);
    snprintf(s->files[s->file_count++], sizeof s->files[0], "db/MANIFEST");
    if (has_segments) {
        snprintf(s->files[s->file_count++], sizeof s->files[0], "db/MANIFEST.bak");
    } else {
        /* it would take MANIFEST's place (test_wal_rot looks at that): here what is damaged stays so */
        assert_true(yr_sim_file_remove(s->sim, "db/MANIFEST.bak"));
    }
    snprintf(s->files[s->file_count++], sizeof s->files[0], "db/LOCK");
    yr_sim_image_clone(&s->image, yr_sim_image_of(s->sim));
}

static void free_sample(sample *s)
{
    yr_sim_image_deinit(&s->image);
    yr_sim_image_deinit(&s->middle);
    assert_false(yr_sim_has_leaks(s->sim));
    yr_sim_destroy(s->sim);
}

/* Is a store without it, or with less of it, damaged? */
static bool is_vital(const sample *s, uint32_t f)
{
    return f < s->data_count || (f == s->data_count && !has_segments);
}

static bool names_a_file(const char *message)
{
    return strstr(message, "db") || strstr(message, ".seg") || strstr(message, ".val");
}

/* -- looking at what is on the disk now -- */

static enum outcome look(const sample *s, bool read_only)
{
    yore_open_options options = options_for(s->sim, read_only);
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    yore_db *db = NULL;
    yore_status status = yore_open("db", &options, &db, &err);
    if (status == YORE_OK) status = yore_check(db, YORE_CHECK_DEEP, NULL, &err);
    enum outcome outcome = SILENT;
    if (status == YORE_OK) {
        uint64_t digest = 0;
        bool same = yore_stats_get(db, &stats, NULL) == YORE_OK && stats.version == s->version &&
                    whole_digest(db, stats.version, &digest) && digest == s->digest;
        digest = 0;
        bool shorter = stats.version < s->version && script_digest(db, 0, stats.version, &digest) &&
                       digest == s->prefixes[stats.version];
        outcome = same ? HARMLESS : shorter ? LOST_TAIL : SILENT;
    } else if ((status == YORE_ERR_CORRUPT || status == YORE_ERR_FORMAT || status == YORE_ERR_NOT_STORE ||
                status == YORE_ERR_NO_STORE || status == YORE_ERR_IO) &&
               names_a_file(err.message)) {
        outcome = REPORTED; /* naming the store or its file */
    }
    if (outcome == SILENT) print_error("%s: %s\n", yore_status_name(status), err.message);
    yore_close(db);
    return outcome;
}

/* A writer too, on a copy: it may cut, and it must not write to what it refuses. */
static enum outcome look_both(sample *s, yr_sim_image *damaged)
{
    enum outcome reader = look(s, true);
    enum outcome writer = look(s, false);
    yr_sim_reset(s->sim, damaged);
    /* MANIFEST's copy is for writers: a reader cannot see whether it is current */
    bool is_repaired = has_segments && reader == REPORTED && writer == HARMLESS;
    return reader == writer || is_repaired ? writer : SILENT;
}

static void restore(sample *s)
{
    yr_sim_reset(s->sim, &s->image);
}

/* `may_lose`: the damage takes the seal and what is before it at once, as a torn tail would: nothing is left
 * that says there was more. */
static void count(counts *c, enum outcome outcome, bool may_lose, const char *file, const char *what,
                  uint64_t at)
{
    if (outcome == SILENT || (outcome == LOST_TAIL && !may_lose))
        fail_msg("%s, %s at %" PRIu64 ": not reported, and not what it was", file, what, at);
    c->of[outcome]++;
}

static void report(const char *what, const counts *c)
{
    print_message("%s: %" PRIu64 " reported, %" PRIu64 " harmless, %" PRIu64 " like a torn tail, 0 silent\n",
                  what, c->of[REPORTED], c->of[HARMLESS], c->of[LOST_TAIL]);
}

/* -- tests -- */

static void test_every_flipped_bit_is_reported_or_harmless(void **state)
{
    (void)state;
    sample s;
    counts c = {{0}};
    make_sample(&s);
    bool has_data = s.data_count > s.wal_count;
    for (uint32_t f = 0; f < s.file_count; f++) {
        const char *file = s.files[f];
        uint64_t used = used_bytes(&s, file);
        uint64_t size = (uint64_t)yr_sim_file_size(s.sim, file);
        counts here = {{0}};
        for (uint64_t bit = 0; bit < size * 8; bit++) {
            bool is_wal = f < s.wal_count || f >= s.data_count;
            /* each bit of a log in the store without segments: what follows it is searched, and logs are longer here */
            uint64_t stride = is_wal                 ? ((is_full && !has_data) || size < 16384 ? 1 : 29)
                              : strstr(file, ".val") ? (is_full ? 211 : 4001)
                              : is_full              ? 11 /* each bit of one: test_segment_rot_all */
                                                     : 37;
            if (bit % stride != 0) continue;
            /* the quick run takes one bit of each byte of the records, another in each, and few of the zeros */
            if (is_wal && !is_full && (bit < (used + 64) * 8 ? bit % 8 != bit / 8 % 8 : bit % 97 != 0))
                continue;
            bool writer = bit / stride % 61 == 0;
            assert_true(yr_sim_file_flip(s.sim, file, bit));
            count(&here, look(&s, !writer), false, file, "bit", bit);
            if (writer)
                restore(&s);
            else
                assert_true(yr_sim_file_flip(s.sim, file, bit));
        }
        /* LOCK says who writes: with nobody writing it is of no consequence. The rest is checksums to the
         * end. */
        bool is_lock = strstr(file, "LOCK") != NULL;
        if (!is_lock && !has_segments) assert_true(here.of[REPORTED] > here.of[HARMLESS] / 4);
        if (f >= s.wal_count && f < s.data_count) assert_true(here.of[HARMLESS] == 0);
        report(file, &here);
        c.of[REPORTED] += here.of[REPORTED];
        c.of[HARMLESS] += here.of[HARMLESS];
    }
    report("every bit", &c);
    free_sample(&s);
}

static void test_damaged_sectors_are_reported_or_harmless(void **state)
{
    (void)state;
    static const uint32_t grains[] = {8, 512, 4096};
    sample s;
    counts c = {{0}};
    make_sample(&s);
    for (uint32_t f = 0; f < s.data_count; f++) {
        const char *file = s.files[f];
        uint64_t used = used_bytes(&s, file);
        uint64_t size = (uint64_t)yr_sim_file_size(s.sim, file);
        uint8_t a[4096], b[4096];
        for (size_t g = 0; g < 3; g++) {
            uint32_t grain = grains[g];
            uint64_t step = f < s.wal_count || grain > 8 ? grain : (size / 4000 + 1) * grain;
            for (uint64_t off = 0; off + grain <= size; off += step) {
                if (!is_full && off > used + 1024) break;
                restore(&s);
                bool is_last = f + 1 == s.wal_count && off < s.seal_off;
                bool one = is_last && off + grain > s.seal_off, two = is_last && off + 2 * grain > s.seal_off;
                assert_true(yr_sim_file_zero(s.sim, file, off, grain));
                count(&c, look(&s, off % 16 != 0), one, file, "zeros", off);
                if (off + 2 * grain > size) continue;
                restore(&s);
                assert_true(yr_sim_file_read(s.sim, file, a, grain, off));
                assert_true(yr_sim_file_read(s.sim, file, b, grain, off + grain));
                assert_true(yr_sim_file_write(s.sim, file, b, grain, off));
                count(&c, look(&s, true), one, file, "a repeated sector", off);
                assert_true(yr_sim_file_write(s.sim, file, a, grain, off + grain));
                count(&c, look(&s, true), two, file, "swapped sectors", off);
            }
        }
    }
    restore(&s);
    report("sectors", &c);
    assert_true(c.of[REPORTED] > 200);
    free_sample(&s);
}

static void test_truncated_files_are_reported_or_harmless(void **state)
{
    (void)state;
    sample s;
    counts c = {{0}};
    make_sample(&s);
    for (uint32_t f = 0; f < s.file_count; f++) {
        const char *file = s.files[f];
        uint64_t size = (uint64_t)yr_sim_file_size(s.sim, file);
        uint64_t step = is_full ? 1 : 7;
        if (f >= s.wal_count && f < s.data_count) step = size / (is_full ? 4000 : 200) + 1;
        for (uint64_t end = 0; end < size; end += step) {
            restore(&s);
            assert_true(yr_sim_file_truncate(s.sim, file, end));
            enum outcome outcome = look(&s, end % 2 == 0);
            count(&c, outcome, false, file, "cut", end);
            /* a file that lost a byte is not what MANIFEST says, whatever was in it */
            if (is_vital(&s, f)) assert_int_equal(outcome, REPORTED);
        }
    }
    restore(&s);
    report("truncations", &c);
    free_sample(&s);
}

/* Copy a file of `from` over one of `to`. */
static void copy_file(yr_sim *to, const char *name, yr_sim *from, const char *from_name)
{
    uint64_t size = (uint64_t)yr_sim_file_size(from, from_name);
    uint8_t *bytes = test_malloc(size + 1);
    assert_true(yr_sim_file_read(from, from_name, bytes, size, 0));
    yr_sim_file_remove(to, name);
    assert_true(yr_sim_file_create(to, name));
    assert_true(yr_sim_file_write(to, name, bytes, size, 0));
    test_free(bytes);
}

static void test_missing_exchanged_and_foreign_files_are_reported(void **state)
{
    (void)state;
    sample s;
    counts c = {{0}};
    make_sample(&s);
    sample stranger = {.sim = yr_sim_create(9)};
    make_store(&stranger);
    for (uint32_t f = 0; f < s.file_count; f++) {
        const char *file = s.files[f];
        for (int how = 0; how < 4; how++) {
            restore(&s);
            if (how == 0) assert_true(yr_sim_file_remove(s.sim, file));
            if (how == 1) assert_true(yr_sim_file_truncate(s.sim, file, 0));
            if (how == 2 && yr_sim_file_size(stranger.sim, file) < 0) continue;
            if (how == 2) copy_file(s.sim, file, stranger.sim, file);
            if (how == 3) { /* its neighbour's place; the copy is read from the image as it was */
                yr_sim *before = yr_sim_create(1);
                yr_sim_reset(before, &s.image);
                copy_file(s.sim, file, before, s.files[(f + 1) % s.file_count]);
                yr_sim_destroy(before);
            }
            yr_sim_image damaged;
            yr_sim_image_clone(&damaged, yr_sim_image_of(s.sim));
            enum outcome outcome = look_both(&s, &damaged);
            yr_sim_image_deinit(&damaged);
            count(&c, outcome, false, file, "exchange", (uint64_t)how);
            if (is_vital(&s, f)) assert_int_equal(outcome, REPORTED);
        }
    }
    restore(&s);
    yr_sim_image_deinit(&stranger.middle);
    yr_sim_destroy(stranger.sim);
    report("missing and exchanged files", &c);
    free_sample(&s);
}

/* MANIFEST, its copy or both as they were some flushes and merges ago. */
static void test_a_manifest_of_another_day_is_reported_or_harmless(void **state)
{
    (void)state;
    sample s;
    counts c = {{0}};
    make_sample(&s);
    for (int which = 1; which < 4; which++) {
        restore(&s);
        yr_sim *before = yr_sim_create(1);
        yr_sim_reset(before, &s.middle);
        if (which & 1) copy_file(s.sim, "db/MANIFEST", before, "db/MANIFEST");
        if (which & 2) copy_file(s.sim, "db/MANIFEST.bak", before, "db/MANIFEST.bak");
        yr_sim_destroy(before);
        /* A reader beside a writer may be behind, and cannot tell an old MANIFEST alone from that: it may show the
         * store of then. */
        enum outcome reader = look(&s, true), writer = look(&s, false);
        count(&c, reader, (which & 1) != 0, "MANIFEST, read", "an old one", (uint64_t)which);
        count(&c, writer, false, "MANIFEST", "an old one", (uint64_t)which);
        if (which & 1) assert_int_equal(writer, REPORTED);
        if (which == 2) assert_int_equal(writer, HARMLESS);
    }
    restore(&s);
    report("old manifests", &c);
    free_sample(&s);
}

/* What is refused as damaged is left as it was found. */
static void test_a_refused_store_is_not_changed(void **state)
{
    (void)state;
    sample s;
    make_sample(&s);
    for (uint32_t f = 0; f < s.wal_count; f++) {
        restore(&s);
        yr_sim_file_flip(s.sim, s.files[f], 8 * 300 + 3);
        yr_sim_file_remove(s.sim, "db/LOCK"); /* opening signs it: compare the rest */
        uint64_t before = yr_sim_image_hash(yr_sim_image_of(s.sim));
        assert_int_equal(look(&s, false), REPORTED);
        yr_sim_file_remove(s.sim, "db/LOCK");
        assert_true(before == yr_sim_image_hash(yr_sim_image_of(s.sim)));
    }
    restore(&s);
    free_sample(&s);
}

int main(int argc, char **argv)
{
    is_full = argc > 1 && strcmp(argv[1], "--full") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit_is_reported_or_harmless),
        cmocka_unit_test(test_damaged_sectors_are_reported_or_harmless),
        cmocka_unit_test(test_truncated_files_are_reported_or_harmless),
        cmocka_unit_test(test_missing_exchanged_and_foreign_files_are_reported),
        cmocka_unit_test(test_a_refused_store_is_not_changed),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_every_flipped_bit_is_reported_or_harmless),
        cmocka_unit_test(test_damaged_sectors_are_reported_or_harmless),
        cmocka_unit_test(test_truncated_files_are_reported_or_harmless),
        cmocka_unit_test(test_missing_exchanged_and_foreign_files_are_reported),
        cmocka_unit_test(test_a_manifest_of_another_day_is_reported_or_harmless),
    };
    int failed = cmocka_run_group_tests_name("store rot", tests, NULL, NULL);
    has_segments = true;
    return failed + cmocka_run_group_tests_name("store rot with segments", more, NULL, NULL);
}

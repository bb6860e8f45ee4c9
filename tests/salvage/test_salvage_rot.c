/* Random damage to a store with segments, value files and a log; then salvage. What no damage touched must be there and
 * right, nothing may be there that was not, what is said to be lost must be what is missing, and the new store passes
 * every check.
 *
 *     test_salvage_rot [damages] [seed] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/backup/backup_private.h"
#include "engine/base/rng.h"
#include "tests/backup/backup_kit.h"

#define COMMITS_MAX 4096u
#define FILES_MAX 64u

static yr_sim *sim;
static uint64_t rounds = 250, seed = 1;

/* -- what a store holds: its commits as frames -- */

typedef struct story {
    uint64_t last;
    struct {
        uint8_t *data;
        size_t size;
    } frames[COMMITS_MAX + 1];
} story;

static void story_free(story *s)
{
    for (uint64_t v = 1; v <= s->last; v++) free(s->frames[v].data);
    s->last = 0;
}

static void story_read(yore_db *db, story *s)
{
    yore_error err = YORE_ERROR_INIT;
    yr_backup_source source;
    uint64_t last = kit_version(db);
    assert_true(last <= COMMITS_MAX);
    yr_backup_source_init(&source, db, 0);
    for (s->last = 0; s->last < last;) {
        kit_need(yr_backup_source_next(&source, &err), &err);
        s->last++;
        s->frames[s->last].size = source.frame.size;
        s->frames[s->last].data = malloc(source.frame.size);
        memcpy(s->frames[s->last].data, source.frame.data, source.frame.size);
    }
    yr_backup_source_deinit(&source);
}

/* -- the store, and where its parts are -- */

typedef struct place {
    char path[64];
    uint64_t after, last; /* versions whose rows or commits it has; a log file: those that no segment has */
    bool is_manifest, is_values;
} place;

static story truth;
static yr_sim_image whole;
static place places[FILES_MAX];
static uint32_t place_count;

static void put_large(yore_db *db, const char *key, uint32_t salt)
{
    static char value[150000];
    yore_error err = YORE_ERROR_INIT;
    for (uint32_t i = 0; i < sizeof value; i++) value[i] = (char)(i * 31 + i / 251 + salt);
    kit_need(yore_db_put(db, yore_str(""), yore_str_key(key), yore_bytes(value, sizeof value - salt % 1000),
                         NULL, &err),
             &err);
}

static void fill(yore_db *db, int round, int count)
{
    yore_error err = YORE_ERROR_INIT;
    char key[64], value[2000];
    kit_fill(db, round);
    for (int i = 0; i < count; i++) {
        (void)snprintf(key, sizeof key, "key-%04d", (i * 37 + round * 11) % 150);
        int n = snprintf(value, sizeof value, "value %d of round %d ", i, round);
        memset(value + n, 'a' + i % 26, (size_t)(i * 13));
        kit_need(yore_db_put(db, yore_str(""), yore_str_key(key),
                             yore_bytes(value, (size_t)n + (size_t)(i * 13)), NULL, &err),
                 &err);
    }
    if (round % 2 == 0) put_large(db, "large", (uint32_t)round);
}

/* A large run, small ones, and a log that goes on. */
static void fill_all(yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    for (int round = 0; round < 6; round++) fill(db, round, 120);
    kit_need(yore_compact(db, NULL, NULL, &err), &err);
    for (int round = 6; round < 8; round++) {
        fill(db, round, 20);
        kit_need(yr_maintainer_flush(&db->maintainer, false, &err), &err);
    }
    fill(db, 9, 40);
}

static void note_places(yore_db *db)
{
    const yr_layers *layers = yr_store_layers(&db->store);
    uint64_t flushed = yr_layers_flushed(layers);
    print_message("%u runs, v%u flushed of v%u\n", (unsigned)layers->run_count, (unsigned)flushed,
                  (unsigned)truth.last);
    const char *name;
    place_count = 0;
    for (uint32_t i = 0; (name = yr_sim_dir_name(sim, "db", i)) != NULL; i++) {
        place *p = &places[place_count];
        if (strcmp(name, "LOCK") == 0 || strcmp(name, "lost+found") == 0) continue;
        *p = (place){.after = flushed, .last = UINT64_MAX};
        (void)snprintf(p->path, sizeof p->path, "db/%s", name);
        p->is_manifest = strncmp(name, "MANIFEST", 8) == 0;
        for (uint32_t r = 0; r < layers->run_count; r++) {
            for (uint32_t k = 0; k < yr_run_file_count(layers->runs[r]); k++) {
                if (strcmp(yr_segment_name(yr_run_file(layers->runs[r], k)), name) != 0) continue;
                p->after = yr_run_after(layers->runs[r]);
                p->last = yr_run_last(layers->runs[r]);
            }
        }
        p->is_values = strstr(name, ".val") != NULL;
        if (p->is_values) p->after = UINT64_MAX; /* no rows of its own */
        place_count++;
        assert_true(place_count < FILES_MAX);
    }
}

static int make(void **state)
{
    (void)state;
    sim = yr_sim_create(seed);
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.wal_bytes_min = 8192;
    kit_need(yore_open("db", &options, &db, &err), &err);
    fill_all(db);
    story_read(db, &truth);
    yore_close(db);
    db = kit_open(sim, "db", true);
    kit_need(yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    assert_true(yr_store_layers(&db->store)->run_count >= 2 && yr_store_layers(&db->store)->values);
    note_places(db);
    yore_close(db);
    yr_sim_image_clone(&whole, yr_sim_image_of(sim));
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    story_free(&truth);
    yr_sim_image_deinit(&whole);
    yr_sim_destroy(sim);
    return 0;
}

/* -- damage -- */

typedef struct damage {
    bool hit[FILES_MAX], hits_values;
    char words[512];
} damage;

static void hurt(yr_rng *rng, damage *d)
{
    uint32_t i = (uint32_t)yr_rng_below(rng, place_count);
    const char *path = places[i].path;
    int64_t size = yr_sim_file_size(sim, path);
    size_t at = strlen(d->words);
    if (size <= 0) return;
    uint64_t off = yr_rng_below(rng, (uint64_t)size);
    /* the log is mostly zeros behind its records */
    if (strstr(path, ".log") && yr_rng_below(rng, 4))
        off = yr_rng_below(rng, size < 60000 ? (uint64_t)size : 60000);
    d->hit[i] = true;
    d->hits_values = d->hits_values || places[i].is_values;
    switch (yr_rng_below(rng, 6)) {
    case 0:
    case 1:
        (void)yr_sim_file_flip(sim, path, off * 8 + yr_rng_below(rng, 8));
        (void)snprintf(d->words + at, sizeof d->words - at, " flip %s %u;", path, (unsigned)off);
        break;
    case 2:
        (void)yr_sim_file_truncate(sim, path, off);
        (void)snprintf(d->words + at, sizeof d->words - at, " cut %s %u;", path, (unsigned)off);
        break;
    case 3:
        (void)yr_sim_file_remove(sim, path);
        (void)snprintf(d->words + at, sizeof d->words - at, " remove %s;", path);
        break;
    default: {
        uint8_t noise[512];
        size_t n = (uint64_t)size - off < sizeof noise ? (size_t)((uint64_t)size - off) : sizeof noise;
        for (size_t k = 0; k < n; k++) noise[k] = (uint8_t)yr_rng_next(rng);
        (void)yr_sim_file_write(sim, path, noise, n, off);
        (void)snprintf(d->words + at, sizeof d->words - at, " noise %s %u;", path, (unsigned)off);
    }
    }
}

static bool is_touched(const damage *d, uint64_t version)
{
    for (uint32_t i = 0; i < place_count; i++) {
        if (d->hit[i] && !places[i].is_manifest && version > places[i].after && version <= places[i].last)
            return true;
    }
    return false;
}

/* -- comparing -- */

typedef struct found {
    uint64_t commits_lost, rows_missing, made, notes_lost;
} found;

static bool is_same_bytes(yore_slice a, yore_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_same_row(const yr_row *a, const yr_row *b)
{
    return a->branch == b->branch && a->primitive == b->primitive && a->op == b->op && a->type == b->type &&
           a->expiry_ns == b->expiry_ns && is_same_bytes(a->key, b->key) &&
           is_same_bytes(a->value, b->value) && is_same_bytes(a->meta, b->meta);
}

static bool has_row(const story *s, uint64_t version, const yr_row *wanted)
{
    yr_reader reader = yr_reader_of(yore_bytes(s->frames[version].data, s->frames[version].size)), rows;
    yr_commit_head head;
    yr_row row;
    assert_true(yr_frame_take(&reader, &head, &rows));
    for (uint32_t i = 0; i < head.row_count; i++) {
        assert_true(yr_row_take(&rows, head.branch, &row));
        if (is_same_row(&row, wanted)) return true;
    }
    return false;
}

/* A row may be gone when a file that has its version was hit, or a value file and its value is large. */
static void check_missing(const story *now, uint64_t version, const damage *d)
{
    yr_reader reader = yr_reader_of(yore_bytes(truth.frames[version].data, truth.frames[version].size)), rows;
    yr_commit_head head;
    yr_row row;
    assert_true(yr_frame_take(&reader, &head, &rows));
    for (uint32_t i = 0; i < head.row_count; i++) {
        assert_true(yr_row_take(&rows, head.branch, &row));
        bool may_be_gone = is_touched(d, version) || (d->hits_values && row.value.size > 65536);
        if (!may_be_gone && !has_row(now, version, &row))
            fail_msg("v%u was not touched, but lost a row:%s", (unsigned)version, d->words);
    }
}

/* A registry row that makes a branch and was not in this commit: said to be made up. */
static bool is_made_up(const yr_row *row)
{
    return row->primitive == YORE_SYSTEM && ((const char *)row->key.data)[0] == 'b';
}

static bool is_same_info(const yr_commit_head *a, const yr_commit_head *b)
{
    return a->source_time_ns == b->source_time_ns && a->wall_ns == b->wall_ns &&
           is_same_bytes(a->note, b->note) && is_same_bytes(a->author, b->author) &&
           is_same_bytes(a->source, b->source) &&
           is_same_bytes(yore_bytes(a->parents, 8 * (size_t)a->parent_count),
                         yore_bytes(b->parents, 8 * (size_t)b->parent_count));
}

static void compare_commit(const story *now, uint64_t version, const damage *d, found *f)
{
    yr_reader a = yr_reader_of(yore_bytes(truth.frames[version].data, truth.frames[version].size)), a_rows;
    yr_reader b = yr_reader_of(yore_bytes(now->frames[version].data, now->frames[version].size)), b_rows;
    yr_commit_head was, is;
    uint32_t kept = 0;
    assert_true(yr_frame_take(&a, &was, &a_rows) && yr_frame_take(&b, &is, &b_rows));
    bool is_lost =
        strncmp(is.note.data ? is.note.data : "", "salvaged: ", is.note.size < 10 ? is.note.size : 10) == 0 &&
        is.note.size > 10;
    assert_int_equal(is.version, version);
    if (is_lost) {
        f->commits_lost++;
        if (!is_touched(d, version))
            fail_msg("v%u was not touched, but its record is lost", (unsigned)version);
    } else if (is.time_ns != was.time_ns || is.branch != was.branch || is.kind != was.kind) {
        fail_msg("v%u is another commit than it was:%s", (unsigned)version, d->words);
    } else if (!is_same_info(&is, &was)) {
        f->notes_lost++;
        if (is.source_time_ns || is.wall_ns || is.note.size || is.author.size || is.source.size ||
            is.parent_count)
            fail_msg("v%u says something else than it did:%s", (unsigned)version, d->words);
        if (!is_touched(d, version)) fail_msg("v%u was not touched, but its note is lost", (unsigned)version);
    }
    for (uint32_t i = 0; i < is.row_count; i++) {
        yr_row row;
        assert_true(yr_row_take(&b_rows, is.branch, &row));
        if (has_row(&truth, version, &row)) {
            kept++;
        } else if (is_made_up(&row)) {
            f->made++;
        } else {
            fail_msg("v%u has a row it did not have", (unsigned)version);
        }
    }
    check_missing(now, version, d);
    if (!is_lost) f->rows_missing += was.row_count - kept;
}

static void compare(const story *now, const damage *d, const yore_salvage_report *report)
{
    found f = {0};
    assert_true(now->last <= truth.last);
    assert_int_equal(now->last, report->last_version);
    for (uint64_t v = now->last + 1; v <= truth.last; v++) {
        if (!is_touched(d, v)) fail_msg("v%u was not touched, but is not there", (unsigned)v);
    }
    for (uint64_t v = 1; v <= now->last; v++) compare_commit(now, v, d, &f);
    assert_int_equal(f.commits_lost, report->commits_lost);
    /* a record that was made up may be just what it was */
    assert_true(f.made <= report->branches_lost && f.rows_missing <= report->rows_lost);
    assert_true(report->rows_lost - f.rows_missing <= report->branches_lost - f.made);
    assert_true(f.notes_lost <= report->notes_lost);
    if (report->complete && (f.commits_lost || f.rows_missing || f.made)) fail_msg("a loss is not told");
}

/* -- the test -- */

static bool is_anything_left(const damage *d)
{
    for (uint32_t i = 0; i < place_count; i++) {
        if (!places[i].is_manifest && !d->hit[i] && !places[i].is_values) return true;
    }
    return false;
}

static void tell(void *arg, const yore_salvage_loss *loss)
{
    (void)arg;
    print_message("  damage %u v%u to v%u branch %u: %s\n", (unsigned)loss->kind,
                  (unsigned)loss->first_version, (unsigned)loss->last_version, (unsigned)loss->branch,
                  loss->text);
}

static void salvage_once(uint64_t number, damage *d, uint64_t *complete)
{
    static story now;
    yore_error err = YORE_ERROR_INIT;
    yore_salvage_options options = YORE_SALVAGE_OPTIONS_INIT;
    yore_salvage_report report = {.struct_size = sizeof report};
    options.env = yr_sim_env(sim);
    if (getenv("SALVAGE_TRACE")) options.loss = tell;
    if (number % 3 == 0) options.memory_bytes = 60000; /* several passes */
    yore_status status = yore_salvage("db", "new", &options, &report, &err);
    if (status == YORE_ERR_CORRUPT && !is_anything_left(d)) return;
    kit_need(status, &err);
    yore_db *db = kit_open(sim, "new", true);
    kit_need(yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    story_read(db, &now);
    yore_close(db);
    compare(&now, d, &report);
    story_free(&now);
    *complete += report.complete;
}

static void test_what_was_not_damaged_is_there_and_nothing_else(void **state)
{
    (void)state;
    uint64_t complete = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        yr_rng rng;
        damage d = {{0}, false, ""};
        rng.state = seed * 1000003 + i;
        yr_sim_reset(sim, &whole);
        for (uint64_t n = 1 + yr_rng_below(&rng, 3); n > 0; n--) hurt(&rng, &d);
        if (getenv("SALVAGE_TRACE")) print_message("%u:%s\n", (unsigned)i, d.words);
        salvage_once(i, &d, &complete);
        if (yr_sim_has_leaks(sim)) fail_msg("something was not given back");
    }
    print_message("seed %u: %u damages, %u of them took nothing\n", (unsigned)seed, (unsigned)rounds,
                  (unsigned)complete);
}

int main(int argc, char **argv)
{
    if (argc > 1) rounds = strtoull(argv[1], NULL, 10);
    if (argc > 2) seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_was_not_damaged_is_there_and_nothing_else)};
    return cmocka_run_group_tests(tests, make, unmake);
}

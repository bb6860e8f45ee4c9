/* Backups of random histories: the writing steps of the model tests, with backups, full and incremental, made at random
 * moments. Every chain restores to a store that answers as the model does; cut at a random version it is the store that
 * stopped there, of which the disk kept a copy.
 *
 *   test_backup_model [--scripts N] [--seed S]      a script's seed is printed when it fails */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/backup/backup_kit.h"
#include "tests/model/model_world.h"

enum { STEPS = 160, MOMENTS_MAX = 12 };

/* A moment at which a backup was made. */
typedef struct moment {
    uint64_t version;
    uint64_t digest;
    char name[16];
    bool is_full;
} moment;

typedef struct history {
    world w;
    moment moments[MOMENTS_MAX];
    int count;
} history;

static void (*const writing[])(world *) = {
    step_clock,         step_put,           step_put,           step_put,
    step_put,           step_del,           step_batch,         step_batch,
    step_batch,         step_begin,         step_txn_ops,       step_commit,
    step_branch_create, step_branch_rename, step_branch_delete, step_branch_recover,
    step_tag_create,    step_tag_delete,    step_config,        step_reopen,
    step_reader,
};
enum { WRITING = sizeof writing / sizeof writing[0] };

static void make_backup(history *h)
{
    world *w = &h->w;
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(w->sim));
    moment *m = &h->moments[h->count];
    m->version = model_last_version(&w->m);
    m->is_full = h->count == 0 || chance(w, 4);
    (void)snprintf(m->name, sizeof m->name, "b%d", h->count);
    /* mostly the backup before, sometimes an older one */
    const moment *base =
        m->is_full ? NULL : &h->moments[chance(w, 3) ? below(w, (uint64_t)h->count) : (uint64_t)h->count - 1];
    options.base = base ? base->name : NULL;
    world_say(w, "backup %s on %s", m->name, base ? base->name : "nothing");
    yore_db *from = w->reader && chance(w, 2) ? w->reader : w->db;
    if (from == w->reader) world_expect(w, yore_refresh(w->reader, &err), YORE_OK, "yore_refresh", &err);
    world_expect(w, yore_backup_make(from, m->name, &options, NULL, &err), YORE_OK, "yore_backup_make", &err);
    if (!kit_digest(w->db, &m->digest)) world_fail(w, "the store cannot be read");
    h->count++;
}

/* Every backup: as it was then, and at the last one, as the model says. */
static void check_backups(history *h)
{
    world *w = &h->w;
    yore_error err = YORE_ERROR_INIT;
    for (int i = 0; i < h->count; i++) {
        const moment *m = &h->moments[i];
        yore_backup_options options = kit_options(yr_sim_env(w->sim));
        char path[16];
        uint64_t digest = 0;
        world_say(w, "restore %s", m->name);
        options.compare = w->db;
        world_expect(w, yore_backup_verify(m->name, &options, NULL, &err), YORE_OK, "yore_backup_verify",
                     &err);
        options.compare = NULL;
        (void)snprintf(path, sizeof path, "r%d", i);
        world_expect(w, yore_backup_restore(m->name, path, &options, NULL, &err), YORE_OK,
                     "yore_backup_restore", &err);
        if (!kit_digest_of(options.env, path, &digest) || digest != m->digest)
            world_fail(w, "%s restores to another store", m->name);
        /* cut where another backup was made */
        const moment *cut = &h->moments[below(w, (uint64_t)h->count)];
        if (cut->version > m->version) continue;
        yore_db *db;
        options.last_version = cut->version;
        world_expect(w, yore_backup_open(m->name, &options, &db, &err), YORE_OK, "yore_backup_open", &err);
        if (!kit_digest(db, &digest) || digest != cut->digest)
            world_fail(w, "%s cut at v%" PRIu64 " is another store", m->name, cut->version);
        yore_close(db);
    }
    yore_db *db = kit_open(w->sim, "last", true);
    world_compare_all(w, db);
    yore_close(db);
}

static void run_steps(history *h)
{
    world *w = &h->w;
    yore_error err = YORE_ERROR_INIT;
    world_open(w);
    yore_commit_info first = {.struct_size = sizeof first};
    world_expect(w, yore_commit_get(w->db, 1, &first, &err), YORE_OK, "yore_commit_get", &err);
    model_commit_system(&w->m, YORE_COMMIT_INIT, first.time_ns);
    model_branch_add(&w->m, "default", 0, 0, 1);
    for (w->step_index = 0; w->step_index < STEPS; w->step_index++) {
        world_advance(w, 1 + (int64_t)below(w, 2000));
        if (h->count < MOMENTS_MAX - 1 && chance(w, 16)) make_backup(h);
        uint32_t kind = (uint32_t)below(w, WRITING);
        world_say(w, "step %u", kind);
        writing[kind](w);
    }
    world_rollback_all(w);
    make_backup(h);
    yore_backup_options options = kit_options(yr_sim_env(w->sim));
    world_expect(w, yore_backup_restore(h->moments[h->count - 1].name, "last", &options, NULL, &err), YORE_OK,
                 "yore_backup_restore", &err);
    check_backups(h);
    world_close(w);
    if (yr_sim_has_leaks(w->sim)) world_fail(w, "something was not given back");
}

static bool run_script(uint64_t seed, uint64_t *backups, uint64_t *commits)
{
    history *h = calloc(1, sizeof *h);
    if (!h) abort();
    world *w = &h->w;
    w->rng.state = seed;
    w->on_disk = seed % 4 != 0;
    w->is_wide = seed % 5 == 0;
    w->sync = YORE_SYNC_OS;
    w->clock = INT64_C(1700000000000000000);
    w->sim = yr_sim_create(seed);
    yr_sim_set_tick_ns(w->sim, 0);
    yr_sim_set_wall_ns(w->sim, w->clock);
    model_init(&w->m);
    if (setjmp(w->failed)) {
        fprintf(stderr, "FAILED: --scripts 1 --seed %" PRIu64 ": %s\n", seed, w->message);
        return false;
    }
    run_steps(h);
    *backups += (uint64_t)h->count;
    *commits += model_last_version(&w->m);
    model_deinit(&w->m);
    yr_sim_destroy(w->sim);
    free(h);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t scripts = 40, seed = 1, backups = 0, commits = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--scripts") == 0) scripts = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 0);
    }
    printf("seed %" PRIu64 "\n", seed);
    for (uint64_t i = 0; i < scripts; i++) {
        if (!run_script(seed + i, &backups, &commits)) return 1;
    }
    printf("%" PRIu64 " scripts, %" PRIu64 " commits, %" PRIu64 " backups: passed\n", scripts, commits,
           backups);
    return 0;
}

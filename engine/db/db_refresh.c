/* A read-only handle follows the writer of another process.
 *
 * As long as the log can be read on from where it was, refresh replays what is new into the handle's memtable. When it
 * cannot (the writer has dropped what comes next, because segments have it), or when the memtable has grown large
 * and the segments have most of it by now, the handle is made anew from the newest MANIFEST: a second store is filled
 * beside the first, sharing the files that are open already, and only when it is complete it takes the first one's
 * place: catalog, layers, visible version, in this order. Until then nothing has changed, so a failure may pass.
 *
 * Snapshots that are open keep the layers they have, and with them the files, whatever the writer unlinks. They share
 * the catalog, whose changes leave old versions as they were (R1).
 *
 * R1 a branch is never taken away; what its filter no longer knows is asked of the layers (filtered_from); heads rise.
 * R2 one refresh at a time (maintainer.install), in the leader's turn:
 *    nobody waits for that turn but other refreshes, since everything is settled before. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"
#include "engine/db/refresh_policy.h"
#include "engine/maintain/load.h"

enum {
    TRIES = 5,
    PAUSE_NS = 2000000,
    PEEK_LARGE_NS = 20000000,   /* how often MANIFEST is looked at while the memtable is too large, */
    PEEK_SMALL_NS = 2000000000, /* and while it is not */
    COLLECTS = 3                /* two epochs, and one more for luck with readers that are just leaving */
};

yore_status yr_db_begin(yore_db *db, yr_store *store, const yr_store_state *state, const yr_layers *open,
                        yore_error *err)
{
    yr_run **runs;
    uint32_t run_count;
    yr_value_set *values;
    yore_status status = yr_disk_open(&db->disk, state, open, &runs, &run_count, &values, err);
    if (status < 0) return status;
    const yr_store_start start = {.secret = state->hash_seed,
                                  .runs = runs,
                                  .run_count = run_count,
                                  .values = values,
                                  .last_version = state->flushed_version,
                                  .last_time_ns = state->last_time_ns,
                                  .last_data_time_ns = state->last_data_time_ns};
    status = yr_store_begin(store, &start, err);
    yr_disk_free_runs(&db->disk, runs, run_count);
    yr_value_set_unref(values);
    return status == YORE_OK ? yr_load_catalog(store, err) : status;
}

/* -- a second store beside the first -- */

typedef struct catch_up {
    yore_db *db;
    yr_layers *now;  /* a reference */
    yr_store *fresh; /* not begun: mem NULL */
} catch_up;

static yore_status begin_fresh(void *arg, const yr_store_state *state, yore_error *err)
{
    catch_up *c = arg;
    yr_store *fresh = c->fresh;
    yore_status status = fresh->mem ? yr_store_rewind(fresh, err) : YORE_OK;
    if (status < 0) return status;
    /* Keys are hashed with the store's seed outside the layers as well. */
    yr_store_state same = *state;
    if (!state->file_count) same.hash_seed = c->db->store.secret;
    if (same.hash_seed != c->db->store.secret) {
        return yr_fail(err, YORE_ERR_POISONED, "the store '%s' has been upgraded meanwhile; open it again",
                       c->db->path);
    }
    return yr_db_begin(c->db, fresh, &same, c->now, err);
}

static yore_status apply_fresh(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    catch_up *c = arg;
    (void)lsn;
    return yr_store_replay(c->fresh, payload, err);
}

/* It must have the history that was seen so far, or a longer one. *again: it has less, perhaps because a writer is
 * just recovering. */
static yore_status compare(const catch_up *c, bool *again, yore_error *err)
{
    const yr_store *store = &c->db->store, *fresh = c->fresh;
    uint64_t visible = yr_store_visible(store);
    int64_t before, after;
    *again = yr_store_visible(fresh) < visible;
    if (*again) {
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "the store '%s' ends at v%" PRIu64 ", but v%" PRIu64 " was read before", c->db->path,
                       yr_store_visible(fresh), visible);
    }
    yore_status status = yr_layers_commit_time(c->now, visible, &before, err);
    if (status == YORE_OK) status = yr_layers_commit_time(yr_store_layers(fresh), visible, &after, err);
    if (status < 0) return status;
    if (before == after && yr_catalog_last_id(fresh->catalog) >= yr_catalog_last_id(store->catalog))
        return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s' holds another history now: open it again", c->db->path);
}

static yore_status fill(catch_up *c, yore_error *err)
{
    const yore_env *env = c->db->env;
    bool again = true;
    yore_status status = YORE_OK;
    for (int i = 0; i < TRIES && again; i++) {
        if (i) env->sleep_ns(env->ctx, PAUSE_NS);
        again = false;
        status = yr_wal_restart(c->db->wal, begin_fresh, apply_fresh, c, err);
        if (status == YORE_OK) status = compare(c, &again, err);
    }
    if (status == YORE_OK && yr_art_settle(c->fresh->mem->art) != YORE_OK)
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while refreshing '%s'", c->db->path);
    return status;
}

static yore_status take_place(catch_up *c, yore_error *err)
{
    yr_store *store = &c->db->store;
    yr_arena arena;
    yr_catalog_steps steps;
    yore_status status = YORE_OK;
    yr_arena_init(&arena, c->db->env);
    if (yr_catalog_prepare_follow(store->catalog, c->fresh->catalog, &arena, &steps)) {
        yr_catalog_follow(store->catalog, c->fresh->catalog, &steps,
                          yr_layers_flushed(yr_store_layers(c->fresh)));
        yr_store_adopt(store, c->fresh);
    } else {
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branches of '%s'", c->db->path);
    }
    yr_arena_deinit(&arena);
    return status;
}

/* Leader. On failure the handle reads what it read, and has to start again. */
static yore_status start_again(yore_db *db, yore_error *err)
{
    catch_up c = {.db = db, .fresh = yr_alloc_lines(db->env, sizeof *c.fresh)};
    if (!c.fresh) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while refreshing '%s'", db->path);
    c.fresh->read_only = true;
    c.fresh->owner = db;
    c.now = yr_store_layers_ref(&db->store);
    yore_status status = yr_store_init(c.fresh, db->env, db->store.memory_bytes_max, err);
    if (status == YORE_OK) status = fill(&c, err);
    if (status == YORE_OK) status = take_place(&c, err);
    yr_layers_unref(c.now);
    yr_store_deinit(c.fresh, false);
    yr_free_lines(db->env, c.fresh, sizeof *c.fresh);
    return status;
}

/* -- is it worth it? -- */

static bool has_file(const yr_store_state *state, const yr_segment *segment)
{
    uint64_t id = yr_segment_header(segment)->file_id;
    for (uint32_t i = 0; i < state->file_count; i++) {
        if (state->files[i].file_id == id) return true;
    }
    return false;
}

typedef struct peek {
    const yr_layers *layers;
    yr_refresh_facts facts;
} peek;

static void look(void *arg, const yr_store_state *state)
{
    peek *p = arg;
    p->facts.flushed_version = state->flushed_version;
    for (uint32_t i = 0; i < p->layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(p->layers->runs[i]); k++) {
            const yr_segment *segment = yr_run_file(p->layers->runs[i], k);
            uint64_t bytes = yr_segment_facts(segment)->file_bytes;
            *(has_file(state, segment) ? &p->facts.listed_bytes : &p->facts.dropped_bytes) += bytes;
        }
    }
}

/* Leader. Whether it cannot be told is of no interest: the log has been read. */
static bool pays(yore_db *db)
{
    const yr_store *store = &db->store;
    const yr_maintainer_options *options = &db->maintainer.options;
    peek p = {.layers = yr_store_layers(store),
              .facts = {.base_version = store->mem->base_version,
                        .last_version = store->last_version,
                        .memtable_bytes =
                            atomic_load_explicit(&store->mem->region.used, memory_order_relaxed), /* ours */
                        .memtable_bytes_max = options->memtable_bytes,
                        .every = options->every}};
    bool is_large = yr_refresh_is_large(&p.facts);
    int64_t now = db->env->monotonic_ns(db->env->ctx);
    if (!options->every && now - db->peeked_ns < (is_large ? PEEK_LARGE_NS : PEEK_SMALL_NS)) return false;
    db->peeked_ns = now;
    if (yr_wal_peek(db->wal, look, &p, NULL) < 0) return false;
    return yr_refresh_pays(&p.facts);
}

/* -- refresh -- */

/* A record that fails may have been applied in part, unpublished: what is visible stays right, and the next refresh
 * starts again. Any other failure has changed nothing. */
static yore_status apply_record(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    yore_db *db = arg;
    (void)lsn;
    yore_status status = yr_store_replay(&db->store, payload, err);
    db->refresh_failed = status < 0;
    (void)yr_art_settle(db->store.mem->art); /* a scan would wait for the next read otherwise */
    return status;
}

yore_status yore_refresh(yore_db *db, yore_error *err)
{
    yore_status status = yr_db_usable(db, err);
    if (status < 0 || !db->store.read_only || !db->wal) return status;
    yr_mutex_lock(&db->maintainer.install);
    yr_store_lead(&db->store);               /* replay writes the memtable: it takes the leader's place */
    (void)yr_art_settle(db->store.mem->art); /* what open left: a refresh reads, syncs and may sleep */
    bool again = db->refresh_failed;
    if (!again) {
        status = yr_wal_refresh(db->wal, apply_record, db, err);
        again = status == YORE_END || (status == YORE_OK && pays(db));
    }
    if (again) {
        db->refresh_failed = true; /* from here on the log is not where the layers are */
        status = start_again(db, err);
        if (status == YORE_OK) db->refresh_failed = false;
        for (int i = 0; i < COLLECTS; i++) (void)yr_retire_collect(&db->store.retired);
    }
    bool has_runs = yr_store_layers(&db->store)->run_count > 0;
    yr_store_unlead(&db->store);
    yr_mutex_unlock(&db->maintainer.install);
    if (again && status == YORE_OK && has_runs) yr_maintainer_start_reading(&db->maintainer);
    return status;
}

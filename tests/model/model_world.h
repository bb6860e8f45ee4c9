/* A store and its model side by side, and the steps that are done to both.
 *
 * A script is a list of steps; a step is a kind and a seed, from which all its choices come, so that steps
 * can be left out of a script and the rest still means the same or nearly so. Every step is done to the store
 * through the public API and to the model, and every answer is compared. The first difference ends the script
 * through world_fail. */
#ifndef YR_MODEL_WORLD_H
#define YR_MODEL_WORLD_H

#include <setjmp.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"
#include "tests/support/model_kv.h"

#define STEP_KINDS(X)                                                            \
    X(CLOCK, 4) /* time goes on, stands, or jumps back */                        \
    X(PUT, 30)  /* one call, one commit */                                       \
    X(DEL, 8)                                                                    \
    X(BATCH, 16) /* begin, operations, commit */                                 \
    X(BEGIN, 8)  /* transactions that stay open over other steps */              \
    X(TXN_OPS, 20)                                                               \
    X(TXN_GET, 10)                                                               \
    X(TXN_SCAN, 5)                                                               \
    X(COMMIT, 9)                                                                 \
    X(ROLLBACK, 2)                                                               \
    X(BRANCH_CREATE, 6)                                                          \
    X(BRANCH_RENAME, 2)                                                          \
    X(BRANCH_DELETE, 3)                                                          \
    X(BRANCH_RECOVER, 3)                                                         \
    X(TAG_CREATE, 3)                                                             \
    X(TAG_DELETE, 1)                                                             \
    X(CONFIG, 2)                                                                 \
    X(MERGE, 6)                                                                  \
    X(UNDO, 8)                                                                   \
    X(RETENTION, 1)                                                              \
    X(REOPEN, 1)                                                                 \
    X(READER, 2) /* a read-only handle beside the writer */                      \
    X(GET, 20)                                                                   \
    X(GET_MANY, 6)                                                               \
    X(SCAN, 12)                                                                  \
    X(HISTORY, 8)                                                                \
    X(LOG, 6)                                                                    \
    X(CHANGES, 4)                                                                \
    X(COMMIT_ROWS, 4)                                                            \
    X(RESOLVE, 8)                                                                \
    X(BRANCH_LIST, 3)                                                            \
    X(TAG_LIST, 2)                                                               \
    X(SAMPLE, 4) /* answers to be read again after every later step (I2, I10) */ \
    X(CHECK, 1)  /* yore_check and everything compared */

#define STEP_ENUM(name, weight) STEP_##name,
enum step_kind { STEP_KINDS(STEP_ENUM) STEP_KIND_COUNT };

typedef struct step {
    uint32_t kind;
    uint64_t seed;
} step;

#define SLOT_COUNT 4u
#define SAMPLE_COUNT 24u
#define HELD_COUNT 4u
#define KEY_COUNT 340u

/* An open transaction and what the model knows of it. */
typedef struct slot {
    yore_txn *txn;
    model_txn expected;
} slot;

/* An answer about the past that must never change. */
typedef struct sample {
    bool used;
    uint32_t branch;
    uint64_t version;
    uint32_t key; /* index into the universe */
    bool present;
    uint64_t value_version;
    yore_slice value; /* the model's copy */
} sample;

/* A snapshot kept open, and one pin of it. */
typedef struct held {
    yore_snap *snap;
    uint32_t branch;
    uint64_t cap;
    int64_t time_ns;
    yore_pin pin;         /* kept; valid even after the snapshot is closed */
    yore_slice pin_value; /* the model's copy; data NULL = no pin */
} held;

typedef struct world {
    yr_sim *sim;
    bool on_disk;
    uint32_t maintain_every; /* flush after so many commits, and merge; 0 = never */
    bool is_wide;            /* uses the whole universe of keys */
    yore_db *db;
    yore_db *reader;
    model m;
    int64_t clock;
    slot slots[SLOT_COUNT];
    sample samples[SAMPLE_COUNT];
    held helds[HELD_COUNT];
    uint32_t note_count;
    uint32_t sync;
    /* the step at work */
    yr_rng rng;
    size_t step_index;
    bool trace;
    char what[256]; /* what is being done, for the report */
    jmp_buf failed;
    char message[1024];
} world;

/* -- model_world.c -- */
_Noreturn void world_fail(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Say what the step does; printed when tracing, and with a failure. */
void world_say(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fail unless the call gave this status. */
void world_expect(world *w, yore_status got, yore_status want, const char *call, const yore_error *err);
void world_advance(world *w, int64_t ns);
uint64_t below(world *w, uint64_t bound); /* the step's own random number, 0 .. bound - 1 */
bool chance(world *w, uint64_t one_in);
/* A value in a buffer that lives until the next call. */
yore_slice world_pick_value(world *w);
const model_branch *world_pick_branch(world *w); /* a live one */
void world_open(world *w);
void world_close(world *w);
bool world_same_bytes(yore_slice a, yore_slice b);
/* Fail unless a commit of the store landed where the model expects the next one. */
void world_check_where(world *w, const yore_where *where, uint32_t branch, int64_t time_ns);
/* The time of a data commit made now without a time of its own. */
int64_t world_commit_time(const world *w);

/* -- model_keys.c -- */
yore_key world_key(uint32_t index); /* of the universe, ascending by primitive and bytes */
bool world_uses_key(const world *w, uint32_t index);
uint32_t world_pick_key(world *w);

/* -- model_points.c -- */
/* A point and where the model says it is. */
typedef struct point {
    yore_at at;
    yore_status status; /* YORE_OK or the failure that must come */
    uint32_t branch;
    uint64_t cap;
    int64_t time_ns;
    char text[96];
} point;
/* `any_branch`: deleted branches too, by id. */
void world_pick_point(world *w, bool any_branch, point *out);
void world_point_at_version(uint32_t branch, uint64_t version, const model *m, point *out);
void step_resolve(world *w);

/* -- model_writes.c -- */
void step_clock(world *w);
void step_put(world *w);
void step_del(world *w);
void step_batch(world *w);
void step_begin(world *w);
void step_txn_ops(world *w);
void step_txn_get(world *w);
void step_txn_scan(world *w);
void step_commit(world *w);
void step_rollback(world *w);
void world_rollback_all(world *w);

/* -- model_registry.c -- */
void step_branch_create(world *w);
void step_branch_rename(world *w);
void step_branch_delete(world *w);
void step_branch_recover(world *w);
void step_tag_create(world *w);
void step_tag_delete(world *w);
void step_config(world *w);
void step_branch_list(world *w);
void step_tag_list(world *w);
void world_compare_branches(world *w, yore_db *db);
void world_compare_tags(world *w, yore_db *db);
void world_compare_settings(world *w, yore_db *db);

/* -- model_branching.c -- */
void step_merge(world *w);
void step_undo(world *w);
void step_retention(world *w);

/* -- model_reads.c -- */
void step_get(world *w);
void step_get_many(world *w);
void step_scan(world *w);
void step_history(world *w);
void step_sample(world *w);
void world_check_samples(world *w);
void world_drop_samples(world *w);
/* Compare one key in an open snapshot. */
void world_compare_key(world *w, yore_snap *snap, const point *at, uint32_t key);
/* Every key, a scan and every history at a point. */
void world_compare_point(world *w, yore_db *db, const point *at);
void world_compare_row(world *w, const yore_row *got, const model_row *want, bool with_value, const char *of);

/* -- model_logs.c -- */
void step_log(world *w);
void step_changes(world *w);
void step_commit_rows(world *w);
void step_check(world *w);
void step_reopen(world *w);
void step_reader(world *w);
/* Everything the store can say against everything the model knows. */
void world_compare_all(world *w, yore_db *db);

#endif

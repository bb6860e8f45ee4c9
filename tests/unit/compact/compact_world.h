/* A store by definition: branches that fork from past versions, every row ever written in one list, reads by looking
 * through it. Beside it the runs of segment files that hold the rows, on a simulated disk, which are flushed, merged
 * and rewritten by the code under test. Rows that a merge leaves out are struck off the list, and every read that the
 * rules allow must answer as it would have with all of them. */
#ifndef COMPACT_WORLD_H
#define COMPACT_WORLD_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/compact/compact_merge.h"
#include "tests/support/env_sim.h"

#define WORLD_BRANCHES 10u /* 0 is the registry */
#define WORLD_KEYS 7u
#define WORLD_VERSIONS 400u
#define WORLD_ROWS 2400u
#define WORLD_RUNS 12u
#define WORLD_TAGS 12u

typedef struct world_row {
    yr_segment_row row; /* slices are the world's */
    uint32_t branch;
    uint32_t key;
    uint32_t older; /* the key's next older row on this branch; UINT32_MAX = none */
    bool is_there;  /* in some run */
    bool was_seen;  /* scratch of a check */
} world_row;

typedef struct world_branch {
    uint32_t parent; /* 0 = a root */
    uint64_t fork_version;
    bool is_dead;
    uint64_t horizon;
    uint32_t newest[WORLD_KEYS];
} world_branch;

typedef struct world_tag {
    uint32_t branch;
    uint64_t version; /* 0 = no tag */
} world_tag;

typedef struct world {
    yr_sim *sim;
    const yore_env *env;
    yore_dir *dir;
    yr_block_cache *cache;
    yr_decoders *decoders;
    yr_rng rng;
    yore_error err;
    uint64_t last_file_id;
    /* By definition. */
    world_row rows[WORLD_ROWS];
    uint32_t row_count;
    world_branch branches[WORLD_BRANCHES];
    uint32_t branch_count;
    world_tag tags[WORLD_TAGS];
    struct {
        int64_t time_ns;
        uint64_t prev;
        uint32_t branch;
        uint32_t row_count;
    } commits[WORLD_VERSIONS + 1];
    uint64_t version;
    uint64_t flushed; /* rows above are in no run yet */
    /* On disk, newest first. */
    yr_run *runs[WORLD_RUNS];
    uint32_t run_count;
    /* What the rules are made of. */
    yr_keep_rules rules[WORLD_BRANCHES];
    yr_keep_pin pins[WORLD_BRANCHES][WORLD_BRANCHES + WORLD_TAGS];
    yr_keep_set keep;
    /* Of the merge at work. */
    uint32_t merge_last; /* run */
    uint64_t asked;
    uint64_t progress_calls;
    uint64_t cancel_after; /* calls of progress; 0 = never */
    /* What was looked at, all in all. */
    uint64_t reads;
    uint64_t rows_dropped;
    uint64_t hiding_dropped;
    const char *wrong; /* the first wrong answer, for planted bugs; NULL */
    bool notes_wrong;  /* note it instead of failing the test */
} world;

void world_init(world *w, uint64_t seed);
void world_deinit(world *w);

/* -- what happens to a store -- */
void world_commit(world *w);        /* random rows on a random branch */
void world_fork(world *w);          /* from a readable version of a random branch */
void world_kill(world *w);          /* a branch */
void world_raise_horizon(world *w); /* of a branch */
void world_tag_something(world *w); /* a readable version, or take a tag away */
yore_status world_flush(world *w);  /* everything that is in no run, as a new one of one to three files */

/* -- compaction -- */
void world_rules(world *w); /* w->keep from branches, tags and horizons */
void world_options(world *w, yr_merge_options *options);
/* Merge runs [first, last], check the output and put it in their place. With keep NULL everything must come out. */
yore_status world_merge(world *w, uint32_t first, uint32_t last, const yr_keep_set *keep);
yore_status world_rewrite(world *w, uint32_t run, uint32_t file, const yr_keep_set *keep);
/* Every read that the rules allow. */
void world_check(world *w);
/* Names in the directory. */
uint32_t world_names(const world *w);

#define world_ok(w, call) assert_world_ok((w), (call), #call, __LINE__)
void assert_world_ok(const world *w, yore_status status, const char *what, int line);

#endif

/* A model of a run of segments: all rows in a sorted array, all commits in another. Made from a seed and a shape,
 * written with the builder on a simulated disk, as one file or several, and asked the same questions as the reader. */
#ifndef SEGMENT_KIT_H
#define SEGMENT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/segment/run.h"
#include "engine/segment/segment_builder.h"
#include "engine/segment/segment_verify.h"
#include "tests/support/env_sim.h"

#define KIT_NAME "000001.seg"
#define KIT_PATH "db/000001.seg"
#define KIT_FILES_MAX 5u

typedef struct kit_shape {
    const char *name;
    uint32_t keys;
    uint32_t commits;
    uint32_t rows_per_commit; /* at most */
    uint32_t key_bytes;       /* at most, behind the 5 of branch and primitive */
    uint32_t value_bytes;     /* at most */
    uint32_t branches;
    uint32_t hot_keys; /* of the keys: most writes go to these; 0 = all alike */
    bool has_prefixes; /* keys that begin with other keys, and long common beginnings */
    bool has_gaps;     /* versions without a commit, commits without rows */
    bool is_compressible;
} kit_shape;

extern const kit_shape kit_shapes[];
extern const size_t kit_shape_count;

typedef struct kit_commit {
    yr_commit_head head;
    uint64_t prev;
} kit_commit;

typedef struct kit_model {
    const kit_shape *shape;
    yr_segment_row *rows; /* by key, newest first */
    uint32_t row_count;
    uint32_t *key_rows; /* first row of each key that was written, and one past the last */
    uint32_t key_count;
    kit_commit *commits;
    uint32_t commit_count;
    uint64_t after_version;
    uint64_t last_version;
    uint32_t *by_version; /* rows in order of version, then key */
    void **blocks;        /* allocated bytes */
    uint32_t block_count;
} kit_model;

void kit_model_make(kit_model *model, const kit_shape *shape, uint64_t seed);
void kit_model_free(kit_model *model);
/* Index of the newest row of key k with version <= cap; UINT32_MAX = none. */
uint32_t kit_model_find(const kit_model *model, uint32_t k, uint64_t cap);

typedef struct kit {
    yr_sim *sim;
    const yore_env *env;
    yore_dir *dir;
    yr_block_cache *cache;
    yr_decoders *decoders;
    uint32_t file_count; /* of the run: how many to build (1), and how many there are */
    bool is_salvage;     /* open the run for that */
    yr_run *run;         /* while it is open */
    yr_segment *segment; /* its first file */
    uint8_t *image;      /* that one's bytes */
    size_t image_bytes;
    yore_slice more_images[KIT_FILES_MAX]; /* those of the others; [0] is empty */
    yore_error err;
} kit;

#define kit_ok(k, call) assert_kit_status((k), YORE_OK, (call), #call, __LINE__)
void assert_kit_status(const kit *k, yore_status want, yore_status status, const char *what, int line);

void kit_init(kit *k, uint64_t seed, uint64_t cache_bytes);
/* Closes everything; what was not given back fails the test. */
void kit_deinit(kit *k);
void kit_options(const kit_model *model, enum yr_segment_form form, yr_segment_build_options *options);
/* Build file_count files, cut between keys, under their final names; fewer if there are not enough keys. The first
 * failure's status. */
yore_status kit_build(kit *k, const kit_model *model, const yr_segment_build_options *options);
/* Copy the files' bytes to k->image and k->more_images. */
void kit_load(kit *k);
enum kit_way { KIT_PREAD, KIT_IMAGE, KIT_LOAD, KIT_WAY_COUNT };
yore_status kit_open(kit *k, enum kit_way way);
void kit_close(kit *k);

/* The model's answers, and what to ask. */
uint64_t kit_some_cap(const kit_model *model, yr_rng *rng);
/* A key that may or may not be there. */
yore_slice kit_some_key(const kit_model *model, yr_rng *rng, uint8_t to[YR_SEGMENT_TREE_KEY_MAX + 4]);
/* First key of the model >= a key. */
uint32_t kit_model_seek(const kit_model *model, yore_slice key);
bool kit_has_prefix(const kit_model *model, uint32_t key, yore_slice prefix);
void kit_expect_row(const yr_segment_row *want, const yr_segment_row *got, const char *what);
bool kit_same_head(const yr_commit_head *a, const yr_commit_head *b);

bool kit_same_row(const yr_segment_row *a, const yr_segment_row *b);
uint64_t kit_hash(const kit *k, yore_slice tree_key);
/* Every question of a store while it runs: branches, heads, pins, changes after changes ... (segment_kit_run.c), */
void kit_compare_run(kit *k, const kit_model *model, yr_rng *rng);
/* and with these everything there is to ask; caps and starting keys are drawn. */
void kit_compare(kit *k, const kit_model *model, uint64_t seed);

#endif

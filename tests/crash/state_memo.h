/* What is known of disks that were recovered before.
 *
 * Recovery depends on the names in the store's directory and on the bytes of the files that it opens, on nothing else
 * (clock and random numbers are set to the same before each). So two disks that have the same names, and the same bytes
 * in those files that the recovery of one of them opened, end in the same way. A power cut in the middle of a flush
 * leaves thousands of disks that differ only in a file which recovery unlinks without a look. */
#ifndef YR_STATE_MEMO_H
#define YR_STATE_MEMO_H

#include "tests/support/env_sim.h"

typedef struct state_memo state_memo;

state_memo *state_memo_create(void);
void state_memo_destroy(state_memo *memo); /* NULL is allowed */

enum { STATE_FILES_MAX = 64 };

/* The files of a disk before it is recovered. */
typedef struct state_files {
    uint64_t names_hash;
    uint32_t count;
    uint32_t inos[STATE_FILES_MAX];
    uint64_t names[STATE_FILES_MAX];  /* hashes */
    uint64_t hashes[STATE_FILES_MAX]; /* of name and bytes */
} state_files;

/* `how`: everything else that the verdict depends on. False when it is not a disk to remember anything of. */
bool state_files_note(state_files *files, const yr_sim *disk, const char *dir, uint64_t how);
/* The answer of the recovery of such a disk, if there was one. */
bool state_memo_find(const state_memo *memo, const state_files *files, uint64_t *answer);
/* `disk` was just recovered. */
void state_memo_add(state_memo *memo, const state_files *files, const yr_sim *disk, uint64_t answer);

/* A set of whole disks: true when it is new. */
bool state_memo_add_image(state_memo *memo, const yr_sim *disk, uint64_t how);

#endif

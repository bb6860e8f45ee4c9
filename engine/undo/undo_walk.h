/* Which commit `undo` takes back next, and which undo `redo` takes back: read off the marks of a branch's own commits,
 * nothing is kept beside them.
 *
 * The commits are shown newest first. An undo of vX stands for the state before X, so X is passed over when the walk
 * comes to it, and so is an undo that a redo has taken back. What is then met first is the answer:
 *
 *     for undo   the first commit that is neither taken back nor an undo: a redo is a commit like any other here,
 *                because undoing it leads where its undo had led
 *     for redo   the first undo that is not taken back, if no other commit is met before
 *
 * A mark that names no own commit (the log was imported into other versions) passes nothing over. */
#ifndef YR_UNDO_WALK_H
#define YR_UNDO_WALK_H

#include "engine/base/buf.h"
#include "engine/undo/undo_mark.h"

typedef enum yr_undo_step {
    YR_UNDO_ON,        /* show the commit before */
    YR_UNDO_FOUND,     /* this one */
    YR_UNDO_NOTHING,   /* redo: this commit was made after the last undo */
    YR_UNDO_NO_MEMORY, /* nothing has changed */
} yr_undo_step;

typedef struct yr_undo_walk {
    yr_buf passed; /* versions to pass over, ascending: the next one is the last */
    uint32_t kind; /* YORE_UNDO_UNDO or YORE_UNDO_REDO */
} yr_undo_walk;

void yr_undo_walk_init(yr_undo_walk *walk, const yore_env *env, uint32_t kind);
void yr_undo_walk_deinit(yr_undo_walk *walk);
/* Show the next own commit: versions descend from call to call. */
yr_undo_step yr_undo_walk_step(yr_undo_walk *walk, uint64_t version, yr_undo_mark mark);

#endif

/* A plan that brings back older states: what db_undo.c finds out, db_undo_keys.c walks and db_undo_apply.c commits. */
#ifndef YR_UNDO_PRIVATE_H
#define YR_UNDO_PRIVATE_H

#include "engine/db/handle.h"
#include "engine/diff/view_diff.h"
#include "engine/json/json_merge.h"
#include "engine/undo/undo_mark.h"
#include "engine/undo/undo_rule.h"

#include <yore/undo.h>

/* The states a key is looked at in. */
enum { YR_UNDO_NOW, YR_UNDO_BASE, YR_UNDO_THEN, YR_UNDO_STATES };

struct yore_undo {
    yore_db *db;       /* holds a reference */
    yr_layers *layers; /* likewise; of all views */
    yr_branch *branch;
    const yr_branch *source;       /* of `mark.version` */
    uint64_t visible;              /* when the layers were taken */
    yr_view views[YR_UNDO_STATES]; /* all with the time of now: what has expired is absent */
    yr_undo_mark mark;
    bool has_base;    /* else nothing clashes */
    bool moves_stack; /* a commit is made even when it changes nothing */
    bool is_applied;
    const yore_key *keys; /* NULL: those of the commit, or of a diff */
    size_t key_count;
    yore_slice keep_as;
    yore_slice prefix; /* of a diff; behind the struct */
    uint32_t primitive;
    size_t bytes; /* of this block */
    /* the walk over its keys; all NULL and 0 before the first */
    yore_iter *rows;
    yr_diff *diff;
    size_t key_at;
    yr_found found[YR_UNDO_STATES]; /* of the last key */
    bool shows[YR_UNDO_STATES];     /* it is not absent there: `found` is set */
    bool is_merged;                 /* it gets neither of them, but `merged` */
    yr_json_merged json;            /* then holds its value */
    yore_undo_state merged;
};

/* RESTORE of a prefix, RESET: the keys are those of a diff, and nothing else may have changed them. */
static inline bool yr_undo_is_diff(const yore_undo *plan)
{
    return !plan->has_base && !plan->keys;
}

/* Release what the last key borrows, and begin anew. */
void yr_undo_rewind(yore_undo *plan);

#endif

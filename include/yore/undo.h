/* Bringing back what was: undo, redo, revert, cherry-pick, restore, reset.
 *
 * Each is planned first and then made, as one more commit of the branch: history is never rewritten, and every earlier
 * as-of answer stays. A plan looks at the branch as it was when the plan was made; a commit that touches one of
 * its keys meanwhile wins, and applying the plan then is YORE_CONFLICT.
 *
 *     yore_undo_options options = YORE_UNDO_OPTIONS_INIT; // kind YORE_UNDO_UNDO: the newest commit not yet undone
 *     status = yore_undo_open(db, yore_str("default"), &options, &plan, &err);
 *     status = yore_undo_apply(plan, NULL, yore_str("that was wrong"), &where, &err);
 *     yore_undo_close(plan);
 *
 * An undo says in its commit's source text what it took back, and the stack is read off these texts: an undo after
 * an undo takes back the commit before, a redo the newest undo not yet redone, and any other commit leaves nothing
 * to redo.
 *
 * undo, revert and cherry-pick change a key only if it is as the commit in question left it (a cherry-pick: found it).
 * One that is not is a clash: nothing is done at all, unless the values are JSON objects that were changed in different
 * places, which are merged by path. A state is value, type, metadata and the time of expiry; what has
 * expired by now counts as absent, so it is not brought back.
 */
#ifndef YORE_UNDO_H
#define YORE_UNDO_H

#include <stdbool.h>

#include <yore/diff.h>
#include <yore/snap.h>
#include <yore/txn.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yore_undo yore_undo;

#define YORE_UNDO_UNDO 1u    /* take back a commit of the branch itself */
#define YORE_UNDO_REDO 2u    /* take back the newest undo */
#define YORE_UNDO_REVERT 3u  /* take back a commit of its history, as a change like any other */
#define YORE_UNDO_PICK 4u    /* make the change of a commit of any branch here (cherry-pick) */
#define YORE_UNDO_RESTORE 5u /* give keys the state of a point */
#define YORE_UNDO_RESET 6u   /* give the whole branch the state of a point */

typedef struct yore_undo_options {
    uint32_t struct_size;
    uint32_t kind;     /* YORE_UNDO_...; 0 = YORE_UNDO_UNDO */
    uint64_t version;  /* the commit. UNDO: 0 = the newest one not undone; PICK: 0 = the one `at` shows */
    const yore_at *at; /* PICK, RESTORE, RESET: the point. Borrowed for the call */
    /* RESTORE: these keys; PICK: only these of the commit's. Borrowed until the plan is closed. */
    const yore_key *keys;
    size_t key_count;
    yore_slice prefix; /* RESTORE without keys: the keys that start with these bytes. Borrowed for the call */
    uint32_t primitive; /* of the prefix; 0 = YORE_KV */
    uint32_t reserved;
    /* RESET: fork the branch as it was under this name first. Borrowed until the plan is closed. When the reset itself
     * fails then, the fork is deleted again. */
    yore_slice keep_as;
} yore_undo_options;

#define YORE_UNDO_OPTIONS_INIT                                        \
    {                                                                 \
        sizeof(yore_undo_options), 0, 0, NULL, NULL, 0, {0, 0}, 0, 0, \
        {                                                             \
            0, 0                                                      \
        }                                                             \
    }

typedef struct yore_undo_info {
    uint32_t struct_size;
    uint32_t kind;
    uint64_t version;      /* the commit, or the one the point shows */
    uint64_t snap_version; /* the branch is looked at as of this version */
    uint32_t branch_id;    /* the branch that changes */
    uint32_t source_id;    /* the branch of `version` */
    char source[40];       /* what the commit's source text will be: "undo:v12" */
    char branch[YORE_BRANCH_NAME_MAX + 1];
    char reserved[7];
} yore_undo_info;

/* A key in one of the states. Version 0: absent. */
typedef struct yore_undo_state {
    yore_slice value;
    yore_slice meta;
    uint64_t version;
    int64_t expiry_ns; /* 0 = never */
    uint32_t type;     /* YORE_TYPE_... */
    uint32_t reserved;
} yore_undo_state;

/* What becomes of one key. */
typedef struct yore_undo_row {
    yore_slice key;
    uint32_t primitive;
    uint32_t op; /* YORE_DIFF_ADD, CHANGE or DEL: what it does to the branch; 0 for a clash */
    bool clash;  /* `now` is not `base` */
    bool
        merged; /* `then` is of no version: the change was made inside the JSON object `now`. `then.version` is the
                    other side's */
    bool reserved[6];
    yore_undo_state now;  /* on the branch */
    yore_undo_state base; /* what it would have to be there; RESTORE and RESET ask for nothing: absent */
    yore_undo_state then; /* what it is to become */
} yore_undo_row;

/* Plan a change of a branch. Reads only; also of a store that was opened read-only.
 * branch   name; empty = "default". Borrowed for the call.
 * options  NULL = undo the newest commit that is not undone.
 * out      set only on YORE_OK; close it with yore_undo_close, before the store.
 * Returns YORE_OK; YORE_ERR_REFUSED when there is nothing to undo or redo, for a commit that the fork inherited, one of
 *         another branch (undo, revert), or one that is not data;
 *         YORE_ERR_TRIMMED when the state to bring back is no longer kept; YORE_ERR_TIME_RANGE for a version that
 *         does not exist; YORE_ERR_NO_BRANCH, YORE_ERR_NO_TAG, YORE_ERR_NAME, YORE_ERR_EXISTS (keep_as),
 *         YORE_ERR_NOMEM.
 * Threads any.   Blocks on reads.   Cost O(commits passed over on the stack); no key is looked at. */
YORE_API YORE_NODISCARD yore_status yore_undo_open(yore_db *db, yore_slice branch,
                                                   const yore_undo_options *options, yore_undo **out,
                                                   yore_error *err);

/* Describe a plan.
 * out      struct_size set by the caller.
 * Returns YORE_OK, YORE_ERR_MISUSE.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_undo_info_get(const yore_undo *plan, yore_undo_info *out,
                                                       yore_error *err);

/* Take the next key that the plan changes or that clashes, in key order (keys that were given: in theirs).
 * row      lasts until the next call with the plan.
 * Returns YORE_OK; YORE_END, after which it begins anew; YORE_ERR_REFUSED for a key given to a cherry-pick and
 *         not written by its commit.
 * Threads one at a time.   Blocks on reads.   Cost a few gets; RESTORE of a prefix and RESET as a diff. */
YORE_API YORE_NODISCARD yore_status yore_undo_next(yore_undo *plan, yore_undo_row *row, yore_error *err);

/* Make it, as one commit. The plan stays, to be closed; it can be applied once.
 * options  NULL = defaults; `source`, `source_time_ns`, `parents` and `isolation` are not looked at.
 * note     up to YORE_NOTE_BYTES_MAX bytes, may be empty.
 * where    may be NULL; where the commit landed. Its version is 0 when nothing was to be changed: then no commit was
 *          made, unless it is one of undo's or redo's stack.
 * Returns YORE_OK; YORE_CONFLICT: keys clash (yore_undo_next lists them), or one was committed meanwhile; nothing was
 *         written. Else as yore_begin and yore_commit; RESET as yore_branch_create.
 * Threads one at a time.   Blocks as a commit.   Cost O(what changes), which it holds in memory. */
YORE_API YORE_NODISCARD yore_status yore_undo_apply(yore_undo *plan, const yore_txn_options *options,
                                                    yore_slice note, yore_where *where, yore_error *err);

/* Close a plan; its rows end with it. NULL is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_undo_close(yore_undo *plan);

#ifdef __cplusplus
}
#endif
#endif

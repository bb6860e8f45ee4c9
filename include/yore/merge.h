/* Three-way merge: what one branch changed since the two had last the same, put into another.
 *
 * The base is their nearest common version; a recorded merge counts, so a later one starts where the last one ended. A
 * key that only the other branch (theirs) changed is taken over, one that both changed alike is left, and one that both
 * changed differently is a conflict. Without another word nothing is merged then, and the plan lists every conflict.
 * Values that are JSON objects are merged by path. A merge is one commit of the branch (ours) with both parents.
 *
 *     status = yore_merge_plan_open(db, &exp, yore_str("default"), NULL, &plan, &err);
 *     yore_merge_plan_info(plan, &info, &err);        // base, how many changes and conflicts
 *     if (!info.open_conflicts) status = yore_merge_apply(plan, yore_str(""), NULL, &where, &err);
 *     yore_merge_plan_close(plan);
 *
 * A plan only reads, and is of both branches as they were: applying it is refused when one of them has moved on.
 */
#ifndef YORE_MERGE_H
#define YORE_MERGE_H

#include <stdbool.h>

#include <yore/txn.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a conflict becomes. Of JSON objects only the paths that both changed differently are decided so. */
#define YORE_MERGE_STOP 0u   /* nothing is merged */
#define YORE_MERGE_OURS 1u   /* ours stays */
#define YORE_MERGE_THEIRS 2u /* theirs is taken */
#define YORE_MERGE_NEWEST 3u /* the side that was written or deleted in the later commit */

/* Kinds of conflict. */
#define YORE_MERGE_BOTH_ADDED 1u
#define YORE_MERGE_BOTH_CHANGED 2u
#define YORE_MERGE_CHANGE_DELETE 3u /* ours changed it, theirs deleted it */
#define YORE_MERGE_DELETE_CHANGE 4u /* ours deleted it, theirs changed it */

/* The answer to one conflict, which it must name as it is. */
typedef struct yore_merge_resolution {
    yore_key key;
    uint64_t base_version; /* as the conflict has them; 0 where it is absent */
    uint64_t ours_version;
    uint64_t theirs_version;
    yore_slice value; /* what it becomes; type and metadata are those of ours, else of theirs */
    bool is_delete;   /* or nothing */
    bool reserved[7];
} yore_merge_resolution;

typedef struct yore_merge_options {
    uint32_t struct_size;
    uint32_t on_conflict;                     /* YORE_MERGE_... */
    const yore_merge_resolution *resolutions; /* one for every conflict; borrowed for the call */
    size_t resolution_count;
    size_t *refused; /* may be NULL; which resolution was refused, resolution_count when one is missing */
    /* Merge what has nothing in common, as if both had begun empty. Where the newest common version was merged into
     * both from a branch whose data has been collected since, the one before it is the base: what one of them took back
     * of that merge comes again. */
    bool allow_unrelated;
    bool whole_values; /* JSON values are not merged by path */
    bool reserved[6];
} yore_merge_options;

#define YORE_MERGE_OPTIONS_INIT                                     \
    {                                                               \
        sizeof(yore_merge_options), 0, NULL, 0, NULL, false, false, \
        {                                                           \
            false                                                   \
        }                                                           \
    }

typedef struct yore_merge_info {
    uint32_t struct_size;
    uint32_t base_branch_id;
    uint64_t base_version; /* 0: they had nothing in common but an empty beginning */
    int64_t base_time_ns;
    uint64_t ours_version; /* newest commit of each lineage: what the plan is bound to. 0 = none */
    uint64_t theirs_version;
    uint64_t puts;    /* keys that the merge writes */
    uint64_t dels;    /* and deletes */
    uint64_t by_path; /* of the puts: JSON values made of both sides */
    uint64_t alike;   /* keys that both changed to the same */
    uint64_t conflicts;
    uint64_t open_conflicts; /* of them: neither resolved nor decided by on_conflict */
    uint64_t base_steps;     /* places of the graph of commits that were looked at to find the base */
    uint32_t ours_branch_id;
    uint32_t theirs_branch_id;
    bool is_nothing; /* ours has all of theirs: there is nothing to merge */
    bool reserved[7];
    char ours_branch[YORE_BRANCH_NAME_MAX + 1];
    char theirs_branch[YORE_BRANCH_NAME_MAX + 1];
} yore_merge_info;

/* A key at one of the three points. */
typedef struct yore_merge_side {
    yore_slice value;
    yore_slice meta;
    uint64_t version;  /* the commit that wrote it; 0 = it is absent */
    int64_t expiry_ns; /* 0 = never */
    uint32_t type;     /* YORE_TYPE_... */
    uint32_t reserved;
} yore_merge_side;

typedef struct yore_merge_conflict {
    uint32_t struct_size;
    uint32_t kind;      /* YORE_MERGE_BOTH_ADDED ... */
    uint32_t primitive; /* of the key */
    uint32_t
        decided; /* YORE_MERGE_OURS or _THEIRS, as on_conflict said; YORE_MERGE_STOP = open, or resolved */
    yore_slice key;
    yore_merge_side base;
    yore_merge_side ours;
    yore_merge_side theirs;
    const yore_slice *paths; /* JSON objects: RFC 6901 paths of what both changed differently */
    size_t path_count;
} yore_merge_conflict;

typedef struct yore_merge_change {
    uint32_t struct_size;
    uint32_t op;        /* YORE_OP_... */
    uint32_t primitive; /* of the key */
    bool is_by_path;    /* a JSON value made of both sides */
    bool is_conflict;   /* decided by on_conflict or a resolution */
    bool reserved[2];
    yore_slice key;
    yore_merge_side before; /* ours */
    yore_merge_side after;  /* what the merge writes; its version is theirs', 0 where it is of neither */
} yore_merge_change;

typedef struct yore_merge_plan yore_merge_plan;

/* Plan a merge: find the base and what becomes of every key that theirs changed since.
 * from     what is merged; usually a branch's tip, but may be any point of a branch that is not deleted. NULL =
 *          default@now.
 * into     the branch that gets it; empty = "default".
 * options  NULL = stop at conflicts; borrowed for the call.
 * out      set only on YORE_OK, conflicts or not; close it with yore_merge_plan_close.
 * Returns YORE_OK; YORE_ERR_REFUSED for a branch and itself, and for branches that have nothing in common;
 *         YORE_ERR_INPUT for resolutions that are no answer to the conflicts; YORE_ERR_TRIMMED when the base is not
 *         kept any more; YORE_ERR_NO_BRANCH and as yore_snap_open for the points; YORE_ERR_NOMEM.
 * Threads any.   Blocks on reads, and for a commit group under way.
 * Cost O(branches and merges since the base + keys that theirs changed since). */
YORE_API YORE_NODISCARD yore_status yore_merge_plan_open(yore_db *db, const yore_at *from, yore_slice into,
                                                         const yore_merge_options *options,
                                                         yore_merge_plan **out, yore_error *err);

/* Close a plan; what it gave ends with it. NULL is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_merge_plan_close(yore_merge_plan *plan);

/* Describe a plan.
 * out      struct_size set by the caller.
 * Returns YORE_OK, YORE_ERR_MISUSE.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_merge_plan_info(const yore_merge_plan *plan, yore_merge_info *out,
                                                         yore_error *err);

/* The i-th conflict, by primitive and key, decided or not.
 * out      struct_size set by the caller; what it points to lasts until the next call on the plan.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.
 * Threads one at a time.   Blocks on reads.   Cost three reads, and reading the values if they are JSON. */
YORE_API YORE_NODISCARD yore_status yore_merge_plan_conflict(yore_merge_plan *plan, size_t i,
                                                             yore_merge_conflict *out, yore_error *err);

/* The i-th change that applying makes, by primitive and key.
 * out      struct_size set by the caller; what it points to lasts until the next call on the plan.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.
 * Threads one at a time.   Blocks on reads.   Cost two reads. */
YORE_API YORE_NODISCARD yore_status yore_merge_plan_change(yore_merge_plan *plan, size_t i,
                                                           yore_merge_change *out, yore_error *err);

/* Do what a plan says, in one commit of ours with both parents. With nothing to merge no commit is made; with nothing
 * to write one is, so that the next merge starts from here. The plan stays open, but cannot be applied again.
 * note     of the commit; empty = "merge NAME".
 * options  times, author, source ("merge:NAME@vN" when empty), durability; further parents come behind theirs. NULL =
 *          defaults; isolation is the merge's own.
 * where    may be NULL; the commit, or ours' tip when there was nothing to merge.
 * Returns YORE_OK; YORE_CONFLICT when a branch has moved on since the plan was made, or conflicts are open: nothing was
 *         written; as yore_commit.
 * Threads one at a time.   Blocks as yore_commit.   Cost O(changes) + one commit. */
YORE_API YORE_NODISCARD yore_status yore_merge_apply(yore_merge_plan *plan, yore_slice note,
                                                     const yore_txn_options *options, yore_where *where,
                                                     yore_error *err);

/* Plan and apply in one call. What is committed to other keys of the branches meanwhile is no hindrance.
 * info     may be NULL; struct_size set by the caller; describes the plan, also when it returns YORE_CONFLICT.
 * Returns YORE_OK; YORE_CONFLICT: open conflicts, or others kept writing the same keys; as the two calls.
 * Threads any.   Blocks as yore_commit.   Cost as the two calls. */
YORE_API YORE_NODISCARD yore_status yore_merge(yore_db *db, const yore_at *from, yore_slice into,
                                               const yore_merge_options *options, yore_slice note,
                                               const yore_txn_options *txn_options, yore_merge_info *info,
                                               yore_where *where, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif

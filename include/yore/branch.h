/* Branches and tags: versioned data of the store, each change one small system commit.
 *
 * A fork copies nothing: it is one record, whatever the number of keys or branches. A branch reads its
 * parent as it was at the fork until it writes a key of its own.
 *
 *     yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
 *     options.from = &last_tuesday;
 *     status = yore_branch_create(db, yore_str("exp"), &options, NULL, &err);
 */
#ifndef YORE_BRANCH_H
#define YORE_BRANCH_H

#include <stdbool.h>

#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yore_branch_options {
    uint32_t struct_size;
    bool empty;  /* a root branch: no parent, no keys */
    bool hidden; /* left out of listings unless asked for */
    bool reserved[2];
    const yore_at *from; /* where to fork; NULL = default@now. Ignored with `empty` */
    int64_t ttl_ns;      /* 0 = for ever */
    uint32_t sync;       /* YORE_SYNC_...; 0 = the store's */
    uint32_t reserved2;
} yore_branch_options;

#define YORE_BRANCH_OPTIONS_INIT                                                 \
    {                                                                            \
        sizeof(yore_branch_options), false, false, {false, false}, NULL, 0, 0, 0 \
    }

typedef struct yore_branch_info {
    uint32_t struct_size;
    uint32_t id;
    uint32_t parent_id;    /* 0 = a root branch */
    uint32_t depth;        /* 1 for a root */
    uint64_t fork_version; /* 0 for a root */
    uint64_t head_version; /* newest commit of its lineage */
    uint64_t create_version;
    int64_t created_ns; /* wall clock when it was made */
    int64_t head_time_ns;
    uint64_t own_keys;  /* of its own key space; a key that several layers have counts in each */
    uint64_t own_bytes; /* bytes of their values and metadata, all versions */
    uint64_t children;  /* live children */
    int64_t ttl_ns;
    uint64_t deleted_version; /* 0 = live */
    bool hidden;
    bool reserved[7];
    char name[YORE_BRANCH_NAME_MAX + 1];
    char parent[YORE_BRANCH_NAME_MAX + 1];
} yore_branch_info;

/* Create a branch.
 * name     legal and unused (docs/cli.md); copied.
 * options  NULL = fork of default's tip.
 * where    may be NULL: the registry commit.
 * Returns YORE_OK; YORE_ERR_NAME, YORE_ERR_EXISTS, YORE_ERR_NO_BRANCH, YORE_ERR_LIMIT (lineage depth), else as a
 *         commit.
 * Threads any.   Blocks as a commit.   Cost O(1) in keys and branches. */
YORE_API YORE_NODISCARD yore_status yore_branch_create(yore_db *db, yore_slice name,
                                                       const yore_branch_options *options, yore_where *where,
                                                       yore_error *err);

/* Describe a branch by name, or by "id:17" also a deleted one.
 * out      struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH (hint names the nearest).   Threads any.   Blocks on reads (snap.h).
 * Cost O(children). */
YORE_API YORE_NODISCARD yore_status yore_branch_info_get(yore_db *db, yore_slice name, yore_branch_info *out,
                                                         yore_error *err);

/* Describe the next branch after `after_id` in id order, deleted and hidden ones included.
 * Returns YORE_OK, YORE_END.   Threads any.   Blocks on reads.   Cost O(1) a branch. */
YORE_API YORE_NODISCARD yore_status yore_branch_next(yore_db *db, uint32_t after_id, yore_branch_info *out,
                                                     yore_error *err);

/* Give a branch another name.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_NAME, YORE_ERR_EXISTS, YORE_ERR_REFUSED (default); else as a commit.
 * Threads any.   Blocks as a commit.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_branch_rename(yore_db *db, yore_slice from, yore_slice to,
                                                       yore_where *where, yore_error *err);

/* Delete a branch. Its data stays, readable as id:N, until it is collected; open snapshots are unharmed.
 * cascade  also its descendants; without it a branch with live children is refused and they are named.
 * where    may be NULL.
 * count    may be NULL: how many branches went.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_HAS_CHILDREN, YORE_ERR_REFUSED (default); else as a commit.
 * Threads any.   Blocks as a commit.   Cost O(branches that go). */
YORE_API YORE_NODISCARD yore_status yore_branch_delete(yore_db *db, yore_slice name, bool cascade,
                                                       yore_where *where, uint64_t *count, yore_error *err);

/* Bring a deleted branch back.
 * which    its old name (the newest deleted one of that name) or "id:17".
 * as       a new name; empty = the old one.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_NOT_DELETED, YORE_ERR_EXISTS, YORE_ERR_NAME; YORE_ERR_REFUSED when its
 *         parent is deleted (recover that first); else as a commit.
 * Threads any.   Blocks as a commit.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_branch_recover(yore_db *db, yore_slice which, yore_slice as,
                                                        yore_where *where, yore_error *err);

typedef struct yore_flatten_report {
    uint32_t struct_size;
    uint32_t depth; /* of the branch's lineage */
    uint32_t steps; /* that a read of a key which is nowhere takes through it */
    uint32_t skips; /* over the hops between; */
    uint32_t made;  /* of them made by this call */
    uint32_t reserved;
    uint64_t keys;  /* that the skips know */
    uint64_t bytes; /* memory they take */
} yore_flatten_report;

/* Make reads of a deep branch as fast as those of a shallow one, now: a read passes over many hops of its lineage by
 * one look into a table in this handle's memory. Reads make the tables themselves once walking would have cost as much;
 * this does it beforehand, and also where more than 65,536 keys lie between two of them. Nothing that can be read
 * changes, nothing is written.
 * name     as yore_branch_info_get.
 * out      may be NULL; struct_size set by the caller.
 * Returns YORE_OK, also when there was nothing to do; YORE_ERR_NO_BRANCH; YORE_ERR_LIMIT when such tables take a 32nd
 *         of the store's memory budget already; YORE_ERR_NOMEM, YORE_ERR_CORRUPT, YORE_ERR_IO.
 * Threads any.   Blocks on reads.   Cost O(keys of the lineage but for its root's). */
YORE_API YORE_NODISCARD yore_status yore_branch_flatten(yore_db *db, yore_slice name,
                                                        yore_flatten_report *out, yore_error *err);

/* -- tags: names for (branch, version) -- */

typedef struct yore_tag_info {
    uint32_t struct_size;
    uint32_t branch_id;
    uint64_t version; /* what it names */
    int64_t time_ns;  /* that commit's time */
    int64_t created_ns;
    char name[YORE_BRANCH_NAME_MAX + 1];
    char branch[YORE_BRANCH_NAME_MAX + 1];
    char reserved[6];
} yore_tag_info;

/* Name a point.
 * at       NULL = default@now.
 * Returns YORE_OK; YORE_ERR_NAME, YORE_ERR_EXISTS, or as yore_at_resolve; else as a commit.
 * Threads any.   Blocks as a commit.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_tag_create(yore_db *db, yore_slice name, const yore_at *at,
                                                    yore_where *where, yore_error *err);

/* Forget a tag.
 * Returns YORE_OK; YORE_ERR_NO_TAG; else as a commit.   Threads any.   Blocks as a commit.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_tag_delete(yore_db *db, yore_slice name, yore_where *where,
                                                    yore_error *err);

/* Describe the first tag whose name is greater than `after` in byte order (empty = the first).
 * Returns YORE_OK, YORE_END.   Threads any.   Blocks on reads.   Cost O(key). */
YORE_API YORE_NODISCARD yore_status yore_tag_next(yore_db *db, yore_slice after, yore_tag_info *out,
                                                  yore_error *err);

/* Would this be a legal branch or tag name?
 * Returns YORE_OK; YORE_ERR_NAME with the reason.   Threads any.   Blocks never.   Cost O(length). */
YORE_API YORE_NODISCARD yore_status yore_name_check(yore_slice name, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif

/* Looking after a store: how long history is kept, what is collected, erased for good, rewritten, measured.
 *
 * Nothing is forgotten unless somebody says so. A branch keeps all of its history until yore_branch_retention_set says
 * less; yore_gc then moves the oldest point that can be read, with a commit, and gives back the space of what lies
 * before it. Reads of what is gone are YORE_ERR_TRIMMED, never a wrong answer. Forks, tags and open snapshots keep the
 * points they name.
 *
 *     yore_retention keep = YORE_RETENTION_INIT;
 *     keep.kind = YORE_RETENTION_AGE;
 *     keep.age_ns = 30 * 86400 * INT64_C(1000000000);
 *     status = yore_branch_retention_set(db, yore_str("default"), &keep, NULL, &err);
 *     ...
 *     yore_gc_options options = YORE_GC_OPTIONS_INIT;
 *     options.dry_run = true;
 *     yore_gc_report report = YORE_GC_REPORT_INIT;
 *     status = yore_gc(db, &options, &report, &err); // what would go
 */
#ifndef YORE_UPKEEP_H
#define YORE_UPKEEP_H

#include <stdbool.h>

#include <yore/env.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called now and then from the calling thread: `done` of `total`. Non-zero stops: YORE_ERR_CANCELLED. */
typedef int (*yore_upkeep_progress)(void *arg, uint64_t done, uint64_t total);

/* -- how much of its history a branch keeps -- */

#define YORE_RETENTION_UNSET 0u    /* nothing was said: everything is kept */
#define YORE_RETENTION_ALL 1u      /* everything, and what it sees of its parents' history, too */
#define YORE_RETENTION_AGE 2u      /* every state that was the present in the last `age_ns` */
#define YORE_RETENTION_VERSIONS 3u /* the states after its own last `versions` commits */

typedef struct yore_retention {
    uint32_t struct_size;
    uint32_t kind;     /* YORE_RETENTION_... */
    int64_t age_ns;    /* YORE_RETENTION_AGE: at least 1 */
    uint64_t versions; /* YORE_RETENTION_VERSIONS: at least 1 */
    /* What yore_branch_retention_get adds; ignored by yore_branch_retention_set. */
    uint64_t oldest_version; /* from here on the branch can be read at every point; 1 = nothing is trimmed */
    int64_t oldest_time_ns;  /* of that commit */
} yore_retention;

#define YORE_RETENTION_INIT                                      \
    {                                                            \
        sizeof(yore_retention), YORE_RETENTION_UNSET, 0, 0, 0, 0 \
    }

/* Say how much of its history a branch keeps from now on. Nothing goes before yore_gc; what went does not come back.
 * A branch shares history with the branches it was forked from and with those forked from it; the longest rule that
 * was set among them wins. Forks, tags and open snapshots keep the points they name whatever the rule.
 * name     a live branch; or "id:17".
 * keep     borrowed for the call. YORE_RETENTION_UNSET takes a rule back.
 * where    may be NULL: the registry commit.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_INPUT for an amount that is not possible, YORE_ERR_MISUSE; else as a
 *         commit.
 * Threads any.   Blocks as a commit.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_branch_retention_set(yore_db *db, yore_slice name,
                                                              const yore_retention *keep, yore_where *where,
                                                              yore_error *err);

/* What a branch keeps, and from where on it can be read.
 * out      struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH; YORE_ERR_TRIMMED for a deleted branch whose data has been collected.
 * Threads any.   Blocks on reads (snap.h).   Cost O(lineage depth). */
YORE_API YORE_NODISCARD yore_status yore_branch_retention_get(yore_db *db, yore_slice name,
                                                              yore_retention *out, yore_error *err);

/* -- collecting what is not kept -- */

/* What a collection does, or would do, to one branch. */
typedef struct yore_gc_branch {
    uint32_t struct_size;
    uint32_t id;
    bool purged; /* it is deleted, and its own data goes for good */
    bool reserved[7];
    uint64_t oldest_version; /* from here on it will be readable at every point; 0 when purged */
    int64_t oldest_time_ns;
    uint64_t versions; /* puts and deletes that go: a dry run counts them, else 0 */
    uint64_t bytes;    /* of keys and values in them */
    char name[YORE_BRANCH_NAME_MAX + 1];
    char reserved2[7];
} yore_gc_branch;

/* Called for each branch that changes, in id order. */
typedef void (*yore_gc_each)(void *arg, const yore_gc_branch *branch);

typedef struct yore_gc_options {
    uint32_t struct_size;
    bool dry_run; /* say what would go and change nothing; works on read-only handles too */
    bool now;     /* deleted branches go at once, without their seven days of grace */
    bool reserved[2];
    yore_gc_each each; /* NULL = none */
    void *each_arg;
    yore_upkeep_progress progress; /* NULL = none */
    void *progress_arg;
} yore_gc_options;

#define YORE_GC_OPTIONS_INIT                                                          \
    {                                                                                 \
        sizeof(yore_gc_options), false, false, {false, false}, NULL, NULL, NULL, NULL \
    }

typedef struct yore_gc_report {
    uint32_t struct_size;
    uint32_t branches_trimmed; /* whose readable history gets shorter */
    uint32_t branches_purged;
    uint32_t reserved;
    uint64_t version;     /* the commit that said so; 0 = nothing changed, or a dry run */
    uint64_t versions;    /* puts and deletes that went, or would go */
    uint64_t bytes;       /* of keys and values in them */
    uint64_t disk_before; /* bytes of the store's files */
    uint64_t disk_after;  /* after it; in a dry run what is expected */
} yore_gc_report;

#define YORE_GC_REPORT_INIT                            \
    {                                                  \
        sizeof(yore_gc_report), 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/* Deleted branches keep their data this long, unless yore_gc_options.now. */
#define YORE_GC_GRACE_NS (INT64_C(7) * 86400 * 1000000000)

/* Collect what no rule keeps: history before each branch's oldest point, and deleted branches whose time of grace is
 * over. First one commit says what can no longer be read; then files are rewritten and the space is given back. Stopped
 * between the two, the next collection or compaction goes on.
 * options  NULL = defaults.
 * out      may be NULL. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_CANCELLED, YORE_ERR_CORRUPT (a damaged file keeps everything it has), YORE_ERR_FULL; else
 *         as a commit.
 * Threads any; one at a time works, others wait.   Blocks on the disk, never readers.   Cost O(store). */
YORE_API YORE_NODISCARD yore_status yore_gc(yore_db *db, const yore_gc_options *options, yore_gc_report *out,
                                            yore_error *err);

/* Write everything in memory to segments and merge them as far as that helps reads and space.
 * progress  NULL = none.
 * Returns as yore_gc. A store in memory has nothing to compact: YORE_OK.
 * Threads any; one at a time works.   Blocks on the disk, never readers.   Cost O(store). */
YORE_API YORE_NODISCARD yore_status yore_compact(yore_db *db, yore_upkeep_progress progress, void *arg,
                                                 yore_error *err);

/* -- erasing: removing every version -- */

typedef struct yore_erase_options {
    uint32_t struct_size;
    bool prefix;       /* every key that begins with the given bytes, of its primitive */
    bool all_branches; /* on every branch, deleted ones too; else only the versions the branch itself wrote */
    bool dry_run;      /* count and change nothing */
    bool reserved;
    yore_upkeep_progress progress; /* NULL = none */
    void *progress_arg;
} yore_erase_options;

#define YORE_ERASE_OPTIONS_INIT                                            \
    {                                                                      \
        sizeof(yore_erase_options), false, false, false, false, NULL, NULL \
    }

typedef struct yore_erase_report {
    uint32_t struct_size;
    uint32_t branches; /* that had any of the keys */
    uint64_t version;  /* the commit that said so; 0 = there was nothing to erase, or a dry run */
    uint64_t keys;     /* of all branches */
    uint64_t versions; /* puts and deletes */
    uint64_t bytes;    /* of keys and values in them */
} yore_erase_report;

#define YORE_ERASE_REPORT_INIT                   \
    {                                            \
        sizeof(yore_erase_report), 0, 0, 0, 0, 0 \
    }

/* Erase keys: every version of them, at every point in history, and their bytes in the store's files.
 * Reads then find the keys absent at every point before the erasure, as if never written. Later commits may write them
 * again. When the call returns YORE_OK the bytes are in no file of the store any more (but may be in the disk's free
 * space, in backups, in copies, and in handles and snapshots that were open: they keep what they show until they are
 * closed). The registry remembers a hash of the key, not the key, so that a restored backup chain erases it again.
 * branch   a live branch, or "id:17". Ignored with all_branches.
 * key      the key, or with options->prefix the prefix (which may be empty); never YORE_SYSTEM.
 * options  NULL = this one key on this branch.
 * out      may be NULL. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_REFUSED when a parent of the branch shows one of the keys too, since the parent's value
 *         would rise: erase it there, or on all branches; YORE_ERR_NO_BRANCH, YORE_ERR_LIMIT, YORE_ERR_CANCELLED (the
 *         keys may be readable until it is run again); else as yore_gc.
 * Threads any; one at a time works.   Blocks on the disk.   Cost O(store). */
YORE_API YORE_NODISCARD yore_status yore_erase(yore_db *db, yore_slice branch, yore_key key,
                                               const yore_erase_options *options, yore_erase_report *out,
                                               yore_error *err);

/* -- sizes -- */

/* What a branch itself wrote. Keys that were written again after a flush count once in each layer. */
typedef struct yore_branch_size {
    uint32_t struct_size;
    uint32_t id;
    uint64_t keys;        /* entries of its own key space */
    uint64_t versions;    /* puts and deletes */
    uint64_t deletes;     /* of which */
    uint64_t key_bytes;   /* of user keys */
    uint64_t value_bytes; /* of all versions */
    uint64_t disk_bytes;  /* its share of the segments, by its bytes in each */
    char name[YORE_BRANCH_NAME_MAX + 1];
    char reserved[7];
} yore_branch_size;

/* The size of the next branch after `after_id` in id order, deleted and hidden ones included.
 * out      struct_size set by the caller.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.   Threads any.   Blocks as yore_scan.
 * Cost O(files + keys in memory) a branch. */
YORE_API YORE_NODISCARD yore_status yore_branch_size_next(yore_db *db, uint32_t after_id,
                                                          yore_branch_size *out, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif

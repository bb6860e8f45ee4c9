/* Opening, closing and looking after a store.
 *
 * A store is a directory. One process at a time may write it; any number may read it meanwhile. The path
 * ":memory:" is a store of this handle alone, gone when it is closed.
 *
 *     yore_open_options options = YORE_OPEN_OPTIONS_INIT;
 *     options.create = true;
 *     status = yore_open("shop.yore", &options, &db, &err);
 *     ...
 *     yore_close(db);
 */
#ifndef YORE_DB_H
#define YORE_DB_H

#include <stdbool.h>

#include <yore/env.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Durability of a commit (docs/architecture.md, "durability"). 0 in an option means "the default". */
#define YORE_SYNC_DEFAULT 0u
#define YORE_SYNC_COMMIT 1u /* on stable storage before the call returns */
#define YORE_SYNC_GROUP 2u  /* survives kill -9 at once, power loss after at most 100 ms */
#define YORE_SYNC_OS 3u     /* survives kill -9, not power loss */
#define YORE_SYNC_NONE 4u   /* not logged: gone when the store is closed, but for what was flushed */

typedef struct yore_open_options {
    uint32_t struct_size;
    uint32_t sync;    /* YORE_SYNC_...; default: the store's setting, else YORE_SYNC_COMMIT */
    bool read_only;   /* never writes a byte; a writer may be at work meanwhile */
    bool create;      /* create the store when there is none */
    bool must_create; /* with create: fail with YORE_ERR_EXISTS when there is one */
    bool reserved_flag;
    uint32_t wait_ms;          /* how long to wait for another writer; 0 = not at all */
    uint64_t memory_bytes_max; /* address space of a memtable; 0 = 16 GiB, the most. ":memory:" is one */
    uint64_t wal_bytes_min; /* size of the first WAL file; 0 = 1 MiB. Later ones double up to the maximum */
    uint64_t wal_bytes_max; /* 0 = 1/16 of the budget, 64 MiB at most */
    uint64_t search_bytes_max; /* memory of the search index; 0 = 4 GiB. Past it a search is YORE_ERR_LIMIT */
    const yore_env *env;       /* NULL = yore_env_default(); must outlive the store */
    /* Memory of the whole store but the search index; 0 = 1 GiB, at least 16 MiB. Beyond it may go what calls hold: a
     * transaction's own writes, values that are pinned. A ":memory:" store has no budget. */
    uint64_t memory_budget;
    uint64_t memtable_bytes; /* memory goes to a segment at this size; 0 = 1/8 of the budget, 1 GiB at most */
    uint32_t
        maintain_every; /* for tests: flush after so many commits, then merge everything; 0 = as needed */
    uint32_t reserved;
} yore_open_options;

#define YORE_OPEN_OPTIONS_INIT                                                                    \
    {                                                                                             \
        sizeof(yore_open_options), 0, false, false, false, false, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0 \
    }

/* Open a store.
 * path     a directory, or ":memory:". Borrowed for the call.
 * options  NULL = defaults: read and write, do not create. Borrowed for the call.
 * out      set only on YORE_OK; close it with yore_close.
 * err      may be NULL; written only on failure.
 * Returns YORE_OK; YORE_ERR_NO_STORE, YORE_ERR_NOT_STORE, YORE_ERR_EXISTS, YORE_ERR_LOCKED (names the
 *         holder), YORE_ERR_FORMAT, YORE_ERR_CORRUPT (names file and offset), YORE_ERR_READONLY,
 *         YORE_ERR_FULL, YORE_ERR_IO, YORE_ERR_NOMEM.
 * Threads any.   Blocks on the lock up to wait_ms, then on reading.   Cost O(what the log has and segments have not,
 * files, branches): however large the store is; a clean close leaves less than 1,000 commits and
 * 256 KiB in the log. */
YORE_API YORE_NODISCARD yore_status yore_open(const char *path, const yore_open_options *options,
                                              yore_db **out, yore_error *err);

/* Close a store. Snapshots, iterators and kept pins made from it stay readable until they are closed
 * themselves; transactions become unusable (commit gives YORE_ERR_MISUSE). NULL is allowed.
 * Memory is written to a segment unless it is little (under 1,000 commits and 256 KiB), so that the next open is short.
 * Returns nothing: never fails; call yore_sync first to hear of a failing disk.
 * Threads one; no other call on `db` may run.   Blocks on that, and a sync.   Cost O(what is in memory). */
YORE_API void yore_close(yore_db *db);

/* Put every acknowledged commit on stable storage, whatever its durability.
 * Returns YORE_OK; YORE_ERR_IO or YORE_ERR_POISONED.   Threads any.   Blocks on a sync.   Cost one sync. */
YORE_API YORE_NODISCARD yore_status yore_sync(yore_db *db, yore_error *err);

/* A read-only handle sees the commits that were there when it was opened; this brings it up to the
 * writer's newest published commit. On a writing handle it does nothing. Snapshots that are open stay as they are.
 * Returns YORE_OK; YORE_ERR_CORRUPT, YORE_ERR_IO, YORE_ERR_NOMEM.
 * Threads any.   Blocks on reading the log's new part, or what new segments say of themselves.   Cost O(new commits),
 * or as yore_open when the writer was too far ahead. */
YORE_API YORE_NODISCARD yore_status yore_refresh(yore_db *db, yore_error *err);

typedef struct yore_stats {
    uint32_t struct_size;
    uint32_t format_major;
    uint32_t format_minor;
    uint32_t sync;         /* durability in force */
    uint64_t version;      /* newest visible commit */
    int64_t time_ns;       /* its time */
    uint64_t branches;     /* live branches */
    uint64_t keys;         /* over all branches; a key that several layers have counts in each */
    uint64_t versions;     /* puts and deletes over all of them */
    uint64_t commits;      /* data and system commits */
    uint64_t key_bytes;    /* of user keys, counted as keys are */
    uint64_t value_bytes;  /* of values and metadata, all versions */
    uint64_t memory_bytes; /* memtables, indexes included, and branches */
    uint64_t entry_bytes;  /* of which: entries, values, history arrays, commit records */
    uint64_t hash_bytes;   /* of which: the hash index */
    uint64_t tree_bytes;   /* of which: the radix tree */
    uint64_t wal_bytes;    /* log bytes in use */
    uint64_t wal_files;
    uint64_t segment_bytes;
    uint64_t index_bytes;     /* 0: the search index is in yore_search_stats */
    uint64_t durable_version; /* newest commit known to be on stable storage */
    uint64_t groups;          /* log records written by this handle */
    uint64_t syncs;           /* syncs done by this handle */
    bool read_only;
    bool poisoned;
    bool reserved[6];
    uint64_t segments;    /* segment files */
    uint64_t runs;        /* sorted runs they make up: what a read may have to look at */
    uint64_t value_files; /* files of values over 64 KiB */
    uint64_t value_file_bytes;
    uint64_t cache_bytes; /* blocks of cold segments and values kept in memory */
    uint64_t cache_bytes_max;
    uint64_t cache_hits;
    uint64_t cache_misses;
    uint64_t flushes;       /* of memory to segments, by this handle; so the next ones */
    uint64_t flushed_bytes; /* written by them */
    uint64_t compactions;
    uint64_t compacted_bytes; /* written by them; write amplification is (flushed + compacted) / flushed */
    uint64_t files_retired;   /* files that merges made needless */
    uint64_t stall_ns;        /* time that commits were held up because flushes or merges lagged behind */
    uint32_t stall_reason;    /* YORE_STALL_..., now */
    uint32_t at_work;         /* flushes and merges under way, now */
} yore_stats;

#define YORE_STALL_NONE 0u
#define YORE_STALL_MEMORY 1u /* memory waits to be flushed */
#define YORE_STALL_RUNS 2u   /* too many runs wait to be merged */
#define YORE_STALL_DISK 3u   /* the disk is full or refuses: flushing is tried again */

/* Fill `out` with counters of the store.
 * out      struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_MISUSE.   Threads any.   Blocks never.   Cost O(files). */
YORE_API YORE_NODISCARD yore_status yore_stats_get(yore_db *db, yore_stats *out, yore_error *err);

#define YORE_CHECK_QUICK 1u /* structures in memory, and what files say of themselves */
#define YORE_CHECK_DEEP 2u  /* everything is read again and compared */

typedef struct yore_check_report {
    uint32_t struct_size;
    uint32_t problems;
    uint64_t keys;
    uint64_t versions;
    uint64_t commits;
    uint64_t branches;
    uint64_t wal_files;
    uint64_t wal_records;
    uint64_t wal_bytes;
    uint64_t tail_bytes_cut; /* bytes of a torn tail that opening set aside */
    uint64_t segments;
    uint64_t segment_bytes;
    uint64_t value_files;
    uint64_t value_file_bytes;
    uint64_t rows;   /* of segments, registry records included */
    uint64_t values; /* of them in value files */
} yore_check_report;

typedef struct yore_check_options {
    uint32_t struct_size;
    uint32_t level; /* YORE_CHECK_... */
    /* Called for every problem, from the calling thread; NULL = only the first one is told, in `err`. */
    void (*problem)(void *arg, const yore_error *problem);
    void *problem_arg;
    /* Called now and then: `done` of `total` bytes. Non-zero stops: YORE_ERR_CANCELLED. NULL = none. */
    int (*progress)(void *arg, uint64_t done, uint64_t total);
    void *progress_arg;
} yore_check_options;

#define YORE_CHECK_OPTIONS_INIT                                             \
    {                                                                       \
        sizeof(yore_check_options), YORE_CHECK_DEEP, NULL, NULL, NULL, NULL \
    }

/* Verify the store. Always: both indexes of what is in memory hold the same entries, chains are ordered, commits and
 * the registry agree; the layers follow each other without a gap; MANIFEST and the segments and value files it names
 * say the same of each other. Deep: every byte and every row of these files, every reference to a value, every log
 * record, both copies of MANIFEST. A problem does not end it.
 * level    YORE_CHECK_QUICK or YORE_CHECK_DEEP.
 * out      may be NULL: what was there, and how many problems.
 * Returns YORE_OK; YORE_ERR_CORRUPT or YORE_ERR_IO with the first problem in `err`; YORE_ERR_NOMEM.
 * Threads any; writers wait while memory is looked at.   Blocks on reading (deep: all).   Cost O(memory), deep
 * O(store). */
YORE_API YORE_NODISCARD yore_status yore_check(yore_db *db, uint32_t level, yore_check_report *out,
                                               yore_error *err);
/* The same, telling every problem and how far it is.
 * options  NULL = a deep check.
 * Returns as yore_check; YORE_ERR_CANCELLED; YORE_ERR_MISUSE for options that were not initialised.
 * Threads, Blocks, Cost as yore_check. */
YORE_API YORE_NODISCARD yore_status yore_check_run(yore_db *db, const yore_check_options *options,
                                                   yore_check_report *out, yore_error *err);

/* Rewrite a store of an older format in this version's format. A store that is current is left alone.
 * from, to  format numbers (major * 1000 + minor) before and after; either may be NULL.
 * Returns YORE_OK; YORE_ERR_FORMAT when it is newer than this library; else as yore_open.
 * Threads one.   Blocks on the disk.   Cost O(store). */
YORE_API YORE_NODISCARD yore_status yore_upgrade(const char *path, const yore_open_options *options,
                                                 uint32_t *from, uint32_t *to, yore_error *err);

/* The library's version, as in "0.1.0".
 * Returns a static string.   Threads any.   Blocks never.   Cost O(1). */
YORE_API const char *yore_version(void);

/* The on-disk format this library writes, as major * 1000 + minor.
 * Returns the number.   Threads any.   Blocks never.   Cost O(1). */
YORE_API uint32_t yore_format_version(void);

/* -- settings: versioned data of the store (docs/cli.md lists the names) -- */

/* Read a setting as of `at` (NULL = now).
 * value    NUL-terminated copy; YORE_ERR_LIMIT when `size` is too small.
 * Returns YORE_OK; YORE_NOT_FOUND when it was never set (the default holds).
 * Threads any.   Blocks on reads (snap.h).   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_config_get(yore_db *db, const char *name, const yore_at *at,
                                                    char *value, size_t size, yore_error *err);

/* Change a setting: one system commit. An empty value takes the setting back to its default.
 * Returns YORE_OK; YORE_ERR_NAME for a name yore does not know, YORE_ERR_INPUT for a value it refuses; or as a commit.
 * Threads any.   Blocks as a commit.   Cost one commit. */
YORE_API YORE_NODISCARD yore_status yore_config_set(yore_db *db, const char *name, const char *value,
                                                    yore_where *where, yore_error *err);

/* Some settings (`search.index`) take values for the keys that begin with a prefix. For a key the value with the
 * longest prefix holds, else that of the whole store, else the default. At most: */
#define YORE_CONFIG_PREFIX_MAX 1024u  /* bytes of a prefix */
#define YORE_CONFIG_PREFIXES_MAX 256u /* prefixes of one setting */
#define YORE_CONFIG_VALUE_SIZE 64u    /* a value that was set for a prefix, with its NUL */

/* Change a setting for the keys that begin with `prefix`: one system commit. An empty value takes the prefix's value
 * away again; an empty prefix is yore_config_set.
 * prefix   any bytes; borrowed for the call.
 * Returns YORE_OK; YORE_ERR_INPUT also for a setting that is one for the whole store, YORE_ERR_LIMIT for a prefix
 *         that is too long or one too many; else as yore_config_set.
 * Threads any.   Blocks as a commit.   Cost one commit, and O(prefixes of the setting). */
YORE_API YORE_NODISCARD yore_status yore_config_set_prefix(yore_db *db, const char *name, yore_slice prefix,
                                                           const char *value, yore_where *where,
                                                           yore_error *err);

typedef struct yore_config_value {
    uint32_t struct_size;
    uint32_t prefix_size; /* 0: set for the whole store */
    uint8_t prefix[YORE_CONFIG_PREFIX_MAX];
    char value[YORE_CONFIG_VALUE_SIZE];
} yore_config_value;

/* What is in force for a key, or for the keys that begin with it but for longer prefixes, as of `at` (NULL = now).
 * out      struct_size set by the caller; the value and the prefix that it was set for.
 * Returns YORE_OK; YORE_NOT_FOUND when nothing that holds for the key was set (the default holds).
 * Threads any.   Blocks on reads.   Cost O(prefixes of the setting). */
YORE_API YORE_NODISCARD yore_status yore_config_get_prefix(yore_db *db, const char *name, yore_slice key,
                                                           const yore_at *at, yore_config_value *out,
                                                           yore_error *err);

/* The prefixes that a setting has values for, in byte order: the first one after `after` (empty = the first), as of
 * `at` (NULL = now).
 * Returns YORE_OK; YORE_END.   Threads any.   Blocks on reads.   Cost O(prefixes of the setting). */
YORE_API YORE_NODISCARD yore_status yore_config_next_prefix(yore_db *db, const char *name, yore_slice after,
                                                            const yore_at *at, yore_config_value *out,
                                                            yore_error *err);

typedef struct yore_setting {
    const char *name;
    const char *default_value;
    const char *summary;
} yore_setting;

/* The settings yore knows.
 * count    set to how many.
 * Returns a static array.   Threads any.   Blocks never.   Cost O(1). */
YORE_API const yore_setting *yore_settings(size_t *count);

#ifdef __cplusplus
}
#endif
#endif

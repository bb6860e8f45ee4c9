/* The handles behind the public API, and who keeps whom alive.
 *
 * A yore_db is reference counted: the caller's handle is one reference, and every snapshot, iterator,
 * transaction and kept pin is another. yore_close stops writing (background thread, seal, log, lock) and
 * drops the handle's reference; the memory goes with the last one, so any order of closing is safe.
 */
#ifndef YR_HANDLE_H
#define YR_HANDLE_H

#include "engine/branch/skip.h"
#include "engine/db/background.h"
#include "engine/db/expirer.h"
#include "engine/db/prefaulter.h"
#include "engine/maintain/maintainer.h"
#include "engine/mvcc/commit.h"

#include <yore.h>

/* Something that follows the store and lives as long as its handle (the search index). The engine knows only how to
 * end it. */
typedef struct yr_companion yr_companion;
struct yr_companion {
    /* The handle is being closed: end threads and wait for them, and start none any more. Not called in a forked
     * child, nor when the companion is made while the handle is being closed: then it must not start any. */
    void (*stop)(yr_companion *companion);
    /* The last reference has gone. `abandoned`: in a forked child, where the companion's threads are missing and its
     * locks and data may be in the middle of a change: leave them alone. */
    void (*destroy)(yr_companion *companion, bool abandoned);
};

typedef struct yr_pin_hold yr_pin_hold;

struct yore_db {
    yr_store store;
    _Alignas(128) _Atomic uint32_t refs;
    _Atomic uint32_t closed;
    yr_background background;
    yr_prefaulter prefaulter;
    yr_expirer expirer;
    yr_disk disk;             /* env NULL for ":memory:" */
    yr_maintainer maintainer; /* store NULL for ":memory:" */
    /* immutable after open */
    const yore_env *env;
    yore_dir *dir; /* NULL for ":memory:" */
    yr_wal *wal;   /* NULL for ":memory:"; store.wal is the same, or NULL when nothing is to be logged */
    yr_store_lock *lock;
    char *path;
    size_t path_bytes;
    yr_wal_report report;
    uint64_t search_bytes_max;         /* of the search index; the companion's */
    uint64_t skip_bytes_max;           /* of all skips (engine/branch/skip.h) */
    _Atomic(yr_companion *) companion; /* NULL: none; set once */
    yr_mutex stray_mutex;
    yr_pin_hold *stray_holds; /* see db_pin.c; under stray_mutex */
    bool refresh_failed;      /* read-only handles; under maintainer.install, as the next one */
    int64_t peeked_ns;        /* when the newest MANIFEST was last looked at */
    bool made_dir;            /* by this open */
    uint32_t fork_generation; /* of the process that opened it: a forked child must not write */
};

/* What pins borrow: a snapshot or a transaction. */
typedef struct yr_pin_source {
    yore_db *db;        /* holds a reference */
    yr_layers *layers;  /* likewise */
    yr_pin_hold *holds; /* of pins that borrow blocks of the cache; one thread's */
} yr_pin_source;

/* db and layers with a reference each. */
void yr_pin_source_init(yr_pin_source *reader, yore_db *db, yr_layers *layers);
/* Ends the pins that borrow it. */
void yr_pin_source_deinit(yr_pin_source *reader);
/* The store is going: so are the holds whose pins nobody released. */
void yr_free_stray_holds(yore_db *db);

struct yore_snap {
    yr_pin_source reader;
    yr_view view;
};

/* An iterator is one of several kinds; the first member of each. */
struct yore_iter {
    yore_db *db;
    yr_layers *layers; /* what it reads; NULL: the kind keeps its own. Holds a reference */
    size_t bytes;      /* of the whole kind, for the allocator */
    yore_status (*next)(yore_iter *iter, void *rows, size_t row_size, size_t cap, size_t *n, yore_error *err);
    yore_status (*next_commit)(yore_iter *iter, yore_commit_info *out, yore_error *err);
    void (*deinit)(yore_iter *iter);
};

void yr_db_ref(yore_db *db);
void yr_db_unref(yore_db *db);

/* A zeroed iterator of `bytes` bytes holding references to the store and to `layers` (may be NULL). NULL when memory is
 * out. */
void *yr_iter_create(yore_db *db, yr_layers *layers, size_t bytes);
yore_status yr_iter_no_memory(yore_error *err);

/* The layers and the catalog that a store begins with. open: see yr_disk_open. After a failure yr_store_rewind. */
yore_status yr_db_begin(yore_db *db, yr_store *store, const yr_store_state *state, const yr_layers *open,
                        yore_error *err);

/* May this handle write? YORE_OK, YORE_ERR_READONLY, YORE_ERR_POISONED; YORE_ERR_MISUSE when it has been closed
 * or belongs to the process this one was forked from. */
yore_status yr_db_writable(const yore_db *db, yore_error *err);
/* May this handle be used at all? YORE_OK, or YORE_ERR_MISUSE for the two reasons above. */
yore_status yr_db_usable(const yore_db *db, yore_error *err);
/* yr_store_settle, before a scan. YORE_ERR_NOMEM; YORE_ERR_MISUSE in a forked child, where the leader may be a thread
 * that does not exist. */
yore_status yr_db_settle(yore_db *db, yore_error *err);
/* The durability of a commit that asks for `asked` (0 = the handle's). */
uint32_t yr_db_sync_mode(const yore_db *db, uint32_t asked);
/* Can it be had? YORE_OK, or YORE_ERR_UNSUPPORTED on a handle that logs nothing. */
yore_status yr_db_sync_check(const yore_db *db, uint32_t asked, yore_error *err);

/* A live branch by name, or by "id:N" any branch. NULL after filling `err` with the nearest names. */
yr_branch *yr_db_branch(const yore_db *db, yore_slice name, yore_error *err);

/* Is an out struct as large as this library's? The caller says so in struct_size. YORE_OK or YORE_ERR_MISUSE. */
yore_status yr_out_check(uint32_t struct_size, size_t wanted, yore_error *err);

/* The key is legal: 1..32,768 bytes, a primitive that may be read. */
yore_status yr_key_check(yore_key key, yore_error *err);
static inline uint32_t yr_key_primitive(yore_key key)
{
    return key.primitive ? key.primitive : YORE_KV;
}

/* Where a point is. */
typedef struct yr_point_found {
    yr_layers *layers; /* taken after `visible`; the caller's reference */
    uint64_t visible;  /* the store's newest version then */
    yr_branch *branch;
    uint64_t cap;     /* reads see versions <= cap */
    int64_t time_ns;  /* decides expiry */
    uint64_t version; /* the commit it names */
} yr_point_found;
/* On YORE_OK the caller owns out->layers. */
yore_status yr_at_find(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err);
/* Another point at the same moment: of the same list, which gets one more reference. */
yore_status yr_at_find_beside(yore_db *db, const yore_at *at, const yr_point_found *beside,
                              yr_point_found *out, yore_error *err);
yore_status yr_where_fill(const yr_layers *layers, uint64_t visible, const yr_branch *branch,
                          uint64_t version, uint64_t cap, int64_t cap_time_ns, yore_where *out,
                          yore_error *err);

/* From a commit of a hop to the one before it in the lineage: *version = 0 when there is none. `known` as in
 * yr_lineage_head_at. */
yore_status yr_lineage_prev(const yr_layers *layers, uint64_t known, const yr_branch **hop, uint64_t *version,
                            yore_error *err);

/* The time of a published commit. */
yore_status yr_db_commit_time(const yore_db *db, uint64_t version, int64_t *time_ns, yore_error *err);

/* A view of a point; borrows its layers. */
static inline yr_view yr_point_view(const yr_point_found *found)
{
    return (yr_view){.layers = found->layers,
                     .branch = found->branch,
                     .cap = found->cap,
                     .time_ns = found->time_ns,
                     .past = found->cap < found->visible};
}

/* A pin on a version found in a view of the reader's layers; takes over what it borrows.
 * YORE_OK; YORE_ERR_NOMEM (the version is released). */
yore_status yr_pin_fill(yr_pin_source *reader, yr_found *found, yore_pin *out, yore_error *err);

/* "there is no vN": YORE_ERR_TIME_RANGE. */
yore_status yr_no_version(uint64_t version, uint64_t visible, yore_error *err);
/* What a published commit wrote, as far as it is in the range. */
yore_status yr_commit_rows(yore_db *db, yr_layers *layers, uint64_t version, const yore_range *range,
                           yore_iter **out, yore_error *err);

/* For plans that change branches: room for the rows and catalog changes of `count` branches, and one of them. */
yore_status yr_branch_plan_room(yr_store *store, yr_request *request, size_t count);
yore_status yr_branch_plan_change(yr_store *store, yr_request *request, yr_branch *branch,
                                  const yr_branch_record *record);

/* After a read through the view, outside of epoch sections: make the skip that it found wanting, if any. */
void yr_flatten_wanted(yore_db *db, const yr_branch *reader);
static inline void yr_flatten_if_wanted(yore_db *db, const yr_branch *reader)
{
    if (reader->depth >= YR_SKIP_DEPTH_MIN &&
        YR_UNLIKELY(atomic_load_explicit(&reader->skip_wanted, memory_order_relaxed))) /* a hint */
        yr_flatten_wanted(db, reader);
}

/* May a branch be read at a cap? YORE_OK; YORE_ERR_TRIMMED, naming the oldest point that can be read. */
yore_status yr_trim_check(yore_db *db, const yr_branch *branch, uint64_t cap, yore_error *err);
/* Is all that a commit wrote still there? The same. */
yore_status yr_trim_check_commit(yore_db *db, const yr_layers *layers, uint64_t version, yore_error *err);
/* The oldest version from which on a branch can be read everywhere; 0 = nothing was trimmed. */
uint64_t yr_trim_oldest(const yr_branch *branch);

/* A registry commit: queue it and describe where it landed. */
yore_status yr_registry_commit(yore_db *db, yr_request *request, uint32_t sync, yore_where *where);

/* The value of a setting at a version, its default when it is not set. `value` is NUL-terminated, and the default after
 * a failure. */
yore_status yr_setting_get(const yore_db *db, const char *name, uint64_t version, char value[YR_SETTING_SIZE],
                           yore_error *err);
/* Its values by key prefix: a table of registry_format.h put into `table`, empty when there are none. */
yore_status yr_setting_prefixes(const yore_db *db, const char *name, uint64_t version, yr_buf *table,
                                yore_error *err);
/* "1.2" to 1.2: digits with at most one point, 9 behind it, from 0 to `max`. Every locale reads it alike. */
bool yr_setting_number(const char *text, double max, double *out);

/* The registry's value of a key ("t", "c" or "p" and a name) at a version, put into `value` (NULL: is there one?).
 * YORE_OK or YORE_NOT_FOUND; YORE_ERR_NOMEM, a run's failure. */
yore_status yr_registry_get(const yore_db *db, char kind, yore_slice name, uint64_t version, yr_buf *value,
                            yore_error *err);

#endif

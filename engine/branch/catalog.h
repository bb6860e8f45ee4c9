/* The branch catalog: names and ids to branches, in memory, rebuilt from the registry's rows at open.
 *
 * One writer (the commit leader, or replay); readers take no lock: branches live until the store closes
 * (ids are never reused, deleted branches stay readable as id:N), the name table is an open-addressing
 * array of hashes and ids that is replaced by a larger one when it fills, and old arrays and names are kept
 * until close (a rename costs its name's bytes until then). Deleted branches stay in it: whoever had a name before
 * is reached from the branch that has it, or had it last.
 *
 * B1 a branch's parent has a smaller id, and its fork version is below its create version.
 * B2 a name leads to at most one live branch; behind it come the deleted ones of that name, last deleted first.
 * A change is applied after its commit is durable and just before it is published; a reader that sees it
 * a moment early is harmless, because it still reads at published versions only.
 */
#ifndef YR_CATALOG_H
#define YR_CATALOG_H

#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/format/registry_format.h"
#include "engine/mem/branch_filter.h"

#define YR_BRANCH_ID_MAX 4194303u

typedef struct yr_branch yr_branch;
typedef struct yr_skip yr_skip;

typedef struct yr_branch_name {
    uint32_t hash;
    uint32_t size;
    char text[]; /* NUL-terminated */
} yr_branch_name;

struct yr_branch {
    /* Read on every lookup through the lineage. */
    uint32_t id;
    uint32_t depth;        /* 1 for a root; immutable */
    yr_branch *parent;     /* NULL for a root; immutable */
    uint64_t fork_version; /* immutable */
    uint32_t root_id;      /* of the lineage's last hop; immutable */
    _Atomic uint64_t own_keys;
    _Atomic yr_filter_ref filter; /* of own keys; 0 for roots and for branches without keys */
    _Atomic uint64_t
        filtered_from;          /* what was written at or below this version the filter may not know; rises */
    _Atomic uint64_t head;      /* newest own data commit, published or about to be; 0 = none */
    _Atomic uint64_t first;     /* oldest own data commit; meaningful once head is not 0 */
    _Atomic(yr_skip *) skip;    /* over the hops below (skip.h); NULL: none, or not yet */
    _Atomic uint32_t skip_cost; /* what walking from here has cost readers, until it is worth making one: */
    _Atomic uint32_t skip_limit;  /* at this cost; YR_SKIP_NEVER */
    _Atomic uint32_t skip_wanted; /* the branch in this one's lineage that should have one; 0 = none */
    /* The rest. */
    _Atomic uint64_t own_bytes;
    _Atomic uint64_t deleted_version; /* 0 = live */
    uint64_t create_version;
    int64_t created_ns;
    _Atomic int64_t ttl_ns;       /* 0 = it does not end */
    _Atomic uint32_t open_writes; /* transactions begun on it, where it ends */
    uint32_t flags;               /* YR_BRANCH_HIDDEN */
    _Atomic uint32_t is_purged;
    _Atomic uint64_t trimmed_version;        /* of older caps only pinned ones can be read */
    _Atomic(const yr_retention *) retention; /* NULL: nothing was said */
    _Atomic uint32_t live_children;
    yr_branch *first_child; /* writer's */
    yr_branch *next_sibling;
    _Atomic(const yr_branch_name *) name;
    _Atomic(yr_branch *) namesake; /* the next of its name (B2) */
};

typedef struct yr_catalog yr_catalog;

/* The registry as a branch: no parent, and keys of its own. Not in any catalog. */
extern const yr_branch yr_registry_branch;

yr_catalog *yr_catalog_create(const yore_env *env);
void yr_catalog_destroy(yr_catalog *catalog);

/* Readers, any thread. NULL when there is none. */
yr_branch *yr_catalog_by_id(const yr_catalog *catalog, uint32_t id);
yr_branch *yr_catalog_by_name(const yr_catalog *catalog, yore_slice name); /* live ones only */
/* The one of that name that was deleted last. O(1), however many branches there are. */
yr_branch *yr_catalog_deleted_by_name(const yr_catalog *catalog, yore_slice name);
uint32_t yr_catalog_last_id(const yr_catalog *catalog);
uint64_t yr_catalog_live_count(const yr_catalog *catalog);

static inline const char *yr_branch_text(const yr_branch *branch)
{
    /* acquire pairs with the release in catalog_rename */
    return atomic_load_explicit(&branch->name, memory_order_acquire)->text;
}

/* Of caps >= this, no branch that can be read has lost anything; 0 = nothing was ever trimmed. Grows only. */
uint64_t yr_catalog_trimmed(const yr_catalog *catalog);
/* The version of the last erasure, 0 = there was none: what earlier commits wrote may not be there any more. */
uint64_t yr_catalog_erased(const yr_catalog *catalog);
/* May rows of a commit have gone, because history was trimmed or keys were erased? */
static inline bool yr_catalog_may_lack_rows(const yr_catalog *catalog, uint64_t version)
{
    return version < yr_catalog_trimmed(catalog) || version < yr_catalog_erased(catalog);
}
/* Any thread: keys were erased by commit `version`, or their bytes have gone now. yr_catalog_erasures counts that: what
 * was made from rows is to be made again when it has changed. */
void yr_catalog_note_erased(yr_catalog *catalog, uint64_t version);
uint64_t yr_catalog_erasures(const yr_catalog *catalog);
/* How many changes were applied: what was found out about branches is still so while it stays. */
uint64_t yr_catalog_changes(const yr_catalog *catalog);

static inline yr_retention yr_branch_retention(const yr_branch *branch)
{
    /* acquire pairs with the release in set_kept */
    const yr_retention *said = atomic_load_explicit(&branch->retention, memory_order_acquire);
    return said ? *said : (yr_retention){.kind = YORE_RETENTION_UNSET};
}
/* When its time is over, INT64_MAX = never. */
static inline int64_t yr_branch_end(const yr_branch *branch)
{
    int64_t end, ttl = atomic_load_explicit(&branch->ttl_ns, memory_order_relaxed);
    if (ttl == 0 || __builtin_add_overflow(branch->created_ns, ttl, &end)) return INT64_MAX;
    return end;
}
static inline uint64_t yr_branch_trimmed(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->trimmed_version, memory_order_acquire); /* set_kept */
}
static inline bool yr_branch_is_purged(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->is_purged, memory_order_acquire) != 0; /* set_kept */
}

/* No live branch ends before this; INT64_MAX = none ends. Any thread. Who looks at all branches for those that have
 * ended forgets it first, and notes the ends he finds: what others note meanwhile is not lost. */
int64_t yr_catalog_next_end(const yr_catalog *catalog);
void yr_catalog_forget_ends(yr_catalog *catalog);
void yr_catalog_note_end(yr_catalog *catalog, int64_t end_ns);

/* Writer: get everything ready for a change, so that applying it cannot fail. */
typedef struct yr_catalog_change {
    yr_branch *created;       /* for a new branch */
    yr_branch *target;        /* for a change of an existing one */
    yr_branch_name *name;     /* a new name, NULL when it stays */
    uint64_t deleted_version; /* so the next ones */
    int64_t ttl_ns;
    const yr_retention *retention;
    uint64_t trimmed_version;
    bool is_purged;
} yr_catalog_change;

/* Room for about so many branches at once, with so many bytes of names: once, before the first. False when memory is
 * out. */
bool yr_catalog_reserve(yr_catalog *catalog, uint32_t branches, uint64_t name_bytes);
/* A name that will be looked for soon: have its slot on the way. */
void yr_catalog_prefetch(const yr_catalog *catalog, yore_slice name);
/* A new branch from its record, which may say that it is deleted. False when memory is out. */
bool yr_catalog_prepare_create(yr_catalog *catalog, uint32_t id, const yr_branch_record *record,
                               uint64_t create_version, yr_catalog_change *out);
/* A change of an existing branch to what the record says. */
bool yr_catalog_prepare_change(yr_catalog *catalog, yr_branch *target, const yr_branch_record *record,
                               yr_catalog_change *out);
void yr_catalog_apply(yr_catalog *catalog, const yr_catalog_change *change);

/* -- a reader that was behind: from the catalog it has to a newer one of the same store, which nobody reads yet -- */
typedef struct yr_catalog_steps {
    yr_catalog_change *changes; /* of branches that are known */
    size_t change_count;
    yr_catalog_change *created; /* in the order of ids */
    size_t created_count;
} yr_catalog_steps;

/* Writer: get everything ready, in the arena. False when memory is out: nothing has changed. O(branches). */
bool yr_catalog_prepare_follow(yr_catalog *catalog, const yr_catalog *newer, yr_arena *arena,
                               yr_catalog_steps *out);
/* Writer: cannot fail. The filters of `newer` become the catalog's own.
 * flushed  what was written at or below it they may not know */
void yr_catalog_follow(yr_catalog *catalog, const yr_catalog *newer, const yr_catalog_steps *steps,
                       uint64_t flushed);

/* Writer: count a key (and bytes) the branch wrote. key_hash is branch-independent. The filter of a branch
 * with a parent grows by calling `walk` for the hash of every key it has in memtables.
 * False when memory is out. */
typedef void (*yr_key_hash_sink)(void *sink, uint64_t key_hash);
typedef bool (*yr_own_keys_walk)(void *arg, yr_branch *branch, yr_key_hash_sink sink, void *sink_arg);
bool yr_branch_note_key(yr_catalog *catalog, yr_branch *branch, uint64_t key_hash, yr_own_keys_walk walk,
                        void *arg);

/* The record that describes a branch as it is. */
void yr_branch_record_of(const yr_branch *branch, yr_branch_record *record);

/* Any thread: from now on the branch's skip is this one, which becomes the catalog's. False when it has one: it stays
 * the caller's then. */
bool yr_catalog_give_skip(yr_catalog *catalog, yr_branch *branch, yr_skip *skip);
uint64_t yr_catalog_skip_bytes(const yr_catalog *catalog);

uint64_t yr_catalog_bytes(const yr_catalog *catalog); /* all of it, skips too */

/* B1, B2, counts. */
bool yr_catalog_check(const yr_catalog *catalog, const char **problem);

#endif

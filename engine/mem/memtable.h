/* The memtable: the versions above its base, of every key they wrote, in memory, with two indexes over one entry a key.
 *
 * One writer at a time (the commit leader, or replay); any number of readers, who work inside an epoch
 * section and look only at versions at or below one they saw published. Memory: one region for entries,
 * versions, history arrays, tree nodes and commit records; the hash index beside it.
 *
 * M1 every entry is in the hash index and in the tree, and nothing else is.
 * M2 an entry is completely written before either index publishes it.
 * M3 a frozen memtable is never written again; it goes with the last list of layers that has it.
 */
#ifndef YR_MEMTABLE_H
#define YR_MEMTABLE_H

#include "engine/base/hash.h"
#include "engine/mem/commit_table.h"
#include "engine/mem/version_chain.h"
#include "index/art.h"
#include "index/hash_index.h"

typedef struct yr_memtable {
    const yore_env *env;
    _Atomic uint32_t refs; /* of lists of layers */
    uint64_t secret;       /* seeds the key hash; the store's */
    uint64_t base_version; /* versions above it are here, kept as distances from it */
    /* When that commit was made, if it is known; set before it is published. The newest in the runs need not be looked
     * up there. */
    int64_t base_time_ns;
    bool has_base_time;
    yr_hash_index *hash;
    yr_art *art;
    /* The writer's counters, read by stats. */
    _Alignas(128) _Atomic uint64_t keys;
    _Atomic uint64_t versions;
    _Atomic uint64_t system_keys;     /* of `keys`: the registry's */
    _Atomic uint64_t system_versions; /* of `versions` */
    _Atomic uint64_t key_bytes;
    _Atomic uint64_t value_bytes;
    /* Set when it is frozen, before the list of layers that says so is published. */
    struct {
        uint64_t version;              /* its newest */
        uint64_t lsn;                  /* of the log, up to which everything is here or in older layers */
        int64_t time_ns, data_time_ns; /* of the newest commit and data commit so far */
    } end;
    bool has_ghosts; /* an entry that memory ran out for is left in the tree, empty; the writer's */
    yr_region region;
    yr_commit_table commits;
} yr_memtable;

/* With one reference. `secret` must not be known to those who choose keys. */
yore_status yr_memtable_create(const yore_env *env, uint64_t bytes_max, uint64_t secret,
                               uint64_t base_version, yr_memtable **out, yore_error *err);
void yr_memtable_ref(yr_memtable *mem);
/* The last one frees it: no reader may be inside any more. NULL is allowed. */
void yr_memtable_unref(yr_memtable *mem);

static inline uint64_t yr_memtable_key_hash(const yr_memtable *mem, uint32_t primitive, yore_slice user_key)
{
    return yr_key_hash(mem->secret, primitive, user_key.data, user_key.size);
}

/* A cap on versions as the chains keep them. */
static inline uint32_t yr_memtable_cap(const yr_memtable *mem, uint64_t version)
{
    if (version <= mem->base_version) return 0;
    uint64_t delta = version - mem->base_version;
    return delta > UINT32_MAX ? UINT32_MAX : (uint32_t)delta;
}

static inline uint64_t yr_memtable_version(const yr_memtable *mem, const yr_version *v)
{
    return mem->base_version + v->delta;
}

enum yr_put {
    YR_PUT_NEW = 1,   /* the branch had no such key */
    YR_PUT_NEXT,      /* it had versions */
    YR_PUT_DUPLICATE, /* it has a version of this number already: not written */
    YR_PUT_NO_MEMORY  /* not written */
};

/* Writer: add a version of a row's key. key_hash = yr_memtable_key_hash. *entry is set when it was written.
 * alone  the row of a small commit: a new key may wait until some are together to be put in order (yr_art_settle). */
enum yr_put yr_memtable_put(yr_memtable *mem, const yr_row *row, uint64_t key_hash, uint64_t version,
                            bool alone, yr_ref *entry);
/* Writer: take back the newest, unpublished version of an entry. */
void yr_memtable_undo(yr_memtable *mem, yr_ref entry);

/* The entry of a key on one branch, 0 when it has none. Inside an epoch section. */
static inline yr_ref yr_memtable_find(const yr_memtable *mem, uint64_t key_hash, uint32_t branch,
                                      uint32_t primitive, yore_slice user_key)
{
    return yr_hash_index_find(mem->hash, yr_branch_hash(key_hash, branch), branch, primitive, user_key);
}

uint64_t yr_memtable_bytes(const yr_memtable *mem);

/* M1, and the invariants of both indexes and every chain. Writer must be quiet. */
yore_status yr_memtable_check(const yr_memtable *mem, yore_error *err);

#endif

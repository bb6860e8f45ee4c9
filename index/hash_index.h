/* The hash index: point lookups, O(1), readers without locks.
 *
 * 1,024 shards picked by the hash's top bits; a shard is a power-of-two table of 64-byte buckets, each
 * 10 x u16 tag, one u32 overflow count, 10 x u32 entry reference. A key lives in the bucket its low bits pick
 * or, while that bucket's overflow count is not 0, in one of the next ones. No hash is stored: doubling
 * recomputes it from the entry's key.
 *
 * One writer. It stores the reference, then the tag with release; a reader loads tags with acquire, so a
 * tag it sees names a reference to a complete entry. Doubled tables go through the epoch. Lookups run
 * inside yr_epoch_enter/exit. Layout and what lost: docs/decisions/0001-own-radix-tree.md.
 *
 * Flooding (keys chosen to share a bucket, which needs the secret): a probe goes YR_HASH_PROBE_MAX buckets
 * far at most. A key that finds no room within them is *spilled*: not stored here, its bucket flagged, and a
 * miss in a flagged bucket is answered by the tree given to yr_hash_index_set_tree. A lookup that met
 * YR_HASH_FALSE_MAX entries with its tag but another key asks the tree as well. So answers stay right, work
 * is bounded, and spilled keys do not make a shard double. Callers see none of this, but must insert an entry
 * into the tree too before a reader may expect to find it. Without a tree probes are unbounded.
 */
#ifndef YR_HASH_INDEX_H
#define YR_HASH_INDEX_H

#include "index/art.h"
#include "index/entry.h"

#define YR_HASH_SHARDS 1024u
#define YR_HASH_BUCKET_SLOTS 10u
#define YR_HASH_PROBE_MAX 8u
#define YR_HASH_FALSE_MAX 4u

typedef struct yr_hash_index yr_hash_index;

/* secret seeds yr_key_hash, so that doubling can recompute hashes. NULL when memory is out. An empty index
 * is one allocation of about 12 KiB; shards get their first bucket with their first key. */
yr_hash_index *yr_hash_index_create(const yore_env *env, const yr_region *region, uint64_t secret);
void yr_hash_index_destroy(yr_hash_index *index);

/* The tree that holds the same entries; before the first insert. */
void yr_hash_index_set_tree(yr_hash_index *index, const yr_art *tree);

/* The entry of a key, 0 when there is none. `hash` = yr_branch_hash(yr_key_hash(...), branch). */
yr_ref yr_hash_index_find(const yr_hash_index *index, uint64_t hash, uint32_t branch, uint32_t primitive,
                          yore_slice user_key);

/* For lookups in bulk: touch the bucket; then (later) the first entry whose tag matches, so that their
 * cache misses overlap; then find. */
/* Needs no epoch section: an address is taken from the shard's word, nothing is read through it. */
void yr_hash_index_prefetch_bucket(const yr_hash_index *index, uint64_t hash);
/* False when no tag matches: the key is new. */
bool yr_hash_index_prefetch_entry(const yr_hash_index *index, uint64_t hash);

/* Writer: publish an entry that is completely written. The key must not be in the index.
 * False when memory is out; the index is as before. */
bool yr_hash_index_insert(yr_hash_index *index, uint64_t hash, yr_ref entry);
/* Writer: forget an entry. False when it is not there. (A spilled entry is not stored here: any entry whose
 * bucket is flagged counts as there.) */
bool yr_hash_index_remove(yr_hash_index *index, uint64_t hash, yr_ref entry);

uint64_t yr_hash_index_count(const yr_hash_index *index);   /* entries, spilled ones included */
uint64_t yr_hash_index_spilled(const yr_hash_index *index); /* entries left to the tree */
uint64_t yr_hash_index_bytes(const yr_hash_index *index);

/* Every invariant: counts, overflow counts, every entry found again. Writer must be quiet. */
bool yr_hash_index_check(const yr_hash_index *index, const char **problem);

#endif

/* An adaptive radix tree over entries, ordered by their tree keys as bytes.
 *
 * V. Leis, A. Kemper, T. Neumann, "The Adaptive Radix Tree: ARTful Indexing for Main-Memory Databases" (ICDE 2013)
 * and Leis et al., "The ART of Practical Synchronization" (DaMoN 2016). Where we differ: one writer, so no
 * locks at all; readers are wait-free because nodes change only by publishing one word (a key permutation
 * or a child reference) or are replaced by a copy and retired through the epoch. A node has a slot for the
 * key that ends there, so keys may be prefixes of other keys. Nothing recurses over the key's length.
 *
 * Readers run inside yr_epoch_enter/exit and must not keep an iterator positioned across an exit:
 * re-seek from the last key instead.
 */
#ifndef YR_ART_H
#define YR_ART_H

#include "index/entry.h"

typedef struct yr_art yr_art;

/* Nodes live in `region`. NULL when memory is out. */
yr_art *yr_art_create(const yore_env *env, yr_region *region);
void yr_art_destroy(yr_art *art);

/* The entry with exactly this tree key, 0 when there is none. Finds entries that wait, too. */
yr_ref yr_art_find(const yr_art *art, yore_slice tree_key);
/* The same for a key in parts, which need not lie together. */
yr_ref yr_art_find_key(const yr_art *art, uint32_t branch, uint32_t primitive, yore_slice user_key);

/* Writer: insert an entry by its tree key. YORE_OK; YORE_EXISTS (not inserted); YORE_ERR_NOMEM (unchanged). */
yore_status yr_art_insert(yr_art *art, yr_ref entry);

/* -- inserting later --
 *
 * Inserts one at a time wait for memory at every level; several together wait once a level. So the writer may leave
 * entries with the tree, which finds them (yr_art_find), but whose cursors meet them only after yr_art_settle. */

#define YR_ART_LATER_MAX 16u

/* Writer: as yr_art_insert, of an entry that is not in the tree; now or at the next yr_art_settle, which is called here
 * when YR_ART_LATER_MAX are waiting. YORE_OK; YORE_ERR_NOMEM (`entry` is not with the tree). */
yore_status yr_art_insert_later(yr_art *art, yr_ref entry);
/* Writer: take back the last yr_art_insert_later. False when it is in the tree already. */
bool yr_art_cancel_later(yr_art *art, yr_ref entry);
/* Writer: insert all that wait. Their memory has been set aside, so YORE_ERR_NOMEM is not expected; it leaves them
 * waiting. */
yore_status yr_art_settle(yr_art *art);
/* Any thread: how many wait. */
uint32_t yr_art_waiting(const yr_art *art);
/* Any reader: the entry among those that wait, 0 when it is not. */
yr_ref yr_art_find_waiting(const yr_art *art, uint32_t branch, uint32_t primitive, yore_slice user_key);

/* Writer: remove the entry with this tree key; *entry (may be NULL) is what it was. Nodes shrink.
 * YORE_OK; YORE_NOT_FOUND; YORE_ERR_NOMEM (unchanged). */
yore_status yr_art_remove(yr_art *art, yore_slice tree_key, yr_ref *entry);

/* Writer: have what inserting these keys will look at on its way into the cache, the misses of all of them
 * overlapping level by level. `at` and `depth` are scratch. For up to some dozens of keys at a time. */
typedef struct yr_art_ahead {
    uint8_t head[YR_TREE_KEY_PREFIX]; /* the tree key in two parts: branch and primitive, */
    yore_slice user_key;              /* and user key */
    uint32_t at;
    uint32_t depth;
} yr_art_ahead;
void yr_art_prefetch(const yr_art *art, yr_art_ahead *keys, uint32_t n);

uint64_t yr_art_count(const yr_art *art);
uint64_t yr_art_bytes(const yr_art *art); /* node bytes in use */

/* A cursor. Positions stay valid within one epoch section; concurrent inserts may or may not be seen. */
typedef struct yr_art_iter yr_art_iter;
struct yr_art_step;

struct yr_art_iter {
    const yr_art *art;
    struct yr_art_step *path; /* inline_path until it is too short */
    uint32_t depth, capacity;
    bool failed; /* memory ran out while the path grew */
    _Alignas(8) unsigned char inline_path[1024];
};

void yr_art_iter_init(yr_art_iter *iter, const yr_art *art);
void yr_art_iter_deinit(yr_art_iter *iter);
/* Go to the first entry >= key (or the last one <= key); an empty key is before everything.
 * Returns the entry, 0 when there is none. */
yr_ref yr_art_seek(yr_art_iter *iter, yore_slice tree_key);
yr_ref yr_art_seek_reverse(yr_art_iter *iter, yore_slice tree_key);
yr_ref yr_art_seek_last(yr_art_iter *iter);
/* The neighbour of the current position, 0 at the end. */
yr_ref yr_art_next(yr_art_iter *iter);
yr_ref yr_art_prev(yr_art_iter *iter);
/* Take up to `cap` entries starting with the one AFTER the current position; for batched prefetching. */
uint32_t yr_art_next_many(yr_art_iter *iter, yr_ref *out, uint32_t cap);
uint32_t yr_art_prev_many(yr_art_iter *iter, yr_ref *out, uint32_t cap);

/* Every invariant: order, prefixes, node occupancy (no inner node with fewer than two children), counts.
 * Writer must be quiet. */
bool yr_art_check(const yr_art *art, const char **problem);

#endif

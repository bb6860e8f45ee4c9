/* The index: every layer of every branch, over one dictionary.
 *
 * One writer applies changes in version order; readers look at (branch, cap) with cap at or below the last version that
 * was applied whole. What they need to agree on is a lock, which is the owner's (search/db): the index has none. */
#ifndef YR_SEARCH_INDEX_H
#define YR_SEARCH_INDEX_H

#include "search/index/layer.h"

typedef struct yr_index {
    yr_space space;
    uint64_t secret;
    yr_dictionary dictionary;
    yr_arena keys;
    yr_layer **layers; /* by branch id; NULL for a branch that never wrote */
    uint32_t layer_count, layer_capacity;
    /* the writer's scratch, all zero between changes */
    uint32_t *marks; /* by list: 1 + place in the new words */
    uint32_t mark_capacity;
    uint8_t *term_marks; /* by term list */
    uint32_t term_mark_capacity;
    yr_live_word *before; /* the words of the version that is replaced */
    uint32_t before_capacity;
    /* statistics */
    uint64_t documents; /* versions that are documents, all branches */
    uint64_t runs;
} yr_index;

void yr_index_init(yr_index *index, const yore_env *env, uint64_t secret, uint64_t bytes_max);
void yr_index_deinit(yr_index *index);

/* Memory in use. */
uint64_t yr_index_bytes(const yr_index *index);

uint64_t yr_index_key_hash(const yr_index *index, yore_slice key);

/* NULL when the branch never wrote. */
static inline const yr_layer *yr_index_layer(const yr_index *index, uint32_t branch)
{
    return branch < index->layer_count ? index->layers[branch] : NULL;
}

/* Did the branch itself write the key? */
bool yr_index_has_key(const yr_index *index, uint32_t branch, yore_slice key);

/* One put or delete. */
typedef struct yr_doc_change {
    uint32_t branch;
    uint64_t version;
    yore_slice key;
    const yr_text_counts *text; /* length 0: it is no document from here on */
    int64_t expiry_ns;          /* 0 = never */
    /* For a key that the branch writes for the first time: the document the branch saw just before, through its
     * parents. NULL or length 0 when it saw none; not looked at when the branch has written the key already. */
    const yr_text_counts *hidden;
    int64_t hidden_expiry_ns;
} yr_doc_change;

/* Writer. Versions never go down, and a key changes once a version.
 * Returns YORE_OK; YORE_ERR_LIMIT, YORE_ERR_NOMEM: the index is then good for nothing but yr_index_deinit. */
yore_status yr_index_apply(yr_index *index, const yr_doc_change *change, yore_error *err);

/* Every layer's invariants. */
bool yr_index_check(const yr_index *index, const char **problem);

#endif

/* A layer: what one branch's own key space adds to the documents below it, at every version.
 *
 * A branch without a parent is its documents. A child is the *difference* from its parent at the fork: its own
 * documents, and -1 for each document of the parent that a key of its own replaces. So the number of documents, their
 * total length and the document frequency of a term in a snapshot are sums over the lineage of each layer's value at
 * the hop's cap.
 *
 *   document   a stored value that is text with at least one term
 *   run        one word of one document with one tf, over versions [begin, end): an overwrite that leaves the tf of a
 *              word as it was leaves its run alone
 *   event      the running document frequency of a word or term after a version that changed it
 *   expiring   a document with an expiry: counted by events and totals from its begin to its end whatever the time, so
 *              a reader at a time past the expiry takes it off again (expiring.h)
 *
 * L1 versions, events and totals are ascending.
 * L2 a run's end changes once, from YR_ALIVE to a version above everything published: a reader at or below the
 *    published version gets the same answer before and after.
 * L3 a term's own frequency exists in a layer exactly when two of its words have a list there; with one it is the
 *    word's.
 */
#ifndef YR_SEARCH_LAYER_H
#define YR_SEARCH_LAYER_H

#include "search/index/dictionary.h"
#include "search/index/expiring.h"
/* Versions fit 32 bits, as they do in the store's memory; the last one is YR_ALIVE. */
#define YR_INDEX_VERSION_MAX (UINT32_MAX - 1u)

typedef struct yr_run {
    uint32_t doc;
    uint32_t tf;
    uint32_t begin;
    uint32_t end;
} yr_run;

typedef struct yr_df_event {
    uint32_t version;
    int32_t df; /* after it; in a child it may be negative */
} yr_df_event;

/* The document frequency of a word or a term over time. */
typedef struct yr_frequency {
    yr_df_event *events;
    uint32_t *expiring; /* indexes into the layer's, ascending: those that hold it */
    uint32_t event_count, event_capacity;
    uint32_t expiring_count, expiring_capacity;
} yr_frequency;

typedef struct yr_word_list {
    yr_frequency frequency;
    yr_run *runs; /* in the order they began */
    uint32_t run_count, run_capacity;
    uint32_t word;
    uint32_t term_list; /* YR_NO_ID: this is the only word of its term here (L3) */
} yr_word_list;

typedef struct yr_term_list {
    yr_frequency frequency;
    uint32_t term;
} yr_term_list;

typedef struct yr_totals {
    uint32_t version;
    int64_t documents;
    int64_t length;
} yr_totals;

typedef struct yr_doc_version {
    uint32_t begin;
    uint32_t length;   /* 0 = not a document: deleted, not text, no term */
    uint32_t expiring; /* 1 + index, 0 = never expires */
} yr_doc_version;

/* A word of the newest version of a document: where its run is. */
typedef struct yr_live_word {
    uint32_t list;
    uint32_t run;
} yr_live_word;

/* A key of the branch's own key space. Its newest version is in the layer's `newest`, at the same index: searches ask
 * it of one document after another, so those lie together. */
typedef struct yr_doc {
    const uint8_t *key;
    uint64_t hash;
    yr_doc_version *older; /* all but the newest */
    yr_live_word *words;
    uint32_t key_size;
    uint32_t older_count, older_capacity;
    uint32_t word_count;
} yr_doc;

/* id -> index, open addressing. */
typedef struct yr_id_map {
    uint32_t *slots; /* pairs of 1 + id and index; 0 = free */
    uint32_t slot_count, used;
} yr_id_map;

typedef struct yr_layer {
    uint32_t branch;
    yr_doc *docs;
    yr_doc_version *newest; /* by document; begin 0: none yet, which only its writer sees */
    uint32_t doc_count, doc_capacity, newest_capacity;
    uint32_t *doc_slots; /* 1 + index, 0 = free */
    uint32_t doc_slot_count;
    yr_word_list *lists;
    uint32_t list_count, list_capacity;
    yr_id_map list_of_word;
    yr_term_list *term_lists;
    uint32_t term_list_count, term_list_capacity;
    yr_id_map list_of_term;
    yr_totals *totals;
    uint32_t totals_count, totals_capacity;
    yr_expiring_list expiring;
    /* statistics */
    uint64_t run_total;
    uint64_t document_total;
} yr_layer;

yr_layer *yr_layer_create(yr_space *space, uint32_t branch);
void yr_layer_destroy(yr_space *space, yr_layer *layer);

/* -- reading -- */

/* The document of a key, YR_NO_ID when the branch never wrote it up to now. hash: yr_index_key_hash. */
uint32_t yr_layer_find(const yr_layer *layer, yore_slice key, uint64_t hash);

/* The version of a document that is newest at `cap`, NULL before the first. */
const yr_doc_version *yr_layer_older(const yr_layer *layer, uint32_t doc, uint32_t cap);
static inline const yr_doc_version *yr_layer_version(const yr_layer *layer, uint32_t doc, uint32_t cap)
{
    const yr_doc_version *newest = &layer->newest[doc];
    return newest->begin <= cap ? newest : yr_layer_older(layer, doc, cap);
}

/* The version that first wrote it. */
static inline uint32_t yr_layer_first(const yr_layer *layer, uint32_t doc)
{
    return layer->docs[doc].older_count ? layer->docs[doc].older[0].begin : layer->newest[doc].begin;
}

/* The list of a word, NULL when the layer has none. */
const yr_word_list *yr_layer_list(const yr_layer *layer, uint32_t word);

/* What the layer adds to the document frequency of a word (`list`) or of a term at (cap, time). */
int64_t yr_layer_word_df(const yr_layer *layer, const yr_word_list *list, uint32_t cap, int64_t time_ns);
int64_t yr_layer_term_df(const yr_layer *layer, const yr_dictionary *dictionary, uint32_t term, uint32_t cap,
                         int64_t time_ns);

/* What it adds to the number of documents and to their length. */
void yr_layer_totals(const yr_layer *layer, uint32_t cap, int64_t time_ns, int64_t *documents,
                     int64_t *length);

/* Does a document version count at a time? */
bool yr_doc_version_is_live(const yr_layer *layer, const yr_doc_version *version, int64_t time_ns);

/* -- writing: index.c -- */

uint32_t yr_id_map_find(const yr_id_map *map, uint32_t id);
void yr_id_map_prefetch(const yr_id_map *map, uint32_t id);
bool yr_id_map_add(yr_space *space, yr_id_map *map, uint32_t id, uint32_t index);

/* L1, L3, and that events, runs and documents agree. */
bool yr_layer_check(const yr_layer *layer, const yr_dictionary *dictionary, const char **problem);

#endif

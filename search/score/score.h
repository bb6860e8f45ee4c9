/* Scoring a query over one snapshot: which documents match, how well, and the best of them.
 *
 * The statistics are the snapshot's, summed over its lineage hops (search/index/layer.h). Postings of a hop are taken
 * where they are alive at the hop's cap, brought into document order, and each document is judged once, all its terms
 * in query order in double, so that a score depends on nothing but the snapshot and the query.
 *
 * S1 a document of a hop counts unless a younger hop has a version of its key at its own cap (I4).
 * S2 ties are in the order of key bytes.
 */
#ifndef YR_SEARCH_SCORE_H
#define YR_SEARCH_SCORE_H

#include <yore/search.h>

#include "search/index/index.h"
#include "search/query/query.h"

/* Indexed words that the prefixes of one query may cover in the snapshot; past it: YORE_ERR_LIMIT naming the prefix. */
#define YR_EXPANSIONS_MAX 16384u

/* A query takes memory for so many postings at a time, 24 bytes each, however many there are. */
#define YR_GATHER_MAX (8u << 20)

typedef struct yr_search_hop {
    const yr_layer *layer; /* never NULL */
    uint32_t cap;
} yr_search_hop;

/* One snapshot: its hops that have a layer, youngest first. */
typedef struct yr_search_view {
    const yr_index *index;
    const yr_search_hop *hops;
    uint32_t hop_count;
    int64_t time_ns;
} yr_search_view;

/* The value that a key has in the snapshot. */
typedef yore_status (*yr_search_value_fn)(void *context, yore_slice key, yore_slice *value, yore_error *err);

typedef struct yr_score_request {
    yr_search_view view;
    const yr_query_node *root;
    double k1, b;
    uint64_t k;
    yore_slice prefix;
    bool explain;
    size_t gather_max;     /* postings in memory at a time; 0 = YR_GATHER_MAX */
    yr_analyzer *analyzer; /* phrases are verified on the value */
    yr_search_value_fn value;
    void *value_context;
} yr_score_request;

typedef struct yr_score_hit {
    yore_slice key;
    double score;
    uint64_t length;
    const yore_term_score *terms;
    size_t term_count;
} yr_score_hit;

typedef struct yr_score_answer {
    uint64_t documents;
    uint64_t total_length;
    double average_length;
    uint64_t matches;
    yr_score_hit *hits; /* best first */
    size_t hit_count;
} yr_score_answer;

/* Everything in `answer` is in `out`, nothing of it borrows the index; what is needed on the way is in `scratch`.
 * Returns YORE_OK; YORE_ERR_LIMIT (a prefix), YORE_ERR_NOMEM, or what `value` returned. */
yore_status yr_score(const yr_score_request *request, yr_arena *scratch, yr_arena *out,
                     yr_score_answer *answer, yore_error *err);

#endif

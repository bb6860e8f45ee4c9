/* What the parts of scoring share. */
#ifndef YR_SEARCH_SCORE_PRIVATE_H
#define YR_SEARCH_SCORE_PRIVATE_H

#include "search/score/score.h"

/* A distinct term of the query, or one word that a prefix covers. Leaves that say the same share it. */
typedef struct score_slot {
    uint32_t id; /* the dictionary's term, or word when is_word; YR_NO_ID: nobody ever wrote it */
    bool is_word;
    yore_slice text; /* the dictionary's, or the query's for a term nobody wrote */
    uint64_t df;
    double idf;
} score_slot;

/* The query, ready to be asked of one document after another. */
typedef struct score_node {
    uint8_t kind;  /* enum yr_query_node_kind */
    uint8_t occur; /* enum yr_query_occur */
    uint32_t offset;
    uint32_t slot;       /* TERM: its slot; PREFIX: the first; PHRASE: its number */
    uint32_t slot_count; /* PREFIX */
    struct score_node *children;
    uint32_t child_count;
} score_node;

/* One word of one document: after gathering in the order of documents, then of slots. */
typedef struct score_entry {
    uint32_t doc;
    uint32_t slot;
    uint32_t tf;
} score_entry;

/* The phrases, and which of them the document in hand has. */
typedef struct score_positions score_positions;

/* Documents [from, to) of a hop, with at most `room` live postings of the query. */
typedef struct score_range {
    uint32_t from, to;
    size_t room;
} score_range;

/* The document in hand. */
typedef struct score_doc {
    const yr_doc *doc;
    const score_entry *entries;
    uint32_t entry_count;
    uint32_t length;
    double norm;
} score_doc;

typedef struct score_run {
    const yr_score_request *request;
    yr_arena *scratch;
    yr_arena gathered; /* of a range */
    yore_error *err;
    yore_status status; /* of a value that could not be read or analysed */
    score_slot *slots;
    uint32_t slot_count, slot_capacity;
    uint32_t expansions;
    score_node *root;
    double average_length;
    uint32_t *tf;               /* by slot, of the document in hand; all zero between documents */
    score_positions *positions; /* NULL: no phrases */
    score_doc doc;
    /* explain: where to write the contributions; NULL: nowhere */
    yore_term_score *terms;
    size_t term_count, term_capacity;
} score_run;

/* score_plan.c: slots and nodes, with the snapshot's statistics. */
yore_status yr_score_plan(score_run *run, uint64_t documents);

/* score_gather.c. The documents of a hop in parts, so that memory is bounded by `gather_max` postings however many
 * there are (a part is one in 1,024 of the documents at least). Each part is a walk over all of them. */
yore_status yr_score_ranges(score_run *run, const yr_search_hop *hop, score_range **ranges, uint32_t *count);
/* The live postings of a range for all slots, in document order, until the next call. */
yore_status yr_score_gather(score_run *run, const yr_search_hop *hop, const score_range *range,
                            score_entry **entries, size_t *count);

/* score_eval.c: does the document in hand match a node? *score is what it adds. False also when run->status < 0. */
bool yr_score_eval(score_run *run, const score_node *node, double *score);

/* score_phrase.c */
yore_status yr_score_phrases_init(score_run *run);
/* Is the phrase in the document in hand, whose terms it has all? */
bool yr_score_phrase_is_in(score_run *run, const score_node *phrase);
void yr_score_phrases_next_doc(score_run *run);

#endif

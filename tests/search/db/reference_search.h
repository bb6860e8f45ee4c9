/* A search by definition: the whole snapshot is read and analysed, every document is asked everything. No index, no
 * statistics that outlive a question, nothing incremental: the oracle of the random tests. */
#ifndef YR_REFERENCE_SEARCH_H
#define YR_REFERENCE_SEARCH_H

#include <yore.h>

#include "search/query/query.h"

typedef struct reference_token {
    uint32_t term; /* numbers of strings: equal text, equal number */
    uint32_t folded;
    uint32_t position;
} reference_token;

typedef struct reference_doc {
    yore_slice key;
    reference_token *tokens;
    size_t token_count;
} reference_doc;

typedef struct reference {
    yr_arena arena;
    yore_slice *texts; /* by number */
    size_t text_count, text_capacity;
    reference_doc *docs;
    size_t doc_count, doc_capacity;
    uint64_t total_length;
} reference;

/* Whether keys with a prefix are indexed. Of the rules for a key the one with the longest prefix decides; without any
 * it is. */
typedef struct reference_rule {
    yore_slice prefix;
    bool is_indexed;
} reference_rule;

/* Read a snapshot whole. */
void reference_load(reference *r, yore_snap *snap, yr_analyzer *analyzer, const reference_rule *rules,
                    size_t rule_count);
void reference_close(reference *r);

typedef struct reference_hit {
    yore_slice key;
    double score;
    size_t length;
} reference_hit;

typedef struct reference_question {
    const yr_query_node *root;
    double k1, b;
    yore_slice prefix;
} reference_question;

/* Every document that matches, best first. The hits are the caller's to free(). */
size_t reference_search(const reference *r, const reference_question *question, reference_hit **hits);

#endif

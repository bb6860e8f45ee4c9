/* A written word or phrase of a query to nodes. */
#ifndef YR_SEARCH_QUERY_WORDS_H
#define YR_SEARCH_QUERY_WORDS_H

#include "search/query/query.h"
#include "search/query/query_lex.h"

/* Growing in an arena: what it grew out of stays there until the arena goes. */
typedef struct yr_query_nodes {
    yr_query_node *at;
    uint32_t count;
    uint32_t capacity;
} yr_query_nodes;

yore_status yr_query_nodes_push(yr_arena *arena, yr_query_nodes *nodes, const yr_query_node *node,
                                yore_error *err);

/* What turning words into nodes needs and counts. */
typedef struct yr_query_words {
    yore_slice text;
    yr_analyzer *analyzer;
    yr_arena *arena;
    uint32_t terms; /* so far, at most YR_QUERY_TERMS_MAX */
    yr_query_complaint complaint;
} yr_query_words;

/* The terms of a word one by one, the last a prefix where the token says so.
 * Each adds to `out`. Returns YORE_OK; YORE_ERR_LIMIT, YORE_ERR_NOMEM. */
yore_status yr_query_words_terms(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                 yore_error *err);
/* The same word as what must not be there: one node. */
yore_status yr_query_words_excluded(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                    yore_error *err);
/* A quoted phrase: one node, a term where it has one term only. */
yore_status yr_query_words_phrase(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                  yore_error *err);

#endif

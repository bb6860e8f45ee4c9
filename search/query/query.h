/* The query language, parsed and analysed: a flat list of clauses, ready to be scored.
 *
 *     words            any of them (--all: every one)
 *     "a phrase"       the terms next to each other, in order
 *     +must  -not      binds the next word, phrase or group
 *     a OR b           either; only with --all does it differ from `a b`
 *     (a b)            a group
 *     pre*             every indexed word that starts with `pre` (folded, not stemmed)
 *
 * A term that is written twice counts twice. Lenient by default: what does not parse is text.
 */
#ifndef YR_SEARCH_QUERY_H
#define YR_SEARCH_QUERY_H

#include "engine/base/arena.h"
#include "search/analysis/analyzer.h"

#define YR_QUERY_BYTES_MAX 4096u /* DESIGN 10; past it: YORE_ERR_LIMIT naming it */
#define YR_QUERY_TERMS_MAX 256u

enum yr_query_node_kind {
    YR_QUERY_TERM,   /* one analysed term */
    YR_QUERY_PREFIX, /* `term` is a folded prefix */
    YR_QUERY_PHRASE, /* `children`: terms with `offset` (positions relative to the first) */
    YR_QUERY_GROUP,  /* `children` */
};

enum yr_query_occur { YR_SHOULD, YR_MUST, YR_MUST_NOT };

/* A group matches a document when every MUST child matches, no MUST_NOT child does, and, where it has no MUST child,
 * at least one SHOULD child does. Its score is the sum of the matching SHOULD and MUST children's, in query order.
 * A phrase that matches scores as the sum of its terms. A prefix scores as the sum over the document's terms it covers,
 * each with that term's own df and tf, in byte order of the terms. */
typedef struct yr_query_node {
    uint8_t kind;  /* yr_query_node_kind */
    uint8_t occur; /* yr_query_occur in its parent */
    uint32_t offset;
    yore_slice term;
    struct yr_query_node *children;
    uint32_t child_count;
    uint32_t from, to; /* bytes of the query it came from */
} yr_query_node;

typedef struct yr_query_options {
    bool strict; /* a syntax error is YORE_ERR_QUERY with err->offset at the place (else it is text) */
    bool plain;  /* every character is text */
    bool all;    /* unmarked clauses are MUST */
} yr_query_options;

/* Parse `text` (valid UTF-8 or not) with `analyzer`. Everything lives in `arena`. A query without any term (all stop
 * words, empty, "*") gives an empty root group that matches nothing.
 * out  the root, a YR_QUERY_GROUP.
 * Returns YORE_OK; YORE_ERR_QUERY (strict only), YORE_ERR_LIMIT (bytes, terms, nesting depth 64), YORE_ERR_NOMEM. */
yore_status yr_query_parse(yore_slice text, const yr_query_options *options, yr_analyzer *analyzer,
                           yr_arena *arena, yr_query_node **out, yore_error *err);

#endif

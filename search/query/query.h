/* The query language, parsed and analysed: a tree of clauses, ready to be scored. docs/search.md is for users.
 *
 *     words            any of them (--all: every one)
 *     "a phrase"       the terms next to each other, in order; a stop word keeps its place free
 *     +must  -not      binds the next word, phrase or group
 *     a OR b           either; only with --all does it differ from `a b`; binds tighter than a blank
 *     (a b)            a group
 *     pre*             every indexed word that starts with `pre` (folded, not stemmed)
 *
 * A term that is written twice counts twice. AND, NOT, x:y, a~1 and a^2 are text. Lenient by default: what does not
 * parse is text, and no text of at most YR_QUERY_BYTES_MAX bytes and YR_QUERY_TERMS_MAX terms is refused.
 *
 * One written word may be several terms ("state-of-the-art", Han). They are clauses of their own, so scores are BM25
 * over the terms; +word requires all of them, and -word excludes where they stand as written: it is the phrase.
 */
#ifndef YR_SEARCH_QUERY_H
#define YR_SEARCH_QUERY_H

#include "engine/base/arena.h"
#include "search/analysis/analyzer.h"

#define YR_QUERY_BYTES_MAX 4096u /* DESIGN 10; past it: YORE_ERR_LIMIT naming it */
#define YR_QUERY_TERMS_MAX 256u
#define YR_QUERY_DEPTH_MAX 64u /* brackets inside brackets; deeper ones are text */
/* Nodes above a leaf: a group and an OR group for each bracket, the root, a word of several terms, a phrase. Low enough
 * to walk the tree by recursion. */
#define YR_QUERY_NODE_DEPTH_MAX (2 * YR_QUERY_DEPTH_MAX + 4)

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
    bool
        strict; /* an operator that does not parse is YORE_ERR_QUERY, err->offset its place; else it is text */
    bool plain; /* every character is text */
    bool all;   /* unmarked clauses are MUST */
} yr_query_options;

/* Parse `text` (any bytes) with `analyzer`. Everything lives in `arena`, which also says the environment. A query
 * without any term (all stop words, empty, "*") gives a root group without children that matches nothing. No other
 * group is without children.
 * out  the root, a YR_QUERY_GROUP that is YR_SHOULD. What strict accepts has the same tree without it.
 * Returns YORE_OK; YORE_ERR_QUERY (strict only), YORE_ERR_LIMIT (bytes, terms), YORE_ERR_NOMEM. */
yore_status yr_query_parse(yore_slice text, const yr_query_options *options, yr_analyzer *analyzer,
                           yr_arena *arena, yr_query_node **out, yore_error *err);

#endif

/* What to show of a value that was found: where the query's words are, and the part of it that shows most of them.
 *
 *     yr_snippet_plan_create(root, &arena_of_the_search, &plan, err);            once a query
 *     yr_snippet_make(plan, analyzer, value, 200, &arena_of_the_hit, &s, err);   once a hit
 *
 * The value is analysed again, so nothing is stored for it. A word is marked when it is a term of the query or starts
 * with a prefix of it; the words of a phrase are marked where the phrase is, and nowhere else. What is under -not is
 * never marked. Words of a group are marked whether or not the group as a whole matches.
 *
 * The window is the one with the most distinct words of the query, the earliest of several. It is cut on grapheme
 * cluster boundaries, at white space where there is some, and begins and ends with no white space.
 *
 * Bounds, whatever the value: at most YR_SNIPPET_SCAN_BYTES of it are analysed to find a first match (past them the
 * snippet is the beginning of the value, without spans), and YR_SNIPPET_MORE_BYTES behind that one to find a better
 * window. A whole value is marked within its first YR_SNIPPET_SCAN_BYTES and at YR_SNIPPET_SPANS_MAX words at most. A
 * grapheme cluster of more than YR_SNIPPET_CLUSTER_BYTES is cut between code points. Memory: 16 bytes a span and a
 * constant.
 */
#ifndef YR_SEARCH_SNIPPET_H
#define YR_SEARCH_SNIPPET_H

#include <yore/search.h>

#include "search/query/query.h"

#define YR_SNIPPET_SCAN_BYTES (16u << 20)
#define YR_SNIPPET_MORE_BYTES (1u << 20)
#define YR_SNIPPET_SPANS_MAX 65536u
#define YR_SNIPPET_CLUSTER_BYTES 4096u

/* The words of a query, made ready for marking. Immutable: any number of threads may use one. */
typedef struct yr_snippet_plan yr_snippet_plan;

/* `root` is what yr_query_parse gave and must live as long as the plan, which lives in `arena`.
 * Returns YORE_OK, YORE_ERR_NOMEM. */
yore_status yr_snippet_plan_create(const yr_query_node *root, yr_arena *arena, yr_snippet_plan **out,
                                   yore_error *err);

typedef struct yr_snippet {
    yore_slice text;                   /* a part of the value: borrows it; valid UTF-8 */
    uint64_t from;                     /* where `text` begins in the value */
    const yore_text_span *spans;       /* in `text`, ascending, disjoint */
    const yore_text_span *value_spans; /* the same words, in the value */
    size_t span_count;                 /* of both */
} yr_snippet;

/* bytes  YORE_SNIPPET_NONE: nothing, YORE_SNIPPET_FULL: the value, else about so many bytes: at most that many unless
 *        the first word alone, or the cluster it ends in, is longer.
 * arena  holds the spans.
 * Returns YORE_OK, YORE_ERR_NOMEM. */
yore_status yr_snippet_make(const yr_snippet_plan *plan, yr_analyzer *analyzer, yore_slice value,
                            uint32_t bytes, yr_arena *arena, yr_snippet *out, yore_error *err);

#endif

/* The words of a query as marking needs them, and the walk over a value's words that finds them. */
#ifndef YR_SEARCH_SNIPPET_PLAN_H
#define YR_SEARCH_SNIPPET_PLAN_H

#include "search/snippet/snippet.h"

#define YR_NO_WORD UINT16_MAX

typedef struct yr_plan_phrase {
    const yr_query_node *node; /* two children at least */
    uint16_t last;             /* its last term's number */
    uint16_t *words;           /* all terms' numbers */
} yr_plan_phrase;

/* A word of the query has a number: the terms come first, then the prefixes. */
struct yr_snippet_plan {
    yore_slice
        words[YR_QUERY_TERMS_MAX];  /* terms, ascending and different; then prefixes, ascending, none of which
                                             begins with another */
    bool alone[YR_QUERY_TERMS_MAX]; /* a term that also stands outside of phrases */
    uint16_t term_count;
    uint16_t word_count; /* with the prefixes */
    yr_plan_phrase phrases[YR_QUERY_TERMS_MAX / 2];
    uint32_t phrase_count;
    uint32_t reach; /* positions the longest phrase covers, at least 1 */
};

/* A place in a value. `term` and `prefix` are numbers of the words it matches, one of them YR_NO_WORD or none. */
typedef struct yr_mark {
    yore_text_span span;
    uint16_t term, prefix;
} yr_mark;

/* Who takes the marks, in the order of the text. */
typedef struct yr_mark_sink {
    void *context;
    /* Returns YORE_OK; YORE_END for enough, or a failure. */
    yore_status (*take)(void *context, const yr_mark *mark, yore_error *err);
    /* Look at the words from `from` on? Asked at each word; the marks before it may still be to come. */
    bool (*goes_on)(void *context, uint64_t from);
} yr_mark_sink;

/* Walk the words of `value`, YR_SNIPPET_SCAN_BYTES of it at most. `arena` is for scratch.
 * Returns YORE_OK; YORE_ERR_NOMEM, or what `take` failed with. */
yore_status yr_snippet_mark(const yr_snippet_plan *plan, yr_analyzer *analyzer, yore_slice value,
                            yr_arena *arena, const yr_mark_sink *sink, yore_error *err);

#endif

/* Search: stored values that hold words, best first, on any branch as of any moment.
 *
 *     yore_query query = YORE_QUERY_INIT;
 *     query.text = yore_str("storm damage");
 *     status = yore_search(snap, &query, &iter, &err);
 *     while (yore_search_next(iter, hits, sizeof *hits, 16, &n, &err) == YORE_OK) show(hits, n);
 *     yore_iter_close(iter);
 *
 * The hits and their scores are those of a fresh store that holds only the snapshot: document count, document
 * frequencies and average length are the snapshot's, whatever else the store holds. The ranking is BM25 (Robertson and
 * Zaragoza, 2009) in Lucene's form:
 *
 *     idf = ln(1 + (N - df + 0.5) / (df + 0.5)),   score = sum of idf * tf / (tf + k1 * (1 - b + b * length / average))
 *
 * An index in memory follows the commit log in a thread of its own. It is built when the store is first searched, so a
 * program that does not search pays nothing; a search of version V waits until the index has reached V.
 */
#ifndef YORE_SEARCH_H
#define YORE_SEARCH_H

#include <yore/snap.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_SNIPPET_NONE 0u
#define YORE_SNIPPET_FULL UINT32_MAX

typedef struct yore_query {
    uint32_t struct_size;
    uint32_t k;        /* hits at most; 0 = 10 */
    yore_slice text;   /* docs/search.md has the language; at most 4,096 bytes and 256 terms */
    yore_slice prefix; /* only keys that start with these bytes (N, df and average length do not change) */
    int64_t wait_ns;   /* for the index to reach the snapshot: 0 = 30 s, negative = for ever */
    uint32_t snippet_bytes; /* YORE_SNIPPET_NONE, about this many bytes, or YORE_SNIPPET_FULL */
    bool all;               /* every word is required */
    bool plain;             /* every character is text */
    bool strict;            /* a query that does not parse is YORE_ERR_QUERY, err->offset the place */
    bool count_only;        /* only yore_search_info.matches is wanted: no hits */
    bool explain;           /* fill yore_hit.terms */
} yore_query;

#define YORE_QUERY_INIT                                                                                \
    {                                                                                                  \
        sizeof(yore_query), 0, {0, 0}, {0, 0}, 0, YORE_SNIPPET_NONE, false, false, false, false, false \
    }

/* Bytes [from, to). */
typedef struct yore_text_span {
    uint64_t from;
    uint64_t to;
} yore_text_span;

/* What one term added to a score. */
typedef struct yore_term_score {
    yore_slice term;
    uint64_t tf; /* in the document */
    uint64_t df; /* documents of the snapshot that hold it */
    double idf;
    double norm;  /* k1 * (1 - b + b * length / average) */
    double score; /* idf * tf / (tf + norm) */
} yore_term_score;

/* Everything borrows the iterator. */
typedef struct yore_hit {
    yore_key key;
    double score;  /* >= 0, higher is better; ties in the order of key bytes */
    uint64_t rank; /* 1, 2, 3... */
    uint64_t version;
    int64_t time_ns;
    yore_slice value;
    yore_slice snippet;                  /* valid UTF-8, cut on grapheme boundaries; empty without one */
    const yore_text_span *snippet_spans; /* the words that matched, in the snippet */
    size_t snippet_span_count;
    /* The same, in the value: all of them when the snippet is YORE_SNIPPET_FULL, else those the snippet shows. */
    const yore_text_span *value_spans;
    size_t value_span_count;
    const yore_term_score *terms; /* with `explain`, in query order */
    size_t term_count;
    uint64_t length; /* terms in the document */
} yore_hit;

/* The snapshot as search sees it. */
typedef struct yore_search_info {
    uint32_t struct_size;
    uint32_t branch_id;
    uint64_t version;      /* the snapshot's */
    uint64_t documents;    /* N */
    uint64_t total_length; /* terms in all of them */
    double average_length; /* total_length / N, 0 for none */
    uint64_t matches;      /* documents that match, whatever k */
    double k1;
    double b;
} yore_search_info;

/* Search a snapshot.
 * query    borrowed for the call.
 * out      set only on YORE_OK; close it with yore_iter_close. It may outlive the snapshot.
 * Returns YORE_OK, also for no hits; YORE_TIMEOUT when the index did not reach the snapshot in time; YORE_ERR_QUERY;
 *         YORE_ERR_LIMIT (bytes and terms of the query, words under its prefixes, yore_open_options.search_bytes_max);
 *         YORE_ERR_NOMEM; YORE_ERR_IO when the thread cannot be started; YORE_ERR_MISUSE when the store was closed.
 * Threads as yore_get.   Blocks while the index catches up, wait_ns at most.
 * Cost O(postings of the query's terms), for phrases and the bytes of the values that hold all their words; the first
 *         one after an open O(text in the store). */
YORE_API YORE_NODISCARD yore_status yore_search(yore_snap *snap, const yore_query *query, yore_iter **out,
                                                yore_error *err);

/* Take the next hits, best first. `rows`, `row_size`, `cap` and `n` as for yore_next.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE.   Threads one at a time.   Blocks never.   Cost O(hits + snippets). */
YORE_API YORE_NODISCARD yore_status yore_search_next(yore_iter *iter, yore_hit *rows, size_t row_size,
                                                     size_t cap, size_t *n, yore_error *err);

/* What was searched. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_MISUSE.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_search_info_get(const yore_iter *iter, yore_search_info *out,
                                                         yore_error *err);

/* How far the index is. All zero, `running` false, in a store that was not searched since it was opened. */
typedef struct yore_search_stats {
    uint32_t struct_size;
    bool running;
    uint64_t indexed_version;
    uint64_t lag_versions; /* commits that are visible and not yet indexed */
    uint64_t lag_bytes;    /* of values in them */
    uint64_t documents;    /* document versions held, of all branches */
    uint64_t postings;
    uint64_t index_bytes; /* memory */
    char analyzer[128];   /* language and versions of the libraries that made the terms; empty before */
} yore_search_stats;

/* Returns YORE_OK; YORE_ERR_MISUSE.   Threads any.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_search_stats_get(yore_db *db, yore_search_stats *out,
                                                          yore_error *err);

#ifdef __cplusplus
}
#endif
#endif

/* The search rows: what an engine can be asked, and the texts and queries that all of them get. Also read by C++, for
 * Xapian's sake.
 *
 * The texts are made of 50,000 words without stop words, and of an inflection that every English stemmer takes off the
 * same way, so that all engines must find the same documents: the bench compares their counts, query by query. */
#ifndef BENCH_SEARCH_H
#define BENCH_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEARCH_TOP 10u
#define SEARCH_QUERY_WORDS 4u
#define SEARCH_WORD_BYTES 16u
#define SEARCH_TEXT_BYTES 2048u /* of the longest document, and then some */

enum search_mode { SEARCH_OR, SEARCH_AND, SEARCH_PHRASE };
#define SEARCH_MODES 3u

typedef struct search_query {
    enum search_mode mode;
    size_t count;
    char words[SEARCH_QUERY_WORDS][SEARCH_WORD_BYTES]; /* lower case letters */
} search_query;

typedef struct search_document {
    char key[16]; /* NUL-terminated */
    const char *text;
    size_t size;
} search_document;

typedef struct search_engine {
    /* Settings as used, one line. */
    void (*describe)(char *out, size_t size);
    void *(*open)(const char *dir);
    void (*close)(void *store);
    /* Timed: adds the documents and returns when a search finds them. */
    void (*index)(void *store, const search_document *documents, size_t n);
    /* Not timed, before the first search: let the engine tidy up. */
    void (*settle)(void *store);
    /* Bytes of the index, without the texts. */
    uint64_t (*index_bytes)(void *store);
    /* Reads key and score of the best SEARCH_TOP; returns how many there were and adds up their scores. */
    size_t (*search)(void *store, const search_query *query, double *score);
    /* How many documents match, exactly. */
    uint64_t (*count)(void *store, const search_query *query);
} search_engine;

extern const search_engine search_engine_yore;
extern const search_engine search_engine_sqlite;
extern const search_engine search_engine_xapian;

/* What only yore can be asked. */

/* Later searches look at this branch, as of this version (0 = the newest). Waits for the index. */
void search_yore_look(void *store, const char *branch, uint64_t version);
/* The version at which half of what search_engine.index was given was there. */
uint64_t search_yore_half(void *store);
/* Puts documents; returns the version of the last commit. Does not wait for the index. */
uint64_t search_yore_put(void *store, const char *branch, const search_document *documents, size_t n);
/* A branch of default's tip. */
void search_yore_fork(void *store, const char *branch);
/* Closes and opens the store, so that it has no index. */
void search_yore_reopen(void *store);

/* -- helpers for engines -- */

/* The words of a query with `between` between them, `before` and `after` around it. */
void search_text(const search_query *query, const char *before, const char *between, const char *after,
                 char *out, size_t size);
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void search_fatal(const char *engine, const char *what);

/* -- texts and queries (bench_search_text.c) -- */

/* Documents first, first + step, ... of version `version` (0, 1, ...; each changes about a tenth of the words). The
 * caller frees *texts, which the documents borrow, and the documents. */
search_document *search_documents_make(uint64_t first, uint64_t step, size_t n, uint64_t version,
                                       char **texts);
/* Queries of one mode, from words of documents 0 to documents - 1 of version 0; freed by the caller. */
search_query *search_queries_make(enum search_mode mode, uint64_t documents, size_t n);

#ifdef __cplusplus
}
#endif
#endif

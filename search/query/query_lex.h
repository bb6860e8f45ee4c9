/* The text of a query to tokens. Operators that do not parse are already text in what comes out, so the parser
 * meets none that fails; the first of them in the text is kept as a complaint, which `strict` turns into an error. */
#ifndef YR_SEARCH_QUERY_LEX_H
#define YR_SEARCH_QUERY_LEX_H

#include "search/query/query.h"

enum yr_query_token_kind {
    YR_TOKEN_WORD,   /* written without a blank; may be several words to the analyzer */
    YR_TOKEN_PHRASE, /* from its first quote to behind its second */
    YR_TOKEN_OPEN,   /* a bracket that has its partner */
    YR_TOKEN_CLOSE,
    YR_TOKEN_MUST, /* stands right before a word, phrase or group, like the next */
    YR_TOKEN_NOT,
    YR_TOKEN_OR, /* stands between two operands */
};

typedef struct yr_query_token {
    uint8_t kind;   /* yr_query_token_kind */
    bool is_prefix; /* a word that ends in '*' */
    uint32_t from, to;
} yr_query_token;

/* The first operator of the text that was taken as text; `what` is NULL where there is none. */
typedef struct yr_query_complaint {
    const char *what;
    uint32_t offset;
} yr_query_complaint;

/* Remember a complaint unless there is one further left. */
void yr_query_complain(yr_query_complaint *complaint, size_t offset, const char *what);

/* text    at most YR_QUERY_BYTES_MAX bytes.
 * tokens  room for text.size + 1 of them.
 * Returns how many there are. */
size_t yr_query_lex(yore_slice text, yr_query_token *tokens, yr_query_complaint *complaint);

#endif

/* A parsed query as text: terms, pre*, "a phrase _ with a gap", (groups), each behind its + or -. */
#ifndef YR_TEST_QUERY_PRINT_H
#define YR_TEST_QUERY_PRINT_H

#include "search/query/query.h"

/* The children of `root`, NUL-terminated; what does not fit is left out. */
void query_print(const yr_query_node *root, char *out, size_t size);

#endif

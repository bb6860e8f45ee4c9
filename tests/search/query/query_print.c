#include "tests/search/query/query_print.h"

typedef struct printer {
    char *at;
    char *end; /* the place of the NUL */
} printer;

static void put(printer *p, yore_slice text)
{
    const char *bytes = text.data;
    for (size_t i = 0; i < text.size && p->at < p->end; i++) *p->at++ = bytes[i];
}

static void put_children(printer *p, const yr_query_node *node);

static void put_phrase(printer *p, const yr_query_node *node)
{
    uint32_t place = 0;
    put(p, yore_str("\""));
    for (uint32_t i = 0; i < node->child_count; i++, place++) {
        for (; place < node->children[i].offset; place++) put(p, yore_str("_ "));
        put(p, node->children[i].term);
        if (i + 1 < node->child_count) put(p, yore_str(" "));
    }
    put(p, yore_str("\""));
}

static void put_node(printer *p, const yr_query_node *node)
{
    static const char *const marks[] = {[YR_SHOULD] = "", [YR_MUST] = "+", [YR_MUST_NOT] = "-"};
    put(p, yore_str(marks[node->occur]));
    switch (node->kind) {
    case YR_QUERY_TERM: put(p, node->term); break;
    case YR_QUERY_PREFIX:
        put(p, node->term);
        put(p, yore_str("*"));
        break;
    case YR_QUERY_PHRASE: put_phrase(p, node); break;
    default:
        put(p, yore_str("("));
        put_children(p, node);
        put(p, yore_str(")"));
        break;
    }
}

static void put_children(printer *p, const yr_query_node *node)
{
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (i > 0) put(p, yore_str(" "));
        put_node(p, &node->children[i]);
    }
}

void query_print(const yr_query_node *root, char *out, size_t size)
{
    printer p = {out, out + size - 1};
    put_children(&p, root);
    *p.at = '\0';
}

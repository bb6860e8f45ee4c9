/* JSON texts (RFC 8259) as trees over their own source: nothing is converted, every value keeps its bytes.
 *
 * A document is an array of nodes, the root first. A node says where its value stands in the text; numbers are their
 * text and strings their literals, which compare as what they stand for ("\u0041" is "A", 1 and 1.0 differ).
 *
 * I1  Strict: UTF-8 (no overlong forms, no surrogates), no half of a surrogate pair in a string, no name twice in one
 *     object, nothing but blanks around the one value.
 * I2  Bounded: nesting to YR_JSON_DEPTH_MAX, texts to YR_JSON_BYTES_MAX; memory is at most YR_JSON_NODE_BYTES a value
 *     and nothing recurses.
 * I3  The members of an object stand twice: in source order along `next`, and by name in `sorted`. */
#ifndef YR_JSON_TREE_H
#define YR_JSON_TREE_H

#include <stdbool.h>

#include "engine/base/buf.h"

#include <yore/json.h>

#define YR_JSON_DEPTH_MAX YORE_JSON_DEPTH_MAX
#define YR_JSON_BYTES_MAX YORE_JSON_BYTES_MAX
#define YR_JSON_NODE_BYTES 40u

typedef enum yr_json_kind {
    YR_JSON_NULL,
    YR_JSON_TRUE,
    YR_JSON_FALSE,
    YR_JSON_NUMBER,
    YR_JSON_STRING,
    YR_JSON_ARRAY,
    YR_JSON_OBJECT,
} yr_json_kind;

/* Positions are bytes of the document's text; nodes are numbers in `nodes`. */
typedef struct yr_json_node {
    uint32_t off; /* the value's source text */
    uint32_t size;
    uint32_t name_off; /* a member's name, with its quotes; size 0 for elements and the root */
    uint32_t name_size;
    uint32_t next;   /* the sibling behind it; 0 = none */
    uint32_t child;  /* the first of its own; 0 = none */
    uint32_t count;  /* of its own */
    uint32_t sorted; /* an object: where its members by name begin in the document's `sorted` */
    uint8_t kind;    /* yr_json_kind */
    bool is_same;    /* set by yr_json_mark */
} yr_json_node;

typedef struct yr_json_doc {
    const yore_env *env;
    yore_slice text; /* borrowed */
    yr_json_node *nodes;
    uint32_t *sorted;
    uint32_t node_count;
    uint32_t node_room;
    uint32_t sorted_count;
    uint32_t sorted_room;
} yr_json_doc;

/* Read a text. It is borrowed until deinit. *doc needs no deinit after a failure.
 * YORE_ERR_INPUT with err->offset for what is not JSON, YORE_ERR_LIMIT past I2, YORE_ERR_NOMEM. */
yore_status yr_json_parse(const yore_env *env, yore_slice text, yr_json_doc *doc, yore_error *err);
void yr_json_deinit(yr_json_doc *doc);

static inline const yr_json_node *yr_json_at(const yr_json_doc *doc, uint32_t node)
{
    return &doc->nodes[node];
}
/* A value's source text, and a member's name as written (with its quotes). */
yore_slice yr_json_text(const yr_json_doc *doc, uint32_t node);
yore_slice yr_json_name(const yr_json_doc *doc, uint32_t node);

/* The `i`th member by name of an object. */
static inline uint32_t yr_json_member(const yr_json_doc *doc, uint32_t object, uint32_t i)
{
    return doc->sorted[doc->nodes[object].sorted + i];
}
/* The member of that name, a literal with its quotes that came out of a document; 0 = none. */
uint32_t yr_json_find(const yr_json_doc *doc, uint32_t object, yore_slice name);

/* Order of two string literals (with their quotes) by the UTF-8 of what they stand for. */
int yr_json_compare_literals(yore_slice a, yore_slice b);

/* Do two values say the same? Blanks, the order of members and the way strings are escaped do not count. */
bool yr_json_equal(const yr_json_doc *a, uint32_t node_a, const yr_json_doc *b, uint32_t node_b);

/* Set is_same in every node of `doc` that stands, names followed from the root, where `base` has an equal value.
 * Inside arrays nothing is set. O(both texts). */
void yr_json_mark(const yr_json_doc *base, yr_json_doc *doc);

/* Add "/" and what a name (a literal with its quotes) stands for, '~' and '/' escaped, as RFC 6901 has it. False when
 * the buffer is full or memory is out. */
bool yr_json_path_append(yr_buf *path, yore_slice name);

/* Check I1 to I3 of a document as far as the tree shows them; for tests. */
void yr_json_check(const yr_json_doc *doc);

#endif

/* Reading JSON (RFC 8259) on yajl: one text at a time, one level at a time, nothing converted.
 *
 * `json_in_read` checks a whole text and lists the members of its outermost object or array. Strings are decoded;
 * numbers are never turned into doubles; every member keeps its exact source text, so values go through unchanged.
 * Stricter than yajl: the text must be UTF-8 (no overlong forms, no surrogates), a decoded string must not hold half
 * a surrogate pair, nesting stops at JSON_DEPTH_MAX. A deeper level is read by giving `raw` to another json_in.
 *
 *     json_in in = {0};
 *     if (!json_in_read(&in, line, &problem)) complain(json_column(line, problem.off), problem.message);
 *     const json_member *key = json_in_find(&in, "key");
 *     json_in_deinit(&in);
 */
#ifndef YORE_CLI_JSON_IN_H
#define YORE_CLI_JSON_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/memory.h"

#define JSON_DEPTH_MAX 512u

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY } json_kind;

typedef struct json_member {
    yore_slice name; /* decoded; empty in an array */
    yore_slice text; /* a string: decoded; anything else: as `raw` */
    yore_slice raw;  /* the value's source text, borrowed from the input */
    size_t name_off; /* where the name starts in the input (the value, in an array) */
    size_t off;      /* where the value starts */
    json_kind kind;
} json_member;

/* Zero it. Members are valid until the next read, and as long as the text they were read from. */
typedef struct json_in {
    json_member *members;
    size_t count;
    size_t cap;
    json_kind kind; /* of the whole text: JSON_OBJECT or JSON_ARRAY */
    cli_bytes strings;
} json_in;

typedef struct json_problem {
    size_t off; /* byte position in the text */
    char message[200];
} json_problem;

/* Read a text whose outermost value is an object or an array. False with *problem filled when it is not. */
bool json_in_read(json_in *in, yore_slice text, json_problem *problem);
void json_in_deinit(json_in *in);

/* The last member of that name, NULL when there is none. */
const json_member *json_in_find(const json_in *in, const char *name);

/* Follow a JSON pointer (RFC 6901) into a text that `json_in_read` accepts. `scratch` holds what *out borrows.
 * False with *problem filled when the pointer leads nowhere. */
bool json_in_pointer(json_in *scratch, yore_slice text, const char *pointer, json_member *out,
                     json_problem *problem);

/* The column of a byte position: characters, from 1. */
uint32_t json_column(yore_slice text, size_t off);

bool json_is(yore_slice text, const char *word);

#endif

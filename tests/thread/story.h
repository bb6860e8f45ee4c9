/* What a store must hold, told by numbers alone: two lines of commits that go round their keys, so that a reader who
 * knows how many commits of each line it sees knows every key, every version of it, and every byte.
 *
 * Line 0 is written on `default`, line 1 on a fork of it that sees line 0 as it was there. A commit is STORY_ROWS
 * operations in a row, each on one key: a put, a put that has expired already, or a delete. */
#ifndef YR_STORY_H
#define YR_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include <yore.h>

enum { STORY_LINES = 2, STORY_KEYS = 300, STORY_ROWS = 6, STORY_KEY_BYTES = 16, STORY_VALUE_MAX = 80000 };

enum story_op { STORY_PUT, STORY_PUT_EXPIRED, STORY_DELETE };

/* How many commits of each line there are. On the fork, `parent` is line 0 at the fork. */
typedef struct story_view {
    bool on_fork;
    uint64_t parent;  /* of line 0 */
    uint64_t own;     /* of line 1; 0 on `default` */
    uint64_t version; /* of the snapshot that shows this: the reader's */
} story_view;

/* A version of a key: the lap of its line's way round the keys. */
typedef struct story_version {
    uint32_t line;
    uint32_t key;
    uint64_t lap;
    enum story_op op;
} story_version;

/* The i-th operation of commit `number` (from 1) of a line. */
story_version story_row(uint32_t line, uint64_t number, uint32_t i);
/* The value of a put, into room for STORY_VALUE_MAX bytes. */
yore_slice story_value(const story_version *version, char *room);
bool story_is_value(const story_version *version, yore_slice value);

yore_key story_key(uint32_t key, char text[STORY_KEY_BYTES]);
/* "how many commits": written by each commit of a line. */
yore_key story_counter(uint32_t line);

/* The value a key has in a view; false: none. */
bool story_find(const story_view *view, uint32_t key, story_version *out);
/* The versions a key has in a view, newest first, at most `room`: what a history lists. Deletes of what was not there
 * write nothing. Returns how many there are. */
uint64_t story_history(const story_view *view, uint32_t key, story_version *out, uint64_t room);

#endif

/* Two small hash maps for a git stream: by number (marks) and by bytes (refs, commit ids). */
#ifndef YORE_CLI_GIT_MAP_H
#define YORE_CLI_GIT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/memory.h"

/* Zero it. Number 0 is a legal key. */
typedef struct git_numbers {
    uint64_t *keys;
    uint64_t *values;
    unsigned char *used;
    size_t count;
    size_t cap; /* a power of two, or 0 */
} git_numbers;

void git_numbers_set(git_numbers *map, uint64_t key, uint64_t value);
bool git_numbers_get(const git_numbers *map, uint64_t key, uint64_t *value);
void git_numbers_deinit(git_numbers *map);

/* Zero it. Names are copied; entry numbers stay what they are, in the order of insertion. */
typedef struct git_names {
    cli_bytes text;
    size_t *ends; /* of name i: it starts where name i - 1 ends */
    uint64_t *values;
    size_t count;
    size_t cap;
    uint32_t *slots; /* entry + 1, 0 = free */
    size_t slot_count;
} git_names;

#define GIT_NAME_NONE SIZE_MAX

size_t git_names_find(const git_names *map, yore_slice name); /* entry or GIT_NAME_NONE */
size_t git_names_set(git_names *map, yore_slice name, uint64_t value);
yore_slice git_names_at(const git_names *map, size_t entry); /* valid until the next set */
void git_names_deinit(git_names *map);

#endif

/* Paths and ref names between git and yore. */
#ifndef YORE_CLI_GIT_PATH_H
#define YORE_CLI_GIT_PATH_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/memory.h"

/* Read a path of a fast-export line at *at: quoted as in C, or plain up to the line's end (`last`) or a blank. *at
 * moves behind it (and behind the blank). Returns NULL, or what is wrong. */
const char *git_path_read(const char **at, const char *end, bool last, cli_bytes *to);

/* Write a path as git does: quoted as in C where it has to be. */
void git_path_write(FILE *to, yore_slice path);

/* Why git could not have a file of that path, NULL when it can. */
const char *git_path_problem(yore_slice path);

/* A name yore takes, NUL-terminated: the ref's own (refs/heads/x and refs/tags/x without that, others without refs/),
 * with what is illegal here percent-encoded. Reversible, but for names past the limit, which end in a hash. */
void git_ref_name(yore_slice ref, cli_bytes *to);

#endif

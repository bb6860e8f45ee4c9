/* Paths and ref names between git and yore. */
#ifndef YORE_CLI_GIT_PATH_H
#define YORE_CLI_GIT_PATH_H

#include <stdbool.h>

#include "cli/memory.h"

/* Read a path of a fast-export line at *at: quoted as in C, or plain up to the line's end (`last`) or a blank. *at
 * moves behind it (and behind the blank). Returns NULL, or what is wrong. */
const char *git_path_read(const char **at, const char *end, bool last, cli_bytes *to);

/* A name yore takes, NUL-terminated: the ref's own (refs/heads/x and refs/tags/x without that, others without refs/),
 * with what is illegal here percent-encoded. Reversible, but for names past the limit, which end in a hash. */
void git_ref_name(yore_slice ref, cli_bytes *to);

#endif

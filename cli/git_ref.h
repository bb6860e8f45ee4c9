/* Names of refs on the way back to git. */
#ifndef YORE_CLI_GIT_REF_H
#define YORE_CLI_GIT_REF_H

#include "cli/git_map.h"

/* The ref a branch or tag gets: percent codes decoded, which git_ref_name made. What git would not take (a part that
 * begins with a dot, ends in .lock; a name that is another's directory, or is taken) gets percent codes, or a number.
 * `folder` is "refs/heads/" or "refs/tags/"; `taken` remembers what was given. free() it. */
char *git_ref_take(git_names *taken, const char *folder, const char *name);

#endif

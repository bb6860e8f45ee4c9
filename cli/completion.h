/* Shell completion scripts, from the command table. */
#ifndef YORE_CLI_COMPLETION_H
#define YORE_CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* Write the script of `shell` (bash, zsh, fish). Returns false for another one. */
bool cli_completion(FILE *to, const char *shell);

#endif

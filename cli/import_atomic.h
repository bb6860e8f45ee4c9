/* `import --atomic`: all of an input or nothing of it, whatever the format.
 *
 * A store that does not exist yet is made beside its place and moved there when the import is complete. Into a store
 * that exists, the import is first rehearsed on a copy of it, while the store itself is locked against other writers;
 * only an input that went through as a whole is then imported. What is left to go wrong is the disk.
 */
#ifndef YORE_CLI_IMPORT_ATOMIC_H
#define YORE_CLI_IMPORT_ATOMIC_H

#include "cli/import.h"

/* Run `format` over the input so. 0 or the exit code of a reported error. */
int import_atomic(import *im, int (*format)(import *im));

/* Remove a directory and all in it. */
void import_remove_tree(const char *path);

#endif

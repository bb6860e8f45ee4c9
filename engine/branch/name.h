/* Which names branches and tags may have (yore_name_check), and what a name that is not one may have meant.
 *
 * `[A-Za-z_][A-Za-z0-9._/+#-]*`, non-ASCII letters anywhere, to 128 bytes; not `v` and digits only (that is a
 * version), no `..`, no `//`, no `/` at the end. A git ref that breaks these rules is imported with the bytes in
 * question as `%XX` (upper-case hex), so such an escape is legal too. Point words (now, fork, ...) are legal. */
#ifndef YR_NAME_H
#define YR_NAME_H

#include <stdbool.h>

#include <yore/branch.h>

/* Is this a letter outside ASCII, for names? Blocks of controls, blanks, punctuation, symbols, emoji and private
 * use are not; the rest of Unicode is taken as letters, so that no table of characters is needed. */
bool yr_name_is_letter(uint32_t code);

/* `v` and digits: a version, never a name. */
bool yr_name_is_version(yore_slice name);

#endif

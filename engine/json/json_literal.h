/* String literals of JSON as they stand in a text, with their quotes. Of texts that have been accepted, but for
 * yr_json_has_lone_surrogate, which helps to accept them. */
#ifndef YR_JSON_LITERAL_H
#define YR_JSON_LITERAL_H

#include <stdbool.h>

#include <yore/types.h>

/* Half of a surrogate pair, as an escape. The escapes themselves are well-formed. */
bool yr_json_has_lone_surrogate(yore_slice literal);

#endif

/* Random JSON texts for the tests: small alphabets, so that two of them meet in many places. */
#ifndef YR_TEST_JSON_KIT_H
#define YR_TEST_JSON_KIT_H

#include <stdbool.h>

#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "engine/json/json_tree.h"

/* Any value, with blanks and escapes here and there. */
void json_kit_value(yr_rng *rng, yr_buf *out, unsigned depth);

/* `from`, with some members changed, added and deleted; spelt in another way here and there. */
void json_kit_variant(yr_rng *rng, const yr_json_doc *from, uint32_t node, yr_buf *out);

static inline void json_kit_put(yr_buf *out, const char *text)
{
    (void)yr_buf_append(out, text, strlen(text));
}

#endif

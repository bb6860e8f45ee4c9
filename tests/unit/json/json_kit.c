#include "tests/unit/json/json_kit.h"

#include <yore/json.h>

static const char *const NAMES[] = {"\"a\"",  "\"b\"",       "\"c\"", "\"\"",
                                    "\"~/\"", "\"\\u00e4\"", "\"😀\"", "\"\\t\""};
static const char *const NAMES_TOO[] = {"\"\\u0061\"", "\"b\"", "\"\\u0063\"",        "\"\"",
                                        "\"~\\/\"",    "\"ä\"", "\"\\ud83d\\ude00\"", "\"\\u0009\""};
static const char *const SCALARS[] = {
    "null",  "true",         "false",        "0",  "-1.5e3", "12345678901234567890", "\"\"",
    "\"x\"", "\"\\u0078y\"", "\"\\\"\\\\\"", "[]", "{}"};
#define NAME_COUNT (sizeof NAMES / sizeof *NAMES)

static void blanks(yr_rng *rng, yr_buf *out)
{
    if (yr_rng_below(rng, 6) == 0) json_kit_put(out, yr_rng_below(rng, 2) ? " " : "\n\t");
}

static void name(yr_rng *rng, yr_buf *out, size_t number)
{
    json_kit_put(out, yr_rng_below(rng, 4) ? NAMES[number] : NAMES_TOO[number]);
    blanks(rng, out);
    json_kit_put(out, ":");
    blanks(rng, out);
}

static void array(yr_rng *rng, yr_buf *out, unsigned depth)
{
    json_kit_put(out, "[");
    for (uint64_t i = 0, count = yr_rng_below(rng, 4); i < count; i++) {
        if (i > 0) json_kit_put(out, ",");
        json_kit_value(rng, out, depth - 1);
    }
    json_kit_put(out, "]");
}

void json_kit_value(yr_rng *rng, yr_buf *out, unsigned depth)
{
    uint64_t kind = yr_rng_below(rng, 8);
    blanks(rng, out);
    if (depth == 0 || kind < 3) {
        json_kit_put(out, SCALARS[yr_rng_below(rng, sizeof SCALARS / sizeof *SCALARS)]);
    } else if (kind == 3) {
        array(rng, out, depth);
    } else {
        bool comma = false;
        json_kit_put(out, "{");
        for (size_t i = 0; i < NAME_COUNT; i++) {
            if (yr_rng_below(rng, 2)) continue;
            if (comma) json_kit_put(out, ",");
            comma = true;
            blanks(rng, out);
            name(rng, out, i);
            json_kit_value(rng, out, depth - 1);
        }
        blanks(rng, out);
        json_kit_put(out, "}");
    }
    blanks(rng, out);
}

static void any(yr_rng *rng, yr_buf *out)
{
    json_kit_value(rng, out, (unsigned)yr_rng_below(rng, 3));
}

/* Depth is that of a made value: a few levels. */
void json_kit_variant(yr_rng *rng, const yr_json_doc *from, uint32_t node, yr_buf *out)
{
    const yr_json_node *n = yr_json_at(from, node);
    if (yr_rng_below(rng, 12) == 0) {
        any(rng, out);
        return;
    }
    if (n->kind != YR_JSON_OBJECT) {
        yore_slice text = yr_json_text(from, node);
        (void)yr_buf_append(out, text.data, text.size);
        return;
    }
    bool comma = false;
    bool turned = yr_rng_below(rng, 4) == 0; /* members in another order */
    json_kit_put(out, "{");
    for (size_t k = 0; k < NAME_COUNT; k++) {
        size_t i = turned ? NAME_COUNT - 1 - k : k;
        uint32_t member = yr_json_find(from, node, yore_str(NAMES[i]));
        if (yr_rng_below(rng, 10) < (member ? 1 : 9)) continue;
        if (comma) json_kit_put(out, ",");
        comma = true;
        blanks(rng, out);
        name(rng, out, i);
        if (member) {
            json_kit_variant(rng, from, member, out);
        } else {
            any(rng, out);
        }
    }
    json_kit_put(out, "}");
}

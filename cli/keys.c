/* Key arguments: plain, hex, base64, or full `branch:primitive:key` addresses. */
#include "cli/locate.h"

#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"

static const struct {
    const char *name;
    uint32_t tag;
} primitives[] = {
    {"kv", YORE_KV},     {"event", YORE_EVENT},   {"state", YORE_STATE}, {"json", YORE_JSON},
    {"tree", YORE_TREE}, {"vector", YORE_VECTOR}, {"blob", YORE_BLOB},   {"system", YORE_SYSTEM},
};

const char *cli_primitive_name(uint32_t primitive)
{
    for (size_t i = 0; i < CMD_COUNT(primitives); i++) {
        if (primitives[i].tag == primitive) return primitives[i].name;
    }
    return "kv";
}

bool cli_primitive_parse(yore_slice name, uint32_t *out)
{
    for (size_t i = 0; i < CMD_COUNT(primitives); i++) {
        if (strlen(primitives[i].name) == name.size &&
            memcmp(primitives[i].name, name.data, name.size) == 0) {
            *out = primitives[i].tag;
            return true;
        }
    }
    return false;
}

static int decode(cli *c, yore_slice text, cli_bytes *bytes)
{
    cli_bytes_clear(bytes);
    cli_bytes_reserve(bytes, 0);
    if (c->key_hex && !cli_hex_decode(bytes, text)) {
        return cli_usage_error(c, "two hex digits a byte, as in 00ff", "--key-hex: '%s' is not hexadecimal",
                               (const char *)text.data);
    }
    if (c->key_b64 && !cli_b64_decode(bytes, text)) {
        return cli_usage_error(c, "padded base64, as in AP8=", "--key-b64: '%s' is not base64",
                               (const char *)text.data);
    }
    if (!c->key_hex && !c->key_b64) cli_bytes_append(bytes, text.data, text.size);
    return 0;
}

/* `branch:primitive:` in front of a key. A branch may be `id:N`. */
static int split_address(cli *c, const char *text, const char **key, uint32_t *primitive)
{
    const char *first = strchr(text, ':');
    if (first != NULL && strncmp(text, "id:", 3) == 0 && first[1] >= '0' && first[1] <= '9') {
        first = strchr(first + 1, ':');
    }
    const char *second = first == NULL ? NULL : strchr(first + 1, ':');

    if (second == NULL || first == text) {
        return cli_usage_error(c, "default:kv:config.theme", "--address: '%s' is not branch:primitive:key",
                               text);
    }
    yore_slice name = yore_bytes(first + 1, (size_t)(second - first - 1));
    if (!cli_primitive_parse(name, primitive)) {
        return cli_usage_error(c, "kv, event, state, json, tree, vector, blob, system",
                               "--address: unknown primitive in '%s'", text);
    }

    char *branch = cli_strdup_slice(yore_bytes(text, (size_t)(first - text)));
    bool agrees = !c->branch_given || strcmp(branch, c->branch) == 0;
    if (!agrees) {
        int code = cli_usage_error(c, "leave -b out, or use one branch a call",
                                   "the address '%s' is on branch '%s', but '%s' is asked for", text, branch,
                                   c->branch);
        free(branch);
        return code;
    }
    if (c->address_branch == NULL) {
        c->address_branch = branch;
        c->branch = branch;
        c->branch_given = true;
    } else {
        free(branch);
    }
    *key = second + 1;
    return 0;
}

int cli_key_part(cli *c, const char *text, cli_bytes *bytes, uint32_t *primitive, yore_slice *out)
{
    const char *key = text;

    *primitive = YORE_KV;
    if (c->address) {
        int code = split_address(c, text, &key, primitive);
        if (code != 0) return code;
    }
    int code = decode(c, yore_str(key), bytes);
    *out = cli_bytes_slice(bytes);
    return code;
}

int cli_key(cli *c, const char *text, cli_bytes *bytes, yore_key *out)
{
    int code = cli_key_part(c, text, bytes, &out->primitive, &out->user);

    if (code != 0) return code;
    if (out->user.size == 0)
        return cli_error(c, YORE_ERR_LIMIT, NULL, NULL, "a key has 1 to %u bytes, not 0", YORE_KEY_BYTES_MAX);
    if (out->user.size > YORE_KEY_BYTES_MAX) {
        return cli_error(c, YORE_ERR_LIMIT, NULL, NULL, "a key has 1 to %u bytes, not %zu",
                         YORE_KEY_BYTES_MAX, out->user.size);
    }
    return 0;
}

char *cli_shown(yore_slice key)
{
    cli_bytes text = {0};
    size_t size = key.size < 80 ? key.size : 80;

    cli_bytes_reserve(&text, 0);
    text.data[0] = '\0';
    cli_escape(&text, yore_bytes(key.data, size));
    if (size < key.size) cli_bytes_append(&text, "...", 3);
    return text.data;
}

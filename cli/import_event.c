/* Reading one event. Strict, so that a misspelt name is not lost data: a member that is not known is refused, unless
 * the line says which schema it follows (a later yore may then have added some). */
#include "cli/import_event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/locate.h"

/* What a line is read into, besides the event: which members were there. */
typedef struct event_parse {
    event_reader *reader;
    event *out;
    import_problem *problem;
    yore_slice line;
    const json_member *at; /* the member at hand */
    const json_member *op;
    bool has_key;
    bool has_value;
    bool has_delete;
    bool is_fork;
    bool is_merge;
    bool is_tag;
    bool is_config;
    bool is_drop;
    bool has_prefix;
} event_parse;

static bool wrong(event_parse *p, const json_member *at, const char *message)
{
    uint32_t column = at == NULL ? 1 : json_column(p->line, at->off);
    return import_refuse(p->problem, YORE_ERR_INPUT, column, "%s", message);
}

static bool wrong_type(event_parse *p, const char *wanted)
{
    uint32_t column = json_column(p->line, p->at->off);
    return import_refuse(p->problem, YORE_ERR_INPUT, column, "'%.*s' must be %s", (int)p->at->name.size,
                         (const char *)p->at->name.data, wanted);
}

static bool take_string(event_parse *p, yore_slice *out)
{
    if (p->at->kind != JSON_STRING) {
        return wrong_type(p, "a string");
    }
    *out = p->at->text;
    return true;
}

static bool take_name(event_parse *p, yore_slice *out)
{
    if (!take_string(p, out)) {
        return false;
    }
    if (out->size == 0 || out->size > YORE_BRANCH_NAME_MAX) {
        return wrong_type(p, "a name of 1 to 128 bytes");
    }
    return true;
}

/* Base64 into memory of the reader that does not move while the event lives. */
static bool take_b64(event_parse *p, yore_slice *out)
{
    cli_bytes *decoded = &p->reader->decoded;
    size_t start = decoded->size;
    if (p->at->kind != JSON_STRING || !cli_b64_decode(decoded, p->at->text)) {
        return wrong_type(p, "a base64 string");
    }
    *out = yore_bytes(decoded->data == NULL ? "" : decoded->data + start, decoded->size - start);
    return true;
}

static bool take_bytes(event_parse *p, bool is_b64, yore_slice *out)
{
    return is_b64 ? take_b64(p, out) : take_string(p, out);
}

static bool take_bool(event_parse *p, bool *out)
{
    if (p->at->kind != JSON_BOOL) {
        return wrong_type(p, "true or false");
    }
    *out = json_is(p->at->raw, "true");
    return true;
}

static bool take_u64(event_parse *p, uint64_t *out)
{
    char text[32];
    if (p->at->kind == JSON_NUMBER && p->at->raw.size < sizeof text) {
        memcpy(text, p->at->raw.data, p->at->raw.size);
        text[p->at->raw.size] = 0;
        if (cli_parse_u64(text, out)) {
            return true;
        }
    }
    return wrong_type(p, "a whole number");
}

bool event_time(const json_member *member, int64_t *out, yore_error *err)
{
    char text[32];
    if (member->kind == JSON_STRING) {
        return yore_time_parse(member->text, 0, out, err) == YORE_OK;
    }
    (void)snprintf(err->message, sizeof err->message,
                   "neither RFC 3339 text nor a whole number of nanoseconds");
    if (member->kind != JSON_NUMBER || member->raw.size >= sizeof text) {
        return false;
    }
    memcpy(text, member->raw.data, member->raw.size);
    text[member->raw.size] = 0;
    return cli_parse_i64(text, out);
}

static bool take_time(event_parse *p, int64_t *out)
{
    yore_error err = YORE_ERROR_INIT;
    if (event_time(p->at, out, &err)) {
        return true;
    }
    (void)import_refuse(p->problem, YORE_ERR_INPUT, json_column(p->line, p->at->off), "'%.*s': %s",
                        (int)p->at->name.size, (const char *)p->at->name.data, err.message);
    (void)snprintf(p->problem->hint, sizeof p->problem->hint, "%.250s", err.hint);
    return false;
}

static bool take_type(event_parse *p)
{
    static const char *const names[] = {"bytes", "text", "json"};
    for (uint32_t i = 0; i < CMD_COUNT(names); i++) {
        if (p->at->kind == JSON_STRING && json_is(p->at->text, names[i])) {
            p->out->type = i;
            return true;
        }
    }
    return wrong_type(p, "\"bytes\", \"text\" or \"json\"");
}

static bool take_primitive(event_parse *p)
{
    if (p->at->kind != JSON_STRING || !cli_primitive_parse(p->at->text, &p->out->primitive) ||
        p->out->primitive == YORE_SYSTEM) {
        return wrong_type(p, "the name of a primitive, as \"kv\"");
    }
    return true;
}

/* A string is stored as its text; anything else as the text it has here, so that 1.0 stays 1.0. */
static void take_value(event_parse *p)
{
    p->has_value = true;
    p->out->value = p->at->text;
    if (p->at->kind != JSON_STRING) {
        p->out->type = YORE_TYPE_JSON;
    }
}

typedef enum member_id {
    M_ADDRESS,
    M_ADDRESS_B64,
    M_AUTHOR,
    M_AUTHOR_B64,
    M_BRANCH,
    M_BYTES,
    M_COMMIT,
    M_CONFIG,
    M_DELETE,
    M_DROP,
    M_EMPTY,
    M_EXPIRES,
    M_EXPIRY,
    M_FORK,
    M_FROM,
    M_HIDDEN,
    M_INTO,
    M_KEY,
    M_KEY_B64,
    M_MERGE,
    M_META,
    M_META_B64,
    M_NOTE,
    M_NOTE_B64,
    M_OP,
    M_PARENTS,
    M_PREFIX,
    M_PREFIX_B64,
    M_PRIMITIVE,
    M_SCHEMA,
    M_SOURCE,
    M_SOURCE_B64,
    M_SOURCE_TIME,
    M_TAG,
    M_TIME,
    M_TTL,
    M_TYPE,
    M_VALUE,
    M_VALUE_B64,
    M_VERSION,
    M_COUNT
} member_id;

static const char *const MEMBER_NAMES[M_COUNT] = {
    "address",     "address_b64", "author",  "author_b64", "branch",    "bytes",    "commit",    "config",
    "delete",      "drop",        "empty",   "expires",    "expiry",    "fork",     "from",      "hidden",
    "into",        "key",         "key_b64", "merge",      "meta",      "meta_b64", "note",      "note_b64",
    "op",          "parents",     "prefix",  "prefix_b64", "primitive", "schema",   "source",    "source_b64",
    "source_time", "tag",         "time",    "ttl",        "type",      "value",    "value_b64", "version"};

static member_id member_of(yore_slice name)
{
    for (uint32_t i = 0; i < M_COUNT; i++) {
        if (json_is(name, MEMBER_NAMES[i])) {
            return (member_id)i;
        }
    }
    return M_COUNT;
}

/* Members that name what happened or where. */
static bool take_what(event_parse *p, member_id id)
{
    event *out = p->out;
    switch (id) {
    case M_KEY:
    case M_KEY_B64: p->has_key = true; return take_bytes(p, id == M_KEY_B64, &out->key);
    case M_VALUE: take_value(p); return true;
    case M_VALUE_B64: p->has_value = true; return take_b64(p, &out->value);
    case M_DELETE: return take_bool(p, &p->has_delete);
    case M_META:
    case M_META_B64: return take_bytes(p, id == M_META_B64, &out->meta);
    case M_FORK: p->is_fork = true; return take_name(p, &out->name);
    case M_MERGE: p->is_merge = true; return take_name(p, &out->name);
    case M_TAG: p->is_tag = true; return take_name(p, &out->name);
    case M_DROP: p->is_drop = true; return take_name(p, &out->name);
    case M_CONFIG: p->is_config = true; return take_name(p, &out->name);
    case M_PREFIX:
    case M_PREFIX_B64: p->has_prefix = true; return take_bytes(p, id == M_PREFIX_B64, &out->prefix);
    case M_INTO:
    case M_BRANCH: return take_name(p, &out->branch);
    case M_OP: p->op = p->at; return true;
    default: return true;
    }
}

/* Members that say more about it. */
static bool take_more(event_parse *p, member_id id)
{
    event *out = p->out;
    switch (id) {
    case M_AUTHOR:
    case M_AUTHOR_B64: out->has_author = true; return take_bytes(p, id == M_AUTHOR_B64, &out->author);
    case M_NOTE:
    case M_NOTE_B64: out->has_note = true; return take_bytes(p, id == M_NOTE_B64, &out->note);
    case M_SOURCE:
    case M_SOURCE_B64: out->has_source = true; return take_bytes(p, id == M_SOURCE_B64, &out->source);
    case M_COMMIT:
        out->commit = p->at->raw;
        return p->at->kind == JSON_STRING || p->at->kind == JSON_NUMBER ||
               wrong_type(p, "a string or a number");
    case M_FROM: return take_string(p, &out->from);
    case M_EMPTY: return take_bool(p, &out->is_empty);
    case M_HIDDEN: return take_bool(p, &out->is_hidden);
    case M_TIME: out->has_time = true; return take_time(p, &out->time_ns);
    case M_SOURCE_TIME: out->has_source_time = true; return take_time(p, &out->source_time_ns);
    case M_EXPIRES:
    case M_EXPIRY:
        return take_time(p, &out->expiry_ns) && (out->expiry_ns > 0 || wrong_type(p, "a time after 1970"));
    case M_PARENTS:
        out->parents = p->at->raw;
        return p->at->kind == JSON_ARRAY || wrong_type(p, "a list of versions");
    case M_VERSION: out->has_version = true; return take_u64(p, &out->version);
    case M_TYPE: return take_type(p);
    case M_PRIMITIVE: return take_primitive(p);
    case M_TTL: {
        uint64_t ttl_ns = 0;
        if (!take_u64(p, &ttl_ns) || ttl_ns > INT64_MAX) {
            return wrong_type(p, "a whole number of nanoseconds");
        }
        out->ttl_ns = (int64_t)ttl_ns;
        return true;
    }
    default: return take_what(p, id);
    }
}

static bool unknown_member(event_parse *p)
{
    size_t best = SIZE_MAX;
    const char *nearest = NULL;
    char *name = cli_strdup_slice(p->at->name);
    for (size_t i = 0; i < M_COUNT; i++) {
        size_t distance = cli_edit_distance(name, MEMBER_NAMES[i]);
        if (distance < best) {
            best = distance;
            nearest = MEMBER_NAMES[i];
        }
    }
    (void)import_refuse(p->problem, YORE_ERR_INPUT, json_column(p->line, p->at->name_off),
                        "unknown member '%.64s'", name);
    if (best <= 2) {
        (void)snprintf(p->problem->hint, sizeof p->problem->hint, "write '%s' if that is what you mean",
                       nearest);
    } else {
        (void)snprintf(
            p->problem->hint, sizeof p->problem->hint,
            "rows of a table of your own need --key /path, events have the members `yore help import` lists");
    }
    free(name);
    return false;
}

static bool take_members(event_parse *p)
{
    const json_in *json = &p->reader->json;
    bool has_schema = json_in_find(json, "schema") != NULL;
    bool seen[M_COUNT] = {false};
    for (size_t i = 0; i < json->count; i++) {
        p->at = &json->members[i];
        member_id id = member_of(p->at->name);
        if (id == M_COUNT && has_schema) {
            continue;
        }
        if (id == M_COUNT) {
            return unknown_member(p);
        }
        if (seen[id]) {
            return import_refuse(p->problem, YORE_ERR_INPUT, json_column(p->line, p->at->name_off),
                                 "'%s' is given twice", MEMBER_NAMES[id]);
        }
        seen[id] = true;
        if (!take_more(p, id)) {
            return false;
        }
    }
    return true;
}

static bool has_nul(yore_slice text)
{
    return text.size > 0 && memchr(text.data, 0, text.size) != NULL;
}

/* A setting: its value is text, and nothing of the line is a key's. */
static bool settle_config(event_parse *p)
{
    const event *out = p->out;
    if (!p->has_value || out->type == YORE_TYPE_JSON || has_nul(out->value) || has_nul(out->name)) {
        return wrong(p, NULL, "a setting needs a name, and a 'value' that is text");
    }
    return true;
}

/* The kind of a data event. `delete` and `op` may both be there if they agree. */
static bool settle_data(event_parse *p)
{
    event *out = p->out;
    out->kind = p->has_delete ? EVENT_DEL : EVENT_PUT;
    if (p->op != NULL) {
        bool is_put = json_is(p->op->text, "put");
        bool is_del = json_is(p->op->text, "del");
        bool is_none = json_is(p->op->text, "none");
        if (p->op->kind != JSON_STRING || (!is_put && !is_del && !is_none)) {
            return wrong(p, p->op, "'op' must be \"put\", \"del\" or \"none\"");
        }
        if (p->has_delete && !is_del) {
            return wrong(p, p->op, "'op' and 'delete' disagree");
        }
        out->kind = is_del ? EVENT_DEL : is_none ? EVENT_EMPTY : EVENT_PUT;
    }
    if (out->expiry_ns != 0 && out->ttl_ns != 0) {
        return wrong(p, NULL, "both 'expires' and 'ttl'");
    }
    if (out->kind == EVENT_EMPTY) {
        return (!p->has_key && !p->has_value) ||
               wrong(p, p->op, "a row with op \"none\" has no key and no value");
    }
    if (!p->has_key) {
        return wrong(p, NULL, "no 'key' (and no 'fork', 'merge', 'tag' or 'config')");
    }
    if (out->kind == EVENT_DEL) {
        return !p->has_value || wrong(p, NULL, "both a value and a delete");
    }
    return p->has_value || wrong(p, NULL, "no 'value', 'value_b64' or 'delete'");
}

bool event_read(event_reader *reader, yore_slice line, event *out, import_problem *problem)
{
    json_problem json = {0};
    event_parse p = {.reader = reader, .out = out, .problem = problem, .line = line};
    *out = (event){.primitive = YORE_KV};
    cli_bytes_clear(&reader->decoded);
    cli_bytes_reserve(&reader->decoded, line.size + 1);
    if (!json_in_read(&reader->json, line, &json)) {
        return import_refuse(problem, YORE_ERR_INPUT, json_column(line, json.off), "%s", json.message);
    }
    if (reader->json.kind != JSON_OBJECT) {
        return wrong(&p, NULL, "expected a JSON object");
    }
    if (!take_members(&p)) {
        return false;
    }
    int records = (int)p.is_fork + (int)p.is_merge + (int)p.is_tag + (int)p.is_config + (int)p.is_drop;
    bool has_data = p.has_key || (p.has_value && !p.is_config) || p.has_delete || p.op != NULL;
    if (records > 1 || (records == 1 && has_data)) {
        return wrong(&p, NULL,
                     "one line says one thing: a key's change, a fork, a merge, a tag or a setting");
    }
    if (p.has_prefix && !p.is_config) {
        return wrong(&p, NULL, "'prefix' goes with 'config', the name of a setting");
    }
    if (p.is_merge && json_in_find(&reader->json, "into") == NULL) {
        return wrong(&p, NULL, "a merge needs 'into', the branch it goes to");
    }
    if (records == 0) {
        return settle_data(&p);
    }
    out->kind = p.is_fork    ? EVENT_FORK
                : p.is_merge ? EVENT_MERGE
                : p.is_tag   ? EVENT_TAG
                : p.is_drop  ? EVENT_DROP
                             : EVENT_CONFIG;
    return !p.is_config || settle_config(&p);
}

void event_reader_deinit(event_reader *reader)
{
    json_in_deinit(&reader->json);
    cli_bytes_deinit(&reader->decoded);
}

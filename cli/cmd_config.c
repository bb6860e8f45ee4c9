/* yore config: the store's settings, which are versioned data. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"

static const char FOR_PREFIX[] = "for keys that begin with ";

/* A setting's value, and the keys it holds for. */
typedef struct shown_value {
    const yore_setting *setting;
    yore_config_value in_force;
    bool is_default;
} shown_value;

static yore_slice prefix_of(const shown_value *v)
{
    return yore_bytes(v->in_force.prefix, v->in_force.prefix_size);
}

/* What is in force for the keys that begin with `key`, which may be empty. 0 or an exit code. */
static int read_setting(cli *c, const yore_setting *setting, yore_slice key, shown_value *out)
{
    yore_error err = YORE_ERROR_INIT;
    *out = (shown_value){.setting = setting, .in_force = {.struct_size = sizeof out->in_force}};
    yore_status status = yore_config_get_prefix(c->db, setting->name, key, NULL, &out->in_force, &err);

    if (status < 0) return cli_fail(c, &err);
    out->is_default = status == YORE_NOT_FOUND;
    if (out->is_default)
        (void)snprintf(out->in_force.value, sizeof out->in_force.value, "%s", setting->default_value);
    return 0;
}

/* version: of the commit that set it just now, 0 = it was only read. */
static void write_record(const shown_value *v, uint64_t version)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "name", v->setting->name);
    cli_json_text(&j, "value", v->in_force.value);
    if (v->in_force.prefix_size > 0) cli_json_bytes(&j, "prefix", prefix_of(v));
    cli_json_text(&j, "default", v->setting->default_value);
    cli_json_text(&j, "summary", v->setting->summary);
    if (version != 0) cli_json_u64(&j, "version", version);
    cli_json_line(&j);
}

static void list_value(cli_table *t, const shown_value *v)
{
    if (t == NULL) {
        write_record(v, 0);
        return;
    }
    cli_bytes summary = {0};
    cli_table_cell_text(t, v->setting->name);
    cli_table_cell_text(t, v->in_force.value);
    cli_table_cell_text(t, v->setting->default_value);
    if (v->in_force.prefix_size == 0) {
        cli_table_cell_text(t, v->setting->summary);
    } else {
        cli_bytes_append(&summary, FOR_PREFIX, sizeof FOR_PREFIX - 1);
        cli_bytes_append(&summary, v->in_force.prefix, v->in_force.prefix_size);
        cli_table_cell(t, cli_bytes_slice(&summary));
    }
    cli_bytes_deinit(&summary);
}

/* The values that a setting has for prefixes, in the order of those. */
static int list_prefixes(cli *c, const yore_setting *setting, cli_table *t)
{
    yore_error err = YORE_ERROR_INIT;
    shown_value v = {.setting = setting, .in_force = {.struct_size = sizeof v.in_force}};
    yore_status status;

    while ((status = yore_config_next_prefix(c->db, setting->name, prefix_of(&v), NULL, &v.in_force, &err)) ==
           YORE_OK)
        list_value(t, &v);
    return status < 0 ? cli_fail(c, &err) : 0;
}

static int run_list(cli *c)
{
    static const char *const headers[] = {"NAME", "VALUE", "DEFAULT", "SUMMARY"};
    shown_value v;
    size_t count;
    const yore_setting *settings = yore_settings(&count);
    int code = cli_open_read(c);

    if (code != 0) return code;
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; i < count && code == 0; i++) {
        code = read_setting(c, &settings[i], yore_str(""), &v);
        if (code == 0) list_value(t, &v);
        if (code == 0) code = list_prefixes(c, &settings[i], t);
    }
    cli_table_destroy(t);
    return code;
}

static int find_setting(cli *c, const yore_setting **out)
{
    size_t count;
    const yore_setting *settings = yore_settings(&count);
    const char *nearest = "";
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t distance = cli_edit_distance(c->args[0], settings[i].name);
        if (distance == 0 && strcmp(c->args[0], settings[i].name) == 0) {
            *out = &settings[i];
            return 0;
        }
        if (distance < best) {
            best = distance;
            nearest = settings[i].name;
        }
    }
    return cli_error(c, YORE_ERR_NAME, NULL, nearest, "there is no setting '%s'", c->args[0]);
}

/* --prefix, empty when it is not given. *bytes must outlive *out. */
static int read_prefix(cli *c, cli_bytes *bytes, yore_slice *out)
{
    uint32_t primitive = YORE_KV;
    int code = 0;

    *out = yore_str("");
    if (cli_has(c, "prefix")) code = cli_key_part(c, cli_value(c, "prefix"), bytes, &primitive, out);
    if (code == 0 && primitive != YORE_KV)
        code = cli_usage_error(c, "default:kv:PREFIX", "the prefix of a setting is one of kv keys");
    return code;
}

static int run_get(cli *c)
{
    shown_value v;
    const yore_setting *setting;
    cli_bytes bytes = {0};
    yore_slice prefix;
    int code = find_setting(c, &setting);

    if (code == 0) code = read_prefix(c, &bytes, &prefix);
    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = read_setting(c, setting, prefix, &v);
    if (code == 0 && c->json) {
        write_record(&v, 0);
    } else if (code == 0) {
        puts(v.in_force.value);
    }
    cli_bytes_deinit(&bytes);
    return code;
}

/* Where a value comes from that was not given. free() it. */
static char *source_of(const shown_value *v)
{
    if (v->is_default) return cli_strdup(" (the default)");
    if (v->in_force.prefix_size == 0) return cli_strdup(" (the whole store's)");
    char *prefix = cli_shown(prefix_of(v));
    char *text = cli_printf(" (that of %s)", prefix);
    free(prefix);
    return text;
}

/* `v3  search.index = none for keys that begin with log/` */
static void note_change(cli *c, const shown_value *v, yore_slice prefix, uint64_t version)
{
    bool taken_back = c->args[1][0] == '\0';
    char *source = taken_back ? source_of(v) : cli_strdup("");
    char *keys = prefix.size > 0 ? cli_shown(prefix) : cli_strdup("");

    cli_note(c, "v%" PRIu64 "  %s = %s%s%s%s%s", version, v->setting->name, v->in_force.value, source,
             prefix.size > 0 ? " " : "", prefix.size > 0 ? FOR_PREFIX : "", keys);
    free(keys);
    free(source);
}

static int run_set(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    const yore_setting *setting;
    shown_value v;
    cli_bytes bytes = {0};
    yore_slice prefix;
    int code = find_setting(c, &setting);

    /* A setting is always logged: a store of mode `none` could not leave it otherwise. */
    if (c->sync == 0) c->sync = YORE_SYNC_COMMIT;
    if (code == 0) code = read_prefix(c, &bytes, &prefix);
    if (code == 0) code = cli_open_write(c, false);
    if (code == 0 && yore_config_set_prefix(c->db, setting->name, prefix, c->args[1], &where, &err) < 0)
        code = cli_fail(c, &err);
    if (code == 0) code = read_setting(c, setting, prefix, &v);
    if (code == 0 && c->json) {
        write_record(&v, where.version);
    } else if (code == 0) {
        note_change(c, &v, prefix, where.version);
    }
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag get_flags[] = {
    {"prefix", "P", "what is in force for the keys that begin with P", 0},
};

static const cmd_flag set_flags[] = {
    {"prefix", "P", "only for the keys that begin with P (search.index)", 0},
};

static const cmd subs[] = {
    {.name = "list",
     .usage = "",
     .summary = "list the settings and their values",
     .run = run_list,
     .store = CMD_READS},
    {.name = "get",
     .usage = "NAME [--prefix P]",
     .summary = "print a setting",
     CMD_ENTRY_FLAGS(get_flags),
     .run = run_get,
     .store = CMD_READS,
     .args_min = 1,
     .args_max = 1},
    {.name = "set",
     .usage = "NAME VALUE [--prefix P]",
     .summary = "change a setting, for the store or the keys with a prefix; '' takes the change back",
     CMD_ENTRY_FLAGS(set_flags),
     .run = run_set,
     .store = CMD_WRITES,
     .args_min = 2,
     .args_max = 2},
};

const cmd cmd_config_entry = {
    .name = "config",
    .usage = "list|get|set",
    .summary = "read and change the store's settings",
    .details =
        "durability        commit, group, os or none\n"
        "search.language   stemming and stop words: a language of libstemmer, none for neither\n"
        "search.k1         how soon more of a word adds no more to a score\n"
        "search.b          how much a long text's words count less\n"
        "search.index      what is indexed: text or none; may differ by prefix, the longest one holds\n"
        "Search settings in force now apply to every moment of the past.",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};

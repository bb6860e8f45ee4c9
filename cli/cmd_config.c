/* yore config: the store's settings, which are versioned data. */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"

#define VALUE_BYTES_MAX 4096u

/* The value in force into `value`. 0 or an exit code. */
static int read_setting(cli *c, const yore_setting *setting, char *value, size_t size)
{
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_config_get(c->db, setting->name, NULL, value, size, &err);

    if (status < 0) return cli_fail(c, &err);
    if (status == YORE_NOT_FOUND) (void)snprintf(value, size, "%s", setting->default_value);
    return 0;
}

/* version: of the commit that set it just now, 0 = it was only read. */
static void write_record(const yore_setting *setting, const char *value, uint64_t version)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "name", setting->name);
    cli_json_text(&j, "value", value);
    cli_json_text(&j, "default", setting->default_value);
    cli_json_text(&j, "summary", setting->summary);
    if (version != 0) cli_json_u64(&j, "version", version);
    cli_json_line(&j);
}

static int run_list(cli *c)
{
    static const char *const headers[] = {"NAME", "VALUE", "DEFAULT", "SUMMARY"};
    char value[VALUE_BYTES_MAX];
    size_t count;
    const yore_setting *settings = yore_settings(&count);
    int code = cli_open_read(c);

    if (code != 0) return code;
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; i < count && code == 0; i++) {
        code = read_setting(c, &settings[i], value, sizeof value);
        if (code == 0 && c->json) write_record(&settings[i], value, 0);
        if (code != 0 || c->json) continue;
        cli_table_cell_text(t, settings[i].name);
        cli_table_cell_text(t, value);
        cli_table_cell_text(t, settings[i].default_value);
        cli_table_cell_text(t, settings[i].summary);
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

static int run_get(cli *c)
{
    char value[VALUE_BYTES_MAX];
    const yore_setting *setting;
    int code = find_setting(c, &setting);

    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = read_setting(c, setting, value, sizeof value);
    if (code != 0) return code;
    if (c->json) {
        write_record(setting, value, 0);
    } else {
        puts(value);
    }
    return 0;
}

static int run_set(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    const yore_setting *setting;
    int code = find_setting(c, &setting);

    /* A setting is always logged: a store of mode `none` could not leave it otherwise. */
    if (c->sync == 0) c->sync = YORE_SYNC_COMMIT;
    if (code == 0) code = cli_open_write(c, false);
    if (code != 0) return code;
    if (yore_config_set(c->db, setting->name, c->args[1], &where, &err) < 0) return cli_fail(c, &err);
    bool reset = c->args[1][0] == '\0';
    const char *value = reset ? setting->default_value : c->args[1];
    if (c->json) {
        write_record(setting, value, where.version);
    } else {
        cli_note(c, "v%" PRIu64 "  %s = %s%s", where.version, setting->name, value,
                 reset ? " (the default)" : "");
    }
    return 0;
}

static const cmd subs[] = {
    {.name = "list",
     .usage = "",
     .summary = "list the settings and their values",
     .run = run_list,
     .store = CMD_READS},
    {.name = "get",
     .usage = "NAME",
     .summary = "print a setting",
     .run = run_get,
     .store = CMD_READS,
     .args_min = 1,
     .args_max = 1},
    {.name = "set",
     .usage = "NAME VALUE",
     .summary = "change a setting; '' takes it back to its default",
     .run = run_set,
     .store = CMD_WRITES,
     .args_min = 2,
     .args_max = 2},
};

const cmd cmd_config_entry = {
    .name = "config",
    .usage = "list|get|set",
    .summary = "read and change the store's settings",
    .details = "durability        commit, group, os or none\n"
               "search.language   stemming and stop words: a language of libstemmer, none for neither\n"
               "search.k1         how soon more of a word adds no more to a score\n"
               "search.b          how much a long text's words count less\n"
               "search.index      what is indexed: text or none\n"
               "Search settings in force now apply to every moment of the past.",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};

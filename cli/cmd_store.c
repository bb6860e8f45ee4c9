/* yore init, upgrade: the store as a whole. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"
#include "cli/stats.h"

/* -- init -- */

static int run_init(cli *c)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;

    if (c->arg_count > 0 && c->db_path != NULL && strcmp(c->args[0], c->db_path) != 0) {
        return cli_usage_error(c, "leave one of them out", "'%s' and --db '%s' are two stores", c->args[0],
                               c->db_path);
    }
    c->store_path = cli_strdup(c->arg_count > 0 ? c->args[0] : cli_create_path(c));
    if (c->store_path[0] == '\0') return cli_usage_error(c, NULL, "'yore init' needs a path, not ''");
    options.create = true;
    options.must_create = true;
    options.wait_ms = c->wait_ms;
    if (yore_open(c->store_path, &options, &c->db, &err) < 0) return cli_fail(c, &err);
    /* Written under the default durability: the mode asked for is the store's from the next open on. */
    if (c->sync != 0 && yore_config_set(c->db, "durability", cli_sync_name(c->sync), NULL, &err) < 0) {
        return cli_fail(c, &err);
    }

    uint32_t format = yore_format_version();
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "path", c->store_path);
        cli_json_bool(&j, "created", true);
        cli_json_text(&j, "sync", cli_sync_name(c->sync != 0 ? c->sync : YORE_SYNC_COMMIT));
        cli_json_u64(&j, "format_major", format / 1000);
        cli_json_u64(&j, "format_minor", format % 1000);
        cli_json_line(&j);
    } else {
        cli_note(c, "made a store at %s", c->store_path);
    }
    return 0;
}

const cmd cmd_init_entry = {
    .name = "init",
    .usage = "[PATH] [--sync commit|group|os|none]",
    .summary = "make a store at PATH (else -d, YORE_DB, ./.yore)",
    .details =
        "--sync becomes the store's durability: commit (on disk before a commit returns), group (at most the\n"
        "last 100 ms lost at a power cut), os (survives kill -9), none (gone when the store is closed).",
    .run = run_init,
    .store = CMD_WRITES,
    .args_max = 1,
};

/* -- upgrade -- */

static int run_upgrade(cli *c)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t from = 0;
    uint32_t to = 0;
    int code = cli_find_store(c, &c->store_path);

    if (code != 0) return code;
    options.wait_ms = c->wait_ms;
    if (yore_upgrade(c->store_path, &options, &from, &to, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_u64(&j, "from_major", from / 1000);
        cli_json_u64(&j, "from_minor", from % 1000);
        cli_json_u64(&j, "to_major", to / 1000);
        cli_json_u64(&j, "to_minor", to % 1000);
        cli_json_line(&j);
    } else if (from == to) {
        cli_note(c, "%s is of format %u.%u already", c->store_path, to / 1000, to % 1000);
    } else {
        cli_note(c, "%s: format %u.%u is now %u.%u", c->store_path, from / 1000, from % 1000, to / 1000,
                 to % 1000);
    }
    return 0;
}

const cmd cmd_upgrade_entry = {
    .name = "upgrade",
    .usage = "",
    .summary = "bring a store of an older format to this version's",
    .run = run_upgrade,
    .store = CMD_WRITES,
};

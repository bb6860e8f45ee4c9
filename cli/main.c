/* The yore command: one call from argv to exit code. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/locate.h"
#include "cli/pager.h"

#define WAIT_MS_DEFAULT 5000u

/* A store file must never get the number of a closed standard stream: what is printed would land in it. */
static void occupy_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
        /* Read-only for output, so that writing to it still fails as it would have. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(EXIT_INTERNAL);
    }
}

static int read_color(cli *c)
{
    const char *when = cli_value(c, "color");
    const char *no_color = getenv("NO_COLOR");
    bool refused = no_color != NULL && no_color[0] != '\0';

    c->color_out = c->tty_out && !refused;
    c->color_err = c->tty_err && !refused;
    if (when == NULL || strcmp(when, "auto") == 0) return 0;
    if (strcmp(when, "always") != 0 && strcmp(when, "never") != 0) {
        return cli_usage_error(c, "auto, always, never", "flag '--color' does not know '%s'", when);
    }
    c->color_out = c->color_err = strcmp(when, "always") == 0;
    return 0;
}

static bool parse_sync(const char *text, uint32_t *out)
{
    static const char *const modes[] = {"commit", "group", "os", "none"};

    for (uint32_t i = 0; i < CMD_COUNT(modes); i++) {
        if (strcmp(text, modes[i]) == 0) {
            *out = YORE_SYNC_COMMIT + i;
            return true;
        }
    }
    return false;
}

#define MEMORY_MIN (UINT64_C(16) << 20)

static int read_wait(cli *c)
{
    const char *text = cli_value(c, "wait");
    uint64_t seconds;
    int64_t ns;

    c->wait_ms = WAIT_MS_DEFAULT;
    if (text == NULL) return 0;
    if (cli_parse_u64(text, &seconds)) {
        ns = seconds > 4000000 ? INT64_MAX : (int64_t)seconds * YORE_NS_PER_S;
    } else {
        int code = cli_value_duration_ns(c, "wait", &ns);
        if (code != 0) return code;
    }
    c->wait_ms = ns / 1000000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000000);
    return 0;
}

/* "256MiB", "1G", "300000000": binary units, with or without the i and the B. */
static bool parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0) return false;
    const char *unit = end[0] ? strchr(units, end[0] >= 'a' ? end[0] - 'a' + 'A' : end[0]) : NULL;
    uint32_t shift = unit ? 10 * (uint32_t)(unit - units + 1) : 0;
    if (unit) end++;
    if (unit && (end[0] == 'i' || end[0] == 'I')) end++;
    if (end[0] == 'B' || end[0] == 'b') end++;
    *out = (uint64_t)n << shift;
    return end[0] == 0 && n <= UINT64_MAX >> shift;
}

static int read_memory(cli *c)
{
    const char *text = cli_value(c, "memory");
    if (text == NULL) return 0;
    if (!parse_size(text, &c->memory_budget) || c->memory_budget < MEMORY_MIN)
        return cli_usage_error(c, "256MiB", "flag '--memory' needs a size of 16MiB at least, not '%s'", text);
    return 0;
}

static bool parse_zone(const char *text, int32_t *out)
{
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *out = 0;
        return true;
    }
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
    for (int i = 1; i < 6; i++) {
        if (i != 3 && (text[i] < '0' || text[i] > '9')) return false;
    }
    int hours = (text[1] - '0') * 10 + text[2] - '0';
    int minutes = (text[4] - '0') * 10 + text[5] - '0';
    if (hours > 23 || minutes > 59) return false;
    *out = (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
    return true;
}

static int read_globals(cli *c)
{
    const char *sync = cli_value(c, "sync");
    const char *zone = cli_value(c, "utc-offset");
    const char *branch = cli_value(c, "branch");
    const char *env_branch = getenv("YORE_BRANCH");

    c->db_path = cli_value(c, "db");
    c->branch_given = branch != NULL;
    if (branch == NULL && env_branch != NULL && env_branch[0] != '\0') branch = env_branch;
    c->branch = branch;
    c->json = cli_has(c, "json");
    c->quiet = cli_has(c, "quiet");
    c->ok_if_none = cli_has(c, "ok-if-none");
    c->address = cli_has(c, "address");
    c->key_hex = cli_has(c, "key-hex");
    c->key_b64 = cli_has(c, "key-b64");
    if (c->db_path != NULL && c->db_path[0] == '\0')
        return cli_usage_error(c, NULL, "flag '--db' needs a path, not ''");
    if (c->branch_given && branch[0] == '\0')
        return cli_usage_error(c, NULL, "flag '--branch' needs a name, not ''");
    if (c->key_hex && c->key_b64)
        return cli_usage_error(c, NULL, "--key-hex and --key-b64 exclude each other");
    if (sync != NULL && !parse_sync(sync, &c->sync)) {
        return cli_usage_error(c, "commit, group, os, none", "flag '--sync' does not know '%s'", sync);
    }
    if (zone != NULL) {
        c->zone_given = true;
        if (!parse_zone(zone, &c->zone_s)) {
            return cli_usage_error(c, "+01:00, -05:30, Z", "flag '--utc-offset' does not know '%s'", zone);
        }
    }
    int code = read_wait(c);
    if (code == 0) code = read_memory(c);
    return code != 0 ? code : read_color(c);
}

static int dispatch(cli *c)
{
    if (cli_has(c, "version")) return cmd_version_entry.run(c);
    if (c->command == NULL) {
        if (cli_has(c, "help")) return cli_help_overview(c, stdout);
        (void)cli_help_overview(c, stderr);
        return EXIT_USAGE;
    }
    if (cli_has(c, "help")) return cli_help_command(c, stdout, c->parent, c->command);
    cli_pager_begin(c);
    return c->command->run(c);
}

int main(int argc, char **argv)
{
    const yore_env *env = yore_env_default();
    cli c = {0};

    occupy_standard_streams();
    (void)signal(
        SIGPIPE,
        SIG_DFL); /* a reader that leaves ends the command in silence, even under a shell that ignores it */
    tzset();
    c.tty_in = isatty(0);
    c.tty_out = isatty(1);
    c.tty_err = isatty(2);
    c.now_ns = env->wall_ns(env->ctx);

    int code = cli_args_parse(&c, argc, argv);
    if (code == 0) code = read_globals(&c);
    if (code == 0) code = dispatch(&c);
    int written = cli_out_finish(&c);
    cli_pager_end();
    if (written != EXIT_DONE) code = written;
    if (code == EXIT_NO && c.ok_if_none) code = EXIT_DONE;

    yore_close(c.db);
    free(c.store_path);
    free(c.address_branch);
    cli_args_deinit(&c);
    return code;
}

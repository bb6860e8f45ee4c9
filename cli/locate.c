/* Finding and opening the store; branches and points in history as the command line names them. */
#define _POSIX_C_SOURCE 200809L
#include "cli/locate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/fail.h"

#define MEMORY_PATH ":memory:"
#define STORE_NAME ".yore"

/* -- the path -- */

static bool is_directory(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static bool has_file(const char *directory, const char *name)
{
    struct stat facts;
    char *path = cli_printf("%s/%s", directory, name);
    bool found = lstat(path, &facts) == 0 && S_ISREG(facts.st_mode);

    free(path);
    return found;
}

/* A cheap look for discovery only; yore_open decides. */
static bool looks_like_store(const char *directory)
{
    return has_file(directory, "MANIFEST") && has_file(directory, "LOCK");
}

static const char *named_path(const cli *c)
{
    if (c->db_path != NULL) return c->db_path;
    const char *env = getenv("YORE_DB");
    return env != NULL && env[0] != '\0' ? env : NULL;
}

const char *cli_create_path(const cli *c)
{
    const char *named = named_path(c);
    return named != NULL ? named : STORE_NAME;
}

/* A named directory that is no store but holds one means that one (`-d .`). */
static char *resolve_named(const char *path)
{
    char *inner = cli_printf("%s/" STORE_NAME, path);

    if (strcmp(path, MEMORY_PATH) != 0 && !looks_like_store(path) && is_directory(inner)) return inner;
    free(inner);
    return cli_strdup(path);
}

/* The nearest store at or above the working directory, NULL when there is none. */
static char *discover(void)
{
    char *at = getcwd(NULL, 0);

    while (at != NULL) {
        char *inner = cli_printf("%s/" STORE_NAME, strcmp(at, "/") == 0 ? "" : at);
        if (is_directory(inner)) {
            free(at);
            return inner;
        }
        free(inner);
        if (looks_like_store(at)) return at;
        char *slash = strrchr(at, '/');
        if (slash == NULL || strcmp(at, "/") == 0) break;
        slash[slash == at ? 1 : 0] = '\0';
    }
    free(at);
    return NULL;
}

int cli_find_store(cli *c, char **out)
{
    const char *named = named_path(c);

    *out = named != NULL ? resolve_named(named) : discover();
    if (*out != NULL) return 0;
    return cli_error(c, YORE_ERR_NO_STORE, NULL, "yore init",
                     "no store here or above: no '" STORE_NAME "' directory");
}

/* -- opening -- */

static int open_store(cli *c, const yore_open_options *options)
{
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_open(c->store_path, options, &c->db, &err);

    if (status == YORE_OK) return 0;
    c->db = NULL;
    cli_bytes word = {0};
    cli_shell_word(&word, c->store_path);
    if (status == YORE_ERR_NO_STORE && word.size < 200) {
        (void)snprintf(err.hint, sizeof err.hint, "yore init %s%.200s", word.data[0] == '-' ? "-- " : "",
                       word.data);
    }
    cli_bytes_deinit(&word);
    return cli_fail(c, &err);
}

int cli_open_read(cli *c)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    int code = cli_find_store(c, &c->store_path);

    if (code != 0) return code;
    options.read_only = true;
    options.memory_budget = c->memory_budget;
    if (strcmp(c->store_path, MEMORY_PATH) == 0) {
        options.read_only = false;
        options.create = true;
    }
    return open_store(c, &options);
}

int cli_open_write(cli *c, bool create)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;

    if (create && named_path(c) == NULL) {
        c->store_path = discover();
        if (c->store_path == NULL) c->store_path = cli_strdup(STORE_NAME);
    } else {
        int code = cli_find_store(c, &c->store_path);
        if (code != 0) return code;
    }
    options.sync = c->sync;
    options.wait_ms = c->wait_ms;
    options.memory_budget = c->memory_budget;
    options.create = create || strcmp(c->store_path, MEMORY_PATH) == 0;
    return open_store(c, &options);
}

/* -- branches -- */

const char *cli_branch(const cli *c)
{
    return c->branch != NULL ? c->branch : "default";
}

const char *cli_branch_name(cli *c, uint32_t id)
{
    static char name[YORE_BRANCH_NAME_MAX + 1];
    static uint32_t name_id; /* ids start at 1 */
    yore_branch_info info;
    char which[24];

    if (id == 0) return ""; /* commits of the store as a whole */
    if (id == name_id) return name;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    (void)snprintf(which, sizeof which, "id:%u", id);
    if (yore_branch_info_get(c->db, yore_str(which), &info, NULL) == YORE_OK) {
        memcpy(name, info.name, sizeof name);
        name_id = id;
    } else {
        memcpy(name, which, sizeof which);
        name_id = 0;
    }
    return name;
}

/* Do two branch words mean the same branch? By id, so `id:2` and its name agree. */
static bool same_branch(cli *c, const char *name, const yore_at *at)
{
    yore_branch_info info;

    if (at->branch_id == 0 && strcmp(name, at->branch[0] ? at->branch : "default") == 0) return true;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    if (yore_branch_info_get(c->db, yore_str(name), &info, NULL) != YORE_OK) return false;
    if (at->branch_id != 0) return at->branch_id == info.id;
    return strcmp(info.name, at->branch) == 0;
}

static int set_branch(cli *c, const char *name, yore_at *at)
{
    size_t size = strlen(name);
    uint64_t id;

    if (strncmp(name, "id:", 3) == 0 && cli_parse_u64(name + 3, &id) && id > 0 && id <= UINT32_MAX) {
        at->branch_id = (uint32_t)id;
        return 0;
    }
    if (size > YORE_BRANCH_NAME_MAX) {
        return cli_error(c, YORE_ERR_NAME, NULL, NULL, "branch name of %zu bytes: the limit is %u", size,
                         YORE_BRANCH_NAME_MAX);
    }
    memcpy(at->branch, name, size + 1);
    return 0;
}

/* The branch a tag belongs to. False when there is no such tag: resolving the point reports that. */
static bool tag_branch(cli *c, const char *tag, yore_at *at)
{
    yore_tag_info info;
    yore_slice after = yore_str("");

    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    while (yore_tag_next(c->db, after, &info, NULL) == YORE_OK) {
        if (strcmp(info.name, tag) == 0) {
            at->branch_id = info.branch_id;
            return true;
        }
        after = yore_str(info.name);
    }
    return false;
}

int cli_at_any(cli *c, const char *spec, yore_at *out)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    int code = set_branch(c, cli_branch(c), &at);

    if (code != 0) return code;
    *out = at;
    if (spec == NULL) return 0;

    int32_t zone_s = cli_zone_at(c, c->now_ns);
    if (yore_at_parse(c->db, spec, c->now_ns, zone_s, out, &err) < 0) return cli_fail(c, &err);

    /* A wall-clock time means the zone's offset of that time, not of now. */
    int32_t zone_then_s = out->kind == YORE_AT_TIME ? cli_zone_at(c, out->time_ns) : zone_s;
    if (zone_then_s != zone_s) {
        *out = at;
        if (yore_at_parse(c->db, spec, c->now_ns, zone_then_s, out, &err) < 0) return cli_fail(c, &err);
    }
    return 0;
}

int cli_at(cli *c, const char *spec, yore_at *out)
{
    int code = cli_at_any(c, spec, out);
    if (code != 0 || spec == NULL || !c->branch_given) return code;

    yore_at named = *out;
    bool bare_tag = named.kind == YORE_AT_TAG && strncmp(spec, "tag:", 4) == 0;
    if (bare_tag && !tag_branch(c, named.tag, &named)) return 0;
    if (same_branch(c, c->branch, &named)) return 0;
    const char *other = named.branch_id != 0 ? cli_branch_name(c, named.branch_id) : named.branch;
    return cli_usage_error(c, "leave one of them out", "'%s' is on branch '%s', but -b says '%s'", spec,
                           other, c->branch);
}

static int open_snap(cli *c, const yore_at *at, yore_snap **snap, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;

    *where = (yore_where)YORE_WHERE_INIT;
    return yore_snap_open(c->db, at, snap, where, &err) < 0 ? cli_fail(c, &err) : 0;
}

int cli_snap(cli *c, const char *spec, yore_snap **snap, yore_where *where)
{
    yore_at at;
    int code = cli_at(c, spec, &at);
    return code != 0 ? code : open_snap(c, &at, snap, where);
}

int cli_snap_from(cli *c, const char *spec, yore_snap **snap, yore_where *where)
{
    yore_at at;
    int code = cli_at_any(c, spec, &at);
    return code != 0 ? code : open_snap(c, &at, snap, where);
}

int cli_resolve(cli *c, const char *spec, yore_at *at, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;
    int code = cli_at(c, spec, at);

    if (code != 0) return code;
    *where = (yore_where)YORE_WHERE_INIT;
    return yore_at_resolve(c->db, at, where, &err) < 0 ? cli_fail(c, &err) : 0;
}

/* -- files of the user -- */

int cli_read_all(cli *c, const char *path, size_t size_max, cli_bytes *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(path, "rb");
    const char *shown = is_stdin ? "standard input" : path;
    int code = 0;

    if (from == NULL) return cli_os_error(c, errno, "cannot open", path);
    while (out->size <= size_max) {
        size_t ask = out->size < (1u << 20) ? (1u << 16) : (1u << 24);
        if (ask > size_max + 1 - out->size) ask = size_max + 1 - out->size;
        cli_bytes_reserve(out, ask);
        size_t got = fread(out->data + out->size, 1, ask, from);
        out->size += got;
        if (got < ask) break;
    }
    if (ferror(from)) code = cli_os_error(c, errno, "cannot read", shown);
    if (out->data == NULL) cli_bytes_reserve(out, 0);
    if (!is_stdin) (void)fclose(from);
    return code;
}

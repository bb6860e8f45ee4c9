/* `export --all-versions`: the whole store as one stream in the order of its versions.
 *
 * Branches have their names of now. A deleted branch is left out, unless a commit that stays has a parent on it or a
 * tag names a point of it: then it is written too, under a name nobody else has, and dropped again at the end. Fork
 * points and parents are versions of this store; the importer translates them. Tags and settings come last: they are
 * those of now.
 */
#include "cli/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct all_branch {
    yore_branch_info info;
    char *name;
    bool wanted;
} all_branch;

typedef struct all_run {
    export_run *run;
    all_branch *branches; /* by id, ascending, as they were created */
    size_t count;
    size_t cap;
    size_t next; /* first one not written yet */
    bool grew;   /* another deleted branch turned out to be needed */
} all_run;

static all_branch *find(all_run *all, uint32_t id)
{
    size_t low = 0;
    size_t high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->branches[middle].info.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < all->count && all->branches[low].info.id == id ? &all->branches[low] : NULL;
}

static int read_branches(all_run *all)
{
    yore_error err = YORE_ERROR_INIT;
    uint32_t after = 0;
    yore_status status = YORE_OK;
    while (status == YORE_OK) {
        if (all->count == all->cap) {
            all->cap = all->cap == 0 ? 16 : all->cap * 2;
            all->branches = cli_realloc(all->branches, all->cap * sizeof *all->branches);
        }
        all_branch *branch = &all->branches[all->count];
        *branch = (all_branch){.info = {.struct_size = sizeof branch->info}};
        status = yore_branch_next(all->run->c->db, after, &branch->info, &err);
        if (status == YORE_OK) {
            after = branch->info.id;
            branch->wanted = branch->info.deleted_version == 0;
            all->count++;
        }
    }
    return status < 0 ? cli_fail(all->run->c, &err) : EXIT_DONE;
}

typedef int (*commit_fn)(all_run *all, const yore_commit_info *info);

static int each_commit(all_run *all, bool system, commit_fn each)
{
    cli *c = all->run->c;
    yore_error err = YORE_ERROR_INIT;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    int code = EXIT_DONE;
    options.all_branches = true;
    options.oldest_first = true;
    options.system = system;
    yore_status status = yore_log(c->db, NULL, &options, &log, &err);
    while (status == YORE_OK && code == EXIT_DONE && (status = yore_log_next(log, &info, &err)) == YORE_OK) {
        code = each(all, &info);
    }
    yore_iter_close(log);
    return status < 0 ? cli_fail(c, &err) : code;
}

/* -- which deleted branches are still needed -- */

static bool want(all_run *all, uint32_t id)
{
    all_branch *branch = find(all, id);
    if (branch == NULL || branch->wanted) {
        return false;
    }
    branch->wanted = true;
    return true;
}

static int want_parents(all_run *all, const yore_commit_info *info)
{
    static yore_commit_info parent; /* large */
    all_branch *branch = find(all, info->branch_id);
    for (uint32_t i = 0; branch != NULL && branch->wanted && i < info->parent_count; i++) {
        parent.struct_size = sizeof parent;
        if (yore_commit_get(all->run->c->db, info->parents[i], &parent, NULL) == YORE_OK) {
            all->grew = want(all, parent.branch_id) || all->grew;
            yore_commit_release(&parent);
        }
    }
    return EXIT_DONE;
}

/* A tag on a deleted branch still answers, so its branch is needed. */
static int want_tagged(all_run *all)
{
    yore_error err = YORE_ERROR_INIT;
    yore_tag_info tag = {.struct_size = sizeof tag};
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    yore_status status;
    while ((status = yore_tag_next(all->run->c->db, yore_str(after), &tag, &err)) == YORE_OK) {
        (void)want(all, tag.branch_id);
        memcpy(after, tag.name, sizeof after);
    }
    return status < 0 ? cli_fail(all->run->c, &err) : EXIT_DONE;
}

static int settle_wanted(all_run *all)
{
    bool has_deleted = false;
    int code = want_tagged(all);
    for (size_t i = 0; i < all->count; i++) {
        has_deleted = has_deleted || !all->branches[i].wanted;
    }
    all->grew = has_deleted;
    while (all->grew && code == EXIT_DONE) {
        all->grew = false;
        for (size_t i = all->count; i > 0; i--) { /* parents have smaller ids than their children */
            const all_branch *branch = &all->branches[i - 1];
            bool needs = branch->wanted && branch->info.parent_id != 0;
            all->grew = (needs && want(all, branch->info.parent_id)) || all->grew;
        }
        code = each_commit(all, false, want_parents);
    }
    return code;
}

static bool is_taken(const all_run *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->branches[i].name != NULL && strcmp(all->branches[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Live branches first: they keep their names. */
static void settle_names(all_run *all)
{
    for (size_t i = 0; i < all->count; i++) {
        all_branch *branch = &all->branches[i];
        if (branch->info.deleted_version == 0) {
            branch->name = cli_strdup(branch->info.name);
        }
    }
    for (size_t i = 0; i < all->count; i++) {
        all_branch *branch = &all->branches[i];
        if (branch->wanted && branch->name == NULL) {
            bool taken = is_taken(all, branch->info.name);
            branch->name = taken ? cli_printf("%.*s#%u", (int)YORE_BRANCH_NAME_MAX - 12, branch->info.name,
                                              (unsigned)branch->info.id)
                                 : cli_strdup(branch->info.name);
        }
    }
}

/* -- writing -- */

static void write_fork(all_run *all, const all_branch *branch)
{
    const yore_branch_info *info = &branch->info;
    const all_branch *parent = find(all, info->parent_id);
    cli_json j = {.to = all->run->to};
    cli_json_begin(&j);
    cli_json_u64(&j, "schema", 1);
    cli_json_text(&j, "fork", branch->name);
    if (parent == NULL) {
        cli_json_bool(&j, "empty", true);
    } else {
        char *from = cli_printf("%s@v%" PRIu64, parent->name, info->fork_version);
        cli_json_text(&j, "from", from);
        free(from);
    }
    cli_json_u64(&j, "version", info->create_version);
    cli_json_time(&j, "time", info->created_ns);
    if (info->hidden) {
        cli_json_bool(&j, "hidden", true);
    }
    if (info->ttl_ns > 0) {
        cli_json_i64(&j, "ttl", info->ttl_ns);
    }
    export_end(all->run, &j);
}

static int write_commit(all_run *all, const yore_commit_info *info)
{
    while (all->next < all->count && all->branches[all->next].info.create_version <= info->version) {
        const all_branch *branch = &all->branches[all->next++];
        if (branch->wanted && strcmp(branch->name, "default") != 0) {
            write_fork(all, branch);
        }
    }
    const all_branch *branch = find(all, info->branch_id);
    if (info->kind != YORE_COMMIT_DATA || branch == NULL || !branch->wanted) {
        return EXIT_DONE;
    }
    return export_commit(all->run, branch->name, info);
}

static int write_tags(all_run *all)
{
    yore_error err = YORE_ERROR_INIT;
    yore_tag_info tag = {.struct_size = sizeof tag};
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    yore_status status;
    while ((status = yore_tag_next(all->run->c->db, yore_str(after), &tag, &err)) == YORE_OK) {
        const all_branch *branch = find(all, tag.branch_id);
        memcpy(after, tag.name, sizeof after);
        if (branch == NULL || !branch->wanted) {
            continue;
        }
        cli_json j = {.to = all->run->to};
        char *at = cli_printf("%s@v%" PRIu64, branch->name, tag.version);
        cli_json_begin(&j);
        cli_json_u64(&j, "schema", 1);
        cli_json_text(&j, "tag", tag.name);
        cli_json_text(&j, "from", at);
        cli_json_time(&j, "time", tag.time_ns);
        export_end(all->run, &j);
        free(at);
    }
    return status < 0 ? cli_fail(all->run->c, &err) : EXIT_DONE;
}

static void write_setting(all_run *all, const char *name, const yore_config_value *value)
{
    cli_json j = {.to = all->run->to};
    cli_json_begin(&j);
    cli_json_u64(&j, "schema", 1);
    cli_json_text(&j, "config", name);
    if (value->prefix_size > 0) {
        cli_json_bytes(&j, "prefix", yore_bytes(value->prefix, value->prefix_size));
    }
    cli_json_text(&j, "value", value->value);
    export_end(all->run, &j);
}

/* What was set, for the store and by prefix; a default is not written. */
static int write_settings(all_run *all)
{
    cli *c = all->run->c;
    yore_error err = YORE_ERROR_INIT;
    size_t count;
    const yore_setting *settings = yore_settings(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = settings[i].name;
        yore_config_value value = {.struct_size = sizeof value};
        yore_status status = yore_config_get_prefix(c->db, name, yore_str(""), NULL, &value, &err);
        if (status == YORE_OK) {
            write_setting(all, name, &value);
        }
        while (status >= 0 &&
               (status = yore_config_next_prefix(c->db, name, yore_bytes(value.prefix, value.prefix_size),
                                                 NULL, &value, &err)) == YORE_OK) {
            write_setting(all, name, &value);
        }
        if (status < 0) {
            return cli_fail(c, &err);
        }
    }
    return EXIT_DONE;
}

/* Children before their parents, as a parent with children cannot go. */
static void write_drops(all_run *all)
{
    for (size_t i = all->count; i > 0; i--) {
        const all_branch *branch = &all->branches[i - 1];
        if (branch->wanted && branch->info.deleted_version != 0) {
            cli_json j = {.to = all->run->to};
            cli_json_begin(&j);
            cli_json_u64(&j, "schema", 1);
            cli_json_text(&j, "drop", branch->name);
            export_end(all->run, &j);
        }
    }
}

int export_everything(export_run *run)
{
    all_run all = {.run = run};
    int code = read_branches(&all);
    if (code == EXIT_DONE) {
        code = settle_wanted(&all);
    }
    if (code == EXIT_DONE) {
        settle_names(&all);
        code = each_commit(&all, true, write_commit);
    }
    if (code == EXIT_DONE) {
        code = write_tags(&all);
    }
    if (code == EXIT_DONE) {
        code = write_settings(&all);
    }
    if (code == EXIT_DONE) {
        write_drops(&all);
    }
    for (size_t i = 0; i < all.count; i++) {
        free(all.branches[i].name);
    }
    free(all.branches);
    return code;
}

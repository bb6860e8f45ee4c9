/* `export --format git`: a stream that `git fast-import` reads, of all branches and tags or of one branch up to a
 * point.
 *
 * What import --format git made comes out as it went in: every commit has the tree it had. Commits stand in the
 * order of their versions, which has parents before their children; those that no ref reaches are left out. Commits
 * of a branch that gets no ref (side/N, a deleted one) stand on a scratch ref, which the end of the stream takes
 * away. The stream ends in `done`, so that half of one is never taken for all of it.
 */
#include "cli/export_git.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/git_ref.h"
#include "cli/locate.h"

#define SCRATCH_REF "refs/yore/unnamed"
#define NO_COMMIT UINT32_MAX

typedef struct git_commit_node {
    uint64_t version;
    int64_t time_ns;
    uint32_t branch_id;
    uint32_t parents; /* the first in git_export.parents */
    uint32_t parent_count;
    uint32_t mark; /* of this commit, or of what stands for it when it is not written; 0 = nothing */
    bool follows;  /* its first parent is the previous commit of its lineage */
    bool is_wanted;
    bool is_written;
} git_commit_node;

typedef struct git_out_branch {
    yore_branch_info info;
    char *ref; /* NULL = gets none */
    uint32_t tip;
} git_out_branch;

typedef struct git_out_tag {
    char *ref;
    char *name;
    uint32_t commit;
} git_out_tag;

typedef struct git_export {
    export_run *run;
    git_trees trees;
    git_commit_node *nodes; /* by version */
    size_t count;
    size_t cap;
    uint64_t *parents;
    size_t parent_count;
    size_t parent_cap;
    git_out_branch *branches; /* by id */
    size_t branch_count;
    size_t branch_cap;
    git_out_tag *tags;
    size_t tag_count;
    size_t tag_cap;
    git_names refs;
    uint32_t marks;
    uint64_t gone;      /* commits whose state is no longer kept */
    uint64_t lost_tags; /* tags of no commit */
    bool used_scratch;
} git_export;

/* -- the graph -- */

static git_out_branch *find_branch(git_export *out, uint32_t id)
{
    size_t low = 0;
    size_t high = out->branch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (out->branches[middle].info.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < out->branch_count && out->branches[low].info.id == id ? &out->branches[low] : NULL;
}

static uint32_t find_commit(const git_export *out, uint64_t version)
{
    size_t low = 0;
    size_t high = out->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (out->nodes[middle].version < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < out->count && out->nodes[low].version == version ? (uint32_t)low : NO_COMMIT;
}

static int read_branches(git_export *out)
{
    yore_error err = YORE_ERROR_INIT;
    uint32_t after = 0;
    yore_status status = YORE_OK;
    while (status == YORE_OK) {
        if (out->branch_count == out->branch_cap) {
            out->branch_cap = out->branch_cap == 0 ? 16 : out->branch_cap * 2;
            out->branches = cli_realloc(out->branches, out->branch_cap * sizeof *out->branches);
        }
        git_out_branch *branch = &out->branches[out->branch_count];
        *branch = (git_out_branch){.info = {.struct_size = sizeof branch->info}, .tip = NO_COMMIT};
        status = yore_branch_next(out->run->c->db, after, &branch->info, &err);
        after = branch->info.id;
        out->branch_count += status == YORE_OK;
    }
    return status < 0 ? cli_fail(out->run->c, &err) : EXIT_DONE;
}

/* Does branch `of` read the commit `version` of branch `id`? */
static bool is_in_lineage(git_export *out, uint32_t of, uint32_t id, uint64_t version)
{
    uint64_t cap = UINT64_MAX;
    for (uint32_t depth = 0; of != id && depth <= YORE_LINEAGE_DEPTH_MAX; depth++) {
        const git_out_branch *branch = find_branch(out, of);
        if (branch == NULL || branch->info.parent_id == 0) return false;
        cap = branch->info.fork_version < cap ? branch->info.fork_version : cap;
        of = branch->info.parent_id;
    }
    return of == id && version <= cap;
}

static void add_commit(git_export *out, const yore_commit_info *info)
{
    if (out->count == out->cap) {
        out->cap = out->cap == 0 ? 1024 : out->cap * 2;
        out->nodes = cli_realloc(out->nodes, out->cap * sizeof *out->nodes);
    }
    if (out->parent_count + YORE_PARENTS_MAX > out->parent_cap) {
        out->parent_cap = out->parent_cap == 0 ? 1024 : out->parent_cap * 2;
        out->parents = cli_realloc(out->parents, out->parent_cap * sizeof *out->parents);
    }
    git_commit_node *node = &out->nodes[out->count++];
    *node = (git_commit_node){.version = info->version,
                              .time_ns = info->time_ns,
                              .branch_id = info->branch_id,
                              .parents = (uint32_t)out->parent_count,
                              .parent_count = info->parent_count};
    memcpy(out->parents + out->parent_count, info->parents, info->parent_count * sizeof *out->parents);
    out->parent_count += info->parent_count;
    if (info->parent_count > 0) {
        uint32_t parent = find_commit(out, info->parents[0]);
        node->follows = parent != NO_COMMIT &&
                        is_in_lineage(out, info->branch_id, out->nodes[parent].branch_id, info->parents[0]);
    }
}

static int read_commits(git_export *out)
{
    cli *c = out->run->c;
    yore_error err = YORE_ERROR_INIT;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    options.all_branches = true;
    options.oldest_first = true;
    yore_status status = yore_log(c->db, NULL, &options, &log, &err);
    while (status == YORE_OK && (status = yore_log_next(log, &info, &err)) == YORE_OK) {
        if (out->count == NO_COMMIT - 1 || out->parent_count > NO_COMMIT - YORE_PARENTS_MAX) {
            yore_iter_close(log);
            return cli_error(c, YORE_ERR_LIMIT, NULL, "export one branch with -b",
                             "more than 4,294,967,294 commits are more than one stream holds");
        }
        add_commit(out, &info);
    }
    yore_iter_close(log);
    return status < 0 ? cli_fail(c, &err) : EXIT_DONE;
}

static void want(git_export *out, uint32_t commit)
{
    if (commit != NO_COMMIT) out->nodes[commit].is_wanted = true;
}

static void want_ancestors(git_export *out)
{
    for (size_t i = out->count; i > 0; i--) {
        const git_commit_node *node = &out->nodes[i - 1];
        for (uint32_t p = 0; node->is_wanted && p < node->parent_count; p++) {
            want(out, find_commit(out, out->parents[node->parents + p]));
        }
    }
}

/* -- refs -- */

static void tell_name(git_export *out, const char *what, const char *name, const char *git_name)
{
    cli_bytes shown = {0};
    if (strcmp(name, git_name) == 0) return;
    cli_escape(&shown, yore_str(git_name));
    cli_note(out->run->c, "%s %s is git's '%s'", what, name, shown.data);
    cli_bytes_deinit(&shown);
}

/* The commit a point stands at, which may be an older one than it names; NO_COMMIT before the first. */
static int resolve(git_export *out, const yore_at *at, yore_where *where, uint32_t *commit)
{
    cli *c = out->run->c;
    yore_error err = YORE_ERROR_INIT;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    options.limit = 1;
    *commit = NO_COMMIT;
    yore_status status = yore_at_resolve(c->db, at, where, &err);
    if (status == YORE_OK) status = yore_log(c->db, at, &options, &log, &err);
    if (status == YORE_OK) status = yore_log_next(log, &info, &err);
    if (status == YORE_OK) *commit = find_commit(out, info.version);
    yore_iter_close(log);
    return status < 0 ? cli_fail(c, &err) : EXIT_DONE;
}

static void give_ref(git_export *out, git_out_branch *branch, uint32_t tip)
{
    branch->tip = tip;
    if (tip == NO_COMMIT) return;
    branch->ref = git_ref_take(&out->refs, "refs/heads/", branch->info.name);
    want(out, tip);
}

static int one_branch(git_export *out)
{
    cli *c = out->run->c;
    yore_at at = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    uint32_t tip = NO_COMMIT;
    int code = cli_at(c, cli_value(c, "as-of"), &at);
    if (code == EXIT_DONE) code = resolve(out, &at, &where, &tip);
    if (code == EXIT_DONE) {
        git_out_branch *branch = find_branch(out, where.branch_id);
        if (branch != NULL) give_ref(out, branch, tip);
    }
    return code;
}

static int all_branches(git_export *out)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < out->branch_count && code == EXIT_DONE; i++) {
        git_out_branch *branch = &out->branches[i];
        yore_at at = YORE_AT_INIT;
        yore_where where = YORE_WHERE_INIT;
        uint32_t tip = NO_COMMIT;
        if (branch->info.deleted_version != 0 || branch->info.hidden) continue;
        at.branch_id = branch->info.id;
        code = resolve(out, &at, &where, &tip);
        if (code == EXIT_DONE) give_ref(out, branch, tip);
    }
    return code;
}

static int all_tags(git_export *out)
{
    yore_error err = YORE_ERROR_INIT;
    yore_tag_info tag = {.struct_size = sizeof tag};
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    yore_status status;
    int code = EXIT_DONE;
    while (code == EXIT_DONE &&
           (status = yore_tag_next(out->run->c->db, yore_str(after), &tag, &err)) != YORE_END) {
        yore_at at = YORE_AT_INIT;
        yore_where where = YORE_WHERE_INIT;
        uint32_t commit = NO_COMMIT;
        if (status < 0) return cli_fail(out->run->c, &err);
        memcpy(after, tag.name, sizeof after);
        at.kind = YORE_AT_VERSION;
        at.branch_id = tag.branch_id;
        at.version = tag.version;
        code = resolve(out, &at, &where, &commit);
        want(out, commit);
        out->lost_tags += commit == NO_COMMIT;
        if (commit == NO_COMMIT) continue;
        if (out->tag_count == out->tag_cap) {
            out->tag_cap = out->tag_cap == 0 ? 16 : out->tag_cap * 2;
            out->tags = cli_realloc(out->tags, out->tag_cap * sizeof *out->tags);
        }
        out->tags[out->tag_count++] =
            (git_out_tag){git_ref_take(&out->refs, "refs/tags/", tag.name), cli_strdup(tag.name), commit};
    }
    return code;
}

/* -- commits -- */

/* The mark of a commit's first parent, or of what stands for it. */
static uint32_t parent_mark(const git_export *out, const git_commit_node *node, uint32_t i)
{
    uint32_t parent = i < node->parent_count ? find_commit(out, out->parents[node->parents + i]) : NO_COMMIT;
    return parent == NO_COMMIT ? 0 : out->nodes[parent].mark;
}

/* `name <mail>`, as git takes it? */
static bool is_person(yore_slice who)
{
    const char *at = who.data;
    const char *mail = who.size > 0 ? memchr(at, '<', who.size) : NULL;
    if (mail == NULL || at[who.size - 1] != '>' || (mail != at && mail[-1] != ' ')) return false;
    for (size_t i = 0; i < who.size; i++) {
        if (at[i] == '\n' || at[i] == 0 || (at[i] == '<' && at + i != mail)) return false;
        if (at[i] == '>' && i + 1 != who.size) return false;
    }
    return true;
}

static void write_person(FILE *to, const char *role, yore_slice who, int64_t seconds)
{
    const char *at = who.data;
    (void)fprintf(to, "%s ", role);
    if (is_person(who)) {
        (void)fwrite(at, 1, who.size, to);
    } else {
        for (size_t i = 0; i < who.size; i++) {
            if (at[i] != 0 && strchr("<>\n", at[i]) == NULL) (void)putc(at[i], to);
        }
        (void)fputs(who.size > 0 ? " <>" : "yore <>", to);
    }
    (void)fprintf(to, " %" PRId64 " +0000\n", seconds);
}

/* git counts seconds from 1970 on. */
static int64_t seconds_of(const yore_commit_info *info)
{
    int64_t ns = info->source_time_ns != 0 ? info->source_time_ns : info->time_ns;
    return ns < 0 ? 0 : ns / YORE_NS_PER_S;
}

static bool is_git_id(yore_slice source)
{
    const char *at = source.data;
    for (size_t i = 0; i < source.size; i++) {
        if ((at[i] < '0' || at[i] > '9') && (at[i] < 'a' || at[i] > 'f')) return false;
    }
    return source.size == 40 || source.size == 64;
}

static void write_head(git_export *out, const git_commit_node *node, const yore_commit_info *info)
{
    FILE *to = out->run->to;
    const git_out_branch *branch = find_branch(out, node->branch_id);
    bool is_named = branch != NULL && branch->ref != NULL;
    const char *ref = is_named ? branch->ref : SCRATCH_REF;
    uint32_t from = parent_mark(out, node, 0);
    out->used_scratch = out->used_scratch || !is_named;
    if (from == 0) (void)fprintf(to, "reset %s\n", ref);
    (void)fprintf(to, "commit %s\nmark :%" PRIu32 "\n", ref, node->mark);
    if (is_git_id(info->source)) {
        (void)fprintf(to, "original-oid %.*s\n", (int)info->source.size, (const char *)info->source.data);
    }
    if (info->author.size > 0) write_person(to, "author", info->author, seconds_of(info));
    write_person(to, "committer", info->author, seconds_of(info));
    git_write_data(to, info->note);
    if (from != 0) (void)fprintf(to, "from :%" PRIu32 "\n", from);
    for (uint32_t i = 1; i < node->parent_count; i++) {
        uint32_t merge = parent_mark(out, node, i);
        /* Without a first parent that is still kept, another one cannot take its place. */
        if (merge != 0 && from != 0) (void)fprintf(to, "merge :%" PRIu32 "\n", merge);
    }
}

static int write_commit(git_export *out, git_commit_node *node)
{
    cli *c = out->run->c;
    static yore_commit_info info; /* large */
    yore_error err = YORE_ERROR_INIT;
    git_place at = {node->branch_id, node->version, node->time_ns};
    git_place before = {0};
    bool readable = true;
    uint32_t parent = node->parent_count > 0 ? find_commit(out, out->parents[node->parents]) : NO_COMMIT;
    bool has_parent = parent != NO_COMMIT && node->follows && out->nodes[parent].is_written;
    if (has_parent) {
        before =
            (git_place){out->nodes[parent].branch_id, out->nodes[parent].version, out->nodes[parent].time_ns};
    }
    int code = git_trees_open(&out->trees, &at, &before, node->parent_count > 0 && !has_parent, &readable);
    if (code == EXIT_DONE && !readable) {
        node->mark = parent_mark(out, node, 0);
        out->gone++;
    } else if (code == EXIT_DONE) {
        info.struct_size = sizeof info;
        node->mark = ++out->marks;
        node->is_written = true;
        code = yore_commit_get(c->db, node->version, &info, &err) < 0 ? cli_fail(c, &err) : EXIT_DONE;
        if (code == EXIT_DONE) {
            write_head(out, node, &info);
            code = git_trees_write(&out->trees);
            (void)putc('\n', out->run->to);
        }
        yore_commit_release(&info);
        out->run->commits++;
    }
    git_trees_close(&out->trees);
    return code;
}

static int write_commits(git_export *out)
{
    int code = EXIT_DONE;
    (void)fputs("feature done\n", out->run->to);
    for (size_t i = 0; i < out->count && code == EXIT_DONE; i++) {
        if (!out->nodes[i].is_wanted) continue;
        code = write_commit(out, &out->nodes[i]);
        cli_progress_update(&out->run->progress, out->run->commits);
    }
    return code;
}

/* Where each ref ends. Returns how many were written. */
static bool write_ref(git_export *out, const char *ref, uint32_t commit)
{
    uint32_t mark = commit == NO_COMMIT ? 0 : out->nodes[commit].mark;
    if (mark == 0) return false;
    (void)fprintf(out->run->to, "reset %s\nfrom :%" PRIu32 "\n\n", ref, mark);
    return true;
}

static void write_refs(git_export *out)
{
    cli *c = out->run->c;
    uint64_t branches = 0;
    uint64_t tags = 0;
    for (size_t i = 0; i < out->branch_count; i++) {
        const git_out_branch *branch = &out->branches[i];
        if (branch->ref == NULL || !write_ref(out, branch->ref, branch->tip)) continue;
        branches++;
        tell_name(out, "branch", branch->info.name, branch->ref + strlen("refs/heads/"));
    }
    for (size_t i = 0; i < out->tag_count; i++) {
        if (!write_ref(out, out->tags[i].ref, out->tags[i].commit)) continue;
        tags++;
        tell_name(out, "tag", out->tags[i].name, out->tags[i].ref + strlen("refs/tags/"));
    }
    if (out->used_scratch) {
        (void)fputs("reset " SCRATCH_REF "\nfrom 0000000000000000000000000000000000000000\n\n", out->run->to);
    }
    (void)fputs("done\n", out->run->to);
    cli_note(c, "exported %" PRIu64 " commit%s, %" PRIu64 " branch%s, %" PRIu64 " tag%s", out->run->commits,
             out->run->commits == 1 ? "" : "s", branches, branches == 1 ? "" : "es", tags,
             tags == 1 ? "" : "s");
}

static void tell_left_out(const git_export *out)
{
    cli *c = out->run->c;
    const git_names *keys = &out->trees.left_out;
    if (keys->count > 0) {
        char *shown = cli_shown(git_names_at(keys, 0));
        cli_note(c, "%zu key%s git cannot have %s left out, as '%s'", keys->count,
                 keys->count == 1 ? "" : "s", keys->count == 1 ? "was" : "were", shown);
        free(shown);
    }
    if (out->gone > 0) {
        cli_note(c, "%" PRIu64 " commit%s whose state is no longer kept %s left out", out->gone,
                 out->gone == 1 ? "" : "s", out->gone == 1 ? "was" : "were");
    }
    if (out->trees.other_meta > 0) {
        cli_note(
            c, "%" PRIu64 " value%s with metadata that is no mode of git: written as plain files, without it",
            out->trees.other_meta, out->trees.other_meta == 1 ? "" : "s");
    }
    if (out->lost_tags > 0) {
        cli_note(c, "%" PRIu64 " tag%s of no commit left out", out->lost_tags,
                 out->lost_tags == 1 ? "" : "s");
    }
}

int export_git(export_run *run, bool skip)
{
    git_export out = {.run = run, .trees = {.run = run, .skip = skip}};
    bool is_one = run->c->branch_given || cli_has(run->c, "as-of");
    if (run->primitive == 0) run->primitive = YORE_KV;
    int code = read_branches(&out);
    if (code == EXIT_DONE) code = read_commits(&out);
    if (code == EXIT_DONE) code = is_one ? one_branch(&out) : all_branches(&out);
    if (code == EXIT_DONE && !is_one) code = all_tags(&out);
    if (code == EXIT_DONE) {
        want_ancestors(&out);
        code = write_commits(&out);
    }
    if (code == EXIT_DONE) {
        cli_progress_end(&run->progress);
        write_refs(&out);
        tell_left_out(&out);
    }
    for (size_t i = 0; i < out.branch_count; i++) free(out.branches[i].ref);
    for (size_t i = 0; i < out.tag_count; i++) {
        free(out.tags[i].ref);
        free(out.tags[i].name);
    }
    free(out.tags);
    free(out.branches);
    free(out.nodes);
    free(out.parents);
    git_names_deinit(&out.refs);
    git_trees_deinit(&out.trees);
    return code;
}

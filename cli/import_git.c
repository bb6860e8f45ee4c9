/* Importing a `git fast-export` stream: read it once for its commit graph, decide which branch owns which commit
 * (git_graph.h), look for everything that could go wrong, and only then make the commits, in stream order.
 *
 * So a malformed stream, a time out of range or a name that is taken stops the import before the store is touched.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/git_apply.h"
#include "cli/git_graph.h"
#include "cli/git_path.h"
#include "cli/git_stream.h"
#include "cli/output.h"

#define FUTURE_SLACK_S 2

typedef struct git_run {
    import *im;
    git_stream stream;
    git_graph graph;
    import_problem problem;
    cli_bytes message;
    int64_t newest_s;
    uint64_t newest_line;
    int64_t last_s;
    bool has_last;
    unsigned side_number; /* the last one given anew */
} git_run;

static bool seconds_to_ns(int64_t seconds, int64_t *ns)
{
    if (seconds > INT64_MAX / YORE_NS_PER_S || seconds < INT64_MIN / YORE_NS_PER_S) {
        return false;
    }
    *ns = seconds * YORE_NS_PER_S;
    return true;
}

/* -- first reading -- */

static bool check_commit_time(git_run *run)
{
    const git_record *record = &run->stream.record;
    int64_t ignored;
    run->problem.line = record->line;
    if (run->im->times == IMPORT_TIMES_NOW) {
        return true;
    }
    if (!seconds_to_ns(record->time_s, &ignored)) {
        (void)import_refuse(&run->problem, YORE_ERR_TIME_RANGE, 0,
                            "the commit's time, %" PRId64 " seconds, is outside 1677 to 2262",
                            record->time_s);
        (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                       "use --times now (the clock for all commits)");
        return false;
    }
    if (run->im->times == IMPORT_TIMES_STRICT && run->has_last && record->time_s <= run->last_s) {
        (void)import_refuse(&run->problem, YORE_ERR_TIME_ORDER, 0,
                            "the commit's time, %" PRId64
                            ", is not later than that of the one before, %" PRId64,
                            record->time_s, run->last_s);
        (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                       "use --times shift (forward by the least)");
        return false;
    }
    if (!run->has_last || record->time_s > run->newest_s) {
        run->newest_s = record->time_s;
        run->newest_line = record->line;
    }
    run->last_s = record->time_s;
    run->has_last = true;
    return true;
}

static bool check_commit_size(git_run *run)
{
    const git_record *record = &run->stream.record;
    uint64_t bytes = record->text.size;
    for (size_t i = 0; i < record->op_count; i++) {
        bytes += record->ops[i].data.size;
    }
    if (bytes <= YORE_TXN_BYTES_MAX) return true;
    run->problem.line = record->line;
    return import_refuse(&run->problem, YORE_ERR_LIMIT, 0,
                         "a commit of more than 1 GiB, which is what one may have");
}

static bool take_graph(git_run *run)
{
    git_stream *stream = &run->stream;
    git_record *record = &stream->record;
    cli_bytes ref = {0};
    bool good = true;
    switch (record->kind) {
    case GIT_COMMIT:
        good = check_commit_time(run) && check_commit_size(run);
        if (good && stream->commit_count == GIT_NO_COMMIT - 1) {
            good = import_refuse(&run->problem, YORE_ERR_LIMIT, 0, "more than 4,294,967,294 commits");
        }
        if (good) {
            bool has_parent = record->from.given && !record->from.is_null;
            git_graph_add(&run->graph, has_parent ? record->from.commit : GIT_NO_COMMIT);
            (void)git_stream_add_commit(stream);
        }
        break;
    case GIT_RESET: git_stream_move_ref(stream, git_text_of(stream, record->ref), &record->from); break;
    case GIT_TAG: {
        yore_slice name = git_text_of(stream, record->ref);
        cli_bytes_append(&ref, "refs/tags/", 10);
        cli_bytes_append(&ref, name.data, name.size);
        git_stream_move_ref(stream, cli_bytes_slice(&ref), &record->from);
        cli_bytes_deinit(&ref);
        break;
    }
    default: break;
    }
    return good;
}

static int refused(git_run *run)
{
    return import_reject(run->im, &run->problem, yore_str(""));
}

static int read_graph(git_run *run)
{
    git_stream *stream = &run->stream;
    import *im = run->im;
    cli_progress_begin(&im->progress, im->c, "reading", "bytes", im->in.size);
    do {
        if (!git_stream_next(stream) || !take_graph(run)) {
            int code = import_input_ended(im);
            return code != EXIT_DONE ? code : refused(run);
        }
        cli_progress_update(&im->progress, im->in.off);
        if (import_stopped()) {
            return import_input_ended(im);
        }
    } while (stream->record.kind != GIT_END);
    cli_progress_end(&im->progress);
    git_graph_own(&run->graph, &stream->refs, im->all_refs, im->c->branch_given ? im->c->branch : NULL);
    return EXIT_DONE;
}

/* -- before the first commit -- */

/* Is there a branch of that name in the store, and is it a root nobody has written to? */
static bool look_up(git_run *run, const char *name, bool *there, bool *is_blank)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_info info = {.struct_size = sizeof info};
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info commit = {.struct_size = sizeof commit};
    yore_at at = YORE_AT_INIT;
    yore_iter *log = NULL;
    *is_blank = false;
    *there = yore_branch_info_get(run->im->c->db, yore_str(name), &info, &err) >= 0;
    if (!*there) return true;
    (void)snprintf(at.branch, sizeof at.branch, "%s", name);
    options.limit = 1;
    yore_status status = yore_log(run->im->c->db, &at, &options, &log, &err);
    if (status == YORE_OK) status = yore_log_next(log, &commit, &err);
    yore_iter_close(log);
    *is_blank = status == YORE_END && info.parent_id == 0;
    return status >= 0 || import_refuse_error(&run->problem, &err);
}

static void rename_branch(git_run *run, git_branch *branch, char *name)
{
    free(branch->name);
    branch->name = name;
    (void)git_names_set(&run->graph.names, yore_str(name), 0);
}

/* side/N with the next number that is free here and in the store. */
static bool number_again(git_run *run, git_branch *branch)
{
    bool there = true;
    bool is_blank;
    while (there) {
        char *name = cli_printf("side/%u", ++run->side_number);
        bool used = git_names_find(&run->graph.names, yore_str(name)) != GIT_NAME_NONE;
        if (!look_up(run, name, &there, &is_blank)) {
            free(name);
            return false;
        }
        there = there || used;
        if (there) {
            free(name);
        } else {
            rename_branch(run, branch, name);
        }
    }
    return true;
}

/* A branch that is there already is used as it is if it is a root nobody has written to; else the name is taken. */
static bool check_branch(git_run *run, git_branch *branch)
{
    yore_error err = YORE_ERROR_INIT;
    bool there;
    bool is_blank;
    if (yore_name_check(yore_str(branch->name), &err) < 0) return import_refuse_error(&run->problem, &err);
    if (!look_up(run, branch->name, &there, &is_blank)) return false;
    bool is_usable = is_blank && branch->fork == GIT_NO_COMMIT && !branch->hidden;
    if (there && !is_usable && branch->hidden) return number_again(run, branch);
    if (there && !is_usable && strcmp(branch->name, "default") == 0) {
        /* Every store has a branch of that name, so git's gets another one, encoded as an illegal name is. */
        rename_branch(run, branch, cli_strdup("%64efault"));
        if (!look_up(run, branch->name, &there, &is_blank)) return false;
    }
    if (there && !is_usable) {
        (void)import_refuse(&run->problem, YORE_ERR_EXISTS, 0, "the store has a branch '%s' already",
                            branch->name);
        (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                       "import into a new store (-d PATH --create), or rename the branch here");
        return false;
    }
    branch->exists = there;
    return true;
}

static bool check_tags(git_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_tag_info info = {.struct_size = sizeof info};
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    git_names there = {0};
    yore_status status;
    bool good = true;
    while ((status = yore_tag_next(run->im->c->db, yore_str(after), &info, &err)) == YORE_OK) {
        (void)git_names_set(&there, yore_str(info.name), 0);
        memcpy(after, info.name, sizeof after);
    }
    if (status < 0) {
        good = import_refuse_error(&run->problem, &err);
    }
    for (size_t i = 0; i < run->graph.tag_count && good; i++) {
        const char *name = run->graph.tags[i].name;
        if (yore_name_check(yore_str(name), &err) < 0) {
            good = import_refuse_error(&run->problem, &err);
        } else if (git_names_find(&there, yore_str(name)) != GIT_NAME_NONE) {
            good = import_refuse(&run->problem, YORE_ERR_EXISTS, 0, "the store has a tag '%s' already", name);
            (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                           "take it away with yore tag delete '%.100s'", name);
        }
    }
    git_names_deinit(&there);
    return good;
}

static bool check_future(git_run *run)
{
    char text[YORE_TIME_TEXT_SIZE];
    int64_t newest_ns = 0;
    bool in_range = seconds_to_ns(run->newest_s, &newest_ns);
    const yore_env *env = yore_env_default();
    if (!run->has_last || run->im->allow_future || !in_range ||
        newest_ns <= env->wall_ns(env->ctx) + FUTURE_SLACK_S * YORE_NS_PER_S) {
        return true;
    }
    (void)yore_time_format(newest_ns, 0, 0, text, sizeof text);
    run->problem.line = run->newest_line;
    (void)import_refuse(&run->problem, YORE_ERR_TIME_RANGE, 0, "the commit's time, %s, is in the future",
                        text);
    (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                   "use --allow-future to take it as it is, or --times now (the clock)");
    return false;
}

static int check_all(git_run *run)
{
    int code = check_future(run) ? EXIT_DONE : refused(run);
    if (code == EXIT_DONE) {
        code = import_store(run->im);
    }
    for (uint32_t i = 0; i < run->graph.branch_count && code == EXIT_DONE; i++) {
        run->problem.line = 0;
        code = check_branch(run, &run->graph.branches[i]) ? EXIT_DONE : refused(run);
    }
    return code == EXIT_DONE && !check_tags(run) ? refused(run) : code;
}

/* -- second reading -- */

/* The point in the store of a commit that has been made. */
static void point_of(const git_run *run, uint32_t commit, yore_at *at)
{
    const git_node *node = &run->graph.nodes[commit];
    *at = (yore_at)YORE_AT_INIT;
    at->kind = YORE_AT_VERSION;
    at->version = node->version;
    (void)snprintf(at->branch, sizeof at->branch, "%s", run->graph.branches[node->branch].name);
}

static bool create_branch(git_run *run, git_branch *branch)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at at;
    if (branch->exists) {
        return true;
    }
    options.hidden = branch->hidden;
    options.empty = branch->fork == GIT_NO_COMMIT || branch->starts_anew;
    if (!options.empty) {
        point_of(run, branch->fork, &at);
        options.from = &at;
    }
    if (yore_branch_create(run->im->c->db, yore_str(branch->name), &options, NULL, &err) < 0) {
        return import_refuse_error(&run->problem, &err);
    }
    branch->exists = true;
    run->im->branches += !branch->hidden;
    run->im->hidden_branches += branch->hidden;
    return true;
}

/* Further parents, up to what a commit record holds.
 * anew  the first parent of a commit that begins a branch anew: nothing else links the two. */
static uint32_t find_parents(git_run *run, uint32_t anew, uint64_t *parents)
{
    const git_record *record = &run->stream.record;
    uint32_t count = 0;
    if (anew != GIT_NO_COMMIT) parents[count++] = run->graph.nodes[anew].version;
    for (size_t i = 0; i < record->merge_count; i++) {
        if (count == YORE_PARENTS_MAX - 1) {
            run->im->cut_parents += record->merge_count - i;
            break;
        }
        parents[count++] = run->graph.nodes[record->merges[i]].version;
    }
    return count;
}

/* The message, cut between characters when it is longer than a note may be. */
static bool read_message(git_run *run)
{
    git_span span = run->stream.record.message;
    bool cut = span.size > YORE_NOTE_BYTES_MAX;
    span.size = cut ? YORE_NOTE_BYTES_MAX : span.size;
    if (!git_read_span(&run->stream, span, &run->message)) {
        return false;
    }
    for (int i = 0; cut && i < 3 && ((unsigned char)run->message.data[run->message.size - 1] & 0x80) != 0;
         i++) {
        bool lead = ((unsigned char)run->message.data[--run->message.size] & 0xC0) == 0xC0;
        if (lead) {
            break;
        }
    }
    run->im->cut_notes += cut;
    return true;
}

static bool make_commit(git_run *run, uint32_t number)
{
    git_stream *stream = &run->stream;
    const git_record *record = &stream->record;
    git_node *node = &run->graph.nodes[number];
    git_branch *branch = &run->graph.branches[node->branch];
    uint64_t parents[YORE_PARENTS_MAX];
    import_change change = {.branch = branch->name, .has_time = true, .has_source_time = true};
    yore_where where = YORE_WHERE_INIT;
    yore_at parent;
    yore_txn *txn = NULL;
    bool has_parent = node->parent != GIT_NO_COMMIT;
    bool starts_anew = branch->starts_anew && !branch->exists;
    run->problem.line = record->line;
    if (!create_branch(run, branch) || !read_message(run)) {
        return false;
    }
    if (has_parent) point_of(run, node->parent, &parent);
    if (!seconds_to_ns(record->time_s, &change.time_ns)) {
        change.has_time = false; /* --times now */
        change.has_source_time = false;
    }
    change.source_time_ns = change.time_ns;
    change.author = git_text_of(stream, record->author);
    change.source = git_text_of(stream, record->oid);
    change.note = cli_bytes_slice(&run->message);
    change.parents = parents;
    change.parent_count = find_parents(run, starts_anew ? node->parent : GIT_NO_COMMIT, parents);
    if (!import_begin(run->im, &change, &txn, &run->problem)) {
        return false;
    }
    if ((starts_anew && !git_copy_state(stream, txn, &parent)) ||
        !git_apply(stream, txn, has_parent ? &parent : NULL)) {
        yore_rollback(txn);
        return false;
    }
    if (!import_commit(run->im, txn, &change, &where, &run->problem)) {
        return false;
    }
    node->version = where.version;
    return true;
}

static int make_commits(git_run *run)
{
    import *im = run->im;
    git_stream *stream = &run->stream;
    int code = import_in_seek(&im->in, 0, 0);
    git_stream_rewind(stream);
    cli_progress_begin(&im->progress, im->c, "importing", "commits", run->graph.node_count);
    while (code == EXIT_DONE) {
        if (!git_stream_next(stream)) {
            return refused(run);
        }
        if (stream->record.kind == GIT_END) {
            break;
        }
        if (stream->record.kind == GIT_COMMIT) {
            if (!make_commit(run, stream->commit_count)) {
                return refused(run);
            }
            (void)git_stream_add_commit(stream);
            code = import_tick(im);
        } else if (!take_graph(run)) {
            return refused(run);
        }
    }
    return code;
}

static int make_refs(git_run *run)
{
    git_graph *graph = &run->graph;
    int code = EXIT_DONE;
    for (uint32_t i = 0; i < graph->branch_count && code == EXIT_DONE; i++) {
        code = create_branch(run, &graph->branches[i]) ? import_tick(run->im) : refused(run);
    }
    for (size_t i = 0; i < graph->tag_count && code == EXIT_DONE; i++) {
        yore_error err = YORE_ERROR_INIT;
        yore_at at;
        point_of(run, graph->tags[i].commit, &at);
        if (yore_tag_create(run->im->c->db, yore_str(graph->tags[i].name), &at, NULL, &err) < 0) {
            (void)import_refuse_error(&run->problem, &err);
            return refused(run);
        }
        run->im->tags++;
        code = import_tick(run->im);
    }
    return code;
}

/* Names that had to change are said, as that is how they are found. git's may hold anything, so it is escaped. */
static void tell_name(git_run *run, const char *what, const char *name, const char *git_name)
{
    cli_bytes shown = {0};
    if (strcmp(name, git_name) == 0) return;
    cli_escape(&shown, yore_str(git_name));
    cli_note(run->im->c, "%s %s is git's '%s'", what, name, shown.data);
    cli_bytes_deinit(&shown);
}

static void tell_names(git_run *run)
{
    const git_graph *graph = &run->graph;
    for (uint32_t i = 0; i < graph->branch_count; i++) {
        const git_branch *branch = &graph->branches[i];
        bool is_head = branch->ref != NULL && strncmp(branch->ref, "refs/heads/", 11) == 0;
        if (is_head) tell_name(run, "branch", branch->name, branch->ref + 11);
    }
    for (size_t i = 0; i < graph->tag_count; i++) {
        tell_name(run, "tag", graph->tags[i].name, graph->tags[i].ref + 10);
    }
}

int import_git(import *im)
{
    git_run run = {.im = im};
    git_stream_init(&run.stream, im, &run.problem);
    if (im->times == IMPORT_TIMES_DEFAULT) {
        im->times = IMPORT_TIMES_SHIFT;
    }
    int code = import_in_make_seekable(&im->in);
    if (code == EXIT_DONE) {
        code = read_graph(&run);
    }
    if (code == EXIT_DONE) {
        im->skipped_refs = run.graph.skipped_refs;
        im->skipped_tags = run.graph.skipped_tags;
        code = check_all(&run);
    }
    if (code == EXIT_DONE) {
        code = make_commits(&run);
    }
    if (code == EXIT_DONE) {
        code = make_refs(&run);
    }
    if (code == EXIT_DONE && !im->rehearsal) {
        tell_names(&run);
    }
    git_stream_deinit(&run.stream);
    git_graph_deinit(&run.graph);
    cli_bytes_deinit(&run.message);
    return code;
}

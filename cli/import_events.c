/* Importing JSON change streams: lines become commits, forks, merges, tags and settings, in the stream's order.
 *
 * A pending commit is one open transaction: lines join it while they name the same commit (or the same branch and
 * version, in a row of an export). It is committed when a line belongs elsewhere, so nothing of it is visible before;
 * a line that names no commit is committed at once. When --on-error passes over a line, its whole commit goes with it:
 * the lines before it, and those that follow. A line that does not say which commit it is of belongs to the one whose
 * lines stand on both sides of it.
 *
 * Rows of an export carry the versions of the store they came from. They are imported in the order of those versions
 * (a snapshot's rows come in key order: the input is then indexed first), and each is remembered with the version it
 * got here, so that parents and fork points can be translated.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/import_event.h"
#include "cli/output.h"
#include "cli/locate.h"

typedef struct version_pair {
    uint64_t there;
    uint64_t here;
} version_pair;

typedef struct row_place {
    uint64_t version;
    uint64_t off;
    uint64_t line;
    size_t size;
} row_place;

typedef struct event_run {
    import *im;
    event_reader reader;
    json_in scratch;

    /* the pending commit */
    yore_txn *txn; /* NULL = none */
    import_change change;
    char branch[YORE_BRANCH_NAME_MAX + 1];
    cli_bytes commit;
    cli_bytes author;
    cli_bytes note;
    cli_bytes source;
    cli_bytes raw; /* its lines, for --on-error FILE */
    uint64_t parents[YORE_PARENTS_MAX];
    bool has_version;
    uint64_t version;
    uint64_t first_line;
    uint64_t last_line;
    uint64_t lines;
    uint64_t puts;
    uint64_t dels;
    uint64_t bytes;
    bool gap; /* a line that named no commit was refused behind its lines */

    /* the commit that was refused: its lines that still come go the same way */
    bool refusing;
    bool refused_has_version;
    uint64_t refused_version;
    char refused_branch[YORE_BRANCH_NAME_MAX + 1];
    cli_bytes refused_commit;

    /* versions of the stream and of the store, both ascending */
    version_pair *pairs;
    size_t pair_count;
    size_t pair_cap;
    uint64_t base_version; /* the store's, when the import began */

    /* rows to be taken in another order than they stand in */
    row_place *places;
    size_t place_count;
    size_t place_cap;
    cli_bytes placed; /* the line at hand */
} event_run;

/* -- versions -- */

static void remember_version(event_run *run, uint64_t there, uint64_t here)
{
    if (run->pair_count > 0 && run->pairs[run->pair_count - 1].there >= there) {
        return;
    }
    if (run->pair_count == run->pair_cap) {
        run->pair_cap = run->pair_cap == 0 ? 256 : run->pair_cap * 2;
        run->pairs = cli_realloc(run->pairs, run->pair_cap * sizeof *run->pairs);
    }
    run->pairs[run->pair_count++] = (version_pair){there, here};
}

/* The pair of the newest version of the stream at or before `there`, NULL when there is none. */
static const version_pair *find_version(const event_run *run, uint64_t there)
{
    size_t low = 0;
    size_t high = run->pair_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->pairs[middle].there <= there) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NULL : &run->pairs[low - 1];
}

/* -- the pending commit -- */

static void set_bytes(cli_bytes *to, yore_slice from)
{
    cli_bytes_clear(to);
    cli_bytes_append(to, from.data, from.size);
}

static bool same(const cli_bytes *have, yore_slice wanted)
{
    return have->size == wanted.size &&
           (wanted.size == 0 || memcmp(have->data, wanted.data, wanted.size) == 0);
}

static const char *branch_of(const event_run *run, const event *e, char name[YORE_BRANCH_NAME_MAX + 1])
{
    yore_slice branch = e->branch.size > 0 ? e->branch : yore_str(cli_branch(run->im->c));
    size_t size = branch.size <= YORE_BRANCH_NAME_MAX ? branch.size : YORE_BRANCH_NAME_MAX;
    memcpy(name, branch.data, size);
    name[size] = 0;
    return name;
}

static void forget_pending(event_run *run)
{
    run->txn = NULL;
    run->lines = 0;
    run->puts = 0;
    run->dels = 0;
    run->bytes = 0;
    run->gap = false;
    cli_bytes_clear(&run->raw);
}

/* Commit what is pending. 0, or an exit code that stops the import. */
static int flush(event_run *run)
{
    import *im = run->im;
    import_problem problem = {0};
    yore_where where = YORE_WHERE_INIT;
    int code = EXIT_DONE;
    if (run->txn == NULL) {
        return EXIT_DONE;
    }
    run->change.note = cli_bytes_slice(&run->note);
    if (import_commit(im, run->txn, &run->change, &where, &problem)) {
        im->puts += run->puts;
        im->dels += run->dels;
        im->bytes += run->bytes;
        if (run->has_version) {
            remember_version(run, run->version, where.version);
        }
        im->resume_line = run->last_line + 1;
    } else {
        problem.line = run->first_line;
        im->skipped_records += run->lines - 1; /* import_reject counts one */
        code = import_reject(im, &problem, cli_bytes_slice(&run->raw));
    }
    forget_pending(run);
    return code != EXIT_DONE ? code : import_tick(im);
}

/* Does this event join the pending commit? */
static bool joins(const event_run *run, const event *e, const char *branch)
{
    if (run->txn == NULL) {
        return false;
    }
    if (e->has_version) {
        return run->has_version && run->version == e->version && strcmp(run->branch, branch) == 0;
    }
    return !run->has_version && e->commit.size > 0 && same(&run->commit, e->commit);
}

static bool is_refused(const event_run *run, const event *e, const char *branch)
{
    if (!run->refusing || run->refused_has_version != e->has_version) {
        return false;
    }
    if (e->has_version) {
        return run->refused_version == e->version && strcmp(run->refused_branch, branch) == 0;
    }
    return e->commit.size > 0 && same(&run->refused_commit, e->commit);
}

/* Refuse a line, and with it all of its commit. 0 = passed over, or the exit code that stops the import. */
static int refuse_line(event_run *run, const event *e, const import_problem *problem, yore_slice raw)
{
    import *im = run->im;
    char name[YORE_BRANCH_NAME_MAX + 1];
    const char *branch = branch_of(run, e, name);
    bool drops = run->txn != NULL && (run->lines == 0 || joins(run, e, branch));
    int code = EXIT_DONE;
    if (drops && run->lines > 0 && im->on_error != IMPORT_STOP) {
        im->skipped_records += run->lines - 1; /* import_reject counts one */
        code = import_reject(im, problem, cli_bytes_slice(&run->raw));
    }
    if (code == EXIT_DONE) {
        code = import_reject(im, problem, raw);
    }
    if (drops) {
        yore_rollback(run->txn);
        forget_pending(run);
    }
    run->refusing = run->refusing || e->has_version || e->commit.size > 0;
    if (e->has_version || e->commit.size > 0) {
        run->refused_has_version = e->has_version;
        run->refused_version = e->version;
        (void)snprintf(run->refused_branch, sizeof run->refused_branch, "%s", branch);
        set_bytes(&run->refused_commit, e->commit);
    }
    return code;
}

/* What a line that is no event still says of its commit. */
static event name_of_bad_line(const event_run *run)
{
    event e = {0};
    const json_member *commit = json_in_find(&run->reader.json, "commit");
    const json_member *version = json_in_find(&run->reader.json, "version");
    const json_member *branch = json_in_find(&run->reader.json, "branch");
    if (branch != NULL && branch->kind == JSON_STRING) {
        e.branch = branch->text;
    }
    if (commit != NULL && (commit->kind == JSON_STRING || commit->kind == JSON_NUMBER)) {
        e.commit = commit->raw;
    }
    if (version != NULL && version->kind == JSON_NUMBER && version->raw.size > 0) {
        char *text = cli_strdup_slice(version->raw);
        e.has_version = cli_parse_u64(text, &e.version);
        free(text);
    }
    return e;
}

static int refuse_bad_line(event_run *run, const import_problem *problem, yore_slice raw)
{
    event e = name_of_bad_line(run);
    if (e.has_version || e.commit.size > 0 || run->txn == NULL) {
        return refuse_line(run, &e, problem, raw);
    }
    run->gap = true;
    return import_reject(run->im, problem, raw);
}

/* A later line of a commit may repeat what the first one said, and add a note. */
static bool check_joined(event_run *run, const event *e, const char *branch, import_problem *problem)
{
    const char *what = NULL;
    if (strcmp(run->branch, branch) != 0) {
        what = "branch";
    } else if (e->has_time && (!run->change.has_time || run->change.time_ns != e->time_ns)) {
        what = "time";
    } else if (e->has_author && !same(&run->author, e->author)) {
        what = "author";
    } else if (e->has_source && !same(&run->source, e->source)) {
        what = "source";
    } else if (e->has_note && run->note.size > 0 && !same(&run->note, e->note)) {
        what = "note";
    }
    if (what != NULL) {
        return import_refuse(problem, YORE_ERR_INPUT, 0, "another %s than line %llu of the same commit", what,
                             (unsigned long long)run->first_line);
    }
    if (e->has_note && run->note.size == 0) {
        set_bytes(&run->note, e->note);
    }
    return true;
}

/* Further parents: versions of the stream become versions of the store; those that were not imported are left out. */
static bool read_parents(event_run *run, const event *e, import_problem *problem)
{
    json_problem json;
    run->change.parent_count = 0;
    run->change.parents = run->parents;
    if (e->parents.size == 0) {
        return true;
    }
    if (!json_in_read(&run->scratch, e->parents, &json)) {
        return import_refuse(problem, YORE_ERR_INPUT, 0, "'parents': %s", json.message);
    }
    for (size_t i = 0; i < run->scratch.count; i++) {
        char *text = cli_strdup_slice(run->scratch.members[i].raw);
        char *end = NULL;
        uint64_t version = strtoull(text, &end, 10);
        bool plain = run->scratch.members[i].kind == JSON_NUMBER && *end == 0 && *text != '-';
        free(text);
        if (!plain) {
            return import_refuse(problem, YORE_ERR_INPUT, 0, "'parents' must be a list of versions");
        }
        const version_pair *pair = e->has_version ? find_version(run, version) : NULL;
        if (run->change.parent_count == YORE_PARENTS_MAX - 1 ||
            (e->has_version && (pair == NULL || pair->there != version))) {
            run->im->cut_parents++;
            continue;
        }
        run->parents[run->change.parent_count++] = pair != NULL ? pair->here : version;
    }
    return true;
}

/* A row of an export may name a branch nobody forked (a snapshot has no fork record): it becomes a root. */
static bool make_root(event_run *run, const char *branch, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    options.empty = true;
    if (yore_branch_create(run->im->c->db, yore_str(branch), &options, NULL, &err) < 0) {
        return import_refuse_error(problem, &err);
    }
    run->im->branches++;
    return true;
}

/* An undo or redo names in its source a version of the stream: does this store have that commit under the same one?
 * Where it has not, the stack of undo must not believe it; the commit's source time tells. */
static bool mark_holds(const event_run *run, yore_slice source)
{
    uint64_t version;
    if (source.size < 6 || (memcmp(source.data, "undo:v", 6) != 0 && memcmp(source.data, "redo:v", 6) != 0)) {
        return true;
    }
    char *text = cli_strdup_slice(yore_bytes((const char *)source.data + 5, source.size - 5));
    bool is_mark = cli_parse_version(text, &version);
    free(text);
    const version_pair *pair = is_mark ? find_version(run, version) : NULL;
    return !is_mark || (pair != NULL && pair->there == version && pair->here == version);
}

static bool fill_change(event_run *run, const event *e, const char *branch, import_problem *problem)
{
    import_change *change = &run->change;
    *change = (import_change){0};
    (void)snprintf(run->branch, sizeof run->branch, "%s", branch);
    set_bytes(&run->commit, e->commit);
    set_bytes(&run->author, e->author);
    set_bytes(&run->source, e->source);
    set_bytes(&run->note, e->note);
    change->branch = run->branch;
    change->has_time = e->has_time;
    change->time_ns = e->time_ns;
    change->has_source_time = e->has_source_time;
    change->source_time_ns = e->source_time_ns;
    change->keep_time = e->has_version && mark_holds(run, e->source);
    change->author = cli_bytes_slice(&run->author);
    change->source = cli_bytes_slice(&run->source);
    change->note = cli_bytes_slice(&run->note);
    run->has_version = e->has_version;
    run->version = e->version;
    return read_parents(run, e, problem);
}

static bool begin_pending(event_run *run, const event *e, const char *branch, uint64_t line,
                          import_problem *problem)
{
    if (!fill_change(run, e, branch, problem)) {
        return false;
    }
    run->first_line = line;
    if (import_begin(run->im, &run->change, &run->txn, problem)) {
        return true;
    }
    run->txn = NULL;
    if (problem->code != YORE_ERR_NO_BRANCH) {
        return false;
    }
    if (!e->has_version) {
        (void)snprintf(problem->hint, sizeof problem->hint,
                       "a line {\"fork\":\"%.100s\",\"from\":\"default\"} before it makes one", branch);
        return false;
    }
    if (!make_root(run, branch, problem)) {
        return false;
    }
    bool begun = import_begin(run->im, &run->change, &run->txn, problem);
    if (!begun) {
        run->txn = NULL;
    }
    return begun;
}

/* Put or delete one key in the pending commit. */
static bool write_key(event_run *run, const event *e, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_key key = {import_key(run->im, e->key), e->primitive};
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_status status;
    if (e->kind == EVENT_EMPTY) {
        return true;
    }
    if (e->kind == EVENT_DEL) {
        status = yore_del(run->txn, key, NULL, &err);
        run->dels += status == YORE_OK;
    } else {
        options.type = e->type;
        options.meta = e->meta;
        options.expiry_ns = e->expiry_ns;
        options.ttl_ns = e->ttl_ns;
        status = yore_put(run->txn, key, e->value, &options, &err);
        run->puts += status == YORE_OK;
        run->bytes += status == YORE_OK ? e->value.size : 0;
    }
    return status == YORE_OK || import_refuse_error(problem, &err);
}

static int take_data(event_run *run, const event *e, yore_slice raw, uint64_t line)
{
    char name[YORE_BRANCH_NAME_MAX + 1];
    import_problem problem = {.line = line};
    const char *branch = branch_of(run, e, name);
    bool good;
    if (is_refused(run, e, branch)) {
        return import_reject(run->im, &problem, raw);
    }
    run->refusing = false;
    if (joins(run, e, branch)) {
        good = !run->gap && check_joined(run, e, branch, &problem);
    } else {
        int code = flush(run);
        if (code != EXIT_DONE) {
            return code;
        }
        run->im->resume_line = line;
        good = begin_pending(run, e, branch, line, &problem);
    }
    good = good && write_key(run, e, &problem);
    if (!good) {
        problem.line = line;
        return refuse_line(run, e, &problem, raw);
    }
    run->lines++;
    run->last_line = line;
    if (run->im->on_error == IMPORT_FILE) {
        cli_bytes_append(&run->raw, raw.data, raw.size);
        cli_bytes_append(&run->raw, "\n", 1);
    }
    /* A line that names no commit is one: it does not wait for what comes next. */
    return e->has_version || e->commit.size > 0 ? EXIT_DONE : flush(run);
}

/* -- forks, tags, settings, merges -- */

/* A point the stream names: its vN are its own when its rows carry versions. */
static bool read_point(event_run *run, const event *e, yore_at *at, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    bool good = true;
    (void)branch_of(run, e, at->branch);
    if (e->from.size > 0) {
        char *spec = cli_strdup_slice(e->from);
        good = yore_at_parse(run->im->c->db, spec, 0, 0, at, &err) >= 0;
        free(spec);
    }
    if (!good) {
        return import_refuse_error(problem, &err);
    }
    if (at->kind == YORE_AT_VERSION && (run->pair_count > 0 || e->has_version)) {
        const version_pair *pair = find_version(run, at->version);
        at->version = pair != NULL ? pair->here : run->base_version;
    }
    return true;
}

static bool take_fork(event_run *run, const event *e, import_problem *problem)
{
    import *im = run->im;
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    if (!e->is_empty && !read_point(run, e, &at, problem)) {
        return false;
    }
    options.empty = e->is_empty;
    options.hidden = e->is_hidden;
    options.from = &at;
    options.ttl_ns = e->ttl_ns;
    if (yore_branch_create(im->c->db, e->name, &options, &where, &err) < 0) {
        return import_refuse_error(problem, &err);
    }
    im->branches += !e->is_hidden;
    im->hidden_branches += e->is_hidden;
    if (e->has_version) {
        remember_version(run, e->version, where.version);
    }
    return true;
}

static bool take_tag(event_run *run, const event *e, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    if (!read_point(run, e, &at, problem)) {
        return false;
    }
    if (yore_tag_create(run->im->c->db, e->name, &at, NULL, &err) < 0) {
        return import_refuse_error(problem, &err);
    }
    run->im->tags++;
    return true;
}

/* --prefix stands before the keys of a setting as before all others. */
static bool take_config(event_run *run, const event *e, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    char *name = cli_strdup_slice(e->name);
    char *value = cli_strdup_slice(e->value);
    yore_slice prefix = e->prefix.size > 0 ? import_key(run->im, e->prefix) : e->prefix;
    yore_status status = yore_config_set_prefix(run->im->c->db, name, prefix, value, NULL, &err);
    free(name);
    free(value);
    if (status < 0) {
        return import_refuse_error(problem, &err);
    }
    run->im->settings++;
    return true;
}

static bool take_drop(event_run *run, const event *e, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    if (yore_branch_delete(run->im->c->db, e->name, false, NULL, NULL, &err) < 0) {
        return import_refuse_error(problem, &err);
    }
    return true;
}

static bool take_merge(event_run *run, const event *e, import_problem *problem)
{
    char into[YORE_BRANCH_NAME_MAX + 1];
    if (!fill_change(run, e, branch_of(run, e, into), problem)) {
        return false;
    }
    char *from = cli_strdup_slice(e->name);
    bool good = import_merge(run->im, from, &run->change, NULL, problem);
    free(from);
    return good;
}

/* A record that is not a key's change: it sees everything before it. */
static int take_record(event_run *run, const event *e, yore_slice raw, uint64_t line)
{
    import_problem problem = {.line = line};
    bool good = false;
    int code = flush(run);
    if (code != EXIT_DONE) {
        return code;
    }
    run->refusing = false;
    run->im->resume_line = line;
    switch (e->kind) {
    case EVENT_FORK: good = take_fork(run, e, &problem); break;
    case EVENT_TAG: good = take_tag(run, e, &problem); break;
    case EVENT_CONFIG: good = take_config(run, e, &problem); break;
    case EVENT_DROP: good = take_drop(run, e, &problem); break;
    default: good = take_merge(run, e, &problem); break;
    }
    problem.line = line;
    code = good ? EXIT_DONE : import_reject(run->im, &problem, raw);
    if (code != EXIT_DONE) return code;
    run->im->resume_line = line + 1;
    return import_tick(run->im);
}

/* -- lines -- */

static bool is_blank(yore_slice line)
{
    const char *at = line.data;
    for (size_t i = 0; i < line.size; i++) {
        if (strchr(" \t\r", at[i]) == NULL || at[i] == 0) {
            return false;
        }
    }
    return true;
}

static yore_slice without_mark(yore_slice line, uint64_t number)
{
    bool marked = number == 1 && line.size >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0;
    return marked ? yore_bytes((const char *)line.data + 3, line.size - 3) : line;
}

static int take_line(event_run *run, yore_slice line, uint64_t number)
{
    event e;
    import_problem problem = {.line = number};
    if (number < run->im->from_line || is_blank(line)) {
        return EXIT_DONE;
    }
    if (run->txn == NULL) {
        run->im->resume_line = number;
    }
    if (!event_read(&run->reader, without_mark(line, number), &e, &problem)) {
        problem.line = number;
        return refuse_bad_line(run, &problem, line);
    }
    int code = import_store(run->im);
    if (code != EXIT_DONE) {
        return code;
    }
    if (run->base_version == 0) {
        yore_error err = YORE_ERROR_INIT;
        yore_stats stats = {.struct_size = sizeof stats};
        if (yore_stats_get(run->im->c->db, &stats, &err) < 0) {
            return cli_fail(run->im->c, &err);
        }
        run->base_version = stats.version;
    }
    bool is_data = e.kind == EVENT_PUT || e.kind == EVENT_DEL || e.kind == EVENT_EMPTY;
    return is_data ? take_data(run, &e, line, number) : take_record(run, &e, line, number);
}

static int by_version(const void *a, const void *b)
{
    const row_place *left = a;
    const row_place *right = b;
    if (left->version != right->version) {
        return left->version < right->version ? -1 : 1;
    }
    return left->line < right->line ? -1 : left->line > right->line;
}

static void add_place(event_run *run, uint64_t version, size_t size)
{
    if (run->place_count == run->place_cap) {
        run->place_cap = run->place_cap == 0 ? 1024 : run->place_cap * 2;
        run->places = cli_realloc(run->places, run->place_cap * sizeof *run->places);
    }
    run->places[run->place_count++] =
        (row_place){.version = version, .off = run->im->in.line_off, .line = run->im->in.line, .size = size};
}

/* Read the whole input once, to see whether its rows stand in the order of their versions. Lines without a version
 * keep their place behind the row before them; bad lines too (they are reported when their turn comes). */
static int index_rows(event_run *run)
{
    import *im = run->im;
    import_problem ignored = {0};
    event e;
    yore_slice line;
    uint64_t newest = 0;
    bool ordered = true;
    int code = import_in_make_seekable(&im->in);
    while (code == EXIT_DONE && import_in_line(&im->in, &line)) {
        uint64_t version = newest;
        if (!is_blank(line) && event_read(&run->reader, without_mark(line, im->in.line), &e, &ignored) &&
            e.has_version) {
            version = e.version;
        }
        ordered = ordered && version >= newest;
        newest = version;
        add_place(run, version, line.size);
    }
    if (code == EXIT_DONE) {
        code = import_input_ended(im);
    }
    if (code == EXIT_DONE) {
        code = import_in_seek(&im->in, 0, 0);
    }
    if (ordered) {
        run->place_count = 0;
    } else if (run->place_count > 0) {
        qsort(run->places, run->place_count, sizeof *run->places, by_version);
        im->out_of_order = true;
    }
    return code;
}

/* Does the first line carry a version, as the rows of an export do? */
static bool starts_with_version(event_run *run)
{
    const char *bytes;
    size_t size = import_in_peek(&run->im->in, &bytes);
    const char *lf = memchr(bytes, '\n', size);
    event e;
    import_problem ignored = {0};
    yore_slice line = without_mark(yore_bytes(bytes, lf == NULL ? size : (size_t)(lf - bytes)), 1);
    if (lf == NULL && size >= IMPORT_PEEK_BYTES) {
        return true; /* a first line longer than the buffer: look at all of it, which is never wrong */
    }
    return event_read(&run->reader, line, &e, &ignored) && e.has_version;
}

static int take_placed(event_run *run)
{
    int code = EXIT_DONE;
    for (size_t i = 0; i < run->place_count && code == EXIT_DONE; i++) {
        const row_place *place = &run->places[i];
        cli_bytes_clear(&run->placed);
        cli_bytes_reserve(&run->placed, place->size);
        if (!import_in_read_at(&run->im->in, place->off, place->size, run->placed.data)) {
            return EXIT_INTERNAL;
        }
        code = take_line(run, yore_bytes(run->placed.data, place->size), place->line);
    }
    return code;
}

int import_events(import *im)
{
    event_run run = {.im = im};
    yore_slice line;
    int code = EXIT_DONE;
    if (starts_with_version(&run)) {
        code = index_rows(&run);
    }
    if (code == EXIT_DONE && run.place_count > 0) {
        code = take_placed(&run);
    } else {
        while (code == EXIT_DONE && import_in_line(&im->in, &line)) {
            code = take_line(&run, line, im->in.line);
        }
        if (code == EXIT_DONE) {
            code = import_input_ended(im);
        }
    }
    if (code == EXIT_DONE) {
        code = flush(&run);
    }
    yore_rollback(run.txn);
    event_reader_deinit(&run.reader);
    json_in_deinit(&run.scratch);
    cli_bytes_deinit(&run.commit);
    cli_bytes_deinit(&run.author);
    cli_bytes_deinit(&run.note);
    cli_bytes_deinit(&run.source);
    cli_bytes_deinit(&run.raw);
    cli_bytes_deinit(&run.refused_commit);
    cli_bytes_deinit(&run.placed);
    free(run.pairs);
    free(run.places);
    return code;
}

/* Keys to paths, metadata to modes, and what git cannot have.
 *
 * Changes are those of the commit (its rows), in key order: a file stands before what is below it as a directory, so
 * that one takes the place of the other as it should. A value that expired since the parent is a deletion here, as a
 * tree of git is a state. A file and keys below it cannot be there at the same time. That is looked for only where a
 * path has been both, in any state so far; when it happens and keys may be left out, the file stays, and from then on
 * whole states are written, since what shows depends on more than what a commit changed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/export_git.h"
#include "cli/git_path.h"
#include "cli/list.h"
#include "cli/locate.h"

#define IS_FILE 1u
#define IS_FOLDER 2u
#define IS_BOTH 3u

static int open_snap(git_trees *trees, const git_place *place, yore_snap **snap, bool *readable)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    if (*snap != NULL) return EXIT_DONE;
    at.kind = YORE_AT_VERSION;
    at.branch_id = place->branch_id;
    at.version = place->version;
    yore_status status = yore_snap_open(trees->run->c->db, &at, snap, NULL, &err);
    if (status == YORE_ERR_TRIMMED && readable != NULL) {
        *readable = false;
        return EXIT_DONE;
    }
    return status < 0 ? cli_fail(trees->run->c, &err) : EXIT_DONE;
}

static int has_file(git_trees *trees, yore_snap *snap, yore_slice path, bool *has)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    cli_bytes user = {0};
    cli_bytes_append(&user, trees->run->prefix.data, trees->run->prefix.size);
    cli_bytes_append(&user, path.data, path.size);
    yore_key key = {cli_bytes_slice(&user), trees->run->primitive};
    yore_status status = yore_get(snap, key, &pin, &err);
    yore_unpin(&pin);
    cli_bytes_deinit(&user);
    *has = status == YORE_OK;
    return status < 0 ? cli_fail(trees->run->c, &err) : EXIT_DONE;
}

/* -- what a path has been -- */

static unsigned facts_of(const git_trees *trees, yore_slice path)
{
    size_t entry = git_names_find(&trees->paths, path);
    return entry == GIT_NAME_NONE ? 0 : (unsigned)trees->paths.values[entry];
}

static void add_fact(git_trees *trees, yore_slice path, unsigned fact)
{
    unsigned facts = facts_of(trees, path) | fact;
    (void)git_names_set(&trees->paths, path, facts);
    trees->overlaps = trees->overlaps || facts == IS_BOTH;
}

static void add_path(git_trees *trees, yore_slice path)
{
    const char *at = path.data;
    if ((facts_of(trees, path) & IS_FILE) != 0) return;
    add_fact(trees, path, IS_FILE);
    for (size_t i = 1; i < path.size; i++) {
        if (at[i] == '/') add_fact(trees, yore_bytes(at, i), IS_FOLDER);
    }
}

/* The part of `path` that is a file in the state being written, or the path itself if there are files below it. An
 * empty slice when nothing is in the way. */
static int find_clash(git_trees *trees, yore_slice path, yore_slice *clash)
{
    const char *at = path.data;
    bool has = false;
    *clash = yore_bytes(NULL, 0);
    for (size_t i = 1; i < path.size && trees->overlaps; i++) {
        yore_slice folder = yore_bytes(at, i);
        if (at[i] != '/' || facts_of(trees, folder) != IS_BOTH) continue;
        int code = open_snap(trees, &trees->at, &trees->snap, NULL);
        code = code != EXIT_DONE ? code : has_file(trees, trees->snap, folder, &has);
        if (code != EXIT_DONE) return code;
        if (has) *clash = folder;
        if (has) return EXIT_DONE;
    }
    return EXIT_DONE;
}

static int first_below(void *arg, const yore_row *row)
{
    cli_bytes_append(arg, row->key.data, row->key.size);
    return CLI_STOP;
}

static int refuse(git_trees *trees, yore_slice key, const char *why)
{
    cli *c = trees->run->c;
    char *shown = cli_shown(key);
    int code = cli_error(c, YORE_ERR_INPUT, why,
                         "--on-error skip leaves such keys out; or rename the key, or export a PREFIX",
                         "git cannot have the key '%s' of %s@v%" PRIu64, shown,
                         cli_branch_name(c, trees->at.branch_id), trees->at.version);
    free(shown);
    return code;
}

/* A file, and files below it, in one state: without `skip` an error, from whichever of the two is put. */
static int refuse_clash(git_trees *trees, const yore_row *row, yore_slice path)
{
    yore_range range = YORE_RANGE_INIT;
    cli_bytes below = {0};
    cli_bytes prefix = {0};
    yore_slice clash;
    int code = find_clash(trees, path, &clash);
    if (code == EXIT_DONE && clash.size > 0) {
        return refuse(trees, row->key, "a part of it is a key too, which cannot be a file and a directory");
    }
    if (code != EXIT_DONE || facts_of(trees, path) != IS_BOTH) return code;
    cli_bytes_append(&prefix, row->key.data, row->key.size);
    cli_bytes_append(&prefix, "/", 1);
    range.prefix = cli_bytes_slice(&prefix);
    range.primitive = trees->run->primitive;
    range.keys_only = true;
    range.limit = 1;
    code = open_snap(trees, &trees->at, &trees->snap, NULL);
    if (code == EXIT_DONE) code = cli_scan(trees->run->c, trees->snap, &range, first_below, &below);
    if (code == EXIT_DONE && below.size > 0) {
        code = refuse(trees, cli_bytes_slice(&below),
                      "a part of it is a key too, which cannot be a file and a directory");
    }
    cli_bytes_deinit(&prefix);
    cli_bytes_deinit(&below);
    return code;
}

static void leave_out(git_trees *trees, yore_slice key)
{
    (void)git_names_set(&trees->left_out, key, 0);
}

/* -- expiry -- */

static void add_expiring(git_trees *trees, const yore_row *row)
{
    if (trees->expiring_count == trees->expiring_cap) {
        trees->expiring_cap = trees->expiring_cap == 0 ? 64 : trees->expiring_cap * 2;
        trees->expiring = cli_realloc(trees->expiring, trees->expiring_cap * sizeof *trees->expiring);
    }
    size_t at = trees->expiring_count++;
    for (; at > 0 && trees->expiring[at - 1].expiry_ns > row->expiry_ns; at--) {
        trees->expiring[at] = trees->expiring[at - 1];
    }
    trees->expiring[at] = (git_expiring){row->expiry_ns, cli_strdup_slice(row->key), row->key.size};
}

/* -- writing -- */

static void write_path(git_trees *trees, yore_slice path)
{
    git_path_write(trees->run->to, path);
    (void)putc('\n', trees->run->to);
}

/* `D` of a directory would take all of it, so what may be one is looked up. */
static int drop(git_trees *trees, yore_slice path)
{
    bool has = true;
    unsigned facts = facts_of(trees, path);
    if ((facts & IS_FILE) == 0 || trees->parent.version == 0) return EXIT_DONE;
    if (facts == IS_BOTH) {
        int code = open_snap(trees, &trees->parent, &trees->parent_snap, NULL);
        code = code != EXIT_DONE ? code : has_file(trees, trees->parent_snap, path, &has);
        if (code != EXIT_DONE || !has) return code;
    }
    (void)fputs("D ", trees->run->to);
    write_path(trees, path);
    return EXIT_DONE;
}

void git_write_data(FILE *to, yore_slice data)
{
    (void)fprintf(to, "data %zu\n", data.size);
    if (data.size > 0) (void)fwrite(data.data, 1, data.size, to);
    (void)putc('\n', to);
}

static bool is_object_id(yore_slice text)
{
    const char *at = text.data;
    for (size_t i = 0; i < text.size; i++) {
        if ((at[i] < '0' || at[i] > '9') && (at[i] < 'a' || at[i] > 'f')) return false;
    }
    return text.size == 40 || text.size == 64;
}

/* The mode a value's metadata names, in octal; what names none is a plain file. */
static const char *mode_of(git_trees *trees, const yore_row *row)
{
    static const char *const modes[] = {"100644", "100755", "120000"};
    const char *at = row->meta.data;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (row->meta.size == 6 && memcmp(at, modes[i], 6) == 0) return modes[i];
    }
    trees->other_meta += row->meta.size > 0;
    return modes[0];
}

static void put(git_trees *trees, const yore_row *row, yore_slice path)
{
    FILE *to = trees->run->to;
    const char *meta = row->meta.data;
    bool is_submodule = row->meta.size > 7 && row->value.size == 0 && memcmp(meta, "160000 ", 7) == 0 &&
                        is_object_id(yore_bytes(meta + 7, row->meta.size - 7));
    if (is_submodule) {
        (void)fprintf(to, "M 160000 %.*s ", (int)(row->meta.size - 7), meta + 7);
        write_path(trees, path);
    } else {
        (void)fprintf(to, "M %s inline ", mode_of(trees, row));
        write_path(trees, path);
        git_write_data(to, row->value);
    }
    trees->run->bytes += row->value.size;
    trees->run->rows++;
}

static int whole_row(void *arg, const yore_row *row)
{
    git_trees *trees = arg;
    yore_slice path = yore_bytes((const char *)row->key.data + trees->run->prefix.size,
                                 row->key.size - trees->run->prefix.size);
    const char *problem = git_path_problem(path);
    yore_slice clash = {0};
    if (problem != NULL && !trees->skip) return refuse(trees, row->key, problem);
    if (problem == NULL) {
        add_path(trees, path);
        int code = find_clash(trees, path, &clash);
        if (code != EXIT_DONE) return code;
        if (clash.size > 0 && !trees->skip) return refuse_clash(trees, row, path);
    }
    if (problem != NULL || clash.size > 0) {
        leave_out(trees, row->key);
        return EXIT_DONE;
    }
    if (row->expiry_ns != 0) add_expiring(trees, row);
    put(trees, row, path);
    return EXIT_DONE;
}

static int write_whole(git_trees *trees)
{
    yore_range range = YORE_RANGE_INIT;
    range.prefix = trees->run->prefix;
    range.primitive = trees->run->primitive;
    int code = open_snap(trees, &trees->at, &trees->snap, NULL);
    if (code != EXIT_DONE) return code;
    (void)fputs("deleteall\n", trees->run->to);
    return cli_scan(trees->run->c, trees->snap, &range, whole_row, trees);
}

static int changed_row(void *arg, const yore_row *row)
{
    git_trees *trees = arg;
    const export_run *run = trees->run;
    bool is_put = row->op == YORE_OP_PUT && (row->expiry_ns == 0 || row->expiry_ns > trees->at.time_ns);
    if (row->primitive != run->primitive || row->key.size < run->prefix.size ||
        (run->prefix.size > 0 && memcmp(row->key.data, run->prefix.data, run->prefix.size) != 0)) {
        return EXIT_DONE;
    }
    yore_slice path =
        yore_bytes((const char *)row->key.data + run->prefix.size, row->key.size - run->prefix.size);
    if (!is_put) return drop(trees, path);
    const char *problem = git_path_problem(path);
    if (problem != NULL && !trees->skip) return refuse(trees, row->key, problem);
    if (problem != NULL) {
        leave_out(trees, row->key);
        return EXIT_DONE;
    }
    add_path(trees, path);
    if (trees->overlaps && trees->skip)
        return CLI_STOP; /* what is written so far is overruled by the whole state */
    int code = trees->overlaps ? refuse_clash(trees, row, path) : EXIT_DONE;
    if (code != EXIT_DONE) return code;
    if (row->expiry_ns != 0) add_expiring(trees, row);
    put(trees, row, path);
    return EXIT_DONE;
}

/* What expired after the parent, up to this commit. */
static int drop_expired(git_trees *trees)
{
    int code = EXIT_DONE;
    size_t low = 0;
    size_t high = trees->expiring_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trees->expiring[middle].expiry_ns <= trees->parent.time_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i < trees->expiring_count && code == EXIT_DONE; i++) {
        const git_expiring *one = &trees->expiring[i];
        bool has = false;
        if (one->expiry_ns > trees->at.time_ns) break;
        yore_slice path = yore_bytes(one->key + trees->run->prefix.size, one->size - trees->run->prefix.size);
        code = open_snap(trees, &trees->at, &trees->snap, NULL);
        code = code != EXIT_DONE ? code : has_file(trees, trees->snap, path, &has);
        code = code != EXIT_DONE || has ? code : drop(trees, path);
    }
    return code;
}

int git_trees_open(git_trees *trees, const git_place *at, const git_place *parent, bool whole, bool *readable)
{
    yore_error err = YORE_ERROR_INIT;
    trees->at = *at;
    trees->parent = *parent;
    trees->whole = whole || (trees->skip && trees->overlaps);
    *readable = true;
    if (!trees->whole) {
        yore_status status = yore_commit_rows(trees->run->c->db, at->version, &trees->rows, &err);
        if (status < 0 && status != YORE_ERR_TRIMMED) return cli_fail(trees->run->c, &err);
        trees->whole = status < 0;
    }
    return trees->whole ? open_snap(trees, at, &trees->snap, readable) : EXIT_DONE;
}

int git_trees_write(git_trees *trees)
{
    if (trees->whole) return write_whole(trees);
    yore_iter *rows = trees->rows;
    trees->rows = NULL;
    int code = drop_expired(trees);
    if (code != EXIT_DONE) {
        yore_iter_close(rows);
        return code;
    }
    code = cli_rows(trees->run->c, rows, changed_row, trees);
    return code == EXIT_DONE && trees->skip && trees->overlaps ? write_whole(trees) : code;
}

void git_trees_close(git_trees *trees)
{
    yore_snap_close(trees->snap);
    yore_snap_close(trees->parent_snap);
    yore_iter_close(trees->rows);
    trees->snap = trees->parent_snap = NULL;
    trees->rows = NULL;
}

void git_trees_deinit(git_trees *trees)
{
    git_trees_close(trees);
    for (size_t i = 0; i < trees->expiring_count; i++) free(trees->expiring[i].key);
    free(trees->expiring);
    git_names_deinit(&trees->paths);
    git_names_deinit(&trees->left_out);
}

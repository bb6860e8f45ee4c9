/* How git's changes map to keys: path -> key, contents -> value, mode -> metadata (none for a plain 100644 file; a
 * submodule is an empty value with "160000 <commit>"). Changes apply one after the other, as git reads them. A
 * `deleteall` starts from nothing, so such a commit is compared with its parent and only differences are written. */
#include "cli/git_apply.h"

#include <stdlib.h>
#include <string.h>

typedef struct apply_run {
    git_stream *stream;
    yore_txn *txn;
    const yore_at *parent_at; /* NULL = no parent */
    yore_snap *parent;        /* opened when it is needed */
    git_names directories;    /* of the files this commit put */
    cli_bytes value;
    cli_bytes path;
    char meta[80];
} apply_run;

static bool fail(apply_run *run, const yore_error *err)
{
    run->stream->problem->line = run->stream->record.line;
    return import_refuse_error(run->stream->problem, err);
}

bool git_read_span(git_stream *stream, git_span span, cli_bytes *to)
{
    cli_bytes_clear(to);
    cli_bytes_reserve(to, (size_t)span.size + 1);
    to->size = (size_t)span.size;
    return span.size == 0 || import_in_read_at(stream->in, span.off, (size_t)span.size, to->data);
}

/* -- one key -- */

static yore_slice meta_of(apply_run *run, const git_op *op)
{
    yore_slice oid = git_text_of(run->stream, op->other);
    int size = 0;
    if (op->mode == GIT_MODE_SUBMODULE) {
        size = snprintf(run->meta, sizeof run->meta, "%o %.*s", (unsigned)op->mode, (int)oid.size,
                        (const char *)oid.data);
    } else if (op->mode != GIT_MODE_FILE) {
        size = snprintf(run->meta, sizeof run->meta, "%o", (unsigned)op->mode);
    }
    return yore_bytes(run->meta, (size_t)size);
}

static bool delete_key(apply_run *run, yore_slice user)
{
    yore_error err = YORE_ERROR_INIT;
    yore_key key = {user, YORE_KV};
    if (yore_del(run->txn, key, NULL, &err) < 0) {
        return fail(run, &err);
    }
    run->stream->im->dels++;
    return true;
}

/* run->parent stays NULL when there is no parent. */
static bool open_parent(apply_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    if (run->parent != NULL || run->parent_at == NULL) return true;
    return yore_snap_open(run->stream->im->c->db, run->parent_at, &run->parent, NULL, &err) >= 0 ||
           fail(run, &err);
}

/* -- directories: fast-export names files only, but the format allows them -- */

/* The keys under `path`/ as the transaction sees them, each ended by a NUL and its size before it in `sizes`. */
typedef struct key_list {
    cli_bytes text;
    size_t *ends;
    size_t count;
    size_t cap;
} key_list;

static yore_slice list_at(const key_list *list, size_t i)
{
    size_t start = i == 0 ? 0 : list->ends[i - 1];
    return yore_bytes(list->text.data + start, list->ends[i] - start);
}

static void list_add(key_list *list, yore_slice key)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->ends = cli_realloc(list->ends, list->cap * sizeof *list->ends);
    }
    cli_bytes_append(&list->text, key.data, key.size);
    list->ends[list->count++] = list->text.size;
}

static void list_deinit(key_list *list)
{
    cli_bytes_deinit(&list->text);
    free(list->ends);
}

static bool list_under(apply_run *run, yore_slice path, key_list *list)
{
    yore_error err = YORE_ERROR_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_row row;
    size_t n = 0;
    cli_bytes_clear(&run->path);
    cli_bytes_append(&run->path, run->stream->im->prefix, strlen(run->stream->im->prefix));
    cli_bytes_append(&run->path, path.data, path.size);
    cli_bytes_append(&run->path, "/", 1);
    range.prefix = cli_bytes_slice(&run->path);
    range.keys_only = true;
    yore_status status = yore_txn_scan(run->txn, &range, &iter, &err);
    while (status == YORE_OK && (status = yore_next(iter, &row, sizeof row, 1, &n, &err)) == YORE_OK) {
        list_add(list, row.key);
    }
    yore_iter_close(iter);
    return status >= 0 || fail(run, &err);
}

static bool has_key(apply_run *run, yore_slice user, bool *has)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_key key = {user, YORE_KV};
    yore_status status = yore_txn_get(run->txn, key, &pin, &err);
    yore_unpin(&pin);
    *has = status == YORE_OK;
    return status >= 0 || fail(run, &err);
}

/* Is there a key below the directory `key`/ in the parent, or was one put in this commit? */
static bool may_have_below(apply_run *run, cli_bytes *key, bool *may)
{
    yore_error err = YORE_ERROR_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_row row;
    size_t n = 0;
    *may = git_names_find(&run->directories, cli_bytes_slice(key)) != GIT_NAME_NONE;
    if (!open_parent(run)) return false;
    if (*may || run->parent == NULL) return true;
    cli_bytes_append(key, "/", 1);
    range.prefix = cli_bytes_slice(key);
    range.keys_only = true;
    range.limit = 1;
    yore_status status = yore_scan(run->parent, &range, &iter, &err);
    if (status == YORE_OK) status = yore_next(iter, &row, sizeof row, 1, &n, &err);
    yore_iter_close(iter);
    *may = status == YORE_OK;
    return status >= 0 || fail(run, &err);
}

/* A file takes the place of a directory, and a directory that of a file: fast-export also says so, other exporters
 * leave it to the reader. Nothing is in the way of a file that is there. */
static bool make_room(apply_run *run, yore_slice path)
{
    key_list list = {0};
    cli_bytes key = {0};
    bool has = false;
    yore_slice user = import_key(run->stream->im, path);
    cli_bytes_append(&key, user.data, user.size);
    bool good = has_key(run, cli_bytes_slice(&key), &has);
    bool is_new = good && !has;
    for (size_t at = user.size - path.size + 1; at < key.size && is_new && good; at++) {
        if (key.data[at] != '/') continue;
        yore_slice directory = yore_bytes(key.data, at);
        (void)git_names_set(&run->directories, directory, 0);
        good = has_key(run, directory, &has) && (!has || delete_key(run, directory));
    }
    good = good && (!is_new || may_have_below(run, &key, &has));
    good = good && (!is_new || !has || list_under(run, path, &list));
    for (size_t i = 0; i < list.count && good; i++) {
        good = delete_key(run, list_at(&list, i));
    }
    list_deinit(&list);
    cli_bytes_deinit(&key);
    return good;
}

static bool put_value(apply_run *run, yore_slice path, yore_slice value, yore_slice meta)
{
    yore_error err = YORE_ERROR_INIT;
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_key key = {yore_str(""), YORE_KV};
    options.meta = meta;
    if (!make_room(run, path)) {
        return false;
    }
    key.user = import_key(run->stream->im, path);
    if (yore_put(run->txn, key, value, &options, &err) < 0) {
        return fail(run, &err);
    }
    run->stream->im->puts++;
    run->stream->im->bytes += value.size;
    return true;
}

static bool put_file(apply_run *run, yore_slice path, const git_op *op)
{
    return git_read_span(run->stream, op->data, &run->value) &&
           put_value(run, path, cli_bytes_slice(&run->value), meta_of(run, op));
}

static bool delete_path(apply_run *run, const git_op *op)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    key_list list = {0};
    yore_slice path = git_text_of(run->stream, op->path);
    yore_key key = {import_key(run->stream->im, path), YORE_KV};
    if (!open_parent(run)) {
        return false;
    }
    yore_status status = run->parent == NULL ? YORE_NOT_FOUND : yore_get(run->parent, key, &pin, &err);
    yore_unpin(&pin);
    if (status < 0) {
        return fail(run, &err);
    }
    bool good = delete_key(run, key.user);
    if (status == YORE_NOT_FOUND) {
        run->stream->im->dels -= good;
        good = good && list_under(run, path, &list);
    }
    for (size_t i = 0; i < list.count && good; i++) {
        good = delete_key(run, list_at(&list, i));
    }
    list_deinit(&list);
    return good;
}

/* Copy one key (full, with --prefix) to the path `to`. *found tells whether there was something. */
static bool copy_key(apply_run *run, yore_slice from, yore_slice to, bool *found)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_key key = {from, YORE_KV};
    yore_status status = yore_txn_get(run->txn, key, &pin, &err);
    bool good = status >= 0 || fail(run, &err);
    *found = status == YORE_OK;
    if (*found) {
        char meta[sizeof run->meta];
        size_t meta_size = pin.meta.size < sizeof meta ? pin.meta.size : sizeof meta;
        cli_bytes_clear(&run->value); /* the transaction's own bytes may move when it is written to */
        cli_bytes_append(&run->value, pin.value.data, pin.value.size);
        memcpy(meta, meta_size > 0 ? pin.meta.data : "", meta_size);
        good = put_value(run, to, cli_bytes_slice(&run->value), yore_bytes(meta, meta_size));
    }
    yore_unpin(&pin);
    return good;
}

static bool move_path(apply_run *run, const git_op *op)
{
    yore_slice from = git_text_of(run->stream, op->path);
    yore_slice to = git_text_of(run->stream, op->other);
    key_list list = {0};
    key_list replaced = {0};
    git_names written = {0};
    cli_bytes target = {0};
    bool found = false;
    bool good = true;
    size_t before = strlen(run->stream->im->prefix) + from.size;
    cli_bytes source = {0};
    cli_bytes_append(&source, run->stream->im->prefix, strlen(run->stream->im->prefix));
    cli_bytes_append(&source, from.data, from.size);
    good = copy_key(run, cli_bytes_slice(&source), to, &found);
    if (good && found) {
        list_add(&list, cli_bytes_slice(&source));
        (void)git_names_set(&written, import_key(run->stream->im, to), 0);
    } else if (good) {
        good = list_under(run, from, &list);
    }
    if (good && list.count == 0) {
        run->stream->problem->line = run->stream->record.line;
        good = import_refuse(run->stream->problem, YORE_ERR_INPUT, 0,
                             "a rename or copy of '%.*s', which the commit before does not have",
                             (int)from.size, (const char *)from.data);
    }
    good = good && (found || list_under(run, to, &replaced));
    for (size_t i = 0; i < list.count && good && !found; i++) {
        bool copied = false;
        yore_slice key = list_at(&list, i);
        cli_bytes_clear(&target);
        cli_bytes_append(&target, to.data, to.size);
        cli_bytes_append(&target, (const char *)key.data + before, key.size - before);
        good = copy_key(run, key, cli_bytes_slice(&target), &copied);
        (void)git_names_set(&written, import_key(run->stream->im, cli_bytes_slice(&target)), 0);
    }
    /* A directory takes the place of the one that was there, whole. */
    for (size_t i = 0; i < replaced.count && good; i++) {
        bool kept = git_names_find(&written, list_at(&replaced, i)) != GIT_NAME_NONE;
        good = kept || delete_key(run, list_at(&replaced, i));
    }
    for (size_t i = 0; i < list.count && good && op->kind == GIT_RENAME; i++) {
        bool kept = git_names_find(&written, list_at(&list, i)) != GIT_NAME_NONE;
        good = kept || delete_key(run, list_at(&list, i));
    }
    list_deinit(&replaced);
    git_names_deinit(&written);
    cli_bytes_deinit(&source);
    cli_bytes_deinit(&target);
    list_deinit(&list);
    return good;
}

/* -- whole trees -- */

/* Path -> operation that puts it + 1, 0 = gone. */
static bool collect_tree(apply_run *run, size_t first, git_names *tree)
{
    git_stream *stream = run->stream;
    for (size_t i = first; i < stream->record.op_count; i++) {
        const git_op *op = &stream->record.ops[i];
        yore_slice path = git_text_of(stream, op->path);
        size_t entry = git_names_find(tree, path);
        if (op->kind == GIT_PUT) {
            (void)git_names_set(tree, path, i + 1);
        } else if (entry == GIT_NAME_NONE || tree->values[entry] == 0) {
            stream->problem->line = stream->record.line;
            return import_refuse(stream->problem, YORE_ERR_INPUT, 0,
                                 "after 'deleteall', a change of '%.*s', which the commit has not set",
                                 (int)path.size, (const char *)path.data);
        } else {
            uint64_t put = tree->values[entry];
            tree->values[entry] = op->kind == GIT_COPY ? put : 0;
            if (op->kind != GIT_DELETE) {
                (void)git_names_set(tree, git_text_of(stream, op->other), put);
            }
        }
    }
    return true;
}

static bool same_file(apply_run *run, const yore_row *row, const git_op *op, bool *same)
{
    yore_slice meta = meta_of(run, op);
    *same = row->value.size == op->data.size && row->meta.size == meta.size &&
            (meta.size == 0 || memcmp(row->meta.data, meta.data, meta.size) == 0);
    if (*same && op->data.size > 0) {
        if (!git_read_span(run->stream, op->data, &run->value)) {
            return false;
        }
        *same = memcmp(row->value.data, run->value.data, run->value.size) == 0;
    }
    return true;
}

/* Drop from `tree` what the parent has already, delete what it alone has. */
static bool compare_tree(apply_run *run, git_names *tree)
{
    yore_error err = YORE_ERROR_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_row row;
    size_t n = 0;
    size_t prefix = strlen(run->stream->im->prefix);
    bool good = true;
    if (!open_parent(run)) return false;
    if (run->parent == NULL) return true;
    range.prefix = yore_str(run->stream->im->prefix);
    yore_status status = yore_scan(run->parent, &range, &iter, &err);
    while (good && status == YORE_OK &&
           (status = yore_next(iter, &row, sizeof row, 1, &n, &err)) == YORE_OK) {
        bool same = false;
        yore_slice path = yore_bytes((const char *)row.key.data + prefix, row.key.size - prefix);
        size_t entry = git_names_find(tree, path);
        if (entry == GIT_NAME_NONE || tree->values[entry] == 0) {
            good = delete_key(run, row.key);
        } else {
            good = same_file(run, &row, &run->stream->record.ops[tree->values[entry] - 1], &same);
            tree->values[entry] = same ? 0 : tree->values[entry];
        }
    }
    yore_iter_close(iter);
    return good && (status >= 0 || fail(run, &err));
}

static bool apply_tree(apply_run *run, size_t first)
{
    git_names tree = {0};
    bool good = collect_tree(run, first, &tree) && compare_tree(run, &tree);
    for (size_t i = 0; i < tree.count && good; i++) {
        if (tree.values[i] != 0) {
            good = put_file(run, git_names_at(&tree, i), &run->stream->record.ops[tree.values[i] - 1]);
        }
    }
    git_names_deinit(&tree);
    return good;
}

static bool apply_ops(apply_run *run)
{
    git_record *record = &run->stream->record;
    for (size_t i = record->op_count; i > 0; i--) {
        if (record->ops[i - 1].kind == GIT_DELETE_ALL) {
            return apply_tree(run, i);
        }
    }
    for (size_t i = 0; i < record->op_count; i++) {
        const git_op *op = &record->ops[i];
        bool good = op->kind == GIT_PUT      ? put_file(run, git_text_of(run->stream, op->path), op)
                    : op->kind == GIT_DELETE ? delete_path(run, op)
                                             : move_path(run, op);
        if (!good) {
            return false;
        }
    }
    return true;
}

bool git_apply(git_stream *stream, yore_txn *txn, const yore_at *parent)
{
    apply_run run = {.stream = stream, .txn = txn, .parent_at = parent};
    bool good = apply_ops(&run);
    yore_snap_close(run.parent);
    git_names_deinit(&run.directories);
    cli_bytes_deinit(&run.value);
    cli_bytes_deinit(&run.path);
    return good;
}

bool git_copy_state(git_stream *stream, yore_txn *txn, const yore_at *from)
{
    apply_run run = {.stream = stream, .txn = txn, .parent_at = from};
    yore_error err = YORE_ERROR_INIT;
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_iter *iter = NULL;
    yore_row row;
    size_t n = 0;
    if (!open_parent(&run)) return false;
    yore_status status = yore_scan(run.parent, NULL, &iter, &err);
    while (status == YORE_OK && (status = yore_next(iter, &row, sizeof row, 1, &n, &err)) == YORE_OK) {
        yore_key key = {row.key, YORE_KV};
        options.meta = row.meta;
        options.type = row.type;
        status = yore_put(txn, key, row.value, &options, &err);
    }
    yore_iter_close(iter);
    yore_snap_close(run.parent);
    return status >= 0 || fail(&run, &err);
}

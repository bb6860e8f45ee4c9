#define _XOPEN_SOURCE 700
#include "cli/import_atomic.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/locate.h"

#define COPY_BYTES ((size_t)1 << 20)
#define OPEN_FILES_MAX 16

static int remove_one(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    (void)type;
    (void)at;
    return remove(path) == 0 ? 0 : errno;
}

void import_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS);
}

/* nftw has no argument for its callback. */
static struct {
    const char *to;
    size_t from_size;
} copying;

static int copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    FILE *out = in == NULL ? NULL : fopen(to, "wb");
    char *block = cli_alloc(COPY_BYTES);
    int error = in == NULL || out == NULL ? errno : 0;
    size_t got;
    while (error == 0 && (got = fread(block, 1, COPY_BYTES, in)) > 0) {
        error = fwrite(block, 1, got, out) == got ? 0 : errno;
    }
    error = error == 0 && ferror(in) ? EIO : error;
    if (in != NULL) {
        (void)fclose(in);
    }
    if (out != NULL && fclose(out) != 0 && error == 0) {
        error = errno;
    }
    free(block);
    return error;
}

static int copy_one(const char *path, const struct stat *facts, int type, struct FTW *at)
{
    (void)facts;
    int error = 0;
    char *to = cli_printf("%s%s", copying.to, path + copying.from_size);
    if (type == FTW_D) {
        error = at->level == 0 || mkdir(to, 0700) == 0 ? 0 : errno;
    } else if (type == FTW_F) {
        error = copy_file(path, to);
    }
    free(to);
    return error;
}

/* 0 or an errno. */
static int copy_tree(const char *from, const char *to)
{
    copying.to = to;
    copying.from_size = strlen(from);
    int error = nftw(from, copy_one, OPEN_FILES_MAX, FTW_PHYS);
    return error < 0 ? errno : error;
}

static void forget_counts(import *im)
{
    im->commits = im->puts = im->dels = im->bytes = im->merges = 0;
    im->branches = im->hidden_branches = im->tags = im->settings = 0;
    im->skipped_records = im->skipped_refs = im->skipped_tags = 0;
    im->cut_notes = im->cut_parents = 0;
    im->has_last_data = false;
    im->store_open = false;
}

/* Run the import on a copy of the open store. */
static int rehearse(import *im, int (*format)(import *im))
{
    cli *c = im->c;
    yore_db *real = c->db;
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    const char *tmp = getenv("TMPDIR");
    char *copy = cli_printf("%s/yore-rehearsal-XXXXXX", tmp == NULL || *tmp == 0 ? "/tmp" : tmp);
    int code = EXIT_DONE;
    if (mkdtemp(copy) == NULL) {
        code = cli_os_error(c, errno, "cannot make a directory for a rehearsal", copy);
        free(copy);
        return code;
    }
    int error = copy_tree(c->store_path, copy);
    options.sync = YORE_SYNC_OS;
    options.memory_budget = c->memory_budget;
    if (error != 0) {
        code = cli_os_error(c, error, "cannot copy the store for a rehearsal to", copy);
    } else if (yore_open(copy, &options, &c->db, &err) < 0) {
        code = cli_fail(c, &err);
        c->db = NULL;
    } else {
        im->rehearsal = true;
        im->store_open = false;
        code = format(im);
        im->rehearsal = false;
        yore_close(c->db);
    }
    c->db = real;
    import_remove_tree(copy);
    free(copy);
    return code;
}

static int import_into_existing(import *im, int (*format)(import *im))
{
    import_times asked = im->times;
    int code = import_store(im);
    if (code == EXIT_DONE && !im->tables_in_one && strcmp(im->c->store_path, ":memory:") != 0) {
        code = rehearse(im, format);
        forget_counts(im);
        im->times = asked;
        if (code == EXIT_DONE) {
            code = import_in_seek(&im->in, 0, 0);
        }
        if (code == EXIT_DONE) {
            import_hold_signals();
            code = import_input_ended(im); /* stopped before that: nothing has been done yet */
        }
    }
    return code == EXIT_DONE ? format(im) : code;
}

/* The store is complete at `made`: give it its name, durably. */
static int move_into_place(import *im, const char *made, const char *path)
{
    yore_error err = YORE_ERROR_INIT;
    const yore_env *env = yore_env_default();
    if (yore_sync(im->c->db, &err) < 0) {
        return cli_fail(im->c, &err);
    }
    yore_close(im->c->db);
    im->c->db = NULL;
    if (rename(made, path) != 0) {
        return cli_os_error(im->c, errno, "cannot move the complete store to", path);
    }
    int error = env->dir_sync_parent(env->ctx, path);
    return error < 0 ? cli_os_error(im->c, -error, "cannot sync the directory of", path) : EXIT_DONE;
}

static int import_into_new(import *im, int (*format)(import *im), const char *path)
{
    cli *c = im->c;
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    char *made = cli_printf("%.*s.importing-%ld", (int)size, path, (long)getpid());
    const char *asked = c->db_path;
    c->db_path = made;
    im->rehearsal = true; /* nothing lasts before the move */
    int code = format(im);
    im->rehearsal = false;
    if (code == EXIT_DONE) {
        code = import_store(im); /* an empty input makes a store too */
    }
    if (code == EXIT_DONE) {
        code = move_into_place(im, made, path);
    }
    if (code != EXIT_DONE) {
        yore_close(c->db);
        c->db = NULL;
        import_remove_tree(made);
    }
    c->db_path = asked;
    free(made);
    return code;
}

int import_atomic(import *im, int (*format)(import *im))
{
    struct stat facts;
    int code = import_in_make_seekable(&im->in);
    if (code != EXIT_DONE) {
        return code;
    }
    const char *path = cli_create_path(im->c);
    if (im->create && strcmp(path, ":memory:") != 0 && lstat(path, &facts) != 0 && errno == ENOENT) {
        return import_into_new(im, format, path);
    }
    return import_into_existing(im, format);
}

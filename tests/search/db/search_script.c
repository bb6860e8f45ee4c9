/* A store driven by lines of TAB-separated words on stdin, for tests written in a script language.
 *
 *   set NAME VALUE        a setting
 *   put BRANCH KEY TEXT   one commit
 *   del BRANCH KEY        one commit
 *   fork NEW FROM         of FROM's tip
 *   mark NAME BRANCH      remember this moment of a branch
 *   ask NAME K TEXT       search there, every character of TEXT being text: a line "= documents average matches", then
 *                         "KEY SCORE" for each hit
 *
 * The store is in memory. Any failure ends the program with a message. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <yore.h>

enum { MARKS_MAX = 64, FIELDS_MAX = 4 };

typedef struct mark {
    char name[64];
    yore_at at;
} mark;

static yore_db *db;
static mark marks[MARKS_MAX];
static size_t mark_count;

static void need(yore_status status, const char *what, const yore_error *err)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "%s: %s\n", what, status < 0 ? err->message : yore_status_name(status));
    exit(1);
}

static void do_mark(const char *name, const char *branch)
{
    yore_error err = YORE_ERROR_INIT;
    if (mark_count == MARKS_MAX) exit(2);
    mark *m = &marks[mark_count++];
    snprintf(m->name, sizeof m->name, "%s", name);
    yore_stats stats = {.struct_size = sizeof stats};
    need(yore_stats_get(db, &stats, &err), "stats", &err);
    m->at = (yore_at)YORE_AT_INIT;
    m->at.kind = YORE_AT_VERSION;
    m->at.version = stats.version;
    snprintf(m->at.branch, sizeof m->at.branch, "%s", branch);
}

static void print_hits(yore_iter *iter)
{
    yore_error err = YORE_ERROR_INIT;
    yore_search_info info = {.struct_size = sizeof info};
    need(yore_search_info_get(iter, &info, &err), "info", &err);
    printf("= %" PRIu64 " %.17g %" PRIu64 "\n", info.documents, info.average_length, info.matches);
    yore_hit hits[16];
    size_t n;
    yore_status status;
    while ((status = yore_search_next(iter, hits, sizeof hits[0], 16, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++)
            printf("%.*s %.17g\n", (int)hits[i].key.user.size, (const char *)hits[i].key.user.data,
                   hits[i].score);
    }
    if (status != YORE_END) need(status, "next", &err);
}

static void do_ask(const char *name, const char *k, const char *text)
{
    yore_error err = YORE_ERROR_INIT;
    size_t i = 0;
    while (i < mark_count && strcmp(marks[i].name, name) != 0) i++;
    if (i == mark_count) exit(2);
    yore_snap *snap;
    yore_iter *iter;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str(text);
    query.k = (uint32_t)strtoul(k, NULL, 10);
    query.plain = true;
    need(yore_snap_open(db, &marks[i].at, &snap, NULL, &err), "snapshot", &err);
    need(yore_search(snap, &query, &iter, &err), "search", &err);
    print_hits(iter);
    yore_iter_close(iter);
    yore_snap_close(snap);
}

static void run_line(char *line)
{
    yore_error err = YORE_ERROR_INIT;
    char *field[FIELDS_MAX] = {line};
    size_t count = 1;
    line[strcspn(line, "\n")] = 0;
    for (char *p = line; count < FIELDS_MAX && (p = strchr(p, '\t')) != NULL; count++) {
        *p++ = 0;
        field[count] = p;
    }
    if (strcmp(field[0], "set") == 0 && count == 3) {
        need(yore_config_set(db, field[1], field[2], NULL, &err), "set", &err);
    } else if (strcmp(field[0], "put") == 0 && count == 4) {
        need(yore_db_put(db, yore_str(field[1]), yore_str_key(field[2]), yore_str(field[3]), NULL, &err),
             "put", &err);
    } else if (strcmp(field[0], "del") == 0 && count == 3) {
        need(yore_db_del(db, yore_str(field[1]), yore_str_key(field[2]), NULL, &err), "del", &err);
    } else if (strcmp(field[0], "fork") == 0 && count == 3) {
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        snprintf(from.branch, sizeof from.branch, "%s", field[2]);
        options.from = &from;
        need(yore_branch_create(db, yore_str(field[1]), &options, NULL, &err), "fork", &err);
    } else if (strcmp(field[0], "mark") == 0 && count == 3) {
        do_mark(field[1], field[2]);
    } else if (strcmp(field[0], "ask") == 0 && count == 4) {
        do_ask(field[1], field[2], field[3]);
    } else {
        fprintf(stderr, "no such line: %s\n", field[0]);
        exit(2);
    }
}

int main(void)
{
    yore_error err = YORE_ERROR_INIT;
    char *line = NULL;
    size_t room = 0;
    need(yore_open(":memory:", NULL, &db, &err), "open", &err);
    while (getline(&line, &room, stdin) > 0) run_line(line);
    free(line);
    yore_close(db);
    return fflush(stdout) == 0 ? 0 : 1;
}

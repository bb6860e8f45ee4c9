/* Many searches of one store in one process: queries on stdin, one a line, every character of them text; on stdout a
 * line NUMBER TAB KEY TAB SCORE a hit, the number that of the query from 0.
 *     search_driver STORE K */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yore.h>

#define BATCH 64u

static yore_status print_hits(yore_iter *iter, uint64_t number, yore_error *err)
{
    yore_hit hits[BATCH];
    yore_status status;
    size_t count;

    while ((status = yore_search_next(iter, hits, sizeof hits[0], BATCH, &count, err)) == YORE_OK) {
        for (size_t i = 0; i < count; i++) {
            printf("%" PRIu64 "\t%.*s\t%.17g\n", number, (int)hits[i].key.user.size,
                   (const char *)hits[i].key.user.data, hits[i].score);
        }
    }
    return status;
}

static yore_status answer(yore_snap *snap, yore_slice text, uint32_t k, uint64_t number, yore_error *err)
{
    yore_query query = YORE_QUERY_INIT;
    yore_iter *iter = NULL;

    query.text = text;
    query.k = k;
    query.plain = true;
    query.wait_ns = -1;
    yore_status status = yore_search(snap, &query, &iter, err);
    if (status == YORE_OK) status = print_hits(iter, number, err);
    yore_iter_close(iter);
    return status;
}

static yore_status answer_all(yore_db *db, uint32_t k, yore_error *err)
{
    yore_snap *snap = NULL;
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    yore_status status = yore_snap_open(db, NULL, &snap, NULL, err);
    for (uint64_t number = 0; status >= 0 && (size = getline(&line, &room, stdin)) > 0; number++) {
        if (line[size - 1] == '\n') size--;
        status = answer(snap, yore_bytes(line, (size_t)size), k, number, err);
    }
    free(line);
    yore_snap_close(snap);
    return status;
}

int main(int argc, char **argv)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;

    if (argc != 3) return 2;
    options.read_only = true;
    yore_status status = yore_open(argv[1], &options, &db, &err);
    if (status == YORE_OK) status = answer_all(db, (uint32_t)strtoul(argv[2], NULL, 10), &err);
    yore_close(db);
    if (status < 0) fprintf(stderr, "%s\n", err.message);
    return status < 0 ? 1 : 0;
}

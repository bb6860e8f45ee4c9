/* Many diffs of one store in one process: pairs of points on stdin, `A TAB B` a line; on stdout a line
 * NUMBER TAB OP TAB KEY TAB OLD TAB NEW a row, the number that of the pair from 0, the key in hex, then how many bytes
 * its values have (-1 = absent).
 *     diff_driver STORE */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yore.h>

#define BATCH 64u

static void print_row(const yore_diff_row *row, uint64_t number)
{
    const uint8_t *key = row->key.data;
    printf("%" PRIu64 "\t%u\t", number, row->op);
    for (size_t i = 0; i < row->key.size; i++) printf("%02x", key[i]);
    printf("\t%lld\t%lld\n", row->old_version ? (long long)row->old_value.size : -1,
           row->new_version ? (long long)row->new_value.size : -1);
}

static yore_status answer(yore_db *db, const char *a, const char *b, uint64_t number, yore_error *err)
{
    yore_at at_a = YORE_AT_INIT, at_b = YORE_AT_INIT;
    yore_iter *iter = NULL;
    yore_diff_row rows[BATCH];
    size_t count;

    yore_status status = yore_at_parse(db, a, 0, 0, &at_a, err);
    if (status == YORE_OK) status = yore_at_parse(db, b, 0, 0, &at_b, err);
    if (status == YORE_OK) status = yore_diff(db, &at_a, &at_b, NULL, &iter, NULL, NULL, err);
    while (status == YORE_OK) {
        status = yore_diff_next(iter, rows, sizeof rows[0], BATCH, &count, err);
        for (size_t i = 0; status == YORE_OK && i < count; i++) print_row(&rows[i], number);
    }
    yore_iter_close(iter);
    return status;
}

static yore_status answer_all(yore_db *db, yore_error *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    yore_status status = YORE_OK;

    for (uint64_t number = 0; status >= 0 && (size = getline(&line, &room, stdin)) > 0; number++) {
        if (line[size - 1] == '\n') line[size - 1] = 0;
        char *tab = strchr(line, '\t');
        if (!tab) continue;
        *tab = 0;
        status = answer(db, line, tab + 1, number, err);
    }
    free(line);
    return status;
}

int main(int argc, char **argv)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;

    if (argc != 2) return 2;
    options.read_only = true;
    yore_status status = yore_open(argv[1], &options, &db, &err);
    if (status == YORE_OK) status = answer_all(db, &err);
    yore_close(db);
    if (status < 0) fprintf(stderr, "%s\n", err.message);
    return status < 0 ? 1 : 0;
}

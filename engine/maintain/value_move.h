/* Giving up value files: while their segments are merged, the values that stay move to a new file.
 *
 *     the merge calls yr_value_move_row for every row that refers to a value
 *     yr_value_move_finish, then the new file is installed with the merge; or yr_value_move_undo
 *     yr_value_move_deinit in any case */
#ifndef YR_VALUE_MOVE_H
#define YR_VALUE_MOVE_H

#include "engine/maintain/disk.h"
#include "engine/segment/value_file_writer.h"

typedef struct yr_value_move {
    yr_disk *disk;
    const yr_value_set *values; /* all there are; NULL = none */
    const uint64_t *files;      /* those that are given up, ascending */
    uint32_t file_count;
    uint64_t last_version; /* of the rows */
    uint64_t (*new_file_id)(void *arg);
    void *arg;
    yr_value_writer *writer; /* NULL until a value moves */
    yr_store_file made;      /* file_id 0: none */
    uint8_t reference[YR_VALUE_REF_BYTES];
} yr_value_move;

/* A row that refers to a value. When that moves, row->value is another reference, which lasts until the next call. */
yore_status yr_value_move_row(yr_value_move *move, yr_segment_row *row, yore_error *err);
/* The new file, if there is one, is whole and has its name. */
yore_status yr_value_move_finish(yr_value_move *move, yore_error *err);
void yr_value_move_undo(yr_value_move *move);
void yr_value_move_deinit(yr_value_move *move);

#endif

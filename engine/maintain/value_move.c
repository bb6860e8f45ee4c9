#include "engine/maintain/value_move.h"

#include "engine/base/error.h"
#include "engine/format/file_name.h"

static bool is_given_up(const yr_value_move *move, uint64_t file_id)
{
    uint32_t low = 0, high = move->file_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (move->files[middle] < file_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < move->file_count && move->files[low] == file_id;
}

static yore_status begin(yr_value_move *move, yore_error *err)
{
    const yr_disk *disk = move->disk;
    char name[YR_FILE_NAME_BYTES];
    move->made = (yr_store_file){
        .file_id = move->new_file_id(move->arg), .last_version = move->last_version, .kind = YR_FILE_VALUES};
    yr_value_write_options write = {.file_id = move->made.file_id, .last_version = move->last_version};
    memcpy(write.uuid, disk->uuid, YR_UUID_BYTES);
    yr_file_name(YR_FILE_VALUES, move->made.file_id, true, name);
    return yr_value_writer_create(disk->env, &write, disk->dir, name, &move->writer, err);
}

yore_status yr_value_move_row(yr_value_move *move, yr_segment_row *row, yore_error *err)
{
    yr_value_ref ref, copy;
    if (move->file_count == 0) return YORE_OK;
    if (!yr_value_ref_decode(row->value, &ref))
        return yr_fail(err, YORE_ERR_CORRUPT, "a reference to a value cannot be read");
    if (!is_given_up(move, ref.file_id)) return YORE_OK;
    yr_value_file *from = move->values ? yr_value_set_find(move->values, ref.file_id) : NULL;
    if (!from)
        return yr_fail(err, YORE_ERR_CORRUPT, "value file %llu is missing", (unsigned long long)ref.file_id);
    yore_status status = move->writer ? YORE_OK : begin(move, err);
    if (status == YORE_OK) status = yr_value_writer_copy(move->writer, from, &ref, &copy, err);
    if (status < 0) return status;
    yr_value_ref_encode(&copy, move->reference);
    row->value = yore_bytes(move->reference, sizeof move->reference);
    return YORE_OK;
}

yore_status yr_value_move_finish(yr_value_move *move, yore_error *err)
{
    yr_value_footer footer;
    if (!move->writer) return YORE_OK;
    yore_status status = yr_value_writer_finish(move->writer, &footer, err);
    if (status == YORE_OK) status = yr_disk_publish(move->disk, YR_FILE_VALUES, move->made.file_id, err);
    if (status < 0) return status;
    move->made.file_bytes = footer.file_bytes;
    memcpy(move->made.file_hash, footer.file_hash, YR_FILE_HASH_BYTES);
    return YORE_OK;
}

void yr_value_move_undo(yr_value_move *move)
{
    if (!move->made.file_id) return;
    for (int making = 0; making < 2; making++)
        yr_disk_remove(move->disk, YR_FILE_VALUES, move->made.file_id, making != 0);
    move->made.file_id = 0;
}

void yr_value_move_deinit(yr_value_move *move)
{
    yr_value_writer_destroy(move->writer);
    move->writer = NULL;
}

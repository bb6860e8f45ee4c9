#include "engine/maintain/flush.h"

#include "engine/base/error.h"
#include "engine/format/file_name.h"
#include "engine/segment/segment_builder.h"
#include "engine/segment/value_file_writer.h"

typedef struct flush {
    const yr_flush_options *options;
    const yr_memtable *mem;
    yr_segment_builder *builder;
    yr_value_writer *values; /* NULL until there is a large one */
    yr_flush_files files;
} flush;

static yore_status begin_segment(flush *f, yore_error *err)
{
    const yr_disk *disk = f->options->disk;
    char name[YR_FILE_NAME_BYTES];
    f->files.segment = (yr_store_file){.file_id = f->options->new_file_id(f->options->arg),
                                       .after_version = f->mem->base_version,
                                       .last_version = f->options->last_version,
                                       .kind = YR_FILE_SEGMENT};
    f->files.segment.run_id = f->files.segment.file_id;
    yr_segment_build_options build = {.file_id = f->files.segment.file_id,
                                      .after_version = f->mem->base_version,
                                      .last_version = f->options->last_version,
                                      .hash_seed = f->options->hash_seed,
                                      .form = YR_SEGMENT_HOT};
    memcpy(build.uuid, disk->uuid, YR_UUID_BYTES);
    yr_file_name(YR_FILE_SEGMENT, f->files.segment.file_id, true, name);
    return yr_segment_builder_create(disk->env, &build, disk->dir, name, &f->builder, err);
}

static yore_status begin_values(flush *f, yore_error *err)
{
    const yr_disk *disk = f->options->disk;
    char name[YR_FILE_NAME_BYTES];
    f->files.values = (yr_store_file){.file_id = f->options->new_file_id(f->options->arg),
                                      .after_version = f->mem->base_version,
                                      .last_version = f->options->last_version,
                                      .kind = YR_FILE_VALUES};
    yr_value_write_options write = {.file_id = f->files.values.file_id,
                                    .after_version = f->mem->base_version,
                                    .last_version = f->options->last_version};
    memcpy(write.uuid, disk->uuid, YR_UUID_BYTES);
    yr_file_name(YR_FILE_VALUES, f->files.values.file_id, true, name);
    return yr_value_writer_create(disk->env, &write, disk->dir, name, &f->values, err);
}

static yore_status put_version(flush *f, const yr_entry *entry, const yr_version *v, yore_error *err)
{
    uint8_t reference[YR_REFERENCE_BYTES];
    yr_segment_row row = {.tree_key = yr_entry_tree_key(entry),
                          .value = yr_version_value(v),
                          .meta = yr_version_meta(v),
                          .version = yr_memtable_version(f->mem, v),
                          .expiry_ns = yr_version_expiry(v),
                          .op = yr_version_op(v),
                          .type = yr_version_type(v)};
    if (row.value.size > YR_SEGMENT_VALUE_BYTES_MAX) {
        yr_value_ref ref;
        yore_status status = f->values ? YORE_OK : begin_values(f, err);
        if (status == YORE_OK) status = yr_value_writer_add(f->values, row.value, &ref, err);
        if (status < 0) return status;
        yr_value_ref_encode(&ref, reference);
        row.value = yore_bytes(reference, sizeof reference);
        row.is_reference = true;
    }
    return yr_segment_builder_add(f->builder, &row, err);
}

/* Nobody writes the tree any more, and nothing that a frozen entry refers to is ever freed: no epoch section is needed
 * for so long a walk. */
static yore_status put_rows(flush *f, yore_error *err)
{
    const yr_region *region = &f->mem->region;
    yore_status status = YORE_OK;
    yr_art_iter iter;
    yr_art_iter_init(&iter, f->mem->art);
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(NULL, 0)); ref && status == YORE_OK;
         ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(region, ref);
        for (uint32_t n = yr_chain_count(region, entry); n > 0 && status == YORE_OK; n--) {
            status = put_version(f, entry, yr_chain_at(region, entry, n - 1), err);
        }
    }
    if (status == YORE_OK && iter.failed)
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while flushing");
    yr_art_iter_deinit(&iter);
    return status;
}

static yore_status put_commits(flush *f, yore_error *err)
{
    const yr_commit_table *commits = &f->mem->commits;
    yore_status status = YORE_OK;
    for (uint64_t v = f->mem->base_version + 1; v <= f->options->last_version && status == YORE_OK; v++) {
        yr_commit_head head;
        yr_commit_describe(commits, v, &head);
        status = yr_segment_builder_commit(f->builder, &head, yr_commit_prev(commits, v), err);
    }
    return status;
}

/* The value file first: what a segment refers to is there. */
static yore_status finish(flush *f, yore_error *err)
{
    yr_disk *disk = f->options->disk;
    yore_status status = YORE_OK;
    if (f->values) {
        yr_value_footer footer;
        status = yr_value_writer_finish(f->values, &footer, err);
        if (status == YORE_OK) status = yr_disk_publish(disk, YR_FILE_VALUES, f->files.values.file_id, err);
        f->files.values.file_bytes = footer.file_bytes;
        memcpy(f->files.values.file_hash, footer.file_hash, YR_FILE_HASH_BYTES);
    }
    yr_segment_footer footer = {0};
    if (status == YORE_OK) status = yr_segment_builder_finish(f->builder, &footer, err);
    if (status == YORE_OK) status = yr_disk_publish(disk, YR_FILE_SEGMENT, f->files.segment.file_id, err);
    f->files.segment.file_bytes = footer.file_bytes;
    memcpy(f->files.segment.file_hash, footer.file_hash, YR_FILE_HASH_BYTES);
    return status;
}

/* Both names of both files: whichever there is by now. */
static void remove_files(const flush *f)
{
    for (int making = 0; making < 2; making++) {
        yr_disk_remove(f->options->disk, YR_FILE_SEGMENT, f->files.segment.file_id, making != 0);
        if (f->files.values.file_id)
            yr_disk_remove(f->options->disk, YR_FILE_VALUES, f->files.values.file_id, making != 0);
    }
}

yore_status yr_flush(const yr_flush_options *options, const yr_memtable *mem, yr_flush_files *out,
                     yore_error *err)
{
    flush f = {.options = options, .mem = mem};
    yore_status status = begin_segment(&f, err);
    if (status == YORE_OK) status = put_rows(&f, err);
    if (status == YORE_OK) status = put_commits(&f, err);
    if (status == YORE_OK) status = finish(&f, err);
    yr_value_writer_destroy(f.values);
    yr_segment_builder_destroy(f.builder);
    if (status < 0) remove_files(&f);
    *out = f.files;
    return status;
}

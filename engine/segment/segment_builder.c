#include "engine/segment/segment_builder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/format/segment_commits.h"
#include "engine/segment/segment_builder_private.h"
#include "engine/segment/segment_tally.h"
#include "engine/segment/segment_verify.h"

#define BLOCK_BYTES (16u << 10)
#define COLD_HISTORY_BYTES (4u << 10)
#define HISTORY_BYTES_MAX (256u << 10)
#define SAMPLE_BYTES (UINT64_C(8) << 20)
#define HISTORY_KEYS_MIN 4u /* a history block holds at least so many times its key */
/* Versions of a document differ little, so a cold block should hold many: JSON documents of 1.2 KB take 0.18 of their
 * text in blocks of 4 KiB and 0.044 in these. */
#define COLD_HISTORY_VERSIONS 48u
#define COLD_HISTORY_BYTES_MAX (64u << 10)

yore_status yr_builder_no_memory(const yr_segment_builder *builder, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to build segment '%s'", builder->name);
}

static void builder_init(yr_segment_builder *builder, const yore_env *env,
                         const yr_segment_build_options *options)
{
    const size_t list_max = (size_t)1 << 36;
    builder->env = env;
    builder->options = *options;
    yr_segment_build_options *o = &builder->options;
    if (o->main_block_bytes == 0 || o->main_block_bytes > BLOCK_BYTES) o->main_block_bytes = BLOCK_BYTES;
    builder->is_history_sized = o->history_block_bytes == 0 && o->form == YR_SEGMENT_COLD;
    if (o->history_block_bytes == 0)
        o->history_block_bytes = builder->is_history_sized ? COLD_HISTORY_BYTES : BLOCK_BYTES;
    if (o->history_block_bytes > HISTORY_BYTES_MAX) o->history_block_bytes = HISTORY_BYTES_MAX;
    if (o->zstd_level == 0) o->zstd_level = 1;
    if (o->sample_bytes == 0) o->sample_bytes = SAMPLE_BYTES;
    yr_block_maker_init(&builder->main, env);
    yr_block_maker_init(&builder->history, env);
    yr_chunk_maker_init(&builder->chunk, env);
    yr_buf_init(&builder->info, env, YR_SEGMENT_BLOCK_BYTES_MAX);
    yr_buf_init(&builder->heads, env, list_max);
    yr_buf_init(&builder->value_files, env, list_max);
    yr_buf_init(&builder->pending, env, YR_SEGMENT_BLOCK_BYTES_MAX);
    yr_buf_init(&builder->placed_key, env, YR_SEGMENT_TREE_KEY_MAX);
    yr_buf_init(&builder->first_key, env, YR_SEGMENT_TREE_KEY_MAX);
    yr_buf_init(&builder->block, env, YR_SEGMENT_BLOCK_BYTES_MAX);
    yr_buf_init(&builder->hashes, env, list_max);
    yr_buf_init(&builder->locations, env, list_max);
    yr_buf_init(&builder->changes, env, list_max);
    yr_buf_init(&builder->fences, env, list_max);
    yr_buf_init(&builder->fence_offs, env, list_max);
    yr_buf_init(&builder->groups, env, list_max);
}

yore_status yr_segment_builder_create(const yore_env *env, const yr_segment_build_options *options,
                                      yore_dir *dir, const char *name, yr_segment_builder **out,
                                      yore_error *err)
{
    if (options->last_version <= options->after_version ||
        options->last_version - options->after_version > UINT32_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "segment '%s' cannot hold versions %" PRIu64 " to %" PRIu64, name,
                       options->after_version, options->last_version);
    size_t name_bytes = strlen(name) + 1;
    yr_segment_builder *builder = yr_alloc_zero(env, sizeof *builder);
    char *own_name = yr_alloc(env, name_bytes);
    if (!builder || !own_name) {
        yr_free(env, builder, sizeof *builder);
        yr_free(env, own_name, name_bytes);
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to build segment '%s'", name);
    }
    memcpy(own_name, name, name_bytes);
    builder->name = own_name;
    builder->name_bytes = name_bytes;
    builder->dir = dir;
    builder_init(builder, env, options);
    yr_segment_build_options *o = &builder->options;
    yr_file_header header = {
        .major = YR_FORMAT_MAJOR, .minor = YR_FORMAT_MINOR, .kind = YR_FILE_SEGMENT, .file_id = o->file_id};
    memcpy(header.uuid, o->uuid, YR_UUID_BYTES);
    yore_status status = YORE_OK;
    int rc = env->open(env->ctx, dir, name, YORE_OPEN_WRITE | YORE_OPEN_CREATE | YORE_OPEN_EXCLUSIVE,
                       &builder->file);
    if (rc == 0 && o->hash_seed == 0) rc = env->random(env->ctx, &o->hash_seed, sizeof o->hash_seed);
    if (rc < 0) status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot create segment '%s'", name);
    if (status == YORE_OK)
        status = yr_segment_writer_init(&builder->writer, env, builder->file, builder->name, &header, o->form,
                                        o->zstd_level, o->has_no_dictionary ? 0 : o->sample_bytes, err);
    if (status < 0) {
        yr_segment_builder_destroy(builder);
        return status;
    }
    *out = builder;
    return YORE_OK;
}

void yr_segment_builder_destroy(yr_segment_builder *builder)
{
    if (!builder) return;
    const yore_env *env = builder->env;
    yr_segment_writer_deinit(&builder->writer);
    yr_block_maker_deinit(&builder->main);
    yr_block_maker_deinit(&builder->history);
    yr_chunk_maker_deinit(&builder->chunk);
    yr_buf *bufs[] = {&builder->pending,    &builder->placed_key, &builder->first_key, &builder->block,
                      &builder->hashes,     &builder->locations,  &builder->changes,   &builder->fences,
                      &builder->groups,     &builder->fence_offs, &builder->info,      &builder->heads,
                      &builder->value_files};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) yr_buf_deinit(bufs[i]);
    if (builder->file) {
        env->close(env->ctx, builder->file);
        if (!builder->is_finished) (void)env->unlink(env->ctx, builder->dir, builder->name);
    }
    yr_free(env, builder->name, builder->name_bytes);
    yr_free(env, builder, sizeof *builder);
}

/* -- history -- */

static yore_status history_flush(yr_segment_builder *builder, yore_error *err)
{
    yr_block_maker *history = &builder->history;
    if (history->count == 0) return YORE_OK;
    if (!yr_block_maker_finish(history)) return yr_builder_no_memory(builder, err);
    yore_status status = yr_segment_writer_add(&builder->writer, YR_STREAM_HISTORY,
                                               yore_bytes(history->body.data, history->body.size),
                                               builder->history_key, 0, err);
    yr_block_maker_clear(history);
    builder->history_blocks++;
    return status;
}

/* Put the chunk of the pending key into the history block. */
static yore_status chunk_close(yr_segment_builder *builder, yore_error *err)
{
    yr_block_maker *history = &builder->history;
    if (builder->chunk.count == 0) return YORE_OK;
    if (history->count == 0) builder->history_key = builder->chunk.version;
    if (!builder->has_chunk) {
        builder->ref.block = builder->history_blocks;
        builder->ref.off = (uint32_t)history->body.size;
        builder->has_chunk = true;
    }
    builder->ref.span = builder->history_blocks - builder->ref.block;
    if (!yr_block_maker_begin(history) ||
        !yr_chunk_maker_append(&builder->chunk, builder->row.tree_key, &history->body)) {
        return yr_builder_no_memory(builder, err);
    }
    return YORE_OK;
}

/* What a history block may grow to. */
static size_t history_limit(const yr_segment_builder *builder, size_t key_bytes)
{
    size_t limit = builder->options.history_block_bytes;
    if (builder->is_history_sized && builder->older) {
        uint64_t wanted = builder->older_bytes / builder->older * COLD_HISTORY_VERSIONS;
        if (wanted > COLD_HISTORY_BYTES_MAX) wanted = COLD_HISTORY_BYTES_MAX;
        if (wanted > limit) limit = (size_t)wanted;
    }
    return limit > HISTORY_KEYS_MIN * key_bytes ? limit : HISTORY_KEYS_MIN * key_bytes;
}

/* A long group is cut where a block ends, and goes on at the start of the next: yr_history_ref relies on it. */
static yore_status older_add(yr_segment_builder *builder, const yr_segment_row *row, yore_error *err)
{
    size_t key_bytes = row->tree_key.size;
    size_t used = builder->history.body.size + builder->history.restarts.size + 8;
    if (used + yr_chunk_maker_bytes(&builder->chunk, key_bytes, row) > history_limit(builder, key_bytes)) {
        yore_status status = chunk_close(builder, err);
        if (status == YORE_OK) status = history_flush(builder, err);
        if (status < 0) return status;
    }
    if (!yr_chunk_maker_add(&builder->chunk, row)) return yr_builder_no_memory(builder, err);
    builder->ref.older++;
    builder->older++;
    builder->older_bytes += row->value.size + row->meta.size;
    return YORE_OK;
}

/* -- main -- */

static yore_status main_flush(yr_segment_builder *builder, yore_error *err)
{
    yr_block_maker *block = &builder->main;
    if (block->count == 0) return YORE_OK;
    if (builder->main_blocks >= YR_LOCATION_BLOCKS_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "segment '%s' has no room for more keys", builder->name);
    if (!yr_block_maker_finish(block)) return yr_builder_no_memory(builder, err);
    yore_status status = yr_segment_writer_add(&builder->writer, YR_STREAM_MAIN,
                                               yore_bytes(block->body.data, block->body.size), 0,
                                               builder->main_first, err);
    yr_block_maker_clear(block);
    builder->main_blocks++;
    return status;
}

static size_t common_prefix(yore_slice a, yore_slice b)
{
    const uint8_t *p = a.data, *q = b.data;
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    while (i < n && p[i] == q[i]) i++;
    return i;
}

/* The shortest key that is above the last key of the block before and not above the first of this one; of the
 * first block the empty one. */
static bool fence_add(yr_segment_builder *builder)
{
    yore_slice first = builder->row.tree_key;
    size_t size = 0;
    if (builder->main_blocks > 0) {
        size = common_prefix(yore_bytes(builder->placed_key.data, builder->placed_key.size), first) + 1;
        if (size > YR_SEGMENT_FENCE_MAX) size = YR_SEGMENT_FENCE_MAX;
    }
    uint8_t size_byte = (uint8_t)size;
    return yr_buf_append_le32(&builder->fence_offs, (uint32_t)builder->fences.size) &&
           yr_buf_append(&builder->fences, &size_byte, 1) &&
           yr_buf_append(&builder->fences, first.data, size);
}

/* All versions of the pending key are here: write its record. */
static yore_status key_close(yr_segment_builder *builder, yore_error *err)
{
    yr_block_maker *block = &builder->main;
    yr_segment_row *row = &builder->row;
    if (!builder->has_pending) return YORE_OK;
    builder->has_pending = false;
    yore_status status = chunk_close(builder, err);
    uint32_t bytes = yr_record_bytes(row, builder->ref.older != 0);
    size_t trailer = block->restarts.size + 8;
    if (status == YORE_OK && block->body.size + bytes + trailer > builder->options.main_block_bytes)
        status = main_flush(builder, err);
    if (status < 0) return status;
    if (block->count == 0) {
        builder->main_first = (uint32_t)(builder->keys - 1);
        if (!fence_add(builder)) return yr_builder_no_memory(builder, err);
    }
    uint32_t off = (uint32_t)block->body.size;
    uint64_t hash = yr_segment_tree_key_hash(builder->options.hash_seed, row->tree_key);
    yr_buf_clear(&builder->placed_key);
    if (!yr_block_maker_begin(block) || !yr_record_append(&block->body, row, &builder->ref) ||
        !yr_buf_append(&builder->hashes, &hash, sizeof hash) ||
        !yr_buf_append_le32(&builder->locations, yr_location(builder->main_blocks, off)) ||
        !yr_buf_append(&builder->placed_key, row->tree_key.data, row->tree_key.size)) {
        return yr_builder_no_memory(builder, err);
    }
    return YORE_OK;
}

/* Keep a copy of a key's newest row until its older ones have passed. */
static bool pending_set(yr_segment_builder *builder, const yr_segment_row *row)
{
    yr_buf *pending = &builder->pending;
    uint8_t *at;
    size_t size = row->tree_key.size + row->value.size + row->meta.size;
    yr_buf_clear(pending);
    if (!yr_buf_reserve(pending, size, &at)) return false;
    (void)yr_buf_append(pending, row->tree_key.data, row->tree_key.size);
    (void)yr_buf_append(pending, row->value.data, row->value.size);
    (void)yr_buf_append(pending, row->meta.data, row->meta.size);
    builder->row = *row;
    builder->row.tree_key.data = at;
    builder->row.value.data = at + row->tree_key.size;
    builder->row.meta.data = at + row->tree_key.size + row->value.size;
    builder->ref = (yr_history_ref){0};
    builder->has_chunk = false;
    builder->has_pending = true;
    return true;
}

/* The counters of the row's group; a group begins where branch or primitive change. NULL: no memory. */
static yr_segment_group *group_of(yr_segment_builder *builder, yore_slice tree_key)
{
    const uint8_t *p = tree_key.data;
    yr_segment_group *last = NULL;
    if (builder->groups.size) {
        last = (yr_segment_group *)(void *)(builder->groups.data + builder->groups.size - sizeof *last);
        if (last->branch == yr_get_be32(p) && last->primitive == p[4]) return last;
    }
    yr_segment_group fresh = {.branch = yr_get_be32(p), .primitive = p[4]};
    if (!yr_buf_append(&builder->groups, &fresh, sizeof fresh)) return NULL;
    return (yr_segment_group *)(void *)(builder->groups.data + builder->groups.size - sizeof fresh);
}

static yore_status row_check(const yr_segment_builder *builder, const yr_segment_row *row, yore_error *err)
{
    const yr_segment_build_options *o = &builder->options;
    if (row->value.size > YR_SEGMENT_VALUE_BYTES_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "a value of %zu bytes is too large for a segment (at most %u)",
                       row->value.size, YR_SEGMENT_VALUE_BYTES_MAX);
    bool is_sound = row->tree_key.size > 5 && row->tree_key.size <= YR_SEGMENT_TREE_KEY_MAX &&
                    row->meta.size <= YORE_META_BYTES_MAX && row->type <= YORE_TYPE_JSON &&
                    (row->op == YORE_OP_PUT || row->op == YORE_OP_DEL) && row->version > o->after_version &&
                    row->version <= o->last_version && (!row->is_reference || yr_row_is_reference_sound(row));
    if (!is_sound)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "segment '%s': a row of version %" PRIu64 " that cannot be in it", builder->name,
                       row->version);
    if (builder->keys >= UINT32_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "segment '%s' has no room for more keys", builder->name);
    return YORE_OK;
}

yore_status yr_segment_builder_add(yr_segment_builder *builder, const yr_segment_row *row, yore_error *err)
{
    yore_status status = row_check(builder, row, err);
    if (status < 0) return status;
    int order = builder->has_pending ? yr_slice_compare(builder->row.tree_key, row->tree_key) : -1;
    if (order > 0 || (order == 0 && row->version >= builder->last_row_version))
        return yr_fail(err, YORE_ERR_MISUSE, "segment '%s': rows out of order at version %" PRIu64,
                       builder->name, row->version);
    uint64_t value_bytes;
    status = yr_tally_value(&builder->value_files, row, &value_bytes);
    if (status == YORE_ERR_CORRUPT)
        return yr_fail(err, status, "segment '%s': a reference of version %" PRIu64 " is damaged",
                       builder->name, row->version);
    yr_segment_group *group = group_of(builder, row->tree_key);
    if (status < 0 || !group) return yr_builder_no_memory(builder, err);
    if (order < 0) {
        status = key_close(builder, err);
        if (status < 0) return status;
        if (!pending_set(builder, row)) return yr_builder_no_memory(builder, err);
        if (builder->keys == 0 && !yr_buf_append(&builder->first_key, row->tree_key.data, row->tree_key.size))
            return yr_builder_no_memory(builder, err);
        builder->keys++;
        group->keys++;
        group->key_bytes += row->tree_key.size - 5;
    } else {
        status = older_add(builder, row, err);
        if (status < 0) return status;
    }
    builder->last_row_version = row->version;
    builder->rows++;
    group->rows++;
    group->deletes += row->op == YORE_OP_DEL;
    group->value_bytes += value_bytes + row->meta.size;
    uint64_t change = (row->version - builder->options.after_version) << 32 | (builder->keys - 1);
    if (!yr_buf_append(&builder->changes, &change, sizeof change)) return yr_builder_no_memory(builder, err);
    return YORE_OK;
}

/* -- commits -- */

static yore_status commits_flush(yr_segment_builder *builder, yore_error *err)
{
    if (builder->commits.count == 0) return YORE_OK;
    uint64_t first = builder->commits.value[YR_COLUMN_VERSION][0]; /* less its position, 0 */
    uint32_t mask = yr_commits_maker_mask(&builder->commits);
    yr_buf_clear(&builder->block);
    if (!yr_commits_maker_finish(&builder->commits, &builder->block))
        return yr_builder_no_memory(builder, err);
    return yr_segment_writer_add(&builder->writer, YR_STREAM_COMMITS,
                                 yore_bytes(builder->block.data, builder->block.size), first, mask, err);
}

static yore_status info_flush(yr_segment_builder *builder, yore_error *err)
{
    if (builder->info.size == 0) return YORE_OK;
    yore_slice raw = yore_bytes(builder->info.data, builder->info.size);
    yore_status status =
        yr_segment_writer_add(&builder->writer, YR_STREAM_INFOS, raw, builder->info_key, 0, err);
    yr_buf_clear(&builder->info);
    builder->info_blocks++;
    return status;
}

/* Put a commit's info, if it has any, into the info block. */
static yore_status info_add(yr_segment_builder *builder, const yr_commit_head *head, yr_info_ref *ref,
                            yore_error *err)
{
    size_t bytes = yr_info_bytes(head);
    yore_status status = YORE_OK;
    if (bytes && builder->info.size >= YR_INFO_BLOCK_AIM) status = info_flush(builder, err);
    *ref = (yr_info_ref){.block = builder->info_blocks};
    if (status < 0 || bytes == 0) return status;
    if (builder->info.size == 0) {
        builder->info_key = head->version;
        if (!yr_info_block_begin(&builder->info, head->version)) return yr_builder_no_memory(builder, err);
    }
    ref->off = (uint32_t)builder->info.size;
    return yr_info_append(&builder->info, head) ? YORE_OK : yr_builder_no_memory(builder, err);
}

yore_status yr_segment_builder_commit(yr_segment_builder *builder, const yr_commit_head *head, uint64_t prev,
                                      yore_error *err)
{
    const yr_segment_build_options *o = &builder->options;
    bool is_next = builder->commit_count == 0 || (head->version > builder->last_commit &&
                                                  head->time_ns > builder->writer.footer.last_time_ns);
    if (!is_next || head->version <= o->after_version || head->version > o->last_version ||
        prev >= head->version || head->note.size > YORE_NOTE_BYTES_MAX || head->author.size > UINT16_MAX ||
        head->source.size > UINT16_MAX || head->parent_count >= YORE_PARENTS_MAX) {
        return yr_fail(err, YORE_ERR_MISUSE, "segment '%s': commit %" PRIu64 " cannot be in it",
                       builder->name, head->version);
    }
    yr_info_ref info;
    yore_status status = YORE_OK;
    if (yr_commits_maker_is_full(&builder->commits)) status = commits_flush(builder, err);
    if (status == YORE_OK) status = info_add(builder, head, &info, err);
    if (status < 0) return status;
    if (!yr_tally_head(&builder->heads, head->branch, head->version))
        return yr_builder_no_memory(builder, err);
    yr_commits_maker_add(&builder->commits, head, prev, info);
    yr_segment_footer *footer = &builder->writer.footer;
    if (builder->commit_count == 0) footer->first_time_ns = head->time_ns;
    footer->last_time_ns = head->time_ns;
    builder->last_commit = head->version;
    builder->commit_count++;
    return YORE_OK;
}

uint64_t yr_segment_builder_bytes(const yr_segment_builder *builder)
{
    return yr_segment_writer_bytes(&builder->writer) + builder->main.body.size + builder->history.body.size +
           builder->info.size + 8 * builder->keys + 4 * builder->rows;
}

/* Bytes that were written are bytes that can be read, and they say what was meant (F15). */
static yore_status read_back(yr_segment_builder *builder, yore_error *err)
{
    const yr_segment_footer *footer = &builder->writer.footer;
    if (builder->options.is_verified_by_row)
        return yr_segment_verify_file(builder->env, builder->file, builder->name, footer, err);
    return yr_segment_verify_hash(builder->env, builder->file, builder->name, footer->file_bytes,
                                  footer->file_hash, err);
}

yore_status yr_segment_builder_finish(yr_segment_builder *builder, yr_segment_footer *out, yore_error *err)
{
    yore_status status = key_close(builder, err);
    if (status == YORE_OK) status = main_flush(builder, err);
    if (status == YORE_OK) status = history_flush(builder, err);
    if (status == YORE_OK) status = commits_flush(builder, err);
    if (status == YORE_OK) status = info_flush(builder, err);
    if (status == YORE_OK) status = yr_builder_write_changes(builder, err);
    if (status < 0) return status;
    yr_segment_footer *footer = &builder->writer.footer;
    footer->level = builder->options.level;
    footer->after_version = builder->options.after_version;
    footer->last_version = builder->options.last_version;
    footer->keys = builder->keys;
    footer->rows = builder->rows;
    footer->commits = builder->commit_count;
    footer->hash_seed = builder->options.hash_seed;
    status = yr_builder_write_index(builder, err);
    if (status == YORE_OK) status = yr_segment_writer_finish(&builder->writer, err);
    if (status == YORE_OK) status = read_back(builder, err);
    if (status < 0) return status;
    builder->is_finished = true;
    if (out) *out = *footer;
    return YORE_OK;
}

#include "engine/compact/compact_merge.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"
#include "engine/format/file_name.h"

#define PENDING_BYTES_MAX (1u << 20) /* more rows that may go than this stay: no harm */

/* One input. */
typedef struct source {
    yr_run *run;
    yr_run_rows rows;
    yr_segment_row row; /* the next one, while it is in the heap */
    uint64_t row_count; /* read so far */
    bool is_open;
} source;

/* What the questions about the key at hand were answered. */
enum shows { SHOWS_UNASKED, SHOWS_NOTHING, SHOWS_SOMETHING };

typedef struct merge {
    const yr_merge_options *options;
    const yore_env *env;
    uint64_t after_version;
    uint64_t last_version;
    source *sources; /* newest first */
    uint32_t source_count;
    uint32_t *heap; /* sources by next key, then newest first */
    uint32_t heap_size;
    bool needs_file; /* one is made even of nothing: it has the commits */
    /* The key at hand. */
    yr_buf key;
    uint64_t newer; /* version of its row before, 0 = none */
    const yr_keep_rules *rules;
    uint64_t erased; /* versions of the key below this one go */
    uint32_t branch;
    enum shows shows;
    yr_buf pending; /* rows that go if none follows: a yr_segment_row, its value, its metadata, the next */
    /* Output. */
    yr_segment_builder *builder; /* of the file at hand */
    yr_merge_result result;
    uint32_t named_count; /* of result.files: those that have their own name already */
    uint64_t bytes_in;
    uint64_t bytes_told; /* of bytes_in, when progress was called last */
} merge;

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to merge segments");
}

/* -- progress -- */

static yore_status tell(merge *m, uint64_t bytes, yore_error *err)
{
    const yr_merge_options *o = m->options;
    m->bytes_in += bytes;
    if (!o->progress || m->bytes_in - m->bytes_told < YR_MERGE_STEP_BYTES) return YORE_OK;
    m->bytes_told = m->bytes_in;
    yr_merge_progress progress = {.rows_in = m->result.rows_in,
                                  .bytes_in = m->bytes_in,
                                  .bytes_out = m->result.bytes_out,
                                  .files_out = m->result.file_count};
    if (m->builder) progress.bytes_out += yr_segment_builder_bytes(m->builder);
    return o->progress(o->arg, &progress, err);
}

/* -- output -- */

/* All commits of the inputs, oldest first. */
static yore_status commits_copy(merge *m, yore_error *err)
{
    yore_status status = YORE_OK;
    for (uint32_t i = m->source_count; i-- > 0 && status == YORE_OK;) {
        yr_run *run = m->sources[i].run;
        yr_segment *first = yr_run_file(run, 0);
        yr_run_commits commits;
        yr_segment_commit commit;
        uint64_t count = 0;
        status = yr_run_commits_open(run, &commits, err);
        if (status < 0) break;
        while ((status = yr_run_commits_next(&commits, &commit, err)) == YORE_OK) {
            status = yr_segment_builder_commit(m->builder, &commit.head, commit.prev, err);
            if (status == YORE_OK) status = tell(m, sizeof commit.head + commit.head.note.size, err);
            if (status < 0) break;
            count++;
        }
        yr_run_commits_close(&commits);
        if (status == YORE_END) {
            status = YORE_OK;
            if (count != yr_segment_facts(first)->commits)
                status = yr_fail(err, YORE_ERR_CORRUPT,
                                 "segment '%s' has %" PRIu64 " commits and should have %" PRIu64,
                                 yr_segment_name(first), count, yr_segment_facts(first)->commits);
        }
        m->result.commits += count;
    }
    return status;
}

static yore_status file_begin(merge *m, yore_error *err)
{
    const yr_merge_options *o = m->options;
    yr_merge_result *result = &m->result;
    if (result->file_count == result->file_capacity) {
        uint32_t capacity = result->file_capacity ? 2 * result->file_capacity : 4;
        yr_merge_file *files = yr_realloc(m->env, result->files, result->file_capacity * sizeof *files,
                                          capacity * sizeof *files);
        if (!files) return no_memory(err);
        result->files = files;
        result->file_capacity = capacity;
    }
    yr_segment_build_options build = o->build;
    char name[YR_FILE_NAME_BYTES];
    build.file_id = o->new_file_id(o->arg);
    build.after_version = m->after_version;
    build.last_version = m->last_version;
    yr_file_name(YR_FILE_SEGMENT, build.file_id, true, name);
    yore_status status = yr_segment_builder_create(m->env, &build, o->dir, name, &m->builder, err);
    if (status < 0) return status;
    result->files[result->file_count++] = (yr_merge_file){.file_id = build.file_id};
    return result->file_count == 1 ? commits_copy(m, err) : YORE_OK;
}

/* Complete the file at hand, and give it its name. */
static yore_status file_finish(merge *m, yore_error *err)
{
    yr_merge_result *result = &m->result;
    yr_merge_file *file = &result->files[result->file_count - 1];
    char making[YR_FILE_NAME_BYTES], name[YR_FILE_NAME_BYTES];
    yore_status status = yr_segment_builder_finish(m->builder, &file->footer, err);
    yr_segment_builder_destroy(m->builder);
    m->builder = NULL;
    if (status < 0) return status;
    yr_file_name(YR_FILE_SEGMENT, file->file_id, true, making);
    yr_file_name(YR_FILE_SEGMENT, file->file_id, false, name);
    int rc = m->env->rename(m->env->ctx, m->options->dir, making, m->options->dir, name);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot rename '%s'", making);
    m->named_count = result->file_count;
    result->bytes_out += file->footer.file_bytes;
    return YORE_OK;
}

static uint64_t row_bytes(const yr_segment_row *row)
{
    return row->tree_key.size + row->value.size + row->meta.size;
}

static yore_status emit(merge *m, const yr_segment_row *row, yore_error *err)
{
    m->result.rows_out++;
    m->result.row_bytes_out += row_bytes(row);
    if (m->options->is_dry_run) return YORE_OK;
    yr_segment_row moved = *row;
    yore_status status = m->builder ? YORE_OK : file_begin(m, err);
    if (status == YORE_OK && row->is_reference && m->options->move_value)
        status = m->options->move_value(m->options->arg, &moved, err);
    if (status == YORE_OK) status = yr_segment_builder_add(m->builder, &moved, err);
    return status;
}

/* -- one key -- */

/* Would anything show if the rows of the key at hand that say "absent" were not there? */
static yore_status ask(merge *m, yore_error *err)
{
    const yr_merge_questions *q = &m->options->questions;
    yore_slice key = yore_bytes(m->key.data, m->key.size);
    yore_status status = YORE_OK;
    bool answer = !m->options->is_bottom;
    if (answer && q->has_older) status = q->has_older(q->arg, key, &answer, err);
    if (status == YORE_OK && !answer && !m->rules->is_root && !YR_BUG(COMPACT_UNASKED_DELETE)) {
        answer = true;
        if (q->shows_below) status = q->shows_below(q->arg, m->branch, key, &answer, err);
    }
    m->shows = answer ? SHOWS_SOMETHING : SHOWS_NOTHING;
    return status;
}

/* Something older stays: so does what hides it. */
static yore_status pending_emit(merge *m, yore_error *err)
{
    yore_status status = YORE_OK;
    for (size_t at = 0; at < m->pending.size && status == YORE_OK;) {
        yr_segment_row row;
        memcpy(&row, m->pending.data + at, sizeof row);
        at += sizeof row;
        row.tree_key = yore_bytes(m->key.data, m->key.size);
        row.value.data = m->pending.data + at;
        at += row.value.size;
        row.meta.data = m->pending.data + at;
        at += row.meta.size;
        status = emit(m, &row, err);
        m->result.hiding_out++;
    }
    yr_buf_clear(&m->pending);
    return status;
}

static yore_status pending_add(merge *m, const yr_segment_row *row, yore_error *err)
{
    if (!yr_buf_append(&m->pending, row, sizeof *row) ||
        !yr_buf_append(&m->pending, row->value.data, row->value.size) ||
        !yr_buf_append(&m->pending, row->meta.data, row->meta.size)) {
        return no_memory(err);
    }
    return YORE_OK;
}

/* A row that says "absent" and stays only if it hides something. */
static yore_status hiding_row(merge *m, const yr_segment_row *row, yore_error *err)
{
    yore_status status = YORE_OK;
    m->result.hiding_in++;
    if (m->shows == SHOWS_UNASKED) status = ask(m, err);
    if (status < 0) return status;
    size_t bytes = sizeof *row + row->value.size + row->meta.size;
    if (m->shows == SHOWS_NOTHING && m->pending.size + bytes <= PENDING_BYTES_MAX)
        return pending_add(m, row, err);
    m->shows = SHOWS_SOMETHING; /* or too many to wait for */
    status = pending_emit(m, err);
    if (status == YORE_OK) status = emit(m, row, err);
    m->result.hiding_out++;
    return status;
}

/* The first row of another key: what still waits of the one before hides nothing, and goes. */
static yore_status key_begin(merge *m, const yr_segment_row *row, yore_error *err)
{
    const yr_merge_options *o = m->options;
    yore_status status = YORE_OK;
    uint64_t target = o->target_bytes ? o->target_bytes : YR_MERGE_TARGET_BYTES;
    yr_buf_clear(&m->pending);
    yr_buf_clear(&m->key);
    if (m->builder && yr_segment_builder_bytes(m->builder) >= target) status = file_finish(m, err);
    if (status < 0) return status;
    if (!yr_buf_append(&m->key, row->tree_key.data, row->tree_key.size)) return no_memory(err);
    uint32_t branch = yr_get_be32(row->tree_key.data);
    if (!m->rules || branch != m->branch) m->rules = yr_keep_find(o->keep, branch);
    m->branch = branch;
    m->newer = 0;
    m->shows = SHOWS_UNASKED;
    m->erased = yr_keep_erased(o->keep, row->tree_key);
    return YORE_OK;
}

static yore_status row_take(merge *m, const yr_segment_row *row, yore_error *err)
{
    yore_status status = YORE_OK;
    m->result.rows_in++;
    m->result.row_bytes_in += row_bytes(row);
    if (m->newer == 0 || yr_slice_compare(yore_bytes(m->key.data, m->key.size), row->tree_key) != 0)
        status = key_begin(m, row, err);
    if (status < 0) return status;
    if (m->newer != 0 && row->version >= m->newer)
        return yr_fail(err, YORE_ERR_CORRUPT, "a key's versions are out of order at version %" PRIu64,
                       row->version);
    enum yr_keep keep = YR_KEEP_NOT;
    if (row->version >= m->erased)
        keep = yr_keep_judge(m->rules, row->version, m->newer, row->op, row->expiry_ns);
    m->newer = row->version;
    switch (keep) {
    case YR_KEEP_NOT: break;
    case YR_KEEP_IF_HIDING: status = hiding_row(m, row, err); break;
    case YR_KEEP_ROW:
        status = pending_emit(m, err);
        if (status == YORE_OK) status = emit(m, row, err);
        break;
    }
    if (status < 0) return status;
    return tell(m, row_bytes(row), err);
}

/* -- input -- */

static bool comes_first(const merge *m, uint32_t a, uint32_t b)
{
    int order = yr_slice_compare(m->sources[a].row.tree_key, m->sources[b].row.tree_key);
    return order < 0 || (order == 0 && a < b);
}

/* Sift down from the top. */
static void heap_settle(merge *m)
{
    uint32_t *heap = m->heap, at = 0, moving = heap[0];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= m->heap_size) break;
        if (child + 1 < m->heap_size && comes_first(m, heap[child + 1], heap[child])) child++;
        if (!comes_first(m, heap[child], moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static void heap_add(merge *m, uint32_t index)
{
    uint32_t at = m->heap_size++;
    for (; at > 0 && comes_first(m, index, m->heap[(at - 1) / 2]); at = (at - 1) / 2)
        m->heap[at] = m->heap[(at - 1) / 2];
    m->heap[at] = index;
}

/* The next row of a source. YORE_END only when all that its files promise has come. */
static yore_status source_next(source *s, yore_error *err)
{
    yore_status status = yr_run_rows_next(&s->rows, &s->row, err);
    s->row_count += status == YORE_OK;
    if (status != YORE_END) return status;
    uint64_t promised = 0;
    for (uint32_t i = 0; i < yr_run_file_count(s->run); i++)
        promised += yr_segment_facts(yr_run_file(s->run, i))->rows;
    if (promised == s->row_count) return YORE_END;
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "segment '%s' and those of its run have %" PRIu64 " rows and should have %" PRIu64,
                   yr_segment_name(yr_run_file(s->run, 0)), s->row_count, promised);
}

static yore_status sources_open(merge *m, yr_run *const *runs, uint32_t count, yore_error *err)
{
    m->sources = yr_alloc_zero(m->env, count * sizeof *m->sources);
    m->heap = yr_alloc_zero(m->env, count * sizeof *m->heap);
    m->source_count = count;
    if (!m->sources || !m->heap) return no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        source *s = &m->sources[i];
        s->run = runs[i];
        yore_status status = yr_run_rows_open(runs[i], &s->rows, err);
        if (status < 0) return status;
        s->is_open = true;
        status = source_next(s, err);
        if (status < 0) return status;
        if (status == YORE_OK) heap_add(m, i);
    }
    return YORE_OK;
}

static yore_status rows_merge(merge *m, yore_error *err)
{
    yore_status status = YORE_OK;
    while (m->heap_size && status == YORE_OK) {
        source *s = &m->sources[m->heap[0]];
        status = row_take(m, &s->row, err);
        if (status < 0) return status;
        status = source_next(s, err);
        if (status == YORE_END) {
            m->heap[0] = m->heap[--m->heap_size];
            status = YORE_OK;
        }
        if (status == YORE_OK && m->heap_size) heap_settle(m);
    }
    return status;
}

/* -- jobs -- */

static void result_unlink(const yr_merge_options *options, const yr_merge_result *result,
                          uint32_t named_count)
{
    char name[YR_FILE_NAME_BYTES];
    for (uint32_t i = 0; i < result->file_count; i++) {
        yr_file_name(YR_FILE_SEGMENT, result->files[i].file_id, i >= named_count, name);
        (void)options->env->unlink(options->env->ctx, options->dir, name);
    }
}

static yore_status outputs_complete(merge *m, yore_error *err)
{
    yore_status status = YORE_OK;
    uint64_t rows = 0;
    if (m->options->is_dry_run) return YORE_OK;
    if (!m->builder && m->result.file_count == 0 && m->needs_file) status = file_begin(m, err);
    if (status == YORE_OK && m->builder) status = file_finish(m, err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < m->result.file_count; i++) rows += m->result.files[i].footer.rows;
    YR_ASSERT(rows == m->result.rows_out);
    int rc = m->result.file_count ? m->env->dir_sync(m->env->ctx, m->options->dir) : 0;
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync the directory of merged segments");
    return YORE_OK;
}

static void merge_deinit(merge *m)
{
    for (uint32_t i = 0; m->sources && i < m->source_count; i++) {
        if (m->sources[i].is_open) yr_run_rows_close(&m->sources[i].rows);
    }
    yr_free(m->env, m->sources, m->source_count * sizeof *m->sources);
    yr_free(m->env, m->heap, m->source_count * sizeof *m->heap);
    yr_buf_deinit(&m->key);
    yr_buf_deinit(&m->pending);
}

static yore_status merge_all(const yr_merge_options *options, yr_run *const *runs, uint32_t count,
                             bool needs_file, yr_merge_result *result, yore_error *err)
{
    merge m = {.options = options,
               .env = options->env,
               .after_version = yr_run_after(runs[count - 1]),
               .last_version = yr_run_last(runs[0]),
               .needs_file = needs_file};
    yr_buf_init(&m.key, m.env, YR_SEGMENT_TREE_KEY_MAX);
    yr_buf_init(&m.pending, m.env, PENDING_BYTES_MAX);
    yore_status status = sources_open(&m, runs, count, err);
    if (status == YORE_OK) status = rows_merge(&m, err);
    if (status == YORE_OK) status = outputs_complete(&m, err);
    yr_segment_builder_destroy(m.builder); /* after a failure: with the file */
    if (status == YORE_OK) {
        *result = m.result;
    } else {
        result_unlink(options, &m.result, m.named_count);
        yr_merge_result_deinit(m.env, &m.result);
    }
    merge_deinit(&m);
    return status;
}

yore_status yr_merge_runs(const yr_merge_options *options, yr_run *const *runs, uint32_t count,
                          yr_merge_result *result, yore_error *err)
{
    YR_ASSERT(count > 0);
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (yr_run_after(runs[i]) != yr_run_last(runs[i + 1]))
            return yr_fail(err, YORE_ERR_MISUSE,
                           "runs up to versions %" PRIu64 " and %" PRIu64 " are not neighbours",
                           yr_run_last(runs[i]), yr_run_last(runs[i + 1]));
    }
    return merge_all(options, runs, count, true, result, err);
}

yore_status yr_merge_one_file(const yr_merge_options *options, yr_run *run, uint32_t file,
                              yr_merge_result *result, yore_error *err)
{
    YR_ASSERT(file < yr_run_file_count(run));
    yr_merge_options whole = *options;
    whole.target_bytes = UINT64_MAX;
    yr_segment *segment = yr_segment_ref(yr_run_file(run, file));
    yr_run *part = NULL;
    yore_status status = yr_run_create(options->env, yr_run_id(run), &segment, 1, &part, err);
    if (status < 0) {
        yr_segment_close(segment);
        return status;
    }
    status = merge_all(&whole, &part, 1, file == 0, result, err);
    yr_run_unref(part);
    return status;
}

void yr_merge_result_deinit(const yore_env *env, yr_merge_result *result)
{
    yr_free(env, result->files, result->file_capacity * sizeof *result->files);
    *result = (yr_merge_result){0};
}

void yr_merge_result_remove(const yr_merge_options *options, const yr_merge_result *result)
{
    result_unlink(options, result, result->file_count);
}

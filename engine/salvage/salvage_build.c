/* One version after the other becomes a frame, which replay accepts: what replay would refuse is left out, and told. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/salvage/salvage_private.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define PROGRESS_COMMITS 1024u
#define LOST_NOTE "salvaged: the record of this commit is lost"

typedef struct build {
    yr_salvage *s;
    yr_store_maker *maker;
    yr_salvage_spool spool;
    uint32_t at; /* the next entry */
    yr_buf rows; /* yr_row of the version being made */
    yr_buf pins; /* yr_block_pin of their values */
    yr_buf batch;
    uint64_t version;
    int64_t time_ns;  /* of the version before */
    uint64_t last_id; /* the newest branch, as soon as the batch is in */
    yr_commit_head head;
    bool has_head, is_whole; /* whole: a frame of the log, with all its rows */
    uint32_t expected;       /* rows that the commit counts */
    uint64_t hole_first;     /* versions without a record up to here are not told yet; 0 = none */
    uint64_t missing_below;  /* rows that are missing below the floor, where damage may be why */
    uint8_t made_key[YR_BRANCH_KEY_BYTES];
    uint8_t made_record[YR_BRANCH_RECORD_MAX];
} build;

static const yr_store *store_of(const build *b)
{
    return b->maker->db ? &b->maker->db->store : NULL;
}

/* -- the batch -- */

static yore_status batch_put(build *b, yore_error *err)
{
    if (b->batch.size == 0) return YORE_OK;
    yore_status status = yr_store_maker_put(b->maker, yore_bytes(b->batch.data, b->batch.size), err);
    yr_buf_clear(&b->batch);
    return status;
}

/* -- rows -- */

static void lose_row(build *b, const yr_row *row, uint32_t kind, const char *text)
{
    if (kind == YORE_LOSS_VALUE) b->s->report.values_lost++;
    yr_salvage_tell(b->s, &(yore_salvage_loss){.kind = kind,
                                               .branch = row->branch,
                                               .last_branch = row->branch,
                                               .first_version = b->version,
                                               .last_version = b->version,
                                               .rows = 1,
                                               .key = row->key,
                                               .text = text});
}

static bool is_erased(const build *b, const yr_row *row)
{
    const yr_salvage *s = b->s;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->erasures, yr_keep_erasure); i++) {
        const yr_keep_erasure *erasure = YR_SALVAGE_AT(s->erasures, yr_keep_erasure, i);
        if (b->version < erasure->version &&
            yr_erase_record_has(&erasure->record, row->branch, row->primitive, row->key))
            return true;
    }
    return false;
}

static yore_status take_row(build *b, yr_row *row, bool is_reference, yore_error *err)
{
    yr_block_pin pin = {0};
    if (row->branch != YR_REGISTRY_BRANCH && is_erased(b, row)) return YORE_OK;
    if (is_reference) {
        yore_error why = YORE_ERROR_INIT;
        yore_status status = yr_value_set_get_encoded(b->s->values, row->value, &pin, &why);
        if (yr_salvage_is_damage(status)) {
            lose_row(b, row, YORE_LOSS_VALUE, why.message);
            return YORE_OK;
        }
        if (status < 0) {
            if (err) *err = why;
            return status;
        }
        row->value = yore_bytes(pin.data, pin.size);
        if (!yr_buf_append(&b->pins, &pin, sizeof pin)) {
            yr_block_pin_release(&pin);
            return yr_salvage_no_memory(b->s, err);
        }
    }
    return yr_buf_append(&b->rows, row, sizeof *row) ? YORE_OK : yr_salvage_no_memory(b->s, err);
}

static void release_rows(build *b)
{
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(b->pins, yr_block_pin); i++)
        yr_block_pin_release(YR_SALVAGE_AT(b->pins, yr_block_pin, i));
    yr_buf_clear(&b->pins);
    yr_buf_clear(&b->rows);
}

static int compare_rows(const void *a, const void *b)
{
    const yr_row *x = a, *y = b;
    if (x->branch != y->branch) return x->branch < y->branch ? -1 : 1;
    if (x->primitive != y->primitive) return x->primitive < y->primitive ? -1 : 1;
    return yr_slice_compare(x->key, y->key);
}

/* In key order, each key once. What two sources have of one key and version is the same. */
static void settle_rows(build *b)
{
    uint32_t count = YR_SALVAGE_COUNT(b->rows, yr_row), kept = 0;
    if (count < 2) return;
    qsort(b->rows.data, count, sizeof(yr_row), compare_rows);
    for (uint32_t i = 0; i < count; i++) {
        const yr_row row = *YR_SALVAGE_AT(b->rows, yr_row, i);
        if (kept && compare_rows(YR_SALVAGE_AT(b->rows, yr_row, kept - 1), &row) == 0) continue;
        *YR_SALVAGE_AT(b->rows, yr_row, kept++) = row;
    }
    b->rows.size = kept * sizeof(yr_row);
}

/* -- what there is of a version -- */

/* A frame of the log or the head of one. */
static yore_status take_frame(build *b, const yr_salvage_entry *entry, yore_error *err)
{
    yr_reader reader = yr_reader_of(yore_bytes(b->spool.bytes.data + entry->off, entry->bytes)), rows;
    yore_status status = YORE_OK;
    if (!yr_frame_take(&reader, &b->head, &rows)) return YORE_OK;
    b->has_head = true;
    b->is_whole = entry->kind == YR_SALVAGE_FRAME;
    b->expected = entry->rows;
    for (uint32_t i = 0; i < b->head.row_count && status == YORE_OK; i++) {
        yr_row row;
        if (!yr_row_take(&rows, b->head.branch, &row)) {
            b->is_whole = false;
            break;
        }
        status = take_row(b, &row, false, err);
    }
    return status;
}

static yore_status take_entries(build *b, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t count = YR_SALVAGE_COUNT(b->spool.entries, yr_salvage_entry);
    b->has_head = b->is_whole = false;
    b->expected = 0;
    b->head = (yr_commit_head){0};
    for (; b->at < count && status == YORE_OK; b->at++) {
        const yr_salvage_entry *entry = YR_SALVAGE_AT(b->spool.entries, yr_salvage_entry, b->at);
        yr_row row;
        if (entry->version > b->version) break;
        if (entry->kind != YR_SALVAGE_ROW) {
            if (!b->has_head) status = take_frame(b, entry, err);
            continue;
        }
        yr_reader reader = yr_reader_of(yore_bytes(b->spool.bytes.data + entry->off, entry->bytes));
        if (!b->is_whole && yr_row_take(&reader, entry->branch, &row))
            status = take_row(b, &row, entry->is_reference, err);
    }
    settle_rows(b);
    return status;
}

/* -- heads -- */

static uint8_t kind_of(const yr_row *row)
{
    const char *key = row->key.data;
    if (row->branch != YR_REGISTRY_BRANCH) return YORE_COMMIT_DATA;
    switch (key[0]) {
    case 'b': return YORE_COMMIT_BRANCH;
    case 't': return YORE_COMMIT_TAG;
    case 'e': return YORE_COMMIT_ERASE;
    default: return YORE_COMMIT_CONFIG;
    }
}

/* The time of a commit whose record is lost: as late as can be in front of the next one that is known, or else just
 * behind the one before. */
static int64_t time_between(const build *b)
{
    uint32_t count = YR_SALVAGE_COUNT(b->spool.entries, yr_salvage_entry);
    for (uint32_t i = b->at; i < count; i++) {
        const yr_salvage_entry *entry = YR_SALVAGE_AT(b->spool.entries, yr_salvage_entry, i);
        yr_commit_head head;
        yr_reader rows, reader = yr_reader_of(yore_bytes(b->spool.bytes.data + entry->off, entry->bytes));
        if (entry->kind == YR_SALVAGE_ROW || !yr_frame_take(&reader, &head, &rows)) continue;
        int64_t time_ns = head.time_ns - (int64_t)(head.version - b->version);
        return time_ns > b->time_ns ? time_ns : b->time_ns + 1;
    }
    return b->time_ns + 1;
}

static void tell_hole(build *b, uint64_t last)
{
    if (b->hole_first)
        yr_salvage_tell(b->s, &(yore_salvage_loss){.kind = YORE_LOSS_COMMITS,
                                                   .first_version = b->hole_first,
                                                   .last_version = last,
                                                   .text = "no record of these commits is left"});
    b->hole_first = 0;
}

static void make_head(build *b)
{
    uint32_t rows = YR_SALVAGE_COUNT(b->rows, yr_row);
    const yr_row *first = rows ? YR_SALVAGE_AT(b->rows, yr_row, 0) : NULL;
    b->s->report.commits_lost++;
    if (!b->hole_first) b->hole_first = b->version;
    b->head = (yr_commit_head){.version = b->version,
                               .time_ns = b->version == 1 ? YR_TIME_FIRST : time_between(b),
                               .branch = first ? first->branch : YR_REGISTRY_BRANCH,
                               .kind = first ? kind_of(first) : YORE_COMMIT_CONFIG,
                               .note = yore_str(LOST_NOTE)};
    if (b->version == 1) b->head.kind = YORE_COMMIT_INIT;
    if (b->version == 1) b->head.branch = YR_REGISTRY_BRANCH;
}

/* The head of a data commit whose branch is not there, or of one that its times do not let be. */
static bool is_head_sound(const build *b)
{
    const yr_store *store = store_of(b);
    const yr_commit_head *head = &b->head;
    bool is_data = head->kind == YORE_COMMIT_DATA;
    if (head->time_ns <= b->time_ns && b->version > 1) return false;
    if (head->time_ns > YR_TIME_REACHED_MAX || head->kind < YORE_COMMIT_DATA ||
        head->kind > YORE_COMMIT_ERASE)
        return false;
    if (is_data != (head->branch != YR_REGISTRY_BRANCH) ||
        (b->version == 1) != (head->kind == YORE_COMMIT_INIT))
        return false;
    return !is_data || (store && yr_catalog_by_id(store->catalog, head->branch));
}

/* Nothing but its version: the commit of a branch that is not there, for instance. */
static void empty_head(build *b, const char *why)
{
    uint32_t rows = YR_SALVAGE_COUNT(b->rows, yr_row);
    for (uint32_t i = 0; i < rows; i++) lose_row(b, YR_SALVAGE_AT(b->rows, yr_row, i), YORE_LOSS_ROW, why);
    yr_buf_clear(&b->rows);
    make_head(b);
}

/* -- branches whose records are lost -- */

static const yr_salvage_branch *known_branch(const build *b, uint64_t id)
{
    if (id >= YR_SALVAGE_COUNT(b->s->branches, yr_salvage_branch)) return NULL;
    return YR_SALVAGE_AT(b->s->branches, yr_salvage_branch, id);
}

/* The version that the branch, or one that was made later, is there by at the latest. */
static uint64_t deadline_of(const build *b, uint64_t id)
{
    uint64_t deadline = UINT64_MAX;
    for (; known_branch(b, id); id++) {
        const yr_salvage_branch *branch = known_branch(b, id);
        if (branch->first_use < deadline) deadline = branch->first_use;
        if (branch->oldest < deadline) deadline = branch->oldest;
    }
    return deadline;
}

/* The row that makes branch `id` must be made up: its oldest record, if there is one, comes too late. */
static bool is_branch_lost(const build *b, uint64_t id)
{
    const yr_salvage_branch *branch = known_branch(b, id);
    if (!branch) return false;
    uint64_t later = deadline_of(b, id + 1), deadline = branch->first_use < later ? branch->first_use : later;
    return branch->is_late || branch->oldest == UINT64_MAX || branch->oldest > deadline;
}

/* A record that can stand for the lost one: the next that is known, as if it had been made so, else one that says no
 * more than that there was a branch. */
static void make_record(build *b, uint32_t id, yr_row *row)
{
    const yr_salvage_branch *known = known_branch(b, id);
    const yr_store *store = store_of(b);
    char name[32];
    yr_branch_record record = {0};
    (void)snprintf(name, sizeof name, "lost-%" PRIu32, id);
    yr_branch_key_encode(id, b->made_key);
    *row = (yr_row){.key = yore_bytes(b->made_key, sizeof b->made_key),
                    .branch = YR_REGISTRY_BRANCH,
                    .primitive = YORE_SYSTEM,
                    .op = YORE_OP_PUT};
    if (known->oldest != UINT64_MAX &&
        yr_branch_record_decode(
            yore_bytes(b->s->branch_records.data + known->record_off, known->record_bytes), &record)) {
        record.flags &= YR_BRANCH_HIDDEN;
        record.deleted_version = record.trimmed_version = 0;
        row->value = yore_bytes(b->made_record, yr_branch_record_encode(&record, b->made_record));
        if (id == YR_DEFAULT_BRANCH || !yr_replay_judge_row(store, row, b->version)) return;
    }
    record = (yr_branch_record){.name = id == YR_DEFAULT_BRANCH ? yore_str("default") : yore_str(name)};
    row->value = yore_bytes(b->made_record, yr_branch_record_encode(&record, b->made_record));
}

/* If this commit has lost rows that may have made the branch that is due, make it. */
static yore_status make_branch(build *b, yore_error *err)
{
    uint32_t id = (uint32_t)b->last_id + 1;
    bool may = b->head.kind == YORE_COMMIT_BRANCH || b->head.kind == YORE_COMMIT_INIT || !b->has_head;
    bool lacks = !b->has_head || YR_SALVAGE_COUNT(b->rows, yr_row) < b->expected;
    yr_row row;
    if (b->version == 1) may = lacks = YR_SALVAGE_COUNT(b->rows, yr_row) == 0;
    if (b->head.branch != YR_REGISTRY_BRANCH || !may || !lacks) return YORE_OK;
    if (b->version > 1 && (!is_branch_lost(b, id) || b->version >= deadline_of(b, id))) return YORE_OK;
    if (!known_branch(b, id)) {
        const yr_salvage_branch none = {.oldest = UINT64_MAX, .first_use = UINT64_MAX};
        while (!known_branch(b, id)) {
            if (!yr_buf_append(&b->s->branches, &none, sizeof none)) return yr_salvage_no_memory(b->s, err);
        }
    }
    make_record(b, id, &row);
    if (b->head.kind != YORE_COMMIT_INIT) b->head.kind = YORE_COMMIT_BRANCH;
    b->s->report.branches_lost++;
    yr_salvage_tell(b->s, &(yore_salvage_loss){.kind = YORE_LOSS_BRANCH,
                                               .branch = id,
                                               .last_branch = id,
                                               .first_version = b->version,
                                               .last_version = b->version,
                                               .text = "the record that made the branch is lost"});
    return yr_buf_append(&b->rows, &row, sizeof row) ? YORE_OK : yr_salvage_no_memory(b->s, err);
}

/* -- a frame -- */

static bool is_row_sound(build *b, const yr_row *row)
{
    const yr_store *store = store_of(b);
    const char *problem = NULL;
    uint32_t id;
    if (row->branch != b->head.branch ||
        (row->primitive == YORE_SYSTEM) != (row->branch == YR_REGISTRY_BRANCH)) {
        problem = "the row is not of the branch of its commit";
    } else if (row->branch == YR_REGISTRY_BRANCH && store) {
        problem = yr_replay_judge_row(store, row, b->version);
    }
    if (problem) {
        lose_row(b, row, YORE_LOSS_ROW, problem);
        return false;
    }
    if (row->branch == YR_REGISTRY_BRANCH && yr_branch_key_decode(row->key, &id) && id > b->last_id)
        b->last_id = id;
    return true;
}

static bool may_be_damaged(const yr_salvage *s, uint64_t version)
{
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->damaged, yr_salvage_range); i++) {
        const yr_salvage_range *range = YR_SALVAGE_AT(s->damaged, yr_salvage_range, i);
        if (version > range->after && version <= range->last) return true;
    }
    return false;
}

/* Rows that the commit counts and that are not there. Below the floor that may be as it should. */
static void count_missing(build *b, uint32_t rows)
{
    uint32_t missing = b->has_head && b->expected > rows ? b->expected - rows : 0;
    if (b->version >= b->s->floor) {
        b->s->report.rows_lost += missing;
    } else if (missing && may_be_damaged(b->s, b->version)) {
        b->missing_below += missing;
    }
}

static yore_status put_frame(build *b, yore_error *err)
{
    size_t at;
    uint32_t rows = 0, made = 0;
    uint64_t before = b->last_id;
    uint32_t count = YR_SALVAGE_COUNT(b->rows, yr_row);
    b->head.row_count = count;
    bool ok = yr_frame_begin(&b->batch, &b->head, &at);
    for (uint32_t i = 0; i < count && ok; i++) {
        const yr_row *row = YR_SALVAGE_AT(b->rows, yr_row, i);
        if (!is_row_sound(b, row)) continue;
        ok = yr_frame_row(&b->batch, row);
        rows++;
        made += row->value.data == b->made_record;
    }
    if (!ok) return yr_salvage_no_memory(b->s, err);
    yr_frame_finish(&b->batch, at);
    yr_frame_set_rows(&b->batch, at, rows);
    b->s->report.commits++;
    b->s->report.rows += rows - made;
    count_missing(b, rows - made);
    bool is_system = b->head.branch == YR_REGISTRY_BRANCH;
    b->time_ns = b->head.time_ns;
    /* the catalog must know a branch before its rows are judged */
    if (is_system || b->last_id != before || b->batch.size >= BATCH_BYTES) return batch_put(b, err);
    return YORE_OK;
}

static yore_status build_version(build *b, yore_error *err)
{
    yore_status status = take_entries(b, err);
    if (status < 0) return status;
    if (b->has_head && !is_head_sound(b)) {
        b->has_head = false;
        empty_head(b, "there is no such branch");
    } else if (!b->has_head) {
        make_head(b);
        if (!is_head_sound(b)) {
            b->s->report.commits_lost--;
            empty_head(b, "there is no such branch");
        }
    } else {
        tell_hole(b, b->version - 1);
    }
    if (b->head.branch == YR_REGISTRY_BRANCH) {
        status = batch_put(b, err);
        if (status == YORE_OK) status = make_branch(b, err);
    }
    if (status == YORE_OK) status = put_frame(b, err);
    release_rows(b);
    return status;
}

static yore_status progress(const yr_salvage *s, uint64_t done, yore_error *err)
{
    const yore_salvage_options *options = s->options;
    if (!options->progress || options->progress(options->progress_arg, done, s->last_version) == 0)
        return YORE_OK;
    return yr_fail(err, YORE_ERR_CANCELLED, "stopped after %" PRIu64 " of %" PRIu64 " commits", done,
                   s->last_version);
}

static void sum_up(build *b)
{
    yr_salvage *s = b->s;
    uint64_t bad = 0;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->segments, yr_salvage_segment); i++)
        bad += YR_SALVAGE_AT(s->segments, yr_salvage_segment, i)->rows_bad;
    tell_hole(b, b->version);
    /* what trimming took cannot be told from what damage did, but that cannot have been more than it hit */
    if (s->report.segments_lost || s->report.value_files_lost || s->report.values_lost) bad = UINT64_MAX;
    s->report.rows_lost += b->missing_below < bad ? b->missing_below : bad;
    s->report.last_version = b->version;
    s->report.branches = yr_catalog_live_count(store_of(b)->catalog);
}

yore_status yr_salvage_build(yr_salvage *s, yr_store_maker *maker, yore_error *err)
{
    size_t bytes = s->options->memory_bytes ? (size_t)s->options->memory_bytes : (size_t)256 << 20;
    build *b = yr_alloc_zero(s->env, sizeof *b);
    if (!b) return yr_salvage_no_memory(s, err);
    b->s = s;
    b->maker = maker;
    yr_salvage_spool_init(&b->spool, s->env, bytes);
    yr_buf_init(&b->rows, s->env, YR_SALVAGE_LIST_MAX);
    yr_buf_init(&b->pins, s->env, YR_SALVAGE_LIST_MAX);
    yr_buf_init(&b->batch, s->env, YR_SALVAGE_LIST_MAX);
    yore_status status = YORE_OK;
    while (status == YORE_OK && b->version < s->last_version) {
        status = yr_salvage_spool_fill(s, &b->spool, b->version, err);
        b->at = 0;
        while (status == YORE_OK && b->version < b->spool.last) {
            b->version++;
            status = build_version(b, err);
            if (status == YORE_OK && b->version % PROGRESS_COMMITS == 0)
                status = progress(s, b->version, err);
        }
        if (status == YORE_OK) status = batch_put(b, err);
    }
    if (status == YORE_OK) status = progress(s, b->version, err);
    if (status == YORE_OK) sum_up(b);
    release_rows(b);
    yr_buf_deinit(&b->rows);
    yr_buf_deinit(&b->pins);
    yr_buf_deinit(&b->batch);
    yr_salvage_spool_deinit(&b->spool);
    yr_free(s->env, b, sizeof *b);
    return status;
}

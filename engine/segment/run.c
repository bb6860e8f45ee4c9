/* What a run knows without reading: which file a key is in, its branches; and the reads of one key. */
#include "engine/segment/run.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

static yore_status no_memory(const yr_segment *segment, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory for the run of segment '%s'", segment->name);
}

/* -- which file -- */

yore_slice yr_run_first_key(const yr_run *run, uint32_t i)
{
    size_t start = i ? run->key_ends[i - 1] : 0;
    return yore_bytes(run->keys + start, run->key_ends[i] - start);
}

uint32_t yr_run_locate(const yr_run *run, yore_slice tree_key)
{
    uint32_t low = 1,
             high = run->file_count; /* files below `low` begin at or below the key, from `high` on above */
    if (high == 1) return 0;
    if (run->key_skip) {
        size_t n = tree_key.size < run->key_skip ? tree_key.size : run->key_skip;
        int side = n ? memcmp(tree_key.data, yr_run_first_key(run, 1).data, n) : 0;
        if (side == 0 && n < run->key_skip) side = -1;
        if (side) return side < 0 ? 0 : high - 1;
    }
    uint64_t word = yr_segment_fence_word(tree_key, run->key_skip);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool is_below = run->words[middle] < word;
        if (run->words[middle] == word)
            is_below = yr_slice_compare(yr_run_first_key(run, middle), tree_key) <= 0;
        if (is_below) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

/* -- making -- */

/* What the files say of themselves fits together. */
static yore_status files_check(yr_segment **files, uint32_t n, yore_error *err)
{
    const yr_segment_footer *first = &files[0]->footer;
    for (uint32_t i = 1; i < n; i++) {
        const yr_segment_footer *footer = &files[i]->footer;
        const char *what = NULL;
        if (footer->after_version != first->after_version || footer->last_version != first->last_version) {
            what = "another version range";
        } else if (footer->hash_seed != first->hash_seed) {
            what = "another hash seed";
        } else if (footer->commits) {
            what = "commits of its own";
        } else if (footer->keys == 0) {
            what = "no keys";
        }
        if (what)
            return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s' cannot be of one run with '%s': it has %s",
                           files[i]->name, files[0]->name, what);
    }
    return YORE_OK;
}

static bool key_keep(yr_run *run, uint32_t i, yore_slice key)
{
    size_t start = i ? run->key_ends[i - 1] : 0;
    if (run->key_room - start < key.size) {
        size_t room = 2 * run->key_room + key.size;
        uint8_t *keys = yr_realloc(run->env, run->keys, run->key_room, room);
        if (!keys) return false;
        run->keys = keys;
        run->key_room = room;
    }
    memcpy(run->keys + start, key.data, key.size);
    run->key_ends[i] = start + key.size;
    return true;
}

/* First keys; that each file begins behind the end of the one before. `last` and `key` have room for a tree key. */
static yore_status bounds_read(yr_run *run, uint8_t *last, uint8_t *key, yore_error *err)
{
    size_t last_size = 0, size;
    for (uint32_t i = 0; i < run->file_count; i++) {
        yr_segment *file = run->files[i];
        yore_status status = yr_segment_bound(file, false, key, &size, err);
        if (status < 0) return status;
        if (i && yr_slice_compare(yore_bytes(last, last_size), yore_bytes(key, size)) >= 0)
            return yr_fail(err, YORE_ERR_CORRUPT, "segments '%s' and '%s' of one run overlap",
                           run->files[i - 1]->name, file->name);
        if (!key_keep(run, i, yore_bytes(key, i ? size : 0))) return no_memory(file, err);
        if (i + 1 == run->file_count) break;
        status = yr_segment_bound(file, true, last, &last_size, err);
        if (status < 0) return status;
    }
    if (run->file_count == 1) return YORE_OK;
    yore_slice a = yr_run_first_key(run, 1), b = yr_run_first_key(run, run->file_count - 1);
    while (run->key_skip < a.size && run->key_skip < b.size &&
           ((const uint8_t *)a.data)[run->key_skip] == ((const uint8_t *)b.data)[run->key_skip])
        run->key_skip++;
    for (uint32_t i = 1; i < run->file_count; i++)
        run->words[i] = yr_segment_fence_word(yr_run_first_key(run, i), run->key_skip);
    return YORE_OK;
}

static yore_status bounds_make(yr_run *run, yore_error *err)
{
    uint32_t n = run->file_count;
    uint8_t *scratch = yr_alloc(run->env, 2 * YR_SEGMENT_TREE_KEY_MAX);
    run->key_ends = yr_alloc_zero(run->env, n * sizeof *run->key_ends);
    run->words = yr_alloc_zero(run->env, n * sizeof *run->words);
    run->key_room = 64;
    run->keys = yr_alloc(run->env, run->key_room);
    yore_status status;
    if (scratch && run->key_ends && run->words && run->keys) {
        status = bounds_read(run, scratch, scratch + YR_SEGMENT_TREE_KEY_MAX, err);
    } else {
        status = no_memory(run->files[0], err);
    }
    yr_free(run->env, scratch, 2 * YR_SEGMENT_TREE_KEY_MAX);
    return status;
}

static int compare_branches(const void *a, const void *b)
{
    const yr_run_branch *x = a, *y = b;
    return x->branch < y->branch ? -1 : x->branch > y->branch;
}

static void facts_add(yr_run_branch *to, const yr_run_branch *from)
{
    to->keys += from->keys;
    to->rows += from->rows;
    to->deletes += from->deletes;
    to->key_bytes += from->key_bytes;
    to->value_bytes += from->value_bytes;
    if (from->first_commit) to->first_commit = from->first_commit; /* one of them is a head, at most */
    if (from->last_commit) to->last_commit = from->last_commit;
}

/* Heads come first. Groups come by branch, too, and whoever has rows has a commit: they are added to it, so that
 * nothing needs to be sorted. What has none is put behind the others. */
static yore_status groups_read(yr_run *run, yr_segment *file, yore_error *err)
{
    uint32_t heads = run->files[0]->layout.head_count, at = 0;
    for (uint32_t i = 0; i < file->layout.group_count; i++) {
        yr_segment_group group;
        yore_status status = yr_segment_group_get(file, i, &group, err);
        if (status < 0) return status;
        const yr_run_branch facts = {.branch = group.branch,
                                     .keys = group.keys,
                                     .rows = group.rows,
                                     .deletes = group.deletes,
                                     .key_bytes = group.key_bytes,
                                     .value_bytes = group.value_bytes};
        while (at < heads && run->branches[at].branch < group.branch) at++;
        if (at < heads && run->branches[at].branch == group.branch) {
            facts_add(&run->branches[at], &facts);
        } else {
            run->branches[run->branch_count++] = facts;
        }
    }
    return YORE_OK;
}

static yore_status heads_read(yr_run *run, yore_error *err)
{
    yr_segment *file = run->files[0];
    for (uint32_t i = 0; i < file->layout.head_count; i++) {
        yr_segment_head head;
        yore_status status = yr_segment_head_get(file, i, &head, err);
        if (status < 0) return status;
        if (head.branch > UINT32_MAX || head.first <= run->after || head.first > head.last ||
            head.last > run->last)
            return yr_segment_bad(file, file->layout.section_off[YR_SECTION_HEADS], "a head out of range",
                                  err);
        run->branches[run->branch_count++] = (yr_run_branch){
            .branch = (uint32_t)head.branch, .first_commit = head.first, .last_commit = head.last};
    }
    return YORE_OK;
}

/* One for each branch, by id. */
static void branches_merge(yr_run *run)
{
    uint32_t n = 0;
    bool is_sorted = true;
    if (run->branch_count == 0) return;
    for (uint32_t i = 1; i < run->branch_count && is_sorted; i++)
        is_sorted = run->branches[i - 1].branch < run->branches[i].branch;
    if (!is_sorted) {
        qsort(run->branches, run->branch_count, sizeof *run->branches, compare_branches);
        for (uint32_t i = 1; i < run->branch_count; i++) {
            if (run->branches[n].branch == run->branches[i].branch) {
                facts_add(&run->branches[n], &run->branches[i]);
            } else {
                run->branches[++n] = run->branches[i];
            }
        }
        run->branch_count = n + 1;
    }
    for (uint32_t i = 0; i < run->branch_count; i++) {
        if (run->branches[i].rows) run->row_branches[run->row_branch_count++] = run->branches[i].branch;
    }
}

static yore_status branches_make(yr_run *run, yore_error *err)
{
    uint64_t room = (uint64_t)run->files[0]->layout.head_count + 1;
    for (uint32_t i = 0; i < run->file_count; i++) room += run->files[i]->layout.group_count;
    if (room > UINT32_MAX) return no_memory(run->files[0], err);
    run->branch_room = (uint32_t)room;
    run->branches = yr_alloc(run->env, room * sizeof *run->branches);
    run->row_branches = yr_alloc(run->env, room * sizeof *run->row_branches);
    if (!run->branches || !run->row_branches) return no_memory(run->files[0], err);
    yore_status status = heads_read(run, err);
    for (uint32_t i = 0; i < run->file_count && status == YORE_OK; i++)
        status = groups_read(run, run->files[i], err);
    if (status == YORE_OK) branches_merge(run);
    return status;
}

static void run_free(yr_run *run)
{
    const yore_env *env = run->env;
    yr_free(env, run->branches, run->branch_room * sizeof *run->branches);
    yr_free(env, run->row_branches, run->branch_room * sizeof *run->row_branches);
    yr_free(env, run->keys, run->key_room);
    yr_free(env, run->key_ends, run->file_count * sizeof *run->key_ends); /* NULL when made for salvage */
    yr_free(env, run->words, run->file_count * sizeof *run->words);
    yr_free(env, run->files, run->file_count * sizeof *run->files);
    yr_free(env, run->loaded, run->file_count * sizeof *run->loaded);
    yr_free(env, run, sizeof *run);
}

static yore_status run_make(const yore_env *env, uint64_t run_id, yr_segment **files, uint32_t n,
                            yr_run **out, yore_error *err)
{
    YR_ASSERT(n > 0);
    yr_run *run = yr_alloc_zero(env, sizeof *run);
    yr_segment **own_files = yr_alloc(env, n * sizeof *own_files);
    _Atomic(yr_segment *) *loaded = yr_alloc_zero(env, n * sizeof *loaded);
    if (!run || !own_files || !loaded) {
        yr_free(env, run, sizeof *run);
        yr_free(env, own_files, n * sizeof *own_files);
        yr_free(env, loaded, n * sizeof *loaded);
        return no_memory(files[0], err);
    }
    memcpy(own_files, files, n * sizeof *own_files);
    run->env = env;
    run->id = run_id;
    run->files = own_files;
    run->loaded = loaded;
    run->file_count = n;
    run->after = files[0]->footer.after_version;
    run->last = files[0]->footer.last_version;
    atomic_init(&run->refs, 1);
    *out = run;
    return YORE_OK;
}

yore_status yr_run_create(const yore_env *env, uint64_t run_id, yr_segment **files, uint32_t n, yr_run **out,
                          yore_error *err)
{
    yr_run *run = NULL;
    yore_status status = files_check(files, n, err);
    if (status == YORE_OK) status = run_make(env, run_id, files, n, &run, err);
    if (status < 0) return status;
    status = bounds_make(run, err);
    if (status == YORE_OK) status = branches_make(run, err);
    if (status == YORE_OK) {
        *out = run;
    } else {
        run_free(run);
    }
    return status;
}

yore_status yr_run_create_for_salvage(const yore_env *env, uint64_t run_id, yr_segment **files, uint32_t n,
                                      yr_run **out, yore_error *err)
{
    return run_make(env, run_id, files, n, out, err);
}

void yr_run_ref(yr_run *run)
{
    if (run) atomic_fetch_add_explicit(&run->refs, 1, memory_order_relaxed); /* the caller has one already */
}

void yr_run_unref(yr_run *run)
{
    /* release: what this owner did with it is over; acquire, by the last: so is what all others did */
    if (!run || atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) > 1) return;
    for (uint32_t i = 0; i < run->file_count; i++) {
        yr_segment_close(
            atomic_load_explicit(&run->loaded[i], memory_order_relaxed)); /* nobody else is left */
        yr_segment_close(run->files[i]);
    }
    run_free(run);
}

/* -- facts -- */

uint64_t yr_run_id(const yr_run *run)
{
    return run->id;
}

uint64_t yr_run_after(const yr_run *run)
{
    return run->after;
}

uint64_t yr_run_last(const yr_run *run)
{
    return run->last;
}

uint32_t yr_run_file_count(const yr_run *run)
{
    return run->file_count;
}

yr_segment *yr_run_file(const yr_run *run, uint32_t i)
{
    YR_ASSERT(i < run->file_count);
    return yr_run_reads(run, i);
}

bool yr_run_promote(yr_run *run, uint32_t i, yr_segment *loaded)
{
    yr_segment *none = NULL;
    /* release pairs with yr_run_reads: what was read is complete. The other one stays open: cursors may be in it. */
    return atomic_compare_exchange_strong_explicit(&run->loaded[i], &none, loaded, memory_order_release,
                                                   memory_order_relaxed);
}

bool yr_run_has_branch(const yr_run *run, uint32_t branch)
{
    const uint32_t *at = run->row_branches;
    uint32_t n = run->row_branch_count;
    if (n == 0) return false;
    /* Halves without a branch to mispredict: the last one at or below, if any is. */
    while (n > 1) {
        uint32_t half = n / 2;
        at += at[half] <= branch ? half : 0;
        n -= half;
    }
    return *at == branch;
}

uint32_t yr_run_branch_count(const yr_run *run)
{
    return run->branch_count;
}

const yr_run_branch *yr_run_branch_at(const yr_run *run, uint32_t i)
{
    YR_ASSERT(i < run->branch_count);
    return &run->branches[i];
}

const yr_run_branch *yr_run_branch_find(const yr_run *run, uint32_t branch)
{
    uint32_t low = 0, high = run->branch_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run->branches[middle].branch < branch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < run->branch_count && run->branches[low].branch == branch ? &run->branches[low] : NULL;
}

/* -- one key -- */

yore_status yr_run_find(yr_run *run, yore_slice tree_key, uint64_t hash, uint64_t cap, yr_segment_hit *hit,
                        yore_error *err)
{
    return yr_segment_find(yr_run_reads(run, yr_run_locate(run, tree_key)), tree_key, hash, cap, hit, err);
}

void yr_run_prefetch(const yr_run *run, yore_slice tree_key, uint64_t hash)
{
    yr_segment_prefetch(yr_run_reads(run, yr_run_locate(run, tree_key)), hash);
}

void yr_run_prefetch_record(const yr_run *run, yore_slice tree_key, uint64_t hash)
{
    yr_segment_prefetch_record(yr_run_reads(run, yr_run_locate(run, tree_key)), hash);
}

yore_status yr_run_versions_open(yr_run *run, yore_slice tree_key, uint64_t hash, uint64_t cap,
                                 yr_run_versions *versions, yore_error *err)
{
    yr_segment *file = yr_run_reads(run, yr_run_locate(run, tree_key));
    return yr_segment_versions_open(file, tree_key, hash, cap, versions, err);
}

yore_status yr_run_versions_next(yr_run_versions *versions, yr_segment_row *row, yore_error *err)
{
    return yr_segment_versions_next(versions, row, err);
}

void yr_run_versions_close(yr_run_versions *versions)
{
    yr_segment_versions_close(versions);
}

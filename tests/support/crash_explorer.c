/* The crash-state explorer; see crash_explorer.h for the model.
 *
 * It walks the trace once and keeps the durable image D and the pieces in doubt, oldest first, in two cuts
 * (coarse = sectors, fine = 8 bytes). A state is a copy-on-write clone of D with a subset of the pieces laid
 * over it in order; its hash decides whether it is new.
 */
#define _DEFAULT_SOURCE
#include "tests/support/crash_explorer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/rng.h"
#include "engine/base/yr_assert.h"

#define SECTOR_BYTES 512u
#define UNIT_BYTES 8u
#define EXHAUSTIVE_LIMIT 20u
#define DEPTH_MAX 4

enum piece_kind { PIECE_DATA, PIECE_GROW, PIECE_TRUNCATE, PIECE_NAME };

typedef struct piece {
    enum piece_kind kind;
    bool is_stuck;         /* a failed sync was its chance */
    bool has_from, has_to; /* of a name: is that directory's part still unsynced? */
    uint32_t ino;          /* of data, grow, truncate */
    uint32_t op;           /* index in the trace */
    uint32_t size;         /* bytes of data */
    uint64_t off;          /* of data; the new size otherwise */
    const uint8_t *data;
} piece;

typedef struct pieces {
    piece *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t grain; /* how pwrites and map_appends are cut */
    uint32_t
        tried; /* of the first so many pieces every subset was tried since anything became durable or known */
} pieces;

typedef struct hash_set {
    uint64_t *slots; /* 0 = free */
    uint64_t count;
    uint64_t capacity; /* a power of two */
} hash_set;

/* -- a set of hashes -- */

static bool set_add(hash_set *set, uint64_t hash)
{
    if (hash == 0) hash = 1;
    if (set->count * 2 >= set->capacity) {
        hash_set grown = {.capacity = set->capacity ? set->capacity * 2 : 4096};
        grown.slots = yr_sim_need(calloc(grown.capacity, sizeof(uint64_t)));
        for (uint64_t i = 0; i < set->capacity; i++) {
            if (set->slots[i]) set_add(&grown, set->slots[i]);
        }
        free(set->slots);
        *set = grown;
    }
    uint64_t at = hash & (set->capacity - 1);
    while (set->slots[at]) {
        if (set->slots[at] == hash) return false;
        at = (at + 1) & (set->capacity - 1);
    }
    set->slots[at] = hash;
    set->count++;
    return true;
}

/* -- pieces -- */

static void pieces_push(pieces *list, piece item)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = yr_sim_need(realloc(list->items, list->capacity * sizeof(piece)));
    }
    list->items[list->count++] = item;
}

static bool same_as_durable(const yr_sim_image *durable, const piece *item)
{
    uint8_t there[SECTOR_BYTES];
    yr_sim_image_read(durable, item->ino, there, item->size, item->off);
    return memcmp(there, item->data, item->size) == 0;
}

/* Cut a write at multiples of the grain. A piece that would change nothing (zeros into a new file, say) is
 * left out, if no piece in doubt lies around it. */
static void push_data(pieces *list, const yr_sim_trace *trace, const yr_sim_image *durable, uint32_t index)
{
    const yr_sim_op *op = &trace->ops[index];
    uint64_t low = UINT64_MAX, high = 0; /* hull of the file's pieces in doubt */
    for (uint32_t i = 0; i < list->count; i++) {
        const piece *item = &list->items[i];
        if (item->ino != op->ino || item->kind == PIECE_NAME || item->kind == PIECE_GROW) continue;
        if (item->off < low) low = item->off;
        uint64_t end = item->kind == PIECE_TRUNCATE ? UINT64_MAX : item->off + item->size;
        if (end > high) high = end;
    }
    for (uint64_t off = op->off, end = op->off + op->size; off < end;) {
        uint64_t next = (off / list->grain + 1) * list->grain;
        if (next > end) next = end;
        piece item = {
            .kind = PIECE_DATA, .ino = op->ino, .op = index, .off = off, .size = (uint32_t)(next - off)};
        item.data = trace->bytes + op->data + (off - op->off);
        bool is_apart = next <= low || off >= high;
        if (!is_apart || !same_as_durable(durable, &item)) pieces_push(list, item);
        off = next;
    }
}

static void push_op(pieces *list, const yr_sim_trace *trace, const yr_sim_image *durable, uint32_t index,
                    uint64_t size_before)
{
    const yr_sim_op *op = &trace->ops[index];
    piece item = {.ino = op->ino, .op = index};
    switch (op->kind) {
    case YR_SIM_TRACE_WRITE:
        if (op->off + op->size > size_before) {
            item.kind = PIECE_GROW;
            item.off = op->off + op->size;
            pieces_push(list, item);
        }
        push_data(list, trace, durable, index);
        return;
    case YR_SIM_TRACE_MAP_APPEND: push_data(list, trace, durable, index); return;
    case YR_SIM_TRACE_TRUNCATE:
        item.kind = op->size < size_before ? PIECE_TRUNCATE : PIECE_GROW;
        item.off = op->size;
        pieces_push(list, item);
        return;
    case YR_SIM_TRACE_MKDIR:
    case YR_SIM_TRACE_CREATE:
    case YR_SIM_TRACE_UNLINK:
        item.kind = PIECE_NAME;
        item.has_from = true;
        pieces_push(list, item);
        return;
    case YR_SIM_TRACE_RENAME:
        item.kind = PIECE_NAME;
        item.has_from = true;
        item.has_to = op->to_dir != op->dir;
        pieces_push(list, item);
        return;
    default: return;
    }
}

static void unlink_if_same(yr_sim_image *image, uint32_t dir, const char *name, uint32_t ino)
{
    if (yr_sim_image_find(image, dir, name) == ino) yr_sim_image_unlink(image, dir, name);
}

static void apply(yr_sim_image *image, const yr_sim_trace *trace, const piece *item)
{
    const yr_sim_op *op = &trace->ops[item->op];
    switch (item->kind) {
    case PIECE_DATA: yr_sim_image_write(image, item->ino, item->data, item->size, item->off); return;
    case PIECE_GROW:
        if (item->off > yr_sim_image_size(image, item->ino))
            yr_sim_image_set_size(image, item->ino, item->off);
        return;
    case PIECE_TRUNCATE:
        if (item->off < yr_sim_image_size(image, item->ino))
            yr_sim_image_set_size(image, item->ino, item->off);
        yr_sim_image_clip(image, item->ino);
        return;
    case PIECE_NAME: break;
    }
    if (op->kind == YR_SIM_TRACE_UNLINK) {
        unlink_if_same(image, op->dir, op->name, op->ino);
    } else if (op->kind == YR_SIM_TRACE_RENAME) {
        unlink_if_same(image, op->dir, op->name, op->ino);
        yr_sim_image_link(image, op->to_dir, op->to_name, op->ino);
    } else {
        yr_sim_image_link(image, op->dir, op->name, op->ino);
    }
}

/* Bytes that have become durable leave no doubt about what a failed sync left at the same place. */
static bool is_overwritten(const pieces *list, uint32_t index)
{
    const piece *old = &list->items[index];
    for (uint32_t i = index + 1; i < list->count; i++) {
        const piece *item = &list->items[i];
        if (item->kind != PIECE_DATA || item->ino != old->ino || item->is_stuck) continue;
        if (item->off < old->off + old->size && old->off < item->off + item->size) return true;
    }
    return false;
}

/* A sync of the file returned: its pieces become durable (laid over `durable` unless that is NULL). */
static void file_synced(pieces *list, const yr_sim_trace *trace, uint32_t ino, yr_sim_image *durable)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        piece *item = &list->items[i];
        bool is_ours = item->kind != PIECE_NAME && item->ino == ino;
        bool goes = is_ours && !item->is_stuck;
        if (is_ours && item->is_stuck && item->kind == PIECE_DATA) goes = is_overwritten(list, i);
        if (is_ours && !item->is_stuck && durable) apply(durable, trace, item);
        if (!goes) list->items[kept++] = *item;
    }
    list->count = kept;
}

/* Do two name operations end in the same directory entry? */
static bool is_same_entry(const yr_sim_op *a, const yr_sim_op *b)
{
    bool a_moves = a->kind == YR_SIM_TRACE_RENAME;
    bool b_moves = b->kind == YR_SIM_TRACE_RENAME;
    if ((a_moves ? a->to_dir : a->dir) != (b_moves ? b->to_dir : b->dir)) return false;
    return strcmp(a_moves ? a->to_name : a->name, b_moves ? b->to_name : b->name) == 0;
}

/* A name that has become durable leaves no doubt about what a failed sync left at the same entry, or of the same
 * file. */
static bool is_renamed_later(const pieces *list, const yr_sim_trace *trace, uint32_t index)
{
    const piece *old = &list->items[index];
    for (uint32_t i = index + 1; i < list->count; i++) {
        const piece *item = &list->items[i];
        if (item->kind != PIECE_NAME || item->is_stuck) continue;
        if (item->ino == old->ino || is_same_entry(&trace->ops[item->op], &trace->ops[old->op])) return true;
    }
    return false;
}

static void dir_synced(pieces *list, const yr_sim_trace *trace, uint32_t dir, yr_sim_image *durable)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        piece *item = &list->items[i];
        const yr_sim_op *op = &trace->ops[item->op];
        bool goes = false;
        if (item->kind == PIECE_NAME && item->is_stuck) {
            goes = op->dir == dir && is_renamed_later(list, trace, i);
        } else if (item->kind == PIECE_NAME) {
            if (op->dir == dir) item->has_from = false;
            if (op->to_dir == dir) item->has_to = false;
            goes = !item->has_from && !item->has_to;
            if (goes && durable) apply(durable, trace, item);
        }
        if (!goes) list->items[kept++] = *item;
    }
    list->count = kept;
}

static void sync_failed(pieces *list, const yr_sim_trace *trace, const yr_sim_op *op)
{
    bool is_dir = op->kind == YR_SIM_TRACE_DIR_SYNC_FAILED;
    for (uint32_t i = 0; i < list->count; i++) {
        piece *item = &list->items[i];
        const yr_sim_op *made = &trace->ops[item->op];
        bool is_name = item->kind == PIECE_NAME;
        bool is_hit = is_dir ? is_name && (made->dir == op->dir || (item->has_to && made->to_dir == op->dir))
                             : !is_name && item->ino == op->ino;
        if (is_hit) item->is_stuck = true;
    }
}

/* -- walking a trace -- */

typedef struct walk {
    const yr_sim_trace *trace;
    yr_sim_image durable;
    pieces coarse;
    pieces fine;
    uint64_t *sizes; /* of every file as the running program sees it */
    uint32_t size_count;
} walk;

static void walk_init(walk *w, const yr_sim_trace *trace)
{
    *w = (walk){.trace = trace, .coarse = {.grain = SECTOR_BYTES}, .fine = {.grain = UNIT_BYTES}};
    yr_sim_image_clone(&w->durable, &trace->base);
    w->size_count = trace->base.count + trace->count + 1;
    w->sizes = yr_sim_need(calloc(w->size_count, sizeof(uint64_t)));
    for (uint32_t i = 0; i < trace->base.count; i++) {
        if (trace->base.nodes[i]) w->sizes[i] = trace->base.nodes[i]->size;
    }
}

static void walk_deinit(walk *w)
{
    yr_sim_image_deinit(&w->durable);
    free(w->coarse.items);
    free(w->fine.items);
    free(w->sizes);
}

static void walk_step(walk *w, uint32_t index)
{
    const yr_sim_op *op = &w->trace->ops[index];
    YR_ASSERT(op->ino < w->size_count);
    switch (op->kind) {
    case YR_SIM_TRACE_MKDIR:
    case YR_SIM_TRACE_CREATE:
        yr_sim_image_add_at(&w->durable, op->ino, op->kind == YR_SIM_TRACE_MKDIR);
        break;
    case YR_SIM_TRACE_SYNC: /* both cuts describe the same bytes: lay them over the durable image once */
        file_synced(&w->coarse, w->trace, op->ino, NULL);
        file_synced(&w->fine, w->trace, op->ino, &w->durable);
        return;
    case YR_SIM_TRACE_DIR_SYNC:
        dir_synced(&w->coarse, w->trace, op->dir, NULL);
        dir_synced(&w->fine, w->trace, op->dir, &w->durable);
        return;
    case YR_SIM_TRACE_SYNC_FAILED:
    case YR_SIM_TRACE_DIR_SYNC_FAILED:
        sync_failed(&w->coarse, w->trace, op);
        sync_failed(&w->fine, w->trace, op);
        return;
    default: break;
    }
    uint64_t size_before = w->sizes[op->ino];
    push_op(&w->coarse, w->trace, &w->durable, index, size_before);
    push_op(&w->fine, w->trace, &w->durable, index, size_before);
    if (op->kind == YR_SIM_TRACE_TRUNCATE) w->sizes[op->ino] = op->size;
    if (op->kind == YR_SIM_TRACE_WRITE && op->off + op->size > size_before)
        w->sizes[op->ino] = op->off + op->size;
}

/* The disk when the pieces whose bit is set were lucky. */
static void build(yr_sim_image *image, const walk *w, const pieces *list, const uint64_t *keep)
{
    yr_sim_image_clone(image, &w->durable);
    for (uint32_t i = 0; i < list->count; i++) {
        if (keep[i / 64] >> i % 64 & 1) apply(image, w->trace, &list->items[i]);
    }
    uint32_t clipped = YR_SIM_NONE;
    for (uint32_t i = 0; i < list->count; i++) {
        const piece *item = &list->items[i];
        if (item->kind == PIECE_NAME || item->ino == clipped) continue;
        yr_sim_image_clip(image, item->ino);
        clipped = item->ino;
    }
}

/* -- exploring -- */

typedef struct explorer {
    const yr_crash_options *options;
    yr_crash_verify verify;
    void *arg;
    yr_crash_report *report;
    hash_set states; /* of image and acknowledged mark */
    hash_set images;
    yr_sim *sims[DEPTH_MAX + 1];
    yr_rng rng;
    uint64_t verified;
    uint64_t violations;
    bool is_over;
} explorer;

/* A walk being explored, and where it stands. */
typedef struct tour {
    explorer *ex;
    walk w;
    yr_crash_point point;
    bool has_begin_marks;
    const struct tour *outer; /* the crash whose recovery this trace is */
    uint64_t *keep;           /* room for one bit a piece */
    uint32_t keep_words;
} tour;

static void explore_trace(explorer *ex, const yr_sim_trace *trace, const tour *outer);

static void print_pieces(const tour *t, const pieces *list, bool is_kept)
{
    const uint32_t some = 12;
    uint32_t shown = 0, count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if ((t->keep[i / 64] >> i % 64 & 1) != is_kept) continue;
        count++;
        if (shown++ >= some) continue;
        const piece *item = &list->items[i];
        static const char *const kinds[] = {"data", "grow to", "truncate to", "name"};
        fprintf(stderr, "    %s: %s", is_kept ? "kept" : "lost", kinds[item->kind]);
        if (item->kind == PIECE_DATA) fprintf(stderr, " %u bytes at", item->size);
        if (item->kind != PIECE_NAME) fprintf(stderr, " %" PRIu64 " of node %u", item->off, item->ino);
        fprintf(stderr, " (operation %u)%s\n", item->op, item->is_stuck ? ", its sync failed" : "");
    }
    if (count > some) fprintf(stderr, "    ... and %u more %s\n", count - some, is_kept ? "kept" : "lost");
}

static void describe(const tour *t, const pieces *list)
{
    const explorer *ex = t->ex;
    fprintf(stderr, "crash '%s' (seed %" PRIu64 "): state %" PRIu64 " violates\n", ex->options->name,
            ex->options->seed, ex->verified);
    for (const tour *level = t; level; level = level->outer) {
        fprintf(stderr, "  %s after operation %u, commits acknowledged %" PRIu64 ", begun %" PRIu64 "\n",
                level->point.depth ? "cut inside recovery" : "cut", level->point.op, level->point.acked,
                level->point.begun);
        for (uint32_t i = level->point.op > 14 ? level->point.op - 14 : 0; i < level->point.op; i++) {
            char line[200];
            yr_sim_op_describe(&level->w.trace->ops[i], line, sizeof line);
            fprintf(stderr, "    %u: %s\n", i, line);
        }
    }
    print_pieces(t, list, true);
    print_pieces(t, list, false);
}

/* Let the verifier look at a state not seen before. */
static void show(tour *t, const pieces *list, const yr_sim_image *image)
{
    explorer *ex = t->ex;
    int depth = t->point.depth;
    if (!ex->sims[depth]) ex->sims[depth] = yr_sim_create(ex->options->seed + (uint64_t)depth + 1);
    yr_sim *disk = ex->sims[depth];
    uint32_t every = ex->options->nested_every ? ex->options->nested_every : 64;
    bool is_nested = depth < ex->options->depth && ex->verified % every == 0;
    ex->verified++;
    if (!is_nested && depth == 0 && ex->options->nested_only) return;
    yr_sim_reset(disk, image);
    if (t->point.op > 0) yr_sim_set_wall_ns(disk, t->w.trace->ops[t->point.op - 1].wall_ns);
    if (is_nested) yr_sim_trace_begin(disk);

    bool is_fine = ex->verify(ex->arg, disk, &t->point);
    if (is_fine && yr_sim_has_leaks(disk)) {
        yr_sim_leaks leaks = yr_sim_leaks_of(disk);
        is_fine = false;
        if (!ex->options->is_quiet) {
            fprintf(stderr, "left behind: %" PRIu64 " blocks, %" PRIu64 " ranges, %" PRIu64 " handles\n",
                    leaks.blocks, leaks.ranges, leaks.handles);
        }
    }
    if (!is_fine) {
        if (!ex->report->violations) ex->report->first_violation = ex->verified;
        ex->report->violations++;
        ex->violations++;
        uint32_t most = ex->options->violations_max ? ex->options->violations_max : 1;
        ex->is_over = ex->violations >= most;
        if (!ex->options->is_quiet) describe(t, list);
        return;
    }
    if (is_nested) {
        yr_sim_trace inner;
        yr_sim_trace_take(disk, &inner);
        explore_trace(ex, &inner, t);
        yr_sim_trace_deinit(&inner);
    }
}

static void consider(tour *t, const pieces *list)
{
    explorer *ex = t->ex;
    if (ex->is_over) return;
    yr_sim_image image;
    build(&image, &t->w, list, t->keep);
    ex->report->generated++;
    uint64_t hash = yr_sim_image_hash(&image);
    if (set_add(&ex->states, hash ^ t->point.acked * UINT64_C(0x9E3779B97F4A7C15))) {
        ex->report->distinct++;
        if (t->point.depth > 0) ex->report->nested++;
        if (set_add(&ex->images, hash)) {
            ex->report->images++;
            if (t->point.depth > 0) ex->report->nested_images++;
        }
        uint64_t most = ex->options->states_max;
        show(t, list, &image);
        if (most && ex->verified >= most) ex->is_over = true;
    }
    yr_sim_image_deinit(&image);
}

static void keep_range(tour *t, uint32_t from, uint32_t to)
{
    memset(t->keep, 0, t->keep_words * sizeof(uint64_t));
    for (uint32_t i = from; i < to; i++) t->keep[i / 64] |= UINT64_C(1) << i % 64;
}

static void consider_structured(tour *t, const pieces *list)
{
    uint32_t n = list->count;
    uint32_t most = t->ex->options->structured_max ? t->ex->options->structured_max : 48;
    uint32_t places = n < most ? n : most;
    keep_range(t, 0, 0);
    consider(t, list);
    keep_range(t, 0, n);
    consider(t, list);
    for (uint32_t i = 0; i < places; i++) {
        /* All places, or random ones, the newest piece always among them. */
        uint32_t at = i == 0 ? n - 1 : n <= most ? i - 1 : (uint32_t)yr_rng_below(&t->ex->rng, n);
        keep_range(t, 0, n);
        t->keep[at / 64] &= ~(UINT64_C(1) << at % 64);
        consider(t, list);
        keep_range(t, at, at + 1);
        consider(t, list);
        keep_range(t, 0, at);
        consider(t, list);
        keep_range(t, at, n);
        consider(t, list);
    }
}

static void consider_random(tour *t, const pieces *list)
{
    uint32_t count = t->ex->options->random_count ? t->ex->options->random_count : 48;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t out_of_8 = k % 3 == 0 ? 4 : k % 3 == 1 ? 1 : 7;
        memset(t->keep, 0, t->keep_words * sizeof(uint64_t));
        for (uint32_t i = 0; i < list->count; i++) {
            bool is_kept = yr_rng_next(&t->ex->rng) >> 61 < out_of_8;
            t->keep[i / 64] |= (uint64_t)is_kept << i % 64;
        }
        consider(t, list);
    }
}

static uint32_t exhaustive_max(const yr_crash_options *options)
{
    uint32_t most = options->exhaustive_max ? options->exhaustive_max : 12;
    return most < EXHAUSTIVE_LIMIT ? most : EXHAUSTIVE_LIMIT;
}

/* All subsets to be tried at the present place of the trace, with the pieces cut one way. */
static void consider_all(tour *t, pieces *list)
{
    uint32_t words = list->count / 64 + 1;
    if (words > t->keep_words) {
        t->keep = yr_sim_need(realloc(t->keep, words * sizeof(uint64_t)));
        t->keep_words = words;
    }
    if (list->count > t->ex->report->pieces_max) t->ex->report->pieces_max = list->count;
    if (list->count > exhaustive_max(t->ex->options)) {
        consider_structured(t, list);
        consider_random(t, list);
        return;
    }
    memset(t->keep, 0, t->keep_words * sizeof(uint64_t));
    uint64_t subset = list->tried ? UINT64_C(1) << list->tried : 0; /* with one of the new pieces at least */
    for (; subset < UINT64_C(1) << list->count && !t->ex->is_over; subset++) {
        t->keep[0] = subset;
        consider(t, list);
    }
    list->tried = list->count;
}

static void update_point(tour *t)
{
    const yr_sim_trace *trace = t->w.trace;
    yr_crash_point *point = &t->point;
    if (point->op > 0) {
        const yr_sim_op *last = &trace->ops[point->op - 1];
        if (last->kind == YR_SIM_TRACE_ACK && last->mark > point->acked) point->acked = last->mark;
        if (last->kind == YR_SIM_TRACE_BEGIN && last->mark > point->begun) point->begun = last->mark;
    }
    if (!t->has_begin_marks) {
        uint32_t i = point->op;
        while (i < trace->count && trace->ops[i].kind != YR_SIM_TRACE_ACK) i++;
        if (i < trace->count && trace->ops[i].mark > point->begun) point->begun = trace->ops[i].mark;
    }
    if (point->begun < point->acked) point->begun = point->acked;
}

static bool is_sync(const yr_sim_op *op)
{
    return op->kind == YR_SIM_TRACE_SYNC || op->kind == YR_SIM_TRACE_SYNC_FAILED ||
           op->kind == YR_SIM_TRACE_DIR_SYNC || op->kind == YR_SIM_TRACE_DIR_SYNC_FAILED;
}

/* Can there be states at this place of the trace that were not tried one operation earlier? */
static bool has_news(const tour *t, const yr_crash_point *before, const pieces *coarse, const pieces *fine)
{
    if (t->point.op == 0 || t->point.acked != before->acked) return true;
    uint32_t exhaustive = exhaustive_max(t->ex->options);
    switch (t->w.trace->ops[t->point.op - 1].kind) {
    case YR_SIM_TRACE_SYNC:
    case YR_SIM_TRACE_DIR_SYNC:
        /* Fewer doubts: nothing new, unless there were too many to try them all. */
        return coarse->count > exhaustive || fine->count > exhaustive;
    default: return coarse->count != t->w.coarse.count || fine->count != t->w.fine.count;
    }
}

static void explore_trace(explorer *ex, const yr_sim_trace *trace, const tour *outer)
{
    tour t = {.ex = ex, .outer = outer};
    if (outer) {
        t.point = outer->point;
        t.point.depth++;
    }
    walk_init(&t.w, trace);
    for (uint32_t i = 0; i < trace->count; i++) t.has_begin_marks |= trace->ops[i].kind == YR_SIM_TRACE_BEGIN;
    ex->report->ops += trace->count;
    for (uint32_t done = 0; done <= trace->count && !ex->is_over; done++) {
        const pieces coarse = t.w.coarse, fine = t.w.fine;
        const yr_crash_point before = t.point;
        t.point.op = done;
        if (done > 0) walk_step(&t.w, done - 1);
        update_point(&t);
        if (t.point.acked != before.acked || (done > 0 && is_sync(&trace->ops[done - 1])))
            t.w.coarse.tried = t.w.fine.tried = 0;
        if (!has_news(&t, &before, &coarse, &fine)) continue;
        consider_all(&t, &t.w.coarse);
        if (t.w.fine.count != t.w.coarse.count) consider_all(&t, &t.w.fine);
    }
    walk_deinit(&t.w);
    free(t.keep);
}

bool yr_crash_explore(const yr_sim_trace *trace, const yr_crash_options *options, yr_crash_verify verify,
                      void *arg, yr_crash_report *report)
{
    YR_ASSERT(options->depth >= 0 && options->depth <= DEPTH_MAX);
    explorer ex = {
        .options = options, .verify = verify, .arg = arg, .report = report, .rng = {options->seed}};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    explore_trace(&ex, trace, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    report->seconds += (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    for (int depth = 0; depth <= DEPTH_MAX; depth++) yr_sim_destroy(ex.sims[depth]);
    free(ex.states.slots);
    free(ex.images.slots);
    return ex.violations == 0;
}

void yr_crash_report_print(const char *name, const yr_crash_report *report, FILE *to)
{
    fprintf(to,
            "%-28s %7" PRIu64 " operations, %10" PRIu64 " states built, %9" PRIu64 " distinct (%" PRIu64
            " inside recovery), up to %" PRIu64 " pieces in doubt, %" PRIu64 " violations, %.1f s\n",
            name, report->ops, report->generated, report->distinct, report->nested, report->pieces_max,
            report->violations, report->seconds);
}

void yr_crash_cut(yr_sim *sim, enum yr_crash_keep keep, uint64_t seed)
{
    YR_ASSERT(!yr_sim_has_leaks(sim));
    yr_sim_trace trace;
    yr_sim_trace_take(sim, &trace);
    walk w;
    walk_init(&w, &trace);
    for (uint32_t i = 0; i < trace.count; i++) walk_step(&w, i);
    uint32_t words = w.fine.count / 64 + 1;
    uint64_t *bits = yr_sim_need(calloc(words, sizeof(uint64_t)));
    yr_rng rng = {seed};
    for (uint32_t i = 0; i < words; i++) {
        if (keep == YR_CRASH_KEEP_ALL) bits[i] = UINT64_MAX;
        if (keep == YR_CRASH_KEEP_RANDOM) bits[i] = yr_rng_next(&rng);
    }
    yr_sim_image image;
    build(&image, &w, &w.fine, bits);
    yr_sim_reset(sim, &image);
    yr_sim_trace_begin(sim);
    yr_sim_image_deinit(&image);
    free(bits);
    walk_deinit(&w);
    yr_sim_trace_deinit(&trace);
}

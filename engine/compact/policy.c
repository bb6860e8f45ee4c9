#include "engine/compact/policy.h"

#include <math.h>

#include "engine/base/yr_assert.h"

#define FAN_OUT 6u
#define IDLE_RUNS 4u
#define HOT_RUNS 4u
#define GARBAGE_RATIO 0.3
#define SMALL_BYTES (UINT64_C(1) << 20)
#define COLD_SAVING_MIN 0.05
#define EVEN_ENOUGH 0.9         /* of the bits that runs of exactly one size would gain */
#define IDLE_BITS 1.0           /* a byte, the least an idle merge may gain: two equal halves */
#define VERSIONS_MAX UINT32_MAX /* in a segment */

static yr_compact_options with_defaults(const yr_compact_options *options)
{
    yr_compact_options o = *options;
    if (o.runs_max == 0) o.runs_max = YR_COMPACT_RUNS_MAX;
    if (o.fan_out == 0) o.fan_out = FAN_OUT;
    if (o.fan_out < 2) o.fan_out = 2;
    if (o.garbage_ratio <= 0) o.garbage_ratio = GARBAGE_RATIO;
    if (o.small_bytes == 0) o.small_bytes = SMALL_BYTES;
    if (o.hot_runs == 0) o.hot_runs = HOT_RUNS;
    if (o.idle_runs == 0) o.idle_runs = IDLE_RUNS;
    return o;
}

static uint64_t run_bytes(const yr_compact_run *run)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < run->file_count; i++) bytes += run->files[i].bytes;
    return bytes;
}

/* A window of neighbours, and what merging it would gain. */
typedef struct window {
    uint32_t first, last;
    uint64_t bytes;
    bool has_large; /* not all of its runs are small */
    double bits;    /* a byte written */
} window;

/* What makes a window worth it. */
typedef struct demand {
    uint32_t width_min;
    double bits_min;
    bool only_small;
    bool is_widest; /* the widest is the best */
} demand;

static bool window_is_wanted(const window *w, const demand *wanted)
{
    if (wanted->only_small && w->has_large) return false;
    return w->last - w->first + 1 >= wanted->width_min && w->bits >= wanted->bits_min;
}

static bool window_is_better(const window *w, const window *best, const demand *wanted)
{
    uint32_t width = w->last - w->first, best_width = best->last - best->first;
    if (wanted->is_widest && width != best_width) return width > best_width;
    return w->bits > best->bits || (w->bits == best->bits && w->bytes < best->bytes);
}

/* The best window that P1 allows and that meets the demand; *is_starved when the budget alone stood in the way. */
static bool best_window(const yr_compact_run *runs, uint32_t count, const yr_compact_options *o,
                        const demand *wanted, window *best, bool *is_starved)
{
    bool any = false;
    for (uint32_t first = 0; first + 1 < count; first++) {
        window w = {.first = first};
        double whole = 0, parts = 0;
        for (uint32_t i = first; i < count && !runs[i].is_busy; i++) {
            uint64_t bytes = run_bytes(&runs[i]);
            /* Making a file has a price of its own: runs below `small` all count alike. */
            double weight = (double)(bytes < o->small_bytes ? o->small_bytes : bytes);
            w.last = i;
            w.bytes += bytes;
            w.has_large = w.has_large || bytes > o->small_bytes;
            whole += weight;
            parts += weight * log2(weight);
            w.bits = log2(whole) - parts / whole;
            if (runs[first].last_version - runs[i].after_version > VERSIONS_MAX) break;
            if (i == first || !window_is_wanted(&w, wanted)) continue;
            if (w.bytes > o->budget_bytes) {
                *is_starved = true;
            } else if (!any || window_is_better(&w, best, wanted)) {
                *best = w;
                any = true;
            }
        }
    }
    return any;
}

static bool is_cold(const yr_compact_options *o, uint32_t position, uint64_t bytes)
{
    if (o->is_pressed && !o->is_full) return false;
    if (o->cold_saving != 0 && o->cold_saving < COLD_SAVING_MIN) return false;
    return o->is_full || position >= o->hot_runs || bytes > o->hot_bytes;
}

static yr_compact_plan merge_plan(const yr_compact_run *runs, uint32_t count, const yr_compact_options *o,
                                  const window *w)
{
    uint16_t level = 0;
    uint64_t largest = 0;
    for (uint32_t i = w->first; i <= w->last; i++) {
        uint64_t bytes = run_bytes(&runs[i]);
        if (runs[i].level > level) level = runs[i].level;
        if (bytes > largest) largest = bytes;
    }
    bool is_grown = largest < w->bytes - w->bytes / 4 && level < UINT16_MAX;
    return (yr_compact_plan){.kind = YR_COMPACT_MERGE,
                             .first = w->first,
                             .last = w->last,
                             .level = (uint16_t)(level + is_grown),
                             .is_cold = is_cold(o, w->first, w->bytes),
                             .is_bottom = w->last + 1 == count,
                             .bytes = w->bytes};
}

static yr_compact_plan rewrite_plan(const yr_compact_run *runs, uint32_t count, const yr_compact_options *o,
                                    uint32_t run, uint32_t file)
{
    return (yr_compact_plan){.kind = YR_COMPACT_REWRITE,
                             .first = run,
                             .last = run,
                             .file = file,
                             .level = runs[run].level,
                             .is_cold = !runs[run].files[file].is_hot ||
                                        is_cold(o, run, run_bytes(&runs[run])),
                             .is_bottom = run + 1 == count,
                             .bytes = runs[run].files[file].bytes};
}

/* The file with the largest share of garbage above the ratio. */
static bool dirtiest_file(const yr_compact_run *runs, uint32_t count, const yr_compact_options *o,
                          uint32_t *run, uint32_t *file)
{
    double most = o->is_full ? 0 : o->garbage_ratio;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < runs[i].file_count && !runs[i].is_busy; k++) {
            const yr_compact_file *f = &runs[i].files[k];
            if (f->is_tried || f->bytes == 0 || f->bytes > o->budget_bytes) continue;
            double share = (double)f->garbage_bytes / (double)f->bytes;
            if (share <= most) continue;
            most = share;
            *run = i;
            *file = k;
            any = true;
        }
    }
    return any;
}

/* A hot file where new ones would be cold. */
static bool aged_file(const yr_compact_run *runs, uint32_t count, const yr_compact_options *o, uint32_t *run,
                      uint32_t *file)
{
    for (uint32_t i = 0; i < count; i++) {
        if (runs[i].is_busy || !is_cold(o, i, run_bytes(&runs[i]))) continue;
        for (uint32_t k = 0; k < runs[i].file_count; k++) {
            if (!runs[i].files[k].is_hot || runs[i].files[k].bytes > o->budget_bytes) continue;
            *run = i;
            *file = k;
            return true;
        }
    }
    return false;
}

/* Runs that will be there when the jobs at work are done: what one reads counts as what it makes. */
static uint32_t settled_count(const yr_compact_run *runs, uint32_t count)
{
    uint32_t settled = 0;
    for (uint32_t i = 0; i < count; i++) settled += !(i > 0 && runs[i].is_busy && runs[i - 1].is_busy);
    return settled;
}

yr_compact_plan yr_compact_next(const yr_compact_run *runs, uint32_t count, const yr_compact_options *options)
{
    yr_compact_options o = with_defaults(options);
    window w;
    uint32_t run = 0, file = 0;
    bool is_starved = false, is_urgent = settled_count(runs, count) > o.runs_max, ignored;
    for (uint32_t i = 0; i + 1 < count; i++) YR_ASSERT(runs[i].after_version == runs[i + 1].last_version);
    const demand needed = {.width_min = 2, .is_widest = o.is_full};
    if ((is_urgent || o.is_full) && best_window(runs, count, &o, &needed, &w, &is_starved)) {
        yr_compact_plan plan = merge_plan(runs, count, &o, &w);
        plan.is_urgent = is_urgent;
        return plan;
    }
    if (dirtiest_file(runs, count, &o, &run, &file)) return rewrite_plan(runs, count, &o, run, file);
    const demand wanted[] = {
        {.width_min = YR_COMPACT_SMALL_RUNS, .only_small = true},
        {.width_min = o.fan_out, .bits_min = EVEN_ENOUGH * log2(o.fan_out)},
        {.width_min = 2, .bits_min = IDLE_BITS * EVEN_ENOUGH}, /* when idle only */
    };
    uint32_t kinds = o.is_idle && count > o.idle_runs ? 3 : 2;
    for (uint32_t i = 0; i < kinds; i++) {
        if (best_window(runs, count, &o, &wanted[i], &w, &ignored)) return merge_plan(runs, count, &o, &w);
    }
    if ((o.is_idle || o.is_full) && aged_file(runs, count, &o, &run, &file))
        return rewrite_plan(runs, count, &o, run, file);
    return (yr_compact_plan){.kind = YR_COMPACT_NOTHING, .is_urgent = is_urgent, .is_starved = is_starved};
}

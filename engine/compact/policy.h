/* What to merge next. Pure: plain numbers about the runs in, one plan out.
 *
 * Runs are neighbours in time (I3), so only neighbours can be merged. Which ones is decided by what a merge gains for
 * what it writes: merging runs of sizes s1 .. sk into B = s1 + .. + sk brings each byte of run i closer to one sorted
 * whole by log2(B / si) bits, and all the bits that a store of S bytes in n flushes can ever gain are S log2 n. The
 * window with the most bits a byte written is therefore the cheapest way to fewer runs; no size classes are needed,
 * and a large old run is left alone until what is new compares with it. Between 1,000 flushes and 8 runs every byte is
 * written some five times, flushing included.
 *
 *   P1 Only neighbours; nothing that another job is busy with; nothing that does not fit the budget; no range of
 *      versions that a segment cannot hold.
 *   P2 More than runs_max runs: merge (is_urgent). Otherwise only what pays: fan_out or more runs of about one size,
 *      small runs in sets of YR_COMPACT_SMALL_RUNS, files whose garbage passes the ratio. An idle store is tidied
 *      further (is_idle), and `yore compact` makes one cold run of everything (is_full): both end by themselves.
 *   P3 A file is rewritten for its garbage once under the same rules (is_tried). */
#ifndef YR_POLICY_H
#define YR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define YR_COMPACT_RUNS_MAX 8u
#define YR_COMPACT_SMALL_RUNS 4u

typedef struct yr_compact_file {
    uint64_t bytes;
    uint64_t garbage_bytes; /* of bytes; an estimate */
    bool is_hot;
    bool is_tried; /* made or rewritten under the retention rules as they are: nothing more would go */
} yr_compact_file;

typedef struct yr_compact_run {
    uint64_t after_version;
    uint64_t last_version;
    uint16_t level;
    bool is_busy; /* another job reads it */
    const yr_compact_file *files;
    uint32_t file_count;
} yr_compact_run;

typedef struct yr_compact_options {
    uint32_t runs_max;     /* 0 = YR_COMPACT_RUNS_MAX */
    uint32_t fan_out;      /* runs of about one size that are merged without need; 0 = 6 */
    double garbage_ratio;  /* 0 = 0.3 */
    uint64_t budget_bytes; /* room for what a job writes; 0 = no room */
    uint64_t small_bytes;  /* runs up to this are small; 0 = 1 MiB */
    uint32_t hot_runs;     /* what is made among the youngest so many runs may be hot; 0 = 4 */
    uint64_t hot_bytes;    /* and is when it is at most this large */
    double cold_saving; /* share that the cold form saved lately: below 0.05 it is not used; 0 = not known */
    bool is_pressed; /* writers are ahead of merges: what is made stays hot, and turns cold when they rest */
    bool is_idle;    /* nobody waits: also do what only makes reads and space better */
    uint32_t idle_runs; /* when idle, merge down to so many; 0 = 4 */
    bool is_full;       /* somebody asked for it: one cold run without garbage, whatever it costs */
} yr_compact_options;

enum yr_compact_kind {
    YR_COMPACT_NOTHING,
    YR_COMPACT_MERGE,  /* runs [first, last] become one */
    YR_COMPACT_REWRITE /* file `file` of run `first` is made anew in its place */
};

typedef struct yr_compact_plan {
    enum yr_compact_kind kind;
    uint32_t first; /* runs are numbered newest first */
    uint32_t last;
    uint32_t file;
    uint16_t level;  /* of the output */
    bool is_cold;    /* form of the output */
    bool is_bottom;  /* there is nothing older below */
    bool is_urgent;  /* there are more runs than there should be */
    bool is_starved; /* with NOTHING: something urgent did not fit the budget */
    uint64_t bytes;  /* of the inputs: at most so many are written */
} yr_compact_plan;

/* `runs` newest first. */
yr_compact_plan yr_compact_next(const yr_compact_run *runs, uint32_t count,
                                const yr_compact_options *options);

#endif

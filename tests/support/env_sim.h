/* A whole yore_env in memory: a disk, a clock, random numbers, memory. Deterministic: the same calls with the
 * same seed give the same bytes. One thread; thread_create says -ENOTSUP and sleeping moves the clock.
 *
 *     yr_sim *sim = yr_sim_create(42);
 *     options.env = yr_sim_env(sim);
 *     yr_sim_trace_begin(sim);
 *     ... run the store; yr_sim_begin(sim, n) before commit n, yr_sim_ack(sim, n) after it returned ...
 *     const yr_sim_trace *trace = yr_sim_trace_end(sim);   for crash_explorer.h
 *
 * The disk shows every change at once (like a page cache). What a power cut would leave of it is the crash
 * explorer's business, which reads the trace.
 */
#ifndef YR_ENV_SIM_H
#define YR_ENV_SIM_H

#include <yore/env.h>

#include "tests/support/sim_disk.h"

typedef struct yr_sim yr_sim;

yr_sim *yr_sim_create(uint64_t seed);
/* Handles and memory still in use are forgotten: check yr_sim_leaks first. */
void yr_sim_destroy(yr_sim *sim);
const yore_env *yr_sim_env(yr_sim *sim);

/* As after a restart of the machine with this disk: no handles, locks, faults, trace; the clock goes on.
 * `image` is cloned; NULL = an empty disk. */
void yr_sim_reset(yr_sim *sim, const yr_sim_image *image);
const yr_sim_image *yr_sim_image_of(const yr_sim *sim);

/* -- trace -- */
/* From here on operations are recorded; what is on the disk now counts as durable. */
void yr_sim_trace_begin(yr_sim *sim);
/* Stops recording. The trace stays the sim's, valid until the next begin, reset or destroy. */
const yr_sim_trace *yr_sim_trace_end(yr_sim *sim);
/* Hand the trace over; the caller deinits it. */
void yr_sim_trace_take(yr_sim *sim, yr_sim_trace *out);
void yr_sim_begin(yr_sim *sim, uint64_t mark); /* commit `mark` (from 1, rising) is about to be asked for */
void yr_sim_ack(yr_sim *sim, uint64_t mark);   /* commit `mark` was acknowledged */

/* -- faults -- */
#define YR_SIM_OP_WRITE 1u  /* pwrite and truncate */
#define YR_SIM_OP_APPEND 2u /* map_append */
#define YR_SIM_OP_SYNC 4u   /* of a file */
#define YR_SIM_OP_OPEN 8u   /* open and create of files */
#define YR_SIM_OP_RENAME 16u
#define YR_SIM_OP_UNLINK 32u
#define YR_SIM_OP_DIR_SYNC 64u /* of a directory or the parent of a path */
#define YR_SIM_OP_READ 128u    /* pread, size */
#define YR_SIM_OP_DIR 256u     /* dir_open, dir_open_at, dir_list */
#define YR_SIM_OP_MAP 512u
#define YR_SIM_OP_LOCK 1024u /* lock and lock_test */
#define YR_SIM_OP_ANY 2047u

typedef struct yr_sim_fault {
    uint32_t kinds; /* YR_SIM_OP_..., or-ed; 0 = no fault */
    uint64_t nth;   /* 1 = the next such operation */
    int os_errno;   /* positive */
    bool sticky;    /* from then on every such operation fails, else once */
    bool is_short;  /* a pwrite of more than one byte does half and says so, instead of failing */
} yr_sim_fault;

/* Replaces the fault set before. */
void yr_sim_set_fault(yr_sim *sim, yr_sim_fault fault);
/* How often the fault struck since it was set; 0 tells a loop over nth that it is past the end. */
uint64_t yr_sim_fault_hits(const yr_sim *sim);
/* Operations of these kinds so far. */
uint64_t yr_sim_op_count(const yr_sim *sim, uint32_t kinds);

/* Fail the nth allocation from now (1 = the next; 0 = none), once or from then on. Counts alloc, growing or
 * shrinking realloc, and vm_reserve. */
void yr_sim_fail_alloc(yr_sim *sim, uint64_t nth, bool sticky);
uint64_t yr_sim_alloc_fault_hits(const yr_sim *sim);
uint64_t yr_sim_alloc_count(const yr_sim *sim);

/* Past `bytes` of files (rounded up to pages) writes fall short, then fail with `os_errno` (ENOSPC, EDQUOT);
 * UINT64_MAX = no limit. May be raised or lowered at any time. */
void yr_sim_set_capacity(yr_sim *sim, uint64_t bytes, int os_errno);
uint64_t yr_sim_used_bytes(const yr_sim *sim);
/* Every change fails with EROFS. */
void yr_sim_set_read_only(yr_sim *sim, bool read_only);
/* Does map work? Yes at first. */
void yr_sim_set_map_support(yr_sim *sim, bool has_map);

/* -- the rest of the world -- */
void yr_sim_set_wall_ns(yr_sim *sim, int64_t ns);
void yr_sim_advance_ns(yr_sim *sim, int64_t ns);
/* What every look at a clock adds to it; 1,000 at first. */
void yr_sim_set_tick_ns(yr_sim *sim, int64_t ns);
void yr_sim_set_process_id(yr_sim *sim, int64_t pid);
/* Start the random numbers over. */
void yr_sim_set_seed(yr_sim *sim, uint64_t seed);
/* Called before every file operation (with its YR_SIM_OP_ kind), and at every named point (kind 0, its name);
 * the place to look at a store in the middle of a commit. Not called for what it does itself. */
typedef void (*yr_sim_hook)(void *arg, yr_sim *sim, uint32_t kind, const char *point);
void yr_sim_set_hook(yr_sim *sim, yr_sim_hook hook, void *arg);

/* -- leaks: what the code under test has not given back -- */
typedef struct yr_sim_leaks {
    uint64_t blocks;
    uint64_t bytes;
    uint64_t ranges;  /* of vm_reserve */
    uint64_t handles; /* files and directories */
} yr_sim_leaks;
yr_sim_leaks yr_sim_leaks_of(const yr_sim *sim);
bool yr_sim_has_leaks(const yr_sim *sim);
/* The most bytes ever out at once since the reset. */
uint64_t yr_sim_peak_bytes(const yr_sim *sim);

/* -- the disk from the outside: paths like "db/LOCK"; not traced, no faults; false or -1 when it is not there -- */
int64_t yr_sim_file_size(const yr_sim *sim, const char *path);
bool yr_sim_file_read(const yr_sim *sim, const char *path, void *to, size_t size, uint64_t off);
bool yr_sim_file_write(yr_sim *sim, const char *path, const void *from, size_t size, uint64_t off);
bool yr_sim_file_truncate(yr_sim *sim, const char *path, uint64_t size);
bool yr_sim_file_flip(yr_sim *sim, const char *path, uint64_t bit);
bool yr_sim_file_zero(yr_sim *sim, const char *path, uint64_t off, uint64_t size);
bool yr_sim_file_create(yr_sim *sim, const char *path); /* empty; directories on the way are made */
bool yr_sim_file_remove(yr_sim *sim, const char *path);
bool yr_sim_file_rename(yr_sim *sim, const char *from, const char *to);
/* Has anybody opened a node (sim_disk.h) since the reset? Until then nothing can depend on what is in it. */
bool yr_sim_was_opened(const yr_sim *sim, uint32_t ino);
bool yr_sim_is_tracing(const yr_sim *sim);
/* The index-th name in a directory, in no particular order; NULL past the end. */
const char *yr_sim_dir_name(const yr_sim *sim, const char *dir, uint32_t index);

#endif

/* What may be left on the disk when the power goes? Given a trace, enumerate the legal answers and show each
 * new one to a verifier as a fresh simulated machine.
 *
 * After every operation of the trace the pieces not yet synced may each be there or not, independently:
 *   - of a pwrite, its 512-byte sectors (first pass) and its 8-byte units (second pass);
 *   - of a map_append, the same (so any 8-byte unit, at any instant);
 *   - a length change without the data (a gap reads as zeros), and data whose length change is missing is cut off;
 *   - each create, mkdir, rename and unlink, until its directory is synced (both directories for a rename
 *     across two); syncing a file makes its bytes and length durable, never its name;
 *   - what a failed sync left behind: in doubt for ever, whatever later syncs say.
 * Up to `exhaustive_max` pieces all subsets are tried, else all, none, and all-but-one, only-one, prefix and
 * suffix at `structured_max` places each, and `random_count` random ones.
 *
 * A state is verified once for every level of acknowledged commits it occurs at: what was a fine disk before
 * commit 7 was acknowledged is a lost commit after it.
 */
#ifndef YR_CRASH_EXPLORER_H
#define YR_CRASH_EXPLORER_H

#include <stdio.h>

#include "tests/support/env_sim.h"

typedef struct yr_crash_point {
    uint64_t acked; /* the highest mark acknowledged before the cut; 0 = none */
    uint64_t begun; /* the highest mark that may be there as well (without begin marks: the next one acked) */
    uint32_t op;    /* the cut comes after this many operations */
    int depth;      /* 0, or how many crashes inside recovery came before */
} yr_crash_point;

/* Open the store on `disk` and look. False = a violation; say what on stderr. With depth > 0 the disk is
 * being traced: what the verifier does to it (recovery, and perhaps another commit with its marks) is cut again.
 * Handles and memory left behind count as violations. */
typedef bool (*yr_crash_verify)(void *arg, yr_sim *disk, const yr_crash_point *point);

typedef struct yr_crash_options {
    const char *name; /* of the script, for reports */
    uint64_t seed;
    uint32_t exhaustive_max; /* 0 = 12, 20 at most */
    uint32_t structured_max; /* 0 = 48 */
    uint32_t random_count;   /* 0 = 48 */
    uint64_t states_max;     /* stop after so many distinct states; 0 = never */
    int depth;               /* crash inside recovery too, so many times nested; 0 = no */
    uint32_t nested_every;   /* in one state of so many; 0 = 64 */
    bool nested_only;        /* show no others: they were seen before */
    uint32_t violations_max; /* stop after so many; 0 = 1 */
    bool is_quiet;           /* do not describe violations: the caller expects them */
} yr_crash_options;

typedef struct yr_crash_report {
    uint64_t ops;       /* operations of the traces */
    uint64_t generated; /* states built */
    uint64_t
        distinct;    /* different disks, or the same disk at another level of acknowledgement; all verified */
    uint64_t images; /* different disks */
    uint64_t nested; /* of `distinct`, those inside recovery */
    uint64_t nested_images; /* of `images`, those that only a cut inside recovery leaves */
    uint64_t pieces_max;    /* most pieces in doubt at once */
    uint64_t violations;
    uint64_t first_violation; /* how many states were verified up to the first one */
    double seconds;
} yr_crash_report;

/* Adds to *report (zero it first). Returns true when there was no violation. */
bool yr_crash_explore(const yr_sim_trace *trace, const yr_crash_options *options, yr_crash_verify verify,
                      void *arg, yr_crash_report *report);
void yr_crash_report_print(const char *name, const yr_crash_report *report, FILE *to);

/* How one power cut goes. */
enum yr_crash_keep {
    YR_CRASH_KEEP_NONE = 1, /* nothing that was not synced */
    YR_CRASH_KEEP_ALL,      /* everything: as kill -9 leaves it */
    YR_CRASH_KEEP_RANDOM    /* a random subset of 8-byte pieces */
};
/* Cut the power at the end of the sim's trace and restart on what is left. The sim must have a trace; its
 * handles must be closed (closing may write: end the trace first). A new trace begins. */
void yr_crash_cut(yr_sim *sim, enum yr_crash_keep keep, uint64_t seed);

#endif

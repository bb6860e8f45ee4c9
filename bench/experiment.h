/* What engines with branches do in the rows about experiments (workload_experiments.c): yore and DoltLite.
 *
 * A store has one line of work with a shared beginning, "main", and branches of it. Calls end the program when
 * something is not as it must be. */
#ifndef BENCH_EXPERIMENT_H
#define BENCH_EXPERIMENT_H

#include "bench/bench.h"

#define EXPERIMENT_KEYS 10000u /* in the first commit of main */

typedef struct experiment_driver {
    void *(*open)(const char *dir);
    void (*close)(void *store);
    /* One commit on main: keys 0..EXPERIMENT_KEYS-1. */
    void (*load)(void *store);
    /* One commit on main that overwrites key 0 and key `other`; `commit` counts from 1. */
    void (*commit)(void *store, uint64_t commit, uint64_t other);
    /* A branch of main as it is; main is checked out. */
    void (*fork)(void *store, const char *name);
    /* One commit on a branch that overwrites keys first..first+n-1. */
    void (*change)(void *store, const char *name, uint64_t first, uint64_t n);
    /* Where the engine works on one branch at a time: on this one from now on. NULL where it does not. */
    void (*checkout)(void *store, const char *name);
    /* `from` into `into`, which is checked out; both have changed since their fork, no key in both. */
    void (*merge)(void *store, const char *from, const char *into);
    /* All versions of key 0 on main: how many, and the bytes of their values. */
    uint64_t (*history)(void *store, uint64_t *bytes);
    /* Keys that differ between main's first commit and its `commits`th after that, and the bytes of their new values.
     */
    uint64_t (*diff)(void *store, uint64_t commits, uint64_t *bytes);
    /* What the engine has written for its commits until now; files that are made ahead do not count. */
    uint64_t (*stored_bytes)(void *store);
} experiment_driver;

extern const experiment_driver experiment_yore;
extern const experiment_driver experiment_doltlite;

/* -- DoltLite (experiment_doltlite.c) -- */

/* The shell that YORE_BENCH_DOLTLITE names, NULL when it names none. */
const char *experiment_doltlite_shell(void);

#endif

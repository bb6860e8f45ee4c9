/* The two ends of a stage (workload.h) in bench_main.c. */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include "bench/workload.h"

/* The program's argv, which a stage is started with again: same sizes, same rows. Kept by the caller. */
void stage_arguments_set(char **arguments);

/* Does what the hidden option --stage says; returns the exit code. */
int stage_main(const char *what);

#endif

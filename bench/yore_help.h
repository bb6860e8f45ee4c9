/* Calls of yore that must succeed, shared by its driver and the workloads only yore has. */
#ifndef BENCH_YORE_HELP_H
#define BENCH_YORE_HELP_H

#include <yore.h>

/* Ends the program unless status is YORE_OK. err may be NULL. */
void yore_help_must(yore_status status, const yore_error *err, const char *what);

/* Creates and opens a store at `dir`, which must not exist. */
yore_db *yore_help_open(const char *dir, uint32_t sync);

/* The handle inside a store of bench_driver_yore. */
yore_db *yore_help_db(void *store);

yore_stats yore_help_stats(yore_db *db);

/* What the store did by itself until now, in words. */
void yore_help_work(yore_db *db, char *out, size_t size);

#endif

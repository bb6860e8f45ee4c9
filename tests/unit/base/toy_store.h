/* A log of numbered records in 200 lines, right unless told to be wrong: the proving ground of the simulated
 * disk and the crash explorer. Directory "toy", files "log" and "log.new". */
#ifndef YR_TOY_STORE_H
#define YR_TOY_STORE_H

#include <stdbool.h>

#include "tests/support/crash_explorer.h"

/* Known ways to lose data. */
#define TOY_NO_SYNC 1u             /* an append is not synced */
#define TOY_ACK_BEFORE_SYNC 2u     /* ... or only after it was acknowledged */
#define TOY_NO_DIR_SYNC 4u         /* new names are not synced */
#define TOY_NO_PARENT_SYNC 8u      /* the name of the store's own directory */
#define TOY_RENAME_BEFORE_SYNC 16u /* the new log takes the old one's name before its bytes are safe */
#define TOY_NO_CHECKSUM 32u        /* a record counts when its number is right */
#define TOY_KEEP_TORN_TAIL 64u     /* reopening appends behind what it could not read */
#define TOY_RETRY_SYNC 128u        /* a failed sync is tried again and believed */
#define TOY_UNLINK_FIRST 512u      /* the old log's name goes before the new one takes it */
#define TOY_REWRITE_IN_PLACE 1024u /* the log is cut and written again where it is */
/* Not a bug: append through a mapping into a log written full of zeros. */
#define TOY_MAPPED 256u

typedef struct toy {
    const yore_env *env;
    unsigned ways;
    yore_dir *dir;
    yore_file *log;
    uint64_t records;
    uint64_t end;
} toy;

/* 0 or -errno. Creates the store when missing. Counts the records it finds into t->records. */
int toy_open(toy *t, const yore_env *env, unsigned ways);
void toy_close(toy *t);
/* Appends record t->records + 1; `sim` (may be NULL) is told when it is acknowledged. */
int toy_append(toy *t, yr_sim *sim);
/* Rewrites the log into a new file that takes its place. */
int toy_rewrite(toy *t);

#endif

/* Which value files can go, and which should be written anew: pure policy over sums.
 *
 *     one yr_value_usage a file, by ascending file id -> yr_value_usage_add for each value file that each segment of
 *     the store refers to -> yr_value_collect
 *
 * The segments must be all that the manifest is about to hold: a file no segment refers to is dead, and is unlinked
 * once a manifest without it is durable. A file whose segment is not installed yet is not given here. To rewrite a
 * file is to merge the segments that refer to it, moving the values that live to a new file; then it is dead. */
#ifndef YR_VALUE_COLLECT_H
#define YR_VALUE_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_value_usage {
    uint64_t file_id;
    uint64_t file_bytes;
    uint64_t value_bytes; /* of all values in it, from its footer */
    uint64_t live_count;  /* what is referred to */
    uint64_t live_bytes;
} yr_value_usage;

/* So many values of so many bytes of a file are referred to. False when the file is not one of them: it is missing. */
bool yr_value_usage_add(yr_value_usage *usages, uint32_t count, uint64_t file_id, uint64_t live_count,
                        uint64_t live_bytes);

enum yr_value_fate { YR_VALUES_KEEP, YR_VALUES_DEAD, YR_VALUES_REWRITE };

typedef struct yr_value_policy {
    uint32_t
        garbage_percent; /* a file is rewritten when more of its values' bytes are dead; 0 = 50, at most 100 */
    uint64_t moved_bytes_max; /* live bytes to move in one go (but one file always may be); 0 = 256 MiB */
} yr_value_policy;

typedef struct yr_value_plan {
    uint32_t dead;
    uint32_t rewrites;
    uint64_t freed_bytes; /* by unlinking the dead files */
    uint64_t moved_bytes; /* live values of the files to rewrite */
    uint64_t saved_bytes; /* by rewriting them */
} yr_value_plan;

/* Fills fates[0 .. count). Files with the least to move for what they give come first. */
void yr_value_collect(const yr_value_usage *usages, uint32_t count, const yr_value_policy *policy,
                      enum yr_value_fate *fates, yr_value_plan *plan);

#endif

/* The value files of a store at one moment: an immutable list by file id that goes with the list of runs.
 *
 * create -> ref, unref ... ; the last unref lets the files go. Any number of threads. */
#ifndef YR_VALUE_SET_H
#define YR_VALUE_SET_H

#include "engine/segment/value_collect.h"
#include "engine/segment/value_file.h"

typedef struct yr_value_set yr_value_set;

/* Files in any order, each number once (YORE_ERR_CORRUPT if not). The set takes a reference of its own to each. */
yore_status yr_value_set_create(const yore_env *env, yr_value_file *const *files, uint32_t count,
                                yr_value_set **out, yore_error *err);
void yr_value_set_ref(yr_value_set *set);
/* NULL is allowed. */
void yr_value_set_unref(yr_value_set *set);

uint32_t yr_value_set_count(const yr_value_set *set);
/* By ascending file id; borrowed from the set. */
yr_value_file *yr_value_set_at(const yr_value_set *set, uint32_t i);
/* NULL when there is none; borrowed. */
yr_value_file *yr_value_set_find(const yr_value_set *set, uint64_t file_id);
/* What value_collect.h counts up: one for each file, in order, with nothing referred to yet. */
void yr_value_set_usages(const yr_value_set *set, yr_value_usage *usages);
/* The value, pinned, as yr_value_file_get; YORE_ERR_CORRUPT that names the file when it is not in the set. */
yore_status yr_value_set_get(const yr_value_set *set, const yr_value_ref *ref, yr_block_pin *pin,
                             yore_error *err);
/* The same for a reference as a row holds it. */
yore_status yr_value_set_get_encoded(const yr_value_set *set, yore_slice encoded, yr_block_pin *pin,
                                     yore_error *err);

#endif

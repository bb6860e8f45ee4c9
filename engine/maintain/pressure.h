/* Back-pressure: writers are slowed down smoothly to what flushing keeps up with, never stopped at a cliff. */
#ifndef YR_PRESSURE_H
#define YR_PRESSURE_H

#include "engine/maintain/maintainer.h"

#define YR_PRESSURE_RUNS 12u      /* from here on merges are behind; the policy wants YR_COMPACT_RUNS_MAX */
#define YR_PRESSURE_FROZEN_MAX 2u /* memtables that wait to be flushed at most: then the newest one grows */

/* Pure: how long a MiB of writes should take at least, 0 = as fast as it likes.
 * frozen        memtables that wait
 * fill          of the newest one, 0..1 and beyond
 * flush_ns_mib  what flushing a MiB takes */
int64_t yr_pressure_ns_per_mib(uint32_t frozen, double fill, int64_t flush_ns_mib);
/* Pure: the same by the number of runs, and what merging a MiB takes. 0 where nothing is merged (damage stopped it, or
 * there is no thread for it): waiting would not help. */
int64_t yr_pressure_runs_ns_per_mib(uint32_t runs, int64_t merge_ns_mib, bool is_merging);

/* Leader: wait a little if the group just made was too much. */
void yr_pressure_slow_down(yr_maintainer *maintainer);
/* A flush of so many bytes of memory took so long. */
void yr_pressure_measured(yr_maintainer *maintainer, uint64_t bytes, int64_t ns);
/* And a merge of so many bytes of segments; `runs` are left. */
void yr_pressure_merged(yr_maintainer *maintainer, uint64_t bytes, int64_t ns, uint32_t runs);

#endif

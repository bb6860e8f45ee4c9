#include "engine/db/refresh_policy.h"

bool yr_refresh_is_large(const yr_refresh_facts *facts)
{
    if (facts->every) return facts->last_version - facts->base_version >= facts->every;
    return facts->memtable_bytes > facts->memtable_bytes_max;
}

bool yr_refresh_pays(const yr_refresh_facts *facts)
{
    uint64_t versions = facts->last_version - facts->base_version;
    uint64_t flushed =
        facts->flushed_version > facts->base_version ? facts->flushed_version - facts->base_version : 0;
    if (yr_refresh_is_large(facts) && flushed > 0 && flushed >= versions / 2) return true;
    return facts->dropped_bytes > facts->listed_bytes && facts->dropped_bytes > facts->memtable_bytes_max;
}

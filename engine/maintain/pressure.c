#include "engine/maintain/pressure.h"

enum {
    MIB = 1 << 20,
    DEBT_MIN_NS = 200000,      /* a sleep is never much shorter than this */
    DEBT_MAX_NS = 20000000,    /* nor should one group wait longer */
    FLUSH_NS_FIRST = 10000000, /* a MiB, until it has been measured */
    MERGE_NS_FIRST = 15000000, /* likewise */
    RUNS_OVER_MAX = 20
};

int64_t yr_pressure_ns_per_mib(uint32_t frozen, double fill, int64_t flush_ns_mib)
{
    if (frozen == 0) return 0;
    if (fill > 4) fill = 4;
    /* 0 when one waits and the next one has just begun; 1 when as many wait as may, and the newest is full */
    double pressure = ((double)(frozen - 1) + fill) / (double)YR_PRESSURE_FROZEN_MAX;
    if (pressure < 0.25) return 0;
    /* at 0.25 half of what flushing takes, at 0.5 as much, then ever more */
    return (int64_t)((double)flush_ns_mib * pressure * 2 * (pressure > 0.5 ? 1 + 4 * (pressure - 0.5) : 1));
}

int64_t yr_pressure_runs_ns_per_mib(uint32_t runs, int64_t merge_ns_mib, bool is_merging)
{
    if (runs <= YR_PRESSURE_RUNS || !is_merging) return 0;
    /* Each byte is merged about twice on its way down: four runs more than there should be slow writers to that, and
     * twice as many to half of it, so that the merges catch up. */
    uint32_t over = runs - YR_PRESSURE_RUNS;
    return merge_ns_mib * (int64_t)(over < RUNS_OVER_MAX ? over : RUNS_OVER_MAX) / 2;
}

/* What a MiB of writes owes now, and why. */
static int64_t rate_now(const yr_maintainer *m, uint64_t used, uint32_t *reason)
{
    const yr_layers *layers = yr_store_layers(m->store);
    uint64_t flush = atomic_load_explicit(&m->flush_ns_per_mib, memory_order_relaxed); /* statistics, */
    uint64_t merge = atomic_load_explicit(&m->merge_ns_per_mib, memory_order_relaxed); /* both */
    double fill = (double)used / (double)(m->options.memtable_bytes + 1);
    int64_t by_memory =
        yr_pressure_ns_per_mib(layers->mem_count - 1, fill, flush ? (int64_t)flush : FLUSH_NS_FIRST);
    bool is_merging = atomic_load_explicit(&m->is_merging, memory_order_relaxed); /* a hint */
    int64_t by_runs =
        yr_pressure_runs_ns_per_mib(layers->run_count, merge ? (int64_t)merge : MERGE_NS_FIRST, is_merging);
    *reason = by_runs > by_memory ? YORE_STALL_RUNS : YORE_STALL_MEMORY;
    return by_runs > by_memory ? by_runs : by_memory;
}

void yr_pressure_slow_down(yr_maintainer *m)
{
    yr_store *store = m->store;
    uint64_t used =
        atomic_load_explicit(&store->mem->region.used, memory_order_relaxed); /* the leader's own */
    uint64_t written = used > m->seen_bytes ? used - m->seen_bytes : 0;
    uint32_t reason;
    int64_t rate = rate_now(m, used, &reason);
    m->seen_bytes = used;
    m->debt_ns = rate ? m->debt_ns + (int64_t)((double)written / MIB * (double)rate) : 0;
    if (m->debt_ns < DEBT_MIN_NS) return;
    int64_t ns = m->debt_ns < DEBT_MAX_NS ? m->debt_ns : DEBT_MAX_NS;
    m->debt_ns = 0;
    atomic_fetch_add_explicit(&m->stats.stall_ns, (uint64_t)ns, memory_order_relaxed); /* a statistic */
    atomic_store_explicit(&m->stats.stall_reason, reason, memory_order_relaxed);
    (void)yr_art_settle(store->mem->art); /* a scan would wait with us otherwise */
    store->env->sleep_ns(store->env->ctx, ns);
}

/* A running mean of what a MiB takes. One job of a kind at a time. */
static void measured(_Atomic uint64_t *ns_per_mib, uint64_t bytes, int64_t ns)
{
    uint64_t fresh = (uint64_t)((double)ns * MIB / (double)(bytes + 1));
    uint64_t old = atomic_load_explicit(ns_per_mib, memory_order_relaxed); /* a statistic */
    atomic_store_explicit(ns_per_mib, old ? (old * 3 + fresh) / 4 : fresh, memory_order_relaxed);
}

/* A reason that is none any more. */
static void no_longer(yr_maintainer *m, uint32_t reason)
{
    (void)atomic_compare_exchange_strong_explicit(&m->stats.stall_reason, &reason, YORE_STALL_NONE,
                                                  memory_order_relaxed, memory_order_relaxed);
}

void yr_pressure_measured(yr_maintainer *m, uint64_t bytes, int64_t ns)
{
    measured(&m->flush_ns_per_mib, bytes, ns);
    no_longer(m, YORE_STALL_MEMORY);
}

void yr_pressure_merged(yr_maintainer *m, uint64_t bytes, int64_t ns, uint32_t runs)
{
    if (bytes >= MIB) measured(&m->merge_ns_per_mib, bytes, ns);
    if (runs <= YR_PRESSURE_RUNS) no_longer(m, YORE_STALL_RUNS);
}

#include "engine/maintain/pressure.h"

enum {
    MIB = 1 << 20,
    DEBT_MIN_NS = 200000,     /* a sleep is never much shorter than this */
    DEBT_MAX_NS = 20000000,   /* nor should one group wait longer */
    FLUSH_NS_FIRST = 10000000 /* a MiB, until it has been measured */
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

void yr_pressure_slow_down(yr_maintainer *m)
{
    yr_store *store = m->store;
    uint32_t frozen = yr_store_layers(store)->mem_count - 1;
    if (frozen == 0) {
        m->debt_ns = 0;
        m->seen_bytes = 0;
        return;
    }
    uint64_t used =
        atomic_load_explicit(&store->mem->region.used, memory_order_relaxed); /* the leader's own */
    uint64_t written = used > m->seen_bytes ? used - m->seen_bytes : 0;
    m->seen_bytes = used;
    uint64_t measured = atomic_load_explicit(&m->flush_ns_per_mib, memory_order_relaxed);
    double fill = (double)used / (double)(m->options.memtable_bytes + 1);
    int64_t rate = yr_pressure_ns_per_mib(frozen, fill, measured ? (int64_t)measured : FLUSH_NS_FIRST);
    m->debt_ns += (int64_t)((double)written / MIB * (double)rate);
    if (m->debt_ns < DEBT_MIN_NS) return;
    int64_t ns = m->debt_ns < DEBT_MAX_NS ? m->debt_ns : DEBT_MAX_NS;
    m->debt_ns = 0;
    atomic_fetch_add_explicit(&m->stats.stall_ns, (uint64_t)ns, memory_order_relaxed); /* a statistic */
    atomic_store_explicit(&m->stats.stall_reason, YORE_STALL_MEMORY, memory_order_relaxed);
    (void)yr_art_settle(store->mem->art); /* a scan would wait with us otherwise */
    store->env->sleep_ns(store->env->ctx, ns);
}

void yr_pressure_measured(yr_maintainer *m, uint64_t bytes, int64_t ns)
{
    uint64_t fresh = (uint64_t)((double)ns * MIB / (double)(bytes + 1));
    uint64_t old = atomic_load_explicit(&m->flush_ns_per_mib, memory_order_relaxed); /* one flush at a time */
    atomic_store_explicit(&m->flush_ns_per_mib, old ? (old * 3 + fresh) / 4 : fresh, memory_order_relaxed);
    if (atomic_load_explicit(&m->stats.stall_reason, memory_order_relaxed) == YORE_STALL_MEMORY)
        atomic_store_explicit(&m->stats.stall_reason, YORE_STALL_NONE, memory_order_relaxed);
}

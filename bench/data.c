#include "bench/data.h"

uint32_t *data_order(uint64_t n, uint64_t seed)
{
    uint32_t *order = bench_alloc(n * sizeof(uint32_t));
    for (uint64_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = data_mix(seed + i) % i;
        uint32_t other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
    return order;
}

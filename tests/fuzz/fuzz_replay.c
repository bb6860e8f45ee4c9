/* Runs a fuzz target without libFuzzer: on good inputs, on the same damaged, and on noise. The seed is
 * printed and may be given as YORE_TEST_SEED. Each input lies in a block of exactly its size. */
#include "tests/fuzz/fuzz_target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000u

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) abort();
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* Flip, overwrite, cut, remove or repeat somewhere. */
static size_t damage(yr_rng *rng, uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t at = (size_t)yr_rng_below(rng, size);
    size_t some = (size_t)yr_rng_below(rng, size - at) + 1;
    switch (yr_rng_below(rng, 5)) {
    case 0: data[at] ^= (uint8_t)(1u << yr_rng_below(rng, 8)); return size;
    case 1: data[at] = (uint8_t)yr_rng_next(rng); return size;
    case 2: return at;
    case 3: memmove(data + at, data + at + some, size - at - some); return size - some;
    default:
        if (some > FUZZ_INPUT_MAX - size) return size;
        memmove(data + at + some, data + at, size - at);
        return size + some;
    }
}

int main(void)
{
    const char *given = getenv("YORE_TEST_SEED");
    yr_rng rng = {given ? strtoull(given, NULL, 0) : UINT64_C(0x5EED)};
    printf("seed 0x%" PRIx64 "\n", rng.state);
    static uint8_t data[FUZZ_INPUT_MAX];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        size_t size = fuzz_example(&rng, data);
        run(data, size);
        for (uint64_t hits = 1 + yr_rng_below(&rng, 3); hits > 0; hits--) size = damage(&rng, data, size);
        run(data, size);
        size = (size_t)yr_rng_below(&rng, 200);
        for (size_t i = 0; i < size; i++) data[i] = (uint8_t)yr_rng_next(&rng);
        run(data, size);
    }
    printf("%u inputs\n", 3 * ROUNDS);
    return 0;
}

/* What a fuzz target gives: the function libFuzzer calls, and a way to make a good input, which the replay
 * then damages. */
#ifndef YR_FUZZ_TARGET_H
#define YR_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/rng.h"

#define FUZZ_INPUT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write a well-formed input of at most FUZZ_INPUT_MAX bytes; returns its size. */
size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX]);

/* Read every byte, so that a sanitizer sees a slice that leaves its input. */
static inline void fuzz_touch(const void *data, size_t size)
{
    volatile uint8_t sum = 0;
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) sum = (uint8_t)(sum + bytes[i]);
}

#endif

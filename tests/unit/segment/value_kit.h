/* Value files on a simulated disk: values made from a number and a size, so that any of them can be compared without
 * being kept. */
#ifndef VALUE_KIT_H
#define VALUE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/rng.h"
#include "engine/segment/value_file_writer.h"
#include "engine/segment/value_set.h"
#include "tests/support/env_sim.h"

#define VKIT_NAME "00000013.val"
#define VKIT_PATH "db/00000013.val"
#define VKIT_FILE_ID 13u

typedef struct vkit {
    yr_sim *sim;
    const yore_env *env;
    yore_dir *dir;
    yr_block_cache *cache;
    yr_value_file *values;
    yore_error err;
} vkit;

/* A value of a test: byte i is a function of (stamp, i). */
typedef struct vkit_value {
    uint64_t stamp;
    uint64_t bytes;
    yr_value_ref ref;
} vkit_value;

#define vkit_ok(k, call) assert_vkit_status((k), YORE_OK, (call), #call, __LINE__)
void assert_vkit_status(const vkit *k, yore_status want, yore_status status, const char *what, int line);

void vkit_init(vkit *k, uint64_t seed, uint64_t cache_bytes);
/* What was not given back fails the test. */
void vkit_deinit(vkit *k);
yr_value_write_options vkit_options(uint64_t file_id);

/* malloc-ed. */
uint8_t *vkit_bytes(uint64_t stamp, uint64_t bytes);
bool vkit_is(const vkit_value *value, const uint8_t *bytes, uint64_t size);

/* Write a file of these values under `name`; fills their references. The first failure's status. */
yore_status vkit_write(vkit *k, const char *name, uint64_t file_id, vkit_value *values, uint32_t count);
yore_status vkit_open_as(vkit *k, const char *name, yr_value_file **out);
yore_status vkit_open(vkit *k);
void vkit_close(vkit *k);
/* Get one and compare. YORE_OK means the right bytes; others fail the test. */
yore_status vkit_get(vkit *k, const vkit_value *value);

#endif

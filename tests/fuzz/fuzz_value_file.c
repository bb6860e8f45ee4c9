/* A whole value file without its header (which has a checksum that cannot be switched off), read with all other
 * checksums switched off: any bytes are refused, or give values that lie inside the file; nothing is read outside of
 * it, nothing goes on for ever, and no reference makes the reader ask for more memory than the file has bytes. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/yr_assert.h"
#include "engine/segment/value_file.h"
#include "engine/segment/value_file_writer.h"
#include "tests/support/env_sim.h"

#define EXAMPLES 24u
#define READER_BYTES (400u << 10) /* what reading takes for itself, whatever the file */

/* An environment whose one file is a block of memory. */
typedef struct memory_file {
    uint8_t *bytes;
    size_t size;
} memory_file;

static size_t largest_alloc;

static void *count_alloc(void *ctx, size_t size)
{
    const yore_env *env = yore_env_default();
    (void)ctx;
    if (largest_alloc < size) largest_alloc = size;
    return env->alloc(env->ctx, size);
}

static int64_t memory_size(void *ctx, yore_file *file)
{
    (void)ctx;
    return (int64_t)((const memory_file *)(const void *)file)->size;
}

static int64_t memory_pread(void *ctx, yore_file *file, void *to, size_t size, uint64_t off)
{
    const memory_file *memory = (const memory_file *)(const void *)file;
    (void)ctx;
    if (off >= memory->size) return 0;
    size_t n = size < memory->size - off ? size : (size_t)(memory->size - off);
    memcpy(to, memory->bytes + off, n);
    return (int64_t)n;
}

static const uint8_t *header_bytes(void)
{
    static uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header header = {.major = YR_FORMAT_MAJOR, .minor = YR_FORMAT_MINOR, .kind = YR_FILE_VALUES};
    header.file_id = 1;
    yr_file_header_encode(&header, bytes);
    return bytes;
}

static yore_status count_part(void *arg, yore_slice part, yore_error *err)
{
    (void)err;
    fuzz_touch(part.data, part.size);
    *(uint64_t *)arg += part.size;
    return YORE_OK;
}

static void read_value(yr_value_file *values, const yr_value_ref *ref)
{
    yr_block_pin pin = {0};
    uint64_t size = 0;
    yore_status status = yr_value_file_get(values, ref, &pin, NULL);
    if (status == YORE_OK) {
        YR_ASSERT(pin.size == ref->bytes);
        YR_ASSERT(pin.size <= yr_value_file_facts(values)->largest_bytes);
        fuzz_touch(pin.data, pin.size);
    }
    yr_block_pin_release(&pin);
    YR_ASSERT(yr_value_file_stream(values, ref, count_part, &size, NULL) == status);
    YR_ASSERT(status < 0 || size == ref->bytes);
}

static yore_status read_listed(void *arg, const yr_value_ref *ref, yore_error *err)
{
    (void)err;
    read_value(arg, ref);
    return YORE_OK;
}

/* References made of the file's own bytes: of the directory's shape, and as rows hold them. */
static void read_made(yr_value_file *values, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + YR_VALUE_REF_BYTES <= size && at < 1024; at += 8) {
        yr_value_ref ref;
        if (yr_value_ref_decode(yore_bytes(data + at, YR_VALUE_REF_BYTES), &ref)) read_value(values, &ref);
        ref = (yr_value_ref){1, yr_get_le64(data + at), yr_get_le64(data + at + 8),
                             yr_get_le64(data + at + 16)};
        read_value(values, &ref);
        ref.off = YR_FILE_HEADER_BYTES + at;
        read_value(values, &ref);
    }
}

/* Is it a value file, and sound? */
static bool read_input(const uint8_t *data, size_t size)
{
    yore_env env = *yore_env_default();
    memory_file memory = {malloc(size + YR_FILE_HEADER_BYTES), size + YR_FILE_HEADER_BYTES};
    yr_block_cache *cache;
    yr_value_file *values;
    env.alloc = count_alloc;
    env.size = memory_size;
    env.pread = memory_pread;
    if (!memory.bytes || yr_block_cache_create(&env, 1u << 16, &cache, NULL) < 0) abort();
    memcpy(memory.bytes, header_bytes(), YR_FILE_HEADER_BYTES);
    if (size) memcpy(memory.bytes + YR_FILE_HEADER_BYTES, data, size);
    yr_value_open_options options = {.env = &env, .cache = cache, .borrows_file = true, .is_unchecked = true};
    largest_alloc = 0;
    bool is_sound = yr_value_file_open(&options, (yore_file *)(void *)&memory, "fuzz", &values, NULL) ==
                    YORE_OK;
    if (is_sound) {
        (void)!yr_value_file_list(values, read_listed, values, NULL);
        read_made(values, data, size);
        is_sound = yr_value_file_verify(values, NULL) == YORE_OK;
        yr_value_file_unref(values);
    }
    YR_ASSERT(largest_alloc <= size + READER_BYTES);
    yr_block_cache_destroy(cache);
    free(memory.bytes);
    return is_sound;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)read_input(data, size);
    return 0;
}

/* -- examples -- */

/* A file of a few values, without its header. */
static size_t build(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static uint8_t value[300];
    yr_sim *sim = yr_sim_create(yr_rng_next(rng));
    const yore_env *env = yr_sim_env(sim);
    yore_dir *dir;
    yr_value_writer *writer;
    yr_value_write_options options = {.file_id = 1, .after_version = 2, .last_version = 30};
    if (env->dir_open(env->ctx, "d", YORE_DIR_CREATE, NULL, &dir) < 0) abort();
    if (yr_value_writer_create(env, &options, dir, "v", &writer, NULL) < 0) abort();
    for (uint64_t left = yr_rng_below(rng, 30); left > 0; left--) {
        yr_value_ref ref;
        size_t size = 1 + (size_t)yr_rng_below(rng, left > 10 ? 60 : sizeof value);
        memset(value, (int)left, sizeof value);
        if (yr_value_writer_add(writer, yore_bytes(value, size), &ref, NULL) < 0) abort();
    }
    if (yr_value_writer_finish(writer, NULL, NULL) < 0) abort();
    yr_value_writer_destroy(writer);
    env->dir_close(env->ctx, dir);
    size_t size = (size_t)yr_sim_file_size(sim, "d/v") - YR_FILE_HEADER_BYTES;
    if (size > FUZZ_INPUT_MAX) {
        size = 0;
    } else if (!yr_sim_file_read(sim, "d/v", out, size, YR_FILE_HEADER_BYTES)) {
        abort();
    }
    yr_sim_destroy(sim);
    return size;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static uint8_t made[EXAMPLES][FUZZ_INPUT_MAX];
    static size_t sizes[EXAMPLES];
    uint32_t i = (uint32_t)yr_rng_below(rng, EXAMPLES);
    while (sizes[i] == 0) {
        sizes[i] = build(rng, made[i]);
        YR_ASSERT(sizes[i] == 0 || read_input(made[i], sizes[i]));
    }
    memcpy(out, made[i], sizes[i]);
    return sizes[i];
}

#include "tests/unit/segment/value_kit.h"

#include <inttypes.h>

void assert_vkit_status(const vkit *k, yore_status want, yore_status status, const char *what, int line)
{
    if (status == want) return;
    print_error("line %d: %s gave %s: %s\n", line, what, yore_status_name(status), k->err.message);
    fail();
}

void vkit_init(vkit *k, uint64_t seed, uint64_t cache_bytes)
{
    *k = (vkit){.sim = yr_sim_create(seed), .err = YORE_ERROR_INIT};
    k->env = yr_sim_env(k->sim);
    assert_int_equal(k->env->dir_open(k->env->ctx, "db", YORE_DIR_CREATE, NULL, &k->dir), 0);
    vkit_ok(k, yr_block_cache_create(k->env, cache_bytes, &k->cache, &k->err));
}

void vkit_deinit(vkit *k)
{
    vkit_close(k);
    const char *problem = NULL;
    assert_true(yr_block_cache_check(k->cache, &problem));
    yr_block_cache_destroy(k->cache);
    k->env->dir_close(k->env->ctx, k->dir);
    yr_sim_leaks leaks = yr_sim_leaks_of(k->sim);
    if (yr_sim_has_leaks(k->sim))
        print_error("%" PRIu64 " blocks, %" PRIu64 " handles left\n", leaks.blocks, leaks.handles);
    assert_false(yr_sim_has_leaks(k->sim));
    yr_sim_destroy(k->sim);
}

yr_value_write_options vkit_options(uint64_t file_id)
{
    return (yr_value_write_options){
        .uuid = {1, 2, 3}, .file_id = file_id, .after_version = 10, .last_version = 20};
}

uint8_t *vkit_bytes(uint64_t stamp, uint64_t bytes)
{
    yr_rng rng = {stamp};
    uint8_t *to = malloc((size_t)(bytes + 8));
    assert_non_null(to);
    for (uint64_t i = 0; i < bytes; i += 8) yr_put_le64(to + i, yr_rng_next(&rng));
    return to;
}

bool vkit_is(const vkit_value *value, const uint8_t *bytes, uint64_t size)
{
    if (size != value->bytes) return false;
    uint8_t *want = vkit_bytes(value->stamp, value->bytes);
    bool is_same = memcmp(want, bytes, (size_t)size) == 0;
    free(want);
    return is_same;
}

static yore_status add_one(vkit *k, yr_value_writer *writer, vkit_value *value)
{
    uint8_t *bytes = vkit_bytes(value->stamp, value->bytes);
    yore_status status =
        yr_value_writer_add(writer, yore_bytes(bytes, (size_t)value->bytes), &value->ref, &k->err);
    free(bytes);
    return status;
}

yore_status vkit_write(vkit *k, const char *name, uint64_t file_id, vkit_value *values, uint32_t count)
{
    yr_value_writer *writer = NULL;
    yr_value_write_options options = vkit_options(file_id);
    yr_value_footer footer;
    yore_status status = yr_value_writer_create(k->env, &options, k->dir, "making.tmp", &writer, &k->err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) status = add_one(k, writer, &values[i]);
    uint64_t bytes = yr_value_writer_bytes(writer);
    if (status == YORE_OK) status = yr_value_writer_finish(writer, &footer, &k->err);
    yr_value_writer_destroy(writer);
    if (status < 0) return status;
    assert_int_equal(footer.file_bytes, bytes);
    assert_int_equal(footer.values, count);
    int rc = k->env->rename(k->env->ctx, k->dir, "making.tmp", k->dir, name);
    return rc < 0 ? YORE_ERR_IO : YORE_OK;
}

yore_status vkit_open_as(vkit *k, const char *name, yr_value_file **out)
{
    static const uint8_t uuid[YR_UUID_BYTES] = {1, 2, 3};
    yr_value_open_options options = {.env = k->env, .cache = k->cache, .uuid = uuid};
    yore_file *file;
    int rc = k->env->open(k->env->ctx, k->dir, name, 0, &file);
    if (rc < 0) return YORE_ERR_IO;
    yore_status status = yr_value_file_open(&options, file, name, out, &k->err);
    if (status < 0) k->env->close(k->env->ctx, file);
    return status;
}

yore_status vkit_open(vkit *k)
{
    return vkit_open_as(k, VKIT_NAME, &k->values);
}

void vkit_close(vkit *k)
{
    yr_value_file_unref(k->values);
    k->values = NULL;
}

yore_status vkit_get(vkit *k, const vkit_value *value)
{
    yr_block_pin pin = {0};
    yore_status status = yr_value_file_get(k->values, &value->ref, &pin, &k->err);
    if (status != YORE_OK) {
        assert_null(pin.data);
        return status;
    }
    assert_true(vkit_is(value, pin.data, pin.size));
    yr_block_pin_release(&pin);
    return YORE_OK;
}

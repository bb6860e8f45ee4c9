#include "tests/unit/wal/wal_kit.h"

#include "engine/base/bytes.h"
#include "engine/base/rng.h"

static void start(wal_kit *kit)
{
    kit->env = yr_sim_env(kit->sim);
    if (kit->env->dir_open(kit->env->ctx, KIT_PATH, YORE_DIR_CREATE, NULL, &kit->dir) < 0) abort();
    kit->options = (yr_wal_options){.env = kit->env,
                                    .dir = kit->dir,
                                    .path = KIT_PATH,
                                    .bytes_min = 4096,
                                    .bytes_max = 8192,
                                    .mapped = true};
    kit->err = (yore_error)YORE_ERROR_INIT;
}

void kit_init(wal_kit *kit, uint64_t seed)
{
    *kit = (wal_kit){.sim = yr_sim_create(seed)};
    start(kit);
    if (kit->env->dir_sync_parent(kit->env->ctx, KIT_PATH) < 0) abort();
}

void kit_attach(wal_kit *kit, yr_sim *sim)
{
    *kit = (wal_kit){.sim = sim};
    start(kit);
}

void kit_detach(wal_kit *kit)
{
    kit_close(kit);
    kit->env->dir_close(kit->env->ctx, kit->dir);
}

void kit_restart(wal_kit *kit, const yr_sim_image *image)
{
    kit_close(kit);
    if (kit->dir) kit->env->dir_close(kit->env->ctx, kit->dir);
    yr_wal_options options = kit->options;
    yr_sim_reset(kit->sim, image);
    start(kit);
    options.dir = kit->dir;
    kit->options = options;
}

void kit_deinit(wal_kit *kit)
{
    kit_detach(kit);
    yr_sim_leaks leaks = yr_sim_leaks_of(kit->sim);
    if (yr_sim_has_leaks(kit->sim)) {
        fail_msg("left behind: %llu blocks, %llu handles", (unsigned long long)leaks.blocks,
                 (unsigned long long)leaks.handles);
    }
    yr_sim_destroy(kit->sim);
}

size_t kit_payload(uint64_t n, uint8_t to[KIT_PAYLOAD_MAX])
{
    yr_rng rng = {.state = n * 77 + 5};
    size_t size = 8 + (size_t)yr_rng_below(&rng, n % 17 == 16 ? 2500 : 180);
    yr_put_le64(to, n);
    for (size_t i = 8; i < size; i++) to[i] = (uint8_t)(yr_rng_next(&rng) >> 20);
    return size;
}

yore_status kit_apply(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    (void)err;
    wal_kit *kit = arg;
    uint8_t expected[KIT_PAYLOAD_MAX];
    size_t size = kit_payload(kit->replayed, expected);
    if (payload.size != size || memcmp(payload.data, expected, size) != 0) {
        kit->is_wrong = true;
        kit->why = "a record that is not the next one";
    }
    if (lsn <= kit->last_lsn) {
        kit->is_wrong = true;
        kit->why = "an lsn that does not rise";
    }
    kit->last_lsn = lsn;
    kit->replayed++;
    return YORE_OK;
}

static yore_status take_lock(wal_kit *kit)
{
    if (kit->lock) return YORE_OK;
    return yr_store_lock_acquire(kit->env, kit->dir, KIT_PATH, 0, &kit->lock, &kit->err);
}

yore_status kit_create(wal_kit *kit)
{
    yore_status status = take_lock(kit);
    if (status < 0) return status;
    uint8_t payload[KIT_PAYLOAD_MAX];
    size_t size = kit_payload(0, payload);
    return yr_wal_create(&kit->options, (yore_slice){payload, size}, &kit->err);
}

static yore_status open_log(wal_kit *kit)
{
    kit->replayed = kit->last_lsn = 0;
    yore_status status = yr_wal_open(&kit->options, NULL, kit_apply, kit, &kit->wal, &kit->report, &kit->err);
    if (status == YORE_OK) kit->appended = kit->replayed;
    return status;
}

yore_status kit_open(wal_kit *kit)
{
    yore_status status = take_lock(kit);
    return status < 0 ? status : open_log(kit);
}

yore_status kit_open_reader(wal_kit *kit)
{
    kit->options.read_only = true;
    yore_status status = open_log(kit);
    kit->options.read_only = false;
    return status;
}

void kit_close(wal_kit *kit)
{
    yr_wal_close(kit->wal);
    kit->wal = NULL;
    yr_store_lock_release(kit->lock);
    kit->lock = NULL;
}

yore_status kit_seal_and_close(wal_kit *kit)
{
    yore_status status = yr_wal_seal(kit->wal, &kit->err);
    kit_close(kit);
    return status;
}

yore_status kit_append(wal_kit *kit)
{
    uint8_t payload[KIT_PAYLOAD_MAX];
    size_t size = kit_payload(kit->appended, payload);
    yore_status status = yr_wal_reserve(kit->wal, size, false, &kit->err);
    if (status < 0) return status;
    uint64_t lsn = 0;
    status = yr_wal_append(kit->wal, (yore_slice){payload, size}, &lsn, &kit->err);
    if (status == YORE_OK) kit->appended++;
    return status;
}

void kit_append_many(wal_kit *kit, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) assert_ok(kit, kit_append(kit));
}

uint64_t kit_used_bytes(const wal_kit *kit, const char *path)
{
    int64_t size = yr_sim_file_size(kit->sim, path);
    if (size <= 0) return 0;
    uint8_t *bytes = malloc((size_t)size);
    uint64_t used = 0;
    if (bytes && yr_sim_file_read(kit->sim, path, bytes, (size_t)size, 0)) {
        used = (uint64_t)size;
        while (used > 0 && bytes[used - 1] == 0) used--;
    }
    free(bytes);
    return used;
}

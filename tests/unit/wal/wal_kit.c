#include "tests/unit/wal/wal_kit.h"

#include <errno.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
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
    if (lsn <= kit->state.flushed_lsn) {
        kit->is_wrong = true;
        kit->why = "a record the segments have";
    }
    kit->last_lsn = lsn;
    kit->replayed++;
    return YORE_OK;
}

/* -- the state -- */

#define FILE_BYTES 48u

static void fill_file(const yr_store_file *file, uint8_t out[FILE_BYTES])
{
    yr_put_le64(out + 0, file->file_id);
    yr_put_le64(out + 8, file->run_id);
    yr_put_le64(out + 16, file->after_version);
    yr_put_le64(out + 24, file->last_version);
    memcpy(out + 32, file->file_hash, YR_FILE_HASH_BYTES);
}

yore_status kit_make_file(wal_kit *kit, yr_store_file *file)
{
    const yore_env *env = kit->env;
    char tmp[YR_FILE_NAME_BYTES];
    char name[YR_FILE_NAME_BYTES];
    uint8_t bytes[FILE_BYTES];
    file->file_id = yr_wal_new_file_id(kit->wal);
    file->run_id = file->kind == YR_FILE_SEGMENT ? file->file_id : 0;
    file->file_bytes = FILE_BYTES;
    if (env->random(env->ctx, file->file_hash, YR_FILE_HASH_BYTES) < 0) return YORE_ERR_IO;
    fill_file(file, bytes);
    yr_file_name((enum yr_file_kind)file->kind, file->file_id, true, tmp);
    yr_file_name((enum yr_file_kind)file->kind, file->file_id, false, name);
    yore_file *out = NULL;
    uint32_t flags = YORE_OPEN_WRITE | YORE_OPEN_CREATE | YORE_OPEN_EXCLUSIVE;
    int rc = env->open(env->ctx, kit->dir, tmp, flags, &out);
    if (rc == -EEXIST) {
        kit->is_wrong = true;
        kit->why = "a number was used twice";
    }
    if (rc < 0) return yr_fail_errno(&kit->err, YORE_ERR_IO, -rc, "cannot make '%s'", tmp);
    int64_t n = env->pwrite(env->ctx, out, bytes, sizeof(bytes), 0);
    rc = n < 0 ? (int)n : n < (int64_t)sizeof(bytes) ? -ENOSPC : env->sync(env->ctx, out);
    env->close(env->ctx, out);
    if (rc == 0) rc = env->rename(env->ctx, kit->dir, tmp, kit->dir, name);
    if (rc == 0) rc = env->dir_sync(env->ctx, kit->dir);
    return rc == 0 ? YORE_OK : yr_fail_errno(&kit->err, YORE_ERR_IO, -rc, "cannot make '%s'", name);
}

static yore_status look_at_file(const wal_kit *kit, const yr_store_file *file, yore_error *err)
{
    const yore_env *env = kit->env;
    char name[YR_FILE_NAME_BYTES];
    uint8_t expected[FILE_BYTES];
    uint8_t bytes[FILE_BYTES];
    yore_file *in = NULL;
    yr_file_name((enum yr_file_kind)file->kind, file->file_id, false, name);
    int rc = env->open(env->ctx, kit->dir, name, 0, &in);
    if (rc == -ENOENT) return yr_fail(err, YORE_ERR_CORRUPT, "'%s' is missing", name);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s'", name);
    int64_t n = env->pread(env->ctx, in, bytes, sizeof(bytes), 0);
    env->close(env->ctx, in);
    fill_file(file, expected);
    if (n < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s'", name);
    if (n == (int64_t)sizeof(bytes) && memcmp(bytes, expected, sizeof(bytes)) == 0) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s' is not what it was", name);
}

yore_status kit_begin(void *arg, const yr_store_state *state, yore_error *err)
{
    wal_kit *kit = arg;
    kit->begins++;
    kit->state = *state;
    kit->state.files = kit->files;
    kit->replayed = state->flushed_version;
    kit->last_lsn = state->flushed_lsn;
    if (state->file_count > KIT_FILES_MAX) abort();
    if (state->file_count) memcpy(kit->files, state->files, state->file_count * sizeof(*state->files));
    yore_status status = YORE_OK;
    for (uint32_t i = 0; status == YORE_OK && i < state->file_count; i++) {
        status = look_at_file(kit, &kit->files[i], err);
    }
    return status;
}

/* An edit that failed leaves the state as it was. */
static yore_status edit_or_undo(wal_kit *kit, const yr_store_state *before, const yr_store_file *files)
{
    yore_status status = yr_wal_edit(kit->wal, &kit->state, &kit->err);
    if (status == YORE_OK) return status;
    kit->state = *before;
    memcpy(kit->files, files, sizeof(kit->files));
    return status;
}

yore_status kit_flush_to(wal_kit *kit, uint64_t version, uint64_t lsn)
{
    if (kit->state.flushed_version >= version || kit->state.file_count == KIT_FILES_MAX) return YORE_OK;
    yr_store_file file = {
        .kind = YR_FILE_SEGMENT, .after_version = kit->state.flushed_version, .last_version = version};
    yore_status status = kit_make_file(kit, &file);
    if (status < 0) return status;
    yr_store_state before = kit->state;
    yr_store_file files[KIT_FILES_MAX];
    memcpy(files, kit->files, sizeof(files));
    memmove(kit->files + 1, kit->files, kit->state.file_count * sizeof(*kit->files));
    kit->files[0] = file;
    kit->state.file_count++;
    kit->state.flushed_version = version;
    kit->state.flushed_lsn = lsn;
    kit->state.last_time_ns = (int64_t)version;
    return edit_or_undo(kit, &before, files);
}

yore_status kit_flush(wal_kit *kit, bool rotate)
{
    yore_status status = rotate ? yr_wal_rotate(kit->wal, &kit->err) : YORE_OK;
    if (status < 0) return status;
    return kit_flush_to(kit, kit->appended, yr_wal_last_lsn(kit->wal));
}

yore_status kit_compact(wal_kit *kit)
{
    if (kit->state.file_count < 2) return YORE_OK;
    yr_store_file made[2] = {
        {.kind = YR_FILE_SEGMENT, .last_version = kit->state.flushed_version, .level = 1},
        {.kind = YR_FILE_VALUES, .last_version = kit->state.flushed_version}};
    yore_status status = kit_make_file(kit, &made[0]);
    if (status == YORE_OK) status = kit_make_file(kit, &made[1]);
    if (status < 0) return status;
    yr_store_state before = kit->state;
    yr_store_file files[KIT_FILES_MAX];
    memcpy(files, kit->files, sizeof(files));
    memcpy(kit->files, made, sizeof(made));
    kit->state.file_count = 2;
    status = edit_or_undo(kit, &before, files);
    for (uint32_t i = 0; status == YORE_OK && i < before.file_count; i++) {
        char name[YR_FILE_NAME_BYTES];
        yr_file_name((enum yr_file_kind)files[i].kind, files[i].file_id, false, name);
        (void)kit->env->unlink(kit->env->ctx, kit->dir, name);
    }
    return status;
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
    yore_status status =
        yr_wal_open(&kit->options, kit_begin, kit_apply, kit, &kit->wal, &kit->report, &kit->err);
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

/* Creating, opening, closing and verifying a log. */
#include "engine/wal/wal_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/format/lock_format.h"

/* A file's size is a number of whole pages, and no more than its link block may say. */
static uint64_t legal_size(uint64_t bytes)
{
    if (bytes < 4096) return 4096;
    if (bytes > YR_WAL_FILE_BYTES_MAX) return YR_WAL_FILE_BYTES_MAX;
    return (bytes + 4095) & ~UINT64_C(4095);
}

static yr_wal_options with_defaults(const yr_wal_options *options)
{
    yr_wal_options o = *options;
    if (o.bytes_min == 0) o.bytes_min = YR_WAL_BYTES_MIN_DEFAULT;
    if (o.bytes_max == 0) o.bytes_max = YR_WAL_BYTES_MAX_DEFAULT;
    o.bytes_min = legal_size(o.bytes_min);
    o.bytes_max = legal_size(o.bytes_max);
    if (o.bytes_max < o.bytes_min) o.bytes_max = o.bytes_min;
    return o;
}

#define GENERATIONS_PASSED_OVER 64u

/* -- create -- */

yore_status yr_wal_create(const yr_wal_options *options, yore_slice payload, yore_error *err)
{
    yr_wal_options o = with_defaults(options);
    const yore_env *env = o.env;
    yr_wal_place place = {.env = env, .dir = o.dir, .path = o.path};
    enum yr_store_kind kind;
    yore_status status = yr_store_probe(env, o.dir, o.path, &kind, err);
    if (status < 0) return status;
    if (kind == YR_STORE_PRESENT)
        return yr_fail(err, YORE_ERR_EXISTS, "there is a store at '%s' already", o.path);
    if (kind != YR_STORE_EMPTY) return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' holds other files", o.path);

    yr_wal_making making = {0};
    yr_manifest manifest = {.next_id = 2, .durable_lsn = 1};
    enum yr_manifest_outcome outcome = YR_MANIFEST_SAME;
    uint64_t size = yr_wal_record_bytes(payload.size);
    size_t record_bytes = (size_t)size;
    uint8_t *record = NULL;
    uint64_t seed = 0;
    int rc = env->random(env->ctx, manifest.uuid, YR_UUID_BYTES);
    if (rc == 0) rc = env->random(env->ctx, &seed, sizeof(seed));
    manifest.state.hash_seed = seed ? seed : 1;
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for a new store");
    if (payload.size <= YR_WAL_PAYLOAD_MAX) record = yr_alloc_zero(env, record_bytes);
    if (!record || !yr_manifest_grow(&manifest, env, 1)) {
        status = yr_fail(err, YORE_ERR_NOMEM, "no memory to create '%s'", o.path);
        goto out;
    }
    manifest.entries[manifest.count++] = (yr_manifest_entry){.id = 1, .first_lsn = 1};

    yr_wal_link link = {.bytes = o.bytes_min};
    while (link.bytes < YR_WAL_START_OFF + size + YR_WAL_SEAL_ROOM + yr_wal_spare_bytes(link.bytes))
        link.bytes *= 2;
    status = yr_wal_make_begin(&making, &place, manifest.uuid, 1, &link, err);
    if (status < 0) goto out;
    yr_wal_record_header header = {.type = YR_WAL_GROUP, .lsn = 1};
    yr_wal_record_encode(&header, payload, making.seed, YR_WAL_START_OFF, record);
    if (payload.size) memcpy(record + YR_WAL_RECORD_HEADER_BYTES, payload.data, payload.size);
    rc = yr_file_write_all(env, making.file, record, record_bytes, YR_WAL_START_OFF);
    if (rc < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write the first record of '%s'", o.path);
        goto out;
    }
    status = yr_wal_make_finish(&making, YR_WAL_START_OFF + size, err);
    if (status == YORE_OK) status = yr_manifest_store(&place, &manifest, &outcome, err);
out:
    if (making.file && outcome != YR_MANIFEST_SAME) {
        env->close(env->ctx, making.file);
        making.file = NULL;
    }
    yr_wal_make_abandon(&making);
    yr_manifest_deinit(&manifest, env);
    yr_free(env, record, record_bytes);
    return status;
}

/* -- open -- */

void yr_wal_lock_attach(yr_wal *wal)
{
    const yore_env *env = wal->place.env;
    /* Only readers in other processes need it, and they make do without: failures are not reported. */
    if (env->open(env->ctx, wal->place.dir, YR_WAL_LOCK_NAME, YORE_OPEN_WRITE | YORE_OPEN_CREATE,
                  &wal->lock_file) < 0) {
        wal->lock_file = NULL;
        return;
    }
    int64_t size = env->size(env->ctx, wal->lock_file);
    if (size >= 0 && size < (int64_t)YR_LOCK_BYTES) {
        static const uint8_t zeros[YR_LOCK_BYTES];
        size_t missing = YR_LOCK_BYTES - (size_t)size;
        if (yr_file_write_all(env, wal->lock_file, zeros, missing, (uint64_t)size) < 0) return;
    }
    wal->lock_ready = size >= 0;
    wal->lock_mapped = wal->lock_ready && env->map && env->map(env->ctx, wal->lock_file, YR_LOCK_BYTES) == 0;
}

/* The files appends go to, from what recovery settled on. */
static yore_status take_files(yr_wal *wal, yr_wal_recovery *recovery, yore_error *err)
{
    yr_wal_file *tail = NULL;
    yr_wal_opened current = recovery->current;
    yore_status status =
        yr_wal_adopt_file(wal, current.id, current.file, current.bytes, current.seed, &tail, err);
    if (status < 0) return status;
    recovery->current.file = NULL;
    atomic_store_explicit(&wal->tail, tail, memory_order_relaxed);
    wal->sync_from = tail;
    wal->prepared_bytes = tail->bytes;
    if (recovery->prepared_id) {
        yr_wal_opened opened;
        yr_wal_file *prepared = NULL;
        status = yr_wal_file_open(&wal->place, wal->uuid, recovery->prepared_id, true, &opened, NULL, err);
        if (status < 0) return status;
        status = yr_wal_adopt_file(wal, opened.id, opened.file, opened.bytes, opened.seed, &prepared, err);
        if (status < 0) {
            wal->place.env->close(wal->place.env->ctx, opened.file);
            return status;
        }
        atomic_store_explicit(&wal->prepared, prepared, memory_order_relaxed);
        wal->prepared_bytes = prepared->bytes;
    }
    if (recovery->rewrite_seal) {
        wal->seal_again_off = recovery->walk.seal_off;
        int64_t n = yr_file_read_all(wal->place.env, tail->file, wal->seal_again, sizeof(wal->seal_again),
                                     wal->seal_again_off);
        if (n < (int64_t)sizeof(wal->seal_again)) {
            return yr_fail_errno(err, YORE_ERR_IO, n < 0 ? (int)-n : EIO, "cannot read the last seal of '%s'",
                                 wal->place.path);
        }
    }
    return YORE_OK;
}

static void fill_report(const yr_wal_walk *walk, yr_wal_report *report)
{
    report->records = walk->records;
    report->last_lsn = walk->lsn;
    report->durable_lsn = walk->proven < walk->lsn ? walk->proven : walk->lsn;
    report->files = walk->manifest.count;
    report->bytes = walk->bytes;
    report->format_major = walk->manifest.format_major;
    report->format_minor = walk->manifest.format_minor;
    memcpy(report->uuid, walk->manifest.uuid, YR_UUID_BYTES);
    report->sealed = walk->is_sealed;
    report->manifest_was_damaged = walk->manifest.is_spare;
}

/* Write MANIFEST again before anything relies on its being there. *is_proven: it is, durably. With no room to do it
 * the old one stays, for a later time. */
static yore_status write_again(yr_wal *wal, yr_wal_walk *walk, bool *is_proven, yore_error *err)
{
    enum yr_manifest_outcome outcome;
    yore_error why = YORE_ERROR_INIT;
    yore_status status = yr_manifest_store(&wal->place, &walk->manifest, &outcome, &why);
    *is_proven = *is_proven || status == YORE_OK;
    if (status == YORE_ERR_FULL && outcome == YR_MANIFEST_SAME) return YORE_OK;
    if (status < 0 && err) *err = why;
    return status;
}

/* What a reader of MANIFEST left to do. Files that it does not name go away only once it is certain that no power
 * cut brings an older MANIFEST back, which may name them: a kill, or a failed sync, may have left this one in the page
 * cache only. */
static yore_status tidy(yr_wal *wal, yr_wal_recovery *recovery, const yr_wal_orphans *orphans,
                        bool *is_proven, yore_error *err)
{
    yr_wal_walk *walk = &recovery->walk;
    yore_status status = YORE_OK;
    uint64_t generation = walk->manifest.generation;
    bool must_outgrow = orphans->is_above && !recovery->is_copied;
    if (walk->manifest.is_spare || must_outgrow || (orphans->any && !*is_proven))
        status = write_again(wal, walk, is_proven, err);
    bool was_written = walk->manifest.generation != generation || recovery->is_copied;
    yr_wal_orphans ignored = {0};
    if (status == YORE_OK && orphans->any && *is_proven && (was_written || !must_outgrow))
        status = yr_wal_sweep_orphans(&wal->place, &walk->manifest, walk->lsn, true, &ignored, err);
    if (status == YORE_OK && !was_written && !walk->manifest.is_spare)
        yr_manifest_renew_spare(&wal->place, &walk->manifest);
    return status;
}

/* Read and judge everything; nothing is changed. */
static yore_status read_log(yr_wal_recovery *recovery, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                            yr_wal_orphans *orphans, yore_error *err)
{
    yr_wal_walk *walk = &recovery->walk;
    yore_status status = yr_wal_walk_check_files(walk, err);
    if (status == YORE_OK && begin) status = begin(arg, &walk->manifest.state, err);
    if (status == YORE_OK) status = yr_wal_walk_run(walk, apply, arg, err);
    if (status == YORE_OK) status = yr_wal_walk_scan_tail(walk, &recovery->tail, err);
    if (status == YORE_OK) status = yr_wal_walk_judge(walk, &recovery->tail, err);
    if (status == YORE_OK && walk->lsn == 0)
        status = yr_fail(err, YORE_ERR_CORRUPT, "the log of '%s' has no records", walk->place.path);
    if (status == YORE_OK)
        status = yr_wal_sweep_orphans(&walk->place, &walk->manifest, walk->lsn, false, orphans, err);
    return status;
}

static bool has_data(const yr_wal_walk *walk, uint64_t id)
{
    const yr_manifest *manifest = &walk->manifest;
    uint32_t i = 0;
    while (i + 1 < manifest->count && manifest->entries[i].id != id) i++;
    return walk->data_lsn && walk->data_lsn >= manifest->entries[i].first_lsn;
}

static yore_status open_writer(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                               yr_wal_report *report, yore_error *err)
{
    const yore_env *env = wal->place.env;
    yr_manifest manifest = {0};
    yr_wal_recovery recovery = {0};
    yr_wal_walk *walk = &recovery.walk;
    yore_status status = yr_manifest_load(&wal->place, &manifest, err);
    if (status < 0) return status;
    yr_wal_walk_init(walk, &wal->place, &manifest);
    yr_wal_orphans orphans = {0};
    status = read_log(&recovery, begin, apply, arg, &orphans, err);
    if (status < 0) goto out;

    /* nothing was changed so far */
    fill_report(walk, report);
    report->cut_bytes = recovery.tail.cut_bytes;
    memcpy(wal->uuid, walk->manifest.uuid, YR_UUID_BYTES);
    /* the damaged one may have been a little newer: no reader should take the next one for it */
    if (walk->manifest.is_spare) walk->manifest.generation += GENERATIONS_PASSED_OVER;
    status = yr_wal_settle_tail(&wal->options, &recovery, err);
    bool is_proven = recovery.is_copied || (!walk->manifest.is_spare && yr_wal_walk_proves_manifest(walk));
    if (status == YORE_OK) status = tidy(wal, &recovery, &orphans, &is_proven, err);
    if (status == YORE_OK) status = take_files(wal, &recovery, err);
    if (status < 0) goto out;
    report->durable_lsn = recovery.durable_lsn;
    report->files = walk->manifest.count;

    wal->is_manifest_unproven = !is_proven;
    wal->has_data = has_data(walk, atomic_load_explicit(&wal->tail, memory_order_relaxed)->id);
    if (is_proven) {
        atomic_store_explicit(&wal->manifest_claim, (uint16_t)walk->manifest.generation,
                              memory_order_relaxed);
    }
    wal->manifest = walk->manifest;
    walk->manifest = (yr_manifest){0}; /* owned by the log now */
    wal->chain = recovery.chain;
    wal->opened_lsn = walk->lsn;
    const yr_wal_file *tail = atomic_load_explicit(&wal->tail, memory_order_relaxed);
    atomic_store_explicit(&wal->off, recovery.current_off, memory_order_relaxed);
    atomic_store_explicit(&wal->prepare_off, yr_wal_prepare_off(wal, tail->bytes), memory_order_relaxed);
    atomic_store_explicit(&wal->durable_lsn, recovery.durable_lsn, memory_order_relaxed);
    atomic_store_explicit(&wal->last_lsn, walk->lsn, memory_order_relaxed);
    atomic_store_explicit(&wal->is_sealed, walk->is_sealed, memory_order_relaxed);
    atomic_store_explicit(&wal->bytes, walk->bytes, memory_order_relaxed);
    atomic_store_explicit(&wal->files, wal->manifest.count, memory_order_relaxed);
    yr_wal_lock_attach(wal);
    yr_wal_publish(wal, walk->lsn);
out:
    if (recovery.current.file) env->close(env->ctx, recovery.current.file);
    yr_wal_walk_deinit(walk);
    return status;
}

yore_status yr_wal_open(const yr_wal_options *options, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                        yr_wal **out, yr_wal_report *report, yore_error *err)
{
    const yore_env *env = options->env;
    yr_wal_report unused;
    if (!report) report = &unused;
    *report = (yr_wal_report){0};
    yr_wal *wal = yr_alloc_zero(env, sizeof(*wal));
    if (!wal) return yr_fail(err, YORE_ERR_NOMEM, "no memory to open the log of '%s'", options->path);
    wal->options = with_defaults(options);
    wal->place = (yr_wal_place){.env = env, .dir = options->dir, .path = options->path};
    yr_mutex_init(&wal->prepare_mutex, YR_RANK_WAL);
    yr_mutex_init(&wal->sync_mutex, YR_RANK_WAL_SYNC);
    yore_status status;
    if (options->read_only) {
        status = yr_wal_follow_open(wal, begin, apply, arg, err);
        if (status == YORE_OK) fill_report(&wal->walk, report);
    } else {
        wal->staging = yr_alloc(env, YR_WAL_STAGING_BYTES);
        status = wal->staging
                     ? open_writer(wal, begin, apply, arg, report, err)
                     : yr_fail(err, YORE_ERR_NOMEM, "no memory to open the log of '%s'", options->path);
    }
    if (status < 0) {
        yr_wal_close(wal);
        return status;
    }
    *out = wal;
    return YORE_OK;
}

void yr_wal_close(yr_wal *wal)
{
    if (!wal) return;
    const yore_env *env = wal->place.env;
    for (yr_wal_file *file = wal->sync_from; file;) {
        yr_wal_file *next = atomic_load_explicit(&file->next, memory_order_relaxed);
        yr_wal_drop_file(wal, file);
        file = next;
    }
    yr_wal_drop_file(wal, atomic_load_explicit(&wal->prepared, memory_order_relaxed));
    if (wal->lock_file) env->close(env->ctx, wal->lock_file);
    yr_wal_walk_deinit(&wal->walk);
    yr_manifest_deinit(&wal->manifest, env);
    yr_free(env, wal->staging, YR_WAL_STAGING_BYTES);
    yr_mutex_deinit(&wal->prepare_mutex);
    yr_mutex_deinit(&wal->sync_mutex);
    yr_free(env, wal, sizeof(*wal));
}

/* -- verify -- */

/* *generation: of the MANIFEST that was gone by. */
static yore_status verify_once(yr_wal *wal, yr_wal_walk *walk, uint64_t *generation, yore_error *err)
{
    uint64_t limit = yr_wal_last_lsn(wal);
    yr_manifest manifest = {0};
    yore_status status = yr_manifest_load(&wal->place, &manifest, err);
    if (status < 0) return status;
    *generation = manifest.generation;
    yr_wal_walk_init(walk, &wal->place, &manifest);
    walk->limit_lsn = limit;
    walk->holds_files = true;
    status = yr_manifest_verify(&wal->place, err);
    if (status == YORE_OK) status = yr_wal_walk_check_files(walk, err);
    if (status == YORE_OK) status = yr_wal_walk_run(walk, NULL, NULL, err);
    if (status == YORE_OK && walk->lsn < limit) {
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(walk->opened.id, false, name);
        status = yr_fail(err, YORE_ERR_CORRUPT,
                         "log file '%s/%s': record lsn %" PRIu64 " at offset %" PRIu64 " is damaged",
                         wal->place.path, name, walk->lsn + 1, walk->off);
    }
    return status;
}

static bool has_generation(const yr_wal *wal, uint64_t generation)
{
    yr_manifest manifest = {0};
    bool has = yr_manifest_load(&wal->place, &manifest, NULL) < 0 || manifest.generation == generation;
    yr_manifest_deinit(&manifest, wal->place.env);
    return has;
}

yore_status yr_wal_verify(yr_wal *wal, uint64_t *records, uint64_t *bytes, yore_error *err)
{
    yore_status status = YORE_OK;
    for (int attempt = 0; attempt < 10; attempt++) {
        yr_wal_walk walk = {0};
        yore_error why = YORE_ERROR_INIT;
        uint64_t generation = 0;
        status = verify_once(wal, &walk, &generation, &why);
        *records = walk.records;
        *bytes = walk.bytes;
        yr_wal_walk_deinit(&walk);
        if (status >= 0) break;
        if (err) *err = why;
        /* a writer, or an edit of this one, may have changed the files meanwhile */
        if (!wal->options.read_only && has_generation(wal, generation)) break;
    }
    return status;
}

/* Opening and closing a store: directory, lock, log, first commits, background thread. */
#include <inttypes.h>
#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"
#include "engine/db/upkeep_private.h"
#include "engine/format/registry_format.h"

#define SEARCH_BYTES_DEFAULT (UINT64_C(4) << 30)
#define MEMORY_BUDGET_DEFAULT (UINT64_C(1) << 30)
#define MEMORY_BUDGET_MIN (UINT64_C(16) << 20)
#define MEMTABLE_BYTES_MAX (UINT64_C(1) << 30)
#define FILE_BYTES_MAX (UINT64_C(256) << 20)
#define LOG_BYTES_MAX (UINT64_C(64) << 20)
#ifndef YR_EAGER
#define YR_EAGER 0u /* a build for tests flushes after so many commits */
#endif
#define CLOSE_COMMITS_MAX 1000u
#define CLOSE_BYTES_MAX (UINT64_C(256) << 10)

static bool is_memory(const char *path)
{
    return strcmp(path, ":memory:") == 0;
}

static yore_status copy_path(yore_db *db, const char *path, yore_error *err)
{
    db->path_bytes = strlen(path) + 1;
    db->path = yr_alloc(db->env, db->path_bytes);
    if (!db->path) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while opening '%s'", path);
    memcpy(db->path, path, db->path_bytes);
    return YORE_OK;
}

/* -- the first commit: init, which makes `default` -- */

typedef struct first_commit {
    uint8_t key[YR_BRANCH_KEY_BYTES];
    uint8_t record[YR_BRANCH_RECORD_MAX];
    yr_commit_head head;
    yr_row row;
} first_commit;

static void first_commit_make(first_commit *first, int64_t wall_ns)
{
    const yr_branch_record record = {.created_ns = wall_ns, .name = yore_str("default")};
    yr_branch_key_encode(YR_DEFAULT_BRANCH, first->key);
    size_t size = yr_branch_record_encode(&record, first->record);
    first->row = (yr_row){.key = {first->key, sizeof first->key},
                          .value = {first->record, size},
                          .branch = YR_REGISTRY_BRANCH,
                          .primitive = YORE_SYSTEM,
                          .op = YORE_OP_PUT};
    first->head = (yr_commit_head){.version = 1,
                                   .time_ns = YR_TIME_FIRST,
                                   .wall_ns = wall_ns,
                                   .branch = YR_REGISTRY_BRANCH,
                                   .row_count = 1,
                                   .kind = YORE_COMMIT_INIT};
}

/* Encode the init commit as a log payload in store->group. */
static yore_status first_payload(yore_db *db, yore_slice *payload, yore_error *err)
{
    first_commit first;
    size_t at;
    first_commit_make(&first, db->env->wall_ns(db->env->ctx));
    yr_buf *out = &db->store.group;
    yr_buf_clear(out);
    if (!yr_frame_begin(out, &first.head, &at) || !yr_frame_row(out, &first.row)) {
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory while creating the store");
    }
    yr_frame_finish(out, at);
    *payload = yore_bytes(out->data, out->size);
    return YORE_OK;
}

/* -- on disk -- */

static uint64_t budget_of(const yore_open_options *options)
{
    uint64_t budget = options->memory_budget ? options->memory_budget : MEMORY_BUDGET_DEFAULT;
    return budget < MEMORY_BUDGET_MIN ? MEMORY_BUDGET_MIN : budget;
}

/* Log files are mapped, and two of them at a time: they count as memory. */
static uint64_t log_bytes(const yore_open_options *options)
{
    uint64_t bytes = budget_of(options) / 16;
    return bytes < LOG_BYTES_MAX ? bytes : LOG_BYTES_MAX;
}

static yr_wal_options wal_options(const yore_db *db, const yore_open_options *options)
{
    return (yr_wal_options){.env = db->env,
                            .dir = db->dir,
                            .path = db->path,
                            .bytes_min = options->wal_bytes_min,
                            .bytes_max = options->wal_bytes_max ? options->wal_bytes_max : log_bytes(options),
                            .read_only = options->read_only,
                            .mapped = options->sync != YORE_SYNC_COMMIT};
}

static yore_status open_dir(yore_db *db, const yore_open_options *options, yore_error *err)
{
    const yore_env *env = db->env;
    bool may_create = options->create && !options->read_only;
    int failed = env->dir_open(env->ctx, db->path, may_create ? YORE_DIR_CREATE : 0, &db->made_dir, &db->dir);
    if (failed == -ENOENT && !may_create) {
        yr_fail(err, YORE_ERR_NO_STORE, "no store at '%s'", db->path);
        yr_hint(err, "yore init %s", db->path);
        return YORE_ERR_NO_STORE;
    }
    if (failed == -ENOTDIR || failed == -ELOOP) {
        return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' is not a directory, so not a store", db->path);
    }
    if (failed) return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot open the directory '%s'", db->path);
    return YORE_OK;
}

/* A new store's directory must be durable before the store is. Also when it was there already: whoever made
 * it may have been killed before its own sync. */
static yore_status sync_parent(yore_db *db, yore_error *err)
{
    if (YR_BUG(NO_DIR_SYNC)) return YORE_OK;
    int failed = db->env->dir_sync_parent(db->env->ctx, db->path);
    /* others' directories need not be readable: then the directory is as durable as they made it */
    if (failed == -EACCES && !db->made_dir) failed = 0;
    if (failed)
        return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot sync the directory of '%s'", db->path);
    return YORE_OK;
}

/* Is there a store, and should there be one? With `make` it is created when asked for; the caller then
 * holds the lock. */
static yore_status probe(yore_db *db, const yore_open_options *options, bool make, yore_error *err)
{
    enum yr_store_kind kind;
    yore_status status = yr_store_probe(db->env, db->dir, db->path, &kind, err);
    if (status < 0) return status;
    switch (kind) {
    case YR_STORE_PRESENT:
        if (!options->must_create) return YORE_OK;
        return yr_fail(err, YORE_ERR_EXISTS, "there is a store at '%s' already", db->path);
    case YR_STORE_DAMAGED:
        return yr_fail(err, YORE_ERR_CORRUPT, "the store at '%s' has log files but no MANIFEST", db->path);
    case YR_STORE_FOREIGN:
        return yr_fail(err, YORE_ERR_NOT_STORE, "the directory '%s' holds other files and is not a store",
                       db->path);
    case YR_STORE_EMPTY: break;
    }
    if (!options->create || options->read_only) {
        yr_fail(err, YORE_ERR_NO_STORE, "no store at '%s'", db->path);
        yr_hint(err, "yore init %s", db->path);
        return YORE_ERR_NO_STORE;
    }
    if (!make) return YORE_OK;
    yore_slice payload;
    status = sync_parent(db, err);
    if (status == YORE_OK) status = first_payload(db, &payload, err);
    if (status < 0) return status;
    const yr_wal_options log = wal_options(db, options);
    status = yr_wal_create(&log, payload, err);
    yr_buf_clear(&db->store.group); /* the payload was put together where commits will be */
    return status;
}

static yore_status apply_record(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    yore_db *db = arg;
    (void)lsn;
    return yr_store_replay(&db->store, payload, err);
}

/* The runs that the log goes on from. A reader may be called again: a writer has put newer files in place. */
static yore_status begin(void *arg, const yr_store_state *state, yore_error *err)
{
    yore_db *db = arg;
    yore_status status = db->store.mem ? yr_store_rewind(&db->store, err) : YORE_OK;
    return status == YORE_OK ? yr_db_begin(db, &db->store, state, NULL, err) : status;
}

/* MANIFEST is believed by now: are the segments of the same store? */
static yore_status check_uuid(yore_db *db, yore_error *err)
{
    const yr_layers *layers = yr_store_layers(&db->store);
    memcpy(db->disk.uuid, db->report.uuid, YR_UUID_BYTES);
    db->disk.has_uuid = true;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            const yr_segment *segment = yr_run_file(layers->runs[i], k);
            if (memcmp(yr_segment_header(segment)->uuid, db->disk.uuid, YR_UUID_BYTES) == 0) continue;
            return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s' belongs to another store", db->path,
                           yr_segment_name(segment));
        }
    }
    return YORE_OK;
}

/* How a budget is shared out. Two frozen memtables and the one being written, blocks, hot segments; the rest is for
 * jobs under way. */
static void share_out(const yore_open_options *options, uint64_t *cache_bytes, yr_maintainer_options *out)
{
    uint64_t budget = budget_of(options);
    uint64_t memtable = budget / 8 < MEMTABLE_BYTES_MAX ? budget / 8 : MEMTABLE_BYTES_MAX;
    if (options->memory_bytes_max && memtable > options->memory_bytes_max / 2)
        memtable = options->memory_bytes_max / 2;
    if (options->memtable_bytes) memtable = options->memtable_bytes;
    *cache_bytes = budget / 8;
    *out = (yr_maintainer_options){.memtable_bytes = memtable,
                                   .image_bytes_max = budget / 8 * 3,
                                   .file_bytes = budget / 4 < FILE_BYTES_MAX ? budget / 4 : FILE_BYTES_MAX,
                                   .every = options->maintain_every};
    if (YR_EAGER && !out->every) out->every = YR_EAGER;
}

/* The durability in force: the option, else the store's setting, else `commit`. */
static uint32_t choose_sync(const yore_db *db, uint32_t asked)
{
    static const char *const names[] = {"commit", "group", "os", "none"};
    if (asked) return asked;
    char value[YR_SETTING_SIZE];
    (void)yr_setting_get(db, "durability", yr_store_visible(&db->store), value, NULL); /* else the default */
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) == 0) return YORE_SYNC_COMMIT + i;
    }
    return YORE_SYNC_COMMIT;
}

static yore_status open_disk(yore_db *db, const yore_open_options *options, yore_error *err)
{
    yr_store *store = &db->store;
    yore_status status = open_dir(db, options, err);
    if (status == YORE_OK && !options->read_only) {
        status = probe(db, options, false, err); /* leave no LOCK file where a store cannot or must not be */
        if (status < 0) return status;
        status = yr_store_lock_acquire(db->env, db->dir, db->path, options->wait_ms, &db->lock, err);
    }
    if (status == YORE_OK) status = probe(db, options, true, err);
    if (status < 0) return status;
    const yr_wal_options log = wal_options(db, options);
    yr_maintainer_options maintain;
    uint64_t cache_bytes;
    share_out(options, &cache_bytes, &maintain);
    maintain.keep_rules = yr_upkeep_keep_rules;
    maintain.arg = db;
    status = yr_disk_init(&db->disk, db->env, db->dir, db->path, cache_bytes, err);
    if (status == YORE_OK) status = yr_wal_open(&log, begin, apply_record, db, &db->wal, &db->report, err);
    if (status == YORE_OK) status = check_uuid(db, err);
    if (status < 0) return status;
    yr_maintainer_init(&db->maintainer, store, &db->disk, db->wal, &maintain);
    if (yr_store_layers(store)->run_count) yr_maintainer_start_reading(&db->maintainer);
    store->sync = choose_sync(db, options->sync);
    if (yr_store_visible(store) == 0) {
        return yr_fail(err, YORE_ERR_CORRUPT, "the log of '%s' has no first commit", db->path);
    }
    yr_store_durable(store, store->last_version);
    if (options->read_only || store->sync == YORE_SYNC_NONE) return YORE_OK;
    store->wal = db->wal;
    yr_wal_set_mapped(db->wal, store->sync !=
                                   YORE_SYNC_COMMIT); /* a sync of mapped appends takes three times as long */
    return yr_background_start(&db->background, store, err);
}

/* The leader's last step of every group. */
static void after_group(void *arg)
{
    yore_db *db = arg;
    yr_background_wake(&db->background);
    if (db->maintainer.store) yr_maintainer_after_group(&db->maintainer);
    yr_prefaulter_wake(&db->prefaulter);
}

static yore_status open_memory(yore_db *db, uint32_t sync, yore_error *err)
{
    yore_slice payload;
    yore_status status = first_payload(db, &payload, err);
    if (status < 0) return status;
    db->store.sync = sync ? sync : YORE_SYNC_NONE;
    status = yr_store_begin(&db->store, &(yr_store_start){0}, err);
    if (status == YORE_OK) status = yr_store_replay(&db->store, payload, err);
    yr_buf_clear(&db->store.group);
    return status;
}

static bool is_in_forked_child(const yore_db *db)
{
    return db->fork_generation != yr_fork_generation();
}

/* Nothing should be left to replay but what is replayed in a moment: a process that makes one commit should not have to
 * make a segment of it. */
static void flush_at_close(yore_db *db)
{
    const yr_store *store = &db->store;
    if (!db->maintainer.store || store->read_only || !store->wal || yr_wal_is_poisoned(db->wal)) return;
    const yr_layers *layers = yr_store_layers(store); /* nobody else is at work any more */
    bool is_small = layers->mem_count == 1 &&
                    store->mem->commits.last - store->mem->base_version < CLOSE_COMMITS_MAX &&
                    atomic_load_explicit(&store->mem->key_bytes, memory_order_relaxed) +
                            atomic_load_explicit(&store->mem->value_bytes, memory_order_relaxed) <
                        CLOSE_BYTES_MAX;
    if (is_small) return;
    yore_status ignored =
        yr_maintainer_flush(&db->maintainer, true, NULL); /* what is not flushed is in the log */
    (void)ignored;
    yr_maintainer_stop(&db->maintainer);
}

/* Stop writing and let go of the disk. In a forked child the log, the lock and the background thread are the
 * parent's: nothing is stopped or written, the child just forgets them. */
static void shut(yore_db *db)
{
    yr_store *store = &db->store;
    if (is_in_forked_child(db)) {
        yr_store_lock_abandon(db->lock);
        db->lock = NULL;
        return;
    }
    /* seq_cst: it is made by a store to `companion` and a look at `closed`, we do it the other way round; one of the
     * two sees the other */
    yr_companion *companion = atomic_load_explicit(&db->companion, memory_order_seq_cst);
    if (companion) companion->stop(companion);
    yr_expirer_stop(&db->expirer);
    yr_prefaulter_stop(&db->prefaulter);
    yr_maintainer_stop(&db->maintainer);
    flush_at_close(db);
    yr_background_stop(&db->background);
    if (db->wal) {
        yr_store_lead(store);
        (void)yr_art_settle(store->mem->art); /* a scan would wait for the seal otherwise */
        bool dirty = !store->read_only && !yr_wal_is_poisoned(db->wal) && !yr_wal_is_sealed(db->wal);
        yore_status ignored = dirty ? yr_wal_seal(db->wal, NULL) : YORE_OK;
        (void)ignored; /* an unsealed log is recovered at the next open */
        yr_wal_close(db->wal);
        db->wal = store->wal = NULL;
        yr_store_unlead(store);
    }
    yr_store_lock_release(db->lock);
    db->lock = NULL;
    if (db->dir) db->env->dir_close(db->env->ctx, db->dir);
    db->dir = NULL;
}

static void destroy(yore_db *db)
{
    const yore_env *env = db->env;
    yr_companion *companion = atomic_load_explicit(&db->companion, memory_order_acquire); /* its creator */
    if (companion) companion->destroy(companion, is_in_forked_child(db));
    yr_free_stray_holds(db);
    yr_store_deinit(&db->store, is_in_forked_child(db));
    if (!is_in_forked_child(db)) yr_maintainer_deinit(&db->maintainer);
    if (!is_in_forked_child(db)) yr_disk_deinit(&db->disk); /* as its segments */
    if (!is_in_forked_child(db)) yr_mutex_deinit(&db->stray_mutex);
    yr_free(env, db->path, db->path_bytes);
    yr_free_lines(env, db, sizeof *db);
}

yore_status yore_open(const char *path, const yore_open_options *options, yore_db **out, yore_error *err)
{
    static const yore_open_options defaults = YORE_OPEN_OPTIONS_INIT;
    if (!path || !*path || !out)
        return yr_fail(err, YORE_ERR_MISUSE, "a path and a place for the handle are needed");
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options || options->sync > YORE_SYNC_NONE) {
        return yr_fail(err, YORE_ERR_MISUSE, "open options are not initialised with YORE_OPEN_OPTIONS_INIT");
    }
    const yore_env *env = options->env ? options->env : yore_env_default();
    yore_db *db = yr_alloc_lines(env, sizeof *db);
    if (!db) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while opening '%s'", path);
    db->env = env;
    db->store.read_only = options->read_only;
    db->store.owner = db;
    yr_mutex_init(&db->stray_mutex, YR_RANK_STRAY);
    db->skip_bytes_max = budget_of(options) / 32;
    db->search_bytes_max = options->search_bytes_max ? options->search_bytes_max : SEARCH_BYTES_DEFAULT;
    atomic_store_explicit(&db->refs, 1, memory_order_relaxed); /* nobody else knows it yet */
    db->fork_generation = yr_fork_generation();
    yore_status status = yr_store_init(&db->store, env, options->memory_bytes_max, err);
    if (status == YORE_OK) status = copy_path(db, path, err);
    if (status == YORE_OK) {
        status = is_memory(path) ? open_memory(db, options->sync, err) : open_disk(db, options, err);
    }
    if (status < 0) {
        shut(db);
        destroy(db);
        return status;
    }
    if (!options->read_only) yr_prefaulter_start(&db->prefaulter, &db->store);
    db->store.after_group_arg = db;
    db->store.after_group = after_group;
    if (!options->read_only) yr_expirer_start(&db->expirer, db);
    *out = db;
    return YORE_OK;
}

void yore_close(yore_db *db)
{
    if (!db) return;
    atomic_store_explicit(&db->closed, 1, memory_order_seq_cst); /* pairs with yr_db_usable; see shut */
    shut(db);
    yr_db_unref(db);
}

void yr_db_ref(yore_db *db)
{
    atomic_fetch_add_explicit(&db->refs, 1, memory_order_relaxed); /* the caller holds one already */
}

void yr_db_unref(yore_db *db)
{
    /* acq_rel: the last one sees everything the others did before they let go */
    if (atomic_fetch_sub_explicit(&db->refs, 1, memory_order_acq_rel) == 1) destroy(db);
}

yore_status yr_db_usable(const yore_db *db, yore_error *err)
{
    if (atomic_load_explicit(&db->closed, memory_order_acquire)) { /* pairs with yore_close */
        return yr_fail(err, YORE_ERR_MISUSE, "the store '%s' has been closed", db->path);
    }
    if (is_in_forked_child(db)) {
        return yr_fail(err, YORE_ERR_MISUSE, "the store '%s' was opened by the parent process; open it again",
                       db->path);
    }
    return YORE_OK;
}

yore_status yr_db_writable(const yore_db *db, yore_error *err)
{
    yore_status status = yr_db_usable(db, err);
    if (status < 0) return status;
    if (db->store.read_only)
        return yr_fail(err, YORE_ERR_READONLY, "the store '%s' is open for reading only", db->path);
    if (atomic_load_explicit(&db->store.poisoned, memory_order_acquire)) { /* pairs with the commit leader */
        return yr_fail(err, YORE_ERR_POISONED,
                       "the store '%s' refuses writes since an earlier write failed; reopen it", db->path);
    }
    return YORE_OK;
}

yore_status yr_db_settle(yore_db *db, yore_error *err)
{
    if (!yr_store_unsettled(&db->store)) return YORE_OK;
    if (is_in_forked_child(db)) {
        return yr_fail(err, YORE_ERR_MISUSE, "the store '%s' was opened by the parent process; open it again",
                       db->path);
    }
    yore_status status = yr_store_settle(&db->store);
    return status < 0
               ? yr_fail(err, status, "out of memory while putting the keys of '%s' in order", db->path)
               : YORE_OK;
}

uint32_t yr_db_sync_mode(const yore_db *db, uint32_t asked)
{
    if (!asked || db->store.sync == YORE_SYNC_NONE) return db->store.sync;
    /* a log without gaps cannot leave one commit out */
    return asked == YORE_SYNC_NONE ? YORE_SYNC_OS : asked;
}

yore_status yr_db_sync_check(const yore_db *db, uint32_t asked, yore_error *err)
{
    if (!asked || asked == YORE_SYNC_NONE || !db->dir || db->store.sync != YORE_SYNC_NONE) return YORE_OK;
    return yr_fail(
        err, YORE_ERR_UNSUPPORTED,
        "the store '%s' is open in mode 'none', which logs nothing: no commit of it can be durable",
        db->path);
}

yore_status yore_sync(yore_db *db, yore_error *err)
{
    yore_status status = yr_db_writable(db, err);
    if (status < 0 || !db->store.wal) return status == YORE_ERR_READONLY ? YORE_OK : status;
    uint64_t version = yr_store_visible(&db->store);
    status = yr_wal_sync(db->store.wal, err);
    if (status < 0) {
        atomic_store_explicit(&db->store.poisoned, 1, memory_order_release); /* pairs with yr_db_writable */
        return status;
    }
    yr_store_durable(&db->store, version);
    return YORE_OK;
}

yore_status yore_upgrade(const char *path, const yore_open_options *options, uint32_t *from, uint32_t *to,
                         yore_error *err)
{
    yore_open_options reading = YORE_OPEN_OPTIONS_INIT;
    if (options) reading = *options;
    reading.create = reading.must_create = false;
    yore_db *db;
    /* 1.0 is the first format: a store that opens is current. Later formats rewrite here. */
    yore_status status = yore_open(path, &reading, &db, err);
    if (status < 0) return status;
    if (from) *from = db->report.format_major * 1000 + db->report.format_minor;
    if (to) *to = yore_format_version();
    yore_close(db);
    return YORE_OK;
}

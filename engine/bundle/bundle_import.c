/* Taking a bundle in: read it whole, find its base, and only then write; first under another name, which becomes the
 * branch's when all commits are there. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/bundle/bundle_private.h"

typedef struct importing {
    yore_db *db;
    yr_bundle_reading reading;
    yore_slice name;
    char working[YORE_BRANCH_NAME_MAX + 1]; /* what the branch is called meanwhile */
    uint8_t store_id[YR_UUID_BYTES];
    yore_at base; /* version 0 = none */
    uint8_t id[YR_SALT_BYTES];
    bool created;
    yr_buf versions; /* here, of the bundle's commits from the second frame on */
} importing;

static void name_working(importing *im)
{
    size_t room = YORE_BRANCH_NAME_MAX - (sizeof YR_BUNDLE_WORKING - 1);
    uint8_t hash[YR_HASH128_BYTES];
    if (im->name.size <= room) {
        (void)snprintf(im->working, sizeof im->working, "%s%.*s", YR_BUNDLE_WORKING, (int)im->name.size,
                       (const char *)im->name.data);
        return;
    }
    yr_hash128_of(im->name.data, im->name.size, hash);
    (void)snprintf(im->working, sizeof im->working, "%sx%016" PRIx64, YR_BUNDLE_WORKING, yr_get_le64(hash));
}

static yore_status check_names(importing *im, yore_error *err)
{
    yore_status status = yore_name_check(im->name, err);
    if (status < 0) return status;
    if (yr_catalog_by_name(im->db->store.catalog, im->name)) {
        return yr_fail(err, YORE_ERR_EXISTS, "there is a branch '%.*s' already", (int)im->name.size,
                       (const char *)im->name.data);
    }
    if (!yr_catalog_by_name(im->db->store.catalog, yore_str(im->working))) return YORE_OK;
    yr_fail(err, YORE_ERR_EXISTS, "an import of '%.*s' is under way, or was killed: there is a branch '%s'",
            (int)im->name.size, (const char *)im->name.data, im->working);
    yr_hint(err, "if nobody imports: yore branch delete %s --yes", im->working);
    return YORE_ERR_EXISTS;
}

/* -- first reading -- */

static yore_status judge_head(void *arg, const yr_bundle_head *head, const yr_commit_head *frame,
                              yr_reader *rows, yore_error *err)
{
    importing *im = arg;
    if (!head->has_base) return YORE_OK;
    memcpy(im->store_id, im->reading.info.store_id, sizeof im->store_id);
    yore_status status = yr_bundle_find_base(im->db, &im->reading, head, im->store_id, &im->base, err);
    return status == YORE_OK ? yr_bundle_check_base(im->db, im->reading.path, &im->base, frame, rows, err)
                             : status;
}

/* -- second reading -- */

static yore_status create(void *arg, const yr_bundle_head *head, const yr_commit_head *frame, yr_reader *rows,
                          yore_error *err)
{
    importing *im = arg;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    (void)frame;
    (void)rows;
    if (memcmp(im->id, im->reading.info.id, sizeof im->id) != 0) {
        return yr_fail(err, YORE_ERR_CORRUPT, "bundle '%s' became another one while it was read",
                       im->reading.path);
    }
    options.empty = !head->has_base;
    options.from = head->has_base ? &im->base : NULL;
    yore_status status = yore_branch_create(im->db, yore_str(im->working), &options, NULL, err);
    im->created = status == YORE_OK;
    return status;
}

static uint32_t map_parents(const importing *im, const yr_commit_head *commit, uint64_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < commit->parent_count; i++) {
        uint64_t number = yr_get_le64((const uint8_t *)commit->parents + 8u * (size_t)i);
        out[count++] = yr_get_le64(im->versions.data + 8 * (size_t)(number - 2)); /* checked by the reading */
    }
    return count;
}

static yore_status put_row(yore_txn *txn, const yr_row *row, yore_error *err)
{
    const yore_key key = {row->key, row->primitive};
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    if (row->op == YORE_OP_DEL) return yore_del(txn, key, NULL, err);
    options.type = row->type;
    options.meta = row->meta;
    options.expiry_ns = row->expiry_ns;
    return yore_put(txn, key, row->value, &options, err);
}

static yore_status commit(void *arg, const yr_commit_head *head, yr_reader *rows, yore_error *err)
{
    importing *im = arg;
    const yore_env *env = im->db->env;
    uint64_t parents[YORE_PARENTS_MAX];
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_txn *txn = NULL;
    yr_row row;
    options.times = YORE_TIMES_SHIFT;
    options.has_time = head->time_ns <=
                       env->wall_ns(env->ctx); /* else the clock's, as no store's time runs ahead */
    options.time_ns = head->time_ns;
    options.has_source_time = true;
    options.source_time_ns = head->source_time_ns ? head->source_time_ns : head->time_ns;
    options.allow_empty = true;
    options.author = head->author;
    options.source = head->source;
    options.parent_count = map_parents(im, head, parents);
    options.parents = parents;
    /* the rename behind them all is synced as the store's mode says, and they with it; mode none has no other */
    options.sync = im->db->store.sync == YORE_SYNC_NONE ? YORE_SYNC_DEFAULT : YORE_SYNC_OS;
    yore_status status = yore_begin(im->db, yore_str(im->working), &options, &txn, err);
    for (uint32_t i = 0; i < head->row_count && status == YORE_OK && yr_row_take(rows, head->branch, &row);
         i++)
        status = put_row(txn, &row, err);
    if (status < 0) {
        yore_rollback(txn);
        return status;
    }
    status = yore_commit(txn, head->note, &where, err);
    if (status == YORE_CONFLICT || status == YORE_EXISTS) {
        return yr_fail(err, YORE_ERR_REFUSED, "somebody writes to the branch '%s', which is being imported",
                       im->working);
    }
    if (status == YORE_OK && !yr_buf_append_le64(&im->versions, where.version))
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while importing '%s'", im->reading.path);
    return status;
}

static yore_status run(importing *im, yore_where *where, yore_error *err)
{
    im->reading.begin = judge_head;
    im->reading.arg = im;
    yore_status status = yr_bundle_read(&im->reading, err);
    if (status < 0) return status;
    memcpy(im->id, im->reading.info.id, sizeof im->id);
    im->reading.begin = create;
    im->reading.each = commit;
    status = yr_bundle_read(&im->reading, err);
    if (status == YORE_OK) status = yore_branch_rename(im->db, yore_str(im->working), im->name, NULL, err);
    if (status < 0 && im->created) {
        /* a store that takes no more writes keeps it, as after a kill */
        yore_status gone = yore_branch_delete(im->db, yore_str(im->working), false, NULL, NULL, NULL);
        (void)gone;
    }
    if (status < 0 || !where) return status;
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%.*s", (int)im->name.size, (const char *)im->name.data);
    return yore_at_resolve(im->db, &at, where, err);
}

yore_status yore_bundle_import(yore_db *db, const char *path, yore_slice name,
                               const yore_bundle_options *options, yore_where *where, yore_bundle_info *out,
                               yore_error *err)
{
    if (!db || !path) return yr_fail(err, YORE_ERR_MISUSE, "a store and the path of a bundle are needed");
    yore_status status = yr_bundle_options_check(&options, out, err);
    if (status == YORE_OK) status = yr_db_writable(db, err);
    if (status < 0) return status;
    importing im = {.db = db, .name = name, .reading = {.path = path, .env = db->env, .options = options}};
    yr_buf_init(&im.versions, db->env, SIZE_MAX / 2);
    if (name.size > YORE_BRANCH_NAME_MAX) return yore_name_check(name, err);
    name_working(&im);
    status = check_names(&im, err);
    if (status == YORE_OK) status = run(&im, where, err);
    if (status == YORE_OK && out) *out = im.reading.info;
    yr_buf_deinit(&im.versions);
    return status;
}

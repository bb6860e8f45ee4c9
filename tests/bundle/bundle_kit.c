#include "tests/bundle/bundle_kit.h"

#include <stdio.h>

#include "engine/base/hash.h"

#define NEED(call) kit_need((call), &err)

yore_at kit_at(const char *branch)
{
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", branch);
    return at;
}

yore_at kit_at_version(const char *branch, uint64_t version)
{
    yore_at at = kit_at(branch);
    at.kind = YORE_AT_VERSION;
    at.version = version;
    return at;
}

static uint64_t mix(uint64_t sum, yore_slice bytes)
{
    uint64_t parts[2] = {bytes.size, yr_hash64(bytes.data, bytes.size, sum)};
    return yr_hash64(parts, sizeof parts, sum);
}

static uint64_t mix_number(uint64_t sum, uint64_t number)
{
    return yr_hash64(&number, sizeof number, sum);
}

static uint64_t mix_row(uint64_t sum, const yore_row *row)
{
    sum = mix(mix(mix(sum, row->key), row->value), row->meta);
    sum = mix_number(sum, row->primitive << 16 | row->op << 8 | row->type);
    return mix_number(sum, (uint64_t)row->expiry_ns);
}

static uint64_t mix_rows(uint64_t sum, yore_iter *iter)
{
    yore_error err = YORE_ERROR_INIT;
    yore_row row;
    size_t n;
    yore_status status;
    while ((status = yore_next(iter, &row, sizeof row, 1, &n, &err)) == YORE_OK) sum = mix_row(sum, &row);
    if (status < 0) NEED(status);
    yore_iter_close(iter);
    return sum;
}

uint64_t kit_state(yore_db *db, const yore_at *at)
{
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap;
    uint64_t sum = 1;
    NEED(yore_snap_open(db, at, &snap, NULL, &err));
    for (uint32_t primitive = YORE_KV; primitive <= YORE_BLOB; primitive++) {
        yore_range range = YORE_RANGE_INIT;
        yore_iter *iter;
        range.primitive = primitive;
        NEED(yore_scan(snap, &range, &iter, &err));
        sum = mix_rows(sum, iter);
    }
    yore_snap_close(snap);
    return sum;
}

uint64_t kit_history(yore_db *db, const yore_at *at, uint64_t *commits)
{
    static uint64_t versions[4096];
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *iter;
    size_t count = 0;
    uint64_t sum = 1;
    NEED(yore_log(db, at, NULL, &iter, &err));
    while (yore_log_next(iter, &info, &err) == YORE_OK && count < 4096) versions[count++] = info.version;
    yore_iter_close(iter);
    *commits = count;
    for (size_t i = count; i > 0; i--) {
        NEED(yore_commit_get(db, versions[i - 1], &info, &err));
        sum = mix(mix(sum, info.note), info.author);
        sum = mix_number(sum, (uint64_t)(info.source_time_ns ? info.source_time_ns : info.time_ns));
        yore_at then = kit_at("");
        then.kind = YORE_AT_VERSION;
        then.branch_id = info.branch_id;
        then.version = info.version;
        yore_commit_release(&info);
        NEED(yore_commit_rows(db, versions[i - 1], &iter, &err));
        sum = mix_rows(sum, iter);
        sum = mix_number(sum, kit_state(db, &then));
    }
    return sum;
}

bool kit_has_branch(yore_db *db, const char *name)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    return yore_branch_info_get(db, yore_str(name), &info, &err) == YORE_OK;
}

uint32_t kit_branches(yore_db *db)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    uint32_t count = 0, after = 0;
    while (yore_branch_next(db, after, &info, &err) == YORE_OK) {
        after = info.id;
        count += info.deleted_version == 0;
    }
    return count;
}

yore_bundle_options kit_bundle_options(const yore_env *env)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    options.env = env;
    return options;
}

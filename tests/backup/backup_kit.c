#include "tests/backup/backup_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/hash.h"

static uint64_t mix(uint64_t digest, const void *bytes, size_t size)
{
    uint64_t parts[2] = {yr_hash64(size ? bytes : "", size, digest), size};
    return yr_hash64(parts, sizeof parts, 7);
}

static uint64_t mix_slice(uint64_t digest, yore_slice bytes)
{
    return mix(digest, bytes.data, bytes.size);
}

static uint64_t mix_rows(uint64_t d, yore_iter *iter)
{
    yore_row row;
    size_t n;
    while (yore_next(iter, &row, sizeof row, 1, &n, NULL) == YORE_OK) {
        const int64_t fields[] = {(int64_t)row.version, row.time_ns, row.expiry_ns, row.branch_id,
                                  row.primitive,        row.op,      row.type};
        d = mix(d, fields, sizeof fields);
        d = mix_slice(mix_slice(mix_slice(d, row.key), row.value), row.meta);
    }
    yore_iter_close(iter);
    return d;
}

static bool digest_commits(yore_db *db, uint64_t last, uint64_t *digest)
{
    uint64_t d = *digest;
    for (uint64_t v = 1; v <= last; v++) {
        yore_commit_info info = {.struct_size = sizeof info};
        yore_iter *iter;
        if (yore_commit_get(db, v, &info, NULL) != YORE_OK) return false;
        const int64_t numbers[] = {(int64_t)info.version,  info.time_ns, info.source_time_ns,
                                   info.wall_ns,           info.kind,    info.branch_id,
                                   (int64_t)info.key_count};
        d = mix(d, numbers, sizeof numbers);
        d = mix(d, info.parents, info.parent_count * sizeof info.parents[0]);
        d = mix_slice(mix_slice(mix_slice(d, info.note), info.author), info.source);
        yore_commit_release(&info);
        if (yore_commit_rows(db, v, &iter, NULL) != YORE_OK) return false;
        d = mix_rows(d, iter);
    }
    *digest = d;
    return true;
}

static bool digest_point(yore_db *db, uint32_t branch, uint64_t version, uint64_t *digest)
{
    yore_at at = YORE_AT_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_snap *snap;
    yore_iter *iter;
    at.kind = YORE_AT_VERSION;
    at.branch_id = branch;
    at.version = version;
    range.with_deleted = true;
    if (yore_snap_open(db, &at, &snap, NULL, NULL) != YORE_OK) return false;
    bool ok = yore_scan(snap, &range, &iter, NULL) == YORE_OK;
    if (ok) *digest = mix_rows(*digest, iter);
    yore_snap_close(snap);
    return ok;
}

static bool digest_branches(yore_db *db, uint64_t last, uint64_t *digest)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_status status;
    while ((status = yore_branch_next(db, info.id, &info, NULL)) == YORE_OK) {
        const int64_t numbers[] = {info.id,
                                   info.parent_id,
                                   info.depth,
                                   (int64_t)info.fork_version,
                                   (int64_t)info.head_version,
                                   (int64_t)info.create_version,
                                   info.created_ns,
                                   info.head_time_ns,
                                   (int64_t)info.own_bytes,
                                   (int64_t)info.children,
                                   info.ttl_ns,
                                   (int64_t)info.deleted_version,
                                   info.hidden};
        *digest = mix(*digest, numbers, sizeof numbers);
        *digest = mix_slice(*digest, yore_str(info.name));
        for (uint64_t i = 0; i <= 4; i++) {
            if (!digest_point(db, info.id, 1 + (last - 1) * i / 4, digest)) return false;
        }
    }
    return status == YORE_END;
}

static bool digest_names(yore_db *db, uint64_t *digest)
{
    yore_tag_info tag = {.struct_size = sizeof tag};
    size_t count;
    yore_status status;
    while ((status = yore_tag_next(db, yore_str(tag.name), &tag, NULL)) == YORE_OK) {
        const int64_t numbers[] = {tag.branch_id, (int64_t)tag.version, tag.time_ns, tag.created_ns};
        *digest = mix_slice(mix(*digest, numbers, sizeof numbers), yore_str(tag.name));
    }
    if (status != YORE_END) return false;
    const yore_setting *settings = yore_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char value[256] = "";
        if (yore_config_get(db, settings[i].name, NULL, value, sizeof value, NULL) < 0) return false;
        *digest = mix_slice(*digest, yore_str(value));
    }
    return true;
}

bool kit_digest(yore_db *db, uint64_t *digest)
{
    yore_stats stats = {.struct_size = sizeof stats};
    *digest = 0;
    if (yore_stats_get(db, &stats, NULL) != YORE_OK) return false;
    /* not keys and their bytes: a key counts in each layer that has it */
    const uint64_t numbers[] = {stats.version, (uint64_t)stats.time_ns, stats.branches, stats.versions,
                                stats.value_bytes};
    *digest = mix(*digest, numbers, sizeof numbers);
    return digest_commits(db, stats.version, digest) && digest_branches(db, stats.version, digest) &&
           digest_names(db, digest);
}

bool kit_digest_of(const yore_env *env, const char *path, uint64_t *digest)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db;
    options.env = env;
    options.read_only = true;
    options.memory_bytes_max = 64 << 20;
    bool ok = yore_open(path, &options, &db, &err) == YORE_OK;
    if (ok) {
        ok = yore_check(db, YORE_CHECK_DEEP, NULL, &err) == YORE_OK && kit_digest(db, digest);
        yore_close(db);
    }
    if (!ok) fprintf(stderr, "'%s' cannot be read: %s\n", path, err.message);
    return ok;
}

void kit_need(yore_status status, const yore_error *err)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "FAILED: %s %s\n", yore_status_name(status), err->message);
    abort();
}

yore_db *kit_open(yr_sim *sim, const char *path, bool read_only)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db;
    options.env = yr_sim_env(sim);
    options.create = !read_only;
    options.read_only = read_only;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 8192;
    kit_need(yore_open(path, &options, &db, &err), &err);
    return db;
}

static void put(yore_db *db, const char *branch, yore_key key, yore_slice value)
{
    yore_error err = YORE_ERROR_INIT;
    kit_need(yore_db_put(db, yore_str(branch), key, value, NULL, &err), &err);
}

/* One transaction with everything a version can carry. */
static void batch(yore_db *db, const char *branch, int round)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    const uint64_t parents[] = {1};
    yore_txn *txn;
    char key[32];
    options.has_source_time = true;
    options.source_time_ns = INT64_C(1500000000000000000) + round;
    options.parents = parents;
    options.parent_count = 1;
    options.author = yore_str("A. Thor <a@example.org>");
    options.source = yore_bytes("\1\2\0\3", 4);
    kit_need(yore_begin(db, yore_str(branch), &options, &txn, &err), &err);
    for (int i = 0; i < 5; i++) {
        yore_put_options how = YORE_PUT_OPTIONS_INIT;
        (void)snprintf(key, sizeof key, "batch/%d", (i + round) % 7);
        how.type = (uint32_t)i % 3;
        how.meta = yore_bytes("meta\0data", i % 2 ? 9 : 0);
        how.expiry_ns = i == 3 ? INT64_C(4000000000000000000) : 0;
        kit_need(yore_put(txn, yore_str_key(key),
                          how.type == YORE_TYPE_JSON ? yore_str("{\"n\":1}") : yore_str(key), &how, &err),
                 &err);
    }
    kit_need(yore_commit(txn, yore_str("a batch"), NULL, &err), &err);
}

void kit_fill(yore_db *db, int round)
{
    static const char binary[] = {0, 1, '\n', (char)0xFF, 0, 'k'};
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options hidden = YORE_BRANCH_OPTIONS_INIT;
    char name[32], other[32];
    hidden.hidden = true;
    put(db, "", yore_str_key("theme"), yore_str(round % 2 ? "dark" : "light"));
    put(db, "", yore_bytes_key(binary, sizeof binary), yore_bytes(binary, (size_t)round % sizeof binary));
    (void)snprintf(name, sizeof name, "exp-%d", round);
    (void)snprintf(other, sizeof other, "other-%d", round);
    kit_need(yore_branch_create(db, yore_str(name), round % 2 ? &hidden : NULL, NULL, &err), &err);
    put(db, name, yore_str_key("theme"), yore_str("blue"));
    batch(db, name, round);
    kit_need(yore_db_del(db, yore_str(""), yore_str_key("theme"), NULL, &err), &err);
    kit_need(yore_branch_rename(db, yore_str(name), yore_str(other), NULL, &err), &err);
    kit_need(yore_tag_create(db, yore_str(name), NULL, NULL, &err), &err);
    kit_need(yore_branch_create(db, yore_str("gone"), NULL, NULL, &err), &err);
    put(db, "gone", yore_str_key("k"), yore_str("v"));
    kit_need(yore_branch_delete(db, yore_str("gone"), false, NULL, NULL, &err), &err);
    if (round % 2) kit_need(yore_branch_recover(db, yore_str("gone"), yore_str(name), NULL, &err), &err);
    kit_need(yore_config_set(db, "durability", round % 2 ? "os" : "commit", NULL, &err), &err);
    if (round % 3 == 1) kit_need(yore_tag_delete(db, yore_str(name), NULL, &err), &err);
    batch(db, "", round + 3);
}

uint64_t kit_version(yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    kit_need(yore_stats_get(db, &stats, &err), &err);
    return stats.version;
}

yore_backup_options kit_options(const yore_env *env)
{
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    options.env = env;
    return options;
}

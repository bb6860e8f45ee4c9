/* Digests of commits, and the verifier of recovered disks. */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "tests/crash/store_scripts.h"

static uint64_t mix(uint64_t digest, const void *bytes, size_t size)
{
    uint64_t parts[2] = {yr_hash64(bytes, size, digest), size};
    return yr_hash64(parts, sizeof parts, 7);
}

static uint64_t mix_slice(uint64_t digest, yore_slice bytes)
{
    return mix(digest, bytes.size ? bytes.data : "", bytes.size);
}

static bool digest_commit(yore_db *db, uint64_t version, uint64_t *digest)
{
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *iter;
    yore_row row;
    size_t n;
    if (yore_commit_get(db, version, &info, NULL) != YORE_OK) return false;
    const int64_t numbers[] = {(int64_t)info.version, info.time_ns,           info.source_time_ns, info.kind,
                               info.branch_id,        (int64_t)info.key_count};
    uint64_t d = mix(*digest, numbers, sizeof numbers);
    d = mix(d, info.parents, info.parent_count * sizeof info.parents[0]);
    d = mix_slice(mix_slice(mix_slice(d, info.note), info.author), info.source);
    yore_commit_release(&info);
    if (yore_commit_rows(db, version, &iter, NULL) != YORE_OK) return false;
    while (yore_next(iter, &row, sizeof row, 1, &n, NULL) == YORE_OK) {
        const int64_t fields[] = {row.expiry_ns, row.branch_id, row.primitive, row.op, row.type};
        d = mix(d, fields, sizeof fields);
        d = mix_slice(mix_slice(mix_slice(d, row.key), row.value), row.meta);
    }
    yore_iter_close(iter);
    *digest = d;
    return true;
}

bool script_digest(yore_db *db, uint64_t from, uint64_t to, uint64_t *digest)
{
    for (uint64_t v = from + 1; v <= to; v++) {
        if (!digest_commit(db, v, digest)) return false;
    }
    return true;
}

static bool complain(const script_run *run, const yr_crash_point *point, const char *what,
                     const yore_error *err)
{
    if (run->quiet) return false;
    fprintf(stderr, "%s: cut after operation %u (acknowledged v%" PRIu64 ", begun v%" PRIu64 "): %s %s\n",
            run->script, point->op, point->acked, point->begun, what, err ? err->message : "");
    return false;
}

/* The recovered store holds a prefix of the script's commits, long enough. */
static bool judge(const script_run *run, yore_db *db, const yr_crash_point *point, uint64_t *version)
{
    yore_stats stats = {.struct_size = sizeof stats};
    uint64_t digest = 0;
    if (yore_stats_get(db, &stats, NULL) != YORE_OK) return complain(run, point, "no stats", NULL);
    *version = stats.version;
    if (stats.version < point->acked) return complain(run, point, "an acknowledged commit is lost", NULL);
    if (stats.version > run->version) return complain(run, point, "a commit nobody made", NULL);
    if (!script_digest(db, 0, stats.version, &digest))
        return complain(run, point, "a commit cannot be read", NULL);
    if (digest != run->digests[stats.version])
        return complain(run, point, "not a prefix of the commits made", NULL);
    return true;
}

/* Write on after recovery, close, open again: the store must still be whole. */
static bool go_on(const script_run *run, const yore_open_options *options, yore_db **db,
                  const yr_crash_point *point, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    uint64_t digest = 0;
    yore_stats stats = {.struct_size = sizeof stats};
    if (yore_db_put(*db, yore_str(""), yore_str_key("after the crash"), yore_str("still writing"), NULL,
                    &err) != YORE_OK) {
        return complain(run, point, "no write after recovery:", &err);
    }
    yore_close(*db);
    *db = NULL;
    if (yore_open("db", options, db, &err) != YORE_OK)
        return complain(run, point, "no second recovery:", &err);
    if (yore_stats_get(*db, &stats, &err) != YORE_OK || stats.version != version + 1) {
        return complain(run, point, "the write after recovery is lost", NULL);
    }
    if (!script_digest(*db, 0, version, &digest) || digest != run->digests[version]) {
        return complain(run, point, "the second recovery shows other commits", NULL);
    }
    return true;
}

bool script_verify(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    const script_run *run = arg;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(disk);
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 8192;
    options.create = point->acked ==
                     0; /* a cut while creating may leave no store; creating again must work */
    if (yore_open("db", &options, &db, &err) != YORE_OK)
        return complain(run, point, "cannot be opened:", &err);
    uint64_t version;
    yore_stats stats = {.struct_size = sizeof stats};
    bool fresh = point->acked == 0 && yore_stats_get(db, &stats, NULL) == YORE_OK && stats.version == 1;
    bool ok = fresh || judge(run, db, point, &version);
    if (ok && !fresh && !run->nested) ok = go_on(run, &options, &db, point, version);
    if (ok && yore_check(db, YORE_CHECK_DEEP, NULL, &err) != YORE_OK)
        ok = complain(run, point, "check:", &err);
    yore_close(db);
    return ok;
}

void script_trace(const store_script *script, script_run *run, yr_sim_trace *trace)
{
    yr_sim *sim = yr_sim_create(99);
    *run = (script_run){.sim = sim, .sync = YORE_SYNC_COMMIT, .script = script->name};
    yr_sim_trace_begin(sim);
    script->run(run);
    yr_sim_trace_take(sim, trace);
    yore_close(run->db);
    run->db = NULL;
    run->sim = NULL;
    if (yr_sim_has_leaks(sim)) {
        fprintf(stderr, "%s: the script leaks\n", script->name);
        exit(1);
    }
    yr_sim_destroy(sim);
}

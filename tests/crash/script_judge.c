/* Digests of commits, and the verifier of recovered disks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* without_times: the same for every clock. */
static bool digest_commit(yore_db *db, uint64_t version, bool without_times, uint64_t *digest)
{
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *iter;
    yore_row row;
    size_t n;
    yore_status status = yore_commit_get(db, version, &info, NULL);
    if (status == YORE_ERR_TRIMMED) *digest = mix(*digest, "no commit", 9);
    if (status != YORE_OK) return status == YORE_ERR_TRIMMED;
    const int64_t numbers[] = {(int64_t)info.version, without_times ? 0 : info.time_ns,
                               info.source_time_ns,   info.kind,
                               info.branch_id,        (int64_t)info.key_count};
    uint64_t d = mix(*digest, numbers, sizeof numbers);
    d = mix(d, info.parents, info.parent_count * sizeof info.parents[0]);
    d = mix_slice(mix_slice(mix_slice(d, info.note), info.author), info.source);
    yore_commit_release(&info);
    *digest = d;
    status = yore_commit_rows(db, version, &iter, NULL);
    if (status == YORE_ERR_TRIMMED) *digest = mix(d, "no rows", 7);
    if (status != YORE_OK) return status == YORE_ERR_TRIMMED;
    while ((status = yore_next(iter, &row, sizeof row, 1, &n, NULL)) == YORE_OK) {
        int64_t expiry = without_times ? row.expiry_ns != 0 : row.expiry_ns;
        const int64_t fields[] = {expiry, row.branch_id, row.primitive, row.op, row.type};
        d = mix(d, fields, sizeof fields);
        bool has_time = row.primitive == YORE_SYSTEM; /* records of branches say when they were made */
        yore_slice value = without_times && has_time ? yore_bytes(NULL, 0) : row.value;
        d = mix_slice(mix_slice(mix_slice(d, row.key), value), row.meta);
    }
    yore_iter_close(iter);
    *digest = d;
    return status == YORE_END;
}

bool script_digest(yore_db *db, uint64_t from, uint64_t to, uint64_t *digest)
{
    for (uint64_t v = from + 1; v <= to; v++) {
        if (!digest_commit(db, v, false, digest)) return false;
    }
    return true;
}

bool script_shows(const script_run *run, yore_db *db, const yr_crash_point *point, uint64_t version)
{
    for (uint64_t v = 1; v <= version; v++) {
        uint64_t digest = 0;
        bool is_known = false;
        if (!script_digest(db, v - 1, v, &digest)) return false;
        for (uint32_t i = run->history_count; i-- > 0 && !is_known;) {
            const script_history *history = &run->histories[i];
            if (history->from > version) continue;
            is_known = history->digests[v] == digest;
            if (point->acked >= history->from) break; /* its call had returned */
        }
        if (!is_known) return false;
    }
    return true;
}

bool script_content(yore_db *db, uint64_t version, uint64_t *content)
{
    *content = 0;
    return digest_commit(db, version, true, content);
}

/* A scan, and a get of each of its keys. */
static bool view_branch(yore_db *db, uint32_t branch_id, uint64_t version, uint64_t *view)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    yore_iter *iter;
    yore_row row;
    size_t n;
    yore_status status;
    bool same = true;
    at.kind = YORE_AT_VERSION; /* not now: what expires does so by the clock then */
    at.branch_id = branch_id;
    at.version = version;
    if (yore_snap_open(db, &at, &snap, NULL, NULL) != YORE_OK) return false;
    status = yore_scan(snap, NULL, &iter, NULL);
    if (status == YORE_OK) {
        while ((status = yore_next(iter, &row, sizeof row, 1, &n, NULL)) == YORE_OK) {
            const uint64_t numbers[] = {branch_id, row.version, row.branch_id};
            yore_pin pin = YORE_PIN_INIT;
            *view = mix_slice(mix_slice(mix(*view, numbers, sizeof numbers), row.key), row.value);
            yore_key key = {.primitive = YORE_KV, .user = row.key};
            same = same && yore_get(snap, key, &pin, NULL) == YORE_OK && pin.version == row.version &&
                   mix_slice(0, pin.value) == mix_slice(0, row.value);
            yore_unpin(&pin);
        }
        yore_iter_close(iter);
    }
    yore_snap_close(snap);
    return same && status == YORE_END;
}

bool script_view(yore_db *db, uint64_t version, uint64_t *view)
{
    yore_branch_info branch = {.struct_size = sizeof branch};
    yore_status status;
    *view = 0;
    for (uint32_t id = 0; (status = yore_branch_next(db, id, &branch, NULL)) == YORE_OK; id = branch.id) {
        *view = mix(*view, branch.name, strlen(branch.name));
        if (!branch.deleted_version && !view_branch(db, branch.id, version, view)) return false;
    }
    return status == YORE_END;
}

/* Does the session after the crash flush and merge? Sometimes. */
static uint32_t writes_segments(const script_run *run, const yr_crash_point *point)
{
    return run->maintain && point->op % 4 == 0 ? 1 : 0;
}

static bool complain(const script_run *run, const yr_crash_point *point, const char *what,
                     const yore_error *err)
{
    if (run->quiet) return false;
    fprintf(stderr, "%s: cut after operation %u (acknowledged v%" PRIu64 ", begun v%" PRIu64 "): %s %s\n",
            run->script, point->op, point->acked, point->begun, what, err ? err->message : "");
    return false;
}

/* The recovered store holds a prefix of the script's commits, and shows what it showed then. */
static bool judge(const script_run *run, yore_db *db, const yr_crash_point *point, uint64_t version)
{
    uint64_t view;
    if (version > run->version) return complain(run, point, "a commit nobody made", NULL);
    if (!script_shows(run, db, point, version))
        return complain(run, point, "not a prefix of the commits made", NULL);
    bool is_same = script_view(db, version, &view) && view == run->views[version];
    /* in the middle of an erasure */
    for (uint32_t i = 1; i < run->history_count; i++) {
        bool is_begun = run->histories[i].from == version && point->acked < version;
        is_same = is_same || (is_begun && view == run->views[version - 1]);
    }
    return is_same || complain(run, point, "scans and gets show something else", NULL);
}

/* Write on after recovery, close, open again: the store must still be whole. */
static bool go_on(const script_run *run, yore_open_options *options, yore_db **db,
                  const yr_crash_point *point, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    if (yore_db_put(*db, yore_str(""), yore_str_key("after the crash"), yore_str("still writing"), NULL,
                    &err) != YORE_OK) {
        return complain(run, point, "no write after recovery:", &err);
    }
    yore_close(*db);
    *db = NULL;
    if (run->memo && !state_memo_add_image(run->memo, run->disk, version)) return true; /* as before */
    if (yore_open("db", options, db, &err) != YORE_OK)
        return complain(run, point, "no second recovery:", &err);
    if (yore_stats_get(*db, &stats, &err) != YORE_OK || stats.version != version + 1) {
        return complain(run, point, "the write after recovery is lost", NULL);
    }
    if (!script_shows(run, *db, point, version)) {
        return complain(run, point, "the second recovery shows other commits", NULL);
    }
    return true;
}

/* *version: what was recovered, 0 when there was no store. */
static bool recover(script_run *run, yr_sim *disk, const yr_crash_point *point, uint64_t *version)
{
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(disk);
    options.memory_bytes_max = 64 << 20;
    options.memory_budget = 16 << 20;
    options.wal_bytes_min = 8192;
    options.maintain_every = writes_segments(run, point);
    options.create = point->acked ==
                     0; /* a cut while creating may leave no store; creating again must work */
    if (yore_open("db", &options, &db, &err) != YORE_OK)
        return complain(run, point, "cannot be opened:", &err);
    yore_stats stats = {.struct_size = sizeof stats};
    bool ok = yore_stats_get(db, &stats, NULL) == YORE_OK || complain(run, point, "no stats", NULL);
    bool fresh = point->acked == 0 && stats.version == 1; /* perhaps made just now */
    *version = stats.version;
    run->disk = disk;
    ok = ok && (fresh || judge(run, db, point, stats.version));
    if (ok && !fresh && !run->nested) ok = go_on(run, &options, &db, point, stats.version);
    /* what a check reads was read by then; so of the many cuts inside recovery some will do */
    bool is_checked = point->depth == 0 || run->recovered % 8 == 0;
    if (ok && db && is_checked && yore_check(db, YORE_CHECK_DEEP, NULL, &err) != YORE_OK)
        ok = complain(run, point, "check:", &err);
    yore_close(db);
    const char *wrong = ok ? script_look_at_made(run, disk, point) : NULL;
    return wrong ? complain(run, point, wrong, NULL) : ok;
}

bool script_verify(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    script_run *run = arg;
    state_files files;
    uint64_t version = 0, known = 0;
    yr_sim_set_wall_ns(disk, run->end_ns + point->depth * INT64_C(1000000000));
    yr_sim_set_seed(disk, 1000 + (uint64_t)point->depth);
    uint64_t how = writes_segments(run, point) * 2 + (point->acked == 0);
    if (run->history_count > 1 || run->made_count > 0)
        how += point->acked * 4; /* some must be there by then */
    bool has_files = run->memo && state_files_note(&files, disk, "db", how);
    bool is_known = has_files && state_memo_find(run->memo, &files, &known);
    if (is_known && !yr_sim_is_tracing(disk)) {
        version = known;
    } else {
        run->recovered += !yr_sim_is_tracing(disk); /* the others were before */
        if (!recover(run, disk, point, &version)) return false;
        if (has_files) state_memo_add(run->memo, &files, disk, version);
        if (is_known && version != known) return complain(run, point, "recovered in two ways", NULL);
    }
    return version >= point->acked || complain(run, point, "an acknowledged commit is lost", NULL);
}

void script_trace(const store_script *script, uint32_t maintain, script_run *run, yr_sim_trace *trace)
{
    yr_sim *sim = yr_sim_create(99);
    *run = (script_run){.sim = sim,
                        .sync = YORE_SYNC_COMMIT,
                        .maintain = maintain,
                        .history_count = 1,
                        .script = script->name};
    yr_sim_trace_begin(sim);
    script->run(run);
    yr_sim_trace_take(sim, trace);
    run->end_ns = yr_sim_env(sim)->wall_ns(yr_sim_env(sim)->ctx) + INT64_C(1000000000);
    yore_close(run->db);
    run->db = NULL;
    run->sim = NULL;
    if (yr_sim_has_leaks(sim)) {
        fprintf(stderr, "%s: the script leaks\n", script->name);
        exit(1);
    }
    yr_sim_destroy(sim);
}

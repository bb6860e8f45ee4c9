#include "tests/unit/wal/wal_scripts.h"

#include <errno.h>

static bool complain(const wal_kit *kit, const char *what)
{
    (void)fprintf(stderr, "  %s: %s\n", what, kit->err.message);
    return false;
}

static bool create(wal_kit *kit)
{
    yr_sim_begin(kit->sim, 1);
    if (kit_create(kit) < 0) return complain(kit, "create");
    yr_sim_ack(kit->sim, 1);
    return true;
}

static bool open_log(wal_kit *kit)
{
    if (kit_open(kit) < 0) return complain(kit, "open");
    if (kit->is_wrong) return complain(kit, kit->why);
    yr_sim_ack(kit->sim, kit->appended);
    return true;
}

/* `count` records with a sync after every `every` (0 = none): those before it are acknowledged then. */
static bool append(wal_kit *kit, uint64_t count, uint64_t every)
{
    for (uint64_t i = 1; i <= count; i++) {
        yr_sim_begin(kit->sim, kit->appended + 1);
        if (kit_append(kit) < 0) return complain(kit, "append");
        yr_wal_publish(kit->wal, yr_wal_last_lsn(kit->wal));
        if (every == 0 || i % every != 0) continue;
        if (yr_wal_sync(kit->wal, &kit->err) < 0) return complain(kit, "sync");
        yr_sim_ack(kit->sim, kit->appended);
    }
    return true;
}

static bool prepare(wal_kit *kit)
{
    return yr_wal_prepare(kit->wal, NULL, &kit->err) == YORE_OK || complain(kit, "prepare");
}

static bool seal(wal_kit *kit)
{
    if (yr_wal_seal(kit->wal, &kit->err) < 0) return complain(kit, "seal");
    yr_sim_ack(kit->sim, kit->appended);
    return true;
}

static bool reopen(wal_kit *kit)
{
    kit_close(kit);
    return open_log(kit);
}

/* Records in a segment that a durable MANIFEST names are safe, synced in the log or not. */
static bool flush(wal_kit *kit, bool rotate)
{
    if (kit_flush(kit, rotate) < 0) return complain(kit, "flush");
    if (kit->is_wrong) return complain(kit, kit->why);
    yr_sim_ack(kit->sim, kit->appended);
    return true;
}

static bool compact(wal_kit *kit)
{
    if (kit_compact(kit) < 0) return complain(kit, "compact");
    return !kit->is_wrong || complain(kit, kit->why);
}

static bool run_create(wal_kit *kit)
{
    return create(kit) && open_log(kit);
}

static bool run_synced_writes(wal_kit *kit)
{
    kit->options.mapped = false;
    return reopen(kit) && append(kit, 26, 1) && seal(kit);
}

static bool run_synced_groups_mapped(wal_kit *kit)
{
    return append(kit, 24, 3) && seal(kit) && append(kit, 12, 3);
}

static bool run_no_sync(wal_kit *kit)
{
    return append(kit, 34, 0);
}

static bool run_no_sync_then_seal(wal_kit *kit)
{
    return append(kit, 30, 0) && seal(kit) && append(kit, 6, 0);
}

static bool run_prepared_switches(wal_kit *kit)
{
    for (int i = 0; i < 12; i++) {
        if (!append(kit, 5, i % 3 == 0 ? 5 : 0) || !prepare(kit)) return false;
    }
    return true;
}

/* So many files end unsynced that a preparation syncs the oldest ones. */
static bool run_synced_behind(wal_kit *kit)
{
    kit->options.bytes_max = 4096;
    if (!reopen(kit)) return false;
    for (int i = 0; i < 24; i++) {
        if (!append(kit, 5, 0) || !prepare(kit)) return false;
    }
    uint64_t proven = yr_wal_durable_lsn(kit->wal);
    if (proven < 20) return complain(kit, "nothing was synced behind"); /* else nothing was tested */
    return reopen(kit) && append(kit, 6, 2);
}

static bool run_kill_and_reopen(wal_kit *kit)
{
    for (uint64_t i = 0; i < 5; i++) {
        if (!append(kit, 3 + i, i % 2) || !reopen(kit)) return false;
    }
    return true;
}

static bool run_close_and_reopen(wal_kit *kit)
{
    for (uint64_t i = 0; i < 6; i++) {
        if (!append(kit, 4, 2) || !seal(kit) || !reopen(kit)) return false;
    }
    return append(kit, 3, 0);
}

/* Sooner or later the only record of a session is the first in its file. */
static bool run_one_record_a_session(wal_kit *kit)
{
    for (int i = 0; i < 40; i++) {
        if (!append(kit, 1, 1) || !seal(kit) || !reopen(kit)) return false;
    }
    return append(kit, 3, 1);
}

static bool run_kill_with_a_prepared_file(wal_kit *kit)
{
    for (int i = 0; i < 3; i++) {
        while (!yr_wal_wants_prepare(kit->wal)) {
            if (!append(kit, 1, 0)) return false;
        }
        if (!prepare(kit) || !append(kit, 4, 4) || !append(kit, 2, 0) || !reopen(kit)) return false;
    }
    return append(kit, 10, 1);
}

/* The third sync fails: what was written then may or may not be there, and the page cache knows no better. */
static bool run_sync_fails(wal_kit *kit)
{
    if (!append(kit, 4, 2)) return false;
    yr_sim_set_fault(kit->sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
    yr_sim_begin(kit->sim, kit->appended + 1);
    if (kit_append(kit) < 0) return complain(kit, "append");
    if (yr_wal_sync(kit->wal, &kit->err) == YORE_OK)
        yr_sim_ack(kit->sim, kit->appended); /* a planted bug's word */
    return reopen(kit) && append(kit, 6, 2) && seal(kit);
}

/* The sync of the seal fails, and the next session syncs before it appends. */
static bool run_sync_of_the_seal_fails(wal_kit *kit)
{
    for (int i = 0; i < 2; i++) {
        if (!append(kit, 3, 3)) return false;
        yr_sim_set_fault(kit->sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
        if (yr_wal_seal(kit->wal, &kit->err) == YORE_OK)
            yr_sim_ack(kit->sim, kit->appended); /* a planted bug's word */
        if (!reopen(kit)) return false;
        if (yr_wal_sync(kit->wal, &kit->err) < 0) return complain(kit, "sync");
        if (!append(kit, 1, 0)) return false;
    }
    return append(kit, 2, 1);
}

/* A kill with unsynced records in several files, and no room to copy them. */
static bool run_kill_on_a_full_disk(wal_kit *kit)
{
    if (!append(kit, 4, 2) || !append(kit, 30, 0)) return false;
    yr_sim_set_capacity(kit->sim, yr_sim_used_bytes(kit->sim), ENOSPC);
    bool ok = reopen(kit);
    yr_sim_set_capacity(kit->sim, UINT64_MAX, ENOSPC);
    return ok && append(kit, 6, 2) && seal(kit);
}

/* The nth directory sync fails, in a preparation or in a recovery; whatever was renamed before it is in doubt. The
 * store is closed and opened as often as it takes, and written on. */
static bool run_dir_sync_fails(wal_kit *kit, uint64_t nth)
{
    if (!append(kit, 3, 3) || !seal(kit) || !append(kit, 1, 0)) return false;
    yr_sim_set_fault(kit->sim, (yr_sim_fault){.kinds = YR_SIM_OP_DIR_SYNC, .nth = nth, .os_errno = EIO});
    for (uint64_t i = 0; i < 24; i++) {
        if (i == 4 || i == 15) { /* once from a clean close, once from a kill */
            if (i == 4 && yr_wal_seal(kit->wal, &kit->err) == YORE_OK) yr_sim_ack(kit->sim, kit->appended);
            kit_close(kit);
        }
        if (!kit->wal) { /* the first try may meet the fault */
            if (kit_open(kit) < 0 && kit_open(kit) < 0) return complain(kit, "open");
            yr_sim_ack(kit->sim, kit->appended);
        }
        yr_sim_begin(kit->sim, kit->appended + 1);
        yore_status status = kit_append(kit);
        if (status == YORE_OK && i % 3 == 2) status = yr_wal_sync(kit->wal, &kit->err);
        if (status == YORE_OK && i % 3 == 2) yr_sim_ack(kit->sim, kit->appended);
        if (status == YORE_OK && yr_wal_wants_prepare(kit->wal))
            status = yr_wal_prepare(kit->wal, NULL, &kit->err);
        if (status < 0) kit_close(kit);
    }
    return true;
}

static bool run_dir_sync_fails_1(wal_kit *kit)
{
    return run_dir_sync_fails(kit, 1);
}

static bool run_dir_sync_fails_2(wal_kit *kit)
{
    return run_dir_sync_fails(kit, 2);
}

static bool run_dir_sync_fails_3(wal_kit *kit)
{
    return run_dir_sync_fails(kit, 3);
}

static bool run_dir_sync_fails_4(wal_kit *kit)
{
    return run_dir_sync_fails(kit, 4);
}

static bool run_flushes_synced(wal_kit *kit)
{
    for (int i = 0; i < 5; i++) {
        if (!append(kit, 9, 3) || !flush(kit, true)) return false;
        if (i % 2 && !compact(kit)) return false;
    }
    return append(kit, 3, 1) && seal(kit);
}

static bool run_flushes_not_synced(wal_kit *kit)
{
    for (int i = 0; i < 5; i++) {
        if (!append(kit, 14, 0) || (i % 2 && !prepare(kit)) || !flush(kit, true) || !append(kit, 3, 0))
            return false;
    }
    return compact(kit) && append(kit, 5, 0);
}

/* The file being written stays, with records the segments have and others. */
static bool run_flushes_without_rotation(wal_kit *kit)
{
    for (int i = 0; i < 6; i++) {
        if (!append(kit, 5, i % 2 ? 0 : 2) || !flush(kit, false) || !append(kit, 2, 0)) return false;
    }
    return seal(kit) && append(kit, 3, 1);
}

static bool run_flush_and_close(wal_kit *kit)
{
    for (int i = 0; i < 4; i++) {
        if (!append(kit, 6, i % 2 ? 1 : 0) || !flush(kit, true) || !seal(kit) || !reopen(kit)) return false;
        if (kit->replayed != kit->appended) return complain(kit, "records are missing");
        if (i == 2 && !compact(kit)) return false;
    }
    return append(kit, 2, 1);
}

/* The seal that a session closed with is not proven, and the next session flushes before it appends. */
static bool run_flush_with_an_unproven_seal(wal_kit *kit)
{
    for (int i = 0; i < 4; i++) {
        if (!append(kit, 3, 3)) return false;
        yr_sim_set_fault(kit->sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
        if (yr_wal_seal(kit->wal, &kit->err) == YORE_OK)
            yr_sim_ack(kit->sim, kit->appended); /* a planted bug's word */
        if (!reopen(kit) || !flush(kit, i % 2 == 1) || !append(kit, 1, 0)) return false;
    }
    return append(kit, 2, 1);
}

static bool run_flush_and_kill(wal_kit *kit)
{
    for (int i = 0; i < 6; i++) {
        if (!append(kit, 7, i % 3 ? 2 : 0) || !flush(kit, i % 2 == 0)) return false;
        if (i % 3 == 1 && !compact(kit)) return false;
        if (!append(kit, 2, 0) || !reopen(kit)) return false;
    }
    return append(kit, 2, 1);
}

/* The nth sync of a file, or directory sync, fails once in the middle of flushes; the store is opened again when it
 * says that it is poisoned. */
static bool run_flushes_while_failing(wal_kit *kit, uint32_t kinds, uint64_t nth)
{
    if (!append(kit, 3, 3)) return false;
    yr_sim_set_fault(kit->sim, (yr_sim_fault){.kinds = kinds, .nth = nth, .os_errno = EIO});
    for (uint64_t i = 0; i < 5; i++) {
        for (int n = 0; n < 4; n++) {
            if (!kit->wal && kit_open(kit) < 0 && kit_open(kit) < 0) return complain(kit, "open");
            yr_sim_begin(kit->sim, kit->appended + 1);
            if (kit_append(kit) < 0) kit_close(kit);
        }
        if (!kit->wal) continue;
        yore_status status = kit_flush(kit, i % 2 == 0);
        if (status == YORE_OK) yr_sim_ack(kit->sim, kit->appended);
        if (status == YORE_OK && i == 3) status = kit_compact(kit);
        if (yr_wal_is_poisoned(kit->wal)) {
            kit_close(kit);
        } else if (status < 0 && status != YORE_ERR_IO) {
            return complain(kit, "flush");
        }
        if (kit->is_wrong) return complain(kit, kit->why);
    }
    return true;
}

static bool run_flushes_while_a_sync_fails_2(wal_kit *kit)
{
    return run_flushes_while_failing(kit, YR_SIM_OP_SYNC, 2);
}

static bool run_flushes_while_a_sync_fails_3(wal_kit *kit)
{
    return run_flushes_while_failing(kit, YR_SIM_OP_SYNC, 3);
}

static bool run_flushes_while_a_dir_sync_fails_3(wal_kit *kit)
{
    return run_flushes_while_failing(kit, YR_SIM_OP_DIR_SYNC, 3);
}

static bool run_flushes_while_a_dir_sync_fails_4(wal_kit *kit)
{
    return run_flushes_while_failing(kit, YR_SIM_OP_DIR_SYNC, 4);
}

const wal_script wal_scripts[] = {
    {"create", run_create},
    {"a sync fails", run_sync_fails},
    {"the sync of the seal fails", run_sync_of_the_seal_fails},
    {"a kill on a full disk", run_kill_on_a_full_disk},
    {"synced writes", run_synced_writes},
    {"synced groups, mapped", run_synced_groups_mapped},
    {"no sync, mapped", run_no_sync},
    {"no sync, then a seal", run_no_sync_then_seal},
    {"prepared switches", run_prepared_switches},
    {"synced behind", run_synced_behind},
    {"kill and reopen", run_kill_and_reopen},
    {"close and reopen", run_close_and_reopen},
    {"one record a session", run_one_record_a_session},
    {"kill with a prepared file", run_kill_with_a_prepared_file},
    {"1st directory sync fails", run_dir_sync_fails_1},
    {"2nd directory sync fails", run_dir_sync_fails_2},
    {"3rd directory sync fails", run_dir_sync_fails_3},
    {"4th directory sync fails", run_dir_sync_fails_4},
    {"flushes, synced", run_flushes_synced},
    {"flushes, not synced", run_flushes_not_synced},
    {"flushes without rotation", run_flushes_without_rotation},
    {"flush and close", run_flush_and_close},
    {"flush and kill", run_flush_and_kill},
    {"flush with an unproven seal", run_flush_with_an_unproven_seal},
    {"flushes, 2nd sync fails", run_flushes_while_a_sync_fails_2},
    {"flushes, 3rd sync fails", run_flushes_while_a_sync_fails_3},
    {"flushes, 3rd directory sync fails", run_flushes_while_a_dir_sync_fails_3},
    {"flushes, 4th directory sync fails", run_flushes_while_a_dir_sync_fails_4},
};
const size_t wal_scripts_count = sizeof(wal_scripts) / sizeof(wal_scripts[0]);

bool wal_script_trace(const wal_script *script, yr_sim_trace *trace)
{
    wal_kit kit;
    kit_init(&kit, 7);
    bool ok = true;
    if (script->run != run_create) ok = create(&kit) && open_log(&kit);
    yr_sim_trace_begin(kit.sim); /* what is there now counts as durable */
    if (script->run != run_create) yr_sim_ack(kit.sim, 1);
    ok = ok && script->run(&kit);
    if (!ok) (void)fprintf(stderr, "script '%s' failed\n", script->name);
    kit_close(&kit);
    yr_sim_trace_take(kit.sim, trace);
    kit_detach(&kit);
    yr_sim_destroy(kit.sim);
    return ok;
}

/* Segments and value files in the directory: exactly those MANIFEST names. */
static bool has_only_listed_files(const wal_kit *kit)
{
    uint32_t count = 0;
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(kit->sim, KIT_PATH, i)); i++) {
        enum yr_file_kind kind;
        bool making;
        if (yr_file_name_id(name, &kind, &making) && kind != YR_FILE_WAL) count++;
    }
    return count == kit->state.file_count; /* kit_begin has seen those */
}

static bool verify(wal_kit *kit, const yr_crash_point *point)
{
    enum yr_store_kind kind;
    if (yr_store_probe(kit->env, kit->dir, KIT_PATH, &kind, &kit->err) < 0) return complain(kit, "probe");
    if (kind == YR_STORE_EMPTY) {
        if (point->acked > 0) return complain(kit, "the store is gone");
        if (!create(kit)) return false;
    } else if (kind != YR_STORE_PRESENT) {
        return complain(kit, "the probe sees damage");
    }
    if (!open_log(kit)) return false;
    uint64_t records = kit->replayed;
    if (records < point->acked || records > (point->begun > 1 ? point->begun : 1)) {
        (void)fprintf(stderr, "  %llu records; %llu acknowledged, %llu begun\n", (unsigned long long)records,
                      (unsigned long long)point->acked, (unsigned long long)point->begun);
        return false;
    }
    if (!has_only_listed_files(kit)) return complain(kit, "files that MANIFEST does not name");
    if (kit->state.hash_seed == 0) return complain(kit, "the state is gone");
    if (!append(kit, 1, 0) || !reopen(kit)) return false;
    if (kit->replayed != records + 1) return complain(kit, "not the records of the second run");
    if (!append(kit, 2, 1) || !append(kit, 1, 0) || !reopen(kit)) return false;
    if (kit->replayed != records + 4) return complain(kit, "not the records of the third run");
    if (!flush(kit, true) || !append(kit, 1, 0) || !reopen(kit)) return false;
    if (kit->replayed != records + 5) return complain(kit, "not the records behind the flush");
    return true;
}

bool wal_script_verify(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    (void)arg;
    wal_kit kit;
    kit_attach(&kit, disk);
    bool ok = verify(&kit, point);
    kit_detach(&kit);
    return ok;
}

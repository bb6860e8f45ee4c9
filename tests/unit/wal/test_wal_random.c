/* Random scripts of everything a log can be asked for, with faults, full disks, kills and closes between, each cut at
 * every operation: what was acknowledged is there, in order, and the log opens unattended. In scripts without faults a
 * reader looks in before some of the writer's operations: it sees what was published, and never an error.
 *
 *   test_wal_random [FIRST-SEED [COUNT [verbose]]] */
#include <errno.h>
#include <inttypes.h>

#include "engine/base/rng.h"
#include "tests/unit/wal/wal_kit.h"
#include "tests/unit/wal/wal_scripts.h"

enum { OPEN_TRIES = 6 };

typedef struct script {
    wal_kit kit;
    yr_rng rng;
    uint64_t seed;
    bool has_faults;
    bool has_full_disks;
    bool is_full;
    bool is_verbose;
    wal_kit reader;
    bool is_reading; /* it is open */
    bool is_reader_wrong;
    yr_rng looks;                    /* its own, so that it changes no script */
    uint64_t published;              /* records the writer has told readers of */
    uint64_t edge_version, edge_lsn; /* where a flush that goes on was begun; 0 = none does */
} script;

static uint64_t below(script *s, uint64_t bound)
{
    return yr_rng_below(&s->rng, bound);
}

static bool complain(const script *s, const char *what)
{
    (void)fprintf(stderr, "seed %" PRIu64 ": %s (%" PRIu64 " appended, %" PRIu64 " replayed): %s\n", s->seed,
                  what, s->kit.appended, s->kit.replayed, s->kit.err.message);
    return false;
}

static void look_in(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    script *s = arg;
    wal_kit *reader = &s->reader;
    if (s->is_reader_wrong || yr_rng_below(&s->looks, 4) != 0) return;
    yr_sim_set_hook(sim, NULL, NULL);
    if (s->is_reading && yr_rng_below(&s->looks, 6) == 0) {
        kit_detach(reader);
        s->is_reading = false;
    }
    uint64_t before = 0;
    yore_status status;
    if (s->is_reading) {
        before = reader->replayed;
        status = yr_wal_refresh(reader->wal, kit_apply, reader, &reader->err);
        if (status == YORE_END)
            status = yr_wal_restart(reader->wal, kit_begin, kit_apply, reader, &reader->err);
    } else {
        kit_attach(reader, sim);
        s->is_reading = true;
        status = kit_open_reader(reader);
    }
    uint64_t least = before > s->published ? before : s->published;
    s->is_reader_wrong = status < 0 || reader->is_wrong || reader->replayed < least ||
                         reader->replayed > s->kit.appended + 1;
    if (s->is_reader_wrong) {
        (void)fprintf(stderr,
                      "a reader before an operation of kind %u: %s: %s (%" PRIu64 " records, %" PRIu64
                      " before, %" PRIu64 " published)\n",
                      kind, yore_status_name(status), reader->err.message, reader->replayed, before,
                      s->published);
    }
    yr_sim_set_hook(sim, look_in, s);
}

static void set_full(script *s, bool is_full)
{
    s->is_full = is_full;
    uint64_t capacity = is_full ? yr_sim_used_bytes(s->kit.sim) + 4096 * below(s, 3) : UINT64_MAX;
    yr_sim_set_capacity(s->kit.sim, capacity, ENOSPC);
}

/* After a close or a kill: all records, and perhaps the one whose append failed. */
static bool reopen(script *s, bool one_more)
{
    wal_kit *kit = &s->kit;
    uint64_t expected = kit->appended;
    kit_close(kit);
    s->edge_version = 0;
    yore_status status = YORE_ERR_IO;
    for (int i = 0; i < OPEN_TRIES && (status == YORE_ERR_IO || status == YORE_ERR_FULL); i++) {
        status = kit_open(kit);
        if (status == YORE_ERR_FULL) set_full(s, false);
    }
    if (status < 0) return complain(s, "open");
    if (kit->is_wrong) return complain(s, kit->why);
    if (kit->replayed != expected && !(one_more && kit->replayed == expected + 1))
        return complain(s, "other records than were appended");
    yr_sim_ack(kit->sim, kit->appended);
    return true;
}

static yore_status append_some(script *s)
{
    wal_kit *kit = &s->kit;
    yore_status status = YORE_OK;
    for (uint64_t n = 1 + below(s, 4); n > 0 && status == YORE_OK; n--) {
        uint8_t payload[KIT_PAYLOAD_MAX];
        size_t size = kit_payload(kit->appended, payload);
        yr_sim_begin(kit->sim, kit->appended + 1);
        status = yr_wal_reserve(kit->wal, size, below(s, 5) == 0, &kit->err);
        if (status == YORE_OK && below(s, 20) == 0) /* the file just begun may be too small for this */
            status = yr_wal_reserve(kit->wal, 4000 + below(s, 20000), false, &kit->err);
        if (status < 0 || below(s, 10) == 0) continue; /* reserved, then not used */
        status = yr_wal_append(kit->wal, (yore_slice){payload, size}, NULL, &kit->err);
        if (status < 0) continue;
        kit->appended++;
        if (below(s, 2)) continue;
        yr_wal_publish(kit->wal, yr_wal_last_lsn(kit->wal));
        s->published = kit->appended;
    }
    return status;
}

static yore_status acked(script *s, yore_status status)
{
    if (status == YORE_OK) yr_sim_ack(s->kit.sim, s->kit.appended);
    return status;
}

/* Now, or begun here and ended some steps later. */
static yore_status flush(script *s)
{
    wal_kit *kit = &s->kit;
    if (s->edge_version) {
        yore_status status = kit_flush_to(kit, s->edge_version, s->edge_lsn);
        s->edge_version = 0;
        return status;
    }
    if (below(s, 2)) return acked(s, kit_flush(kit, below(s, 3) > 0));
    yore_status status = below(s, 3) ? yr_wal_rotate(kit->wal, &kit->err) : YORE_OK;
    if (status < 0) return status;
    s->edge_version = kit->appended;
    s->edge_lsn = yr_wal_last_lsn(kit->wal);
    return YORE_OK;
}

static void set_fault(script *s)
{
    static const uint32_t kinds[] = {
        YR_SIM_OP_SYNC,   YR_SIM_OP_DIR_SYNC, YR_SIM_OP_SYNC | YR_SIM_OP_DIR_SYNC, YR_SIM_OP_RENAME,
        YR_SIM_OP_UNLINK, YR_SIM_OP_OPEN,     YR_SIM_OP_WRITE | YR_SIM_OP_APPEND,
    };
    uint64_t kind = below(s, sizeof kinds / sizeof kinds[0]);
    yr_sim_set_fault(
        s->kit.sim,
        (yr_sim_fault){.kinds = kinds[kind], .nth = 1 + below(s, 5), .os_errno = below(s, 4) ? EIO : ENOSPC});
}

static bool step(script *s, int number)
{
    wal_kit *kit = &s->kit;
    uint64_t what = below(s, 24);
    yore_status status = YORE_OK;
    if (what < 9) {
        status = append_some(s);
    } else if (what < 12) {
        status = acked(s, yr_wal_sync(kit->wal, &kit->err));
    } else if (what < 14) {
        status = acked(s, yr_wal_seal(kit->wal, &kit->err));
        if (what == 13 && !reopen(s, false)) return false;
    } else if (what < 16) {
        status = yr_wal_prepare(kit->wal, NULL, &kit->err);
    } else if (what == 16) {
        if (!reopen(s, false)) return false;
    } else if (what == 17) {
        yr_wal_set_mapped(kit->wal, below(s, 2) == 1);
    } else if (what == 18 && s->has_full_disks) {
        set_full(s, !s->is_full);
    } else if (what == 19 && s->has_faults) {
        set_fault(s);
    } else if (what > 19) {
        status = what == 20 ? kit_compact(kit) : flush(s);
    }
    if (kit->is_wrong) return complain(s, kit->why);
    if (s->is_verbose) {
        (void)fprintf(stderr, "%d: %" PRIu64 ", %" PRIu64 " records, %s%s%s\n", number, what, kit->appended,
                      yore_status_name(status), status < 0 ? ": " : "", status < 0 ? kit->err.message : "");
    }
    if (status == YORE_ERR_CORRUPT) return complain(s, "damage that is not there");
    if (!yr_wal_is_poisoned(kit->wal)) return true;
    if (below(s, 2)) { /* all is well again; else the fault may strike the recovery too */
        yr_sim_set_fault(kit->sim, (yr_sim_fault){0});
        set_full(s, false);
    }
    return reopen(s, true);
}

static bool run(script *s)
{
    wal_kit *kit = &s->kit;
    s->rng.state = s->seed * 7919 + 13;
    s->has_faults = s->seed % 2 == 1;
    s->has_full_disks = s->seed % 3 == 0;
    kit->options.mapped = below(s, 2) == 1;
    kit->options.bytes_max = UINT64_C(4096) << below(s, 3);
    kit->appended = 1;
    s->looks.state = s->seed;
    if (!reopen(s, false)) return false;
    if (!s->has_faults) yr_sim_set_hook(kit->sim, look_in, s);
    int steps = 10 + (int)below(s, 40);
    for (int i = 0; i < steps; i++) {
        if (!step(s, i)) return false;
        if (s->is_reader_wrong) return complain(s, "a reader");
    }
    return true;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 40;
    yr_crash_report total = {0};
    bool ok = true;
    printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, first + count - 1);
    for (uint64_t seed = first; ok && seed < first + count; seed++) {
        static script s;
        s = (script){.seed = seed, .is_verbose = argc > 3};
        kit_init(&s.kit, seed);
        ok = kit_create(&s.kit) == YORE_OK;
        yr_sim_trace_begin(s.kit.sim);
        ok = ok && run(&s);
        yr_sim_set_hook(s.kit.sim, NULL, NULL);
        if (s.is_reading) kit_detach(&s.reader);
        yr_sim_trace trace;
        yr_sim_trace_take(s.kit.sim, &trace);
        kit_detach(&s.kit);
        ok = !yr_sim_has_leaks(s.kit.sim) && ok;
        yr_sim_destroy(s.kit.sim);
        char name[32];
        (void)snprintf(name, sizeof name, "seed %" PRIu64, seed);
        yr_crash_options options = {
            .name = name, .seed = seed, .exhaustive_max = 3, .structured_max = 4, .random_count = 6};
        ok = ok && yr_crash_explore(&trace, &options, wal_script_verify, NULL, &total);
        yr_sim_trace_deinit(&trace);
    }
    yr_crash_report_print("random scripts", &total, stdout);
    return ok ? 0 : 1;
}

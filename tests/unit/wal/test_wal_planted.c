/* The wrong variants of the log's code, one after the other: each must be caught, and none may be caught
 * when no bug is on. Built with YORE_PLANTED_BUGS only. */
#include <stdio.h>

#include "engine/base/bytes.h"
#include "engine/base/planted.h"
#include "engine/format/wal_format.h"
#include "tests/unit/wal/wal_scripts.h"

#define STATES_MAX 60000u

/* -- probes: true = something is wrong -- */

/* Power cuts in every script. */
static bool crash_states_violate(uint64_t *states)
{
    bool is_caught = false;
    *states = 0;
    for (size_t i = 0; i < wal_scripts_count && !is_caught; i++) {
        yr_sim_trace trace;
        bool ok = wal_script_trace(&wal_scripts[i], &trace);
        yr_crash_options options = {
            .name = wal_scripts[i].name, .seed = 5, .states_max = STATES_MAX, .is_quiet = true};
        yr_crash_report report = {0};
        is_caught = !ok || !yr_crash_explore(&trace, &options, wal_script_verify, NULL, &report);
        *states += report.first_violation ? report.first_violation : report.distinct;
        yr_sim_trace_deinit(&trace);
    }
    return is_caught;
}

/* A flipped bit in a record that others prove: silence is wrong. */
static bool rot_goes_unreported(uint64_t *states)
{
    wal_kit kit;
    kit_init(&kit, 3);
    bool is_caught = kit_create(&kit) < 0 || kit_open(&kit) < 0;
    uint64_t off = (kit_used_bytes(&kit, "db/wal-00000001.log") + 7) &
                   ~UINT64_C(7); /* of the second record */
    for (int i = 0; i < 4 && !is_caught; i++)
        is_caught = kit_append(&kit) < 0 || yr_wal_sync(kit.wal, &kit.err) < 0;
    kit_close(&kit);
    *states = 1;
    yr_sim_file_flip(kit.sim, "db/wal-00000001.log", (off + YR_WAL_RECORD_HEADER_BYTES + 3) * 8);
    if (kit_open(&kit) == YORE_OK) is_caught = true;
    kit_detach(&kit);
    yr_sim_destroy(kit.sim);
    return is_caught;
}

/* A user's value that holds a record, made by someone who knows the format but not the salt, and a tail torn so
 * that the scan comes upon it: the log must open. */
static bool forged_record_is_believed(uint64_t *states)
{
    wal_kit kit;
    kit_init(&kit, 4);
    bool is_caught = kit_create(&kit) < 0 || kit_open(&kit) < 0;
    uint64_t used = kit_used_bytes(&kit, "db/wal-00000001.log");
    uint64_t off = (used + 7) & ~UINT64_C(7);
    uint64_t forged_off = off + YR_WAL_RECORD_HEADER_BYTES;
    uint8_t payload[YR_WAL_RECORD_HEADER_BYTES + 8] = {0};
    uint8_t seed_bytes[YR_SALT_BYTES + 8] = {0};
    yr_put_le64(seed_bytes + YR_SALT_BYTES, 1);
    yr_file_header no_salt = {.file_id = 1};
    yr_wal_record_header forged = {.type = YR_WAL_GROUP, .lsn = 9, .durable_lsn = 8};
    yr_wal_record_encode(&forged, (yore_slice){payload, 8}, yr_file_seed(&no_salt), forged_off, payload);
    uint64_t lsn;
    if (!is_caught) {
        is_caught = yr_wal_reserve(kit.wal, sizeof(payload), false, &kit.err) < 0 ||
                    yr_wal_append(kit.wal, (yore_slice){payload, sizeof(payload)}, &lsn, &kit.err) < 0;
    }
    kit_close(&kit);
    yr_sim_file_zero(kit.sim, "db/wal-00000001.log", off, 16); /* the cut tore the value's own record */
    *states = 1;
    if (kit_open(&kit) < 0) is_caught = true;
    kit_detach(&kit);
    yr_sim_destroy(kit.sim);
    return is_caught;
}

/* A writer dies without a word; the next one must get the lock. */
static bool dead_writer_keeps_the_lock(uint64_t *states)
{
    wal_kit kit;
    kit_init(&kit, 5);
    bool is_caught = kit_create(&kit) < 0;
    yr_sim_image image;
    yr_sim_image_clone(&image, yr_sim_image_of(kit.sim)); /* LOCK is there, its holder will not be */
    kit_restart(&kit, &image);
    yr_sim_image_deinit(&image);
    *states = 1;
    if (kit_open(&kit) < 0) is_caught = true;
    kit_detach(&kit);
    yr_sim_destroy(kit.sim);
    return is_caught;
}

typedef struct probe {
    const char *name;
    bool (*is_caught)(uint64_t *states);
} probe;

static const probe probes[] = {
    {"crash states", crash_states_violate},
    {"rot", rot_goes_unreported},
    {"a forged record", forged_record_is_believed},
    {"a dead writer", dead_writer_keeps_the_lock},
};

typedef struct planted {
    const char *name;
    enum yr_bug bug;
} planted;

static const planted bugs[] = {
    {"none", YR_BUG_NONE},
    {"stop at the first bad record", YR_BUG_STOP_AT_FIRST_BAD},
    {"append after a torn tail", YR_BUG_APPEND_AFTER_TORN_TAIL},
    {"no directory sync", YR_BUG_NO_DIR_SYNC},
    {"retry a failed sync", YR_BUG_RETRY_SYNC},
    {"no salt", YR_BUG_NO_SALT},
    {"reuse a log file", YR_BUG_REUSE_WAL},
    {"lock by existence", YR_BUG_LOCK_BY_EXCL},
};

int main(void)
{
    int missed = 0;
    for (size_t i = 0; i < sizeof(bugs) / sizeof(bugs[0]); i++) {
        yr_planted_bug = bugs[i].bug;
        bool is_caught = false;
        for (size_t j = sizeof(probes) / sizeof(probes[0]); j-- > 0;) { /* the quick ones first */
            uint64_t states;
            if (!probes[j].is_caught(&states)) continue;
            printf("%-30s caught by %s after %llu states\n", bugs[i].name, probes[j].name,
                   (unsigned long long)states);
            is_caught = true;
            break;
        }
        if (is_caught == (bugs[i].bug != YR_BUG_NONE)) continue;
        printf("%-30s %s\n", bugs[i].name, is_caught ? "FALSE ALARM" : "NOT CAUGHT");
        missed++;
    }
    return missed ? 1 : 0;
}

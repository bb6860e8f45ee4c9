/* Power cuts at every instant of every script, and inside the recoveries that follow.
 *
 *   --density N   random subsets of the pieces in doubt, per cut
 *   --quick       few states; of the flushing variants of a script only one
 *   --nested N    states inside recovery, per script at most
 *   --script S    only this one
 *   --part K N    only every N-th, from the K-th on
 *   --maintain N  flush after every N commits and merge all then, 0..5; without it all of these
 *   --flushes     all of these but 0
 *   --planted     (planted-bug build) each bug of the crash board must be found
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/planted.h"
#include "tests/crash/store_scripts.h"

enum { MAINTAIN_MAX = 5 };

typedef struct crash_run {
    uint32_t density;
    uint64_t nested;
    const char *only;
    uint32_t part, parts; /* 0 parts: all */
    uint32_t maintain_min, maintain_max;
    bool is_quick;
    bool quiet;
    bool stop_at_violation;
} crash_run;

static size_t explored;    /* scripts */
static uint64_t recovered; /* disks, of all explorations */
static uint64_t content;   /* of the script that is being explored, without flushes; 0 = not known */

static void add(yr_crash_report *total, const yr_crash_report *report, bool is_nested)
{
    total->distinct += is_nested ? report->nested : report->distinct;
    total->images += is_nested ? report->nested_images : report->images;
    total->violations += report->violations;
    total->seconds += report->seconds;
}

/* A recovery is good for about so many states. */
enum { STATES_OF_A_RECOVERY = 1000 };

/* One script, cut everywhere; then cuts inside recovery, of so many of these states that `nested` come together. */
static void explore(const store_script *script, uint32_t maintain, uint64_t seed, const crash_run *how,
                    yr_crash_report *total)
{
    static script_run run;
    yr_sim_trace trace;
    char name[64];
    snprintf(name, sizeof name, maintain ? "%s, flush %u" : "%s", script->name, maintain);
    script_trace(script, maintain, &run, &trace);
    run.memo = state_memo_create();
    uint64_t states = 0;
    for (int depth = 0; depth < (how->nested ? 2 : 1); depth++) {
        uint64_t every = how->nested ? states * STATES_OF_A_RECOVERY / how->nested : 0;
        yr_crash_options options = {.name = name,
                                    .seed = seed,
                                    .structured_max = how->is_quick ? 8 : 0,
                                    .random_count = how->density,
                                    .exhaustive_max = how->is_quick ? 7 : 0,
                                    .depth = depth,
                                    .nested_every = (uint32_t)every + 1,
                                    .nested_only = depth > 0,
                                    .states_max = depth ? states + how->nested : 0,
                                    .is_quiet = how->quiet};
        yr_crash_report report = {0};
        run.nested = depth > 0;
        run.quiet = how->quiet;
        yr_crash_explore(&trace, &options, script_verify, &run, &report);
        if (!how->quiet) yr_crash_report_print(name, &report, stdout);
        add(total, &report, depth > 0);
        states = report.distinct;
        if (how->stop_at_violation && report.violations) break;
    }
    recovered += run.recovered;
    state_memo_destroy(run.memo);
    yr_sim_trace_deinit(&trace);
    /* a flush and a merge change nothing that can be seen */
    if (maintain == 0) content = run.content;
    if (content && run.content != content) {
        fprintf(stderr, "%s: other commits than without flushes\n", name);
        total->violations++;
    }
}

static yr_crash_report explore_all(const crash_run *how)
{
    yr_crash_report total = {0};
    for (size_t i = 0; i < store_scripts_count; i++) {
        if (how->only && strcmp(how->only, store_scripts[i].name) != 0) continue;
        if (how->parts && i % how->parts != how->part % how->parts) continue;
        content = 0;
        explored++;
        for (uint32_t maintain = how->maintain_min; maintain <= how->maintain_max; maintain++) {
            if (how->is_quick && maintain && maintain != 1 + i % MAINTAIN_MAX) continue;
            explore(&store_scripts[i], maintain, 40 + i, how, &total);
            if (how->stop_at_violation && total.violations) return total;
        }
    }
    return total;
}

#ifdef YORE_PLANTED_BUGS
/* The bugs a power cut shows. Others of the board are caught by tests of their own (docs/testing.md). */
static const struct {
    enum yr_bug bug;
    const char *name;
    const char *script;
    uint32_t maintain;
} board[] = {
    {YR_BUG_APPEND_AFTER_TORN_TAIL, "append after an uncut tail", "puts", 0},
    {YR_BUG_NO_DIR_SYNC, "missing directory sync", "create", 0},
    {YR_BUG_ACK_BEFORE_SYNC, "acknowledge before sync", "puts", 0},
    {YR_BUG_RETRY_SYNC, "retry after a failed sync", "sync failure", 0},
    {YR_BUG_SEGMENT_NO_SYNC, "segment not synced", "puts", 1},
    {YR_BUG_SEGMENT_NO_DIR_SYNC, "segment's name not synced", "puts", 1},
    {YR_BUG_EARLY_UNLINK, "inputs of a merge unlinked early", "puts", 1},
    {YR_BUG_EARLY_UNLINK, "inputs of a rewriting unlinked early", "erasure", 0},
    {YR_BUG_FLUSHED_LSN, "one log record too many taken for flushed", "puts", 1},
    {YR_BUG_FLUSHED_UNPROVEN, "flushed ahead of the proven end", "many small", 5},
    {YR_BUG_MANIFEST_NO_SYNC, "MANIFEST not synced", "log rotation", 0},
    {YR_BUG_MANIFEST_NO_DIR_SYNC, "MANIFEST's name not synced", "log rotation", 0},
    {YR_BUG_LOG_DROP_EARLY, "log files dropped early", "log rotation", 4},
    {YR_BUG_LOG_CLOSE_UNPROVEN, "a log file's end said before it is proven", "log rotation unsynced", 0},
    {YR_BUG_BACKUP_NO_SYNC, "backup not synced", "backup", 0},
};

static int run_board(void)
{
    int missed = 0;
    for (size_t i = 0; i < sizeof board / sizeof board[0]; i++) {
        const crash_run how = {.density = 16,
                               .nested = 4000,
                               .only = board[i].script,
                               .maintain_min = board[i].maintain,
                               .maintain_max = board[i].maintain,
                               .quiet = true,
                               .stop_at_violation = true};
        yr_planted_bug = board[i].bug;
        yr_crash_report report = explore_all(&how);
        yr_planted_bug = YR_BUG_NONE;
        printf("%-42s %s after %" PRIu64 " states\n", board[i].name, report.violations ? "caught" : "MISSED",
               report.distinct);
        missed += report.violations == 0;
    }
    return missed ? 1 : 0;
}
#endif

int main(int argc, char **argv)
{
    crash_run how = {.density = 8, .nested = 400, .maintain_max = MAINTAIN_MAX};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--density") == 0)
            how.density = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--nested") == 0)
            how.nested = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--quick") == 0)
            how.is_quick = true;
        else if (i + 2 < argc && strcmp(argv[i], "--part") == 0) {
            how.part = (uint32_t)strtoul(argv[++i], NULL, 10);
            how.parts = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--flushes") == 0)
            how.maintain_min = 1;
        else if (more && strcmp(argv[i], "--maintain") == 0)
            how.maintain_min = how.maintain_max = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--script") == 0)
            how.only = argv[++i];
#ifdef YORE_PLANTED_BUGS
        else if (strcmp(argv[i], "--planted") == 0)
            return run_board();
#endif
        else {
            fprintf(stderr, "unknown argument '%s'\n", argv[i]);
            return 2;
        }
    }
    yr_crash_report total = explore_all(&how);
    printf("%zu scripts, %" PRIu64 " distinct crash states (%" PRIu64 " different disks, %" PRIu64
           " recovered), %" PRIu64 " violations, %.1f s\n",
           explored, total.distinct, total.images, recovered, total.violations, total.seconds);
    if (explored == 0) fprintf(stderr, "there is no such script\n");
    return total.violations || explored == 0 ? 1 : 0;
}

/* Random operation scripts on a store and on the reference model, every answer compared.
 *
 *   test_model [--ops N] [--seed S] [--script SEED] [--trace] [--planted]
 *
 * Scripts run until N operations are done (default 20,000; CI asks for a million). Each script draws its own mix
 * of operations (a random subset with random weights), kind of store and durability from its seed. A script
 * that fails, crashes or hangs is cut down by leaving out steps, each try in a process of its own, and the
 * smallest one found is printed with everything it does. `--script SEED` runs one again. `--planted` (in the
 * build that has them) runs known-wrong variants of the engine and fails unless each is caught. */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/planted.h"
#include "tests/model/model_world.h"

#define STEPS_MAX 600u
#define SCRIPT_SECONDS_MAX 120u

typedef struct script {
    uint64_t seed;
    bool on_disk;
    bool is_wide;
    uint32_t sync;
    uint32_t maintain_every;
    size_t count;
    step steps[STEPS_MAX];
} script;

/* What the worker tells its parent. */
typedef struct report {
    uint64_t seed; /* of the script at work */
    uint64_t ops;
    uint64_t scripts;
    uint64_t commits;
    uint64_t kinds[STEP_KIND_COUNT];
    bool failed;
    char message[1024];
} report;

#define STEP_NAME(name, weight) #name,
static const char *const step_names[] = {STEP_KINDS(STEP_NAME)};
#define STEP_WEIGHT(name, weight) weight,
static const uint32_t step_weights[] = {STEP_KINDS(STEP_WEIGHT)};

static void (*const step_functions[])(world *) = {
    [STEP_CLOCK] = step_clock,
    [STEP_PUT] = step_put,
    [STEP_DEL] = step_del,
    [STEP_BATCH] = step_batch,
    [STEP_BEGIN] = step_begin,
    [STEP_TXN_OPS] = step_txn_ops,
    [STEP_TXN_GET] = step_txn_get,
    [STEP_TXN_SCAN] = step_txn_scan,
    [STEP_COMMIT] = step_commit,
    [STEP_ROLLBACK] = step_rollback,
    [STEP_BRANCH_CREATE] = step_branch_create,
    [STEP_BRANCH_RENAME] = step_branch_rename,
    [STEP_BRANCH_DELETE] = step_branch_delete,
    [STEP_BRANCH_RECOVER] = step_branch_recover,
    [STEP_TAG_CREATE] = step_tag_create,
    [STEP_TAG_DELETE] = step_tag_delete,
    [STEP_CONFIG] = step_config,
    [STEP_MERGE] = step_merge,
    [STEP_UNDO] = step_undo,
    [STEP_RETENTION] = step_retention,
    [STEP_REOPEN] = step_reopen,
    [STEP_READER] = step_reader,
    [STEP_GET] = step_get,
    [STEP_GET_MANY] = step_get_many,
    [STEP_SCAN] = step_scan,
    [STEP_HISTORY] = step_history,
    [STEP_LOG] = step_log,
    [STEP_CHANGES] = step_changes,
    [STEP_COMMIT_ROWS] = step_commit_rows,
    [STEP_RESOLVE] = step_resolve,
    [STEP_BRANCH_LIST] = step_branch_list,
    [STEP_TAG_LIST] = step_tag_list,
    [STEP_SAMPLE] = step_sample,
    [STEP_CHECK] = step_check,
};

/* -- scripts -- */

/* Swarm testing: each script leaves some operations out and prefers others, so that rare combinations get room. */
static void make_script(uint64_t seed, script *out)
{
    yr_rng rng = {seed};
    uint32_t weights[STEP_KIND_COUNT], total = 0;
    out->seed = seed;
    out->on_disk = yr_rng_below(&rng, 3) != 0;
    out->is_wide = yr_rng_below(&rng, 4) == 0;
    out->sync = yr_rng_below(&rng, 3) ? YORE_SYNC_OS : YORE_SYNC_COMMIT;
    out->count = 100 + yr_rng_below(&rng, STEPS_MAX - 100 + 1);
    out->maintain_every = out->on_disk && seed % 2 ? 1 + (uint32_t)(seed / 2 % 9) : 0;
    for (uint32_t i = 0; i < STEP_KIND_COUNT; i++) {
        weights[i] = yr_rng_below(&rng, 4) ? step_weights[i] * (1u + (uint32_t)yr_rng_below(&rng, 3)) : 0;
        if (i == STEP_PUT || i == STEP_GET) weights[i] += 4;
        total += weights[i];
    }
    for (size_t i = 0; i < out->count; i++) {
        uint64_t pick = yr_rng_below(&rng, total);
        uint32_t kind = 0;
        while (pick >= weights[kind]) pick -= weights[kind++];
        out->steps[i] = (step){.kind = kind, .seed = yr_rng_next(&rng)};
    }
}

static void run_steps(world *w, const script *s, report *to)
{
    world_open(w);
    /* A new store has one commit, init, which made `default`; its time is before any other. */
    yore_where where = YORE_WHERE_INIT;
    yore_at first = YORE_AT_INIT;
    first.kind = YORE_AT_VERSION;
    first.version = 1;
    world_expect(w, yore_at_resolve(w->db, &first, &where, NULL), YORE_OK, "yore_at_resolve of v1", NULL);
    model_commit_system(&w->m, YORE_COMMIT_INIT, where.snap_time_ns);
    model_branch_add(&w->m, "default", 0, 0, 1);
    for (size_t i = 0; i < s->count; i++) {
        w->step_index = i;
        w->rng.state = s->steps[i].seed;
        world_say(w, "%s", step_names[s->steps[i].kind]);
        world_advance(w, 1 + (int64_t)below(w, 2000)); /* time goes on a little all the while */
        step_functions[s->steps[i].kind](w);
        world_check_samples(w);
        to->ops++;
        to->kinds[s->steps[i].kind]++;
    }
    w->step_index = s->count;
    step_check(w);
    world_say(w, "end");
    world_close(w);
    world_check_samples(w);
    world_drop_samples(w);
    if (yr_sim_has_leaks(w->sim)) {
        yr_sim_leaks leaks = yr_sim_leaks_of(w->sim);
        world_fail(w,
                   "not given back: %" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " ranges, %" PRIu64
                   " handles",
                   leaks.blocks, leaks.bytes, leaks.ranges, leaks.handles);
    }
}

/* Run one script; false with to->message when it failed (memory is then left as it is). */
static bool run_script(const script *s, bool trace, report *to)
{
    world *w = calloc(1, sizeof *w);
    if (!w) abort();
    to->seed = s->seed;
    w->trace = trace;
    w->on_disk = s->on_disk;
    w->is_wide = s->is_wide;
    w->sync = s->sync;
    w->maintain_every = s->maintain_every;
    w->clock = INT64_C(1700000000000000000);
    w->rng.state = s->seed;
    w->sim = yr_sim_create(s->seed);
    yr_sim_set_tick_ns(w->sim, 0);
    yr_sim_set_wall_ns(w->sim, w->clock);
    model_init(&w->m);
    if (setjmp(w->failed)) {
        snprintf(to->message, sizeof to->message, "%s", w->message);
        to->failed = true;
        return false;
    }
    run_steps(w, s, to);
    to->commits += model_last_version(&w->m);
    to->scripts++;
    model_deinit(&w->m);
    yr_sim_destroy(w->sim);
    free(w);
    return true;
}

/* -- processes -- */

static report *shared_report(void)
{
    report *to = mmap(NULL, sizeof *to, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (to == MAP_FAILED) abort();
    return to;
}

/* Wait for a worker: true when it ended well. */
static bool wait_for(pid_t pid, report *to)
{
    int state = 0;
    while (waitpid(pid, &state, 0) < 0) continue;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return true;
    if (WIFSIGNALED(state)) {
        to->failed = true;
        snprintf(to->message, sizeof to->message, "killed by signal %d%s", WTERMSIG(state),
                 WTERMSIG(state) == SIGALRM ? " (took too long)" : "");
    } else if (!to->failed) {
        to->failed = true;
        snprintf(to->message, sizeof to->message, "exit status %d", WEXITSTATUS(state));
    }
    return false;
}

/* Run one script in a process of its own. */
static bool try_script(const script *s, bool trace, bool quiet, report *to)
{
    memset(to, 0, sizeof *to);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) {
        alarm(SCRIPT_SECONDS_MAX);
        if (quiet && !freopen("/dev/null", "w", stderr)) _exit(3);
        bool ok = run_script(s, trace, to);
        fflush(NULL);
        _exit(ok ? 0 : 1);
    }
    return wait_for(pid, to);
}

/* The same complaint, whatever the step, the key and the numbers in it? */
static bool is_same_failure(const char *a, const char *b)
{
    const char *x = strstr(a, "): "), *y = strstr(b, "): ");
    x = x ? x + 3 : a;
    y = y ? y + 3 : b;
    for (int words = 0; words < 3; x++, y++) {
        while (*x >= '0' && *x <= '9') x++;
        while (*y >= '0' && *y <= '9') y++;
        if (*x != *y) return false;
        if (!*x) return true;
        words += *x == ' ';
    }
    return true;
}

/* Leave out ever smaller pieces as long as the script still fails in the same way. */
static void shrink(script *s, report *to)
{
    static script shorter;
    char complaint[sizeof to->message];
    snprintf(complaint, sizeof complaint, "%s", to->message);
    for (size_t piece = s->count / 2; piece >= 1; piece /= 2) {
        for (size_t at = 0; at < s->count;) {
            size_t cut = piece < s->count - at ? piece : s->count - at;
            shorter = *s;
            memmove(&shorter.steps[at], &shorter.steps[at + cut], (s->count - at - cut) * sizeof(step));
            shorter.count -= cut;
            if (try_script(&shorter, false, true, to) || !is_same_failure(complaint, to->message))
                at += cut;
            else
                *s = shorter;
        }
    }
}

static int explain(uint64_t seed, report *to)
{
    static script s;
    printf("script %" PRIu64 " failed: %s\n", seed, to->message);
    make_script(seed, &s);
    size_t whole = s.count;
    if (try_script(&s, false, true, to)) {
        printf("it passes when run alone\n");
        return 1;
    }
    shrink(&s, to);
    printf("cut down from %zu to %zu steps (store %s, sync %u, flush every %u):\n", whole, s.count,
           s.on_disk ? "on the simulated disk" : "in memory", s.sync, s.maintain_every);
    try_script(&s, true, false, to);
    printf("FAILED: %s\nrun it again with: test_model --script %" PRIu64 "\n", to->message, seed);
    return 1;
}

static void summary(const report *to, uint64_t seed)
{
    printf("test_model: %" PRIu64 " operations in %" PRIu64 " scripts, %" PRIu64
           " commits, first seed %" PRIu64 "; all equal\n",
           to->ops, to->scripts, to->commits, seed);
    for (uint32_t i = 0; i < STEP_KIND_COUNT; i++)
        printf("%s %" PRIu64 "%s", step_names[i], to->kinds[i],
               i % 8 == 7 || i + 1 == STEP_KIND_COUNT ? "\n" : ", ");
}

/* Scripts until `ops` operations are done, in a process of its own. True when all went well. */
static bool run_scripts(uint64_t seed, uint64_t ops, bool only_one, report *to)
{
    static script s;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) {
        bool ok = true;
        for (uint64_t next = seed; ok && to->ops < ops; next++) {
            alarm(SCRIPT_SECONDS_MAX);
            make_script(next, &s);
            ok = run_script(&s, false, to);
            if (only_one) break;
        }
        if (!ok) _exit(1); /* what a failed script had open is no leak */
        exit(0);
    }
    return wait_for(pid, to);
}

#ifdef YORE_PLANTED_BUGS
static int run_planted(uint64_t seed, uint64_t ops, report *to)
{
    static const struct {
        enum yr_bug bug;
        const char *name;
    } bugs[] = {
        {YR_BUG_LINEAGE_CAP, "wrong lineage cap"},
        {YR_BUG_EXPIRY_WALL_CLOCK, "expiry read from the wall clock"},
        {YR_BUG_FIRST_COMMITTER, "first-committer-wins off by one"},
        {YR_BUG_UNSETTLED_SCAN, "scan without settling"},
    };
    int missed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        memset(to, 0, sizeof *to);
        yr_planted_bug = bugs[i].bug;
        bool passed = run_scripts(seed, ops, false, to);
        missed += passed;
        printf("planted, %s: %s after %" PRIu64 " operations%s%s\n", bugs[i].name,
               passed ? "NOT CAUGHT" : "caught", to->ops, passed ? "" : ": ", to->message);
    }
    yr_planted_bug = YR_BUG_NONE;
    return missed ? 1 : 0;
}
#endif

int main(int argc, char **argv)
{
    static script s;
    uint64_t ops = 20000, seed = 1, only = 0;
    bool trace = false, has_only = false, planted = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--planted") == 0)
            planted = true;
        else if (strcmp(argv[i], "--ops") == 0 && i + 1 < argc)
            ops = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--script") == 0 && i + 1 < argc) {
            only = strtoull(argv[++i], NULL, 10);
            has_only = true;
        } else {
            fprintf(stderr, "usage: %s [--ops N] [--seed S] [--script SEED] [--trace]\n", argv[0]);
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* what a crashing child said last must be seen */
    report *to = shared_report();
    if (has_only && trace) {
        make_script(only, &s);
        return run_script(&s, true, to) ? 0 : (printf("FAILED: %s\n", to->message), 1);
    }
    printf("seed %" PRIu64 "\n", has_only ? only : seed);
#ifdef YORE_PLANTED_BUGS
    if (planted) return run_planted(seed, ops, to);
#else
    if (planted) {
        fprintf(stderr, "this build has no planted bugs (YORE_PLANTED_BUGS)\n");
        return 2;
    }
#endif
    if (!run_scripts(has_only ? only : seed, ops, has_only, to)) return explain(to->seed, to);
    summary(to, seed);
    return 0;
}

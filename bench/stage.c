/* Stages: a workload's parts that run in a process of their own, which is this program again with --stage. A process
 * has only one engine's memory, and has read no file before; what it reports comes back through a pipe. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/stage.h"

static const workload_stage *const lists[] = {workload_reopen_stages, workload_packed_stages,
                                              workload_large_stages, workload_calm_stages,
                                              workload_many_stages};

static char **own_arguments;

void stage_arguments_set(char **arguments)
{
    own_arguments = arguments;
}

/* In the child: this program, its arguments, and what to do. Never returns. */
static void become_stage(const workload_stage *stage, enum bench_engine engine, const char *dir, int fd)
{
    size_t count = 0;
    char what[4300];
    struct sigaction ignore;
    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN; /* Ctrl-C ends the run after the engine at work: the parent sees to that */
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGTERM, &ignore, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(fd, F_SETFD, 0);
    snprintf(what, sizeof(what), "--stage=%d:%u:%d:%s:%s", (int)engine, report_round_get(), fd, stage->name,
             dir);
    while (own_arguments[count] != NULL) {
        count++;
    }
    char **arguments = bench_alloc((count + 2) * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        arguments[i] = own_arguments[i];
    }
    arguments[count] = what;
    execv("/proc/self/exe", arguments);
    _exit(127);
}

void workload_stage_do(const workload_stage *stage, enum bench_engine engine, const char *dir)
{
    int ends[2];
    int status = 0;
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        bench_fatal("cannot make a pipe: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child < 0) {
        bench_fatal("cannot start a process: %s", strerror(errno));
    }
    if (child == 0) {
        become_stage(stage, engine, dir, ends[1]);
    }
    close(ends[1]);
    report_receive(ends[0]);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        bench_fatal("%s: stage '%s' %s %d", report_drivers[engine]->name, stage->name,
                    WIFEXITED(status) ? "ended with exit code" : "was ended by signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

int stage_main(const char *what)
{
    int engine = 0;
    unsigned round = 0;
    int fd = -1;
    char name[32];
    int dir_at = 0;
    if (sscanf(what, "%d:%u:%d:%31[^:]:%n", &engine, &round, &fd, name, &dir_at) != 4 || dir_at == 0 ||
        engine < 0 || engine >= ENGINE_COUNT || report_drivers[engine] == NULL ||
        round >= REPORT_ROUNDS_MAX) {
        bench_fatal("--stage is for this program itself");
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const workload_stage *stage = lists[i]; stage->name != NULL; stage++) {
            if (strcmp(stage->name, name) == 0) {
                report_round_set(round);
                report_forward(fd);
                stage->run((enum bench_engine)engine, report_drivers[engine], what + dir_at);
                return 0;
            }
        }
    }
    bench_fatal("no stage '%s'", name);
}

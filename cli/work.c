#define _POSIX_C_SOURCE 200809L
#include "cli/work.h"

#include <signal.h>

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

void cli_work_begin(cli_progress *progress, const cli *c, const char *what, const char *unit)
{
    struct sigaction action = {0};

    cli_progress_begin(progress, c, what, unit, 0);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

int cli_work_step(void *progress, uint64_t done, uint64_t total)
{
    cli_progress *p = progress;

    p->total = total;
    cli_progress_update(p, done);
    return stop_signal != 0;
}

/* The progress line. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOW_AFTER_NS INT64_C(500000000)
#define SHOW_EVERY_NS INT64_C(100000000)

static int64_t clock_ns(void)
{
    const yore_env *env = yore_env_default();
    return env->monotonic_ns(env->ctx);
}

void cli_progress_begin(cli_progress *p, const cli *c, const char *what, const char *unit, uint64_t total)
{
    *p = (cli_progress){.c = c, .what = what, .unit = unit, .total = total, .start_ns = clock_ns()};
}

void cli_progress_update(cli_progress *p, uint64_t done)
{
    if (p->c->quiet || p->silent || !p->c->tty_err) return;

    int64_t now_ns = clock_ns();
    int64_t spent_ns = now_ns - p->start_ns;
    if (spent_ns < SHOW_AFTER_NS || now_ns - p->shown_ns < SHOW_EVERY_NS) return;
    p->shown_ns = now_ns;
    p->shown = true;

    double rate = (double)done / ((double)spent_ns / 1e9);
    fprintf(stderr, "\r\033[K%s %" PRIu64 " %s, %.0f/s", p->what, done, p->unit, rate);
    if (p->total > done && rate > 0) {
        fprintf(stderr, ", %.0f s left", (double)(p->total - done) / rate);
    }
    (void)fflush(stderr);
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}

double cli_progress_seconds(const cli_progress *p)
{
    return (double)(clock_ns() - p->start_ns) / 1e9;
}

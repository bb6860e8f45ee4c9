#include "tests/model/model_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"

#ifdef YR_EAGER /* the whole build flushes */
#define FLUSHES_EVERY YR_EAGER
#else
#define FLUSHES_EVERY 0u
#endif

/* Keys are any bytes; what is printed is not. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F) *text = '?';
    }
}

void world_fail(world *w, const char *format, ...)
{
    va_list args;
    int used = snprintf(w->message, sizeof w->message, "step %zu (%s): ", w->step_index, w->what);
    va_start(args, format);
    vsnprintf(w->message + used, sizeof w->message - (size_t)used, format, args);
    va_end(args);
    make_printable(w->message);
    longjmp(w->failed, 1);
}

void world_say(world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->what, sizeof w->what, format, args);
    va_end(args);
    make_printable(w->what);
    if (w->trace)
        printf("  %4zu  v%llu  %s\n", w->step_index, (unsigned long long)model_last_version(&w->m), w->what);
}

void world_expect(world *w, yore_status got, yore_status want, const char *call, const yore_error *err)
{
    if (got == want) return;
    world_fail(w, "%s gave %s, not %s: %s", call, yore_status_name(got), yore_status_name(want),
               err && got ? err->message : "");
}

void world_advance(world *w, int64_t ns)
{
    w->clock += ns;
    yr_sim_set_wall_ns(w->sim, w->clock);
}

uint64_t below(world *w, uint64_t bound)
{
    return yr_rng_below(&w->rng, bound);
}

bool chance(world *w, uint64_t one_in)
{
    return yr_rng_below(&w->rng, one_in) == 0;
}

yore_slice world_pick_value(world *w)
{
    static char buffer[70000];
    uint64_t shape = below(w, 100);
    size_t size = (size_t)below(w, 24);
    if (shape < 30) {
        size = (size_t)snprintf(buffer, sizeof buffer, "%lld", (long long)below(w, 2000) - 1000);
        return yore_bytes(buffer, size);
    }
    if (shape >= 90) size = (size_t)below(w, 3000);
    if (shape == 99 && chance(w, 8)) size = sizeof buffer;
    for (size_t i = 0; i < size; i++) buffer[i] = (char)('a' + yr_rng_next(&w->rng) % 26);
    return yore_bytes(buffer, size);
}

const model_branch *world_pick_branch(world *w)
{
    size_t live = 0;
    for (size_t i = 0; i < w->m.branch_count; i++) live += w->m.branches[i].deleted_version == 0;
    uint64_t pick = below(w, live + 1); /* default twice as often */
    for (size_t i = 0; i < w->m.branch_count; i++) {
        if (!w->m.branches[i].deleted_version && pick-- == 0) return &w->m.branches[i];
    }
    return &w->m.branches[0];
}

void world_open(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    options.create = true;
    options.sync = w->sync;
    options.env = yr_sim_env(w->sim);
    options.memory_bytes_max = UINT64_C(1) << 30;
    options.wal_bytes_min = 65536; /* several files within a script */
    options.wal_bytes_max = 262144;
    if (FLUSHES_EVERY && !w->maintain_every) w->maintain_every = FLUSHES_EVERY;
    options.maintain_every = w->maintain_every;
    world_expect(w, yore_open(w->on_disk ? "store" : ":memory:", &options, &w->db, &err), YORE_OK,
                 "yore_open", &err);
}

void world_close(world *w)
{
    world_rollback_all(w);
    yore_close(w->reader);
    yore_close(w->db);
    w->reader = NULL;
    w->db = NULL;
}

bool world_same_bytes(yore_slice a, yore_slice b)
{
    return yr_slice_equal(a, b);
}

int64_t world_commit_time(const world *w)
{
    int64_t least = model_last_time(&w->m) + 1;
    return w->clock > least ? w->clock : least;
}

void world_check_where(world *w, const yore_where *where, uint32_t branch, int64_t time_ns)
{
    uint64_t version = model_last_version(&w->m) + 1;
    if (where->version != version || (branch && where->branch_id != branch) || where->time_ns != time_ns)
        world_fail(w, "committed at branch %u v%llu time %lld, expected branch %u v%llu time %lld",
                   where->branch_id, (unsigned long long)where->version, (long long)where->time_ns, branch,
                   (unsigned long long)version, (long long)time_ns);
    if (branch && strcmp(where->branch, model_branch_by_id(&w->m, branch)->name) != 0)
        world_fail(w, "committed to '%s', expected '%s'", where->branch,
                   model_branch_by_id(&w->m, branch)->name);
}

#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

void bench_fatal(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("yore_bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *bench_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        bench_fatal("out of memory for %zu bytes", size);
    }
    return memory;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_run_ns(void)
{
    return clock_ns(bench_opt.cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC);
}

uint64_t bench_process_ns(void)
{
    return clock_ns(bench_opt.cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC);
}

void bench_sleep_ms(unsigned ms)
{
    struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

unsigned bench_cpu_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1u : (unsigned)count;
}

static void set_affinity(const cpu_set_t *set)
{
    int rc = pthread_setaffinity_np(pthread_self(), sizeof(*set), set);
    if (rc != 0) {
        bench_fatal("cannot pin a thread: %s", strerror(rc));
    }
}

void bench_pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % bench_cpu_count(), &set);
    set_affinity(&set);
}

void bench_unpin(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned cpu = 0; cpu < bench_cpu_count(); cpu++) {
        CPU_SET(cpu, &set);
    }
    set_affinity(&set);
}

const char *bench_dir_fresh(const char *label)
{
    static char names[2][4096];
    static unsigned count;
    char *name = names[count % 2];
    count++;
    snprintf(name, sizeof(names[0]), "%s/%s-%u", bench_opt.data_dir, label, count);
    if (mkdir(name, 0755) != 0) {
        bench_fatal("cannot make directory '%s': %s", name, strerror(errno));
    }
    return name;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void bench_dir_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t walk_bytes;

static int add_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)path;
    (void)walk;
    if (type == FTW_F) {
        walk_bytes += (uint64_t)info->st_blocks * 512u;
    }
    return 0;
}

uint64_t bench_dir_bytes(const char *path)
{
    walk_bytes = 0;
    nftw(path, add_entry, 16, FTW_PHYS);
    return walk_bytes;
}

uint64_t bench_rss_anon_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kib = 0;
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "RssAnon: %llu", &kib) == 1) {
            break;
        }
    }
    fclose(file);
    return kib * 1024u;
}

void bench_latency_init(bench_latency *latency, size_t cap)
{
    latency->ns = bench_alloc(cap * sizeof(uint32_t));
    latency->count = 0;
    latency->cap = cap;
    latency->sorted = false;
}

void bench_latency_deinit(bench_latency *latency)
{
    free(latency->ns);
    *latency = (bench_latency){NULL, 0, 0, false};
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

double bench_latency_at(bench_latency *latency, double quantile)
{
    if (latency->count == 0) {
        return 0;
    }
    if (!latency->sorted) {
        qsort(latency->ns, latency->count, sizeof(uint32_t), compare_u32);
        latency->sorted = true;
    }
    return latency->ns[(size_t)(quantile * (double)(latency->count - 1))];
}

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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

/* Pages of an open file that are in the page cache, in bytes. LMDB's sparse file is 64 GiB, so a part at a time. */
static uint64_t resident_bytes(int fd, uint64_t file_bytes)
{
    static unsigned char pages[1u << 18];
    uint64_t resident = 0;
    const uint64_t step = (uint64_t)sizeof(pages) * 4096u;
    for (uint64_t at = 0; at < file_bytes; at += step) {
        size_t part = (size_t)(file_bytes - at < step ? file_bytes - at : step);
        void *map = mmap(NULL, part, PROT_READ, MAP_SHARED, fd, (off_t)at);
        if (map == MAP_FAILED || mincore(map, part, pages) != 0) {
            bench_fatal("cannot see what is in the page cache: %s", strerror(errno));
        }
        for (size_t i = 0; i < (part + 4095u) / 4096u; i++) {
            resident += (pages[i] & 1u) * 4096u;
        }
        munmap(map, part);
    }
    return resident;
}

static int drop_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)walk;
    if (type != FTW_F || info->st_size == 0) {
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
        bench_fatal("cannot drop '%s' from the page cache: %s", path, strerror(errno));
    }
    walk_bytes += resident_bytes(fd, (uint64_t)info->st_size);
    close(fd);
    return 0;
}

uint64_t bench_dir_drop_cache(const char *path)
{
    walk_bytes = 0;
    nftw(path, drop_entry, 16, FTW_PHYS);
    return walk_bytes;
}

uint64_t bench_disk_free_bytes(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        bench_fatal("cannot ask for the space at '%s': %s", path, strerror(errno));
    }
    return (uint64_t)info.f_bavail * info.f_frsize;
}

/* The number after `name` in a file of /proc, 0 when there is none. */
static uint64_t proc_number(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    char line[256];
    size_t length = strlen(name);
    unsigned long long number = 0;
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, length) == 0) {
            number = strtoull(line + length, NULL, 10);
            break;
        }
    }
    fclose(file);
    return number;
}

uint64_t bench_rss_anon_bytes(void)
{
    return proc_number("/proc/self/status", "RssAnon:") * 1024u;
}

uint64_t bench_rss_peak_bytes(void)
{
    return proc_number("/proc/self/status", "VmHWM:") * 1024u;
}

uint64_t bench_written_bytes(void)
{
    return proc_number("/proc/self/io", "write_bytes:");
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

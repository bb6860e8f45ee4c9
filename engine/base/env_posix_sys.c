/* Clock, random bytes, memory and threads of the operating system, and yore_env_default. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/env_posix.h"
#include "engine/base/yr_assert.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* -- clock and random -- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    YR_ASSERT(!failed);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t posix_wall_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t posix_monotonic_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}

static int posix_random(void *ctx, void *to, size_t size)
{
    (void)ctx;
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom((uint8_t *)to + done, size - done, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        done += (size_t)got;
    }
    return 0;
}

static int64_t posix_process_id(void *ctx)
{
    (void)ctx;
    return getpid();
}

static void posix_host_name(void *ctx, char *to, size_t size)
{
    (void)ctx;
    if (!size) return;
    if (gethostname(to, size) != 0) snprintf(to, size, "localhost");
    to[size - 1] = '\0'; /* gethostname leaves a cut name unterminated */
}

/* The first line of a file of the kernel's; empty when it cannot be read. */
static void first_line(const char *path, char *to, size_t size)
{
    if (!size) return;
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got = read(fd, to, size - 1);
        if (got > 0) used = (size_t)got;
        close(fd);
    }
    to[used] = '\0';
    to[strcspn(to, "\n")] = '\0';
}

static void posix_boot_id(void *ctx, char *to, size_t size)
{
    (void)ctx;
    first_line("/proc/sys/kernel/random/boot_id", to, size);
}

static void posix_program_name(void *ctx, char *to, size_t size)
{
    (void)ctx;
    first_line("/proc/self/comm", to, size);
}

/* -- memory -- */

static void *posix_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *posix_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return realloc(old, size);
}

static void posix_free(void *ctx, void *block, size_t size)
{
    (void)ctx;
    (void)size;
    free(block);
}

/* Reserve one huge page more than asked, then give back what lies before and behind the aligned range. */
static void *posix_vm_reserve(void *ctx, size_t size)
{
    (void)ctx;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size == 0 || size > SIZE_MAX / 2) return NULL;
    size = (size + page - 1) & ~(page - 1);
    uint8_t *raw = mmap(NULL, size + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE_BYTES - ((uintptr_t)raw & (HUGE_PAGE_BYTES - 1))) & (HUGE_PAGE_BYTES - 1);
    size_t behind = HUGE_PAGE_BYTES - before;
    if (before) munmap(raw, before);
    if (behind) munmap(raw + before + size, behind);
    madvise(raw + before, size, MADV_HUGEPAGE); /* fewer faults and TLB misses where the kernel has them */
    return raw + before;
}

static void posix_vm_release(void *ctx, void *base, size_t size, size_t used)
{
    (void)ctx;
    (void)used;
    if (base) munmap(base, size);
}

static void posix_vm_prefault(void *ctx, void *base, size_t size)
{
    (void)ctx;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t skew = (uintptr_t)base & (page - 1);
    madvise((uint8_t *)base - skew, size + skew, MADV_POPULATE_WRITE); /* older kernels fault page by page */
}

/* -- threads -- */

struct yore_thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    yore_thread *thread = arg;
    thread->run(thread->arg);
    return NULL;
}

static int posix_thread_create(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    (void)ctx;
    yore_thread *thread = malloc(sizeof *thread);
    if (!thread) return -ENOMEM;
    *thread = (struct yore_thread){.run = run, .arg = arg};
    /* Signals are the program's business: its own threads take them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free(thread);
        return -failed;
    }
    *out = thread;
    return 0;
}

static void posix_thread_join(void *ctx, yore_thread *thread)
{
    (void)ctx;
    if (!thread) return;
    int failed = pthread_join(thread->id, NULL);
    YR_ASSERT(!failed);
    free(thread);
}

static void posix_yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}

static void posix_sleep_ns(void *ctx, int64_t ns)
{
    (void)ctx;
    if (ns <= 0) return;
    struct timespec left = {.tv_sec = (time_t)(ns / INT64_C(1000000000)),
                            .tv_nsec = (long)(ns % INT64_C(1000000000))};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) continue;
}

static yore_env posix_env = {
    .struct_size = sizeof(yore_env),
    .wall_ns = posix_wall_ns,
    .monotonic_ns = posix_monotonic_ns,
    .random = posix_random,
    .process_id = posix_process_id,
    .host_name = posix_host_name,
    .boot_id = posix_boot_id,
    .program_name = posix_program_name,
    .alloc = posix_alloc,
    .realloc = posix_realloc,
    .free = posix_free,
    .vm_reserve = posix_vm_reserve,
    .vm_release = posix_vm_release,
    .vm_prefault = posix_vm_prefault,
    .thread_create = posix_thread_create,
    .thread_join = posix_thread_join,
    .yield = posix_yield,
    .sleep_ns = posix_sleep_ns,
};
static pthread_once_t posix_once = PTHREAD_ONCE_INIT;

static void posix_fill(void)
{
    yr_env_posix_files(&posix_env);
}

const yore_env *yore_env_default(void)
{
    pthread_once(&posix_once, posix_fill);
    return &posix_env;
}

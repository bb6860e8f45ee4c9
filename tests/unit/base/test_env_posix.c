/* The operating system's environment, on a real temporary directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <yore/env.h>

#include "engine/base/bytes.h"

#define RW (YORE_OPEN_WRITE | YORE_OPEN_CREATE)

static const yore_env *env;
static char root[256];
static yore_dir *dir;

static int setup(void **state)
{
    (void)state;
    env = yore_env_default();
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/yore-env-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(root)) return -1;
    return env->dir_open(env->ctx, root, 0, NULL, &dir);
}

static int teardown(void **state)
{
    (void)state;
    char command[320];
    env->dir_close(env->ctx, dir);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static const char *below(const char *name)
{
    static char path[2][400];
    static unsigned turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

static yore_file *opened(const char *name, uint32_t flags)
{
    yore_file *file = NULL;
    assert_int_equal(env->open(env->ctx, dir, name, flags, &file), 0);
    return file;
}

static void test_modes_are_private_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        char file_name[16], dir_name[16];
        snprintf(file_name, sizeof file_name, "f%zu", i);
        snprintf(dir_name, sizeof dir_name, "d%zu", i);
        struct stat facts;
        yore_dir *made;
        bool created = false;
        mode_t before = umask(masks[i]);
        env->close(env->ctx, opened(file_name, RW));
        assert_int_equal(env->dir_open(env->ctx, below(dir_name), YORE_DIR_CREATE, &created, &made), 0);
        umask(before);
        assert_true(created);
        env->dir_close(env->ctx, made);
        assert_int_equal(stat(below(file_name), &facts), 0);
        assert_int_equal(facts.st_mode & 07777, 0600);
        assert_int_equal(stat(below(dir_name), &facts), 0);
        assert_int_equal(facts.st_mode & 07777, 0700);
    }
}

static void test_mode_of_an_existing_file_is_left_alone(void **state)
{
    (void)state;
    struct stat facts;
    env->close(env->ctx, opened("f", RW));
    assert_int_equal(chmod(below("f"), 0640), 0);
    env->close(env->ctx, opened("f", RW));
    assert_int_equal(stat(below("f"), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0640);
}

static void test_only_regular_files_are_opened(void **state)
{
    (void)state;
    yore_file *file;
    assert_int_equal(mkfifo(below("fifo"), 0600), 0);
    assert_int_equal(mkdir(below("dir"), 0700), 0);
    assert_int_equal(symlink("/etc/passwd", below("link")), 0);
    assert_int_equal(symlink("nowhere", below("dangling")), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/socket", root);
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(sock, (const struct sockaddr *)&address, sizeof address), 0);
    alarm(20); /* a FIFO must not hang the open */
    static const uint32_t flags[] = {0, YORE_OPEN_WRITE, RW};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        assert_int_equal(env->open(env->ctx, dir, "fifo", flags[i], &file), -EINVAL);
        assert_true(env->open(env->ctx, dir, "dir", flags[i], &file) < 0);
        assert_true(env->open(env->ctx, dir, "socket", flags[i], &file) < 0);
        assert_int_equal(env->open(env->ctx, dir, "link", flags[i], &file), -ELOOP);
        assert_int_equal(env->open(env->ctx, dir, "dangling", flags[i], &file), -ELOOP);
    }
    alarm(0);
    close(sock);
    assert_int_equal(access(below("nowhere"), F_OK), -1); /* not created through the link */
    yore_dir *inside;
    assert_int_equal(symlink("dir", below("dirlink")), 0);
    assert_true(env->dir_open_at(env->ctx, dir, "dirlink", 0, &inside) < 0);
    assert_int_equal(env->dir_open_at(env->ctx, dir, "dir", 0, &inside), 0);
    env->dir_close(env->ctx, inside);
}

static void test_opening_says_what_is_there(void **state)
{
    (void)state;
    yore_file *file;
    yore_dir *other;
    bool created = true;
    assert_int_equal(env->open(env->ctx, dir, "f", 0, &file), -ENOENT);
    assert_int_equal(env->open(env->ctx, dir, "f", YORE_OPEN_WRITE, &file), -ENOENT);
    env->close(env->ctx, opened("f", RW | YORE_OPEN_EXCLUSIVE));
    assert_int_equal(env->open(env->ctx, dir, "f", RW | YORE_OPEN_EXCLUSIVE, &file), -EEXIST);
    assert_int_equal(env->dir_open(env->ctx, below("none"), 0, NULL, &other), -ENOENT);
    assert_int_equal(env->dir_open(env->ctx, below("f"), 0, NULL, &other), -ENOTDIR);
    assert_int_equal(env->dir_open(env->ctx, below("f"), YORE_DIR_CREATE, &created, &other), -ENOTDIR);
    assert_int_equal(env->dir_open(env->ctx, below("a/b"), YORE_DIR_CREATE, NULL, &other), -ENOENT);
    assert_int_equal(env->dir_open(env->ctx, root, YORE_DIR_CREATE, &created, &other), 0);
    assert_false(created);
    env->dir_close(env->ctx, other);
    env->dir_close(env->ctx, NULL);
    env->close(env->ctx, NULL);
}

static void test_bytes_come_back(void **state)
{
    (void)state;
    char got[64] = {0};
    yore_file *file = opened("f", RW);
    assert_int_equal(env->pwrite(env->ctx, file, "hello", 5, 3), 5);
    assert_int_equal(env->size(env->ctx, file), 8);
    assert_int_equal(env->pread(env->ctx, file, got, sizeof got, 0), 8);
    assert_memory_equal(got, "\0\0\0hello", 8);
    assert_int_equal(env->pread(env->ctx, file, got, 4, 6), 2); /* short only at the end */
    assert_int_equal(env->pread(env->ctx, file, got, 4, 8), 0);
    assert_int_equal(env->pread(env->ctx, file, got, 4, 1000), 0);
    assert_int_equal(env->sync(env->ctx, file), 0);
    assert_int_equal(env->truncate(env->ctx, file, 4), 0);
    assert_int_equal(env->truncate(env->ctx, file, 6), 0);
    assert_int_equal(env->pread(env->ctx, file, got, sizeof got, 0), 6);
    assert_memory_equal(got, "\0\0\0h\0\0", 6);
    assert_true(env->pwrite(env->ctx, file, "x", 1, UINT64_MAX) < 0);
    assert_true(env->pread(env->ctx, file, got, 1, UINT64_MAX) < 0);
    assert_true(env->truncate(env->ctx, file, UINT64_MAX) < 0);
    env->close(env->ctx, file);
    file = opened("f", 0);
    assert_int_equal(env->pwrite(env->ctx, file, "x", 1, 0), -EBADF);
    assert_true(env->truncate(env->ctx, file, 0) < 0);
    env->close(env->ctx, file);
}

static void test_mapped_appends_are_read_at_once(void **state)
{
    (void)state;
    char got[8] = {0};
    static const char zeros[8192];
    yore_file *file = opened("f", RW);
    assert_int_equal(env->map(env->ctx, file, 4096), -EINVAL); /* behind the end */
    assert_int_equal(env->map_append(env->ctx, file, "x", 1, 0), -EINVAL);
    assert_int_equal(env->pwrite(env->ctx, file, zeros, sizeof zeros, 0), sizeof zeros);
    assert_int_equal(env->map(env->ctx, file, 0), 0); /* none to give up */
    int mapped = env->map(env->ctx, file, 4096);
    if (mapped == -ENOTSUP) { /* a file system the environment does not trust with this */
        assert_int_equal(env->map_append(env->ctx, file, "x", 1, 0), -EINVAL);
        env->close(env->ctx, file);
        return;
    }
    assert_int_equal(mapped, 0);
    assert_int_equal(env->map_append(env->ctx, file, "abc", 3, 4093), 0);
    assert_int_equal(env->map_append(env->ctx, file, "abcd", 4, 4093), -EINVAL);
    assert_int_equal(env->map_append(env->ctx, file, "a", 1, UINT64_MAX), -EINVAL);
    assert_int_equal(env->map_append(env->ctx, file, "a", SIZE_MAX, 1), -EINVAL);
    assert_int_equal(env->pread(env->ctx, file, got, 5, 4091), 5);
    assert_memory_equal(got, "\0\0abc", 5);
    assert_int_equal(env->map(env->ctx, file, 8192), 0); /* again, larger */
    assert_int_equal(env->map_append(env->ctx, file, "end", 3, 8189), 0);
    assert_int_equal(env->sync(env->ctx, file), 0);
    env->close(env->ctx, file);
    file = opened("f", 0);
    assert_int_equal(env->pread(env->ctx, file, got, 3, 8189), 3);
    assert_memory_equal(got, "end", 3);
    env->close(env->ctx, file);
}

static int collect(void *arg, const char *name)
{
    char *names = arg; /* of 64 */
    size_t used = strlen(names);
    snprintf(names + used, 64 - used, "%s", name);
    return strcmp(name, "stop") == 0;
}

static void test_names_are_listed_moved_and_removed(void **state)
{
    (void)state;
    char names[64] = {0};
    yore_dir *sub;
    assert_int_equal(env->dir_list(env->ctx, dir, collect, names), 0);
    assert_string_equal(names, "");
    env->close(env->ctx, opened("a", RW));
    assert_int_equal(env->dir_open_at(env->ctx, dir, "sub", YORE_DIR_CREATE, &sub), 0);
    assert_int_equal(env->rename(env->ctx, dir, "a", sub, "b"), 0);
    for (int again = 0; again < 2; again++) {
        names[0] = '\0';
        assert_int_equal(env->dir_list(env->ctx, dir, collect, names), 0);
        assert_string_equal(names, "sub");
        names[0] = '\0';
        assert_int_equal(env->dir_list(env->ctx, sub, collect, names), 0);
        assert_string_equal(names, "b");
    }
    assert_int_equal(env->dir_sync(env->ctx, sub), 0);
    assert_int_equal(env->unlink(env->ctx, dir, "sub"), -ENOTEMPTY);
    assert_int_equal(env->unlink(env->ctx, sub, "b"), 0);
    assert_int_equal(env->unlink(env->ctx, sub, "b"), -ENOENT);
    assert_int_equal(env->unlink(env->ctx, dir, "sub"), 0); /* a directory, now that it is empty */
    assert_int_equal(env->rename(env->ctx, dir, "gone", dir, "x"), -ENOENT);
    env->dir_close(env->ctx, sub);
}

static void test_parent_of_every_form_of_path_is_synced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("d"), 0700), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, below("d")), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, below("d/")), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, below("d//")), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, below("d/new")), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, below("none/new")), -ENOENT);
    assert_int_equal(env->dir_sync_parent(env->ctx, "/"), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, "/x"), 0);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(chdir(below("d")), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, "new"), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, "."), 0);
    assert_int_equal(env->dir_sync_parent(env->ctx, ".."), 0);
    assert_int_equal(fchdir(here), 0);
    close(here);
}

static void test_lock_excludes_other_handles_and_dies_with_its_own(void **state)
{
    (void)state;
    yore_file *a = opened("LOCK", RW), *b = opened("LOCK", RW), *reader = opened("LOCK", 0);
    assert_int_equal(env->lock_test(env->ctx, reader), YORE_LOCK_NONE);
    assert_int_equal(env->lock(env->ctx, a), 0);
    assert_int_equal(env->lock(env->ctx, a), 0); /* one's own lock is no obstacle */
    assert_int_equal(env->lock(env->ctx, b), YORE_LOCK_HELD);
    assert_int_equal(env->lock_test(env->ctx, b), YORE_LOCK_HELD);
    assert_int_equal(env->lock_test(env->ctx, reader), YORE_LOCK_HELD);
    env->unlock(env->ctx, a);
    assert_int_equal(env->lock(env->ctx, b), 0);
    env->close(env->ctx, b);
    assert_int_equal(env->lock(env->ctx, a), 0);
    env->close(env->ctx, a);
    assert_int_equal(env->lock_test(env->ctx, reader), YORE_LOCK_NONE);
    env->close(env->ctx, reader);
}

static void test_lock_of_a_killed_process_is_free(void **state)
{
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        yore_file *mine;
        if (env->open(env->ctx, dir, "LOCK", RW, &mine) != 0 || env->lock(env->ctx, mine) != 0) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    yore_file *file = opened("LOCK", RW);
    assert_int_equal(env->lock(env->ctx, file), YORE_LOCK_HELD);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(env->lock(env->ctx, file), 0);
    env->close(env->ctx, file);
}

static void test_clock_random_and_facts(void **state)
{
    (void)state;
    uint8_t a[300] = {0}, b[300] = {0};
    int64_t start = env->monotonic_ns(env->ctx);
    env->sleep_ns(env->ctx, 2000000);
    env->sleep_ns(env->ctx, -1);
    env->yield(env->ctx);
    assert_true(env->monotonic_ns(env->ctx) - start >= 2000000);
    assert_true(env->wall_ns(env->ctx) > INT64_C(1600000000) * 1000000000);
    assert_int_equal(env->random(env->ctx, a, sizeof a), 0);
    assert_int_equal(env->random(env->ctx, b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(env->process_id(env->ctx), getpid());
    char text[64], cut[3];
    memset(cut, 'x', sizeof cut);
    env->boot_id(env->ctx, text, sizeof text);
    assert_null(strchr(text, '\n'));
    env->boot_id(env->ctx, cut, sizeof cut);
    assert_true(strlen(cut) < sizeof cut);
    env->host_name(env->ctx, text, sizeof text);
    assert_true(strlen(text) > 0);
    memset(cut, 'x', sizeof cut);
    env->host_name(env->ctx, cut, sizeof cut);
    assert_true(strlen(cut) < sizeof cut);
}

static void test_address_ranges_are_zero_aligned_and_lazy(void **state)
{
    (void)state;
    const size_t size = (size_t)16 << 30; /* more than this machine may have */
    uint8_t *base = env->vm_reserve(env->ctx, size);
    assert_non_null(base);
    assert_int_equal((uintptr_t)base % (2u << 20), 0);
    for (size_t off = 0; off < size; off += size / 8) assert_int_equal(base[off], 0);
    env->vm_prefault(env->ctx, base + 100, 10000);
    memset(base, 1, 20000);
    base[size - 1] = 1;
    env->vm_release(env->ctx, base, size, 20000);
    base = env->vm_reserve(env->ctx, 12345); /* not a multiple of a page */
    memset(base, 1, 12345);
    env->vm_release(env->ctx, base, 12345, 12345);
    assert_null(env->vm_reserve(env->ctx, 0));
    assert_null(env->vm_reserve(env->ctx, SIZE_MAX));
    assert_null(env->vm_reserve(env->ctx, SIZE_MAX / 4));
    env->vm_release(env->ctx, NULL, 0, 0);
}

static void test_memory_grows_and_shrinks(void **state)
{
    (void)state;
    uint8_t *block = env->alloc(env->ctx, 10);
    memset(block, 5, 10);
    block = env->realloc(env->ctx, block, 10, 100000);
    for (int i = 0; i < 10; i++) assert_int_equal(block[i], 5);
    env->free(env->ctx, block, 100000);
}

static void look_at_signals(void *arg)
{
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    *(int *)arg = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM) ? 1 : -1;
}

static void test_threads_run_and_leave_signals_to_the_program(void **state)
{
    (void)state;
    int answer = 0;
    yore_thread *thread;
    sigset_t blocked;
    assert_int_equal(env->thread_create(env->ctx, look_at_signals, &answer, &thread), 0);
    env->thread_join(env->ctx, thread);
    assert_int_equal(answer, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGINT));
    env->thread_join(env->ctx, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_modes_are_private_whatever_the_umask),
        T(test_mode_of_an_existing_file_is_left_alone),
        T(test_only_regular_files_are_opened),
        T(test_opening_says_what_is_there),
        T(test_bytes_come_back),
        T(test_mapped_appends_are_read_at_once),
        T(test_names_are_listed_moved_and_removed),
        T(test_parent_of_every_form_of_path_is_synced),
        T(test_lock_excludes_other_handles_and_dies_with_its_own),
        T(test_lock_of_a_killed_process_is_free),
        T(test_clock_random_and_facts),
        T(test_address_ranges_are_zero_aligned_and_lazy),
        T(test_memory_grows_and_shrinks),
        T(test_threads_run_and_leave_signals_to_the_program),
    };
    return cmocka_run_group_tests_name("env_posix", tests, NULL, NULL);
}

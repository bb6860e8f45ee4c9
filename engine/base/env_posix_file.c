/* Files and directories of the operating system.
 *
 * Everything below the store's directory is reached through directory handles with O_NOFOLLOW, so a name
 * planted there cannot lead elsewhere. Only regular files are accepted; O_NONBLOCK keeps a FIFO or a device
 * in a file's place from hanging the open. Modes are set after creation, so the umask has no say.
 * Calls interrupted by a signal go on, except a sync: a sync that failed is reported, never repeated.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/base/env_posix.h"
#include "engine/base/yr_assert.h"

#define FILE_MODE 0600
#define DIR_MODE 0700
#define CREATE_TRIES 8

struct yore_dir {
    int fd;
};

struct yore_file {
    int fd;
    uint8_t *map;
    uint64_t map_size;
};

/* -- directories -- */

static int dir_wrap(int fd, yore_dir **out)
{
    yore_dir *dir = malloc(sizeof *dir);
    if (!dir) {
        close(fd);
        return -ENOMEM;
    }
    dir->fd = fd;
    *out = dir;
    return 0;
}

/* Open or create `name` below `at`. `nofollow` is O_NOFOLLOW or 0. */
static int dir_open_fd(int at, const char *name, uint32_t flags, int nofollow, bool *created)
{
    *created = false;
    if (flags & YORE_DIR_CREATE) {
        if (mkdirat(at, name, DIR_MODE) == 0) {
            *created = true;
        } else if (errno != EEXIST) {
            return -errno;
        }
    }
    /* Before the open: a umask that takes our own rights away would refuse it. */
    if (*created && fchmodat(at, name, DIR_MODE, 0) != 0) return -errno;
    int fd;
    do {
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    return fd;
}

static int posix_dir_open(void *ctx, const char *path, uint32_t flags, bool *created, yore_dir **out)
{
    (void)ctx;
    bool is_new;
    int fd = dir_open_fd(AT_FDCWD, path, flags, 0, &is_new);
    if (created) *created = is_new;
    return fd < 0 ? fd : dir_wrap(fd, out);
}

static int posix_dir_open_at(void *ctx, yore_dir *parent, const char *name, uint32_t flags, yore_dir **out)
{
    (void)ctx;
    bool is_new;
    int fd = dir_open_fd(parent->fd, name, flags, O_NOFOLLOW, &is_new);
    return fd < 0 ? fd : dir_wrap(fd, out);
}

static void posix_dir_close(void *ctx, yore_dir *dir)
{
    (void)ctx;
    if (!dir) return;
    close(dir->fd);
    free(dir);
}

static int posix_dir_sync(void *ctx, yore_dir *dir)
{
    (void)ctx;
    return fsync(dir->fd) == 0 ? 0 : -errno;
}

/* The directory that holds the name `path` ends in. Allocated; NULL when memory is out. */
static char *parent_of(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    size_t length = end - start;
    bool is_dots = (length == 1 && path[start] == '.') ||
                   (length == 2 && path[start] == '.' && path[start + 1] == '.');
    char *parent = malloc(end + sizeof "/..");
    if (!parent) return NULL;
    memcpy(parent, path, end);
    if (is_dots) {
        memcpy(parent + end, "/..", sizeof "/..");
    } else if (start == 0) {
        memcpy(parent, ".", sizeof ".");
    } else {
        while (start > 1 && path[start - 1] == '/') start--;
        parent[start] = '\0';
    }
    return parent;
}

static int posix_dir_sync_parent(void *ctx, const char *path)
{
    (void)ctx;
    char *parent = parent_of(path);
    if (!parent) return -ENOMEM;
    int result = 0;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) result = -errno;
    if (fd >= 0 && fsync(fd) != 0) result = -errno;
    if (fd >= 0) close(fd);
    free(parent);
    return result;
}

static int posix_dir_list(void *ctx, yore_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    (void)ctx;
    int result = 0;
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        result = -errno;
        close(fd);
        return result;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (each(arg, entry->d_name) != 0) break;
    }
    closedir(stream);
    return result;
}

static int posix_rename(void *ctx, yore_dir *dir, const char *from, yore_dir *to_dir, const char *to)
{
    (void)ctx;
    return renameat(dir->fd, from, to_dir->fd, to) == 0 ? 0 : -errno;
}

static int posix_unlink(void *ctx, yore_dir *dir, const char *name)
{
    (void)ctx;
    if (unlinkat(dir->fd, name, 0) == 0) return 0;
    if (errno != EISDIR && errno != EPERM) return -errno;
    int failed = -errno;
    return unlinkat(dir->fd, name, AT_REMOVEDIR) == 0 ? 0 : errno == ENOTDIR ? failed : -errno;
}

/* -- files -- */

/* One open that says whether it created the file: the mode of an existing file is not ours to change. */
static int file_open_fd(int at, const char *name, uint32_t flags, bool *created)
{
    int mode = (flags & YORE_OPEN_WRITE ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        *created = false;
        if (flags & YORE_OPEN_CREATE) {
            int fd = openat(at, name, mode | O_CREAT | O_EXCL, FILE_MODE);
            *created = fd >= 0;
            if (fd >= 0) return fd;
            if (errno == EINTR) continue;
            if (errno != EEXIST || flags & YORE_OPEN_EXCLUSIVE) return -errno;
        }
        int fd = openat(at, name, mode);
        if (fd >= 0) return fd;
        /* Someone may remove the file between the two opens. */
        bool again = errno == EINTR || (errno == ENOENT && flags & YORE_OPEN_CREATE);
        if (!again) return -errno;
    }
    return -EAGAIN;
}

static int posix_open(void *ctx, yore_dir *dir, const char *name, uint32_t flags, yore_file **out)
{
    (void)ctx;
    int result = 0;
    bool created = false;
    yore_file *file = NULL;
    int fd = file_open_fd(dir->fd, name, flags, &created);
    if (fd < 0) return fd;
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        result = -errno;
        goto out;
    }
    if (!S_ISREG(facts.st_mode)) {
        result = -EINVAL;
        goto out;
    }
    if (created && fchmod(fd, FILE_MODE) != 0) {
        result = -errno;
        goto out;
    }
    file = malloc(sizeof *file);
    if (!file) {
        result = -ENOMEM;
        goto out;
    }
    *file = (struct yore_file){.fd = fd};
    *out = file;
    fd = -1; /* owned by the file now */
out:
    if (fd >= 0) close(fd);
    return result;
}

static void unmap(yore_file *file)
{
    if (file->map) munmap(file->map, file->map_size);
    file->map = NULL;
    file->map_size = 0;
}

static void posix_close(void *ctx, yore_file *file)
{
    (void)ctx;
    if (!file) return;
    unmap(file);
    close(file->fd);
    free(file);
}

static int64_t posix_size(void *ctx, yore_file *file)
{
    (void)ctx;
    struct stat facts;
    return fstat(file->fd, &facts) == 0 ? (int64_t)facts.st_size : -errno;
}

static int64_t posix_pread(void *ctx, yore_file *file, void *to, size_t size, uint64_t off)
{
    (void)ctx;
    if (size > INT64_MAX || off > INT64_MAX - size) return -EINVAL;
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file->fd, (uint8_t *)to + done, size - done, (off_t)(off + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int64_t posix_pwrite(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    (void)ctx;
    if (size > INT64_MAX || off > INT64_MAX - size) return -EFBIG;
    ssize_t wrote;
    do {
        wrote = pwrite(file->fd, from, size, (off_t)off);
    } while (wrote < 0 && errno == EINTR);
    return wrote < 0 ? -errno : (int64_t)wrote;
}

static int posix_sync(void *ctx, yore_file *file)
{
    (void)ctx;
    return fdatasync(file->fd) == 0 ? 0 : -errno;
}

static int posix_truncate(void *ctx, yore_file *file, uint64_t size)
{
    (void)ctx;
    if (size > INT64_MAX) return -EFBIG;
    int failed;
    do {
        failed = ftruncate(file->fd, (off_t)size);
    } while (failed && errno == EINTR);
    return failed ? -errno : 0;
}

/* File systems where a store into a shared mapping is as good as a write: local, and the page cache is the
 * one copy. */
static bool maps_are_safe(int fd)
{
    const unsigned long ext = 0xEF53, xfs = 0x58465342, tmpfs = 0x01021994; /* ext is 2, 3 and 4 */
    struct statfs facts;
    if (fstatfs(fd, &facts) != 0) return false;
    unsigned long type = (unsigned long)facts.f_type;
    return type == ext || type == xfs || type == tmpfs;
}

static int posix_map(void *ctx, yore_file *file, uint64_t size)
{
    if (size == 0) {
        unmap(file);
        return 0;
    }
    int64_t present = posix_size(ctx, file);
    if (present < 0) return (int)present;
    if (size > (uint64_t)present) return -EINVAL; /* a store behind the end would be a SIGBUS */
    if (!maps_are_safe(file->fd)) return -ENOTSUP;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (map == MAP_FAILED) return -errno;
    unmap(file);
    file->map = map;
    file->map_size = size;
    return 0;
}

static int posix_map_append(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    (void)ctx;
    if (off > file->map_size || size > file->map_size - off) return -EINVAL;
    if (size) memcpy(file->map + off, from, size);
    /* appends follow each other: have the lines of the next one on their way */
    const uint8_t *next = file->map + off + size;
    for (int i = 0; i < 4; i++) __builtin_prefetch(next + 64 * i, 1);
    return 0;
}

/* -- locks: of the open file description, so a second open in this process is refused as well -- */

static int posix_lock(void *ctx, yore_file *file)
{
    (void)ctx;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file->fd, F_OFD_SETLK, &whole) == 0) return YORE_LOCK_NONE;
    return errno == EAGAIN || errno == EACCES ? YORE_LOCK_HELD : -errno;
}

static void posix_unlock(void *ctx, yore_file *file)
{
    (void)ctx;
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    int failed = fcntl(file->fd, F_OFD_SETLK, &whole);
    YR_ASSERT(!failed); /* giving up a lock of our own handle needs nothing */
}

static int posix_lock_test(void *ctx, yore_file *file)
{
    (void)ctx;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file->fd, F_OFD_GETLK, &whole) != 0) return -errno;
    return whole.l_type == F_UNLCK ? YORE_LOCK_NONE : YORE_LOCK_HELD;
}

void yr_env_posix_files(yore_env *env)
{
    env->dir_open = posix_dir_open;
    env->dir_open_at = posix_dir_open_at;
    env->dir_close = posix_dir_close;
    env->dir_sync = posix_dir_sync;
    env->dir_sync_parent = posix_dir_sync_parent;
    env->dir_list = posix_dir_list;
    env->rename = posix_rename;
    env->unlink = posix_unlink;
    env->open = posix_open;
    env->close = posix_close;
    env->size = posix_size;
    env->pread = posix_pread;
    env->pwrite = posix_pwrite;
    env->sync = posix_sync;
    env->truncate = posix_truncate;
    env->map = posix_map;
    env->map_append = posix_map_append;
    env->lock = posix_lock;
    env->unlock = posix_unlock;
    env->lock_test = posix_lock_test;
}

/* The environment: everything yore asks of the outside world, in one table of functions.
 *
 * Files, clock, random bytes, memory, threads and yield points all go through it, so a test (or an
 * embedding program) can put its own disk, clock or allocator under the engine. `yore_env_default()` is
 * the operating system. Every file operation returns 0 (or a byte count) on success and a negative errno
 * value on failure; none prints, and none tries again, but that calls other than a sync go on after a signal.
 *
 * Directories and files are handles; names are single path components relative to a directory handle
 * (never containing '/'), so nothing can escape the store's directory: a name is never followed through a
 * symbolic link. Only a whole path given to dir_open is, because the caller chose it.
 */
#ifndef YORE_ENV_H
#define YORE_ENV_H

#include <stdbool.h>

#include <yore/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yore_dir yore_dir;
typedef struct yore_file yore_file;
typedef struct yore_thread yore_thread;

#define YORE_OPEN_WRITE 1u     /* read and write; without it read only */
#define YORE_OPEN_CREATE 2u    /* create when missing, mode 0600 */
#define YORE_OPEN_EXCLUSIVE 4u /* with CREATE: fail with -EEXIST when present */

#define YORE_DIR_CREATE 1u /* create the last component when missing (mode 0700), then open it */

#define YORE_LOCK_NONE 0
#define YORE_LOCK_HELD 1 /* someone else holds it */

typedef struct yore_env {
    uint32_t struct_size;
    uint32_t reserved;
    void *ctx; /* handed to every function */

    /* -- directories -- */
    /* Open (or create) a directory by path. *created (may be NULL) says whether it was made now; the caller
     * syncs the parent with dir_sync_parent. -ENOENT, -ENOTDIR, ... on failure. */
    int (*dir_open)(void *ctx, const char *path, uint32_t flags, bool *created, yore_dir **out);
    int (*dir_open_at)(void *ctx, yore_dir *parent, const char *name, uint32_t flags, yore_dir **out);
    void (*dir_close)(void *ctx, yore_dir *dir);
    int (*dir_sync)(void *ctx, yore_dir *dir);
    int (*dir_sync_parent)(void *ctx, const char *path);
    /* Call `each` for every name but "." and ".."; stops early when it returns non-zero. */
    int (*dir_list)(void *ctx, yore_dir *dir, int (*each)(void *arg, const char *name), void *arg);
    int (*rename)(void *ctx, yore_dir *dir, const char *from, yore_dir *to_dir, const char *to);
    int (*unlink)(void *ctx, yore_dir *dir, const char *name); /* a file, or an empty directory */

    /* -- files -- */
    /* Anything but a regular file is refused: -EINVAL, -ELOOP for a symbolic link. */
    int (*open)(void *ctx, yore_dir *dir, const char *name, uint32_t flags, yore_file **out);
    void (*close)(void *ctx, yore_file *file);
    int64_t (*size)(void *ctx, yore_file *file);
    /* Bytes read (short only at the end of the file) or -errno. */
    int64_t (*pread)(void *ctx, yore_file *file, void *to, size_t size, uint64_t off);
    /* Bytes written, possibly fewer than asked, or -errno. */
    int64_t (*pwrite)(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off);
    int (*sync)(void *ctx, yore_file *file); /* fdatasync */
    int (*truncate)(void *ctx, yore_file *file, uint64_t size);
    /* Make [0, size) of the file, which must be written already, ready for map_append.
     * Size 0 gives the mapping up. -ENOTSUP where a store through a mapping is not safe on this file system. */
    int (*map)(void *ctx, yore_file *file, uint64_t size);
    /* Store bytes inside the mapped range: no system call, visible to pread at once, survives kill -9;
     * after a power cut any subset of its 8-byte units may be there until the next sync. 0 or -errno. */
    int (*map_append)(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off);

    /* Take the whole-file write lock without waiting (an open-file-description lock: it goes with the
     * handle or the process). 0, or YORE_LOCK_HELD, or -errno. */
    int (*lock)(void *ctx, yore_file *file);
    void (*unlock)(void *ctx, yore_file *file);
    /* Is the lock held by anyone? YORE_LOCK_NONE, YORE_LOCK_HELD, or -errno. */
    int (*lock_test)(void *ctx, yore_file *file);

    /* -- clock and random -- */
    int64_t (*wall_ns)(void *ctx); /* UTC since 1970; may jump */
    int64_t (*monotonic_ns)(void *ctx);
    int (*random)(void *ctx, void *to, size_t size);
    /* Facts about this process for the lock file. */
    int64_t (*process_id)(void *ctx);
    void (*host_name)(void *ctx, char *to, size_t size);
    void (*boot_id)(void *ctx, char *to, size_t size);
    void (*program_name)(void *ctx, char *to, size_t size); /* may be NULL */

    /* -- memory -- */
    void *(*alloc)(void *ctx, size_t size);
    void *(*realloc)(void *ctx, void *old, size_t old_size, size_t size);
    void (*free)(void *ctx, void *block, size_t size);
    /* A zeroed range of address space whose pages cost memory only when touched; NULL when refused. */
    void *(*vm_reserve)(void *ctx, size_t size);
    void (*vm_release)(void *ctx, void *base, size_t size, size_t used);
    /* Say that [base, base + size) is about to be written, so pages can be had in bulk. Advisory. */
    void (*vm_prefault)(void *ctx, void *base, size_t size);

    /* -- threads -- */
    /* -ENOTSUP when this environment has no threads: background work then runs inside the calls. */
    int (*thread_create)(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out);
    void (*thread_join)(void *ctx, yore_thread *thread);
    /* Give the processor away (sched_yield). */
    void (*yield)(void *ctx);
    void (*sleep_ns)(void *ctx, int64_t ns);
    /* A named point where a scheduler or a crash test may interfere; does nothing by default, may be NULL. */
    void (*point)(void *ctx, const char *name);
} yore_env;

/* The operating system's own environment.
 * Returns a table that lives as long as the process.   Threads any.   Blocks never.   Cost O(1). */
YORE_API const yore_env *yore_env_default(void);

#ifdef __cplusplus
}
#endif
#endif

/* The simulated environment; see env_sim.h. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/support/env_sim_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/yr_assert.h"

struct yore_dir {
    uint32_t ino;
};

struct yore_file {
    uint32_t ino;
    bool is_writable;
    uint64_t map_size;
};

/* -- accounting of nodes -- */

static open_node *node_of(yr_sim *sim, uint32_t ino)
{
    if (ino >= sim->node_count) {
        uint32_t count = ino * 2 + 8;
        sim->nodes = yr_sim_need(realloc(sim->nodes, count * sizeof(open_node)));
        memset(sim->nodes + sim->node_count, 0, (count - sim->node_count) * sizeof(open_node));
        sim->node_count = count;
    }
    return &sim->nodes[ino];
}

static uint64_t charge(uint64_t size)
{
    return (size + YR_SIM_BLOCK_BYTES - 1) / YR_SIM_BLOCK_BYTES * YR_SIM_BLOCK_BYTES;
}

void yr_sim_resize(yr_sim *sim, uint32_t ino, uint64_t size)
{
    sim->used_bytes -= charge(yr_sim_image_size(&sim->image, ino));
    sim->used_bytes += charge(size);
    yr_sim_image_set_size(&sim->image, ino, size);
    yr_sim_image_clip(&sim->image, ino);
}

static void forget_if_unused(yr_sim *sim, uint32_t ino)
{
    const open_node *node = node_of(sim, ino);
    if (node->opens > 0 || !node->is_unlinked) return;
    if (!sim->image.nodes[ino]->is_dir) yr_sim_resize(sim, ino, 0);
    yr_sim_image_drop(&sim->image, ino);
}

void yr_sim_name_gone(yr_sim *sim, uint32_t ino)
{
    node_of(sim, ino)->is_unlinked = true;
    forget_if_unused(sim, ino);
}

/* -- faults and the trace -- */

static void call_hook(yr_sim *sim, uint32_t kind, const char *point)
{
    if (!sim->hook || sim->in_hook) return;
    sim->in_hook = true;
    sim->hook(sim->hook_arg, sim, kind, point);
    sim->in_hook = false;
}

/* 0, or the negative errno this operation must fail with. *is_short (may be NULL): do half instead. */
static int enter(yr_sim *sim, uint32_t kind, bool changes, bool *is_short)
{
    call_hook(sim, kind, NULL);
    if (is_short) *is_short = false;
    if (sim->in_hook) return 0; /* a look from the outside: neither counted nor failed */
    sim->op_counts[__builtin_ctz(kind)]++;
    const yr_sim_fault *fault = &sim->fault;
    if (fault->kinds & kind) {
        sim->fault_seen++;
        if (sim->fault_seen == fault->nth || (fault->sticky && sim->fault_seen > fault->nth)) {
            sim->fault_hits++;
            if (!fault->is_short || !is_short) return -fault->os_errno;
            *is_short = true;
        }
    }
    return changes && sim->is_read_only ? -EROFS : 0;
}

static void record(yr_sim *sim, yr_sim_op op, const char *name, const char *to_name, const void *data)
{
    if (!sim->is_tracing) return;
    op.wall_ns = sim->wall_ns;
    if (name) snprintf(op.name, sizeof op.name, "%s", name);
    if (to_name) snprintf(op.to_name, sizeof op.to_name, "%s", to_name);
    yr_sim_trace_add(&sim->trace, op, data);
}

static int check_name(const char *name)
{
    if (!name[0] || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return -EINVAL;
    return strlen(name) > YR_SIM_NAME_MAX ? -ENAMETOOLONG : 0;
}

int yr_sim_walk(const yr_sim_image *image, const char *path, uint32_t *dir, char name[YR_SIM_NAME_MAX + 1])
{
    *dir = YR_SIM_ROOT;
    name[0] = '\0';
    while (*path) {
        size_t length = strcspn(path, "/");
        bool is_real = length > 0 && !(length == 1 && path[0] == '.');
        if (is_real) {
            if (length > YR_SIM_NAME_MAX) return -ENAMETOOLONG;
            if (name[0]) {
                uint32_t next = yr_sim_image_find(image, *dir, name);
                if (next == YR_SIM_NONE) return -ENOENT;
                if (!image->nodes[next]->is_dir) return -ENOTDIR;
                *dir = next;
            }
            memcpy(name, path, length);
            name[length] = '\0';
        }
        path += length;
        path += strspn(path, "/");
    }
    return 0;
}

/* -- directories -- */

static int wrap_dir(yr_sim *sim, uint32_t ino, yore_dir **out)
{
    yore_dir *dir = yr_sim_need(malloc(sizeof *dir));
    dir->ino = ino;
    node_of(sim, ino)->opens++;
    sim->out.handles++;
    *out = dir;
    return 0;
}

static int open_dir(yr_sim *sim, uint32_t parent, const char *name, uint32_t flags, bool *created,
                    yore_dir **out)
{
    uint32_t ino = yr_sim_image_find(&sim->image, parent, name);
    *created = false;
    if (ino == YR_SIM_NONE) {
        if (!(flags & YORE_DIR_CREATE)) return -ENOENT;
        if (sim->is_read_only) return -EROFS;
        ino = yr_sim_image_add(&sim->image, true);
        yr_sim_image_link(&sim->image, parent, name, ino);
        record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_MKDIR, .dir = parent, .ino = ino}, name, NULL, NULL);
        *created = true;
    }
    if (!sim->image.nodes[ino]->is_dir) return -ENOTDIR;
    return wrap_dir(sim, ino, out);
}

static int sim_dir_open(void *ctx, const char *path, uint32_t flags, bool *created, yore_dir **out)
{
    yr_sim *sim = ctx;
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t parent;
    bool is_new = false;
    int failed = enter(sim, YR_SIM_OP_DIR, false, NULL);
    if (!failed) failed = yr_sim_walk(&sim->image, path, &parent, name);
    if (failed) return failed;
    int result = name[0] ? open_dir(sim, parent, name, flags, &is_new, out) : wrap_dir(sim, YR_SIM_ROOT, out);
    if (created) *created = is_new;
    return result;
}

static int sim_dir_open_at(void *ctx, yore_dir *parent, const char *name, uint32_t flags, yore_dir **out)
{
    yr_sim *sim = ctx;
    bool is_new;
    int failed = enter(sim, YR_SIM_OP_DIR, false, NULL);
    if (!failed) failed = check_name(name);
    return failed ? failed : open_dir(sim, parent->ino, name, flags, &is_new, out);
}

static void sim_dir_close(void *ctx, yore_dir *dir)
{
    yr_sim *sim = ctx;
    if (!dir) return;
    open_node *node = node_of(sim, dir->ino);
    YR_ASSERT(node->opens > 0 && sim->out.handles > 0);
    node->opens--;
    sim->out.handles--;
    forget_if_unused(sim, dir->ino);
    free(dir);
}

static int sync_dir(yr_sim *sim, uint32_t ino)
{
    int failed = enter(sim, YR_SIM_OP_DIR_SYNC, false, NULL);
    yr_sim_op op = {.kind = failed ? YR_SIM_TRACE_DIR_SYNC_FAILED : YR_SIM_TRACE_DIR_SYNC, .dir = ino};
    record(sim, op, NULL, NULL, NULL);
    return failed;
}

static int sim_dir_sync(void *ctx, yore_dir *dir)
{
    return sync_dir(ctx, dir->ino);
}

static int sim_dir_sync_parent(void *ctx, const char *path)
{
    yr_sim *sim = ctx;
    char name[YR_SIM_NAME_MAX + 1];
    uint32_t parent;
    int failed = yr_sim_walk(&sim->image, path, &parent, name);
    return failed ? failed : sync_dir(sim, parent);
}

static int sim_dir_list(void *ctx, yore_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_DIR, false, NULL);
    if (failed) return failed;
    /* A copy: `each` may create and remove names. */
    const yr_sim_node *node = sim->image.nodes[dir->ino];
    uint32_t count = node->entry_count;
    yr_sim_entry *entries = yr_sim_need(malloc((count + 1) * sizeof *entries));
    if (count) memcpy(entries, node->entries, count * sizeof *entries);
    for (uint32_t i = 0; i < count; i++) {
        if (each(arg, entries[i].name) != 0) break;
    }
    free(entries);
    return 0;
}

static int sim_rename(void *ctx, yore_dir *dir, const char *from, yore_dir *to_dir, const char *to)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_RENAME, true, NULL);
    if (!failed) failed = check_name(from);
    if (!failed) failed = check_name(to);
    if (failed) return failed;
    uint32_t ino = yr_sim_image_find(&sim->image, dir->ino, from);
    if (ino == YR_SIM_NONE) return -ENOENT;
    uint32_t replaced = yr_sim_image_find(&sim->image, to_dir->ino, to);
    if (replaced == ino) return 0;
    if (replaced != YR_SIM_NONE && sim->image.nodes[replaced]->is_dir) return -EISDIR;
    yr_sim_image_link(&sim->image, to_dir->ino, to, ino);
    yr_sim_image_unlink(&sim->image, dir->ino, from);
    if (replaced != YR_SIM_NONE) yr_sim_name_gone(sim, replaced);
    yr_sim_op op = {.kind = YR_SIM_TRACE_RENAME, .dir = dir->ino, .to_dir = to_dir->ino, .ino = ino};
    record(sim, op, from, to, NULL);
    return 0;
}

static int sim_unlink(void *ctx, yore_dir *dir, const char *name)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_UNLINK, true, NULL);
    if (!failed) failed = check_name(name);
    if (failed) return failed;
    uint32_t ino = yr_sim_image_find(&sim->image, dir->ino, name);
    if (ino == YR_SIM_NONE) return -ENOENT;
    if (sim->image.nodes[ino]->is_dir && sim->image.nodes[ino]->entry_count > 0) return -ENOTEMPTY;
    yr_sim_image_unlink(&sim->image, dir->ino, name);
    record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_UNLINK, .dir = dir->ino, .ino = ino}, name, NULL, NULL);
    yr_sim_name_gone(sim, ino);
    return 0;
}

/* -- files -- */

static int sim_open(void *ctx, yore_dir *dir, const char *name, uint32_t flags, yore_file **out)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_OPEN, false, NULL);
    if (!failed) failed = check_name(name);
    if (failed) return failed;
    uint32_t ino = yr_sim_image_find(&sim->image, dir->ino, name);
    bool is_create = (flags & YORE_OPEN_CREATE) != 0;
    if (ino == YR_SIM_NONE && !is_create) return -ENOENT;
    if (ino != YR_SIM_NONE && is_create && flags & YORE_OPEN_EXCLUSIVE) return -EEXIST;
    if (sim->is_read_only && (ino == YR_SIM_NONE || flags & YORE_OPEN_WRITE)) return -EROFS;
    if (ino == YR_SIM_NONE) {
        ino = yr_sim_image_add(&sim->image, false);
        yr_sim_image_link(&sim->image, dir->ino, name, ino);
        record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_CREATE, .dir = dir->ino, .ino = ino}, name, NULL, NULL);
    }
    if (sim->image.nodes[ino]->is_dir) return -EINVAL;
    yore_file *file = yr_sim_need(malloc(sizeof *file));
    *file = (struct yore_file){.ino = ino, .is_writable = (flags & YORE_OPEN_WRITE) != 0};
    node_of(sim, ino)->opens++;
    node_of(sim, ino)->was_opened = true;
    sim->out.handles++;
    *out = file;
    return 0;
}

static void sim_unlock(void *ctx, yore_file *file)
{
    open_node *node = node_of(ctx, file->ino);
    if (node->locker == file) node->locker = NULL;
}

static void sim_close(void *ctx, yore_file *file)
{
    yr_sim *sim = ctx;
    if (!file) return;
    sim_unlock(sim, file);
    open_node *node = node_of(sim, file->ino);
    YR_ASSERT(node->opens > 0 && sim->out.handles > 0);
    node->opens--;
    sim->out.handles--;
    forget_if_unused(sim, file->ino);
    free(file);
}

static int64_t sim_size(void *ctx, yore_file *file)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_READ, false, NULL);
    return failed ? failed : (int64_t)yr_sim_image_size(&sim->image, file->ino);
}

static int64_t sim_pread(void *ctx, yore_file *file, void *to, size_t size, uint64_t off)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_READ, false, NULL);
    if (failed) return failed;
    uint64_t end = yr_sim_image_size(&sim->image, file->ino);
    if (off >= end) return 0;
    if (size > end - off) size = (size_t)(end - off);
    yr_sim_image_read(&sim->image, file->ino, to, size, off);
    return (int64_t)size;
}

/* How much of a write that ends at `end` the disk has room for. */
static uint64_t room_for(const yr_sim *sim, uint64_t now, uint64_t end)
{
    if (end <= now || sim->capacity_bytes == UINT64_MAX) return end;
    uint64_t others = sim->used_bytes - charge(now);
    uint64_t room = sim->capacity_bytes > others ? sim->capacity_bytes - others : 0;
    room -= room % YR_SIM_BLOCK_BYTES;
    if (room < charge(now)) room = charge(now); /* the last page is there already */
    return end < room ? end : room;
}

static int64_t sim_pwrite(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    yr_sim *sim = ctx;
    bool is_short;
    int failed = enter(sim, YR_SIM_OP_WRITE, true, &is_short);
    if (failed) return failed;
    if (!file->is_writable) return -EBADF;
    if (off > UINT64_MAX / 4 || size > UINT64_MAX / 4) return -EFBIG;
    if (size == 0) return 0;
    if (is_short && size > 1) size /= 2;
    uint64_t now = yr_sim_image_size(&sim->image, file->ino);
    uint64_t end = room_for(sim, now, off + size);
    if (end <= off) return -sim->capacity_errno;
    if (end < off + size) size = (size_t)(end - off);
    if (off + size > now) yr_sim_resize(sim, file->ino, off + size);
    yr_sim_image_write(&sim->image, file->ino, from, size, off);
    yr_sim_op op = {.kind = YR_SIM_TRACE_WRITE, .ino = file->ino, .off = off, .size = size};
    record(sim, op, NULL, NULL, from);
    return (int64_t)size;
}

static int sim_sync(void *ctx, yore_file *file)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_SYNC, false, NULL);
    yr_sim_op op = {.kind = failed ? YR_SIM_TRACE_SYNC_FAILED : YR_SIM_TRACE_SYNC, .ino = file->ino};
    record(sim, op, NULL, NULL, NULL);
    return failed;
}

static int sim_truncate(void *ctx, yore_file *file, uint64_t size)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_WRITE, true, NULL);
    if (failed) return failed;
    if (!file->is_writable) return -EBADF;
    if (room_for(sim, yr_sim_image_size(&sim->image, file->ino), size) < size) return -sim->capacity_errno;
    yr_sim_resize(sim, file->ino, size);
    record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_TRUNCATE, .ino = file->ino, .size = size}, NULL, NULL, NULL);
    return 0;
}

static int sim_map(void *ctx, yore_file *file, uint64_t size)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_MAP, false, NULL);
    if (failed) return failed;
    if (!sim->has_map) return -ENOTSUP;
    if (!file->is_writable) return -EACCES;
    if (size > yr_sim_image_size(&sim->image, file->ino)) return -EINVAL;
    file->map_size = size; /* 0 gives the mapping up */
    return 0;
}

static int sim_map_append(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_APPEND, false, NULL);
    if (failed) return failed;
    if (off > file->map_size || size > file->map_size - off) return -EINVAL;
    /* A store behind the end of the file would be a SIGBUS. */
    YR_ASSERT(off + size <= yr_sim_image_size(&sim->image, file->ino));
    yr_sim_image_write(&sim->image, file->ino, from, size, off);
    yr_sim_op op = {.kind = YR_SIM_TRACE_MAP_APPEND, .ino = file->ino, .off = off, .size = size};
    record(sim, op, NULL, NULL, from);
    return 0;
}

static int sim_lock(void *ctx, yore_file *file)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_LOCK, false, NULL);
    if (failed) return failed;
    if (!file->is_writable) return -EBADF;
    open_node *node = node_of(sim, file->ino);
    if (node->locker && node->locker != file) return YORE_LOCK_HELD;
    node->locker = file;
    return YORE_LOCK_NONE;
}

static int sim_lock_test(void *ctx, yore_file *file)
{
    yr_sim *sim = ctx;
    int failed = enter(sim, YR_SIM_OP_LOCK, false, NULL);
    if (failed) return failed;
    const open_node *node = node_of(sim, file->ino);
    return node->locker && node->locker != file ? YORE_LOCK_HELD : YORE_LOCK_NONE;
}

/* -- clock, random, facts -- */

void yr_sim_advance_ns(yr_sim *sim, int64_t ns)
{
    sim->wall_ns += ns;
    sim->monotonic_ns += ns;
}

static int64_t sim_wall_ns(void *ctx)
{
    yr_sim *sim = ctx;
    yr_sim_advance_ns(sim, sim->tick_ns);
    return sim->wall_ns;
}

static int64_t sim_monotonic_ns(void *ctx)
{
    yr_sim *sim = ctx;
    yr_sim_advance_ns(sim, sim->tick_ns);
    return sim->monotonic_ns;
}

static int sim_random(void *ctx, void *to, size_t size)
{
    yr_sim *sim = ctx;
    uint8_t *out = to;
    while (size > 0) {
        uint64_t word = yr_rng_next(&sim->rng);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(out, &word, part);
        out += part;
        size -= part;
    }
    return 0;
}

static int64_t sim_process_id(void *ctx)
{
    return ((const yr_sim *)ctx)->pid;
}

static void sim_host_name(void *ctx, char *to, size_t size)
{
    (void)ctx;
    snprintf(to, size, "simulated");
}

static void sim_boot_id(void *ctx, char *to, size_t size)
{
    (void)ctx;
    snprintf(to, size, "00000000-0000-4000-8000-000000000001");
}

/* -- memory: a header in front of each block keeps its size, so that a wrong size given back is noticed -- */

typedef struct block_header {
    _Alignas(16) size_t size;
    uint64_t magic;
} block_header;

#define BLOCK_LIVE UINT64_C(0x6C69766521212121)
#define BLOCK_DEAD UINT64_C(0x6465616421212121)

static bool alloc_fails(yr_sim *sim)
{
    if (sim->in_hook) return false;
    sim->alloc_count++;
    if (!sim->alloc_fail_at || sim->alloc_count < sim->alloc_fail_at) return false;
    if (!sim->alloc_fail_sticky && sim->alloc_count > sim->alloc_fail_at) return false;
    sim->alloc_fault_hits++;
    return true;
}

static void account(yr_sim *sim, size_t out, size_t in)
{
    sim->out.bytes += out;
    YR_ASSERT(sim->out.bytes >= in);
    sim->out.bytes -= in;
    if (sim->out.bytes > sim->peak_bytes) sim->peak_bytes = sim->out.bytes;
}

static block_header *header_of(void *block, size_t size)
{
    block_header *header = (block_header *)block - 1;
    YR_ASSERT(header->magic == BLOCK_LIVE); /* else freed twice, or never ours */
    YR_ASSERT(header->size == size);        /* else the size given back is not the size asked for */
    return header;
}

/* Blocks are kept for the next store, as address ranges are: a recovery asks for the same sizes as the one before.
 * Under a sanitizer malloc does it all, which sees more mistakes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_BLOCKS 0
#elif defined(__has_feature)
#define KEEPS_BLOCKS (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define KEEPS_BLOCKS 1
#endif

enum { BLOCK_STEP = 64, BLOCK_SIZES = 640, BLOCK_SPARES = 32 };

static struct {
    block_header *blocks[BLOCK_SPARES];
    uint32_t count;
} spare_blocks[BLOCK_SIZES]; /* by room in units of BLOCK_STEP */

static block_header *block_create(size_t size)
{
    size_t room = (size + BLOCK_STEP - 1) / BLOCK_STEP;
    if (!KEEPS_BLOCKS || room >= BLOCK_SIZES) return malloc(sizeof(block_header) + size);
    if (spare_blocks[room].count > 0) return spare_blocks[room].blocks[--spare_blocks[room].count];
    return malloc(sizeof(block_header) + room * BLOCK_STEP);
}

static void block_destroy(block_header *header)
{
    size_t room = (header->size + BLOCK_STEP - 1) / BLOCK_STEP;
    bool is_kept = KEEPS_BLOCKS && room < BLOCK_SIZES && spare_blocks[room].count < BLOCK_SPARES;
    if (is_kept) {
        spare_blocks[room].blocks[spare_blocks[room].count++] = header;
    } else {
        free(header);
    }
}

static void *sim_alloc(void *ctx, size_t size)
{
    yr_sim *sim = ctx;
    if (alloc_fails(sim) || size > SIZE_MAX / 2) return NULL;
    block_header *header = block_create(size);
    if (!header) return NULL;
    *header = (block_header){.size = size, .magic = BLOCK_LIVE};
    sim->out.blocks++;
    account(sim, size, 0);
    return header + 1;
}

static void *sim_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    yr_sim *sim = ctx;
    if (!old) return sim_alloc(ctx, size);
    block_header *header = header_of(old, old_size);
    if (alloc_fails(sim) || size > SIZE_MAX / 2) return NULL;
    block_header *moved = block_create(size);
    if (!moved) return NULL;
    *moved = (block_header){.size = size, .magic = BLOCK_LIVE};
    memcpy(moved + 1, header + 1, old_size < size ? old_size : size);
    header->magic = BLOCK_DEAD;
    block_destroy(header);
    header = moved;
    account(sim, size, old_size);
    return header + 1;
}

static void sim_free(void *ctx, void *block, size_t size)
{
    yr_sim *sim = ctx;
    if (!block) return;
    block_header *header = header_of(block, size);
    header->magic = BLOCK_DEAD;
    YR_ASSERT(sim->out.blocks > 0);
    sim->out.blocks--;
    account(sim, 0, size);
    block_destroy(header);
}

/* Address ranges are kept for the next store: opening one a million times must not cost a million mappings
 * and their page faults. Shared by all sims of the process. */
static struct {
    void *base;
    size_t size;
} spare_ranges[64];
static uint32_t spare_range_count;

static void *sim_vm_reserve(void *ctx, size_t size)
{
    yr_sim *sim = ctx;
    if (size == 0 || alloc_fails(sim)) return NULL;
    void *base = NULL;
    for (uint32_t i = 0; i < spare_range_count && !base; i++) {
        if (spare_ranges[i].size != size) continue;
        base = spare_ranges[i].base;
        spare_ranges[i] = spare_ranges[--spare_range_count];
    }
    if (!base) {
        base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) return NULL;
    }
    sim->out.ranges++;
    return base;
}

static void sim_vm_release(void *ctx, void *base, size_t size, size_t used)
{
    yr_sim *sim = ctx;
    if (!base) return;
    YR_ASSERT(used <= size && sim->out.ranges > 0);
    sim->out.ranges--;
    /* The next user counts on zeros behind `used`: look at the rest of its last page. */
    size_t end = (used + YR_SIM_BLOCK_BYTES - 1) / YR_SIM_BLOCK_BYTES * YR_SIM_BLOCK_BYTES;
    const uint8_t *rest = (const uint8_t *)base + used;
    if (end > size) end = size;
    YR_ASSERT(end == used || (rest[0] == 0 && memcmp(rest, rest + 1, end - used - 1) == 0));
    if (spare_range_count == sizeof spare_ranges / sizeof spare_ranges[0] || used > ((size_t)4 << 20)) {
        munmap(base, size);
        return;
    }
    memset(base, 0, used);
    spare_ranges[spare_range_count].base = base;
    spare_ranges[spare_range_count].size = size;
    spare_range_count++;
}

static void sim_vm_prefault(void *ctx, void *base, size_t size)
{
    (void)ctx;
    (void)base;
    (void)size;
}

/* -- threads: none -- */

static int sim_thread_create(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    (void)ctx;
    (void)run;
    (void)arg;
    (void)out;
    return -ENOTSUP;
}

static void sim_thread_join(void *ctx, yore_thread *thread)
{
    (void)ctx;
    YR_ASSERT(!thread);
}

static void sim_yield(void *ctx)
{
    yr_sim *sim = ctx;
    yr_sim_advance_ns(sim, sim->tick_ns);
}

static void sim_sleep_ns(void *ctx, int64_t ns)
{
    if (ns > 0) yr_sim_advance_ns(ctx, ns);
}

static void sim_point(void *ctx, const char *name)
{
    call_hook(ctx, 0, name);
}

/* -- life -- */

static const yore_env sim_env = {
    .struct_size = sizeof(yore_env),
    .dir_open = sim_dir_open,
    .dir_open_at = sim_dir_open_at,
    .dir_close = sim_dir_close,
    .dir_sync = sim_dir_sync,
    .dir_sync_parent = sim_dir_sync_parent,
    .dir_list = sim_dir_list,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .open = sim_open,
    .close = sim_close,
    .size = sim_size,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .map = sim_map,
    .map_append = sim_map_append,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .lock_test = sim_lock_test,
    .wall_ns = sim_wall_ns,
    .monotonic_ns = sim_monotonic_ns,
    .random = sim_random,
    .process_id = sim_process_id,
    .host_name = sim_host_name,
    .boot_id = sim_boot_id,
    .alloc = sim_alloc,
    .realloc = sim_realloc,
    .free = sim_free,
    .vm_reserve = sim_vm_reserve,
    .vm_release = sim_vm_release,
    .vm_prefault = sim_vm_prefault,
    .thread_create = sim_thread_create,
    .thread_join = sim_thread_join,
    .yield = sim_yield,
    .sleep_ns = sim_sleep_ns,
    .point = sim_point,
};

yr_sim *yr_sim_create(uint64_t seed)
{
    yr_sim *sim = yr_sim_need(calloc(1, sizeof *sim));
    sim->env = sim_env;
    sim->env.ctx = sim;
    sim->rng.state = seed;
    sim->wall_ns = INT64_C(1700000000) * 1000000000;
    sim->tick_ns = 1000;
    sim->pid = 1000;
    yr_sim_image_init(&sim->image);
    yr_sim_reset(sim, NULL);
    return sim;
}

static void drop_trace(yr_sim *sim)
{
    if (sim->has_trace) yr_sim_trace_deinit(&sim->trace);
    sim->has_trace = false;
    sim->is_tracing = false;
}

void yr_sim_destroy(yr_sim *sim)
{
    if (!sim) return;
    drop_trace(sim);
    yr_sim_image_deinit(&sim->image);
    free(sim->nodes);
    free(sim);
}

const yore_env *yr_sim_env(yr_sim *sim)
{
    return &sim->env;
}

void yr_sim_reset(yr_sim *sim, const yr_sim_image *image)
{
    yr_sim_image next;
    if (image) {
        yr_sim_image_clone(&next, image);
    } else {
        yr_sim_image_init(&next);
    }
    drop_trace(sim);
    yr_sim_image_deinit(&sim->image);
    sim->image = next;
    if (sim->nodes) memset(sim->nodes, 0, sim->node_count * sizeof(open_node));
    sim->used_bytes = 0;
    for (uint32_t i = 0; i < next.count; i++) {
        if (next.nodes[i]) sim->used_bytes += charge(next.nodes[i]->size);
    }
    sim->fault = (yr_sim_fault){0};
    sim->fault_seen = 0;
    sim->fault_hits = 0;
    memset(sim->op_counts, 0, sizeof sim->op_counts);
    sim->alloc_count = 0;
    sim->alloc_fail_at = 0;
    sim->alloc_fault_hits = 0;
    sim->capacity_bytes = UINT64_MAX;
    sim->capacity_errno = ENOSPC;
    sim->is_read_only = false;
    sim->has_map = true;
    sim->out = (yr_sim_leaks){0};
    sim->peak_bytes = 0;
}

const yr_sim_image *yr_sim_image_of(const yr_sim *sim)
{
    return &sim->image;
}

void yr_sim_trace_begin(yr_sim *sim)
{
    drop_trace(sim);
    yr_sim_trace_init(&sim->trace, &sim->image);
    sim->has_trace = true;
    sim->is_tracing = true;
}

const yr_sim_trace *yr_sim_trace_end(yr_sim *sim)
{
    YR_ASSERT(sim->has_trace);
    sim->is_tracing = false;
    return &sim->trace;
}

void yr_sim_trace_take(yr_sim *sim, yr_sim_trace *out)
{
    YR_ASSERT(sim->has_trace);
    *out = sim->trace;
    sim->has_trace = false;
    sim->is_tracing = false;
}

void yr_sim_begin(yr_sim *sim, uint64_t mark)
{
    record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_BEGIN, .mark = mark}, NULL, NULL, NULL);
}

void yr_sim_ack(yr_sim *sim, uint64_t mark)
{
    record(sim, (yr_sim_op){.kind = YR_SIM_TRACE_ACK, .mark = mark}, NULL, NULL, NULL);
}

/* -- knobs -- */

void yr_sim_set_fault(yr_sim *sim, yr_sim_fault fault)
{
    sim->fault = fault;
    sim->fault_seen = 0;
    sim->fault_hits = 0;
}

uint64_t yr_sim_fault_hits(const yr_sim *sim)
{
    return sim->fault_hits;
}

uint64_t yr_sim_op_count(const yr_sim *sim, uint32_t kinds)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sizeof sim->op_counts / sizeof sim->op_counts[0]; i++) {
        if (kinds >> i & 1) sum += sim->op_counts[i];
    }
    return sum;
}

void yr_sim_fail_alloc(yr_sim *sim, uint64_t nth, bool sticky)
{
    sim->alloc_fail_at = nth ? sim->alloc_count + nth : 0;
    sim->alloc_fail_sticky = sticky;
    sim->alloc_fault_hits = 0;
}

uint64_t yr_sim_alloc_fault_hits(const yr_sim *sim)
{
    return sim->alloc_fault_hits;
}

uint64_t yr_sim_alloc_count(const yr_sim *sim)
{
    return sim->alloc_count;
}

void yr_sim_set_capacity(yr_sim *sim, uint64_t bytes, int os_errno)
{
    sim->capacity_bytes = bytes;
    sim->capacity_errno = os_errno;
}

uint64_t yr_sim_used_bytes(const yr_sim *sim)
{
    return sim->used_bytes;
}

void yr_sim_set_read_only(yr_sim *sim, bool read_only)
{
    sim->is_read_only = read_only;
}

void yr_sim_set_map_support(yr_sim *sim, bool has_map)
{
    sim->has_map = has_map;
}

void yr_sim_set_wall_ns(yr_sim *sim, int64_t ns)
{
    sim->wall_ns = ns;
}

void yr_sim_set_tick_ns(yr_sim *sim, int64_t ns)
{
    sim->tick_ns = ns;
}

void yr_sim_set_process_id(yr_sim *sim, int64_t pid)
{
    sim->pid = pid;
}

void yr_sim_set_seed(yr_sim *sim, uint64_t seed)
{
    sim->rng.state = seed;
}

bool yr_sim_was_opened(const yr_sim *sim, uint32_t ino)
{
    return ino < sim->node_count && sim->nodes[ino].was_opened;
}

bool yr_sim_is_tracing(const yr_sim *sim)
{
    return sim->is_tracing;
}

void yr_sim_set_hook(yr_sim *sim, yr_sim_hook hook, void *arg)
{
    sim->hook = hook;
    sim->hook_arg = arg;
}

yr_sim_leaks yr_sim_leaks_of(const yr_sim *sim)
{
    return sim->out;
}

bool yr_sim_has_leaks(const yr_sim *sim)
{
    return sim->out.blocks || sim->out.bytes || sim->out.ranges || sim->out.handles;
}

uint64_t yr_sim_peak_bytes(const yr_sim *sim)
{
    return sim->peak_bytes;
}

/* A disk image in memory: directories, files, and their bytes in pages, all copy on write, so that a clone
 * costs a few pointers and a crash state only the pages it changes. One thread.
 *
 * And a trace: what was done to a disk, operation by operation, with the bytes. */
#ifndef YR_SIM_DISK_H
#define YR_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YR_SIM_PAGE_BYTES 1024u  /* copied and hashed whole: small, because crash states change little */
#define YR_SIM_BLOCK_BYTES 4096u /* what a file is charged for */
#define YR_SIM_NAME_MAX 63u
#define YR_SIM_ROOT 0u /* the node every path starts from */
#define YR_SIM_NONE UINT32_MAX

typedef struct yr_sim_page {
    uint32_t refs;
    bool is_hashed;
    uint64_t hash; /* 0 when all bytes are zero, like a page that is not there */
    uint8_t bytes[YR_SIM_PAGE_BYTES];
} yr_sim_page;

typedef struct yr_sim_entry {
    char name[YR_SIM_NAME_MAX + 1];
    uint64_t hash; /* of the name */
    uint32_t ino;
} yr_sim_entry;

typedef struct yr_sim_node {
    uint32_t refs; /* changed only while 1 */
    bool is_dir;
    bool is_hashed;
    uint64_t hash;
    uint64_t size;
    yr_sim_page **pages; /* NULL = a page of zeros */
    uint32_t page_count;
    yr_sim_entry *entries;
    uint32_t entry_count;
    uint32_t entry_capacity;
} yr_sim_node;

typedef struct yr_sim_image {
    yr_sim_node **nodes; /* by number; NULL once dropped */
    uint32_t count;
    uint32_t capacity;
} yr_sim_image;

void yr_sim_image_init(yr_sim_image *image);
void yr_sim_image_deinit(yr_sim_image *image);
void yr_sim_image_clone(yr_sim_image *to, const yr_sim_image *from);
/* The same for everything that can be reached by a name, whatever the node numbers. */
uint64_t yr_sim_image_hash(const yr_sim_image *image);
uint64_t yr_sim_image_file_hash(const yr_sim_image *image, uint32_t ino);
/* Of a file, or of everything in a directory. */
uint64_t yr_sim_image_node_hash(const yr_sim_image *image, uint32_t ino);

uint32_t yr_sim_image_add(yr_sim_image *image, bool is_dir);
/* Put a node of this number there (numbers come from the traced disk). */
void yr_sim_image_add_at(yr_sim_image *image, uint32_t ino, bool is_dir);
void yr_sim_image_drop(yr_sim_image *image, uint32_t ino);

uint32_t yr_sim_image_find(const yr_sim_image *image, uint32_t dir, const char *name);
void yr_sim_image_link(yr_sim_image *image, uint32_t dir, const char *name, uint32_t ino);
void yr_sim_image_unlink(yr_sim_image *image, uint32_t dir, const char *name);

uint64_t yr_sim_image_size(const yr_sim_image *image, uint32_t ino);
/* Bytes behind the end and in holes are zero. */
void yr_sim_image_read(const yr_sim_image *image, uint32_t ino, void *to, size_t size, uint64_t off);
/* Does not move the end of the file: bytes may lie behind it until image_clip. */
void yr_sim_image_write(yr_sim_image *image, uint32_t ino, const void *from, size_t size, uint64_t off);
void yr_sim_image_set_size(yr_sim_image *image, uint32_t ino, uint64_t size);
/* Forget bytes behind the end. */
void yr_sim_image_clip(yr_sim_image *image, uint32_t ino);

enum yr_sim_op_kind {
    YR_SIM_TRACE_MKDIR = 1,       /* dir, name, ino */
    YR_SIM_TRACE_CREATE,          /* dir, name, ino */
    YR_SIM_TRACE_WRITE,           /* ino, off, size, data */
    YR_SIM_TRACE_MAP_APPEND,      /* ino, off, size, data */
    YR_SIM_TRACE_TRUNCATE,        /* ino, size */
    YR_SIM_TRACE_SYNC,            /* ino */
    YR_SIM_TRACE_SYNC_FAILED,     /* ino: what was not synced stays in doubt for ever */
    YR_SIM_TRACE_UNLINK,          /* dir, name, ino */
    YR_SIM_TRACE_RENAME,          /* dir, name, to_dir, to_name, ino */
    YR_SIM_TRACE_DIR_SYNC,        /* dir */
    YR_SIM_TRACE_DIR_SYNC_FAILED, /* dir */
    YR_SIM_TRACE_BEGIN,           /* mark: commit `mark` was asked for */
    YR_SIM_TRACE_ACK              /* mark: commit `mark` was acknowledged */
};

typedef struct yr_sim_op {
    enum yr_sim_op_kind kind;
    uint32_t ino;
    uint32_t dir;
    uint32_t to_dir;
    uint64_t off;
    uint64_t size;
    uint64_t mark;
    int64_t wall_ns; /* the clock when it was done */
    size_t data;     /* position in the trace's bytes */
    char name[YR_SIM_NAME_MAX + 1];
    char to_name[YR_SIM_NAME_MAX + 1];
} yr_sim_op;

typedef struct yr_sim_trace {
    yr_sim_image base; /* the disk when the trace began; all of it counts as durable */
    yr_sim_op *ops;
    uint32_t count;
    uint32_t capacity;
    uint8_t *bytes;
    size_t byte_count;
    size_t byte_capacity;
} yr_sim_trace;

void yr_sim_trace_init(yr_sim_trace *trace, const yr_sim_image *base);
void yr_sim_trace_deinit(yr_sim_trace *trace);
void yr_sim_trace_add(yr_sim_trace *trace, yr_sim_op op, const void *data);
/* One line about an operation, for reports. */
void yr_sim_op_describe(const yr_sim_op *op, char *to, size_t size);

/* malloc and friends for test support: running out of memory ends the test. */
void *yr_sim_need(void *block);

#endif

/* The plain values that cross the API: slices, keys, points in history, pins, rows.
 *
 * A key is (branch, primitive, user key). The branch comes from the snapshot or transaction, so a
 * `yore_key` holds the other two. User keys are any bytes, 1 to 32 KiB; one may be a prefix of another.
 * Times are int64 nanoseconds UTC since 1970; versions are uint64, one a commit, dense from 1.
 *
 *     yore_key key = yore_str_key("config.theme");
 */
#ifndef YORE_TYPES_H
#define YORE_TYPES_H

#include <string.h>

#include <yore/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yore_db yore_db;
typedef struct yore_snap yore_snap;
typedef struct yore_txn yore_txn;
typedef struct yore_iter yore_iter;

#define YORE_KEY_BYTES_MAX 32768u
#define YORE_VALUE_BYTES_MAX (1u << 30)
#define YORE_TXN_BYTES_MAX (1u << 30)
#define YORE_META_BYTES_MAX 1024u
#define YORE_NOTE_BYTES_MAX 65536u
#define YORE_BRANCH_NAME_MAX 128u
#define YORE_LINEAGE_DEPTH_MAX 1024u

typedef struct yore_slice {
    const void *data;
    size_t size;
} yore_slice;

/* Primitive tags. They are part of the stored key and never renumbered. 0 in a `yore_key` means kv. */
#define YORE_KV 1u
#define YORE_EVENT 2u
#define YORE_STATE 3u
#define YORE_JSON 4u
#define YORE_TREE 5u
#define YORE_VECTOR 6u
#define YORE_BLOB 7u
#define YORE_SYSTEM 255u /* registry, settings, tags: readable, never writable through put */

/* Value types: a hint for people and tools, stored with the version. */
#define YORE_TYPE_BYTES 0u
#define YORE_TYPE_TEXT 1u
#define YORE_TYPE_JSON 2u

typedef struct yore_key {
    yore_slice user;    /* the user key, borrowed for the call */
    uint32_t primitive; /* YORE_KV ...; 0 = YORE_KV */
} yore_key;

/* A slice over `size` bytes at `data`; the bytes stay the caller's.
 * Returns the slice.   Threads any.   Cost O(1). */
static inline yore_slice yore_bytes(const void *data, size_t size)
{
    yore_slice slice;
    slice.data = data;
    slice.size = size;
    return slice;
}

/* A slice over the characters of a C string, without the NUL.
 * Returns the slice.   Threads any.   Cost O(length). */
static inline yore_slice yore_str(const char *text)
{
    return yore_bytes(text, strlen(text));
}

/* The kv key whose user key is the characters of `text`.
 * Returns the key.   Threads any.   Cost O(length). */
static inline yore_key yore_str_key(const char *text)
{
    yore_key key;
    key.user = yore_str(text);
    key.primitive = YORE_KV;
    return key;
}

/* The kv key of `size` bytes at `data`.
 * Returns the key.   Threads any.   Cost O(1). */
static inline yore_key yore_bytes_key(const void *data, size_t size)
{
    yore_key key;
    key.user = yore_bytes(data, size);
    key.primitive = YORE_KV;
    return key;
}

/* Kinds of `yore_at`. */
#define YORE_AT_NOW 0u     /* the newest commit, at the time of the call */
#define YORE_AT_VERSION 1u /* `version`, exactly */
#define YORE_AT_TIME 2u    /* the newest commit at or before `time_ns`, which also decides expiry */
#define YORE_AT_TAG 3u     /* `tag`; selects its branch too when `branch` is empty */
#define YORE_AT_BACK 4u    /* `back` data commits before the branch's newest one */
#define YORE_AT_START 5u   /* the first kept state of the branch's lineage */
#define YORE_AT_FORK 6u    /* where the branch left its parent */

/* A point in history: a branch and a moment. Self-contained (owns its names), so it may be kept.
 * Zero-initialised with struct_size set (YORE_AT_INIT) it means `default@now`. */
typedef struct yore_at {
    uint32_t struct_size;
    uint32_t kind;      /* YORE_AT_... */
    uint32_t branch_id; /* when not 0 it wins over `branch`: reaches deleted branches too */
    uint32_t reserved;
    uint64_t version;                      /* YORE_AT_VERSION */
    int64_t time_ns;                       /* YORE_AT_TIME */
    uint64_t back;                         /* YORE_AT_BACK */
    char branch[YORE_BRANCH_NAME_MAX + 1]; /* NUL-terminated; empty = "default" */
    char tag[YORE_BRANCH_NAME_MAX + 1];    /* YORE_AT_TAG */
} yore_at;

#define YORE_AT_INIT                            \
    {                                           \
        sizeof(yore_at), 0, 0, 0, 0, 0, 0, {0}, \
        {                                       \
            0                                   \
        }                                       \
    }

/* Where a point turned out to be, or where a commit landed. */
typedef struct yore_where {
    uint32_t struct_size;
    uint32_t branch_id;
    uint64_t version;            /* newest commit of the branch's lineage at or before the point */
    int64_t time_ns;             /* that commit's time */
    uint64_t snap_version;       /* the store-wide version reads are capped at */
    int64_t snap_time_ns;        /* the time that decides expiry */
    uint64_t first_data_version; /* the lineage's first data commit, 0 if it has none */
    int64_t first_data_time_ns;
    char branch[YORE_BRANCH_NAME_MAX + 1];
} yore_where;

#define YORE_WHERE_INIT                          \
    {                                            \
        sizeof(yore_where), 0, 0, 0, 0, 0, 0, 0, \
        {                                        \
            0                                    \
        }                                        \
    }

/* A value read without copying. It borrows the snapshot it was read from: valid until that snapshot is
 * closed or the pin is released. `yore_pin_keep` makes it owned: it then outlives snapshot and store. */
typedef struct yore_pin {
    yore_slice value;
    yore_slice meta;    /* metadata stored with the version, often empty */
    uint64_t version;   /* the commit that wrote it; its time: yore_pin_time */
    int64_t expiry_ns;  /* when it expires, 0 = never */
    uint32_t branch_id; /* the lineage hop that holds it */
    uint32_t type;      /* YORE_TYPE_... */
    void *own[2];       /* the library's; zero before first use */
} yore_pin;

#define YORE_PIN_INIT               \
    {                               \
        {0, 0}, {0, 0}, 0, 0, 0, 0, \
        {                           \
            0, 0                    \
        }                           \
    }

#define YORE_OP_PUT 1u
#define YORE_OP_DEL 2u

/* One row of a scan, a history or a change feed. Slices stay valid until the iterator's next step.
 * Pass `sizeof(yore_row)` as row_size, so that the struct can grow. */
typedef struct yore_row {
    yore_slice key; /* the user key */
    yore_slice value;
    yore_slice meta;
    uint64_t version;
    int64_t time_ns;
    int64_t expiry_ns;  /* 0 = never */
    uint32_t branch_id; /* the branch whose key space holds it */
    uint32_t primitive;
    uint32_t op;   /* YORE_OP_... */
    uint32_t type; /* YORE_TYPE_... */
} yore_row;

#ifdef __cplusplus
}
#endif
#endif

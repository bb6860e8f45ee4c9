/* The baseline of durable_put: pwrite of one log-record-sized block and fdatasync, over a file that was written with
 * zeros and synced before, so no file metadata changes. Nothing that acknowledges one commit a sync can be faster. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/data.h"

#define FILE_BYTES (16u << 20)
/* What one commit of a 21-byte key and a 100-byte value takes in yore's log. */
#define RECORD_BYTES 192u

typedef struct bare_store {
    int fd;
    off_t offset;
    unsigned char record[RECORD_BYTES];
} bare_store;

static void bare_describe(bool durable, char *out, size_t size)
{
    (void)durable;
    snprintf(out, size, "pwrite of %u bytes + fdatasync in sequence over a %u MiB file of synced zeros",
             RECORD_BYTES, FILE_BYTES >> 20);
}

static void write_at(bare_store *store, const void *data, size_t size, off_t offset)
{
    if (pwrite(store->fd, data, size, offset) != (ssize_t)size) {
        bench_fatal("bare: cannot write: %s", strerror(errno));
    }
}

static void sync_data(bare_store *store)
{
    if (fdatasync(store->fd) != 0) {
        bench_fatal("bare: cannot sync: %s", strerror(errno));
    }
}

static void *bare_open(const bench_store_options *options)
{
    bare_store *store = bench_alloc(sizeof(*store));
    char path[4096];
    void *zeros = bench_alloc(FILE_BYTES);
    snprintf(path, sizeof(path), "%s/log", options->dir);
    store->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (store->fd < 0) {
        bench_fatal("bare: cannot open '%s': %s", path, strerror(errno));
    }
    write_at(store, zeros, FILE_BYTES, 0);
    sync_data(store);
    free(zeros);
    return store;
}

static void bare_settle(void *handle)
{
    (void)handle;
}

static void bare_close(void *handle)
{
    bare_store *store = handle;
    close(store->fd);
    free(store);
}

static void *bare_writer_open(void *store)
{
    return store;
}

static void bare_writer_close(void *writer)
{
    (void)writer;
}

static void bare_put(void *writer, bench_slice key, bench_slice value)
{
    bare_store *store = writer;
    memcpy(store->record, key.data, key.size);
    memcpy(store->record + key.size, value.data, value.size);
    if (store->offset + (off_t)RECORD_BYTES > (off_t)FILE_BYTES) {
        store->offset = 0;
    }
    write_at(store, store->record, RECORD_BYTES, store->offset);
    store->offset += (off_t)RECORD_BYTES;
    sync_data(store);
}

const bench_driver bench_driver_bare = {
    .name = "bare",
    .describe = bare_describe,
    .open = bare_open,
    .settle = bare_settle,
    .close = bare_close,
    .writer_open = bare_writer_open,
    .writer_close = bare_writer_close,
    .put = bare_put,
};

/* Ordered listing of a view: one cursor a lineage hop and layer, merged by user key; of two that have a key the younger
 * hop decides, and on one hop the younger layer. */
#ifndef YR_LINEAGE_SCAN_H
#define YR_LINEAGE_SCAN_H

#include "engine/branch/lineage.h"

#include <yore/snap.h>

typedef struct yr_scan_source yr_scan_source;

/* A source and its current key. */
typedef struct yr_scan_turn {
    yore_slice key;
    uint32_t source;
} yr_scan_turn;

typedef struct yr_scan {
    yr_view view;
    const yore_env *env;
    uint32_t primitive;
    bool reverse, keys_only, with_deleted, without_times;
    bool started, ended;
    yore_status failure; /* of an earlier batch: stays so */
    uint64_t left;       /* rows still wanted */
    yore_slice lower;    /* inclusive; empty = open */
    yore_slice upper;    /* exclusive; meaningful when has_upper */
    bool has_upper;
    yore_slice last;     /* key of the last row: where memtables are read on */
    uint8_t *last_bytes; /* room for a copy of it, when it came from a run */
    bool last_moves;     /* it lies where the next batch may change it */
    uint8_t *bounds;     /* copies of the range's bytes */
    size_t bounds_bytes;
    yr_scan_source
        *sources; /* hops with keys of their own, youngest first, and their layers, youngest first */
    uint32_t source_count;
    size_t sources_bytes;
    yr_scan_turn *heap; /* scratch: sources by their keys, where there are many */
    uint32_t heap_count;
    uint32_t *equal;    /* scratch: the sources that have the key being taken */
    yr_block_pin *pins; /* what the rows of this batch borrow from the block cache */
    size_t pin_count, pin_capacity;
    yr_block_pin
        hidden_pin;    /* what the last row that does not show borrows: its key may be the batch's last */
    uint8_t *seek_key; /* scratch for tree keys */
} yr_scan;

/* NULL range = everything. Copies the range's bytes; borrows the view's layers. */
yore_status yr_scan_init(yr_scan *scan, const yr_view *view, const yore_range *range, yore_error *err);
void yr_scan_deinit(yr_scan *scan);
/* The next rows, each of row_size bytes, valid until the next call; *n == 0 at the end. Takes its own epoch section. */
yore_status yr_scan_next(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n, yore_error *err);

/* Fill a row from a version of a memtable, but for its time. */
void yr_row_fill(const yr_memtable *mem, const yr_version *v, const yr_entry *entry, bool visible,
                 yore_row *row);
/* And from a row of a run. */
void yr_row_fill_stored(const yr_segment_row *stored, bool visible, yore_row *row);

/* Fill the times of rows already stored. All at once, so that the cache misses overlap. */
yore_status yr_rows_fill_times(const yr_layers *layers, void *rows, size_t row_size, size_t n,
                               yore_error *err);

/* Copy as much of a row as the caller's struct holds. */
void yr_row_store(void *rows, size_t row_size, size_t i, const yore_row *row);

/* The smallest byte string greater than every one that starts with `prefix`, in place (the last byte below
 * 255 counted up). Returns its size, 0 when there is none. */
size_t yr_prefix_end(uint8_t *prefix, size_t size);

#endif

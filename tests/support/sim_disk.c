/* The disk image and the trace of the simulated environment. */
#include "tests/support/sim_disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/yr_assert.h"

void *yr_sim_need(void *block)
{
    if (!block) {
        fprintf(stderr, "test support: out of memory\n");
        abort();
    }
    return block;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9) + b;
    h = (h ^ h >> 31) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 29;
}

/* -- pages: recycled, because crash states come and go by the million -- */

static yr_sim_page *spare_pages[4096];
static uint32_t spare_count;

static yr_sim_page *page_create(const yr_sim_page *like)
{
    yr_sim_page *page = spare_count ? spare_pages[--spare_count] : yr_sim_need(malloc(sizeof *page));
    page->refs = 1;
    page->is_hashed = false;
    if (like) {
        memcpy(page->bytes, like->bytes, sizeof page->bytes);
    } else {
        memset(page->bytes, 0, sizeof page->bytes);
    }
    return page;
}

static void page_unref(yr_sim_page *page)
{
    if (!page || --page->refs > 0) return;
    if (spare_count < sizeof spare_pages / sizeof spare_pages[0]) {
        spare_pages[spare_count++] = page;
    } else {
        free(page);
    }
}

static uint64_t page_hash(yr_sim_page *page)
{
    static const uint8_t zeros[YR_SIM_PAGE_BYTES];
    if (page->is_hashed) return page->hash;
    bool is_zero = memcmp(page->bytes, zeros, sizeof zeros) == 0;
    page->hash = is_zero ? 0 : yr_hash64(page->bytes, sizeof page->bytes, 1) | 1;
    page->is_hashed = true;
    return page->hash;
}

/* -- nodes -- */

static yr_sim_node *node_create(bool is_dir)
{
    yr_sim_node *node = yr_sim_need(calloc(1, sizeof *node));
    node->refs = 1;
    node->is_dir = is_dir;
    return node;
}

static void node_unref(yr_sim_node *node)
{
    if (!node || --node->refs > 0) return;
    for (uint32_t i = 0; i < node->page_count; i++) page_unref(node->pages[i]);
    free(node->pages);
    free(node->entries);
    free(node);
}

static yr_sim_node *node_clone(const yr_sim_node *from)
{
    yr_sim_node *node = yr_sim_need(malloc(sizeof *node));
    *node = *from;
    node->refs = 1;
    node->pages = NULL; /* a clipped file keeps an array with nothing in it */
    if (from->page_count) {
        node->pages = yr_sim_need(malloc(from->page_count * sizeof(yr_sim_page *)));
        for (uint32_t i = 0; i < from->page_count; i++) {
            node->pages[i] = from->pages[i];
            if (node->pages[i]) node->pages[i]->refs++;
        }
    }
    if (from->entry_capacity) {
        node->entries = yr_sim_need(malloc(from->entry_capacity * sizeof(yr_sim_entry)));
        memcpy(node->entries, from->entries, from->entry_count * sizeof(yr_sim_entry));
    }
    return node;
}

static const yr_sim_node *node_at(const yr_sim_image *image, uint32_t ino)
{
    YR_ASSERT(ino < image->count && image->nodes[ino]);
    return image->nodes[ino];
}

/* The node, ours alone from here on. */
static yr_sim_node *node_to_change(yr_sim_image *image, uint32_t ino)
{
    YR_ASSERT(ino < image->count && image->nodes[ino]);
    yr_sim_node *node = image->nodes[ino];
    if (node->refs > 1) {
        yr_sim_node *copy = node_clone(node);
        node_unref(node);
        image->nodes[ino] = node = copy;
    }
    node->is_hashed = false;
    return node;
}

static uint64_t file_hash(yr_sim_node *node)
{
    if (node->is_hashed) return node->hash;
    uint64_t hash = mix(node->size, 2);
    for (uint32_t i = 0; i < node->page_count; i++) {
        uint64_t page = node->pages[i] ? page_hash(node->pages[i]) : 0;
        if (page) hash += mix(page, i);
    }
    node->hash = hash;
    node->is_hashed = true;
    return hash;
}

/* -- images -- */

void yr_sim_image_init(yr_sim_image *image)
{
    *image = (yr_sim_image){0};
    uint32_t root = yr_sim_image_add(image, true);
    YR_ASSERT(root == YR_SIM_ROOT);
}

void yr_sim_image_deinit(yr_sim_image *image)
{
    for (uint32_t i = 0; i < image->count; i++) node_unref(image->nodes[i]);
    free(image->nodes);
    *image = (yr_sim_image){0};
}

void yr_sim_image_clone(yr_sim_image *to, const yr_sim_image *from)
{
    *to = (yr_sim_image){.count = from->count, .capacity = from->count};
    to->nodes = yr_sim_need(malloc(from->count * sizeof(yr_sim_node *)));
    for (uint32_t i = 0; i < from->count; i++) {
        to->nodes[i] = from->nodes[i];
        if (to->nodes[i]) to->nodes[i]->refs++;
    }
}

static uint64_t dir_hash(const yr_sim_image *image, const yr_sim_node *dir, int depth)
{
    YR_ASSERT(depth < 16);
    uint64_t hash = 3;
    for (uint32_t i = 0; i < dir->entry_count; i++) {
        const yr_sim_entry *entry = &dir->entries[i];
        yr_sim_node *child = image->nodes[entry->ino];
        uint64_t inside = child->is_dir ? dir_hash(image, child, depth + 1) : file_hash(child);
        hash += mix(entry->hash, inside);
    }
    return mix(hash, 5);
}

uint64_t yr_sim_image_hash(const yr_sim_image *image)
{
    return dir_hash(image, node_at(image, YR_SIM_ROOT), 0);
}

uint64_t yr_sim_image_file_hash(const yr_sim_image *image, uint32_t ino)
{
    YR_ASSERT(ino < image->count && !node_at(image, ino)->is_dir);
    return file_hash(image->nodes[ino]);
}

uint64_t yr_sim_image_node_hash(const yr_sim_image *image, uint32_t ino)
{
    const yr_sim_node *node = node_at(image, ino);
    return node->is_dir ? dir_hash(image, node, 0) : file_hash(image->nodes[ino]);
}

void yr_sim_image_add_at(yr_sim_image *image, uint32_t ino, bool is_dir)
{
    if (ino >= image->capacity) {
        uint32_t capacity = ino < 8 ? 16 : ino * 2;
        image->nodes = yr_sim_need(realloc(image->nodes, capacity * sizeof(yr_sim_node *)));
        image->capacity = capacity;
    }
    while (image->count <= ino) image->nodes[image->count++] = NULL;
    YR_ASSERT(!image->nodes[ino]);
    image->nodes[ino] = node_create(is_dir);
}

uint32_t yr_sim_image_add(yr_sim_image *image, bool is_dir)
{
    uint32_t ino = image->count;
    yr_sim_image_add_at(image, ino, is_dir);
    return ino;
}

void yr_sim_image_drop(yr_sim_image *image, uint32_t ino)
{
    node_unref(image->nodes[ino]);
    image->nodes[ino] = NULL;
}

/* -- names -- */

static uint32_t entry_index(const yr_sim_node *dir, const char *name)
{
    YR_ASSERT(dir->is_dir);
    uint32_t i = 0;
    while (i < dir->entry_count && strcmp(dir->entries[i].name, name) != 0) i++;
    return i;
}

uint32_t yr_sim_image_find(const yr_sim_image *image, uint32_t dir, const char *name)
{
    const yr_sim_node *node = node_at(image, dir);
    uint32_t i = entry_index(node, name);
    return i < node->entry_count ? node->entries[i].ino : YR_SIM_NONE;
}

void yr_sim_image_link(yr_sim_image *image, uint32_t dir, const char *name, uint32_t ino)
{
    yr_sim_node *node = node_to_change(image, dir);
    uint32_t i = entry_index(node, name);
    if (i == node->entry_count) {
        if (i == node->entry_capacity) {
            node->entry_capacity = i ? i * 2 : 8;
            node->entries = yr_sim_need(realloc(node->entries, node->entry_capacity * sizeof(yr_sim_entry)));
        }
        node->entry_count++;
        node->entries[i] = (yr_sim_entry){.hash = yr_hash64(name, strlen(name), 0)};
        YR_ASSERT(strlen(name) <= YR_SIM_NAME_MAX);
        memcpy(node->entries[i].name, name, strlen(name));
    }
    node->entries[i].ino = ino;
}

void yr_sim_image_unlink(yr_sim_image *image, uint32_t dir, const char *name)
{
    yr_sim_node *node = node_to_change(image, dir);
    uint32_t i = entry_index(node, name);
    if (i == node->entry_count) return;
    node->entries[i] = node->entries[--node->entry_count];
}

/* -- bytes -- */

uint64_t yr_sim_image_size(const yr_sim_image *image, uint32_t ino)
{
    return node_at(image, ino)->size;
}

void yr_sim_image_read(const yr_sim_image *image, uint32_t ino, void *to, size_t size, uint64_t off)
{
    const yr_sim_node *node = node_at(image, ino);
    uint8_t *out = to;
    while (size > 0) {
        uint64_t index = off / YR_SIM_PAGE_BYTES;
        size_t skip = (size_t)(off % YR_SIM_PAGE_BYTES);
        size_t part = YR_SIM_PAGE_BYTES - skip < size ? YR_SIM_PAGE_BYTES - skip : size;
        const yr_sim_page *page = index < node->page_count ? node->pages[index] : NULL;
        if (page) {
            memcpy(out, page->bytes + skip, part);
        } else {
            memset(out, 0, part);
        }
        out += part;
        off += part;
        size -= part;
    }
}

static yr_sim_page *page_to_change(yr_sim_node *node, uint64_t index)
{
    if (index >= node->page_count) {
        uint32_t count = (uint32_t)index + 1;
        node->pages = yr_sim_need(realloc(node->pages, count * sizeof(yr_sim_page *)));
        while (node->page_count < count) node->pages[node->page_count++] = NULL;
    }
    yr_sim_page *page = node->pages[index];
    if (!page) {
        page = node->pages[index] = page_create(NULL);
    } else if (page->refs > 1) {
        page->refs--;
        page = node->pages[index] = page_create(page);
    }
    page->is_hashed = false;
    return page;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

void yr_sim_image_write(yr_sim_image *image, uint32_t ino, const void *from, size_t size, uint64_t off)
{
    yr_sim_node *node = node_to_change(image, ino);
    const uint8_t *in = from;
    while (size > 0) {
        uint64_t index = off / YR_SIM_PAGE_BYTES;
        size_t skip = (size_t)(off % YR_SIM_PAGE_BYTES);
        size_t part = YR_SIM_PAGE_BYTES - skip < size ? YR_SIM_PAGE_BYTES - skip : size;
        bool has_page = index < node->page_count && node->pages[index];
        if (has_page || !is_zero(in, part)) memcpy(page_to_change(node, index)->bytes + skip, in, part);
        in += part;
        off += part;
        size -= part;
    }
}

void yr_sim_image_set_size(yr_sim_image *image, uint32_t ino, uint64_t size)
{
    node_to_change(image, ino)->size = size;
}

void yr_sim_image_clip(yr_sim_image *image, uint32_t ino)
{
    const yr_sim_node *now = node_at(image, ino);
    uint64_t keep = (now->size + YR_SIM_PAGE_BYTES - 1) / YR_SIM_PAGE_BYTES;
    uint32_t skip = (uint32_t)(now->size % YR_SIM_PAGE_BYTES);
    const yr_sim_page *last = skip && keep <= now->page_count ? now->pages[keep - 1] : NULL;
    bool is_torn = last && !is_zero(last->bytes + skip, YR_SIM_PAGE_BYTES - skip);
    if (now->page_count <= keep && !is_torn) return;
    yr_sim_node *node = node_to_change(image, ino);
    while (node->page_count > keep) page_unref(node->pages[--node->page_count]);
    if (is_torn) memset(page_to_change(node, keep - 1)->bytes + skip, 0, YR_SIM_PAGE_BYTES - skip);
}

/* -- traces -- */

void yr_sim_trace_init(yr_sim_trace *trace, const yr_sim_image *base)
{
    *trace = (yr_sim_trace){0};
    yr_sim_image_clone(&trace->base, base);
}

void yr_sim_trace_deinit(yr_sim_trace *trace)
{
    yr_sim_image_deinit(&trace->base);
    free(trace->ops);
    free(trace->bytes);
    *trace = (yr_sim_trace){0};
}

void yr_sim_trace_add(yr_sim_trace *trace, yr_sim_op op, const void *data)
{
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity ? trace->capacity * 2 : 64;
        trace->ops = yr_sim_need(realloc(trace->ops, trace->capacity * sizeof(yr_sim_op)));
    }
    if (data) {
        op.data = trace->byte_count;
        size_t need = trace->byte_count + (size_t)op.size;
        if (need > trace->byte_capacity) {
            trace->byte_capacity = need * 2;
            trace->bytes = yr_sim_need(realloc(trace->bytes, trace->byte_capacity));
        }
        memcpy(trace->bytes + trace->byte_count, data, (size_t)op.size);
        trace->byte_count = need;
    }
    trace->ops[trace->count++] = op;
}

void yr_sim_op_describe(const yr_sim_op *op, char *to, size_t size)
{
    switch (op->kind) {
    case YR_SIM_TRACE_MKDIR: snprintf(to, size, "mkdir '%s' (node %u)", op->name, op->ino); return;
    case YR_SIM_TRACE_CREATE: snprintf(to, size, "create '%s' (node %u)", op->name, op->ino); return;
    case YR_SIM_TRACE_WRITE:
    case YR_SIM_TRACE_MAP_APPEND:
        snprintf(to, size, "%s node %u: %" PRIu64 " bytes at %" PRIu64,
                 op->kind == YR_SIM_TRACE_WRITE ? "write" : "map_append", op->ino, op->size, op->off);
        return;
    case YR_SIM_TRACE_TRUNCATE: snprintf(to, size, "truncate node %u to %" PRIu64, op->ino, op->size); return;
    case YR_SIM_TRACE_SYNC: snprintf(to, size, "sync node %u", op->ino); return;
    case YR_SIM_TRACE_SYNC_FAILED: snprintf(to, size, "sync node %u FAILED", op->ino); return;
    case YR_SIM_TRACE_UNLINK: snprintf(to, size, "unlink '%s' (node %u)", op->name, op->ino); return;
    case YR_SIM_TRACE_RENAME:
        snprintf(to, size, "rename '%s' to '%s' (node %u)", op->name, op->to_name, op->ino);
        return;
    case YR_SIM_TRACE_DIR_SYNC: snprintf(to, size, "sync directory (node %u)", op->dir); return;
    case YR_SIM_TRACE_DIR_SYNC_FAILED: snprintf(to, size, "sync directory (node %u) FAILED", op->dir); return;
    case YR_SIM_TRACE_BEGIN: snprintf(to, size, "begin commit %" PRIu64, op->mark); return;
    case YR_SIM_TRACE_ACK: snprintf(to, size, "acknowledge commit %" PRIu64, op->mark); return;
    }
    snprintf(to, size, "operation %d", (int)op->kind);
}

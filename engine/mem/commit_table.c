#include "engine/mem/commit_table.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/base/yr_assert.h"

/* All fields of a slot are written before its version is published (release) and read after that version
 * was acquired, so they need no atomics of their own. */
typedef struct commit_chunk {
    int64_t time_ns[YR_COMMIT_CHUNK];
    uint32_t branch[YR_COMMIT_CHUNK];
    uint32_t info[YR_COMMIT_CHUNK];
    uint32_t
        back[YR_COMMIT_CHUNK]; /* how many versions before the branch's last commit was; 0 = there is none */
} commit_chunk;

typedef struct commit_middle {
    _Atomic yr_ref chunks[YR_COMMIT_MIDDLE];
} commit_middle;

/* Everything about a commit that is not one plain key. Parents, entries and text follow. */
typedef struct commit_info {
    int64_t source_time_ns;
    int64_t wall_ns;
    uint32_t entry_count;
    uint32_t note_bytes;
    uint16_t author_bytes;
    uint16_t source_bytes;
    uint16_t parent_count;
    uint8_t kind;
    uint8_t reserved;
} commit_info;

/* One merge of the list. Of a commit that was undone one may be left over: the version says whether it is so. */
typedef struct merge_node {
    uint64_t version;
    yr_ref older;
    uint32_t reserved;
} merge_node;

_Static_assert(sizeof(commit_info) == 32, "parents behind it are 8-aligned");

#define ONE_ENTRY 0x80000000u

void yr_commit_table_init(yr_commit_table *table, yr_region *region, uint64_t base)
{
    table->region = region;
    table->base = table->last = base;
    atomic_init(&table->merges, 0);
    memset(table->top, 0, sizeof table->top); /* nobody else sees it yet */
}

static commit_chunk *chunk_of(const yr_commit_table *table, uint64_t version)
{
    uint64_t i = (version - table->base - 1) / YR_COMMIT_CHUNK;
    /* acquire pairs with the release in publish_chunk */
    yr_ref middle_ref = atomic_load_explicit(&table->top[i / YR_COMMIT_MIDDLE], memory_order_acquire);
    const commit_middle *middle = yr_region_at(table->region, middle_ref);
    yr_ref ref = atomic_load_explicit(&middle->chunks[i % YR_COMMIT_MIDDLE], memory_order_acquire);
    return yr_region_at(table->region, ref);
}

static uint32_t slot_of(const yr_commit_table *table, uint64_t version)
{
    return (uint32_t)((version - table->base - 1) % YR_COMMIT_CHUNK);
}

/* Make room for a version that starts a chunk. */
static bool publish_chunk(yr_commit_table *table, uint64_t version)
{
    uint64_t i = (version - table->base - 1) / YR_COMMIT_CHUNK;
    if (i >= (uint64_t)YR_COMMIT_TOP * YR_COMMIT_MIDDLE) return false;
    _Atomic yr_ref *top = &table->top[i / YR_COMMIT_MIDDLE];
    yr_ref middle_ref = atomic_load_explicit(top, memory_order_relaxed);
    if (!middle_ref) {
        middle_ref = yr_region_alloc(table->region, sizeof(commit_middle));
        if (!middle_ref) return false;
        memset(yr_region_at(table->region, middle_ref), 0, sizeof(commit_middle));
        atomic_store_explicit(top, middle_ref, memory_order_release); /* pairs with chunk_of */
    }
    commit_middle *middle = yr_region_at(table->region, middle_ref);
    _Atomic yr_ref *place = &middle->chunks[i % YR_COMMIT_MIDDLE];
    if (atomic_load_explicit(place, memory_order_relaxed)) return true; /* made by a commit that was undone */
    yr_ref chunk = yr_region_alloc(table->region, sizeof(commit_chunk));
    if (!chunk) return false;
    atomic_store_explicit(place, chunk, memory_order_release); /* pairs with chunk_of */
    return true;
}

static bool is_plain(const yr_commit_head *head, uint32_t entry_count)
{
    return head->kind == YORE_COMMIT_DATA && entry_count <= 1 && !head->source_time_ns && !head->wall_ns &&
           !head->parent_count && !head->note.size && !head->author.size && !head->source.size;
}

static uint64_t info_bytes(const yr_commit_head *head, uint32_t entry_count)
{
    return sizeof(commit_info) + 8u * (uint64_t)head->parent_count + 4u * (uint64_t)entry_count +
           head->note.size + head->author.size + head->source.size;
}

static yr_ref info_create(yr_commit_table *table, const yr_commit_head *head, const yr_ref *entries,
                          uint32_t entry_count)
{
    yr_ref ref = yr_region_alloc(table->region, info_bytes(head, entry_count));
    if (!ref) return 0;
    commit_info *info = yr_region_at(table->region, ref);
    *info = (commit_info){.source_time_ns = head->source_time_ns,
                          .wall_ns = head->wall_ns,
                          .entry_count = entry_count,
                          .note_bytes = (uint32_t)head->note.size,
                          .author_bytes = (uint16_t)head->author.size,
                          .source_bytes = (uint16_t)head->source.size,
                          .parent_count = (uint16_t)head->parent_count,
                          .kind = head->kind};
    uint8_t *p = (uint8_t *)(info + 1);
    if (head->parent_count) memcpy(p, head->parents, 8u * (size_t)head->parent_count);
    p += 8u * (size_t)head->parent_count;
    if (entry_count) memcpy(p, entries, 4u * (size_t)entry_count);
    p += 4u * (size_t)entry_count;
    const yore_slice texts[3] = {head->note, head->author, head->source};
    for (int i = 0; i < 3; i++) {
        if (texts[i].size) memcpy(p, texts[i].data, texts[i].size);
        p += texts[i].size;
    }
    return ref;
}

static bool merge_append(yr_commit_table *table, uint64_t version)
{
    yr_ref ref = yr_region_alloc(table->region, sizeof(merge_node));
    if (!ref) return false;
    yr_ref older = atomic_load_explicit(&table->merges, memory_order_relaxed); /* one writer */
    *(merge_node *)yr_region_at(table->region, ref) = (merge_node){.version = version, .older = older};
    atomic_store_explicit(&table->merges, ref, memory_order_release); /* pairs with yr_commit_merge_find */
    return true;
}

bool yr_commit_table_append(yr_commit_table *table, const yr_commit_head *head, const yr_ref *entries,
                            uint32_t entry_count, uint64_t prev)
{
    uint64_t version = table->last + 1;
    YR_ASSERT(head->version == version);
    YR_ASSERT(prev < version);
    if (prev && version - prev > UINT32_MAX) return false;
    if (slot_of(table, version) == 0 && !publish_chunk(table, version)) return false;
    uint32_t info = 0;
    if (is_plain(head, entry_count)) {
        if (entry_count) info = ONE_ENTRY | entries[0];
    } else {
        info = info_create(table, head, entries, entry_count);
        if (!info) return false;
    }
    if (head->parent_count && !merge_append(table, version)) return false;
    commit_chunk *chunk = chunk_of(table, version);
    uint32_t i = slot_of(table, version);
    chunk->time_ns[i] = head->time_ns;
    chunk->branch[i] = head->branch;
    chunk->info[i] = info;
    chunk->back[i] = prev ? (uint32_t)(version - prev) : 0;
    table->last = version;
    return true;
}

int64_t yr_commit_time(const yr_commit_table *table, uint64_t version)
{
    return chunk_of(table, version)->time_ns[slot_of(table, version)];
}

uint32_t yr_commit_branch(const yr_commit_table *table, uint64_t version)
{
    return chunk_of(table, version)->branch[slot_of(table, version)];
}

uint64_t yr_commit_prev(const yr_commit_table *table, uint64_t version)
{
    uint32_t back = chunk_of(table, version)->back[slot_of(table, version)];
    return back ? version - back : 0;
}

static const commit_info *info_of(const yr_commit_table *table, uint64_t version, uint32_t *plain)
{
    uint32_t info = chunk_of(table, version)->info[slot_of(table, version)];
    *plain = info & ONE_ENTRY ? info & ~ONE_ENTRY : 0;
    return info && !(info & ONE_ENTRY) ? yr_region_at(table->region, info) : NULL;
}

uint8_t yr_commit_kind(const yr_commit_table *table, uint64_t version)
{
    uint32_t plain;
    const commit_info *info = info_of(table, version, &plain);
    return info ? info->kind : YORE_COMMIT_DATA;
}

void yr_commit_describe(const yr_commit_table *table, uint64_t version, yr_commit_head *head)
{
    uint32_t plain;
    const commit_info *info = info_of(table, version, &plain);
    *head = (yr_commit_head){.version = version,
                             .time_ns = yr_commit_time(table, version),
                             .branch = yr_commit_branch(table, version),
                             .kind = YORE_COMMIT_DATA,
                             .row_count = plain ? 1 : 0};
    if (!info) return;
    const uint8_t *p = (const uint8_t *)(info + 1);
    head->kind = info->kind;
    head->source_time_ns = info->source_time_ns;
    head->wall_ns = info->wall_ns;
    head->row_count = info->entry_count;
    head->parent_count = info->parent_count;
    head->parents = p;
    p += 8u * (size_t)info->parent_count + 4u * (size_t)info->entry_count;
    head->note = yore_bytes(p, info->note_bytes);
    head->author = yore_bytes(p + info->note_bytes, info->author_bytes);
    head->source = yore_bytes(p + info->note_bytes + info->author_bytes, info->source_bytes);
}

yr_ref yr_commit_entry(const yr_commit_table *table, uint64_t version, uint32_t i)
{
    uint32_t plain;
    const commit_info *info = info_of(table, version, &plain);
    if (!info) return plain;
    yr_ref entry;
    memcpy(&entry, (const uint8_t *)(info + 1) + 8u * (size_t)info->parent_count + 4u * (size_t)i,
           sizeof entry);
    return entry;
}

static bool is_merge_of(const yr_commit_table *table, uint64_t version, uint32_t branch)
{
    uint32_t plain;
    if (yr_commit_branch(table, version) != branch) return false;
    const commit_info *info = info_of(table, version, &plain);
    return info && info->parent_count;
}

uint64_t yr_commit_merge_find(const yr_commit_table *table, uint32_t branch, uint64_t low, uint64_t high,
                              yr_ref *place)
{
    /* acquire pairs with merge_append */
    yr_ref at = *place ? *place : atomic_load_explicit(&table->merges, memory_order_acquire);
    while (at) {
        const merge_node *node = yr_region_at(table->region, at);
        if (node->version <= low) return 0;
        *place = at;
        if (node->version <= high && is_merge_of(table, node->version, branch)) return node->version;
        at = node->older;
    }
    return 0;
}

uint64_t yr_commit_at_time(const yr_commit_table *table, uint64_t newest, int64_t time_ns)
{
    uint64_t low = table->base, high = newest; /* times are ascending (T1): the answer is in [low, high] */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (yr_commit_time(table, middle) <= time_ns) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

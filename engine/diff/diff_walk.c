/* The keys of a span by its commits: back along the branch's own, then what each of them wrote. */
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/diff/diff_private.h"
#include "engine/layers/layers_commits.h"

/* Of keys in memory: the rest of the spans is scanned. */
enum { WALK_BYTES_MAX = 64 << 20 };

typedef struct commit_walk {
    yr_diff *diff;
    const yr_branch *hop;
    uint64_t *versions; /* newest first; the arena's */
    size_t count, room;
} commit_walk;

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a diff");
}

/* Learn the commits in (after, cap]. YORE_END: they are too many, or a link does not lead to a commit of the branch,
 * as it may in a store that was salvaged. */
static yore_status find_commits(commit_walk *walk, uint64_t after, uint64_t cap, uint64_t most,
                                yore_error *err)
{
    const yr_layers *layers = walk->diff->a.layers;
    uint64_t cost = 0, version = 0, known = walk->diff->a.cap;
    uint64_t newest = atomic_load_explicit(&walk->hop->head, memory_order_acquire); /* pairs with yr_apply */
    if (known < walk->diff->b.cap) known = walk->diff->b.cap;
    yore_status status = yr_layers_head_at(layers, walk->hop->id, newest, known, cap, &version, err);
    while (status == YORE_OK && version > after) {
        yr_found_commit commit;
        status = yr_layers_commit(layers, version, &commit, err);
        if (status < 0) break;
        cost += 1 + (uint64_t)commit.head.row_count;
        bool is_own = commit.head.branch == walk->hop->id && commit.prev < version;
        uint64_t *grown = walk->versions;
        if (!is_own || cost > most) {
            status = YORE_END;
        } else {
            grown = yr_arena_grow(&walk->diff->arena, grown, sizeof *grown, walk->count, &walk->room);
            if (!grown) status = no_memory(err);
        }
        if (status == YORE_OK) {
            walk->versions = grown;
            grown[walk->count++] = version;
            version = commit.prev;
        }
        yr_layers_commit_release(&commit);
    }
    walk->diff->info.commits += walk->count;
    return status;
}

/* One more key, unless nobody asks for it. */
static bool add_key(yr_diff *diff, yore_slice tree_key, bool is_lasting)
{
    const uint8_t *bytes = tree_key.data;
    yr_diff_key *grown,
        key = {.primitive = bytes[4],
               .key = yore_bytes(bytes + YR_TREE_KEY_PREFIX, tree_key.size - YR_TREE_KEY_PREFIX)};
    diff->info.rows++;
    if (!yr_diff_wants(diff, key.primitive, key.key)) return true;
    grown = yr_arena_grow(&diff->arena, diff->keys, sizeof *grown, diff->key_count, &diff->key_room);
    if (!grown) return false;
    diff->keys = grown;
    if (!is_lasting) key.key.data = yr_arena_copy(&diff->arena, key.key.data, key.key.size);
    if (!key.key.data) return false;
    grown[diff->key_count++] = key;
    return true;
}

/* An entry stays where it is for as long as the layers. */
static yore_status add_from_memtable(yr_diff *diff, const yr_memtable *mem, uint64_t version, yore_error *err)
{
    yr_commit_head head;
    yr_commit_describe(&mem->commits, version, &head);
    for (uint32_t i = 0; i < head.row_count; i++) {
        const yr_entry *entry = yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, version, i));
        if (!add_key(diff, yr_entry_tree_key(entry), true)) return no_memory(err);
    }
    return YORE_OK;
}

/* The change list of a run, being read. */
typedef struct run_reader {
    yr_run *run; /* NULL: none */
    yr_run_changes changes;
} run_reader;

static void reader_close(run_reader *reader)
{
    if (reader->run) yr_run_changes_close(&reader->changes);
    reader->run = NULL;
}

/* To the first row at or above a version, which never goes back. */
static yore_status reader_seek(run_reader *reader, yr_run *run, uint64_t version, yore_error *err)
{
    if (reader->run == run) return yr_run_changes_skip(&reader->changes, version - 1, err);
    reader_close(reader);
    yore_status status = yr_run_changes_open(run, version - 1, &reader->changes, err);
    if (status < 0) return status;
    reader->run = run;
    yr_run_changes_keys_only(&reader->changes);
    return YORE_OK;
}

/* A commit whose rows have all gone has none in the list. YORE_END: they are too many, of one commit, too. */
static yore_status add_from_run(yr_diff *diff, run_reader *reader, yr_run *run, uint64_t version,
                                yore_error *err)
{
    yr_segment_row row;
    yore_status status = reader_seek(reader, run, version, err);
    while (status == YORE_OK && yr_run_changes_peek(&reader->changes) == version) {
        status = yr_run_changes_next(&reader->changes, &row, err);
        if (status == YORE_OK && !add_key(diff, row.tree_key, false)) return no_memory(err);
        if (status == YORE_OK && diff->arena.bytes > WALK_BYTES_MAX) status = YORE_END;
    }
    return status;
}

yore_status yr_diff_walk(yr_diff *diff, const yr_branch *hop, uint64_t after, uint64_t cap, uint64_t most,
                         yore_error *err)
{
    commit_walk walk = {.diff = diff, .hop = hop};
    run_reader reader = {0};
    size_t key_count = diff->key_count;
    yore_status status = find_commits(&walk, after, cap, most, err);
    while (status == YORE_OK && walk.count > 0) {
        uint64_t version = walk.versions[--walk.count];
        const yr_memtable *mem = yr_layers_mem_of(diff->a.layers, version);
        yr_run *run = mem ? NULL : yr_layers_run_of(diff->a.layers, version);
        if (mem)
            status = add_from_memtable(diff, mem, version, err);
        else if (run) /* else the commit would not have been found */
            status = add_from_run(diff, &reader, run, version, err);
        if (status == YORE_OK && diff->arena.bytes > WALK_BYTES_MAX) status = YORE_END;
    }
    reader_close(&reader);
    if (status == YORE_END) diff->key_count = key_count;
    return status;
}

/* -- in order -- */

static int compare_keys(const void *a, const void *b)
{
    const yr_diff_key *x = a, *y = b;
    if (x->primitive != y->primitive) return x->primitive < y->primitive ? -1 : 1;
    return yr_slice_compare(x->key, y->key);
}

void yr_diff_sort_keys(yr_diff *diff)
{
    if (diff->key_count > 1) qsort(diff->keys, diff->key_count, sizeof *diff->keys, compare_keys);
}

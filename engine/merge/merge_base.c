/* A heap of places, the greatest version first. A place is either an *entry*, a commit that was reached by a link and
 * is therefore an ancestor, or the rest of a *chain*: the own commits of a branch at or below a version, of which only
 * the merges and the end lead anywhere.
 *
 * A1 Links lead down, so when an entry is taken every entry above it has been taken.
 * A2 `entered[side]` of a branch is the highest entry of a side into its chain: all own commits at or below it are
 * ancestors of that side. An entry of one side at or below where the other entered is common to both; by A1 it is the
 * greatest of those that are.
 * A3 Nothing is looked for much below the highest place that is left, so what lies below the base costs nothing. */
#include "engine/merge/merge_base.h"

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/* Versions: how far below the next place a chain is searched, so that two chains do not take turns for ever. It doubles
 * with each turn, so what is looked at below the base is not much more than what is above it. */
#define REACH_FIRST 64u
#define REACH_MAX (1u << 20)

typedef struct place {
    const yr_branch *branch;
    uint64_t version;
    yr_merge_hint hint;
    uint32_t reach; /* of a chain */
    uint8_t side;
    bool is_chain;
} place;

/* A branch that was entered. */
typedef struct chain {
    const yr_branch *branch; /* NULL: free */
    uint64_t entered[2];
} chain;

typedef struct walk {
    const yr_catalog *catalog;
    const yr_layers *layers;
    uint64_t known;
    bool passes_purged;
    yr_arena arena;
    place *heap;
    size_t count, room;
    size_t left[2]; /* places of each side */
    chain *chains;  /* by branch id, open addressing; a power of two, at most half full */
    size_t chain_count, chain_room;
    uint64_t
        lowest[2]; /* of the first commits of the branches entered: no ancestor but those to come is below */
    uint64_t steps;
} walk;

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while looking for a merge base");
}

/* -- the heap -- */

static yore_status push(walk *w, const place *add, yore_error *err)
{
    if (w->count == w->room) {
        place *grown = yr_arena_grow(&w->arena, w->heap, sizeof *w->heap, w->count, &w->room);
        if (!grown) return no_memory(err);
        w->heap = grown;
    }
    size_t i = w->count++;
    while (i > 0 && w->heap[(i - 1) / 2].version < add->version) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = *add;
    w->left[add->side]++;
    return YORE_OK;
}

static place pop(walk *w)
{
    place top = w->heap[0], last = w->heap[--w->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->count; i = child) {
        if (child + 1 < w->count && w->heap[child + 1].version > w->heap[child].version) child++;
        if (w->heap[child].version <= last.version) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    w->left[top.side]--;
    return top;
}

/* -- the branches entered -- */

static chain *chain_slot(chain *chains, size_t room, const yr_branch *branch)
{
    size_t i = (branch->id * UINT32_C(0x9E3779B1)) & (room - 1);
    while (chains[i].branch && chains[i].branch != branch) i = (i + 1) & (room - 1);
    return &chains[i];
}

static chain *chain_of(walk *w, const yr_branch *branch)
{
    if (2 * (w->chain_count + 1) > w->chain_room) {
        size_t room = w->chain_room ? 2 * w->chain_room : 16;
        chain *grown = yr_arena_alloc(&w->arena, room * sizeof *grown);
        if (!grown) return NULL;
        memset(grown, 0, room * sizeof *grown);
        for (size_t i = 0; i < w->chain_room; i++) {
            if (w->chains[i].branch) *chain_slot(grown, room, w->chains[i].branch) = w->chains[i];
        }
        w->chains = grown;
        w->chain_room = room;
    }
    chain *slot = chain_slot(w->chains, w->chain_room, branch);
    if (!slot->branch) {
        *slot = (chain){.branch = branch};
        w->chain_count++;
    }
    return slot;
}

/* -- links -- */

/* Where a lineage at or below a cap is entered. */
static yore_status push_head(walk *w, const yr_branch *branch, uint64_t cap, place at, uint64_t *head,
                             yore_error *err)
{
    uint64_t version;
    yore_status status = yr_lineage_head_at(w->layers, w->known, branch, cap, &at.branch, &version, err);
    if (head) *head = version;
    if (status < 0 || !version) return status;
    at.version = version;
    at.reach = REACH_FIRST;
    at.is_chain = false;
    return push(w, &at, err);
}

/* A commit that a merge took in; one of a branch that was purged since leads on like any other. */
static yore_status push_parent(walk *w, uint64_t version, place at, yore_error *err)
{
    yr_found_commit commit;
    if (version == 0 || version >= at.version) return YORE_OK;
    yr_run *run = yr_layers_mem_of(w->layers, version) ? NULL : yr_layers_run_of(w->layers, version);
    if (run) {
        yr_segment_commit held;
        yore_status status = yr_run_commit_find(run, version, true, &held, err);
        if (status != YORE_OK) return status < 0 ? status : YORE_OK;
        yr_segment_commit_release(&held);
    }
    yore_status status = yr_layers_commit(w->layers, version, &commit, err);
    if (status < 0) return status;
    bool is_data = commit.head.kind == YORE_COMMIT_DATA;
    at.branch = yr_catalog_by_id(w->catalog, commit.head.branch);
    at.version = version;
    at.reach = REACH_FIRST;
    at.is_chain = false;
    yr_layers_commit_release(&commit);
    return is_data && at.branch ? push(w, &at, err) : YORE_OK;
}

static yore_status push_parents(walk *w, const place *at, yore_error *err)
{
    yr_found_commit commit;
    yore_status status = yr_layers_commit(w->layers, at->version, &commit, err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < commit.head.parent_count && status == YORE_OK && !YR_BUG(MERGE_FIRST_PARENT);
         i++) {
        status = push_parent(w, yr_get_le64((const uint8_t *)commit.head.parents + 8u * (size_t)i), *at, err);
    }
    yr_layers_commit_release(&commit);
    return status;
}

/* Go on with the own commits at or below `version`: to the next merge, or over the fork. */
static yore_status follow(walk *w, place at, yore_error *err)
{
    uint64_t first = atomic_load_explicit(&at.branch->first, memory_order_relaxed);
    uint64_t next = w->count ? w->heap[0].version : 0, low = next > at.reach ? next - at.reach : 0;
    uint64_t merge = 0;
    yore_status status = YORE_OK;
    if (first && low < first) low = first - 1;
    if (at.version > low)
        status = yr_layers_merge_find(w->layers, at.branch->id, low, at.version, &at.hint, &merge, err);
    if (status < 0) return status;
    at.is_chain = true;
    if (merge && merge < at.version && merge < next) { /* its turn has not come */
        at.version = merge;
        return push(w, &at, err);
    }
    if (merge) {
        at.version = merge;
        status = push_parents(w, &at, err);
        if (status < 0) return status;
        at.version = merge - 1;
    } else {
        at.version = low;
        if (at.reach < REACH_MAX) at.reach *= 2;
    }
    if (at.version >= first && at.version) return push(w, &at, err);
    if (!at.branch->parent) return YORE_OK;
    return push_head(w, at.branch->parent, at.branch->fork_version, at, NULL, err);
}

static yore_status step(walk *w, place *common, bool *found, yore_error *err)
{
    place at = pop(w);
    w->steps++;
    if (!at.is_chain) {
        chain *entered = chain_of(w, at.branch);
        if (!entered) return no_memory(err);
        *found = entered->entered[!at.side] >= at.version;
        if (YR_BUG(MERGE_OLD_BASE)) *found = entered->entered[!at.side] > at.version;
        if (w->passes_purged && yr_branch_is_purged(at.branch)) *found = false;
        *common = at;
        if (*found || entered->entered[at.side] >= at.version) return YORE_OK;
        entered->entered[at.side] = at.version;
        uint64_t first = atomic_load_explicit(&at.branch->first, memory_order_relaxed);
        if (first < w->lowest[at.side]) w->lowest[at.side] = first;
    }
    return follow(w, at, err);
}

/* Can there be a common commit among the places that are left, or below them? */
static bool is_open(const walk *w)
{
    if (w->count == 0) return false;
    uint64_t top = w->heap[0].version;
    return (w->left[0] || top >= w->lowest[0]) && (w->left[1] || top >= w->lowest[1]);
}

/* Without a common commit: the branch that both lineages have. */
static void find_shared(const yr_merge_tip tips[2], yr_merge_base *out)
{
    if (tips[0].branch->root_id != tips[1].branch->root_id) return;
    uint64_t cap = tips[0].cap, other;
    for (const yr_branch *hop = tips[0].branch; hop; hop = hop->parent) {
        if (yr_lineage_has(tips[1].branch, tips[1].cap, hop->id, &other)) {
            out->is_related = true;
            out->branch = hop;
            out->cap = cap < other ? cap : other;
            return;
        }
        cap = yr_lineage_cap(hop, cap);
    }
}

yore_status yr_merge_base_find(const yore_env *env, const yr_catalog *catalog, const yr_layers *layers,
                               uint64_t known, const yr_merge_tip tips[2], bool passes_purged,
                               yr_merge_base *out, yore_error *err)
{
    walk w = {.catalog = catalog,
              .layers = layers,
              .known = known,
              .passes_purged = passes_purged,
              .lowest = {UINT64_MAX, UINT64_MAX}};
    place common = {0};
    bool found = false;
    yore_status status = YORE_OK;
    *out = (yr_merge_base){0};
    yr_arena_init(&w.arena, env);
    for (uint8_t side = 0; side < 2 && status == YORE_OK; side++) {
        place at = {.side = side, .reach = REACH_FIRST};
        status = push_head(&w, tips[side].branch, tips[side].cap, at, &out->heads[side], err);
    }
    while (status == YORE_OK && !found && is_open(&w)) status = step(&w, &common, &found, err);
    out->steps = w.steps;
    yr_arena_deinit(&w.arena);
    if (status < 0) return status;
    if (found) {
        out->is_related = true;
        out->version = out->cap = common.version;
        out->branch = common.branch;
    } else {
        find_shared(tips, out);
    }
    return YORE_OK;
}

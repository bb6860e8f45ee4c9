#include "engine/branch/catalog.h"

#include "engine/base/epoch.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/branch/skip.h"

enum { ID_CHUNK = 1024, ID_TOP = 4096, FIRST_SLOTS = 16, BULK_BRANCHES = 4096, BULK_ALIGN = 2 << 20 };
_Static_assert(ID_CHUNK *ID_TOP == YR_BRANCH_ID_MAX + 1, "ids fit the directory");

typedef struct id_chunk {
    _Atomic(yr_branch *) branches[ID_CHUNK];
} id_chunk;

/* An array of names by hash, linear probing: hash << 32 | id of the first branch of the name (B2), so that only the
 * name that is looked for is looked at. 0 = free. A removed name leaves SLOT_GONE behind. */
typedef struct name_table {
    struct name_table *older;
    uint32_t slot_count; /* power of two */
    uint32_t used;       /* names and removed ones; writer's */
    _Atomic uint64_t slots[];
} name_table;

#define SLOT_GONE (UINT64_C(1) << 32) /* ids begin at 1 */

struct yr_catalog {
    const yore_env *env;
    _Atomic(name_table *) names;
    _Atomic uint32_t last_id;
    _Atomic uint64_t live;
    _Atomic uint64_t bytes;
    _Atomic uint64_t trimmed;
    _Atomic uint64_t changes;
    _Atomic uint64_t erased;
    _Atomic uint64_t erasures;
    _Atomic uint64_t skip_bytes;
    _Atomic int64_t next_end;
    yr_arena arena; /* branches and names: they live as long as the store */
    uint8_t *bulk;  /* the first ones, where they were reserved: in large pages */
    uint64_t bulk_bytes, bulk_used;
    yr_retire_list retired; /* outgrown filters */
    uint32_t chunk_count;   /* of ids; writer's */
    _Atomic(id_chunk *) ids[ID_TOP];
};

const yr_branch yr_registry_branch = {.id = YR_REGISTRY_BRANCH, .depth = 1, .own_keys = 1};

static uint32_t name_hash(yore_slice name)
{
    return (uint32_t)yr_hash64(name.data, name.size, 0);
}

static uint64_t table_bytes(uint32_t slots)
{
    return sizeof(name_table) + slots * sizeof(_Atomic uint64_t);
}

static void count_bytes(yr_catalog *catalog, uint64_t bytes)
{
    atomic_fetch_add_explicit(&catalog->bytes, bytes, memory_order_relaxed); /* a statistic */
}

static name_table *table_create(yr_catalog *catalog, uint32_t slots)
{
    name_table *table = yr_alloc_zero(catalog->env, table_bytes(slots));
    if (!table) return NULL;
    table->slot_count = slots;
    count_bytes(catalog, table_bytes(slots));
    return table;
}

yr_catalog *yr_catalog_create(const yore_env *env)
{
    yr_catalog *catalog = yr_alloc_zero(env, sizeof *catalog);
    if (!catalog) return NULL;
    catalog->env = env;
    atomic_store_explicit(&catalog->next_end, INT64_MAX, memory_order_relaxed); /* nobody knows it yet */
    yr_arena_init(&catalog->arena, env);
    yr_retire_init(&catalog->retired, env, catalog);
    name_table *table = table_create(catalog, FIRST_SLOTS);
    if (!table) {
        yr_catalog_destroy(catalog);
        return NULL;
    }
    atomic_store_explicit(&catalog->names, table, memory_order_release);
    return catalog;
}

void yr_catalog_destroy(yr_catalog *catalog)
{
    if (!catalog) return;
    const yore_env *env = catalog->env;
    yr_retire_deinit(&catalog->retired);
    for (uint32_t id = 1; id <= yr_catalog_last_id(catalog); id++) {
        yr_branch *branch = yr_catalog_by_id(catalog, id);
        if (!branch) continue;
        yr_branch_filter_destroy(env,
                                 yr_filter_at(atomic_load_explicit(&branch->filter, memory_order_relaxed)));
        yr_skip_destroy(env, atomic_load_explicit(&branch->skip, memory_order_relaxed));
    }
    name_table *table = atomic_load_explicit(&catalog->names, memory_order_relaxed);
    while (table) {
        name_table *older = table->older;
        yr_free(env, table, table_bytes(table->slot_count));
        table = older;
    }
    for (uint32_t i = 0; catalog->chunk_count > 0; i++) {
        id_chunk *chunk = atomic_load_explicit(&catalog->ids[i], memory_order_relaxed);
        catalog->chunk_count -= chunk != NULL;
        yr_free(env, chunk, sizeof *chunk);
    }
    yr_arena_deinit(&catalog->arena);
    if (catalog->bulk) env->vm_release(env->ctx, catalog->bulk, catalog->bulk_bytes, catalog->bulk_used);
    yr_free(env, catalog, sizeof *catalog);
}

yr_branch *yr_catalog_by_id(const yr_catalog *catalog, uint32_t id)
{
    if (id / ID_CHUNK >= ID_TOP) return NULL;
    /* acquires pair with the releases in add_branch */
    const id_chunk *chunk = atomic_load_explicit(&catalog->ids[id / ID_CHUNK], memory_order_acquire);
    return chunk ? atomic_load_explicit(&chunk->branches[id % ID_CHUNK], memory_order_acquire) : NULL;
}

static bool is_live(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->deleted_version, memory_order_acquire) == 0;
}

/* The slot of a name, NULL when there is none. */
static const _Atomic uint64_t *find_slot(const yr_catalog *catalog, yore_slice name, uint32_t hash)
{
    const name_table *table = atomic_load_explicit(&catalog->names, memory_order_acquire); /* grow_names */
    uint32_t mask = table->slot_count - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        uint64_t slot = atomic_load_explicit(&table->slots[i], memory_order_acquire); /* put_name */
        if (!slot) return NULL;
        if (slot >> 32 != hash || !(uint32_t)slot) continue;
        const yr_branch *branch = yr_catalog_by_id(catalog, (uint32_t)slot);
        const yr_branch_name *at = atomic_load_explicit(&branch->name, memory_order_acquire); /* apply */
        if (at->size == name.size && memcmp(at->text, name.data, name.size) == 0) return &table->slots[i];
    }
}

/* The first branch of a name. */
static yr_branch *first_of(const yr_catalog *catalog, yore_slice name)
{
    const _Atomic uint64_t *slot = find_slot(catalog, name, name_hash(name));
    if (!slot) return NULL;
    return yr_catalog_by_id(catalog,
                            (uint32_t)atomic_load_explicit(slot, memory_order_acquire)); /* put_name */
}

yr_branch *yr_catalog_by_name(const yr_catalog *catalog, yore_slice name)
{
    yr_branch *branch = first_of(catalog, name);
    return branch && is_live(branch) ? branch : NULL;
}

yr_branch *yr_catalog_deleted_by_name(const yr_catalog *catalog, yore_slice name)
{
    yr_branch *branch = first_of(catalog, name);
    while (branch && is_live(branch))
        branch = atomic_load_explicit(&branch->namesake, memory_order_acquire); /* pairs with put_name */
    return branch;
}

uint32_t yr_catalog_last_id(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->last_id, memory_order_acquire); /* pairs with add_branch */
}

uint64_t yr_catalog_live_count(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->live, memory_order_relaxed);
}

int64_t yr_catalog_next_end(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->next_end, memory_order_relaxed); /* a hint */
}

void yr_catalog_forget_ends(yr_catalog *catalog)
{
    /* seq_cst, as the other: a branch is in the catalog before its end is noted, so either it is found afterwards, or
     * noted afterwards */
    atomic_store_explicit(&catalog->next_end, INT64_MAX, memory_order_seq_cst);
}

void yr_catalog_note_end(yr_catalog *catalog, int64_t end_ns)
{
    int64_t now = atomic_load_explicit(&catalog->next_end, memory_order_seq_cst);
    while (now > end_ns &&
           !atomic_compare_exchange_weak_explicit(&catalog->next_end, &now, end_ns, memory_order_seq_cst,
                                                  memory_order_seq_cst)) {}
}

uint64_t yr_catalog_skip_bytes(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->skip_bytes, memory_order_relaxed);
}

uint64_t yr_catalog_bytes(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->bytes, memory_order_relaxed);
}

uint64_t yr_catalog_trimmed(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->trimmed, memory_order_acquire); /* pairs with set_kept */
}

uint64_t yr_catalog_erased(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->erased,
                                memory_order_acquire); /* pairs with yr_catalog_note_erased */
}

uint64_t yr_catalog_erasures(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->erasures,
                                memory_order_acquire); /* pairs with yr_catalog_note_erased */
}

void yr_catalog_note_erased(yr_catalog *catalog, uint64_t version)
{
    uint64_t now = atomic_load_explicit(&catalog->erased, memory_order_relaxed);
    /* release pairs with yr_catalog_erased */
    while (now < version &&
           !atomic_compare_exchange_weak_explicit(&catalog->erased, &now, version, memory_order_release,
                                                  memory_order_relaxed)) {}
    atomic_fetch_add_explicit(&catalog->erasures, 1, memory_order_release); /* yr_catalog_erasures */
}

uint64_t yr_catalog_changes(const yr_catalog *catalog)
{
    return atomic_load_explicit(&catalog->changes, memory_order_acquire); /* pairs with yr_catalog_apply */
}

/* -- preparing: everything that can fail -- */

/* For as long as the catalog lives. */
static void *keep_alloc(yr_catalog *catalog, size_t size)
{
    size_t rounded = (size + 7) & ~(size_t)7;
    count_bytes(catalog, size);
    if (rounded > catalog->bulk_bytes - catalog->bulk_used) return yr_arena_alloc(&catalog->arena, size);
    void *block = catalog->bulk + catalog->bulk_used;
    catalog->bulk_used += rounded;
    return block;
}

/* What a branch keeps, at a place of its own: readers may still look at what was said before. */
static bool copy_retention(yr_catalog *catalog, yr_retention said, const yr_retention *now,
                           const yr_retention **out)
{
    if (now ? now->kind == said.kind && now->amount == said.amount : said.kind == YORE_RETENTION_UNSET) {
        *out = now;
        return true;
    }
    yr_retention *copy = keep_alloc(catalog, sizeof *copy);
    if (!copy) return false;
    *copy = said;
    *out = copy;
    return true;
}

static void put_slot(name_table *table, uint64_t slot)
{
    uint32_t mask = table->slot_count - 1, i = (uint32_t)(slot >> 32) & mask;
    while (atomic_load_explicit(&table->slots[i], memory_order_relaxed)) i = (i + 1) & mask;
    atomic_store_explicit(&table->slots[i], slot, memory_order_release); /* pairs with find_slot */
    table->used++;
}

/* Room for some more names. The old array stays for readers that are in it. */
static bool grow_names(yr_catalog *catalog, size_t more)
{
    name_table *old = atomic_load_explicit(&catalog->names, memory_order_relaxed);
    uint32_t slots = old->slot_count;
    while ((old->used + more) * 2 > slots) slots *= 2; /* ids are few enough for 32 bits */
    if (slots == old->slot_count) return true;
    name_table *table = table_create(catalog, slots);
    if (!table) return false;
    table->older = old;
    for (uint32_t i = 0; i < old->slot_count; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if ((uint32_t)slot) put_slot(table, slot);
    }
    atomic_store_explicit(&catalog->names, table, memory_order_release); /* pairs with find_slot */
    return true;
}

bool yr_catalog_reserve(yr_catalog *catalog, uint32_t branches, uint64_t name_bytes)
{
    const yore_env *env = catalog->env;
    uint64_t each = sizeof(yr_branch) + sizeof(yr_branch_name) + 8;
    uint64_t wanted = (branches * each + name_bytes + BULK_ALIGN - 1) & ~(uint64_t)(BULK_ALIGN - 1);
    if (branches >= BULK_BRANCHES) catalog->bulk = env->vm_reserve(env->ctx, wanted);
    if (catalog->bulk) catalog->bulk_bytes = wanted; /* else the arena serves as well */
    return grow_names(catalog, branches);
}

void yr_catalog_prefetch(const yr_catalog *catalog, yore_slice name)
{
    const name_table *table = atomic_load_explicit(&catalog->names, memory_order_acquire); /* grow_names */
    __builtin_prefetch(&table->slots[name_hash(name) & (table->slot_count - 1)]);
}

static yr_branch_name *name_create(yr_catalog *catalog, yore_slice text)
{
    yr_branch_name *name = keep_alloc(catalog, sizeof *name + text.size + 1);
    if (!name) return NULL;
    *name = (yr_branch_name){.hash = name_hash(text), .size = (uint32_t)text.size};
    memcpy(name->text, text.data, text.size);
    name->text[text.size] = 0;
    return name;
}

static bool prepare_create(yr_catalog *catalog, uint32_t id, const yr_branch_record *record,
                           yr_branch *parent, uint64_t create_version, yr_catalog_change *out)
{
    *out = (yr_catalog_change){0};
    if (id / ID_CHUNK >= ID_TOP || !grow_names(catalog, 1)) return false;
    _Atomic(id_chunk *) *place = &catalog->ids[id / ID_CHUNK];
    if (!atomic_load_explicit(place, memory_order_relaxed)) {
        id_chunk *chunk = yr_alloc_zero(catalog->env, sizeof *chunk);
        if (!chunk) return false;
        count_bytes(catalog, sizeof *chunk);
        atomic_store_explicit(place, chunk, memory_order_release); /* pairs with yr_catalog_by_id */
        catalog->chunk_count++;
    }
    yr_branch *branch = keep_alloc(catalog, sizeof *branch);
    if (!branch) return false;
    memset(branch, 0, sizeof *branch);
    branch->id = id;
    branch->parent = parent;
    branch->depth = branch->parent ? branch->parent->depth + 1 : 1;
    branch->root_id = branch->parent ? branch->parent->root_id : branch->id;
    branch->fork_version = record->fork_version;
    branch->create_version = create_version;
    branch->created_ns = record->created_ns;
    out->ttl_ns = record->ttl_ns;
    branch->flags = record->flags & YR_BRANCH_HIDDEN;
    atomic_store_explicit(&branch->skip_limit, YR_SKIP_FIRST, memory_order_relaxed); /* published with it */
    out->name = name_create(catalog, record->name);
    if (!out->name || !copy_retention(catalog, record->retention, NULL, &out->retention)) return false;
    out->deleted_version = record->deleted_version;
    out->trimmed_version = record->trimmed_version;
    out->is_purged = (record->flags & YR_BRANCH_PURGED) != 0;
    atomic_store_explicit(&branch->name, out->name, memory_order_relaxed); /* published with the branch */
    out->created = branch;
    return true;
}

bool yr_catalog_prepare_create(yr_catalog *catalog, uint32_t id, const yr_branch_record *record,
                               uint64_t create_version, yr_catalog_change *out)
{
    yr_branch *parent = record->parent ? yr_catalog_by_id(catalog, record->parent) : NULL;
    return prepare_create(catalog, id, record, parent, create_version, out);
}

bool yr_catalog_prepare_change(yr_catalog *catalog, yr_branch *target, const yr_branch_record *record,
                               yr_catalog_change *out)
{
    *out = (yr_catalog_change){.target = target,
                               .deleted_version = record->deleted_version,
                               .ttl_ns = record->ttl_ns,
                               .trimmed_version = record->trimmed_version,
                               .is_purged = (record->flags & YR_BRANCH_PURGED) != 0};
    const yr_branch_name *now = atomic_load_explicit(&target->name, memory_order_relaxed);
    bool same_name = now->size == record->name.size && memcmp(now->text, record->name.data, now->size) == 0;
    if (!copy_retention(catalog, record->retention,
                        atomic_load_explicit(&target->retention, memory_order_relaxed), &out->retention))
        return false;
    if (!same_name) {
        out->name = grow_names(catalog, 1) ? name_create(catalog, record->name) : NULL;
        if (!out->name) return false;
    }
    return true;
}

/* -- applying: cannot fail -- */

static const yr_branch_name *name_of(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->name, memory_order_relaxed); /* the writer's own */
}

static _Atomic uint64_t *slot_of(const yr_catalog *catalog, const yr_branch_name *name)
{
    return (_Atomic uint64_t *)(uintptr_t)find_slot(catalog, yore_bytes(name->text, name->size), name->hash);
}

static uint64_t slot_with(const yr_branch *branch)
{
    return (uint64_t)name_of(branch)->hash << 32 | branch->id;
}

/* May a branch stand in front of another one of its name? */
static bool is_before(const yr_branch *branch, const yr_branch *other)
{
    uint64_t mine = atomic_load_explicit(&branch->deleted_version, memory_order_relaxed);
    uint64_t its = atomic_load_explicit(&other->deleted_version, memory_order_relaxed);
    return mine == 0 || (its != 0 && mine >= its);
}

/* Where a branch that is deleted, or not, belongs among those of its name. There is room for it. */
static void put_name(yr_catalog *catalog, yr_branch *branch)
{
    _Atomic uint64_t *slot = slot_of(catalog, name_of(branch));
    yr_branch *next =
        slot ? yr_catalog_by_id(catalog, (uint32_t)atomic_load_explicit(slot, memory_order_relaxed)) : NULL;
    yr_branch *before = NULL;
    while (next && !is_before(branch, next)) {
        before = next;
        next = atomic_load_explicit(&next->namesake, memory_order_relaxed);
    }
    atomic_store_explicit(&branch->namesake, next, memory_order_release); /* pairs with deleted_by_name */
    if (before) {
        atomic_store_explicit(&before->namesake, branch,
                              memory_order_release); /* pairs with deleted_by_name */
    } else if (slot) {
        atomic_store_explicit(slot, slot_with(branch), memory_order_release); /* pairs with find_slot */
    } else {
        put_slot(atomic_load_explicit(&catalog->names, memory_order_relaxed), slot_with(branch));
    }
}

static void remove_name(yr_catalog *catalog, const yr_branch *branch)
{
    _Atomic uint64_t *slot = slot_of(catalog, name_of(branch));
    yr_branch *next = atomic_load_explicit(&branch->namesake, memory_order_relaxed);
    yr_branch *at = yr_catalog_by_id(catalog, (uint32_t)atomic_load_explicit(slot, memory_order_relaxed));
    if (at == branch) {
        atomic_store_explicit(slot, next ? slot_with(next) : SLOT_GONE, memory_order_release); /* find_slot */
        return;
    }
    for (;;) {
        yr_branch *behind = atomic_load_explicit(&at->namesake, memory_order_relaxed);
        if (behind == branch) break;
        at = behind;
    }
    atomic_store_explicit(&at->namesake, next, memory_order_release); /* pairs with deleted_by_name */
}

static void add_branch(yr_catalog *catalog, yr_branch *branch, uint64_t deleted_version)
{
    uint32_t is = deleted_version == 0;
    atomic_store_explicit(&branch->deleted_version, deleted_version,
                          memory_order_relaxed); /* published below */
    if (branch->parent) {
        branch->next_sibling = branch->parent->first_child;
        branch->parent->first_child = branch;
        atomic_fetch_add_explicit(&branch->parent->live_children, is, memory_order_relaxed); /* a statistic */
    }
    id_chunk *chunk = atomic_load_explicit(&catalog->ids[branch->id / ID_CHUNK], memory_order_relaxed);
    atomic_store_explicit(&chunk->branches[branch->id % ID_CHUNK], branch, memory_order_release); /* by_id */
    if (branch->id > yr_catalog_last_id(catalog)) {
        atomic_store_explicit(&catalog->last_id, branch->id, memory_order_release); /* yr_catalog_last_id */
    }
    put_name(catalog, branch);
    atomic_fetch_add_explicit(&catalog->live, is, memory_order_relaxed);
}

bool yr_catalog_give_skip(yr_catalog *catalog, yr_branch *branch, yr_skip *skip)
{
    yr_skip *none = NULL;
    /* release pairs with yr_skip_of */
    if (!atomic_compare_exchange_strong_explicit(&branch->skip, &none, skip, memory_order_release,
                                                 memory_order_relaxed))
        return false;
    atomic_fetch_add_explicit(&catalog->skip_bytes, skip->bytes, memory_order_relaxed); /* a statistic */
    count_bytes(catalog, skip->bytes);
    return true;
}

static void release_skip(void *owner, void *block, uint64_t size)
{
    (void)size;
    yr_catalog *catalog = owner;
    yr_skip_destroy(catalog->env, block);
}

/* acquire: its size is read */
static void drop_skip(yr_catalog *catalog, yr_branch *branch)
{
    yr_skip *skip = atomic_exchange_explicit(&branch->skip, NULL, memory_order_acquire);
    if (!skip) return;
    atomic_fetch_sub_explicit(&catalog->skip_bytes, skip->bytes, memory_order_relaxed); /* a statistic */
    count_bytes(catalog, (uint64_t)0 - skip->bytes);
    yr_retire(&catalog->retired, skip, 0, release_skip);
}

static void set_deleted(yr_catalog *catalog, yr_branch *branch, uint64_t version)
{
    bool was = !is_live(branch), is = version != 0;
    atomic_store_explicit(&branch->deleted_version, version, memory_order_release); /* pairs with is_live */
    if (is) drop_skip(catalog, branch);
    if (was == is) return;
    uint64_t step = is ? (uint64_t)-1 : 1;
    atomic_fetch_add_explicit(&catalog->live, step, memory_order_relaxed);
    if (branch->parent)
        atomic_fetch_add_explicit(&branch->parent->live_children, (uint32_t)step, memory_order_relaxed);
}

/* Before compaction drops anything: whoever reads a trimmed cap afterwards finds it refused. */
static void set_kept(yr_catalog *catalog, yr_branch *branch, const yr_catalog_change *change)
{
    uint64_t lost = change->is_purged ? change->deleted_version : change->trimmed_version;
    uint64_t before = atomic_load_explicit(&catalog->trimmed, memory_order_relaxed); /* one writer */
    atomic_store_explicit(&branch->retention, change->retention, memory_order_release);
    atomic_store_explicit(&branch->trimmed_version, change->trimmed_version, memory_order_release);
    atomic_store_explicit(&branch->is_purged, change->is_purged, memory_order_release);
    if (lost > before) atomic_store_explicit(&catalog->trimmed, lost, memory_order_release);
}

/* `is_out`: its name was taken out before. */
static void apply(yr_catalog *catalog, const yr_catalog_change *change, bool is_out)
{
    yr_branch *changed = change->created ? change->created : change->target;
    if (changed) {
        set_kept(catalog, changed, change);
        atomic_store_explicit(&changed->ttl_ns, change->ttl_ns, memory_order_relaxed);
    }
    if (change->created) {
        add_branch(catalog, change->created, change->deleted_version);
        return;
    }
    yr_branch *target = change->target;
    if (!target) return;
    /* One that is deleted stays first of its name, and one that is recovered may have been: a slot is taken only for a
     * new name. */
    bool moves = change->name || is_out ||
                 (!is_live(target) && !change->deleted_version &&
                  first_of(catalog, yore_str(yr_branch_text(target))) != target);
    if (moves && !is_out) remove_name(catalog, target);
    if (change->name)
        atomic_store_explicit(&target->name, change->name, memory_order_release); /* yr_branch_text */
    set_deleted(catalog, target, change->deleted_version);
    if (moves) put_name(catalog, target);
}

/* Afterwards: who counts first and looks then has seen the change, or finds another count afterwards. */
static void count_change(yr_catalog *catalog)
{
    uint64_t changes = atomic_load_explicit(&catalog->changes, memory_order_relaxed); /* one writer */
    atomic_store_explicit(&catalog->changes, changes + 1, memory_order_release);      /* yr_catalog_changes */
}

void yr_catalog_apply(yr_catalog *catalog, const yr_catalog_change *change)
{
    apply(catalog, change, false);
    const yr_branch *changed = change->created ? change->created : change->target;
    if (changed && !change->deleted_version && change->ttl_ns)
        yr_catalog_note_end(catalog, yr_branch_end(changed));
    count_change(catalog);
}

/* -- own keys -- */

static void add_to_filter(void *sink, uint64_t key_hash)
{
    yr_branch_filter_add(sink, key_hash);
}

static void release_filter(void *owner, void *block, uint64_t size)
{
    (void)size;
    yr_catalog *catalog = owner;
    yr_branch_filter_destroy(catalog->env, block);
}

bool yr_branch_note_key(yr_catalog *catalog, yr_branch *branch, uint64_t key_hash, yr_own_keys_walk walk,
                        void *arg)
{
    uint64_t keys = atomic_load_explicit(&branch->own_keys, memory_order_relaxed); /* one writer */
    if (branch->parent) {
        yr_branch_filter *filter = yr_filter_at(atomic_load_explicit(&branch->filter, memory_order_relaxed));
        if (!filter || yr_branch_filter_is_full(filter)) {
            yr_branch_filter *grown =
                yr_branch_filter_create(catalog->env, filter ? filter->key_count * 2 : 1);
            if (!grown) return false;
            if (filter && !walk(arg, branch, add_to_filter, grown)) {
                yr_branch_filter_destroy(catalog->env, grown);
                return false;
            }
            count_bytes(catalog,
                        yr_branch_filter_bytes(grown) - (filter ? yr_branch_filter_bytes(filter) : 0));
            atomic_store_explicit(&branch->filter, yr_filter_ref_of(grown),
                                  memory_order_release); /* pairs with yr_lineage_find */
            if (filter) yr_retire(&catalog->retired, filter, 0, release_filter);
            filter = grown;
        }
        yr_branch_filter_add(filter, key_hash);
    }
    atomic_store_explicit(&branch->own_keys, keys + 1, memory_order_release); /* pairs with yr_lineage_find */
    return true;
}

/* -- following -- */

static bool differs(const yr_branch *branch, const yr_branch *newer)
{
    const yr_retention is = yr_branch_retention(branch), will = yr_branch_retention(newer);
    const yr_branch_name *name = atomic_load_explicit(&branch->name, memory_order_relaxed);
    const yr_branch_name *next = atomic_load_explicit(&newer->name, memory_order_relaxed);
    return name->size != next->size || memcmp(name->text, next->text, name->size) != 0 ||
           atomic_load_explicit(&branch->deleted_version, memory_order_relaxed) !=
               atomic_load_explicit(&newer->deleted_version, memory_order_relaxed) ||
           is.kind != will.kind || is.amount != will.amount ||
           atomic_load_explicit(&branch->ttl_ns, memory_order_relaxed) !=
               atomic_load_explicit(&newer->ttl_ns, memory_order_relaxed) ||
           yr_branch_trimmed(branch) != yr_branch_trimmed(newer) ||
           yr_branch_is_purged(branch) != yr_branch_is_purged(newer);
}

static bool prepare_changes(yr_catalog *catalog, const yr_catalog *newer, uint32_t last, yr_arena *arena,
                            yr_catalog_steps *out)
{
    size_t count = 0;
    for (uint32_t id = 1; id <= last; id++)
        count += differs(yr_catalog_by_id(catalog, id), yr_catalog_by_id(newer, id));
    out->changes = yr_arena_alloc(arena, (count + 1) * sizeof *out->changes);
    if (!out->changes) return false;
    for (uint32_t id = 1; id <= last; id++) {
        yr_branch *branch = yr_catalog_by_id(catalog, id);
        const yr_branch *next = yr_catalog_by_id(newer, id);
        yr_branch_record record;
        if (!differs(branch, next)) continue;
        yr_branch_record_of(next, &record);
        if (!yr_catalog_prepare_change(catalog, branch, &record, &out->changes[out->change_count++]))
            return false;
    }
    /* every name that is put needs a slot, also where one goes */
    return grow_names(catalog, out->change_count + out->created_count);
}

bool yr_catalog_prepare_follow(yr_catalog *catalog, const yr_catalog *newer, yr_arena *arena,
                               yr_catalog_steps *out)
{
    uint32_t known = yr_catalog_last_id(catalog), last = yr_catalog_last_id(newer);
    *out = (yr_catalog_steps){.created_count = last - known};
    out->created = yr_arena_alloc(arena, (out->created_count + 1) * sizeof *out->created);
    if (!out->created) return false;
    for (uint32_t id = known + 1; id <= last; id++) {
        const yr_branch *branch = yr_catalog_by_id(newer, id);
        yr_branch_record record;
        yr_branch_record_of(branch, &record);
        yr_branch *parent = record.parent == 0      ? NULL
                            : record.parent > known ? out->created[record.parent - known - 1].created
                                                    : yr_catalog_by_id(catalog, record.parent);
        if (!prepare_create(catalog, id, &record, parent, branch->create_version,
                            &out->created[id - known - 1]))
            return false;
    }
    return prepare_changes(catalog, newer, known, arena, out);
}

static bool moves_name(const yr_catalog_change *change)
{
    return change->name || change->deleted_version !=
                               atomic_load_explicit(&change->target->deleted_version, memory_order_relaxed);
}

/* Readers of older layers look into the filter as well: where it knows less than the one before, filtered_from says
 * so first. */
static void take_filter(yr_catalog *catalog, yr_branch *branch, yr_branch *newer, uint64_t flushed)
{
    yr_filter_ref old = atomic_load_explicit(&branch->filter, memory_order_relaxed);
    yr_filter_ref next = atomic_exchange_explicit(&newer->filter, 0, memory_order_relaxed);
    uint64_t from = atomic_load_explicit(&branch->filtered_from, memory_order_relaxed);
    bool has_older = old || from || atomic_load_explicit(&newer->filtered_from, memory_order_relaxed);
    if (has_older && flushed > from)
        atomic_store_explicit(&branch->filtered_from, flushed,
                              memory_order_relaxed);                    /* released by the next */
    atomic_store_explicit(&branch->filter, next, memory_order_release); /* pairs with yr_branch_absent_from */
    if (next) count_bytes(catalog, yr_branch_filter_bytes(yr_filter_at(next)));
    if (!old) return;
    count_bytes(catalog, (uint64_t)0 - yr_branch_filter_bytes(yr_filter_at(old)));
    yr_retire(&catalog->retired, yr_filter_at(old), 0, release_filter);
}

static void take_facts(yr_branch *branch, const yr_branch *newer)
{
    uint64_t head = atomic_load_explicit(&newer->head, memory_order_relaxed);
    atomic_store_explicit(&branch->own_keys, atomic_load_explicit(&newer->own_keys, memory_order_relaxed),
                          memory_order_release); /* as yr_branch_note_key */
    atomic_store_explicit(&branch->own_bytes, atomic_load_explicit(&newer->own_bytes, memory_order_relaxed),
                          memory_order_relaxed);
    if (head <= atomic_load_explicit(&branch->head, memory_order_relaxed)) return;
    atomic_store_explicit(&branch->first, atomic_load_explicit(&newer->first, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&branch->head, head, memory_order_release); /* as yr_apply */
}

void yr_catalog_follow(yr_catalog *catalog, const yr_catalog *newer, const yr_catalog_steps *steps,
                       uint64_t flushed)
{
    /* What happened in which order is not known: a name may have gone from one branch to another and on. So all names
     * are taken out first. */
    for (size_t i = 0; i < steps->change_count; i++)
        if (moves_name(&steps->changes[i])) remove_name(catalog, steps->changes[i].target);
    for (size_t i = 0; i < steps->change_count; i++) {
        apply(catalog, &steps->changes[i], moves_name(&steps->changes[i]));
        count_change(catalog);
    }
    for (size_t i = 0; i < steps->created_count; i++) yr_catalog_apply(catalog, &steps->created[i]);
    for (uint32_t id = 1; id <= yr_catalog_last_id(catalog); id++) {
        yr_branch *branch = yr_catalog_by_id(catalog, id), *next = yr_catalog_by_id(newer, id);
        take_filter(catalog, branch, next, flushed);
        take_facts(branch, next);
    }
}

void yr_branch_record_of(const yr_branch *branch, yr_branch_record *record)
{
    uint64_t deleted = atomic_load_explicit(&branch->deleted_version, memory_order_acquire);
    const char *name = yr_branch_text(branch);
    *record = (yr_branch_record){.parent = branch->parent ? branch->parent->id : 0,
                                 .flags = branch->flags | (deleted ? YR_BRANCH_DELETED : 0) |
                                          (yr_branch_is_purged(branch) ? YR_BRANCH_PURGED : 0),
                                 .fork_version = branch->fork_version,
                                 .created_ns = branch->created_ns,
                                 .ttl_ns = atomic_load_explicit(&branch->ttl_ns, memory_order_relaxed),
                                 .deleted_version = deleted,
                                 .retention = yr_branch_retention(branch),
                                 .trimmed_version = yr_branch_trimmed(branch),
                                 .name = yore_str(name)};
}

bool yr_catalog_check(const yr_catalog *catalog, const char **problem)
{
    uint64_t live = 0;
    for (uint32_t id = 1; id <= yr_catalog_last_id(catalog); id++) {
        const yr_branch *branch = yr_catalog_by_id(catalog, id);
        if (!branch) {
            *problem = "a branch id below the last one is missing";
            return false;
        }
        if (branch->parent && (branch->parent->id >= id || branch->fork_version >= branch->create_version)) {
            *problem = "a branch is older than its parent or its fork point";
            return false;
        }
        if (!is_live(branch)) continue;
        live++;
        if (yr_catalog_by_name(catalog, yore_str(yr_branch_text(branch))) != branch) {
            *problem = "a branch is not found by its name";
            return false;
        }
    }
    if (live != yr_catalog_live_count(catalog)) {
        *problem = "the count of live branches is wrong";
        return false;
    }
    return true;
}

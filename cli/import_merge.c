/* Three-way merge of two branches, key by key.
 *
 * The base is the newest commit both tips descend from, a recorded merge's second parent included. Versions grow
 * along every parent link, so walking down from the tips the first commit reached from both sides is it. Only keys
 * written in the parts of the two lineages that are not shared can differ; those are the candidates.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/import.h"

typedef struct merge_keys {
    cli_bytes text;
    size_t *starts; /* count + 1 of them */
    size_t count;
    size_t cap;
} merge_keys;

typedef struct merge_run {
    import *im;
    yore_where from;
    yore_where into;
    yore_snap *snaps[3]; /* base, into, from; base may be NULL = nothing */
    merge_keys keys;
    size_t conflicts;
    cli_bytes conflict_names;
    uint64_t changes;
    uint64_t bytes;
    import_problem *problem;
} merge_run;

enum { BASE, INTO, FROM };

static bool from_error(merge_run *run, const yore_error *err)
{
    return import_refuse_error(run->problem, err);
}

/* -- the base -- */

static bool mark_parents(merge_run *run, uint64_t version, unsigned char *marks)
{
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    if (yore_commit_get(run->im->c->db, version, &info, &err) < 0) {
        return from_error(run, &err);
    }
    for (uint32_t i = 0; i < info.parent_count && i < YORE_PARENTS_MAX; i++) {
        if (info.parents[i] < version) {
            marks[info.parents[i]] |= marks[version];
        }
    }
    yore_commit_release(&info);
    return true;
}

/* *base = the merge base's version, 0 when the two have nothing in common. */
static bool find_base(merge_run *run, uint64_t *base)
{
    uint64_t top = run->from.version > run->into.version ? run->from.version : run->into.version;
    unsigned char *marks = cli_alloc(top + 1);
    bool good = true;
    *base = 0;
    marks[run->into.version] |= 1;
    marks[run->from.version] |= 2;
    for (uint64_t version = top; version > 0 && good; version--) {
        if (marks[version] == 3) {
            *base = version;
            break;
        }
        good = marks[version] == 0 || mark_parents(run, version, marks);
    }
    free(marks);
    return good;
}

static bool open_snap(merge_run *run, int which, uint32_t branch_id, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    at.kind = YORE_AT_VERSION;
    at.branch_id = branch_id;
    at.version = version;
    return yore_snap_open(run->im->c->db, &at, &run->snaps[which], NULL, &err) >= 0 || from_error(run, &err);
}

static bool open_base(merge_run *run, uint64_t base)
{
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    if (base == 0) {
        return true;
    }
    if (yore_commit_get(run->im->c->db, base, &info, &err) < 0) {
        return from_error(run, &err);
    }
    yore_commit_release(&info);
    return open_snap(run, BASE, info.branch_id, base);
}

/* -- the candidates -- */

static void add_key(merge_keys *keys, yore_slice key)
{
    if (keys->count + 1 >= keys->cap) {
        keys->cap = keys->cap == 0 ? 256 : keys->cap * 2;
        keys->starts = cli_realloc(keys->starts, keys->cap * sizeof *keys->starts);
    }
    keys->starts[keys->count++] = keys->text.size;
    cli_bytes_append(&keys->text, key.data, key.size);
    keys->starts[keys->count] = keys->text.size;
}

static yore_slice get_key(const merge_keys *keys, size_t i)
{
    return yore_bytes(keys->text.data + keys->starts[i], keys->starts[i + 1] - keys->starts[i]);
}

static bool drain(merge_run *run, yore_iter *iter, uint32_t only_branch)
{
    yore_error err = YORE_ERROR_INIT;
    yore_row rows[64];
    size_t n = 0;
    yore_status status;
    while ((status = yore_next(iter, rows, sizeof rows[0], 64, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            if (rows[i].primitive == YORE_KV && (only_branch == 0 || rows[i].branch_id == only_branch)) {
                add_key(&run->keys, rows[i].key);
            }
        }
    }
    yore_iter_close(iter);
    return status >= 0 || from_error(run, &err);
}

/* Every key of one branch's own key space, up to a version. */
static bool add_own(merge_run *run, uint32_t branch_id, uint64_t cap)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_snap *snap = NULL;
    yore_iter *iter = NULL;
    at.kind = YORE_AT_VERSION;
    at.branch_id = branch_id;
    at.version = cap;
    range.own_only = true;
    range.with_deleted = true;
    range.keys_only = true;
    bool good = yore_snap_open(run->im->c->db, &at, &snap, NULL, &err) >= 0 &&
                yore_scan(snap, &range, &iter, &err) >= 0;
    good = good ? drain(run, iter, 0) : from_error(run, &err);
    yore_snap_close(snap);
    return good;
}

/* Every key one branch wrote after a version. */
static bool add_since(merge_run *run, uint32_t branch_id, uint64_t after)
{
    yore_error err = YORE_ERROR_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    range.keys_only = true;
    if (yore_changes(run->im->c->db, after, &range, &iter, &err) < 0) {
        return from_error(run, &err);
    }
    return drain(run, iter, branch_id);
}

typedef struct hop {
    uint32_t id;
    uint64_t cap;
} hop;

/* A branch's lineage: itself and its ancestors, each with the newest version seen through it. */
static bool read_lineage(merge_run *run, const yore_where *tip, hop *hops, size_t *count)
{
    yore_error err = YORE_ERROR_INIT;
    char name[32];
    uint32_t id = tip->branch_id;
    uint64_t cap = tip->version;
    *count = 0;
    while (id != 0 && *count < YORE_LINEAGE_DEPTH_MAX) {
        yore_branch_info info = {.struct_size = sizeof info};
        hops[(*count)++] = (hop){id, cap};
        (void)snprintf(name, sizeof name, "id:%u", (unsigned)id);
        if (yore_branch_info_get(run->im->c->db, yore_str(name), &info, &err) < 0) {
            return from_error(run, &err);
        }
        cap = info.fork_version < cap ? info.fork_version : cap;
        id = info.parent_id;
    }
    return true;
}

/* Both lineages end in the same hops, at the same caps but for the first shared one. */
static bool add_candidates(merge_run *run)
{
    hop *hops = cli_alloc(2 * YORE_LINEAGE_DEPTH_MAX * sizeof *hops);
    hop *other = hops + YORE_LINEAGE_DEPTH_MAX;
    size_t a = 0;
    size_t b = 0;
    bool good = read_lineage(run, &run->from, hops, &a) && read_lineage(run, &run->into, other, &b);
    while (good && a > 0 && b > 0 && hops[a - 1].id == other[b - 1].id &&
           hops[a - 1].cap == other[b - 1].cap) {
        a--;
        b--;
    }
    /* A shared branch seen up to different versions: what it wrote after the lower one. */
    if (good && a > 0 && b > 0 && hops[a - 1].id == other[b - 1].id) {
        uint64_t low = hops[a - 1].cap < other[b - 1].cap ? hops[a - 1].cap : other[b - 1].cap;
        good = add_since(run, hops[a - 1].id, low);
        a--;
        b--;
    }
    for (size_t i = 0; i < a && good; i++) {
        good = add_own(run, hops[i].id, hops[i].cap);
    }
    for (size_t i = 0; i < b && good; i++) {
        good = add_own(run, other[i].id, other[i].cap);
    }
    free(hops);
    return good;
}

static const merge_keys *sort_keys;

static int by_key(const void *a, const void *b)
{
    yore_slice left = get_key(sort_keys, *(const size_t *)a);
    yore_slice right = get_key(sort_keys, *(const size_t *)b);
    size_t size = left.size < right.size ? left.size : right.size;
    int order = memcmp(left.data, right.data, size);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

/* -- the merge -- */

static bool same_pin(bool has_a, const yore_pin *a, bool has_b, const yore_pin *b)
{
    if (!has_a || !has_b) {
        return has_a == has_b;
    }
    return a->value.size == b->value.size && a->meta.size == b->meta.size && a->type == b->type &&
           a->expiry_ns == b->expiry_ns && memcmp(a->value.data, b->value.data, a->value.size) == 0 &&
           (a->meta.size == 0 || memcmp(a->meta.data, b->meta.data, a->meta.size) == 0);
}

static void add_conflict(merge_run *run, yore_slice key)
{
    if (run->conflicts++ < 3) {
        cli_bytes_append(&run->conflict_names, run->conflicts == 1 ? "'" : ", '",
                         run->conflicts == 1 ? 1 : 3);
        cli_bytes_append(&run->conflict_names, key.data, key.size < 60 ? key.size : 60);
        cli_bytes_append(&run->conflict_names, "'", 1);
    }
}

static bool take_theirs(merge_run *run, yore_txn *txn, yore_key key, bool has, const yore_pin *pin)
{
    yore_error err = YORE_ERROR_INIT;
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_status status;
    if (has) {
        options.type = pin->type;
        options.meta = pin->meta;
        options.expiry_ns = pin->expiry_ns;
        status = yore_put(txn, key, pin->value, &options, &err);
        run->bytes += pin->value.size;
    } else {
        status = yore_del(txn, key, NULL, &err);
    }
    run->changes++;
    return status == YORE_OK || from_error(run, &err);
}

static bool merge_key(merge_run *run, yore_txn *txn, yore_slice user)
{
    yore_error err = YORE_ERROR_INIT;
    yore_key key = {user, YORE_KV};
    yore_pin pins[3] = {YORE_PIN_INIT, YORE_PIN_INIT, YORE_PIN_INIT};
    bool has[3] = {false, false, false};
    bool good = true;
    for (int i = BASE; i <= FROM && good; i++) {
        yore_status status = run->snaps[i] == NULL ? YORE_NOT_FOUND
                                                   : yore_get(run->snaps[i], key, &pins[i], &err);
        has[i] = status == YORE_OK;
        good = status >= 0 || from_error(run, &err);
    }
    if (good && !same_pin(has[BASE], &pins[BASE], has[FROM], &pins[FROM]) &&
        !same_pin(has[INTO], &pins[INTO], has[FROM], &pins[FROM])) {
        if (same_pin(has[BASE], &pins[BASE], has[INTO], &pins[INTO])) {
            good = take_theirs(run, txn, key, has[FROM], &pins[FROM]);
        } else {
            add_conflict(run, user);
        }
    }
    for (int i = BASE; i <= FROM; i++) {
        yore_unpin(&pins[i]);
    }
    return good;
}

/* Write what `from` changed since the base, each key once. */
static bool merge_all(merge_run *run, yore_txn *txn)
{
    size_t count = run->keys.count;
    size_t *order = cli_alloc((count + 1) * sizeof *order);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    sort_keys = &run->keys;
    qsort(order, count, sizeof *order, by_key);
    for (size_t i = 0; i < count && good; i++) {
        if (i == 0 || by_key(&order[i - 1], &order[i]) != 0) {
            good = merge_key(run, txn, get_key(&run->keys, order[i]));
        }
    }
    free(order);
    return good;
}

static bool resolve_tip(merge_run *run, const char *branch, yore_where *out)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    *out = (yore_where)YORE_WHERE_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", branch);
    return yore_at_resolve(run->im->c->db, &at, out, &err) >= 0 || from_error(run, &err);
}

static bool merge_and_commit(merge_run *run, const char *from, const import_change *change, yore_where *where)
{
    uint64_t parents[YORE_PARENTS_MAX];
    import_change merged = *change;
    yore_txn *txn = NULL;
    char *note = NULL;
    parents[0] = run->from.version;
    merged.parents = parents;
    merged.parent_count = 1;
    if (!import_begin(run->im, &merged, &txn, run->problem)) {
        return false;
    }
    bool good = merge_all(run, txn);
    if (good && run->conflicts > 0) {
        good = import_refuse(run->problem, YORE_CONFLICT, 0,
                             "'%s' and '%s' both changed %zu key%s differently (%s%s): nothing was merged",
                             from, change->branch, run->conflicts, run->conflicts == 1 ? "" : "s",
                             run->conflict_names.data, run->conflicts > 3 ? ", ..." : "");
    }
    if (!good) {
        yore_rollback(txn);
        return false;
    }
    if (merged.note.size == 0) {
        note = cli_printf("merge %s", from);
        merged.note = yore_str(note);
    }
    good = import_commit(run->im, txn, &merged, where, run->problem);
    free(note);
    run->im->merges += good;
    run->im->puts += good ? run->changes : 0;
    run->im->bytes += good ? run->bytes : 0;
    return good;
}

bool import_merge(import *im, const char *from, const import_change *change, yore_where *where,
                  import_problem *problem)
{
    merge_run run = {.im = im, .problem = problem};
    uint64_t base = 0;
    bool good = resolve_tip(&run, from, &run.from) && resolve_tip(&run, change->branch, &run.into) &&
                find_base(&run, &base);
    if (good && base != run.from.version) {
        good = open_base(&run, base) && open_snap(&run, INTO, run.into.branch_id, run.into.version) &&
               open_snap(&run, FROM, run.from.branch_id, run.from.version) && add_candidates(&run) &&
               merge_and_commit(&run, from, change, where);
    }
    for (int i = BASE; i <= FROM; i++) {
        yore_snap_close(run.snaps[i]);
    }
    cli_bytes_deinit(&run.conflict_names);
    cli_bytes_deinit(&run.keys.text);
    free(run.keys.starts);
    return good;
}

#include "tests/support/model_kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"

/* -- memory: running out ends the test -- */

static void *must(void *block)
{
    if (!block) abort();
    return block;
}

/* Room for one more element in an array. */
static void *grown(void *array, size_t count, size_t *cap, size_t element)
{
    if (count < *cap) return array;
    *cap = *cap ? *cap * 2 : 16;
    return must(realloc(array, *cap * element));
}

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    uint8_t bytes[];
} chunk;

yore_slice model_keep(model *m, yore_slice bytes)
{
    chunk *c = m->chunks;
    if (!bytes.size) return yore_bytes("", 0);
    if (!c || c->size - c->used < bytes.size) {
        size_t size = bytes.size > 65536 ? bytes.size : 65536;
        c = must(malloc(sizeof *c + size));
        *c = (chunk){.next = m->chunks, .used = 0, .size = size};
        m->chunks = c;
    }
    uint8_t *to = c->bytes + c->used;
    memcpy(to, bytes.data, bytes.size);
    c->used += bytes.size;
    return yore_bytes(to, bytes.size);
}

void model_init(model *m)
{
    memset(m, 0, sizeof *m);
}

void model_deinit(model *m)
{
    for (chunk *c = m->chunks; c;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(m->rows);
    free(m->commits);
    free(m->branches);
    free(m->tags);
    free(m->settings);
    memset(m, 0, sizeof *m);
}

/* -- commits -- */

uint64_t model_last_version(const model *m)
{
    return m->commit_count;
}

int64_t model_last_time(const model *m)
{
    return m->commit_count ? m->commits[m->commit_count - 1].time_ns : INT64_MIN;
}

const model_commit *model_commit_at(const model *m, uint64_t version)
{
    return version >= 1 && version <= m->commit_count ? &m->commits[version - 1] : NULL;
}

static model_commit *add_commit(model *m, uint32_t kind, int64_t time_ns)
{
    m->commits = grown(m->commits, m->commit_count, &m->commit_cap, sizeof *m->commits);
    model_commit *commit = &m->commits[m->commit_count++];
    *commit = (model_commit){
        .version = m->commit_count, .time_ns = time_ns, .kind = kind, .first_row = m->row_count};
    return commit;
}

uint64_t model_commit_system(model *m, uint32_t kind, int64_t time_ns)
{
    return add_commit(m, kind, time_ns)->version;
}

uint64_t model_commit_data(model *m, uint32_t branch, int64_t time_ns, const model_row *rows, size_t count,
                           uint32_t note, int64_t source_time_ns)
{
    model_commit *commit = add_commit(m, YORE_COMMIT_DATA, time_ns);
    commit->branch = branch;
    commit->row_count = count;
    commit->note = note;
    commit->source_time_ns = source_time_ns;
    m->last_data_time_ns = time_ns;
    m->has_data = true;
    for (size_t i = 0; i < count; i++) {
        m->rows = grown(m->rows, m->row_count, &m->row_cap, sizeof *m->rows);
        model_row *row = &m->rows[m->row_count++];
        *row = rows[i];
        row->version = commit->version;
        row->time_ns = time_ns;
        row->branch = branch;
        row->key = model_keep(m, rows[i].key);
        row->value = model_keep(m, rows[i].value);
        row->meta = model_keep(m, rows[i].meta);
    }
    return commit->version;
}

model_branch *model_branch_add(model *m, const char *name, uint32_t parent, uint64_t fork_version,
                               uint64_t version)
{
    m->branches = grown(m->branches, m->branch_count, &m->branch_cap, sizeof *m->branches);
    model_branch *branch = &m->branches[m->branch_count++];
    *branch = (model_branch){.id = (uint32_t)m->branch_count,
                             .parent = parent,
                             .fork_version = fork_version,
                             .create_version = version};
    snprintf(branch->name, sizeof branch->name, "%s", name);
    return branch;
}

void model_setting_add(model *m, const char *name, const char *prefix, const char *value, uint64_t version)
{
    m->settings = grown(m->settings, m->setting_count, &m->setting_cap, sizeof *m->settings);
    model_setting *setting = &m->settings[m->setting_count++];
    setting->version = version;
    snprintf(setting->name, sizeof setting->name, "%s", name);
    snprintf(setting->prefix, sizeof setting->prefix, "%s", prefix);
    snprintf(setting->value, sizeof setting->value, "%s", value);
}

static const model_setting *newest_of_prefix(const model *m, const char *name, const char *prefix,
                                             uint64_t version)
{
    for (size_t i = m->setting_count; i > 0; i--) {
        const model_setting *setting = &m->settings[i - 1];
        if (setting->version <= version && strcmp(setting->name, name) == 0 &&
            strcmp(setting->prefix, prefix) == 0)
            return setting;
    }
    return NULL;
}

const model_setting *model_setting_at(const model *m, const char *name, const char *key, uint64_t version)
{
    char prefix[sizeof m->settings->prefix];
    for (size_t size = strlen(key) + 1; size > 0; size--) {
        if (size > sizeof prefix) continue;
        memcpy(prefix, key, size - 1);
        prefix[size - 1] = 0;
        const model_setting *setting = newest_of_prefix(m, name, prefix, version);
        if (setting && setting->value[0]) return setting;
    }
    return NULL;
}

/* -- branches -- */

model_branch *model_branch_by_id(const model *m, uint32_t id)
{
    return id >= 1 && id <= m->branch_count ? &m->branches[id - 1] : NULL;
}

model_branch *model_branch_by_name(const model *m, const char *name)
{
    for (size_t i = 0; i < m->branch_count; i++) {
        if (!m->branches[i].deleted_version && strcmp(m->branches[i].name, name) == 0) return &m->branches[i];
    }
    return NULL;
}

bool model_is_descendant(const model *m, uint32_t branch, uint32_t ancestor)
{
    for (; branch; branch = m->branches[branch - 1].parent) {
        if (branch == ancestor) return true;
    }
    return false;
}

uint32_t model_depth(const model *m, uint32_t branch)
{
    uint32_t depth = 0;
    for (; branch; branch = m->branches[branch - 1].parent) depth++;
    return depth;
}

model_tag *model_tag_by_name(const model *m, const char *name)
{
    for (size_t i = 0; i < m->tag_count; i++) {
        if (m->tags[i].live && strcmp(m->tags[i].name, name) == 0) return &m->tags[i];
    }
    return NULL;
}

/* The cap of a hop's parent. */
static uint64_t parent_cap(const model_branch *hop, uint64_t cap)
{
    return hop->fork_version < cap ? hop->fork_version : cap;
}

/* -- reading -- */

bool model_is_visible(const model_row *row, int64_t time_ns)
{
    return row->op == YORE_OP_PUT && (!row->expiry_ns || row->expiry_ns > time_ns);
}

const model_row *model_newest_own(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive,
                                  yore_slice key)
{
    for (size_t i = m->row_count; i-- > 0;) {
        const model_row *row = &m->rows[i];
        if (row->version <= cap && row->branch == branch && row->primitive == primitive &&
            yr_slice_equal(row->key, key))
            return row;
    }
    return NULL;
}

const model_row *model_newest(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive,
                              yore_slice key)
{
    while (branch) {
        const model_row *row = model_newest_own(m, branch, cap, primitive, key);
        if (row) return row;
        const model_branch *hop = model_branch_by_id(m, branch);
        cap = parent_cap(hop, cap);
        branch = hop->parent;
    }
    return NULL;
}

const model_row *model_get(const model *m, uint32_t branch, uint64_t cap, int64_t time_ns, uint32_t primitive,
                           yore_slice key)
{
    const model_row *row = model_newest(m, branch, cap, primitive, key);
    return row && model_is_visible(row, time_ns) ? row : NULL;
}

static bool in_range(const yore_range *range, yore_slice key)
{
    if (key.size < range->prefix.size ||
        (range->prefix.size && memcmp(key.data, range->prefix.data, range->prefix.size) != 0))
        return false;
    if (range->from.size && yr_slice_compare(key, range->from) < 0) return false;
    return !range->to.size || yr_slice_compare(key, range->to) < 0;
}

static int by_key(const void *a, const void *b)
{
    return yr_slice_compare((*(const model_row *const *)a)->key, (*(const model_row *const *)b)->key);
}

/* Does the list hold this key already? */
static bool has_key(model_list rows, size_t count, yore_slice key)
{
    for (size_t i = 0; i < count; i++) {
        if (yr_slice_equal(rows[i]->key, key)) return true;
    }
    return false;
}

size_t model_scan(const model *m, uint32_t branch, uint64_t cap, int64_t time_ns, const yore_range *range,
                  model_list *out)
{
    uint32_t primitive = range->primitive ? range->primitive : YORE_KV;
    model_list list = must(malloc((m->row_count + 1) * sizeof(const model_row *)));
    size_t count = 0, kept = 0;
    /* The first row met for a key, nearest hop first and newest first, is the one that counts. */
    while (branch) {
        for (size_t i = m->row_count; i-- > 0;) {
            const model_row *row = &m->rows[i];
            if (row->version <= cap && row->branch == branch && row->primitive == primitive &&
                in_range(range, row->key) && !has_key(list, count, row->key))
                list[count++] = row;
        }
        const model_branch *hop = model_branch_by_id(m, branch);
        cap = parent_cap(hop, cap);
        branch = range->own_only ? 0 : hop->parent;
    }
    for (size_t i = 0; i < count; i++) {
        if (range->with_deleted || model_is_visible(list[i], time_ns)) list[kept++] = list[i];
    }
    if (kept) qsort(list, kept, sizeof(const model_row *), by_key);
    for (size_t i = 0; range->reverse && i < kept / 2; i++) {
        const model_row *row = list[i];
        list[i] = list[kept - 1 - i];
        list[kept - 1 - i] = row;
    }
    *out = list;
    return range->limit && kept > range->limit ? (size_t)range->limit : kept;
}

size_t model_history(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive, yore_slice key,
                     const yore_range *range, model_list *out)
{
    model_list list = must(malloc((m->row_count + 1) * sizeof(const model_row *)));
    size_t count = 0;
    while (branch) {
        for (size_t i = m->row_count; i-- > 0;) {
            const model_row *row = &m->rows[i];
            if (row->version <= cap && row->version > range->since_version && row->branch == branch &&
                row->primitive == primitive && yr_slice_equal(row->key, key))
                list[count++] = row;
        }
        const model_branch *hop = model_branch_by_id(m, branch);
        cap = parent_cap(hop, cap);
        branch = hop->parent;
    }
    *out = list;
    return range->limit && count > range->limit ? (size_t)range->limit : count;
}

/* Is this a data commit of the lineage at or before cap? */
static bool in_lineage(const model *m, const model_commit *commit, uint32_t branch, uint64_t cap,
                       bool own_only)
{
    if (commit->kind != YORE_COMMIT_DATA) return false;
    while (branch) {
        if (commit->branch == branch && commit->version <= cap) return true;
        const model_branch *hop = model_branch_by_id(m, branch);
        cap = parent_cap(hop, cap);
        branch = own_only ? 0 : hop->parent;
    }
    return false;
}

static bool touches_prefix(const model *m, const model_commit *commit, yore_slice prefix)
{
    if (!prefix.size) return true;
    yore_range range = YORE_RANGE_INIT;
    range.prefix = prefix;
    for (size_t i = commit->first_row; i < commit->first_row + commit->row_count; i++) {
        if (m->rows[i].primitive == YORE_KV && in_range(&range, m->rows[i].key)) return true;
    }
    return false;
}

size_t model_log(const model *m, uint32_t branch, uint64_t cap, const yore_log_options *options,
                 const model_commit ***out)
{
    const model_commit **list = must(malloc((m->commit_count + 1) * sizeof *list));
    size_t count = 0;
    for (size_t i = m->commit_count; i-- > 0;) {
        const model_commit *commit = &m->commits[i];
        bool wanted = options->all_branches ? commit->version <= cap && commit->kind == YORE_COMMIT_DATA
                                            : in_lineage(m, commit, branch, cap, options->own_only);
        if (options->system && commit->kind != YORE_COMMIT_DATA && commit->version <= cap) wanted = true;
        if (wanted && commit->version > options->since_version && touches_prefix(m, commit, options->prefix))
            list[count++] = commit;
    }
    for (size_t i = 0; options->all_branches && options->oldest_first && i < count / 2; i++) {
        const model_commit *commit = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = commit;
    }
    *out = list;
    return options->limit && count > options->limit ? (size_t)options->limit : count;
}

const model_commit *model_head(const model *m, uint32_t branch, uint64_t cap)
{
    for (size_t i = m->commit_count; i-- > 0;) {
        if (in_lineage(m, &m->commits[i], branch, cap, false)) return &m->commits[i];
    }
    return NULL;
}

uint64_t model_version_at_time(const model *m, int64_t time_ns)
{
    uint64_t version = 1; /* init, which holds no data, also stands for the time before it */
    while (version < m->commit_count && m->commits[version].time_ns <= time_ns) version++;
    return version;
}

/* -- transactions -- */

bool model_txn_touches(const model_txn *txn, uint32_t primitive, yore_slice key)
{
    for (size_t i = 0; i < txn->op_count; i++) {
        if (txn->ops[i].primitive == primitive && yr_slice_equal(txn->ops[i].key, key)) return true;
    }
    return false;
}

/* Decimal int64 text, exactly. */
static bool to_int64(yore_slice text, int64_t *out)
{
    char copy[24], *end;
    if (text.size == 0 || text.size > 20) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    const char *digits = copy[0] == '-' ? copy + 1 : copy;
    if (strlen(copy) != text.size || !digits[0] || strspn(digits, "0123456789") != strlen(digits))
        return false;
    __int128_t value = 0;
    for (const char *d = digits; *d; d++) value = value * 10 + (*d - '0');
    if (copy[0] == '-') value = -value;
    if (value < INT64_MIN || value > INT64_MAX) return false;
    *out = strtoll(copy, &end, 10);
    return true;
}

/* A key on its way through the operations of a transaction. */
typedef struct state {
    bool present;
    uint64_t version; /* of the value it began with, 0 = absent */
    model_row row;
    unsigned refusals; /* MODEL_MAY_... */
} state;

static void apply_incr(model *m, state *s, int64_t delta)
{
    int64_t value = 0, sum;
    char text[24];
    if ((s->present && !to_int64(s->row.value, &value)) || __builtin_add_overflow(value, delta, &sum)) {
        s->refusals |= MODEL_MAY_TYPE;
        return;
    }
    int size = snprintf(text, sizeof text, "%" PRId64, sum);
    s->row.value = model_keep(m, yore_bytes(text, (size_t)size));
}

static void apply_append(model *m, state *s, yore_slice bytes)
{
    size_t old = s->present ? s->row.value.size : 0;
    uint8_t *both = must(malloc(old + bytes.size + 1));
    if (old) memcpy(both, s->row.value.data, old);
    if (bytes.size) memcpy(both + old, bytes.data, bytes.size);
    s->row.value = model_keep(m, yore_bytes(both, old + bytes.size));
    free(both);
}

static void apply_op(model *m, state *s, const model_op *op, int64_t time_ns)
{
    if (op->if_absent && s->present) s->refusals |= MODEL_MAY_EXIST;
    if (op->has_if_version && s->version != op->if_version) s->refusals |= MODEL_MAY_CONFLICT;
    if (op->kind == MODEL_CAS && !(s->present && yr_slice_equal(s->row.value, op->expected)))
        s->refusals |= MODEL_MAY_CONFLICT;
    if (op->kind == MODEL_INCR || op->kind == MODEL_APPEND) {
        /* A value that is changed in place keeps its type, metadata and expiry. */
        if (!s->present) s->row = (model_row){.op = YORE_OP_PUT, .primitive = op->primitive, .key = op->key};
        if (op->kind == MODEL_INCR)
            apply_incr(m, s, op->delta);
        else
            apply_append(m, s, op->value);
        s->present = true;
        return;
    }
    s->refusals &= ~MODEL_MAY_TYPE; /* an incr that would fail, overwritten: only the last value is written */
    s->present = op->kind != MODEL_DEL;
    s->row = (model_row){
        .op = YORE_OP_DEL, .primitive = op->primitive, .key = op->key, .value = yore_bytes("", 0)};
    if (!s->present) return;
    s->row.op = YORE_OP_PUT;
    s->row.type = op->type;
    s->row.meta = op->meta;
    s->row.value = op->value;
    s->row.expiry_ns = op->expiry_ns;
    if (op->ttl_ns && __builtin_add_overflow(time_ns, op->ttl_ns, &s->row.expiry_ns))
        s->row.expiry_ns = INT64_MAX;
}

/* All operations on one key, in order, over the value it had at (cap, time). */
static void run_key(model *m, const model_txn *txn, uint64_t cap, int64_t time_ns, uint32_t primitive,
                    yore_slice key, state *s)
{
    const model_row *base = model_get(m, txn->branch, cap, time_ns, primitive, key);
    memset(s, 0, sizeof *s);
    if (base) {
        s->present = true;
        s->version = base->version;
        s->row = *base;
    }
    for (size_t i = 0; i < txn->op_count; i++) {
        if (txn->ops[i].primitive == primitive && yr_slice_equal(txn->ops[i].key, key))
            apply_op(m, s, &txn->ops[i], time_ns);
    }
}

bool model_txn_get(model *m, const model_txn *txn, uint32_t primitive, yore_slice key, model_row *scratch,
                   const model_row **row)
{
    state s;
    run_key(m, txn, txn->snapshot, txn->snapshot_time_ns, primitive, key, &s);
    *scratch = s.row;
    *row = s.present ? scratch : NULL;
    return !(s.refusals & MODEL_MAY_TYPE);
}

/* Puts and deletes need the key to be unchanged since the snapshot; incr, append and cas are resolved at commit. */
static bool is_checked(const model_op *op)
{
    return op->kind == MODEL_PUT || op->kind == MODEL_DEL;
}

static bool is_newer_than_snapshot(const model *m, const model_txn *txn, uint32_t primitive, yore_slice key)
{
    const model_row *row = model_newest_own(m, txn->branch, UINT64_MAX, primitive, key);
    return row && row->version > txn->snapshot;
}

/* Did another commit touch the range since the snapshot? */
static bool range_changed(const model *m, const model_txn *txn, const model_read *read)
{
    yore_range range = YORE_RANGE_INIT;
    range.prefix = read->prefix;
    range.from = read->from;
    range.to = read->to;
    for (size_t i = 0; i < m->row_count; i++) {
        const model_row *row = &m->rows[i];
        if (row->branch == txn->branch && row->version > txn->snapshot && row->primitive == read->primitive &&
            in_range(&range, row->key))
            return true;
    }
    return false;
}

unsigned model_txn_outcome(model *m, const model_txn *txn, int64_t time_ns, model_row *rows,
                           size_t *row_count)
{
    unsigned must_fail = 0, may_fail = 0;
    const model_branch *branch = model_branch_by_id(m, txn->branch);
    *row_count = 0;
    for (size_t i = 0; txn->isolation == YORE_ISOLATION_SERIALIZABLE && i < txn->read_count; i++) {
        const model_read *read = &txn->reads[i];
        bool changed = read->is_range ? range_changed(m, txn, read)
                                      : is_newer_than_snapshot(m, txn, read->primitive, read->key);
        if (!changed) continue;
        if (read->is_partial || read->is_doubtful || !txn->op_count)
            may_fail |= MODEL_MAY_CONFLICT;
        else
            must_fail |= MODEL_MAY_CONFLICT;
    }
    for (size_t i = 0; i < txn->op_count; i++) {
        const model_op *op = &txn->ops[i];
        state s;
        bool seen = false;
        if (is_checked(op) && is_newer_than_snapshot(m, txn, op->primitive, op->key)) {
            /* A precondition says itself what it depends on: either it alone decides, or the rule for puts too. */
            if (op->if_absent || op->has_if_version)
                may_fail |= MODEL_MAY_CONFLICT;
            else
                must_fail |= MODEL_MAY_CONFLICT;
        }
        for (size_t j = 0; j < i; j++)
            seen = seen ||
                   (txn->ops[j].primitive == op->primitive && yr_slice_equal(txn->ops[j].key, op->key));
        if (seen) continue;
        run_key(m, txn, UINT64_MAX, time_ns, op->primitive, op->key, &s);
        must_fail |= s.refusals;
        /* Deleting what is not there writes nothing. */
        if (s.present || model_get(m, txn->branch, UINT64_MAX, time_ns, op->primitive, op->key))
            rows[(*row_count)++] = s.row;
    }
    if (branch->deleted_version) {
        must_fail |= txn->op_count ? MODEL_MAY_NO_BRANCH : 0;
        may_fail |= MODEL_MAY_NO_BRANCH;
    }
    return must_fail | may_fail | (must_fail ? 0 : MODEL_MAY_OK);
}

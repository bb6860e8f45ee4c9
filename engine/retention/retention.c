#include "engine/retention/retention.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while deciding what to keep");
}

/* -- where T moves to -- */

/* Is a deleted branch's time of grace over? */
static bool is_over(const yr_retention_branch *branch, const yr_retention_clock *clock)
{
    int64_t age;
    if (!branch->deleted_version) return false;
    if (clock->grace_ns == 0) return true;
    if (__builtin_sub_overflow(clock->now_ns, branch->deleted_ns, &age))
        return clock->now_ns > branch->deleted_ns;
    return age >= clock->grace_ns;
}

/* A branch's own wish: no version above *keep may go from it, and none above *share from its parents' history. */
static yore_status own_wish(const yr_retention_branch *branch, uint32_t id, const yr_retention_clock *clock,
                            const yr_retention_commits *commits, uint64_t *keep, uint64_t *share,
                            yore_error *err)
{
    int64_t time_ns;
    *keep = 0;
    *share = UINT64_MAX;
    switch (branch->retention.kind) {
    case YORE_RETENTION_AGE:
        if (__builtin_sub_overflow(clock->now_ns, (int64_t)branch->retention.amount, &time_ns))
            time_ns = INT64_MIN;
        *share = 0;
        yore_status status = commits->at_time(commits->arg, time_ns, keep, err);
        if (status == YORE_OK) *share = *keep;
        return status;
    case YORE_RETENTION_VERSIONS:
        return commits->own_back(commits->arg, id, branch->retention.amount, keep, err);
    case YORE_RETENTION_ALL: *share = 0; return YORE_OK;
    default: return YORE_OK;
    }
}

/* Children come before their parents: wishes[] holds, for each branch, the lowest version above which its children ask
 * it to keep everything. */
yore_status yr_retention_advance(const yore_env *env, const yr_retention_branch *branches, uint32_t count,
                                 const yr_retention_clock *clock, const yr_retention_commits *commits,
                                 yr_retention_change *changes, uint32_t *change_count, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t changed = 0;
    size_t bytes = count * sizeof(uint64_t);
    uint64_t *wishes = yr_alloc(env, bytes + 1);
    if (!wishes) return no_memory(err);
    for (uint32_t i = 0; i < count; i++) wishes[i] = UINT64_MAX;
    for (uint32_t id = count; id >= 1; id--) {
        const yr_retention_branch *branch = &branches[id - 1];
        YR_ASSERT(branch->parent < id);
        uint64_t keep, share, trimmed;
        if (branch->is_purged) continue;
        if (is_over(branch, clock)) {
            changes[changed++] = (yr_retention_change){id, true, branch->trimmed_version};
            continue;
        }
        status = own_wish(branch, id, clock, commits, &keep, &share, err);
        if (status < 0) goto out;
        if (wishes[id - 1] < keep) keep = wishes[id - 1];
        if (wishes[id - 1] < share) share = wishes[id - 1];
        if (branch->parent && share < branch->fork_version && share < wishes[branch->parent - 1])
            wishes[branch->parent - 1] = share;
        if (keep <= branch->trimmed_version) continue;
        status = commits->own_at(commits->arg, id, keep, &trimmed, err);
        if (status < 0) goto out;
        if (trimmed > branch->trimmed_version) changes[changed++] = (yr_retention_change){id, false, trimmed};
    }
    for (uint32_t i = 0; i < changed / 2; i++) { /* found from the last branch to the first */
        yr_retention_change swap = changes[i];
        changes[i] = changes[changed - 1 - i];
        changes[changed - 1 - i] = swap;
    }
    *change_count = changed;
out:
    yr_free(env, wishes, bytes + 1);
    return status;
}

/* -- pins -- */

typedef void (*pin_sink)(void *arg, uint32_t branch, uint64_t cap);

/* The caps at which a point reads the hops of its lineage. Stops where the rest is what a hop's own fork pins. */
static void walk_point(const yr_retention_branch *branches, uint32_t count, yr_retention_point point,
                       pin_sink sink, void *arg)
{
    uint64_t cap = point.version;
    for (uint32_t id = point.branch; id >= 1 && id <= count; id = branches[id - 1].parent) {
        const yr_retention_branch *branch = &branches[id - 1];
        if (cap > branch->create_version) sink(arg, id, cap); /* below there is nothing to read */
        if (cap < branch->fork_version) continue;
        if (!branch->is_purged) return;
        cap = branch->fork_version;
    }
}

static void walk_pins(const yr_retention_branch *branches, uint32_t count, const yr_retention_pins *pins,
                      bool with_snaps, pin_sink sink, void *arg)
{
    for (uint32_t i = 0; i < count; i++) {
        const yr_retention_branch *branch = &branches[i];
        if (branch->is_purged || !branch->parent) continue;
        walk_point(branches, count, (yr_retention_point){branch->parent, branch->fork_version}, sink, arg);
    }
    for (size_t i = 0; i < pins->tag_count; i++) {
        uint32_t id = pins->tags[i].branch;
        if (id >= 1 && id <= count && !branches[id - 1].is_purged)
            walk_point(branches, count, pins->tags[i], sink, arg);
    }
    for (size_t i = 0; with_snaps && i < pins->snap_count; i++)
        walk_point(branches, count, pins->snaps[i], sink, arg);
}

typedef struct pin_search {
    uint32_t branch;
    uint64_t cap;
    bool found;
} pin_search;

static void match_pin(void *arg, uint32_t branch, uint64_t cap)
{
    pin_search *search = arg;
    if (branch == search->branch && cap == search->cap) search->found = true;
}

bool yr_retention_is_pinned(const yr_retention_branch *branches, uint32_t count,
                            const yr_retention_pins *pins, uint32_t branch, uint64_t cap)
{
    pin_search search = {.branch = branch, .cap = cap};
    walk_pins(branches, count, pins, false, match_pin, &search);
    return search.found;
}

uint32_t yr_retention_lost_hop(const yr_retention_branch *branches, uint32_t count,
                               const yr_retention_pins *pins, yr_retention_point point)
{
    uint64_t cap = point.version;
    for (uint32_t id = point.branch; id; id = branches[id - 1].parent) {
        const yr_retention_branch *branch = &branches[id - 1];
        YR_ASSERT(id <= count);
        if (!yr_retention_is_whole(branch, cap) && !yr_retention_is_pinned(branches, count, pins, id, cap))
            return id;
        if (branch->fork_version < cap) cap = branch->fork_version;
    }
    return 0;
}

/* From its fork on a branch reads the parents where the fork pins them. */
uint64_t yr_retention_oldest(const yr_retention_branch *branches, uint32_t branch)
{
    uint64_t oldest = 1, fork = UINT64_MAX;
    if (branches[branch - 1].is_purged) return 0;
    for (uint32_t id = branch; id; id = branches[id - 1].parent) {
        const yr_retention_branch *hop = &branches[id - 1];
        uint64_t first = hop->is_purged ? UINT64_MAX : hop->trimmed_version;
        if (first > fork) first = fork;
        if (first > oldest) oldest = first;
        if (hop->fork_version < fork) fork = hop->fork_version;
    }
    return oldest;
}

/* -- what compaction keeps -- */

typedef struct rule_maker {
    yr_keep_rules *rules;
    const uint32_t *rule_of; /* by branch id - 1: 1 + index into rules, 0 = keeps everything */
    bool is_counting;
} rule_maker;

static void add_pin(void *arg, uint32_t branch, uint64_t cap)
{
    rule_maker *maker = arg;
    uint32_t at = maker->rule_of[branch - 1];
    if (!at) return;
    yr_keep_rules *rules = &maker->rules[at - 1];
    if (!rules->is_dead && cap >= rules->horizon) return;
    if (!maker->is_counting) rules->pins[rules->pin_count] = (yr_keep_pin){.version = cap};
    rules->pin_count++;
}

static uint32_t start_rules(const yr_retention_branch *branches, uint32_t count, uint64_t floor,
                            yr_keep_rules *rules, uint32_t *rule_of)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        const yr_retention_branch *branch = &branches[i];
        rule_of[i] = 0;
        if (!branch->is_purged && !branch->trimmed_version) continue;
        rules[n] = (yr_keep_rules){.branch = i + 1, .is_root = !branch->parent, .is_dead = branch->is_purged};
        /* a purged branch has no horizon to lower: it is past everything that could still count on it */
        if (!branch->is_purged)
            rules[n].horizon = branch->trimmed_version < floor ? branch->trimmed_version : floor;
        rule_of[i] = ++n;
    }
    return n;
}

static yore_status time_rules(yr_keep_rules *rules, const yr_retention_commits *commits, yore_error *err)
{
    yore_status status = YORE_OK;
    if (rules->horizon) status = commits->time_of(commits->arg, rules->horizon, &rules->horizon_ns, err);
    for (uint32_t i = 0; status == YORE_OK && i < rules->pin_count; i++)
        status = commits->time_of(commits->arg, rules->pins[i].version, &rules->pins[i].time_ns, err);
    return status;
}

yore_status yr_retention_rules(yr_arena *arena, const yr_retention_branch *branches, uint32_t count,
                               const yr_retention_pins *pins, const yr_retention_commits *commits,
                               yr_keep_set *out, yore_error *err)
{
    uint32_t *rule_of = yr_arena_alloc(arena, (count + (size_t)1) * sizeof *rule_of);
    yr_keep_rules *rules = yr_arena_alloc(arena, (count + (size_t)1) * sizeof *rules);
    if (!rule_of || !rules) return no_memory(err);
    uint32_t n = start_rules(branches, count, pins->floor, rules, rule_of);
    *out = (yr_keep_set){.rules = rules, .count = n};
    if (n == 0) return YORE_OK;
    rule_maker maker = {.rules = rules, .rule_of = rule_of, .is_counting = true};
    walk_pins(branches, count, pins, true, add_pin, &maker);
    for (uint32_t i = 0; i < n; i++) {
        rules[i].pins = yr_arena_alloc(arena, (rules[i].pin_count + (size_t)1) * sizeof *rules[i].pins);
        if (!rules[i].pins) return no_memory(err);
        rules[i].pin_count = 0;
    }
    maker.is_counting = false;
    walk_pins(branches, count, pins, true, add_pin, &maker);
    yore_status status = YORE_OK;
    for (uint32_t i = 0; status == YORE_OK && i < n; i++) {
        yr_keep_settle(&rules[i]);
        status = time_rules(&rules[i], commits, err);
    }
    return status;
}

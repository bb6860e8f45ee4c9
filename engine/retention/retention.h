/* How much history each branch keeps, as plain numbers. Pure: what it must know of commits it asks through callbacks.
 *
 * Every branch has a trimmed version T: of its own key space the caps >= T can be read, of those below only the pinned
 * ones. T is a field of the branch's registry record, so a commit moves it (yr_retention_advance says where to), and
 * only afterwards may compaction drop what it leaves unread (yr_retention_rules says what that is).
 *
 *   T1 T never goes back, and it is the version of a commit of the branch itself: the state after it is the oldest
 *      that is kept.
 *   T2 Age: at every time since `now - age` the state was the present, so T is the branch's newest commit at or before
 *      that time. Versions: T is the n-th newest commit.
 *   T3 A fork, a tag or an open snapshot pins its point: the cap of every hop of its lineage. A branch is read before
 *      its fork through its parents, at their caps.
 *   T4 Branches that share history keep it as long as the longest rule that was set among them says: with an age, a
 *      branch also asks it of the parent's commits up to its fork, and with "all" for all of them. A branch to which
 *      nothing was said, or a number of commits, asks for its fork point only.
 *   T5 A deleted branch is like a live one until its time of grace is over. Then it is purged, for good: tags on it pin
 *      nothing any more, its fork point is no pin, and of its own key space stays what others read through it. */
#ifndef YR_RETENTION_H
#define YR_RETENTION_H

#include "engine/base/arena.h"
#include "engine/compact/keep.h"
#include "engine/format/registry_format.h"

/* A branch; its id is its place in the array + 1, and parents come before children. */
typedef struct yr_retention_branch {
    uint32_t parent; /* 0 = a root */
    bool is_purged;
    uint64_t fork_version;
    uint64_t create_version;  /* its own commits are later */
    uint64_t deleted_version; /* 0 = live */
    int64_t deleted_ns;       /* wall clock */
    yr_retention retention;
    uint64_t trimmed_version;
} yr_retention_branch;

/* A branch as of a version: a tag, or a snapshot that is open. */
typedef struct yr_retention_point {
    uint32_t branch;
    uint64_t version;
} yr_retention_point;

/* What there is to know of commits. */
typedef struct yr_retention_commits {
    void *arg;
    /* The store's newest commit at or before a time, 0 = none. */
    yore_status (*at_time)(void *arg, int64_t time_ns, uint64_t *version, yore_error *err);
    yore_status (*time_of)(void *arg, uint64_t version, int64_t *time_ns, yore_error *err);
    /* The newest data commit of a branch itself at or below a version, 0 = none. */
    yore_status (*own_at)(void *arg, uint32_t branch, uint64_t version, uint64_t *commit, yore_error *err);
    /* Its n-th newest one (1 = the newest), 0 = it has fewer. */
    yore_status (*own_back)(void *arg, uint32_t branch, uint64_t n, uint64_t *commit, yore_error *err);
} yr_retention_commits;

typedef struct yr_retention_clock {
    int64_t now_ns;
    int64_t grace_ns; /* of deleted branches; 0 purges all of them */
} yr_retention_clock;

/* What a branch's record shall say from now on. */
typedef struct yr_retention_change {
    uint32_t branch;
    bool is_purged;
    uint64_t trimmed_version;
} yr_retention_change;

/* Which branches' records change, ascending: `changes` has room for `count`. YORE_OK, YORE_ERR_NOMEM or what a callback
 * gave. */
yore_status yr_retention_advance(const yore_env *env, const yr_retention_branch *branches, uint32_t count,
                                 const yr_retention_clock *clock, const yr_retention_commits *commits,
                                 yr_retention_change *changes, uint32_t *change_count, yore_error *err);

/* What is read though the branches' records do not say so. */
typedef struct yr_retention_pins {
    const yr_retention_point *tags;
    size_t tag_count;
    const yr_retention_point *snaps;
    size_t snap_count;
    uint64_t floor; /* no version above this one goes: somebody counts on all of them. UINT64_MAX = nobody */
} yr_retention_pins;

/* What compaction must keep for the branches as they are. Lives in the arena. As yr_retention_advance. */
yore_status yr_retention_rules(yr_arena *arena, const yr_retention_branch *branches, uint32_t count,
                               const yr_retention_pins *pins, const yr_retention_commits *commits,
                               yr_keep_set *out, yore_error *err);

/* -- may a point be read? -- */

/* Is nothing trimmed that a branch's key space would show at this cap? A point can be read when that holds for all hops
 * of its lineage, or the hop is pinned at the cap. */
static inline bool yr_retention_is_whole(const yr_retention_branch *branch, uint64_t cap)
{
    return cap <= branch->create_version || (!branch->is_purged && cap >= branch->trimmed_version);
}
/* Is a hop's cap that of a fork or a tag? O(branches + tags), each with its depth. */
bool yr_retention_is_pinned(const yr_retention_branch *branches, uint32_t count,
                            const yr_retention_pins *pins, uint32_t branch, uint64_t cap);
/* The first hop of a point that cannot be read, 0 = the point can be read. Of the pins the tags count: a snapshot pins
 * for itself. */
uint32_t yr_retention_lost_hop(const yr_retention_branch *branches, uint32_t count,
                               const yr_retention_pins *pins, yr_retention_point point);
/* The oldest version from which on a branch can be read at all points; 0 for a purged one. */
uint64_t yr_retention_oldest(const yr_retention_branch *branches, uint32_t branch);

#endif

/* Which versions compaction must keep. Pure.
 *
 * A version of a key may go when no read that is still allowed could tell. What is allowed is said branch by branch, in
 * terms of the branch's own key space: a read that arrives there through a lineage counts at the cap of that hop.
 *
 *   K1 Allowed are the caps >= horizon (all of them, to the tip and beyond) and the pinned ones below: fork points of
 *      children that live or are read through, tags, open snapshots. A dead branch has no horizon, only pins. A
 *      snapshot is allowed when the caps of all its hops are (yr_keep_is_readable).
 *   K2 So a version goes when no allowed cap lies from it to just below the next version of its key. Versions from the
 *      horizon on all stay, whatever they are: the change feed, histories and the conflict checks of transactions need
 *      every one. The next version may lie in a layer that the compaction does not see; then the version stays.
 *   K3 A delete that K2 keeps for reads at or below the horizon may still go when nothing would show in its place: no
 *      older version of the key is kept or lies in an older layer, and the lineage below shows no value. The lineage is
 *      asked as of the branch's fork at the fork's own time. The branch's rows are all younger than its fork, so every
 *      reader of the delete would fall through to exactly there, and what has expired at the fork's time has expired
 *      for all of them; asking at the reader's time would let a delete go that diff with the fork point must list.
 *   K4 A version that has expired for every reader it answers is like a delete (K3). Readers of the past have a time
 *      of the past: every allowed cap has the time of its commit, and no reader of it an earlier one. Until then an
 *      expired version stays, and while it stays it hides the older ones as any other does.
 *   K5 Commits all stay: `log`, `back:N` and times of versions are read from them.
 *
 * Whoever makes rules must see to it that
 *   - a cap that the rules do not allow is refused (`history-trimmed`) before they are used, and for ever: a horizon
 *     never goes back, and no new pin appears below it but on a version that is pinned already;
 *   - the horizon is at or below the snapshot of every open transaction, and of every reader of changes;
 *   - a child's fork point is a pin of its parent, that hop's cap one of its grandparent, and so on, for as long as
 *     anything may be read through the child: its own pins count when it is dead;
 *   - the registry (branch 0) keeps everything: yr_keep_find sees to that one. */
#ifndef YR_KEEP_H
#define YR_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/registry_format.h"

/* One version of a branch's key space that can be read. */
typedef struct yr_keep_pin {
    uint64_t version;
    int64_t time_ns; /* of the newest commit at or below it */
} yr_keep_pin;

/* All zero but the branch: everything is kept. */
typedef struct yr_keep_rules {
    uint32_t branch;
    bool is_root; /* no parent: nothing shows through a gap */
    bool is_dead; /* deleted, its time of grace over, not open: only the pins are read */
    uint64_t horizon;
    int64_t horizon_ns; /* time of the newest commit at or below the horizon */
    yr_keep_pin *pins;  /* ascending, below the horizon unless dead (yr_keep_settle); borrowed */
    uint32_t pin_count;
} yr_keep_rules;

/* Keys that were erased: their versions below that of the erasure go, whoever could read them. */
typedef struct yr_keep_erasure {
    uint64_t version;
    yr_erase_record record;
} yr_keep_erasure;

/* Ascending branches; one that is not there keeps everything. */
typedef struct yr_keep_set {
    const yr_keep_rules *rules;
    uint32_t count;
    uint32_t erasure_count;
    const yr_keep_erasure *erasures;
} yr_keep_set;

/* Put pins in order, and leave out doubles and those that the horizon covers. */
void yr_keep_settle(yr_keep_rules *rules);
/* Are they as the types say? NULL, or what is wrong. */
const char *yr_keep_set_problem(const yr_keep_set *set);

/* Never NULL; `set` may be. */
const yr_keep_rules *yr_keep_find(const yr_keep_set *set, uint32_t branch);
/* May the branch's own key space be read at this cap (K1)? */
bool yr_keep_is_readable(const yr_keep_rules *rules, uint64_t cap);

/* The versions of a key below this one were erased; 0 = none. Costs a hash of the key for each erasure of its size. */
uint64_t yr_keep_erased(const yr_keep_set *set, yore_slice tree_key);

enum yr_keep {
    YR_KEEP_NOT,      /* nobody can read it */
    YR_KEEP_ROW,      /* it stays */
    YR_KEEP_IF_HIDING /* it says "absent": it stays if something would show in its place (K3, K4) */
};

/* A version of a key, and `newer`: the next one above it that is known, 0 = none. */
enum yr_keep yr_keep_judge(const yr_keep_rules *rules, uint64_t version, uint64_t newer, uint8_t op,
                           int64_t expiry_ns);

/* What a file says of one branch: sums of its groups. */
typedef struct yr_keep_facts {
    uint64_t keys;
    uint64_t rows;
    uint64_t deletes;
    uint64_t key_bytes;
    uint64_t value_bytes;
} yr_keep_facts;

/* About how many bytes of a branch in a file of the versions (after, last] are no longer read. Never more than all of
 * it; 0 where only the rows themselves could tell. */
uint64_t yr_keep_garbage(const yr_keep_rules *rules, const yr_keep_facts *facts, uint64_t after,
                         uint64_t last);

#endif

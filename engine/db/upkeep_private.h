/* What collecting, erasing and compacting share: branches, tags and commits as retention sees them. */
#ifndef YR_UPKEEP_PRIVATE_H
#define YR_UPKEEP_PRIVATE_H

#include "engine/db/handle.h"
#include "engine/retention/retention.h"

/* The branches as they are, without the times of deletions. NULL when memory is out. */
yr_retention_branch *yr_retention_facts(const yore_db *db, yr_arena *arena, uint32_t *count);
/* The tags, into pins->tags: all that pins points but forks; open snapshots hold their layers. */
yore_status yr_retention_tags(yore_db *db, yr_arena *arena, yr_retention_pins *pins, yore_error *err);
/* What there is to know of the commits; they borrow db. */
yr_retention_commits yr_retention_commits_of(yore_db *db);

/* What compaction must keep now: the maintainer's keep_rules; `db` is a yore_db. */
yore_status yr_upkeep_keep_rules(void *db, yr_arena *arena, yr_keep_set *out, yore_error *err);
/* The erasures there were, in the arena. */
yore_status yr_upkeep_erasures(yore_db *db, yr_arena *arena, yr_keep_set *out, yore_error *err);

/* One version of one key, as stored. */
typedef struct yr_upkeep_row {
    yore_slice key; /* user key; valid for the call */
    uint64_t version;
    int64_t expiry_ns;
    uint64_t value_bytes; /* metadata included */
    uint64_t value_file;  /* that the value is in; 0 = none */
    uint32_t branch;
    uint8_t primitive;
    uint8_t op;
    bool is_newest; /* of its key in the branch's own key space; older ones follow */
} yr_upkeep_row;
typedef yore_status (*yr_upkeep_sink)(void *arg, const yr_upkeep_row *row, yore_error *err);

/* Every row of users that is stored, of all branches or of those that `wants` (NULL = all), by branch, primitive and
 * key, versions newest first. Stops at the first status of `sink` that is not YORE_OK. */
yore_status yr_upkeep_rows(yore_db *db, bool (*wants)(void *arg, uint32_t branch),
                           yore_upkeep_progress progress, void *progress_arg, yr_upkeep_sink sink, void *arg,
                           yore_error *err);

/* Does the parent of a branch show a value for a key to everybody who reads it through the branch's fork? */
yore_status yr_upkeep_shows_below(yore_db *db, const yr_branch *branch, uint32_t primitive, yore_slice key,
                                  bool *shows, yore_error *err);

/* Write memory to segments and merge all of them by what is to be kept now. */
yore_status yr_upkeep_compact(yore_db *db, const yr_compact_all *options, yore_error *err);
uint64_t yr_upkeep_disk_bytes(yore_db *db);
/* About how many of them so many bytes of keys and values take. */
uint64_t yr_upkeep_disk_share(yore_db *db, uint64_t bytes);

#endif

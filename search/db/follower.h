/* The follower: it reads the store's change feed in a thread of its own and keeps the index up with it.
 *
 * It is started by the first search after an open and ends when the store is closed. Commits know nothing of it: it
 * looks for new versions when a search asks, and 50 times a second otherwise, less often while there are none.
 *
 *   prepare   a batch of changes is read and its texts are counted (no lock)
 *   apply     the batch goes into the index (writer's turn: no search is inside)
 *   publish   `indexed` moves to the last version that is in the index whole
 *
 * Bounds: a batch is 64 changes, or as many as have 256 KiB of text, at least one. The feed is a cursor, so
 * what is behind costs no memory: a follower that cannot keep up only gets later (`lag_versions`,
 * `lag_bytes`), and searches wait for it, with their limit. Commits are never held back.
 *
 * F1 a search at V runs when `indexed` >= V and the index was made with the settings in force.
 * F2 searches and the writer exclude each other, but not searches each other; a waiting writer goes before new
 *    searches, and a batch is short, so neither starves.
 * F3 settings decide what is in the index: when they change it is made again from the first version. */
#ifndef YR_SEARCH_FOLLOWER_H
#define YR_SEARCH_FOLLOWER_H

#include "engine/db/handle.h"
#include "search/index/index.h"

#include <yore/search.h>

/* What decides the content of an index. */
typedef struct yr_index_settings {
    char language[YR_SETTING_SIZE];
    bool indexes_text;         /* search.index is not "none" */
    uint64_t prefixes_version; /* since when its values by key prefix are what they are; 0 = there are none */
    uint64_t erasures;         /* yr_catalog_erasures: what was erased must not be found */
} yr_index_settings;
bool yr_index_settings_equal(const yr_index_settings *a, const yr_index_settings *b);

/* All of a search's settings, as of a version of the store. */
typedef struct yr_search_settings {
    yr_index_settings index;
    double k1, b;
} yr_search_settings;
yore_status yr_search_settings_get(const yore_db *db, uint64_t version, yr_search_settings *out,
                                   yore_error *err);

typedef struct yr_follower yr_follower;

/* The store's follower, made and started when there is none.
 * Returns YORE_OK; YORE_ERR_NOMEM, YORE_ERR_IO. */
yore_status yr_follower_of(yore_db *db, yr_follower **out, yore_error *err);
/* NULL when the store was not searched yet. */
yr_follower *yr_follower_peek(const yore_db *db);

/* Wait for F1 and go in: until yr_follower_release the index stays as it is.
 * until_ns  by the monotonic clock; negative = for ever.
 * Returns YORE_OK; YORE_TIMEOUT; YORE_CONFLICT when the settings in force are others than those given: read them again;
 *         YORE_ERR_MISUSE when the store is being closed; what made the index fail. */
yore_status yr_follower_hold(yr_follower *follower, uint64_t version, const yr_index_settings *settings,
                             int64_t until_ns, const yr_index **index, yore_error *err);
void yr_follower_release(yr_follower *follower);

/* An analyzer for a language, from a small stock. Give it back. */
yore_status yr_follower_take_analyzer(yr_follower *follower, const char *language, yr_analyzer **out,
                                      yore_error *err);
void yr_follower_give_analyzer(yr_follower *follower, const char *language, yr_analyzer *analyzer);

void yr_follower_stats(yr_follower *follower, yore_search_stats *out);

#endif

/* Bundles that were made by format 1.0 must be read for ever: one of a state and one of a history on it, in golden/.
 * `YORE_GOLDEN_UPDATE=1` makes them anew. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bundle/bundle_kit.h"

#define NEED(call) kit_need((call), &err)

#define KIT_GOLDEN_HISTORY UINT64_C(0xeeaa58d170a40147)
#define KIT_GOLDEN_STATE UINT64_C(0x43891a4159e2ff13)

static yore_error err = YORE_ERROR_INIT;

static void path_of(const char *name, char to[512])
{
    const char *source = getenv("YORE_SOURCE_DIR");
    (void)snprintf(to, 512, "%s/tests/bundle/golden/%s", source ? source : ".", name);
}

static yore_db *open_memory(void)
{
    yore_open_options open = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    NEED(yore_open(":memory:", &open, &db, &err));
    return db;
}

static void update(const char *history, const char *more)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_db *db = open_memory();
    (void)remove(history);
    (void)remove(more);
    kit_fill(db, 1);
    const yore_at base = kit_at_version("", kit_version(db)), now = kit_at("");
    options.at = &base;
    options.history = true;
    NEED(yore_bundle_make(db, history, &options, NULL, &err));
    kit_fill(db, 2);
    options.at = &now;
    options.base = &base;
    options.history = false;
    NEED(yore_bundle_make(db, more, &options, NULL, &err));
    yore_close(db);
}

static bool has_value(yore_db *db, const char *branch, yore_key key, const char *want)
{
    const yore_at at = kit_at(branch);
    yore_snap *snap;
    yore_pin pin = YORE_PIN_INIT;
    NEED(yore_snap_open(db, &at, &snap, NULL, &err));
    bool good = yore_get(snap, key, &pin, &err) == YORE_OK && pin.value.size == strlen(want) &&
                memcmp(pin.value.data, want, pin.value.size) == 0;
    yore_unpin(&pin);
    yore_snap_close(snap);
    return good;
}

int main(void)
{
    yore_bundle_info first = YORE_BUNDLE_INFO_INIT, second = YORE_BUNDLE_INFO_INIT;
    const yore_at base = kit_at("base"), more = kit_at("more");
    char history_path[512], more_path[512];
    uint64_t commits = 0;
    path_of("history_1_0.ybundle", history_path);
    path_of("state_1_0.ybundle", more_path);
    if (getenv("YORE_GOLDEN_UPDATE")) update(history_path, more_path);
    yore_db *db = open_memory();
    NEED(yore_bundle_import(db, history_path, yore_str("base"), NULL, NULL, &first, &err));
    NEED(yore_bundle_import(db, more_path, yore_str("more"), NULL, NULL, &second, &err));
    uint64_t history = kit_history(db, &base, &commits), state = kit_state(db, &more);
    bool good = first.has_history && !first.has_base && first.commits == 4 && first.format_major == 1 &&
                !second.has_history && second.has_base && second.base_version == first.version;
    good = good && has_value(db, "more", yore_str_key("batch/4"), "batch/4") && commits == first.commits;
    good = good && history == KIT_GOLDEN_HISTORY && state == KIT_GOLDEN_STATE;
    if (!good)
        printf("%llx %llx %llu\n", (unsigned long long)history, (unsigned long long)state,
               (unsigned long long)first.commits);
    yore_close(db);
    printf("%llu and %llu commits: %s\n", (unsigned long long)first.commits,
           (unsigned long long)second.commits, good ? "passed" : "FAILED");
    return !good;
}

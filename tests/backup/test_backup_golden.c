/* Backups that were made by format 1.0 must be read for ever: a full one and one on it, in golden/.
 * `YORE_GOLDEN_UPDATE=1` makes them anew. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/backup/backup_kit.h"

#define NEED(call) kit_need((call), &err)

enum { COMMITS = 29 };

static void path_of(const char *name, char to[512])
{
    const char *source = getenv("YORE_SOURCE_DIR");
    (void)snprintf(to, 512, "%s/tests/backup/golden/%s", source ? source : ".", name);
}

static void update(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_open_options open = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    char full[512], more[512];
    path_of("full_1_0.ybk", full);
    path_of("more_1_0.ybk", more);
    (void)remove(full);
    (void)remove(more);
    NEED(yore_open(":memory:", &open, &db, &err));
    kit_fill(db, 1);
    NEED(yore_backup_make(db, full, &options, NULL, &err));
    kit_fill(db, 2);
    options.base = full;
    NEED(yore_backup_make(db, more, &options, NULL, &err));
    yore_close(db);
}

static void expect_value(yore_db *db, const char *branch, const char *key, const char *want)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    yore_pin pin = YORE_PIN_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", branch);
    NEED(yore_snap_open(db, &at, &snap, NULL, &err));
    NEED(yore_get(snap, yore_str_key(key), &pin, &err));
    if (pin.value.size != strlen(want) || memcmp(pin.value.data, want, pin.value.size) != 0) {
        fprintf(stderr, "FAILED: %s on %s\n", key, branch);
        exit(1);
    }
    yore_unpin(&pin);
    yore_snap_close(snap);
}

int main(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_db *db;
    char more[512];
    if (getenv("YORE_GOLDEN_UPDATE")) update();
    path_of("more_1_0.ybk", more);
    NEED(yore_backup_verify(more, &options, &info, &err));
    NEED(yore_backup_open(more, &options, &db, &err));
    NEED(yore_check(db, YORE_CHECK_DEEP, NULL, &err));
    expect_value(db, "other-1", "theme", "blue");
    expect_value(db, "exp-1", "k", "v"); /* deleted, and recovered under another name */
    expect_value(db, "", "batch/4", "batch/4");
    bool ok = info.files == 2 && info.commits == COMMITS && kit_version(db) == COMMITS &&
              info.format_major == 1;
    yore_close(db);
    printf("%llu commits in %u files: %s\n", (unsigned long long)info.commits, info.files,
           ok ? "passed" : "FAILED");
    return !ok;
}

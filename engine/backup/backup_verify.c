/* Verifying backups: every byte, every commit, and on demand against a store. */
#include <inttypes.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"

typedef struct comparison {
    yr_backup_source source;
    uint64_t visible;
    const char *path; /* of the backup */
} comparison;

static yore_status differs(const comparison *c, uint64_t version, const char *how, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "backup '%s' and the store '%s' differ: v%" PRIu64 " %s", c->path,
                   c->source.db->path, version, how);
}

/* The frames of the backup against those of the store, byte by byte. */
static yore_status compare_frames(void *arg, yore_slice frames, uint64_t first, uint64_t last,
                                  yore_error *err)
{
    comparison *c = arg;
    const uint8_t *p = frames.data;
    for (uint64_t version = first; version <= last; version++) {
        if (version > c->visible) return differs(c, version, "is not in the store", err);
        yore_status status = yr_backup_source_next(&c->source, err);
        if (status < 0) return status;
        size_t size = yr_get_le32(p);
        if (!yr_slice_equal(yore_bytes(p, size), yore_bytes(c->source.frame.data, c->source.frame.size)))
            return differs(c, version, "is another commit in each", err);
        p += size;
    }
    return YORE_OK;
}

yore_status yore_backup_verify(const char *path, const yore_backup_options *options, yore_backup_info *out,
                               yore_error *err)
{
    yr_backup_chain *chain = NULL;
    comparison c = {.path = path};
    if (!path) return yr_fail(err, YORE_ERR_MISUSE, "the path of a backup is needed");
    yore_status status = yr_backup_options_check(&options, out, err);
    if (status == YORE_OK && options->compare) status = yr_db_usable(options->compare, err);
    if (status == YORE_OK) status = yr_backup_chain_open(path, options, &chain, err);
    if (status < 0) return status;
    if (options->compare) {
        c.visible = yr_store_visible(&options->compare->store);
        yr_backup_source_init(&c.source, options->compare, 0);
    }
    status = yr_backup_chain_run(chain, options, options->compare ? compare_frames : NULL, &c, err);
    if (options->compare) yr_backup_source_deinit(&c.source);
    if (status == YORE_OK && out) yr_backup_chain_info(chain, out);
    yr_backup_chain_close(chain);
    return status;
}

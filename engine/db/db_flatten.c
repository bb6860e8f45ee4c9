/* Flattening: making the skips that let reads pass over a deep lineage. Readers ask for those that would have paid for
 * themselves by now, and make them; whoever cannot wait for that asks for all of one branch. */
#include "engine/base/error.h"
#include "engine/branch/skip.h"
#include "engine/db/handle.h"

enum { READER_KEYS_MAX = 1 << 16 }; /* a skip over more than that holds up no reader */

/* The layers of now, with all that the branch's lineage was when it was made. False: a reader that is being refreshed
 * has the branch, but not yet its layers; or it was deleted, and what it was may have been collected. */
static bool layers_for(yore_db *db, const yr_branch *branch, yr_layers **layers)
{
    uint64_t visible;
    *layers = yr_store_now(&db->store, &visible);
    /* the latter is asked when the layers are held */
    if (visible >= branch->create_version &&
        atomic_load_explicit(&branch->deleted_version, memory_order_acquire) == 0)
        return true;
    yr_layers_unref(*layers);
    return false;
}

static yore_status build(yore_db *db, yr_branch *branch, yore_error *err)
{
    yr_layers *layers;
    yore_status status = yr_db_settle(db, err);
    if (status < 0 || !layers_for(db, branch, &layers)) return status;
    status = yr_skip_build(db->store.catalog, layers, branch, db->skip_bytes_max, err);
    yr_layers_unref(layers);
    return status;
}

void yr_flatten_wanted(yore_db *db, const yr_branch *reader)
{
    yr_branch *asker = yr_catalog_by_id(db->store.catalog, reader->id);
    uint32_t id = atomic_exchange_explicit(&asker->skip_wanted, 0, memory_order_relaxed);
    yr_branch *branch = id ? yr_catalog_by_id(db->store.catalog, id) : NULL;
    if (!branch || atomic_load_explicit(&branch->skip, memory_order_relaxed)) return;
    uint64_t keys = yr_skip_estimate(branch), price = keys * YR_SKIP_A_KEY;
    uint32_t limit = YR_SKIP_NEVER;
    bool is_live = atomic_load_explicit(&branch->deleted_version, memory_order_acquire) == 0;
    if (is_live && keys <= READER_KEYS_MAX) {
        limit = (uint32_t)price;
        if (price <= atomic_load_explicit(&branch->skip_cost, memory_order_relaxed))
            /* reads do without, if need be; it is not tried again */
            limit = build(db, branch, NULL) == YORE_OK ? YR_SKIP_FIRST : YR_SKIP_NEVER;
    }
    atomic_store_explicit(&branch->skip_limit, limit, memory_order_relaxed);
}

yore_status yore_branch_flatten(yore_db *db, yore_slice name, yore_flatten_report *out, yore_error *err)
{
    yore_flatten_report report = {.struct_size = sizeof report};
    if (out && yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    yore_status status = yr_db_usable(db, err);
    if (status < 0) return status;
    yr_branch *branch = yr_db_branch(db, name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    report.depth = branch->depth;
    report.steps = branch->depth;
    while (branch->depth >= YR_SKIP_DEPTH_MIN && status == YORE_OK) {
        bool had = atomic_load_explicit(&branch->skip, memory_order_relaxed) != NULL;
        if (!had) status = build(db, branch, err);
        yr_epoch_enter();
        const yr_skip *skip = yr_skip_of(branch);
        if (!skip) { /* it was deleted meanwhile, or this handle does not have it yet */
            yr_epoch_exit();
            break;
        }
        report.skips++;
        report.made += !had;
        report.keys += skip->key_count;
        report.bytes += skip->bytes;
        report.steps -= skip->hop_count - 1;
        branch = (yr_branch *)(uintptr_t)skip->hops[skip->hop_count - 1].branch; /* a live catalog's */
        yr_epoch_exit();
    }
    if (status == YORE_OK && out) *out = report;
    return status;
}

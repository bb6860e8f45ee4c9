/* Pins: what a reader was given without a copy, and what keeps it there.
 *
 * own[0]  the reader (snapshot or transaction) the pin borrows; NULL: nothing of the store (a transaction's own write)
 * own[1]  0: nothing to release.
 *         layers, odd: kept, bytes in the layers themselves. References on layers and store.
 *         a hold: bytes in blocks of the cache. In its reader's list, or kept with references of its own, or stray: its
 *         reader has ended before the pin was released, and the store keeps the hold (not the blocks) until it is. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"

struct yr_pin_hold {
    yr_pin_hold *before, *after; /* in the reader's list, or the store's */
    yr_pin_hold **list;          /* that list; NULL when kept */
    yr_pin_source *reader;       /* NULL: kept or stray */
    yore_db *db;                 /* a reference when kept */
    yr_layers *layers;           /* a reference; NULL unless kept */
    uint32_t pin_count;
    yr_block_pin pins[YR_FOUND_PINS];
};

void yr_pin_source_init(yr_pin_source *reader, yore_db *db, yr_layers *layers)
{
    yr_db_ref(db);
    yr_layers_ref(layers);
    *reader = (yr_pin_source){.db = db, .layers = layers};
}

static void unlink_hold(yr_pin_hold *hold)
{
    if (hold->after) hold->after->before = hold->before;
    if (hold->before)
        hold->before->after = hold->after;
    else
        *hold->list = hold->after;
    hold->before = hold->after = NULL;
    hold->list = NULL;
    hold->reader = NULL;
}

static void link_hold(yr_pin_hold *hold, yr_pin_hold **list)
{
    hold->list = list;
    hold->after = *list;
    if (hold->after) hold->after->before = hold;
    *list = hold;
}

static void release_blocks(yr_pin_hold *hold)
{
    while (hold->pin_count) yr_block_pin_release(&hold->pins[--hold->pin_count]);
}

/* Out of every list by now. */
static void destroy_hold(yr_pin_hold *hold, const yore_env *env)
{
    release_blocks(hold);
    yr_free(env, hold, sizeof *hold);
}

static void make_stray(yr_pin_hold *hold, yore_db *db)
{
    unlink_hold(hold);
    release_blocks(hold);
    yr_mutex_lock(&db->stray_mutex);
    link_hold(hold, &db->stray_holds);
    yr_mutex_unlock(&db->stray_mutex);
}

void yr_free_stray_holds(yore_db *db)
{
    while (db->stray_holds) {
        yr_pin_hold *hold = db->stray_holds;
        unlink_hold(hold);
        destroy_hold(hold, db->env);
    }
}

void yr_pin_source_deinit(yr_pin_source *reader)
{
    yore_db *db = reader->db;
    while (reader->holds) make_stray(reader->holds, db);
    yr_layers_unref(reader->layers);
    yr_db_unref(db);
}

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a pin");
}

/* Give the blocks a found version borrows to a hold in the reader's list. NULL when memory is out. */
static yr_pin_hold *hold_blocks(yr_pin_source *reader, const yr_found *found)
{
    yr_pin_hold *hold = yr_alloc_zero(reader->db->env, sizeof *hold);
    if (!hold) return NULL;
    for (uint32_t i = 0; i < found->pin_count; i++) hold->pins[i] = found->pins[i];
    hold->pin_count = found->pin_count;
    hold->reader = reader;
    hold->db = reader->db;
    link_hold(hold, &reader->holds);
    return hold;
}

yore_status yr_pin_fill(yr_pin_source *reader, yr_found *found, yore_pin *out, yore_error *err)
{
    yr_pin_hold *hold = NULL;
    if (YR_UNLIKELY(found->pin_count > 0)) {
        hold = hold_blocks(reader, found);
        if (!hold) {
            yr_found_release(found);
            return no_memory(err);
        }
    }
    out->value = found->value;
    out->meta = found->meta;
    out->version = found->version;
    out->expiry_ns = found->expiry_ns;
    out->branch_id = found->branch;
    out->type = found->type;
    out->own[0] = reader;
    out->own[1] = hold;
    return YORE_OK;
}

static bool is_layers(const void *own)
{
    return ((uintptr_t)own & 1) != 0;
}

static yr_layers *layers_of(void *own)
{
    return (yr_layers *)(void *)((uint8_t *)own - 1);
}

int64_t yore_pin_time(const yore_pin *pin)
{
    const yr_pin_source *reader = pin->own[0];
    const yr_pin_hold *hold = is_layers(pin->own[1]) ? NULL : pin->own[1];
    const yr_layers *layers;
    if (is_layers(pin->own[1]))
        layers = layers_of(pin->own[1]);
    else if (hold && hold->layers)
        layers = hold->layers;
    else if (reader)
        layers = reader->layers;
    else
        return 0;
    int64_t time_ns = 0;
    return yr_layers_commit_time(layers, pin->version, &time_ns, NULL) == YORE_OK ? time_ns : 0;
}

yore_status yore_pin_keep(yore_pin *pin, yore_error *err)
{
    yr_pin_source *reader = pin->own[0];
    if (!reader) {
        if (pin->own[1]) return YORE_OK; /* kept already */
        return yr_fail(err, YORE_ERR_MISUSE, "the pin holds nothing");
    }
    yr_db_ref(reader->db);
    yr_layers_ref(reader->layers);
    yr_pin_hold *hold = pin->own[1];
    if (hold) {
        hold->layers = reader->layers;
        unlink_hold(hold);
    } else {
        pin->own[1] = (uint8_t *)reader->layers + 1;
    }
    pin->own[0] = NULL;
    return YORE_OK;
}

void yore_unpin(yore_pin *pin)
{
    static const yore_pin released = YORE_PIN_INIT;
    void *own = pin->own[1];
    *pin = released;
    if (!own) return;
    if (is_layers(own)) {
        yore_db *db = layers_of(own)->owner;
        yr_layers_unref(layers_of(own));
        yr_db_unref(db);
        return;
    }
    yr_pin_hold *hold = own;
    yore_db *db = hold->db;
    yr_layers *layers = hold->layers;
    bool is_stray = !layers && !hold->reader;
    if (is_stray) yr_mutex_lock(&db->stray_mutex);
    if (!layers) unlink_hold(hold);
    if (is_stray) yr_mutex_unlock(&db->stray_mutex);
    destroy_hold(hold, db->env);
    if (!layers) return;
    yr_layers_unref(layers);
    yr_db_unref(db);
}

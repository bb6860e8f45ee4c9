#include "engine/segment/value_set.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

struct yr_value_set {
    const yore_env *env;
    _Atomic uint32_t refs; /* rises from at least 1; the last to let go frees */
    uint32_t count;
    yr_value_file *files[]; /* by file id; immutable after create */
};

static size_t set_bytes(uint32_t count)
{
    return sizeof(yr_value_set) + count * sizeof(yr_value_file *);
}

static uint64_t id_of(const yr_value_file *values)
{
    return yr_value_file_header(values)->file_id;
}

/* Where a file of this number is, or would go. */
static uint32_t set_rank(const yr_value_set *set, uint64_t file_id)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (id_of(set->files[mid]) < file_id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

yore_status yr_value_set_create(const yore_env *env, yr_value_file *const *files, uint32_t count,
                                yr_value_set **out, yore_error *err)
{
    yr_value_set *set = yr_alloc_zero(env, set_bytes(count));
    if (!set) return yr_fail(err, YORE_ERR_NOMEM, "no memory for the list of %u value files", count);
    set->env = env;
    atomic_init(&set->refs, 1);
    for (uint32_t i = 0; i < count; i++) { /* the numbers ascend but for rewritten files: few are moved */
        uint32_t rank = set_rank(set, id_of(files[i]));
        if (rank < set->count && id_of(set->files[rank]) == id_of(files[i])) {
            yr_free(env, set, set_bytes(count));
            return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s' is there twice",
                           yr_value_file_name(files[i]));
        }
        memmove(&set->files[rank + 1], &set->files[rank], (set->count - rank) * sizeof set->files[0]);
        set->files[rank] = files[i];
        set->count++;
    }
    for (uint32_t i = 0; i < count; i++) yr_value_file_ref(set->files[i]);
    *out = set;
    return YORE_OK;
}

void yr_value_set_ref(yr_value_set *set)
{
    /* relaxed: whoever adds a reference has one */
    uint32_t before = atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    YR_ASSERT(before > 0);
}

void yr_value_set_unref(yr_value_set *set)
{
    if (!set) return;
    /* acq_rel: pairs with the other threads' unrefs */
    if (atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < set->count; i++) yr_value_file_unref(set->files[i]);
    yr_free(set->env, set, set_bytes(set->count));
}

uint32_t yr_value_set_count(const yr_value_set *set)
{
    return set->count;
}

yr_value_file *yr_value_set_at(const yr_value_set *set, uint32_t i)
{
    YR_ASSERT(i < set->count);
    return set->files[i];
}

yr_value_file *yr_value_set_find(const yr_value_set *set, uint64_t file_id)
{
    uint32_t rank = set_rank(set, file_id);
    return rank < set->count && id_of(set->files[rank]) == file_id ? set->files[rank] : NULL;
}

void yr_value_set_usages(const yr_value_set *set, yr_value_usage *usages)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const yr_value_footer *facts = yr_value_file_facts(set->files[i]);
        usages[i] = (yr_value_usage){.file_id = id_of(set->files[i]),
                                     .file_bytes = facts->file_bytes,
                                     .value_bytes = facts->value_bytes};
    }
}

yore_status yr_value_set_get(const yr_value_set *set, const yr_value_ref *ref, yr_block_pin *pin,
                             yore_error *err)
{
    yr_value_file *values = yr_value_set_find(set, ref->file_id);
    if (!values)
        return yr_fail(err, YORE_ERR_CORRUPT, "value file '%08" PRIu64 ".val' is missing: a value is in it",
                       ref->file_id);
    return yr_value_file_get(values, ref, pin, err);
}

yore_status yr_value_set_get_encoded(const yr_value_set *set, yore_slice encoded, yr_block_pin *pin,
                                     yore_error *err)
{
    yr_value_ref ref;
    if (!yr_value_ref_decode(encoded, &ref))
        return yr_fail(err, YORE_ERR_CORRUPT, "a damaged reference to a value file");
    return yr_value_set_get(set, &ref, pin, err);
}

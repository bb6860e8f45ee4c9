#include "tests/unit/segment/segment_kit.h"

#include <inttypes.h>

#include "engine/format/value_format.h"

const kit_shape kit_shapes[] = {
    {"one key", 1, 1, 1, 8, 20, 1, 0, false, false, false},
    {"small", 40, 60, 3, 12, 40, 2, 0, false, false, true},
    {"plain keys", 3000, 400, 20, 21, 120, 1, 0, false, false, true},
    {"hot keys", 60, 2500, 4, 16, 60, 2, 3, false, false, true},
    {"prefixes", 800, 500, 6, 60, 30, 5, 0, true, true, false},
    {"long keys", 40, 60, 4, 32768, 300, 2, 5, true, false, true},
    {"large values", 60, 80, 3, 30, 65536, 2, 6, false, true, false},
    {"many branches", 900, 300, 8, 6, 10, 300, 0, false, true, false},
    {"empty values", 500, 300, 6, 10, 0, 3, 10, false, true, false},
    {"wide commits", 5000, 6, 5000, 24, 30, 3, 0, true, false, true},
};
const size_t kit_shape_count = sizeof kit_shapes / sizeof *kit_shapes;

/* -- the model -- */

static void *keep(kit_model *model, size_t size)
{
    if ((model->block_count & (model->block_count + 1)) == 0) { /* full at 0, 1, 3, 7, ... */
        model->blocks = realloc(model->blocks, sizeof(void *) * (2 * (size_t)model->block_count + 1));
    }
    void *block = malloc(size ? size : 1);
    if (!block || !model->blocks) abort();
    model->blocks[model->block_count++] = block;
    return block;
}

static void fill(yr_rng *rng, uint8_t *to, size_t size, bool is_compressible)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog and goes on and on, ";
    size_t at = (size_t)yr_rng_below(rng, sizeof words);
    for (size_t i = 0; i < size; i++) {
        to[i] = is_compressible ? (uint8_t)words[(at + i) % (sizeof words - 1)] : (uint8_t)yr_rng_next(rng);
    }
}

static yore_slice make_key(kit_model *model, yr_rng *rng, const yore_slice *others, uint32_t n)
{
    const kit_shape *shape = model->shape;
    size_t size = 1 + (size_t)yr_rng_below(rng, shape->key_bytes);
    if (yr_rng_below(rng, 4) && size > 40) size = 1 + size % 40;
    uint8_t *p = keep(model, 5 + (size_t)shape->key_bytes);
    yr_put_be32(p, 1 + (uint32_t)yr_rng_below(rng, shape->branches));
    p[4] = yr_rng_below(rng, 8) ? YORE_KV : YORE_JSON;
    fill(rng, p + 5, size, false);
    if (!shape->has_prefixes) {
        for (size_t i = 5; i < 5 + size; i++) p[i] = (uint8_t)('a' + p[i] % 20);
    } else if (n && yr_rng_below(rng, 4)) {
        /* The beginning of another key, and perhaps some more. */
        yore_slice other = others[yr_rng_below(rng, n)];
        size_t taken = other.size - 5;
        if (yr_rng_below(rng, 2)) taken = 1 + (size_t)yr_rng_below(rng, taken);
        memcpy(p, other.data, 5 + taken);
        size_t more = (size_t)yr_rng_below(rng, 4);
        if (taken + more > shape->key_bytes) more = shape->key_bytes - taken;
        memset(p + 5 + taken, yr_rng_below(rng, 2) ? 0 : 255, more);
        size = taken + more;
    }
    return yore_bytes(p, 5 + size);
}

static int compare_slices(const void *a, const void *b)
{
    return yr_slice_compare(*(const yore_slice *)a, *(const yore_slice *)b);
}

static uint32_t make_keys(kit_model *model, yr_rng *rng, yore_slice *keys)
{
    for (uint32_t i = 0; i < model->shape->keys; i++) keys[i] = make_key(model, rng, keys, i);
    qsort(keys, model->shape->keys, sizeof *keys, compare_slices);
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->shape->keys; i++) {
        if (n == 0 || !yr_slice_equal(keys[n - 1], keys[i])) keys[n++] = keys[i];
    }
    return n;
}

static yr_segment_row make_row(kit_model *model, yr_rng *rng, yore_slice key, uint64_t version)
{
    yr_segment_row row = {.tree_key = key, .version = version, .op = YORE_OP_PUT};
    if (yr_rng_below(rng, 6) == 0) {
        row.op = YORE_OP_DEL;
        return row;
    }
    size_t size = (size_t)yr_rng_below(rng, (uint64_t)model->shape->value_bytes + 1);
    if (yr_rng_below(rng, 20) == 0) size = model->shape->value_bytes;
    if (yr_rng_below(rng, 20) == 0) size = 0;
    uint8_t *value = keep(model, size);
    fill(rng, value, size, model->shape->is_compressible);
    row.value = yore_bytes(value, size);
    if (yr_rng_below(rng, 12) == 0) {
        yr_value_ref ref = {.file_id = 1 + yr_rng_below(rng, 9),
                            .off = 64 + 8 * yr_rng_below(rng, 1000),
                            .bytes = 70000 + yr_rng_below(rng, 1000),
                            .hash = yr_rng_next(rng)};
        value = keep(model, YR_VALUE_REF_BYTES);
        yr_value_ref_encode(&ref, value);
        row.value = yore_bytes(value, YR_VALUE_REF_BYTES);
        row.is_reference = true;
    }
    row.type = (uint8_t)yr_rng_below(rng, 3);
    if (yr_rng_below(rng, 5) == 0) row.expiry_ns = 1 + (int64_t)yr_rng_below(rng, 1u << 30);
    if (yr_rng_below(rng, 8) == 0) {
        size = 1 + (size_t)yr_rng_below(rng, yr_rng_below(rng, 20) ? 30 : YORE_META_BYTES_MAX);
        uint8_t *meta = keep(model, size);
        fill(rng, meta, size, false);
        row.meta = yore_bytes(meta, size);
    }
    return row;
}

static yore_slice some_text(kit_model *model, yr_rng *rng, size_t most)
{
    size_t size = yr_rng_below(rng, 3) ? 0 : (size_t)yr_rng_below(rng, most + 1);
    uint8_t *text = keep(model, size);
    fill(rng, text, size, true);
    return yore_bytes(text, size);
}

static void make_commit(kit_model *model, yr_rng *rng, uint64_t version, uint32_t rows)
{
    kit_commit *commit = &model->commits[model->commit_count++];
    commit->head =
        (yr_commit_head){.version = version,
                         .time_ns = 1000000 * (int64_t)version - (int64_t)yr_rng_below(rng, 1000) - 50000000,
                         .branch = (uint32_t)yr_rng_below(rng, 4),
                         .kind = YORE_COMMIT_DATA,
                         .row_count = rows};
    yr_commit_head *head = &commit->head;
    if (yr_rng_below(rng, 3)) head->branch &= 1; /* some branches are rare */
    commit->prev = yr_rng_below(rng, model->after_version + 1);
    for (uint32_t i = model->commit_count - 1; i-- > 0;) {
        if (model->commits[i].head.branch != head->branch) continue;
        commit->prev = model->commits[i].head.version;
        break;
    }
    if (yr_rng_below(rng, 6)) return;
    head->kind = (uint8_t)(1 + yr_rng_below(rng, 5));
    head->source_time_ns = (int64_t)yr_rng_below(rng, 3) - 1;
    head->wall_ns = (int64_t)yr_rng_below(rng, 2) * 77;
    head->note = some_text(model, rng, yr_rng_below(rng, 30) ? 200 : YORE_NOTE_BYTES_MAX);
    head->author = some_text(model, rng, 40);
    head->source = some_text(model, rng, 40);
    head->parent_count = (uint32_t)yr_rng_below(rng, 3);
    uint8_t *parents = keep(model, 8 * (size_t)head->parent_count);
    fill(rng, parents, 8 * (size_t)head->parent_count, false);
    head->parents = parents;
}

static int compare_rows(const void *a, const void *b)
{
    const yr_segment_row *x = a, *y = b;
    int order = yr_slice_compare(x->tree_key, y->tree_key);
    return order ? order : (x->version < y->version) - (x->version > y->version);
}

static const yr_segment_row *sorted_rows; /* qsort has no argument to carry it */

static int compare_versions(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t v = sorted_rows[x].version, w = sorted_rows[y].version;
    if (v != w) return v < w ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void index_rows(kit_model *model)
{
    qsort(model->rows, model->row_count, sizeof *model->rows, compare_rows);
    model->key_rows = keep(model, sizeof(uint32_t) * ((size_t)model->row_count + 1));
    model->by_version = keep(model, sizeof(uint32_t) * (size_t)model->row_count);
    for (uint32_t i = 0; i < model->row_count; i++) {
        model->by_version[i] = i;
        if (i == 0 || !yr_slice_equal(model->rows[i - 1].tree_key, model->rows[i].tree_key))
            model->key_rows[model->key_count++] = i;
    }
    model->key_rows[model->key_count] = model->row_count;
    sorted_rows = model->rows;
    qsort(model->by_version, model->row_count, sizeof(uint32_t), compare_versions);
}

void kit_model_make(kit_model *model, const kit_shape *shape, uint64_t seed)
{
    yr_rng rng = {seed};
    *model = (kit_model){.shape = shape,
                         .after_version = yr_rng_below(&rng, 3) ? yr_rng_below(&rng, 1u << 20) : 0};
    yore_slice *keys = keep(model, sizeof *keys * shape->keys);
    uint32_t key_count = make_keys(model, &rng, keys);
    uint64_t *last = keep(model, sizeof(uint64_t) * key_count);
    memset(last, 0, sizeof(uint64_t) * key_count);
    model->rows = keep(model, sizeof *model->rows * shape->commits * (size_t)shape->rows_per_commit);
    model->commits = keep(model, sizeof *model->commits * shape->commits);
    uint64_t version = model->after_version;
    for (uint32_t c = 0; c < shape->commits; c++) {
        version += shape->has_gaps && yr_rng_below(&rng, 4) == 0 ? 1 + yr_rng_below(&rng, 100) : 1;
        uint32_t rows = 1 + (uint32_t)yr_rng_below(&rng, shape->rows_per_commit), written = 0;
        if (shape->has_gaps && yr_rng_below(&rng, 10) == 0) rows = 0;
        for (uint32_t r = 0; r < rows; r++) {
            bool is_hot = shape->hot_keys && yr_rng_below(&rng, 8);
            uint32_t k = (uint32_t)yr_rng_below(&rng, is_hot && shape->hot_keys < key_count ? shape->hot_keys
                                                                                            : key_count);
            if (last[k] == version) continue;
            last[k] = version;
            model->rows[model->row_count++] = make_row(model, &rng, keys[k], version);
            written++;
        }
        make_commit(model, &rng, version, written);
    }
    model->last_version = version + yr_rng_below(&rng, 3);
    index_rows(model);
}

void kit_model_free(kit_model *model)
{
    for (uint32_t i = 0; i < model->block_count; i++) free(model->blocks[i]);
    free(model->blocks);
    *model = (kit_model){0};
}

uint32_t kit_model_find(const kit_model *model, uint32_t k, uint64_t cap)
{
    for (uint32_t i = model->key_rows[k]; i < model->key_rows[k + 1]; i++) {
        if (model->rows[i].version <= cap) return i;
    }
    return UINT32_MAX;
}

/* -- the machine -- */

void assert_kit_status(const kit *k, yore_status want, yore_status status, const char *what, int line)
{
    if (status == want) return;
    print_error("line %d: %s gave %s: %s\n", line, what, yore_status_name(status),
                status < 0 ? k->err.message : "");
    fail();
}

void kit_init(kit *k, uint64_t seed, uint64_t cache_bytes)
{
    *k = (kit){.sim = yr_sim_create(seed), .file_count = 1};
    k->env = yr_sim_env(k->sim);
    k->err = (yore_error)YORE_ERROR_INIT;
    assert_int_equal(k->env->dir_open(k->env->ctx, "db", YORE_DIR_CREATE, NULL, &k->dir), 0);
    kit_ok(k, yr_block_cache_create(k->env, cache_bytes, &k->cache, &k->err));
    kit_ok(k, yr_decoders_create(k->env, &k->decoders, &k->err));
}

void kit_close(kit *k)
{
    if (k->run) {
        yr_run_unref(k->run);
    } else {
        yr_segment_close(k->segment); /* a test opened it itself */
    }
    k->run = NULL;
    k->segment = NULL;
}

void kit_deinit(kit *k)
{
    const char *problem;
    assert_true(yr_block_cache_check(k->cache, &problem));
    kit_close(k);
    yr_decoders_destroy(k->decoders);
    yr_block_cache_destroy(k->cache);
    k->env->dir_close(k->env->ctx, k->dir);
    assert_false(yr_sim_has_leaks(k->sim));
    yr_sim_destroy(k->sim);
    free(k->image);
    for (uint32_t i = 1; i < KIT_FILES_MAX; i++) free((void *)(uintptr_t)k->more_images[i].data);
}

void kit_options(const kit_model *model, enum yr_segment_form form, yr_segment_build_options *options)
{
    *options = (yr_segment_build_options){.uuid = {1, 2, 3},
                                          .file_id = 1,
                                          .after_version = model->after_version,
                                          .last_version = model->last_version,
                                          .form = form,
                                          .level = 2,
                                          .is_verified_by_row = true};
}

static void file_name(uint32_t file, char to[16])
{
    (void)snprintf(to, 16, "%06u.seg", 1 + file);
}

/* The first row of each file, and one past the last: cuts between keys that leave none but the first empty. */
static void cut_rows(kit *k, const kit_model *model, yr_rng *rng, uint32_t cuts[KIT_FILES_MAX + 1])
{
    uint32_t key = 0;
    if (k->file_count > model->key_count) k->file_count = model->key_count ? model->key_count : 1;
    bool is_first_empty = k->file_count > 1 && yr_rng_below(rng, 8) == 0;
    cuts[0] = 0;
    for (uint32_t i = 1; i < k->file_count; i++) {
        uint32_t room = model->key_count - key - (k->file_count - i); /* each one behind gets a key */
        uint32_t step = 1 + (uint32_t)yr_rng_below(rng, yr_rng_below(rng, 2) ? room + 1 : room / 3 + 1);
        if (step > room) step = room ? room : 1;
        key += i == 1 && is_first_empty ? 0 : step;
        cuts[i] = model->key_rows[key];
    }
    cuts[k->file_count] = model->row_count;
}

static yore_status build_rows(kit *k, const kit_model *model, yr_segment_builder *builder, uint32_t row,
                              uint32_t end, bool has_commits)
{
    uint32_t c = has_commits ? 0 : model->commit_count;
    for (uint32_t i = row; i < end; i++) {
        yore_status status = yr_segment_builder_add(builder, &model->rows[i], &k->err);
        if (status < 0) return status;
        /* Commits come in between. */
        for (; c < model->commit_count && c < i; c++) {
            status =
                yr_segment_builder_commit(builder, &model->commits[c].head, model->commits[c].prev, &k->err);
            if (status < 0) return status;
        }
    }
    for (; c < model->commit_count; c++) {
        yore_status status =
            yr_segment_builder_commit(builder, &model->commits[c].head, model->commits[c].prev, &k->err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

yore_status kit_build(kit *k, const kit_model *model, const yr_segment_build_options *options)
{
    uint32_t cuts[KIT_FILES_MAX + 1];
    yr_rng rng = {model->row_count};
    yr_segment_build_options o = *options;
    cut_rows(k, model, &rng, cuts);
    if (k->file_count > 1 && o.hash_seed == 0) o.hash_seed = 77;
    for (uint32_t i = 0; i < k->file_count; i++, o.file_id++) {
        char name[16];
        yr_segment_builder *builder = NULL;
        yore_status status = yr_segment_builder_create(k->env, &o, k->dir, "making.tmp", &builder, &k->err);
        if (status < 0) return status;
        status = build_rows(k, model, builder, cuts[i], cuts[i + 1], i == 0);
        if (status == YORE_OK) status = yr_segment_builder_finish(builder, NULL, &k->err);
        yr_segment_builder_destroy(builder);
        if (status < 0) return status;
        file_name(i, name);
        assert_int_equal(k->env->rename(k->env->ctx, k->dir, "making.tmp", k->dir, name), 0);
    }
    return YORE_OK;
}

static uint8_t *load_one(kit *k, uint32_t file, size_t *bytes)
{
    char name[16], path[32];
    file_name(file, name);
    (void)snprintf(path, sizeof path, "db/%s", name);
    int64_t size = yr_sim_file_size(k->sim, path);
    assert_true(size > 0);
    *bytes = (size_t)size;
    uint8_t *image = malloc(*bytes);
    assert_non_null(image);
    assert_true(yr_sim_file_read(k->sim, path, image, *bytes, 0));
    return image;
}

void kit_load(kit *k)
{
    free(k->image);
    k->image = load_one(k, 0, &k->image_bytes);
    for (uint32_t i = 1; i < k->file_count; i++) {
        free((void *)(uintptr_t)k->more_images[i].data);
        k->more_images[i].data = load_one(k, i, &k->more_images[i].size);
    }
}

static yore_status open_one(kit *k, enum kit_way way, uint32_t i, yr_segment **out)
{
    yr_segment_open_options options = {.env = k->env, .cache = k->cache, .decoders = k->decoders};
    yore_file *file = NULL;
    char name[16];
    file_name(i, name);
    if (way == KIT_IMAGE) {
        options.image = i ? k->more_images[i] : yore_bytes(k->image, k->image_bytes);
    } else {
        int rc = k->env->open(k->env->ctx, k->dir, name, 0, &file);
        if (rc < 0) return YORE_ERR_IO;
    }
    yore_status status = way == KIT_LOAD ? yr_segment_load(&options, file, name, NULL, out, &k->err)
                                         : yr_segment_open(&options, file, name, out, &k->err);
    if (status < 0 && file) k->env->close(k->env->ctx, file);
    return status;
}

yore_status kit_open(kit *k, enum kit_way way)
{
    yr_segment *files[KIT_FILES_MAX] = {0};
    yore_status status = YORE_OK;
    uint32_t n = 0;
    for (; n < k->file_count && status == YORE_OK; n++) status = open_one(k, way, n, &files[n]);
    if (status == YORE_OK)
        status = (k->is_salvage ? yr_run_create_for_salvage : yr_run_create)(k->env, 9, files, k->file_count,
                                                                             &k->run, &k->err);
    if (status == YORE_OK) {
        k->segment = files[0];
    } else {
        for (uint32_t i = 0; i < n; i++) yr_segment_close(files[i]);
    }
    return status;
}

uint64_t kit_hash(const kit *k, yore_slice tree_key)
{
    const uint8_t *p = tree_key.data;
    uint64_t seed = yr_segment_facts(k->segment)->hash_seed;
    return yr_segment_hash_of(seed, yr_get_be32(p), p[4], yore_bytes(p + 5, tree_key.size - 5));
}

bool kit_same_row(const yr_segment_row *a, const yr_segment_row *b)
{
    return yr_slice_equal(a->tree_key, b->tree_key) && yr_slice_equal(a->value, b->value) &&
           yr_slice_equal(a->meta, b->meta) && a->version == b->version && a->expiry_ns == b->expiry_ns &&
           a->op == b->op && a->type == b->type && a->is_reference == b->is_reference;
}

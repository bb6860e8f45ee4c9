/* Damage at rest: each bit of a small segment flipped, the file cut at each byte, sectors zeroed and swapped, files in
 * each other's place. Opening, reading or verifying reports it, or no answer changes; and an answer given is the
 * model's. A report names the file. Argument: take every n-th bit (1 = all). */
#include <inttypes.h>

#include "engine/base/hash.h"
#include "tests/unit/segment/segment_kit.h"

static uint64_t stride = 23;

static const kit_shape rot_shape = {"rot", 50, 80, 4, 24, 60, 3, 5, true, true, true};
/* The same with a commit for every version. */
static const kit_shape dense_shape = {"rot", 50, 80, 4, 24, 60, 3, 5, true, false, true};

/* What reading gave: a failure, if there was one. Reads go on after it: S2 holds for each. */
typedef struct reading {
    yore_status failure;
} reading;

static bool failed(kit *k, yore_status status, reading *out)
{
    if (status >= 0) return false;
    if (status != YORE_ERR_CORRUPT && status != YORE_ERR_FORMAT) {
        print_error("damage gave %s: %s\n", yore_status_name(status), k->err.message);
        fail();
    }
    if (!strstr(k->err.message, KIT_NAME)) {
        print_error("a report without the file's name: %s\n", k->err.message);
        fail();
    }
    out->failure = status;
    return true;
}

static void read_keys(kit *k, const kit_model *model, reading *out)
{
    for (uint32_t key = 0; key < model->key_count; key++) {
        yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
        for (uint64_t cap = model->after_version; cap <= model->last_version; cap += 7) {
            yr_segment_hit hit = {0};
            yore_status status =
                yr_segment_find(k->segment, tree_key, kit_hash(k, tree_key), cap, &hit, &k->err);
            if (failed(k, status, out)) continue;
            uint32_t want = kit_model_find(model, key, cap);
            assert_int_equal(status, want == UINT32_MAX ? YORE_NOT_FOUND : YORE_OK);
            if (status == YORE_OK) assert_true(kit_same_row(&hit.row, &model->rows[want]));
            yr_segment_hit_release(&hit);
        }
    }
}

static void read_in_order(kit *k, const kit_model *model, uint64_t cap, bool is_back, reading *out)
{
    yr_segment_cursor cursor;
    yr_segment_row row;
    yr_segment_cursor_init(&cursor, k->segment, cap, yore_bytes(NULL, 0));
    yore_status status = is_back ? yr_segment_cursor_seek_reverse(&cursor, yore_bytes(NULL, 0), &row, &k->err)
                                 : yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, &k->err);
    uint32_t key = is_back ? model->key_count : 0;
    for (;;) {
        if (failed(k, status, out)) break;
        uint32_t want = UINT32_MAX;
        while (want == UINT32_MAX && (is_back ? key > 0 : key < model->key_count)) {
            want = kit_model_find(model, is_back ? key - 1 : key, cap);
            key += is_back ? UINT32_MAX : 1;
        }
        assert_int_equal(status, want == UINT32_MAX ? YORE_END : YORE_OK);
        if (status == YORE_END) break;
        assert_true(kit_same_row(&row, &model->rows[want]));
        status = is_back ? yr_segment_cursor_prev(&cursor, &row, &k->err)
                         : yr_segment_cursor_next(&cursor, &row, &k->err);
    }
    yr_segment_cursor_deinit(&cursor);
}

static void read_changes(kit *k, const kit_model *model, reading *out)
{
    yr_segment_changes changes;
    yr_segment_row row;
    yore_status status = yr_segment_changes_open(k->segment, 0, &changes, &k->err);
    for (uint32_t i = 0; !failed(k, status, out); i++) {
        status = yr_segment_changes_next(&changes, &row, &k->err);
        if (failed(k, status, out)) break;
        assert_int_equal(status, i < model->row_count ? YORE_OK : YORE_END);
        if (status == YORE_END) break;
        assert_true(kit_same_row(&row, &model->rows[model->by_version[i]]));
    }
    yr_segment_changes_close(&changes);
}

static void read_commits(kit *k, const kit_model *model, reading *out)
{
    for (uint32_t i = 0; i < model->commit_count; i++) {
        const yr_commit_head *head = &model->commits[i].head;
        yr_segment_commit commit;
        uint64_t version = 0;
        yore_status status = yr_segment_commit_find(k->segment, head->version, true, &commit, &k->err);
        if (!failed(k, status, out)) {
            assert_int_equal(status, YORE_OK);
            assert_int_equal(commit.prev, model->commits[i].prev);
            assert_int_equal(commit.head.time_ns, head->time_ns);
            assert_true(yr_slice_equal(commit.head.note, head->note));
            yr_segment_commit_release(&commit);
        }
        status = yr_segment_version_at(k->segment, head->time_ns, &version, &k->err);
        if (failed(k, status, out)) continue;
        assert_int_equal(status, YORE_OK);
        assert_int_equal(version, head->version);
    }
}

/* Rows one by one; commits, their times, and heads. */
static void read_run(kit *k, const kit_model *model, reading *out)
{
    yr_run_rows rows;
    yr_segment_row row;
    kit_ok(k, yr_run_rows_open(k->run, &rows, &k->err));
    for (uint32_t i = 0;; i++) {
        yore_status status = yr_run_rows_next(&rows, &row, &k->err);
        if (failed(k, status, out)) break;
        assert_int_equal(status, i < model->row_count ? YORE_OK : YORE_END);
        if (status == YORE_END) break;
        assert_true(kit_same_row(&row, &model->rows[i]));
    }
    yr_run_rows_close(&rows);
    yr_run_commits commits;
    yr_segment_commit commit;
    kit_ok(k, yr_run_commits_open(k->run, &commits, &k->err));
    for (uint32_t i = 0;; i++) {
        yore_status status = yr_run_commits_next(&commits, &commit, &k->err);
        if (failed(k, status, out)) break;
        assert_int_equal(status, i < model->commit_count ? YORE_OK : YORE_END);
        if (status == YORE_END) break;
        assert_true(kit_same_head(&commit.head, &model->commits[i].head));
    }
    yr_run_commits_close(&commits);
    uint64_t want[4] = {0}, versions[1], head;
    int64_t times[1];
    for (uint32_t i = 0; i < model->commit_count; i++) {
        const yr_commit_head *c = &model->commits[i].head;
        want[c->branch] = versions[0] = c->version;
        for (uint32_t b = 0; b < 4; b++) {
            if (failed(k, yr_run_head_at(k->run, b, c->version, &head, &k->err), out)) continue;
            assert_true(head == want[b]);
        }
        yore_status status = yr_run_commit_times(k->run, versions, times, 1, &k->err);
        if (failed(k, status, out)) continue;
        assert_int_equal(status, YORE_OK);
        assert_true(times[0] == c->time_ns);
    }
}

/* Open whatever is there and read all of it. True when damage was reported by anything but verify; *is_verified says
 * what that found. */
static bool read_all(kit *k, const kit_model *model, enum kit_way way, bool *is_verified)
{
    reading out = {0};
    *is_verified = false;
    if (failed(k, kit_open(k, way), &out)) return true;
    read_keys(k, model, &out);
    read_in_order(k, model, UINT64_MAX, false, &out);
    read_in_order(k, model, model->after_version + 40, true, &out);
    read_changes(k, model, &out);
    read_commits(k, model, &out);
    read_run(k, model, &out);
    reading verified = {0};
    *is_verified = !failed(k, yr_segment_verify(k->segment, &k->err), &verified);
    kit_close(k);
    return out.failure != YORE_OK;
}

typedef struct rot {
    kit k;
    kit_model model;
} rot;

static void rot_init(rot *r, enum yr_segment_form form)
{
    yr_segment_build_options options;
    kit_model_make(&r->model, form == YR_SEGMENT_HOT ? &dense_shape : &rot_shape, 11);
    r->model.last_version = r->model.commits[r->model.commit_count - 1].head.version;
    kit_init(&r->k, 11, 1u << 20);
    kit_options(&r->model, form, &options);
    options.main_block_bytes = 1024;
    options.history_block_bytes = 512;
    options.sample_bytes = 8192;
    kit_ok(&r->k, kit_build(&r->k, &r->model, &options));
    kit_load(&r->k);
    bool is_verified;
    assert_false(read_all(&r->k, &r->model, KIT_IMAGE, &is_verified));
    assert_true(is_verified);
}

static void rot_deinit(rot *r)
{
    kit_deinit(&r->k);
    kit_model_free(&r->model);
}

static void flip_all(enum yr_segment_form form)
{
    rot r;
    rot_init(&r, form);
    uint64_t reported = 0, by_verify = 0, bits = 8 * (uint64_t)r.k.image_bytes;
    for (uint64_t bit = 0; bit < bits; bit += stride) {
        bool is_verified;
        uint8_t mask = (uint8_t)(1u << (bit % 8));
        enum kit_way way = bit / stride % 4 == 0 ? KIT_PREAD : bit / stride % 8 == 1 ? KIT_LOAD : KIT_IMAGE;
        r.k.image[bit / 8] ^= mask;
        if (way != KIT_IMAGE) assert_true(yr_sim_file_flip(r.k.sim, KIT_PATH, bit));
        bool is_reported = read_all(&r.k, &r.model, way, &is_verified);
        r.k.image[bit / 8] ^= mask;
        if (way != KIT_IMAGE) assert_true(yr_sim_file_flip(r.k.sim, KIT_PATH, bit));
        if (way == KIT_LOAD) assert_true(is_reported);
        if (is_verified) {
            print_error("bit %" PRIu64 " of byte %" PRIu64 " went unnoticed\n", bit % 8, bit / 8);
            fail();
        }
        if (is_reported) {
            reported++;
        } else {
            by_verify++;
        }
    }
    print_message("%zu bytes: %" PRIu64 " flips reported by reads, %" PRIu64
                  " harmless to reads, reported by verify\n",
                  r.k.image_bytes, reported, by_verify);
    assert_true(reported > 10 * by_verify);
    rot_deinit(&r);
}

static void test_each_flipped_bit_is_reported_hot(void **state)
{
    (void)state;
    flip_all(YR_SEGMENT_HOT);
}

static void test_each_flipped_bit_is_reported_cold(void **state)
{
    (void)state;
    flip_all(YR_SEGMENT_COLD);
}

static void test_each_truncation_is_reported_at_open(void **state)
{
    (void)state;
    for (int form = YR_SEGMENT_HOT; form <= YR_SEGMENT_COLD; form++) {
        rot r;
        rot_init(&r, (enum yr_segment_form)form);
        size_t whole = r.k.image_bytes;
        for (size_t size = 1; size < whole; size++) {
            uint8_t *exact = malloc(size); /* so that a sanitizer sees a read past it */
            memcpy(exact, r.k.image, size);
            uint8_t *kept = r.k.image;
            r.k.image = exact;
            r.k.image_bytes = size;
            assert_int_equal(kit_open(&r.k, KIT_IMAGE), YORE_ERR_CORRUPT);
            r.k.image = kept;
            r.k.image_bytes = whole;
            free(exact);
        }
        for (uint64_t size = whole - 1; size > 0; size -= size > 300 ? 97 : 1) {
            assert_true(yr_sim_file_truncate(r.k.sim, KIT_PATH, size));
            assert_int_equal(kit_open(&r.k, KIT_PREAD), YORE_ERR_CORRUPT);
        }
        assert_true(yr_sim_file_truncate(r.k.sim, KIT_PATH, 0));
        assert_int_equal(kit_open(&r.k, KIT_PREAD), YORE_ERR_CORRUPT);
        rot_deinit(&r);
    }
}

/* The file shrinks while it is open and read with pread: an error, not a crash. */
static void test_truncation_while_open_is_reported(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, YR_SEGMENT_HOT);
    kit_ok(&r.k, kit_open(&r.k, KIT_PREAD));
    assert_true(yr_sim_file_truncate(r.k.sim, KIT_PATH, 100));
    reading out = {0};
    read_keys(&r.k, &r.model, &out);
    assert_int_equal(out.failure, YORE_ERR_CORRUPT);
    kit_close(&r.k);
    rot_deinit(&r);
}

static void test_damaged_sectors_are_reported(void **state)
{
    (void)state;
    for (int form = YR_SEGMENT_HOT; form <= YR_SEGMENT_COLD; form++) {
        rot r;
        rot_init(&r, (enum yr_segment_form)form);
        uint8_t *whole = malloc(r.k.image_bytes);
        memcpy(whole, r.k.image, r.k.image_bytes);
        size_t sectors = r.k.image_bytes / 512;
        for (size_t i = 0; i < sectors; i++) {
            bool is_verified;
            memset(r.k.image + 512 * i, 0, 512); /* zeroed */
            (void)read_all(&r.k, &r.model, KIT_IMAGE, &is_verified);
            assert_false(is_verified);
            memcpy(r.k.image, whole, r.k.image_bytes);
            size_t other = (i + 1) % sectors; /* swapped with the next */
            memcpy(r.k.image + 512 * i, whole + 512 * other, 512);
            memcpy(r.k.image + 512 * other, whole + 512 * i, 512);
            (void)read_all(&r.k, &r.model, KIT_IMAGE, &is_verified);
            assert_false(is_verified);
            memcpy(r.k.image, whole, r.k.image_bytes);
        }
        free(whole);
        rot_deinit(&r);
    }
}

/* Blocks of the same segment built a second time, under another salt, do not verify in the first one's place. */
static void test_stale_blocks_are_reported(void **state)
{
    (void)state;
    rot r;
    yr_segment_build_options options;
    rot_init(&r, YR_SEGMENT_HOT);
    size_t size = r.k.image_bytes;
    uint8_t *first = malloc(size);
    memcpy(first, r.k.image, size);
    kit_options(&r.model, YR_SEGMENT_HOT, &options);
    options.main_block_bytes = 1024;
    options.history_block_bytes = 512;
    kit_ok(&r.k, kit_build(&r.k, &r.model, &options));
    kit_load(&r.k);
    assert_int_equal(r.k.image_bytes, size);
    for (size_t off = 64; off + 512 <= size; off += 512) {
        bool is_verified;
        uint8_t kept[512];
        memcpy(kept, r.k.image + off, 512);
        memcpy(r.k.image + off, first + off, 512);
        bool is_same = memcmp(kept, first + off, 512) == 0;
        (void)read_all(&r.k, &r.model, KIT_IMAGE, &is_verified);
        memcpy(r.k.image + off, kept, 512);
        assert_true(is_verified == is_same);
    }
    free(first);
    rot_deinit(&r);
}

static void test_foreign_files_are_refused(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, YR_SEGMENT_HOT);
    static const uint8_t other_uuid[YR_UUID_BYTES] = {9};
    yr_segment_open_options options = {.env = r.k.env, .cache = r.k.cache, .decoders = r.k.decoders};
    options.image = yore_bytes(r.k.image, r.k.image_bytes);
    options.uuid = other_uuid;
    yr_segment *segment = NULL;
    assert_int_equal(yr_segment_open(&options, NULL, KIT_NAME, &segment, &r.k.err), YORE_ERR_CORRUPT);
    options.uuid = NULL;
    options.file_id = 2;
    assert_int_equal(yr_segment_open(&options, NULL, KIT_NAME, &segment, &r.k.err), YORE_ERR_CORRUPT);
    /* A newer format is refused by name, not called damaged. */
    yr_file_header header;
    options.file_id = 0;
    assert_int_equal(yr_file_header_decode(options.image, &header), YR_HEADER_OK);
    header.must_understand = 128;
    yr_file_header_encode(&header, r.k.image);
    assert_int_equal(yr_segment_open(&options, NULL, KIT_NAME, &segment, &r.k.err), YORE_ERR_FORMAT);
    header.must_understand = 0;
    header.kind = YR_FILE_WAL;
    yr_file_header_encode(&header, r.k.image);
    assert_int_equal(yr_segment_open(&options, NULL, KIT_NAME, &segment, &r.k.err), YORE_ERR_CORRUPT);
    rot_deinit(&r);
}

int main(int argc, char **argv)
{
    if (argc > 1) stride = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_flipped_bit_is_reported_hot),
        cmocka_unit_test(test_each_flipped_bit_is_reported_cold),
        cmocka_unit_test(test_each_truncation_is_reported_at_open),
        cmocka_unit_test(test_truncation_while_open_is_reported),
        cmocka_unit_test(test_damaged_sectors_are_reported),
        cmocka_unit_test(test_stale_blocks_are_reported),
        cmocka_unit_test(test_foreign_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

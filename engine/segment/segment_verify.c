#include "engine/segment/segment_verify.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash128.h"
#include "engine/base/mem.h"
#include "engine/format/segment_commits.h"
#include "engine/format/segment_hash.h"
#include "engine/base/file_io.h"
#include "engine/segment/segment_private.h"
#include "engine/segment/segment_tally.h"
#include "engine/segment/segment_verify_private.h"

#define READ_BYTES (256u << 10)
#define CACHE_BYTES (8u << 20)

/* -- the whole file -- */

/* Hash [0, size) of a file, or of an image. */
static yore_status hash_bytes(const yore_env *env, yore_file *file, const uint8_t *image, const char *name,
                              uint64_t size, yr_hash128 *hash, yore_error *err)
{
    yore_status status = YORE_OK;
    if (!file) {
        yr_hash128_update(hash, image, size);
        return YORE_OK;
    }
    uint8_t *buffer = yr_alloc(env, READ_BYTES);
    if (!buffer) return yr_fail(err, YORE_ERR_NOMEM, "no memory to verify segment '%s'", name);
    for (uint64_t off = 0; off < size && status == YORE_OK;) {
        size_t n = size - off < READ_BYTES ? (size_t)(size - off) : READ_BYTES;
        int64_t got = yr_file_read_all(env, file, buffer, n, off);
        if (got < 0) status = yr_fail_errno(err, YORE_ERR_IO, (int)-got, "cannot read segment '%s'", name);
        if (got >= 0 && (size_t)got < n)
            status = yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': truncated", name);
        if (status == YORE_OK) yr_hash128_update(hash, buffer, n);
        off += n;
    }
    yr_free(env, buffer, READ_BYTES);
    return status;
}

static yore_status hash_check(const yore_env *env, yore_file *file, const uint8_t *image, const char *name,
                              uint64_t file_bytes, const uint8_t file_hash[16], yore_error *err)
{
    uint8_t found[16];
    yr_hash128 *hash = yr_hash128_create(env);
    if (!hash) return yr_fail(err, YORE_ERR_NOMEM, "no memory to verify segment '%s'", name);
    uint64_t covered = file_bytes - YR_SEGMENT_FOOTER_BYTES + YR_SEGMENT_HASH_OFF;
    yore_status status = hash_bytes(env, file, image, name, covered, hash, err);
    yr_hash128_digest(hash, found);
    yr_hash128_destroy(env, hash);
    if (status == YORE_OK && memcmp(found, file_hash, sizeof found) != 0)
        status = yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': the hash of the whole file differs", name);
    return status;
}

yore_status yr_segment_verify_hash(const yore_env *env, yore_file *file, const char *name,
                                   uint64_t file_bytes, const uint8_t file_hash[16], yore_error *err)
{
    uint8_t footer[YR_SEGMENT_FOOTER_BYTES];
    int64_t size = env->size(env->ctx, file);
    if (size < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read segment '%s'", name);
    if ((uint64_t)size != file_bytes)
        return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': wrong size after writing", name);
    int64_t got = yr_file_read_all(env, file, footer, sizeof footer, file_bytes - sizeof footer);
    if (got < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-got, "cannot read segment '%s'", name);
    if (got < (int64_t)sizeof footer || memcmp(footer + YR_SEGMENT_HASH_OFF, file_hash, 16) != 0)
        return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': another footer than was written", name);
    return hash_check(env, file, NULL, name, file_bytes, file_hash, err);
}

/* -- commits -- */

typedef struct commit_walk {
    yr_segment *segment;
    uint64_t count;
    uint64_t version;
    int64_t time_ns;
    yr_info_ref info; /* where the next one must be, or at the start of the block behind */
    yr_block_pin info_pin;
    uint32_t info_held; /* the block in info_pin; UINT32_MAX = none */
    yr_buf heads;
} commit_walk;

/* Infos lie one behind the other in the order of their commits; a block begins with the version of its first. */
static yore_status info_check(commit_walk *walk, yr_info_ref info, yr_commit_head *head, yore_error *err)
{
    yr_segment *segment = walk->segment;
    uint64_t start = segment->layout.section_off[YR_STREAM_INFOS];
    bool is_next = info.block == walk->info.block && info.off == walk->info.off;
    bool begins = info.off == YR_INFO_BLOCK_HEADER && info.block == walk->info_held + 1 &&
                  walk->info.off == walk->info_pin.size;
    if (!is_next && !begins) return yr_segment_bad(segment, start, "info out of place", err);
    if (info.block >= segment->layout.block_count[YR_STREAM_INFOS])
        return yr_segment_bad(segment, start, "info out of range", err);
    if (info.block != walk->info_held) {
        yr_segment_entry entry;
        yr_block_pin_release(&walk->info_pin);
        yore_status status = yr_segment_entry_get(segment, YR_STREAM_INFOS, info.block, &entry, err);
        if (status == YORE_OK)
            status = yr_segment_block_get(segment, YR_STREAM_INFOS, info.block, &walk->info_pin, err);
        if (status < 0) return status;
        walk->info_held = info.block;
        if (walk->info_pin.size < YR_INFO_BLOCK_HEADER || entry.key != head->version || entry.first != 0 ||
            yr_get_le64(walk->info_pin.data) != head->version)
            return yr_segment_bad_block(segment, YR_STREAM_INFOS, info.block, "not what its table says", err);
    }
    yore_slice raw = yore_bytes(walk->info_pin.data, walk->info_pin.size);
    walk->info.block = info.block;
    if (yr_info_take(raw, info.off, head, &walk->info.off)) return YORE_OK;
    return yr_segment_bad_block(segment, YR_STREAM_INFOS, info.block, "damaged info", err);
}

static yore_status commit_check(commit_walk *walk, const yr_commits *commits, uint32_t b, uint32_t i,
                                yore_error *err)
{
    yr_segment *segment = walk->segment;
    const yr_segment_footer *footer = &segment->footer;
    yr_commit_head head;
    yr_info_ref info;
    uint64_t prev;
    const char *problem = NULL;
    if (!yr_commits_describe(commits, i, &head, &prev, &info)) {
        problem = "damaged commit";
    } else if (head.version <= footer->after_version || head.version > footer->last_version) {
        problem = "a version out of range";
    } else if (walk->count == 0 && head.time_ns != footer->first_time_ns) {
        problem = "another first time than the footer";
    } else if (walk->count > 0 && (head.version <= walk->version || head.time_ns <= walk->time_ns)) {
        problem = "commits out of order";
    }
    if (problem) return yr_segment_bad_block(segment, YR_STREAM_COMMITS, b, problem, err);
    walk->count++;
    walk->version = head.version;
    walk->time_ns = head.time_ns;
    if (!yr_tally_head(&walk->heads, head.branch, head.version))
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to verify segment '%s'", segment->name);
    return info.off ? info_check(walk, info, &head, err) : YORE_OK;
}

static yore_status commits_check(commit_walk *walk, uint32_t b, yore_error *err)
{
    yr_segment *segment = walk->segment;
    yr_block_pin pin = {0};
    yr_commits commits;
    yr_segment_entry entry;
    yore_status status = yr_segment_entry_get(segment, YR_STREAM_COMMITS, b, &entry, err);
    if (status == YORE_OK) status = yr_segment_commits_get(segment, b, &pin, &commits, err);
    if (status < 0) return status;
    uint64_t left = segment->footer.commits - walk->count;
    uint32_t mask = 0;
    for (uint32_t i = 0; i < commits.count; i++)
        mask |= yr_branch_bit((uint32_t)yr_commits_get(&commits, YR_COLUMN_BRANCH, i));
    if (entry.first != mask || entry.key != yr_commits_get(&commits, YR_COLUMN_VERSION, 0) ||
        commits.count != (left < YR_COMMITS_PER_BLOCK ? left : YR_COMMITS_PER_BLOCK))
        status = yr_segment_bad_block(segment, YR_STREAM_COMMITS, b, "not what its table says", err);
    for (uint32_t i = 0; i < commits.count && status == YORE_OK; i++)
        status = commit_check(walk, &commits, b, i, err);
    yr_block_pin_release(&pin);
    return status;
}

static yore_status heads_check(commit_walk *walk, yore_error *err)
{
    yr_segment *segment = walk->segment;
    uint64_t off = segment->layout.section_off[YR_SECTION_HEADS];
    if (walk->heads.size != (uint64_t)segment->layout.head_count * YR_SEGMENT_TALLY_BYTES)
        return yr_segment_bad(segment, off, "heads differ from the commits", err);
    for (uint32_t i = 0; i < segment->layout.head_count; i++) {
        yr_segment_head head;
        yore_status status = yr_segment_head_get(segment, i, &head, err);
        if (status < 0) return status;
        if (memcmp(walk->heads.data + i * sizeof head, &head, sizeof head) != 0)
            return yr_segment_bad(segment, off, "heads differ from the commits", err);
    }
    return YORE_OK;
}

static yore_status verify_commits(yr_segment *segment, yore_error *err)
{
    commit_walk walk = {.segment = segment, .info = {.off = YR_INFO_BLOCK_HEADER}, .info_held = UINT32_MAX};
    uint32_t infos = segment->layout.block_count[YR_STREAM_INFOS];
    yore_status status = YORE_OK;
    yr_buf_init(&walk.heads, segment->env, YR_SEGMENT_FILE_BYTES_MAX);
    for (uint32_t b = 0; b < segment->layout.block_count[YR_STREAM_COMMITS] && status == YORE_OK; b++)
        status = commits_check(&walk, b, err);
    bool is_used_up = infos == walk.info_held + 1 && (infos == 0 || walk.info.off == walk.info_pin.size);
    yr_block_pin_release(&walk.info_pin);
    if (status == YORE_OK && (walk.count != segment->footer.commits || !is_used_up ||
                              (walk.count && walk.time_ns != segment->footer.last_time_ns)))
        status = yr_segment_bad(segment, segment->footer.file_bytes, "commits differ from the footer", err);
    if (status == YORE_OK) status = heads_check(&walk, err);
    yr_buf_deinit(&walk.heads);
    return status;
}

/* -- changes -- */

/* Take a block's changes; they go on from (version, ordinal), which move. */
static const char *changes_check(yore_slice raw, uint64_t key, uint64_t *version, uint64_t *ordinal,
                                 uint64_t *count, uint64_t *print)
{
    yr_changes changes;
    bool is_first = true;
    if (!yr_changes_open(raw, &changes)) return "damaged change list";
    for (;; is_first = false) {
        enum yr_changes_step step = yr_changes_next(&changes);
        if (step == YR_CHANGES_END) return is_first ? "an empty change list" : NULL;
        if (step == YR_CHANGES_BAD) return "damaged change list";
        if (is_first && changes.version != key) return "not what its table says";
        if (changes.version < *version ||
            (changes.version == *version && changes.ordinal <= *ordinal && *count))
            return "changes out of order";
        *version = changes.version;
        *ordinal = changes.ordinal;
        ++*count;
        *print += yr_segment_change_print(changes.version, changes.ordinal);
    }
}

/* All changes differ, there are as many as rows, and their prints add up to what the rows' do: they are the rows. */
static yore_status verify_changes(yr_segment *segment, uint64_t rows_print, yore_error *err)
{
    uint64_t count = 0, print = 0, version = segment->footer.after_version + 1, ordinal = 0;
    for (uint32_t b = 0; b < segment->layout.block_count[YR_STREAM_CHANGES]; b++) {
        yr_block_pin pin = {0};
        yr_segment_entry entry;
        yore_status status = yr_segment_entry_get(segment, YR_STREAM_CHANGES, b, &entry, err);
        if (status == YORE_OK) status = yr_segment_block_get(segment, YR_STREAM_CHANGES, b, &pin, err);
        if (status < 0) return status;
        yore_slice raw = yore_bytes(pin.data, pin.size);
        const char *problem = changes_check(raw, entry.key, &version, &ordinal, &count, &print);
        if (!problem && entry.first != 0) problem = "not what its table says";
        yr_block_pin_release(&pin);
        if (problem) return yr_segment_bad_block(segment, YR_STREAM_CHANGES, b, problem, err);
    }
    if (count == segment->footer.rows && print == rows_print) return YORE_OK;
    return yr_segment_bad(segment, segment->footer.file_bytes, "the change list differs from the rows", err);
}

/* -- fences: keys were located with them; here, that they lie one behind the other -- */

static yore_status number_get(yr_segment *segment, uint64_t off, size_t size, uint32_t *number,
                              yore_error *err)
{
    uint8_t scratch[4];
    const uint8_t *at;
    yr_block_pin pin = {0};
    yore_status status = yr_segment_index_read(segment, off, size, scratch, &pin, &at, err);
    if (status == YORE_OK) *number = size == 4 ? yr_get_le32(at) : *at;
    yr_block_pin_release(&pin);
    return status;
}

static yore_status verify_fences(yr_segment *segment, yore_error *err)
{
    uint64_t start = segment->layout.section_off[YR_SECTION_FENCES];
    uint64_t bytes = segment->footer.section_bytes[YR_SECTION_FENCES];
    uint32_t count = segment->layout.block_count[YR_STREAM_MAIN], number = 0;
    uint64_t next = 8 + 4 * (uint64_t)count;
    if (count == 0) return YORE_OK;
    yore_status status = number_get(segment, start + 4, 4, &number, err);
    if (status == YORE_OK && number != 0)
        return yr_segment_bad(segment, start + 4, "fences: unknown fields", err);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        status = number_get(segment, start + 8 + 4 * (uint64_t)i, 4, &number, err);
        if (status == YORE_OK && (number != next || next >= bytes))
            return yr_segment_bad(segment, start + 8 + 4 * (uint64_t)i, "fence out of place", err);
        if (status == YORE_OK) status = number_get(segment, start + next, 1, &number, err);
        next += 1 + number;
    }
    if (status < 0 || next == bytes) return status;
    return yr_segment_bad(segment, start, "fences out of range", err);
}

/* -- hash index: keys were looked up; here, that there is nothing else in it -- */

static yore_status verify_buckets(yr_segment *segment, yore_error *err)
{
    uint64_t used = 0;
    uint64_t off = segment->layout.section_off[YR_SECTION_HASH];
    for (uint32_t b = 0; b < segment->layout.bucket_count; b++, off += YR_BUCKET_BYTES) {
        uint8_t scratch[YR_BUCKET_BYTES];
        const uint8_t *bucket;
        yr_block_pin pin = {0};
        yore_status status = yr_segment_index_read(segment, off, sizeof scratch, scratch, &pin, &bucket, err);
        if (status < 0) return status;
        used += YR_BUCKET_SLOTS - (uint32_t)__builtin_popcount(yr_bucket_match(bucket, 0));
        yr_block_pin_release(&pin);
    }
    if (used <= segment->footer.keys) return YORE_OK;
    return yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_HASH],
                          "hash index: more than the keys", err);
}

yore_status yr_segment_verify(yr_segment *segment, yore_error *err)
{
    uint64_t rows_print = 0;
    yore_status status = YORE_OK;
    if (!segment->is_unchecked)
        status = hash_check(segment->env, segment->file, segment->image, segment->name,
                            segment->footer.file_bytes, segment->footer.file_hash, err);
    if (status == YORE_OK) status = yr_segment_verify_rows(segment, &rows_print, err);
    if (status == YORE_OK) status = verify_fences(segment, err);
    if (status == YORE_OK) status = verify_buckets(segment, err);
    if (status == YORE_OK) status = verify_commits(segment, err);
    if (status == YORE_OK) status = verify_changes(segment, rows_print, err);
    return status;
}

yore_status yr_segment_verify_file(const yore_env *env, yore_file *file, const char *name,
                                   const yr_segment_footer *expected, yore_error *err)
{
    yr_block_cache *cache = NULL;
    yr_decoders *decoders = NULL;
    yr_segment *segment = NULL;
    yore_status status = yr_block_cache_create(env, CACHE_BYTES, &cache, err);
    if (status == YORE_OK) status = yr_decoders_create(env, &decoders, err);
    if (status < 0) goto out;
    yr_segment_open_options options = {
        .env = env, .cache = cache, .decoders = decoders, .borrows_file = true};
    status = yr_segment_open(&options, file, name, &segment, err);
    if (status < 0) goto out;
    if (memcmp(segment->footer.file_hash, expected->file_hash, 16) != 0) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': another footer than was written", name);
        goto out;
    }
    status = yr_segment_verify(segment, err);
out:
    yr_segment_close(segment);
    yr_decoders_destroy(decoders);
    yr_block_cache_destroy(cache);
    return status;
}

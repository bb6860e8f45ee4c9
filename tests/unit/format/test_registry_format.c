/* Registry rows: what is encoded is decoded, records of older versions stay readable and are still written where
 * nothing new is said, and bytes that say something else are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/format/registry_format.h"

/* As written since format 1.0 and 1.1. */
static const uint8_t golden_v1[] = {
    1,    3,    3,    0,    7,    0,    0,    0, /* version, deleted and hidden, 3 bytes of name, parent 7 */
    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* fork version */
    0x01, 0,    0,    0,    0,    0,    0,    0x10, /* created */
    0x02, 0,    0,    0,    0,    0,    0,    0,    /* time to live */
    0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, /* deleted version */
    'e',  'x',  'p'};
static const uint8_t golden_v2[] = {2,    7,    3,    0,    7,    0,    0,    0,    /* the same, and purged */
                                    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* fork version */
                                    0x01, 0,    0,    0,    0,    0,    0,    0x10, /* created */
                                    0x02, 0,    0,    0,    0,    0,    0,    0,    /* time to live */
                                    0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, /* deleted version */
                                    2,    0,    0,    0,    0,    0,    0,    0,    /* an age */
                                    0x00, 0xE8, 0x76, 0x48, 0x17, 0,    0,    0,    /* of 100 s */
                                    0x05, 0,    0,    0,    0,    0,    0,    0x01, /* trimmed version */
                                    'e',  'x',  'p'};
static const uint8_t golden_erase[YR_ERASE_RECORD_BYTES] = {
    1,    1,    1,    0,    9,    0,    0,    0,    /* version, a prefix, kv, zero, branch 9 */
    7,    0,    0,    0,    0,    0,    0,    0,    /* bytes of the pattern */
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* seed */
    0x2A, 0,    0,    0,    0,    0,    0,    0x80, /* hashes */
    0x2B, 0,    0,    0,    0,    0,    0,    0x40};

static yr_branch_record sample(void)
{
    return (yr_branch_record){.parent = 7,
                              .flags = YR_BRANCH_DELETED | YR_BRANCH_HIDDEN,
                              .fork_version = 0x1122334455667788,
                              .created_ns = 0x1000000000000001,
                              .ttl_ns = 2,
                              .deleted_version = 0x2233445566778899,
                              .name = yore_str("exp")};
}

static yr_branch_record sample_v2(void)
{
    yr_branch_record record = sample();
    record.flags |= YR_BRANCH_PURGED;
    record.retention = (yr_retention){.kind = YORE_RETENTION_AGE, .amount = 100000000000};
    record.trimmed_version = 0x0100000000000005;
    return record;
}

static void expect_bytes(const yr_branch_record *record, const uint8_t *golden, size_t size)
{
    uint8_t out[YR_BRANCH_RECORD_MAX];
    yr_branch_record again;
    assert_int_equal(yr_branch_record_encode(record, out), size);
    assert_memory_equal(out, golden, size);
    assert_true(yr_branch_record_decode(yore_bytes(golden, size), &again));
    assert_int_equal(again.parent, record->parent);
    assert_int_equal(again.flags, record->flags);
    assert_int_equal(again.fork_version, record->fork_version);
    assert_int_equal(again.created_ns, record->created_ns);
    assert_int_equal(again.ttl_ns, record->ttl_ns);
    assert_int_equal(again.deleted_version, record->deleted_version);
    assert_int_equal(again.retention.kind, record->retention.kind);
    assert_int_equal(again.retention.amount, record->retention.amount);
    assert_int_equal(again.trimmed_version, record->trimmed_version);
    assert_int_equal(again.name.size, 3);
    assert_memory_equal(again.name.data, "exp", 3);
}

static void test_a_branch_without_retention_is_written_as_ever(void **state)
{
    (void)state;
    yr_branch_record record = sample();
    expect_bytes(&record, golden_v1, sizeof golden_v1);
}

static void test_a_branch_with_retention_is_written_as_since_1_1(void **state)
{
    (void)state;
    yr_branch_record record = sample_v2();
    expect_bytes(&record, golden_v2, sizeof golden_v2);
}

static bool decodes(const uint8_t *golden, size_t size, size_t at, uint8_t byte)
{
    uint8_t bytes[YR_BRANCH_RECORD_MAX];
    yr_branch_record record;
    memcpy(bytes, golden, size);
    bytes[at] = byte;
    return yr_branch_record_decode(yore_bytes(bytes, size), &record);
}

static void test_branch_records_that_say_nonsense_are_refused(void **state)
{
    (void)state;
    yr_branch_record record;
    assert_true(decodes(golden_v2, sizeof golden_v2, 40, YORE_RETENTION_VERSIONS));
    assert_false(decodes(golden_v2, sizeof golden_v2, 40, YORE_RETENTION_ALL)); /* with an amount */
    assert_false(decodes(golden_v2, sizeof golden_v2, 40, YORE_RETENTION_UNSET));
    assert_false(decodes(golden_v2, sizeof golden_v2, 40, 4));
    assert_false(decodes(golden_v2, sizeof golden_v2, 41, 1));
    assert_false(decodes(golden_v2, sizeof golden_v2, 47, 1));
    assert_false(decodes(golden_v2, sizeof golden_v2, 55, 0x80)); /* an age past INT64_MAX */
    assert_false(decodes(golden_v2, sizeof golden_v2, 0, 1));
    assert_false(decodes(golden_v2, sizeof golden_v2, 0, 3));
    assert_false(decodes(golden_v1, sizeof golden_v1, 0, 2));
    assert_false(decodes(golden_v1, sizeof golden_v1, 1, YR_BRANCH_DELETED | YR_BRANCH_PURGED));
    for (size_t size = 0; size < sizeof golden_v2; size++)
        assert_false(yr_branch_record_decode(yore_bytes(golden_v2, size), &record));
    uint8_t empty[sizeof golden_v2];
    memcpy(empty, golden_v2, sizeof empty);
    empty[1] = 0;
    memset(empty + 40, 0, 24); /* version 2 that says what version 1 can: one record has one form */
    assert_false(yr_branch_record_decode(yore_bytes(empty, sizeof empty), &record));
}

static void test_amounts_belong_to_kinds(void **state)
{
    (void)state;
    assert_true(yr_retention_is_legal((yr_retention){YORE_RETENTION_UNSET, 0}));
    assert_true(yr_retention_is_legal((yr_retention){YORE_RETENTION_AGE, INT64_MAX}));
    assert_true(yr_retention_is_legal((yr_retention){YORE_RETENTION_VERSIONS, UINT64_MAX}));
    assert_false(yr_retention_is_legal((yr_retention){YORE_RETENTION_UNSET, 1}));
    assert_false(yr_retention_is_legal((yr_retention){YORE_RETENTION_AGE, 0}));
    assert_false(yr_retention_is_legal((yr_retention){YORE_RETENTION_VERSIONS, 0}));
    assert_false(yr_retention_is_legal((yr_retention){4, 1}));
}

static void test_an_erase_record_is_written_as_since_1_1(void **state)
{
    (void)state;
    const yr_erase_record record = {.branch = 9,
                                    .primitive = YORE_KV,
                                    .is_prefix = true,
                                    .pattern_bytes = 7,
                                    .seed = 0x0102030405060708,
                                    .hash = {0x800000000000002A, 0x400000000000002B}};
    yr_erase_record again;
    uint8_t out[YR_ERASE_RECORD_BYTES];
    yr_erase_record_encode(&record, out);
    assert_memory_equal(out, golden_erase, sizeof out);
    assert_true(yr_erase_record_decode(yore_bytes(golden_erase, sizeof golden_erase), &again));
    assert_int_equal(again.branch, 9);
    assert_int_equal(again.primitive, YORE_KV);
    assert_true(again.is_prefix);
    assert_int_equal(again.pattern_bytes, 7);
    assert_int_equal(again.seed, record.seed);
    assert_memory_equal(again.hash, record.hash, sizeof again.hash);
}

static void test_an_erase_record_knows_its_keys(void **state)
{
    (void)state;
    yr_erase_record one = {.branch = 3, .primitive = YORE_KV},
                    many = {.primitive = YORE_JSON, .is_prefix = true};
    yr_erase_record_make(&one, yore_str("user/17"), 42);
    assert_true(yr_erase_record_has(&one, 3, YORE_KV, yore_str("user/17")));
    assert_false(yr_erase_record_has(&one, 3, YORE_KV, yore_str("user/171")));
    assert_false(yr_erase_record_has(&one, 3, YORE_KV, yore_str("user/18")));
    assert_false(yr_erase_record_has(&one, 4, YORE_KV, yore_str("user/17")));
    assert_false(yr_erase_record_has(&one, 3, YORE_JSON, yore_str("user/17")));
    yr_erase_record_make(&many, yore_str("user/17"), UINT64_MAX);
    assert_true(yr_erase_record_has(&many, 4, YORE_JSON, yore_str("user/17")));
    assert_true(yr_erase_record_has(&many, 5, YORE_JSON, yore_str("user/171")));
    assert_false(yr_erase_record_has(&many, 5, YORE_JSON, yore_str("user/1")));
    assert_false(yr_erase_record_has(&many, 5, YORE_JSON, yore_str("user/27")));
    yr_erase_record_make(&many, yore_str(""), 1);
    assert_true(yr_erase_record_has(&many, 5, YORE_JSON, yore_str("x")));
}

static void test_erase_records_that_say_nonsense_are_refused(void **state)
{
    (void)state;
    yr_erase_record record;
    static const struct {
        size_t at;
        uint8_t byte;
    } bad[] = {{0, 0}, {0, 2}, {1, 2}, {2, 0}, {2, YORE_SYSTEM}, {3, 1}, {9, 0x81}, {10, 1}, {15, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[YR_ERASE_RECORD_BYTES];
        memcpy(bytes, golden_erase, sizeof bytes);
        bytes[bad[i].at] = bad[i].byte;
        assert_false(yr_erase_record_decode(yore_bytes(bytes, sizeof bytes), &record));
    }
    uint8_t nothing[YR_ERASE_RECORD_BYTES];
    memcpy(nothing, golden_erase, sizeof nothing);
    nothing[1] = nothing[8] = 0; /* a key without bytes */
    assert_false(yr_erase_record_decode(yore_bytes(nothing, sizeof nothing), &record));
    assert_false(yr_erase_record_decode(yore_bytes(golden_erase, sizeof golden_erase - 1), &record));
}

static void test_the_key_of_an_erase_record_is_its_version(void **state)
{
    (void)state;
    uint8_t key[YR_ERASE_KEY_BYTES];
    uint64_t version;
    yr_erase_key_encode(0x0102030405060708, key);
    assert_memory_equal(key, "e\1\2\3\4\5\6\7\10", sizeof key);
    assert_true(yr_erase_key_decode(yore_bytes(key, sizeof key), &version));
    assert_int_equal(version, 0x0102030405060708);
    assert_false(yr_erase_key_decode(yore_bytes(key, sizeof key - 1), &version));
    assert_false(yr_erase_key_decode(yore_str("t12345678"), &version));
    memset(key + 1, 0, 8);
    assert_false(yr_erase_key_decode(yore_bytes(key, sizeof key), &version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_branch_without_retention_is_written_as_ever),
        cmocka_unit_test(test_a_branch_with_retention_is_written_as_since_1_1),
        cmocka_unit_test(test_branch_records_that_say_nonsense_are_refused),
        cmocka_unit_test(test_amounts_belong_to_kinds),
        cmocka_unit_test(test_an_erase_record_is_written_as_since_1_1),
        cmocka_unit_test(test_an_erase_record_knows_its_keys),
        cmocka_unit_test(test_erase_records_that_say_nonsense_are_refused),
        cmocka_unit_test(test_the_key_of_an_erase_record_is_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Error records: which code, which words, always one line. And hashing, which has no other home. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"

static void test_failure_fills_every_field(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    err.os_errno = 5;
    err.offset = 6;
    err.version = 7;
    snprintf(err.hint, sizeof err.hint, "stale");
    assert_int_equal(yr_fail(&err, YORE_ERR_LIMIT, "key of %u bytes", 9u), YORE_ERR_LIMIT);
    assert_int_equal(err.code, YORE_ERR_LIMIT);
    assert_int_equal(err.os_errno, 0);
    assert_int_equal(err.offset, 0);
    assert_int_equal(err.version, 0);
    assert_string_equal(err.message, "key of 9 bytes");
    assert_string_equal(err.hint, "");
    yr_hint(&err, "try %s", "less");
    assert_string_equal(err.hint, "try less");
    assert_string_equal(err.message, "key of 9 bytes");
    assert_int_equal(err.struct_size, sizeof err);
}

static void test_no_record_is_fine(void **state)
{
    (void)state;
    assert_int_equal(yr_fail(NULL, YORE_ERR_IO, "x"), YORE_ERR_IO);
    assert_int_equal(yr_fail_errno(NULL, YORE_ERR_IO, ENOSPC, "x"), YORE_ERR_FULL);
    yr_hint(NULL, "x");
}

static void test_errno_decides_the_code_and_ends_the_message(void **state)
{
    (void)state;
    static const struct {
        int os_errno;
        yore_status code;
        const char *message;
    } cases[] = {
        {ENOSPC, YORE_ERR_FULL, "cannot write 'f': no space left on device"},
        {EDQUOT, YORE_ERR_FULL, "cannot write 'f': disk quota exceeded"},
        {EFBIG, YORE_ERR_FULL, "cannot write 'f': file too large"},
        {EROFS, YORE_ERR_READONLY, "cannot write 'f': read-only file system"},
        {ENOMEM, YORE_ERR_NOMEM, "cannot write 'f': cannot allocate memory"},
        {EIO, YORE_ERR_IO, "cannot write 'f': input/output error"},
        {99999, YORE_ERR_IO, "cannot write 'f': error 99999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        yore_error err = YORE_ERROR_INIT;
        assert_int_equal(yr_fail_errno(&err, YORE_ERR_IO, cases[i].os_errno, "cannot write '%s'", "f"),
                         cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.os_errno, cases[i].os_errno);
        assert_string_equal(err.message, cases[i].message);
    }
    yore_error err = YORE_ERROR_INIT;
    assert_int_equal(yr_fail_errno(&err, YORE_ERR_NO_STORE, ENOSPC, "x"),
                     YORE_ERR_NO_STORE); /* only IO is refined */
}

static void test_message_is_one_line_and_cut_between_characters(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yr_fail(&err, YORE_ERR_NAME, "branch 'a\nb\t\x7F\xC3\xA9'");
    assert_string_equal(err.message, "branch 'a?b??\xC3\xA9'");
    for (size_t before = 245; before < 260; before++) {
        char text[300];
        memset(text, 'a', sizeof text);
        memcpy(text + before, "\xE2\x82\xAC\xF0\x9F\x99\x82\xC3\xA9z", 11);
        yr_fail(&err, YORE_ERR_NAME, "%s", text);
        size_t length = strlen(err.message);
        assert_true(length < sizeof err.message);
        /* The cut falls before, between or behind the characters, never inside one. */
        size_t inside = length > before ? length - before : 0;
        assert_true(inside == 0 || inside == 3 || inside == 7 || inside == 9 || inside == 10);
        assert_true(length >= 252 || length == before + 10);
    }
}

static void test_status_names_are_distinct(void **state)
{
    (void)state;
    assert_string_equal(yore_status_name(YORE_OK), "OK");
    assert_string_equal(yore_status_name(YORE_ERR_CORRUPT), "CORRUPT");
    assert_string_equal(yore_status_name(YORE_ERR_NO_BRANCH), "NO_BRANCH");
    assert_string_equal(yore_status_name(6), "UNKNOWN");
    assert_string_equal(yore_status_name(YORE_ERR_QUERY - 1), "UNKNOWN");
    for (yore_status a = YORE_ERR_QUERY; a <= YORE_TIMEOUT; a++) {
        assert_string_not_equal(yore_status_name(a), "UNKNOWN");
        for (yore_status b = YORE_ERR_QUERY; b < a; b++) {
            assert_string_not_equal(yore_status_name(a), yore_status_name(b));
        }
    }
}

/* Hashes are in files: these numbers may never change. */
static void test_hash_is_xxh3_for_ever(void **state)
{
    (void)state;
    assert_int_equal(yr_hash64("", 0, 0), UINT64_C(0x2D06800538D394C2));
    assert_int_equal(yr_hash64("abc", 3, 0), UINT64_C(0x78AF5F94892F3950));
    assert_int_not_equal(yr_hash64("abc", 3, 0), yr_hash64("abc", 3, 1));
    assert_int_not_equal(yr_key_hash(1, 1, "k", 1), yr_key_hash(1, 2, "k", 1));
    assert_int_not_equal(yr_branch_hash(yr_key_hash(1, 1, "k", 1), 1),
                         yr_branch_hash(yr_key_hash(1, 1, "k", 1), 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure_fills_every_field),
        cmocka_unit_test(test_no_record_is_fine),
        cmocka_unit_test(test_errno_decides_the_code_and_ends_the_message),
        cmocka_unit_test(test_message_is_one_line_and_cut_between_characters),
        cmocka_unit_test(test_status_names_are_distinct),
        cmocka_unit_test(test_hash_is_xxh3_for_ever),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}

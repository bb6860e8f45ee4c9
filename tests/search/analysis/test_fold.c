/* Folding: examples, libunistring as the oracle, and clusters against the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "search/analysis/fold.h"
#include "search/analysis/words.h"
#include "tests/search/analysis/analysis_kit.h"

#define TEXT_MAX 500u

static yr_folder folder;

/* A folded text of its own. */
typedef struct folded {
    size_t size;
    uint8_t bytes[4 * YR_FOLD_CODES_MAX];
} folded;

static folded fold(const void *text, size_t size)
{
    folded out = {0};
    yore_slice slice;
    assert_true(yr_fold_any(&folder, yore_bytes(text, size), &slice));
    assert_true(slice.size <= sizeof out.bytes);
    out.size = slice.size;
    if (slice.size) memcpy(out.bytes, slice.data, slice.size);
    return out;
}

static bool is_same(const folded *a, const folded *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void expect_fold(const char *text, const char *want)
{
    folded f = fold(text, strlen(text));
    if (f.size != strlen(want) || memcmp(f.bytes, want, f.size) != 0)
        fail_msg("'%s' became '%.*s', not '%s'", text, (int)f.size, (const char *)f.bytes, want);
}

static void test_words_that_mean_the_same_become_the_same(void **state)
{
    (void)state;
    folder.is_turkic = false;
    expect_fold("HeLLo09_Z", "hello09_z");
    expect_fold("Straße", "strasse");
    expect_fold("STRASSE", "strasse");
    expect_fold("ﬁﬂﬀ", "fiflff");
    expect_fold("ＡＢＣ１２３", "abc123");
    expect_fold("Ⅷ", "viii");
    expect_fold("①", "1");
    expect_fold("ｶﾞ", "ガ");
    expect_fold("co\xC2\xADop", "coop");
    expect_fold("e\xCC\x81", "é");
    expect_fold("ΣΊΣΥΦΟΣ", "σίσυφοσ");
    expect_fold("don’t", "don't");
    expect_fold("don‘t", "don't");
    expect_fold("don＇t", "don't");
    expect_fold("İ", "i̇");
    expect_fold("I", "i");
    expect_fold("각", "각");
    expect_fold("हिन्दी", "हिन्दी");
    expect_fold("\xE2\x80\x8D", "");
}

static void test_turkish_keeps_its_two_letters_apart(void **state)
{
    (void)state;
    folder.is_turkic = true;
    expect_fold("IŞIK", "ışık");
    expect_fold("İzmir", "izmir");
    expect_fold("IRMAK", "ırmak");
    expect_fold("ANKARA", "ankara");
    folder.is_turkic = false;
}

/* libunistring's folding until nothing changes. It keeps invisible characters. */
static folded unistrings_fold(const uint8_t *text, size_t size)
{
    folded out = {.size = size};
    memcpy(out.bytes, text, size);
    for (int i = 0; i < 3; i++) {
        uint8_t room[sizeof out.bytes];
        size_t room_size = sizeof room;
        uint8_t *result = u8_casefold(out.bytes, out.size, NULL, UNINORM_NFKC, room, &room_size);
        assert_ptr_equal(result, room);
        memcpy(out.bytes, room, room_size);
        out.size = room_size;
    }
    return out;
}

/* Known to both libraries (which know different releases of Unicode), visible, and not one of our apostrophes. */
static bool is_comparable(uint32_t code)
{
    return !uc_is_property_unassigned_code_value(code) &&
           !uc_is_property_default_ignorable_code_point(code) && code != 0x2018 && code != 0x2019;
}

static void test_every_character_folds_as_in_unistring(void **state)
{
    (void)state;
    int compared = 0;
    for (uint32_t code = 1; code < 0x110000; code++) {
        uint8_t text[6];
        if ((code >= 0xD800 && code <= 0xDFFF) || !is_comparable(code)) continue;
        size_t size = (size_t)u8_uctomb(text, code, 6);
        folded ours = fold(text, size), theirs = unistrings_fold(text, size);
        if (!is_same(&ours, &theirs)) fail_msg("U+%04X", code);
        compared++;
    }
    assert_true(compared > 140000);
}

static void test_random_words_fold_as_in_unistring(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(8)};
    uint8_t text[TEXT_MAX];
    int compared = 0;
    for (int i = 0; i < 100000; i++) {
        size_t size = kit_random_text(&rng, false, text, 30);
        bool comparable = true;
        for (size_t at = 0; at < size;) {
            ucs4_t code;
            at += (size_t)u8_mbtouc(&code, text + at, size - at);
            /* utf8proc folds the iota below a Greek letter before it orders marks, Unicode after. They differ where yet
             * another mark follows, which no Greek has. */
            comparable &= is_comparable(code) && code != 0x345 && !(code >= 0x1F80 && code <= 0x1FFF);
        }
        if (!comparable) continue;
        folded ours = fold(text, size), theirs = unistrings_fold(text, size);
        if (!is_same(&ours, &theirs)) {
            for (size_t j = 0; j < size; j++) printf("%02x ", text[j]);
            fail();
        }
        compared++;
    }
    assert_true(compared > 10000);
}

static void test_folding_twice_changes_nothing(void **state)
{
    (void)state;
    int changed = 0;
    for (uint32_t code = 1; code < 0x110000; code++) {
        uint8_t text[6];
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        size_t size = (size_t)u8_uctomb(text, code, 6);
        folded once = fold(text, size), twice = fold(once.bytes, once.size);
        if (!is_same(&once, &twice)) {
            printf("U+%04X\n", code);
            changed++;
        }
    }
    assert_int_equal(changed, 0);
}

/* Why a long word may be folded piece by piece. */
static void test_clusters_fold_as_the_whole_does(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(7)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 50000; i++) {
        size_t size = kit_random_text(&rng, false, text, 60);
        yr_words all = yr_words_of(yore_bytes(text, size));
        yr_word word, cluster;
        while (yr_words_next_word(&all, &word)) {
            const uint8_t *at = text + word.from;
            folded whole = fold(at, word.to - word.from), parts = {0};
            yr_words clusters = yr_words_of(yore_bytes(at, word.to - word.from));
            while (yr_words_next_cluster(&clusters, &cluster)) {
                folded part = fold(at + cluster.from, cluster.to - cluster.from);
                memcpy(parts.bytes + parts.size, part.bytes, part.size);
                parts.size += part.size;
            }
            if (is_same(&whole, &parts)) continue;
            for (size_t j = word.from; j < word.to; j++) printf("%02x ", text[j]);
            fail();
        }
    }
}

static void test_a_full_cluster_always_fits(void **state)
{
    (void)state;
    for (uint32_t code = 1; code < 0x110000; code++) {
        uint8_t text[4 * YR_CLUSTER_CODES_MAX];
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        size_t size = (size_t)u8_uctomb(text, code, 6);
        yore_slice out;
        for (size_t i = 1; i < YR_CLUSTER_CODES_MAX; i++) memcpy(text + i * size, text, size);
        assert_true(yr_fold(&folder, yore_bytes(text, YR_CLUSTER_CODES_MAX * size), code < 0x80, &out));
        assert_true(out.size <= 4 * YR_FOLD_CODES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_that_mean_the_same_become_the_same),
        cmocka_unit_test(test_turkish_keeps_its_two_letters_apart),
        cmocka_unit_test(test_every_character_folds_as_in_unistring),
        cmocka_unit_test(test_random_words_fold_as_in_unistring),
        cmocka_unit_test(test_folding_twice_changes_nothing),
        cmocka_unit_test(test_clusters_fold_as_the_whole_does),
        cmocka_unit_test(test_a_full_cluster_always_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

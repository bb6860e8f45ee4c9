/* Snowball's own word lists: every line of every language, through the stemmer of the analyzer. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "search/analysis/stem.h"
#include "tests/search/analysis/analysis_kit.h"

/* The stemmer without the stop words: the lists stem those too. */
static void open_stemmer(const char *language, yr_stemmer *stemmer)
{
    static yr_folder folder;
    yr_language room;
    const yr_language *found = yr_language_find(yore_str(language), &room);
    assert_non_null(found);
    yr_language bare = *found;
    bare.stop_words = NULL;
    assert_int_equal(yr_stemmer_init(stemmer, yore_env_default(), &bare, &folder, NULL), YORE_OK);
}

/* How many lines a list has; 0 when it is not there. */
static int check_list(const char *language)
{
    char path[KIT_PATH_SIZE], name[128], command[KIT_PATH_SIZE + 16], line[1024];
    snprintf(name, sizeof name, "suites/snowball-2.2.0/%s.tsv.xz", language);
    if (!kit_find_data(name, path)) return 0;
    snprintf(command, sizeof command, "xz -dc '%s'", path);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    yr_stemmer stemmer;
    open_stemmer(language, &stemmer);
    int lines = 0;
    while (fgets(line, sizeof line, list)) {
        char *tab = strchr(line, '\t'), *end = strchr(line, '\n');
        assert_non_null(tab);
        assert_non_null(end);
        yore_slice word = yore_bytes(line, (size_t)(tab - line)), stem;
        yore_slice want = yore_bytes(tab + 1, (size_t)(end - tab - 1));
        lines++;
        if (!word.size) continue;                 /* one list has empty lines */
        if (!want.size) want = word;              /* a word that is all ending stands for itself */
        for (int again = 0; again < 2; again++) { /* the second time from the cache */
            assert_int_equal(yr_stemmer_stem(&stemmer, word, &stem, NULL), YORE_OK);
            if (stem.size != want.size || memcmp(stem.data, want.data, want.size) != 0)
                fail_msg("%s, line %d: '%.*s' became '%.*s', not '%.*s'", language, lines, (int)word.size,
                         (const char *)word.data, (int)stem.size, (const char *)stem.data, (int)want.size,
                         (const char *)want.data);
        }
    }
    assert_int_equal(pclose(list), 0);
    yr_stemmer_deinit(&stemmer);
    return lines;
}

static void test_every_line_of_every_list(void **state)
{
    (void)state;
    const char *language;
    int lists = 0;
    for (size_t n = 1; (language = yr_analyzer_language(n)); n++) {
        int lines = check_list(language);
        if (!lines) continue;
        printf("%s: %d lines\n", language, lines);
        assert_true(lines > 1000);
        lists++;
    }
    if (!lists) printf("skipped: no data\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_line_of_every_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

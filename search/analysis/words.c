/* The rules are cited by their names in UAX #29: WB3..WB999. */
#include "search/analysis/words.h"

#include <unictype.h>
#include <uniwbrk.h>
#include <utf8proc.h>

#include "engine/base/text.h"
#include "engine/base/yr_assert.h"

/* Not a property: the byte at hand is not UTF-8. */
#define INVALID (-1)

/* The one Hiragana that stands for two. The others are segments of one character without our help. */
#define HIRAGANA_YORI 0x309Fu

/* Word_Break of ASCII. Everything not named is WBP_OTHER, which is 0. */
#define AL WBP_ALETTER
#define NU WBP_NUMERIC
static const uint8_t ascii_properties[128] = {
    ['\n'] = WBP_LF,
    ['\v'] = WBP_NEWLINE,
    ['\f'] = WBP_NEWLINE,
    ['\r'] = WBP_CR,
    [' '] = WBP_WSS,
    ['"'] = WBP_DQ,
    ['\''] = WBP_SQ,
    [','] = WBP_MIDNUM,
    ['.'] = WBP_MIDNUMLET,
    [':'] = WBP_MIDLETTER,
    [';'] = WBP_MIDNUM,
    ['_'] = WBP_EXTENDNUMLET,
    /* clang-format off */
    ['0'] = NU, NU, NU, NU, NU, NU, NU, NU, NU, NU,
    ['A'] = AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL,
    ['a'] = AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL, AL,
    /* clang-format on */
};
#undef AL
#undef NU

/* The ASCII letters and digits, by byte, for the loop that most text is read in. */
static const bool ascii_runs[256] = {
    /* clang-format off */
    ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    /* clang-format on */
};

/* One character of the text. */
typedef struct mark {
    uint32_t code;
    int property; /* WBP_... or INVALID */
    size_t size;
} mark;

static bool is_letter(int property)
{
    return property == WBP_ALETTER || property == WBP_HL;
}

static bool is_letter_or_digit(int property)
{
    return is_letter(property) || property == WBP_NUMERIC;
}

/* WB4: what a boundary never comes before and the rules do not see. */
static bool is_ignored(int property)
{
    return property == WBP_EXTEND || property == WBP_FORMAT || property == WBP_ZWJ;
}

static bool is_newline(int property)
{
    return property == WBP_CR || property == WBP_LF || property == WBP_NEWLINE;
}

/* The Han characters that are symbols by their general category; most fold to the letter they are a part of. */
static bool is_radical(uint32_t code)
{
    return code >= 0x2E80 && code <= 0x2FD5;
}

/* A letter or number by its general category, or what only the word rules take for one (circled letters, squared
 * Katakana words). */
static bool is_wordish(const mark *m)
{
    if (m->code < 0x80) return is_letter_or_digit(m->property);
    if (m->property == WBP_ALETTER || m->property == WBP_KATAKANA) return true;
    if (m->property == INVALID || is_ignored(m->property)) return false;
    if (is_radical(m->code)) return true;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)m->code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static mark mark_at(const yr_words *words, size_t at)
{
    YR_DASSERT(at < words->size);
    uint8_t first = words->text[at];
    if (first < 0x80) return (mark){first, ascii_properties[first], 1};
    mark m = {0, INVALID, 0};
    m.size = yr_utf8_next((const char *)words->text + at, words->size - at, &m.code);
    if (m.size)
        m.property = uc_wordbreak_property(m.code);
    else
        m.size = 1;
    return m;
}

static void take(yr_word *word, const mark *m)
{
    word->to += m->size;
    if (!word->is_word) word->is_word = is_wordish(m);
    if (m->code < 0x80 && m->property != INVALID) return;
    word->is_ascii = false;
    if (m->property == WBP_KATAKANA || m->code == HIRAGANA_YORI) word->is_syllabic = true;
}

/* The character behind `at` that the rules see, and where it ends; false at the end of the text. */
static bool look_ahead(const yr_words *words, size_t at, mark *out)
{
    while (at < words->size) {
        *out = mark_at(words, at);
        if (!is_ignored(out->property)) return true;
        at += out->size;
    }
    return false;
}

/* The pairs that never break. */
static bool is_joined(int before, int after)
{
    if (is_letter_or_digit(before) && is_letter_or_digit(after)) return true; /* WB5, WB8, WB9, WB10 */
    if (before == WBP_KATAKANA && after == WBP_KATAKANA) return true;         /* WB13 */
    if (after == WBP_EXTENDNUMLET)                                            /* WB13a */
        return is_letter_or_digit(before) || before == WBP_KATAKANA || before == WBP_EXTENDNUMLET;
    if (before == WBP_EXTENDNUMLET) /* WB13b */
        return is_letter_or_digit(after) || after == WBP_KATAKANA;
    return before == WBP_HL && after == WBP_SQ; /* WB7a */
}

/* Does punctuation `middle`, which ends at `end`, join what stands around it? WB6/7, WB7b/c, WB11/12. */
static bool is_bridge(const yr_words *words, int before, int middle, size_t end)
{
    bool either = middle == WBP_MIDNUMLET || middle == WBP_SQ;
    bool letters = is_letter(before) && (either || middle == WBP_MIDLETTER);
    bool hebrew = before == WBP_HL && middle == WBP_DQ;
    bool digits = before == WBP_NUMERIC && (either || middle == WBP_MIDNUM);
    mark next;
    if (!(letters || hebrew || digits) || !look_ahead(words, end, &next)) return false;
    return letters ? is_letter(next.property) : next.property == (hebrew ? WBP_HL : WBP_NUMERIC);
}

/* What the rules know of the segment so far. */
typedef struct state {
    int before;    /* property of the last character that they see */
    int last;      /* property of the last character */
    bool odd_flag; /* WB15, WB16: regional indicators come in pairs */
    bool bridged;  /* `before` is punctuation between two letters or two digits, and the second is next */
} state;

static bool has_no_break(const state *s, const mark *m)
{
    if (m->property == INVALID || is_newline(m->property)) return false; /* WB3a */
    if (is_ignored(m->property) || s->bridged) return true;              /* WB4; WB7, WB7c, WB11 */
    if (is_joined(s->before, m->property)) return true;
    if (s->last == WBP_WSS && m->property == WBP_WSS) return true;              /* WB3d */
    if (s->odd_flag && m->property == WBP_RI) return true;                      /* WB15, WB16 */
    return s->last == WBP_ZWJ && uc_is_property_extended_pictographic(m->code); /* WB3c */
}

/* Move over ASCII letters and digits, at the start or behind one; returns whether the segment certainly ends there. */
static bool skip_ascii_run(const yr_words *words, yr_word *word, state *s)
{
    const uint8_t *at = words->text + word->to, *start = at, *end = words->text + words->size;
    while (at < end && ascii_runs[*at]) at++;
    if (at > start) {
        word->to += (size_t)(at - start);
        word->is_word = true;
        s->before = s->last = ascii_properties[at[-1]];
    }
    if (at == end) return true;
    if (*at >= 0x80) return false;
    int property = ascii_properties[*at];
    return property == WBP_OTHER || property == WBP_WSS || is_newline(property);
}

bool yr_words_next(yr_words *words, yr_word *out)
{
    if (words->at >= words->size) return false;
    yr_word word = {.from = words->at, .to = words->at, .is_ascii = true};
    uint8_t first = words->text[word.from];
    state s = {0};
    bool ends = false;
    if (ascii_runs[first]) {
        s.before = s.last = ascii_properties[first]; /* taken as part of the run */
    } else {
        mark m = mark_at(words, word.from);
        take(&word, &m);
        s = (state){.before = m.property, .last = m.property, .odd_flag = m.property == WBP_RI};
        ends = s.before == INVALID || is_newline(s.before);                                         /* WB3b */
        if (s.before == WBP_CR && word.to < words->size && words->text[word.to] == '\n') word.to++; /* WB3 */
    }
    while (!ends) {
        if (is_letter_or_digit(s.last) && skip_ascii_run(words, &word, &s)) break;
        if (word.to >= words->size) break;
        mark m = mark_at(words, word.to);
        bool bridge = is_bridge(words, s.before, m.property, word.to + m.size);
        if (!bridge && !has_no_break(&s, &m)) break; /* WB999 */
        take(&word, &m);
        s.last = m.property;
        if (is_ignored(m.property)) continue;
        s.bridged = bridge;
        s.odd_flag = m.property == WBP_RI && !s.odd_flag;
        s.before = m.property;
    }
    YR_ASSERT(word.to > word.from);
    words->at = word.to;
    *out = word;
    return true;
}

bool yr_words_next_word(yr_words *words, yr_word *out)
{
    for (;;) {
        /* None of these joins what follows but for marks, and marks alone are no word. */
        const uint8_t *at = words->text + words->at, *start = at, *end = words->text + words->size;
        while (at < end && *at < 0x80) {
            int property = ascii_properties[*at];
            if (property != WBP_OTHER && property != WBP_WSS && !is_newline(property)) break;
            at++;
        }
        words->at += (size_t)(at - start);
        if (!yr_words_next(words, out)) return false;
        if (out->is_word) return true;
    }
}

/* May normalising melt this character into what stands before it? Marks; the later jamo of a Hangul syllable; and the
 * invisible ones, which go and leave what follows them to do so. */
static bool is_continuation(const mark *m)
{
    if (is_ignored(m->property)) return true;
    if (m->property == INVALID) return false;
    return (m->code >= 0x1160 && m->code <= 0x11FF) || (m->code >= 0xD7B0 && m->code <= 0xD7FF) ||
           utf8proc_get_property((utf8proc_int32_t)m->code)->ignorable;
}

bool yr_words_next_cluster(yr_words *words, yr_word *out)
{
    if (words->at >= words->size) return false;
    yr_word cluster = {.from = words->at, .to = words->at, .is_ascii = true};
    for (unsigned codes = 0; cluster.to < words->size && codes < YR_CLUSTER_CODES_MAX; codes++) {
        if (codes && words->text[cluster.to] < 0x80) break;
        mark m = mark_at(words, cluster.to);
        if (codes && !is_continuation(&m)) break;
        take(&cluster, &m);
    }
    words->at = cluster.to;
    *out = cluster;
    return true;
}

int yr_words_ascii_property(uint8_t c)
{
    YR_ASSERT(c < 0x80);
    return ascii_properties[c];
}

#include "engine/branch/name.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

bool yr_name_is_letter(uint32_t code)
{
    /* First and last code point of what is no letter; ascending. */
    static const struct {
        uint32_t first;
        uint32_t last;
    } others[] = {
        {0x80, 0xA9},                                       /* C1 controls, no-break space, Latin-1 signs */
        {0xAB, 0xB4},                                       /* soft hyphen among them */
        {0xB6, 0xB9},       {0xBB, 0xBF},     {0xD7, 0xD7}, /* multiplication sign */
        {0xF7, 0xF7},                                       /* division sign */
        {0x034F, 0x034F},                                   /* invisible joiner */
        {0x061C, 0x061C},                                   /* direction mark */
        {0x115F, 0x1160},                                   /* Hangul fillers: blanks */
        {0x1680, 0x1680},                                   /* ogham space */
        {0x17B4, 0x17B5},                                   /* invisible vowels */
        {0x180B, 0x180F},                                   /* Mongolian selectors and separator */
        {0x2000, 0x206F}, /* spaces, dashes, quotes, direction marks, invisible operators */
        {0x20A0, 0x20CF}, /* currency */
        {0x2190, 0x2BFF}, /* arrows, mathematics, boxes, dingbats */
        {0x2E00, 0x2E7F}, /* more punctuation */
        {0x2FF0, 0x3004}, /* ideographic description, space and punctuation */
        {0x3008, 0x3020},   {0x3030, 0x3030}, {0x303D, 0x303F}, {0x3164, 0x3164}, /* Hangul filler */
        {0xD800, 0xF8FF}, /* surrogates, private use */
        {0xFE00, 0xFE6F}, /* variation selectors, small and vertical punctuation */
        {0xFEFF, 0xFF0F}, /* byte order mark, full-width signs */
        {0xFF1A, 0xFF20},   {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFA0, 0xFFA0}, /* half-width filler */
        {0xFFE0, 0xFFFF},                                                         /* signs, specials */
        {0x1D000, 0x1D3FF}, /* musical and other notation */
        {0x1F000, 0x1FAFF}, /* emoji and pictures */
        {0xE0000, 0x10FFFF} /* tags, selectors, private use */
    };
    if (code < 0x80) return false;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (code >= others[i].first && code <= others[i].last) return false;
    }
    return (code & 0xFFFE) != 0xFFFE; /* noncharacters end every plane */
}

bool yr_name_is_version(yore_slice name)
{
    const char *text = name.data;
    if (name.size < 2 || text[0] != 'v') return false;
    for (size_t i = 1; i < name.size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
    }
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* The length of the legal character at `text`, 0 when it is none. */
static size_t legal_character(const char *text, size_t left, bool first)
{
    char c = text[0];
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_') return 1;
    if (c >= '0' && c <= '9') return !first;
    if (c == '%') return left >= 3 && is_hex(text[1]) && is_hex(text[2]) ? 3 : 0;
    if ((uint8_t)c >= 0x80) {
        uint32_t code = 0;
        size_t length = yr_utf8_next(text, left, &code);
        return length && yr_name_is_letter(code) ? length : 0;
    }
    return !first && c != '\0' && strchr("._/+#-", c) ? 1 : 0;
}

static yore_status refuse(yore_error *err, yore_slice name, size_t off, const char *reason)
{
    char quoted[YR_QUOTE_SIZE];
    yore_status status =
        yr_fail(err, YORE_ERR_NAME, "'%s' is no legal name: %s", yr_text_quote(name, quoted), reason);
    if (err) err->offset = (uint32_t)off;
    yr_hint(err,
            "names are letters, digits and . _ / + # -, beginning with a letter or _, as in exp/fast-path");
    return status;
}

yore_status yore_name_check(yore_slice name, yore_error *err)
{
    const char *text = name.data;
    if (!name.size) return refuse(err, name, 0, "it is empty");
    if (name.size > YORE_BRANCH_NAME_MAX) {
        return refuse(err, name, YORE_BRANCH_NAME_MAX, "it is longer than 128 bytes");
    }
    for (size_t at = 0; at < name.size;) {
        size_t length = legal_character(text + at, name.size - at, at == 0);
        if (!length) {
            char reason[64 + YR_QUOTE_SIZE], quoted[YR_QUOTE_SIZE];
            uint32_t code = 0;
            size_t shown = yr_utf8_next(text + at, name.size - at, &code);
            snprintf(reason, sizeof reason, "'%s' may not %s",
                     yr_text_quote(yore_bytes(text + at, shown ? shown : 1), quoted),
                     at ? "stand in it" : "begin it");
            return refuse(err, name, at, reason);
        }
        if (at && text[at] == '.' && text[at - 1] == '.')
            return refuse(err, name, at - 1, "it has '..' in it");
        if (at && text[at] == '/' && text[at - 1] == '/')
            return refuse(err, name, at - 1, "it has '//' in it");
        at += length;
    }
    if (text[name.size - 1] == '/') return refuse(err, name, name.size - 1, "it ends with '/'");
    if (yr_name_is_version(name)) return refuse(err, name, 0, "v and digits is a version");
    return YORE_OK;
}

#include "engine/undo/undo_mark.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const words[] = {
    [YORE_UNDO_UNDO] = "undo",        [YORE_UNDO_REDO] = "redo",       [YORE_UNDO_REVERT] = "revert",
    [YORE_UNDO_PICK] = "cherry-pick", [YORE_UNDO_RESTORE] = "restore", [YORE_UNDO_RESET] = "reset"};
enum { WORDS = sizeof words / sizeof *words };

/* "v" and a version without zeros in front. */
static bool parse_version(const char *text, size_t size, uint64_t *out)
{
    uint64_t n = 0;
    if (size < 2 || text[0] != 'v' || text[1] == '0') return false;
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

yr_undo_mark yr_undo_mark_parse(yore_slice source)
{
    yr_undo_mark mark = {0};
    for (uint32_t kind = 1; kind < WORDS; kind++) {
        size_t size = strlen(words[kind]);
        const char *text = source.data;
        if (source.size <= size || memcmp(text, words[kind], size) != 0 || text[size] != ':') continue;
        if (parse_version(text + size + 1, source.size - size - 1, &mark.version)) mark.kind = kind;
        break;
    }
    return mark;
}

size_t yr_undo_mark_format(yr_undo_mark mark, char out[YR_UNDO_MARK_SIZE])
{
    return (size_t)snprintf(out, YR_UNDO_MARK_SIZE, "%s:v%" PRIu64, words[mark.kind], mark.version);
}

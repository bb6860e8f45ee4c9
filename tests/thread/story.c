#include "tests/thread/story.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"

enum { SHORT_MAX = 400, LONG_EACH = 211, LONG_LEAST = 66000, LONG_MORE = 9000 };

/* Line 1 writes every other key, in another order. */
static const struct {
    uint32_t cycle, stride, inverse;
} lines[STORY_LINES] = {{STORY_KEYS, 1, 1}, {STORY_KEYS / 2, 7, 43}};

static uint32_t key_at(uint32_t line, uint64_t place)
{
    uint32_t slot = (uint32_t)(place % lines[line].cycle * lines[line].stride % lines[line].cycle);
    return line == 0 ? slot : slot * 2;
}

/* The first place where a line writes a key; false: it never does. */
static bool first_place(uint32_t line, uint32_t key, uint64_t *place)
{
    if (line == 1 && key % 2) return false;
    uint32_t slot = line == 0 ? key : key / 2;
    *place = (uint64_t)slot * lines[line].inverse % lines[line].cycle;
    return true;
}

static uint64_t luck_of(const story_version *version, uint64_t salt)
{
    yr_rng rng = {version->line * UINT64_C(0x10001) + version->key * UINT64_C(0x9001) + version->lap * 77 +
                  salt * UINT64_C(0xABCDEF)};
    return yr_rng_next(&rng);
}

static story_version version_of(uint32_t line, uint32_t key, uint64_t lap)
{
    story_version version = {.line = line, .key = key, .lap = lap};
    uint64_t luck = luck_of(&version, 0) % 10;
    version.op = luck < 2 ? STORY_DELETE : luck == 2 ? STORY_PUT_EXPIRED : STORY_PUT;
    return version;
}

story_version story_row(uint32_t line, uint64_t number, uint32_t i)
{
    uint64_t place = (number - 1) * STORY_ROWS + i;
    return version_of(line, key_at(line, place), place / lines[line].cycle);
}

static size_t size_of(const story_version *version)
{
    uint64_t luck = luck_of(version, 1);
    if (luck % LONG_EACH == 0) return LONG_LEAST + luck / LONG_EACH % LONG_MORE;
    return 24 + luck % SHORT_MAX;
}

yore_slice story_value(const story_version *version, char *room)
{
    size_t size = size_of(version);
    int head = snprintf(room, size + 1, "%u %u %llu ", version->line, version->key,
                        (unsigned long long)version->lap);
    for (size_t i = (size_t)head; i < size; i++) room[i] = (char)('a' + (i * 7 + version->lap) % 26);
    return yore_bytes(room, size);
}

bool story_is_value(const story_version *version, yore_slice value)
{
    char room[STORY_VALUE_MAX];
    yore_slice wanted = story_value(version, room);
    return value.size == wanted.size && memcmp(value.data, wanted.data, wanted.size) == 0;
}

yore_key story_key(uint32_t key, char text[STORY_KEY_BYTES])
{
    snprintf(text, STORY_KEY_BYTES, "k%05u", key);
    return yore_str_key(text);
}

yore_key story_counter(uint32_t line)
{
    return yore_str_key(line ? "commits1" : "commits0");
}

/* How often a line has written a key after so many commits. */
static uint64_t laps_of(uint32_t line, uint32_t key, uint64_t commits)
{
    uint64_t place, end = commits * STORY_ROWS;
    if (!first_place(line, key, &place) || place >= end) return 0;
    return (end - 1 - place) / lines[line].cycle + 1;
}

bool story_find(const story_view *view, uint32_t key, story_version *out)
{
    uint32_t line = 1;
    uint64_t laps = view->on_fork ? laps_of(1, key, view->own) : 0;
    if (laps == 0) {
        line = 0;
        laps = laps_of(0, key, view->parent);
    }
    if (laps == 0) return false;
    *out = version_of(line, key, laps - 1);
    return out->op == STORY_PUT;
}

uint64_t story_history(const story_view *view, uint32_t key, story_version *out, uint64_t room)
{
    uint64_t count = 0;
    bool exists = false;
    for (uint32_t line = 0; line < (view->on_fork ? 2u : 1u); line++) {
        uint64_t laps = laps_of(line, key, line ? view->own : view->parent);
        for (uint64_t lap = 0; lap < laps; lap++) {
            story_version version = version_of(line, key, lap);
            if (version.op == STORY_DELETE && !exists) continue;
            exists = version.op == STORY_PUT;
            if (count < room) out[count] = version;
            count++;
        }
    }
    uint64_t kept = count < room ? count : room;
    for (uint64_t i = 0; i < kept / 2; i++) {
        story_version other = out[i];
        out[i] = out[kept - 1 - i];
        out[kept - 1 - i] = other;
    }
    return count;
}

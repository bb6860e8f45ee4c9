#include "engine/format/file_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/format/manifest_format.h"

static const enum yr_file_kind kinds[] = {YR_FILE_WAL, YR_FILE_SEGMENT, YR_FILE_VALUES};

void yr_file_name(enum yr_file_kind kind, uint64_t id, bool making, char out[YR_FILE_NAME_BYTES])
{
    int n = 0;
    switch (kind) {
    case YR_FILE_WAL:
        n = snprintf(out, YR_FILE_NAME_BYTES, "wal-%08" PRIu64 "%s", id, making ? ".tmp" : ".log");
        break;
    case YR_FILE_SEGMENT:
        n = snprintf(out, YR_FILE_NAME_BYTES, "%08" PRIu64 ".seg%s", id, making ? ".tmp" : "");
        break;
    case YR_FILE_VALUES:
        n = snprintf(out, YR_FILE_NAME_BYTES, "%08" PRIu64 ".val%s", id, making ? ".tmp" : "");
        break;
    case YR_FILE_MANIFEST:
    case YR_FILE_BACKUP: break;
    }
    YR_ASSERT(n > 0 && n < (int)YR_FILE_NAME_BYTES);
}

uint64_t yr_file_name_id(const char *name, enum yr_file_kind *kind, bool *making)
{
    const char *p = strncmp(name, "wal-", 4) == 0 ? name + 4 : name;
    uint64_t id = 0;
    for (size_t digits = 0; *p >= '0' && *p <= '9' && digits < 19; p++, digits++) {
        id = id * 10 + (uint64_t)(*p - '0');
    }
    if (id >= YR_MANIFEST_ID_MAX) return 0;
    for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
        char exact[YR_FILE_NAME_BYTES];
        yr_file_name(kinds[i / 2], id, i % 2 == 1, exact);
        if (strcmp(name, exact) != 0) continue;
        *kind = kinds[i / 2];
        *making = i % 2 == 1;
        return id;
    }
    return 0;
}

#include "engine/format/file_name.h"

#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/format/manifest_format.h"

/* Eight digits, more only where they are needed. */
enum { ID_DIGITS = 8, ID_PADDED = 100000000 };

void yr_file_name(enum yr_file_kind kind, uint64_t id, bool making, char out[YR_FILE_NAME_BYTES])
{
    const char *suffix = NULL;
    size_t size = 0;
    switch (kind) {
    case YR_FILE_WAL:
        size = 4;
        memcpy(out, "wal-", size);
        suffix = making ? ".tmp" : ".log";
        break;
    case YR_FILE_SEGMENT: suffix = making ? ".seg.tmp" : ".seg"; break;
    case YR_FILE_VALUES: suffix = making ? ".val.tmp" : ".val"; break;
    case YR_FILE_MANIFEST:
    case YR_FILE_BACKUP:
    case YR_FILE_BUNDLE: break;
    }
    YR_ASSERT(suffix);
    size_t digits = ID_DIGITS;
    for (uint64_t rest = id / ID_PADDED; rest > 0; rest /= 10) digits++;
    YR_ASSERT(size + digits + strlen(suffix) < YR_FILE_NAME_BYTES);
    for (size_t i = digits; i-- > 0; id /= 10) out[size + i] = (char)('0' + id % 10);
    memcpy(out + size + digits, suffix, strlen(suffix) + 1);
}

uint64_t yr_file_name_id(const char *name, enum yr_file_kind *kind, bool *making)
{
    enum yr_file_kind is = YR_FILE_WAL;
    const char *suffix = ".log";
    const char *first = strncmp(name, "wal-", 4) == 0 ? name + 4 : name;
    const char *p = first;
    uint64_t id = 0;
    while (*p >= '0' && *p <= '9' && p - first < 19) id = id * 10 + (uint64_t)(*p++ - '0');
    if (p - first < ID_DIGITS || (p - first > ID_DIGITS && *first == '0')) return 0;
    if (id == 0 || id >= YR_MANIFEST_ID_MAX) return 0;
    if (first == name) {
        is = strncmp(p, ".seg", 4) == 0 ? YR_FILE_SEGMENT : YR_FILE_VALUES;
        suffix = is == YR_FILE_SEGMENT ? ".seg" : ".val";
        if (strncmp(p, suffix, 4) != 0) return 0;
        p += 4;
        suffix = "";
    }
    bool is_making = strcmp(p, ".tmp") == 0;
    if (!is_making && strcmp(p, suffix) != 0) return 0;
    *kind = is;
    *making = is_making;
    return id;
}

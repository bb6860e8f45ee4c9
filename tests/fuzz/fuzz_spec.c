/* SPEC: any text is refused with the output unchanged, or gives a point whose names are legal C strings. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/branch/spec_parse.h"

static bool exists(void *ctx, yore_slice name)
{
    (void)ctx;
    return name.size == 3 && memcmp(name.data, "exp", 3) == 0;
}

static bool nearest(void *ctx, yore_slice name, char *out)
{
    (void)ctx;
    (void)name;
    memcpy(out, "exp", 4);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const yr_spec_names names = {NULL, exists, exists, nearest, nearest};
    char spec[FUZZ_INPUT_MAX + 1];
    if (size > FUZZ_INPUT_MAX) return 0;
    memcpy(spec, data, size);
    spec[size] = 0;

    yore_at at = YORE_AT_INIT, before = at;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yr_spec_parse(spec, INT64_C(1700000000000000000), 3600, &names, &at, &err);
    if (status != YORE_OK) {
        YR_ASSERT(status < 0);
        YR_ASSERT(err.code == status && err.message[0] != 0);
        YR_ASSERT(memchr(err.message, 0, sizeof err.message));
        YR_ASSERT(err.offset <= strlen(spec));
        YR_ASSERT(memcmp(&at, &before, sizeof at) == 0);
        return 0;
    }
    YR_ASSERT(at.kind <= YORE_AT_FORK);
    YR_ASSERT(memchr(at.branch, 0, sizeof at.branch));
    YR_ASSERT(memchr(at.tag, 0, sizeof at.tag));
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static const char *const specs[] = {
        "exp@v1042",
        "@2h ago",
        "exp",
        "tag:exp",
        "exp@tag:exp",
        "back:3",
        "exp@fork",
        "@start",
        "2026-01-31 12:00",
        "2026-01-31T12:00:00.123456789Z",
        "@1d12h",
        "2 hours ago",
        "epoch:1700000000.5",
        "id:17@v5",
        "yesterday",
        "@90s",
        "3mo ago",
        "2026-02-30",
        "1024",
        "exp@",
        "@",
        "5m",
        "2024-02-29T23:59:60+14:00",
        "epoch:-1",
    };
    const char *spec = specs[yr_rng_below(rng, sizeof specs / sizeof *specs)];
    memcpy(out, spec, strlen(spec));
    return strlen(spec);
}

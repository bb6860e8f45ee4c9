#include "search/analysis/fold.h"

#include <string.h>

#include <utf8proc.h>

#include "engine/base/yr_assert.h"

/* What utf8proc_NFKC_Casefold uses. */
#define FOLD_OPTIONS \
    (UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE)

static utf8proc_int32_t fold_apostrophe(utf8proc_int32_t code, void *folder)
{
    (void)folder;
    return code == 0x2018 || code == 0x2019 ? '\'' : code;
}

static utf8proc_int32_t fold_turkic(utf8proc_int32_t code, void *folder)
{
    if (code == 'I') return 0x131;
    if (code == 0x130) return 'i';
    return fold_apostrophe(code, folder);
}

bool yr_fold(yr_folder *folder, yore_slice text, bool is_ascii, yore_slice *folded)
{
    uint8_t *out = (uint8_t *)folder->codes;
    if (is_ascii && !(folder->is_turkic && memchr(text.data, 'I', text.size))) {
        const uint8_t *in = text.data;
        if (text.size > sizeof folder->codes) return false;
        for (size_t i = 0; i < text.size; i++) {
            uint8_t c = in[i];
            out[i] = (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 32 : 0));
        }
        *folded = yore_bytes(out, text.size);
        return true;
    }
    if (text.size > YR_FOLD_CODES_MAX) return false; /* also bounds the sorting of marks */
    utf8proc_ssize_t count =
        utf8proc_decompose_custom(text.data, (utf8proc_ssize_t)text.size, folder->codes, YR_FOLD_CODES_MAX,
                                  FOLD_OPTIONS, folder->is_turkic ? fold_turkic : fold_apostrophe, NULL);
    if (count < 0 || count > (utf8proc_ssize_t)YR_FOLD_CODES_MAX) return false;
    utf8proc_ssize_t size = utf8proc_reencode(folder->codes, count, FOLD_OPTIONS);
    YR_ASSERT(size >= 0 && (size_t)size < sizeof folder->codes);
    *folded = yore_bytes(out, (size_t)size);
    return true;
}

bool yr_fold_any(yr_folder *folder, yore_slice text, yore_slice *folded)
{
    const uint8_t *in = text.data;
    uint8_t bits = 0;
    for (size_t i = 0; i < text.size; i++) bits |= in[i];
    return yr_fold(folder, text, bits < 0x80, folded);
}

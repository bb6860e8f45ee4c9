/* The allocator of zstd is replaced through its advanced interface, which its shared library exports. Training a
 * dictionary is the exception: it takes what it needs (some 10 MiB, for a moment) from malloc. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zdict.h>
#include <zstd_errors.h>

#include "engine/segment/segment_codec.h"

#include <stdint.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/thread.h"

#define IDLE_DECODERS_MAX 8u

/* zstd frees without a size: it is kept in front. */
typedef struct codec_block {
    size_t size;
    size_t pad;
} codec_block;

static void *codec_alloc(void *opaque, size_t size)
{
    const yore_env *const *env = opaque;
    codec_block *block = yr_alloc(*env, size + sizeof(codec_block));
    if (!block) return NULL;
    block->size = size + sizeof(codec_block);
    return block + 1;
}

static void codec_free(void *opaque, void *address)
{
    const yore_env *const *env = opaque;
    if (!address) return;
    codec_block *block = (codec_block *)address - 1;
    yr_free(*env, block, block->size);
}

/* `env` must stay where it is as long as what was made with it. */
static ZSTD_customMem memory_of(const yore_env **env)
{
    return (ZSTD_customMem){.customAlloc = codec_alloc, .customFree = codec_free, .opaque = (void *)env};
}

/* -- compressing -- */

struct yr_compressor {
    const yore_env *env;
    ZSTD_CCtx *context;
    void *dictionary; /* the space it was made in; NULL = none */
    size_t dictionary_bytes;
    int level;
};

yore_status yr_compressor_create(const yore_env *env, int level, yr_compressor **out, yore_error *err)
{
    yr_compressor *compressor = yr_alloc_zero(env, sizeof *compressor);
    if (!compressor) return yr_fail(err, YORE_ERR_NOMEM, "no memory to compress with");
    compressor->env = env;
    compressor->level = level;
    compressor->context = ZSTD_createCCtx_advanced(memory_of(&compressor->env));
    if (!compressor->context) {
        yr_compressor_destroy(compressor);
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to compress with");
    }
    (void)ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_compressionLevel, level);
    /* The block's table entry knows the size, its segment the dictionary. */
    (void)ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_contentSizeFlag, 0);
    (void)ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_dictIDFlag, 0);
    *out = compressor;
    return YORE_OK;
}

void yr_compressor_destroy(yr_compressor *compressor)
{
    if (!compressor) return;
    ZSTD_freeCCtx(compressor->context);
    yr_free(compressor->env, compressor->dictionary, compressor->dictionary_bytes);
    yr_free(compressor->env, compressor, sizeof *compressor);
}

yore_status yr_compressor_dictionary(yr_compressor *compressor, yore_slice bytes, yore_error *err)
{
    /* A block that did not fit leaves a session open, in which dictionaries are not exchanged. */
    (void)ZSTD_CCtx_reset(compressor->context, ZSTD_reset_session_only);
    (void)ZSTD_CCtx_refCDict(compressor->context, NULL);
    yr_free(compressor->env, compressor->dictionary, compressor->dictionary_bytes);
    compressor->dictionary = NULL;
    if (bytes.size == 0) return YORE_OK;
    /* In space of our own: zstd 1.5.4 does not look whether it got any (ZSTD_createCDict_advanced2). */
    ZSTD_compressionParameters parameters = ZSTD_getCParams(compressor->level, 0, bytes.size);
    compressor->dictionary_bytes = ZSTD_estimateCDictSize_advanced(bytes.size, parameters, ZSTD_dlm_byCopy);
    compressor->dictionary = yr_alloc(compressor->env, compressor->dictionary_bytes);
    if (!compressor->dictionary) return yr_fail(err, YORE_ERR_NOMEM, "no memory for a dictionary");
    const ZSTD_CDict *made = ZSTD_initStaticCDict(compressor->dictionary, compressor->dictionary_bytes,
                                                  bytes.data, bytes.size, ZSTD_dlm_byCopy, ZSTD_dct_auto,
                                                  parameters);
    if (!made)
        return yr_fail(err, YORE_ERR_UNSUPPORTED, "this zstd cannot make a dictionary of %zu bytes",
                       bytes.size);
    (void)ZSTD_CCtx_refCDict(compressor->context, made);
    return YORE_OK;
}

yore_status yr_compress(yr_compressor *compressor, yore_slice raw, void *to, size_t *size, yore_error *err)
{
    *size = 0;
    size_t n = ZSTD_compress2(compressor->context, to, raw.size, raw.data, raw.size);
    if (ZSTD_isError(n)) {
        if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
            return yr_fail(err, YORE_ERR_NOMEM, "no memory to compress with");
        return YORE_OK; /* it does not fit: not smaller */
    }
    if (n < raw.size) *size = n;
    return YORE_OK;
}

size_t yr_dictionary_train(const void *samples, const size_t *sizes, uint32_t count, void *to,
                           size_t capacity)
{
    size_t n = ZDICT_trainFromBuffer(to, capacity, samples, sizes, count);
    return ZDICT_isError(n) ? 0 : n;
}

/* -- decompressing -- */

struct yr_dictionary {
    const yore_env *env;
    ZSTD_DDict *zstd;
};

yr_dictionary *yr_dictionary_create(const yore_env *env, yore_slice bytes)
{
    yr_dictionary *dictionary = yr_alloc_zero(env, sizeof *dictionary);
    if (!dictionary) return NULL;
    dictionary->env = env;
    dictionary->zstd = ZSTD_createDDict_advanced(bytes.data, bytes.size, ZSTD_dlm_byCopy, ZSTD_dct_auto,
                                                 memory_of(&dictionary->env));
    if (!dictionary->zstd) {
        yr_free(env, dictionary, sizeof *dictionary);
        return NULL;
    }
    return dictionary;
}

void yr_dictionary_destroy(yr_dictionary *dictionary)
{
    if (!dictionary) return;
    ZSTD_freeDDict(dictionary->zstd);
    yr_free(dictionary->env, dictionary, sizeof *dictionary);
}

struct yr_decoders {
    const yore_env *env;
    yr_mutex lock;
    uint32_t idle_count; /* guarded by lock, as the next */
    ZSTD_DCtx *idle[IDLE_DECODERS_MAX];
};

yore_status yr_decoders_create(const yore_env *env, yr_decoders **out, yore_error *err)
{
    yr_decoders *decoders = yr_alloc_zero(env, sizeof *decoders);
    if (!decoders) return yr_fail(err, YORE_ERR_NOMEM, "no memory for decoders");
    decoders->env = env;
    yr_mutex_init(&decoders->lock, YR_RANK_BLOCK_CACHE);
    *out = decoders;
    return YORE_OK;
}

void yr_decoders_destroy(yr_decoders *decoders)
{
    if (!decoders) return;
    for (uint32_t i = 0; i < decoders->idle_count; i++) ZSTD_freeDCtx(decoders->idle[i]);
    yr_mutex_deinit(&decoders->lock);
    yr_free(decoders->env, decoders, sizeof *decoders);
}

static ZSTD_DCtx *decoder_take(yr_decoders *decoders)
{
    ZSTD_DCtx *context = NULL;
    yr_mutex_lock(&decoders->lock);
    if (decoders->idle_count) context = decoders->idle[--decoders->idle_count];
    yr_mutex_unlock(&decoders->lock);
    return context ? context : ZSTD_createDCtx_advanced(memory_of(&decoders->env));
}

static void decoder_give(yr_decoders *decoders, ZSTD_DCtx *context)
{
    yr_mutex_lock(&decoders->lock);
    if (decoders->idle_count < IDLE_DECODERS_MAX) {
        decoders->idle[decoders->idle_count++] = context;
        context = NULL; /* the pool's now */
    }
    yr_mutex_unlock(&decoders->lock);
    ZSTD_freeDCtx(context);
}

enum yr_decode_result yr_decode(yr_decoders *decoders, const yr_dictionary *dictionary, yore_slice stored,
                                void *to, size_t size)
{
    ZSTD_DCtx *context = decoder_take(decoders);
    if (!context) return YR_DECODE_NO_MEMORY;
    size_t n;
    if (dictionary) {
        n = ZSTD_decompress_usingDDict(context, to, size, stored.data, stored.size, dictionary->zstd);
    } else {
        n = ZSTD_decompressDCtx(context, to, size, stored.data, stored.size);
    }
    decoder_give(decoders, context);
    if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) return YR_DECODE_NO_MEMORY;
    return n == size ? YR_DECODE_OK : YR_DECODE_BAD;
}

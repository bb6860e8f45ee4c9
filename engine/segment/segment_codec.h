/* zstd, as segments use it: blocks of at most 1 MiB, with or without a trained dictionary, memory from the
 * environment. Decompression writes into a buffer whose size was authenticated before: a bomb has nowhere to go. */
#ifndef YR_SEGMENT_CODEC_H
#define YR_SEGMENT_CODEC_H

#include <yore/env.h>
#include <yore/types.h>

typedef struct yr_compressor yr_compressor;
typedef struct yr_decoders yr_decoders;
typedef struct yr_dictionary yr_dictionary;

/* -- compressing: one thread -- */
yore_status yr_compressor_create(const yore_env *env, int level, yr_compressor **out, yore_error *err);
void yr_compressor_destroy(yr_compressor *compressor);
/* Use a dictionary (copied) from now on; an empty slice takes it away. */
yore_status yr_compressor_dictionary(yr_compressor *compressor, yore_slice dictionary, yore_error *err);
/* Compress into `to`, which has raw.size bytes. *size = 0 when that would not make it smaller. */
yore_status yr_compress(yr_compressor *compressor, yore_slice raw, void *to, size_t *size, yore_error *err);
/* Train a dictionary of at most `capacity` bytes on `count` samples that lie one behind the other.
 * Returns its size, 0 when there is nothing to learn. */
size_t yr_dictionary_train(const void *samples, const size_t *sizes, uint32_t count, void *to,
                           size_t capacity);

/* -- decompressing: any thread -- */
/* A pool of decoders: as many as threads decode at once, some kept. */
yore_status yr_decoders_create(const yore_env *env, yr_decoders **out, yore_error *err);
void yr_decoders_destroy(yr_decoders *decoders);
yr_dictionary *yr_dictionary_create(const yore_env *env, yore_slice bytes);
void yr_dictionary_destroy(yr_dictionary *dictionary);
enum yr_decode_result { YR_DECODE_OK = 0, YR_DECODE_BAD, YR_DECODE_NO_MEMORY };
/* Exactly `size` bytes must come out. `dictionary` may be NULL. */
enum yr_decode_result yr_decode(yr_decoders *decoders, const yr_dictionary *dictionary, yore_slice stored,
                                void *to, size_t size);

#endif

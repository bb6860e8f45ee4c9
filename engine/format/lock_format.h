/* Bytes of LOCK: who writes the store, in words, and how far readers in other processes may look.
 *
 * 4,096 bytes, made whole once. A line of text at 0 (for people and for the LOCKED message); from byte 1,024
 * two slots of {lsn, checksum}, written in turns: a reader takes the higher one that checks. Losing the file
 * or any of its bytes loses nothing but that. Pure functions over bytes; no I/O. */
#ifndef YR_LOCK_FORMAT_H
#define YR_LOCK_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_LOCK_BYTES 4096u
#define YR_LOCK_TEXT_BYTES 1024u
#define YR_LOCK_SLOT_OFF 1024u
#define YR_LOCK_SLOT_STRIDE 64u /* a cache line each */
#define YR_LOCK_SLOT_BYTES 16u

typedef struct yr_lock_holder {
    int64_t pid;
    char host[128];
    char boot_id[64];
    char program[64];
} yr_lock_holder;

/* `out` is filled up with zeros. */
void yr_lock_text_encode(const yr_lock_holder *holder, uint8_t out[YR_LOCK_TEXT_BYTES]);
/* False when nobody has signed, or not legibly. Fields hold printable bytes only. */
bool yr_lock_text_decode(yore_slice bytes, yr_lock_holder *holder);

void yr_lock_slot_encode(uint64_t lsn, const uint8_t uuid[YR_UUID_BYTES], uint8_t out[YR_LOCK_SLOT_BYTES]);
/* The higher of the two slots in a whole LOCK; 0 when neither checks. */
uint64_t yr_lock_watermark(yore_slice bytes, const uint8_t uuid[YR_UUID_BYTES]);

#endif

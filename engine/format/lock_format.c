#include "engine/format/lock_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

void yr_lock_text_encode(const yr_lock_holder *holder, uint8_t out[YR_LOCK_TEXT_BYTES])
{
    memset(out, 0, YR_LOCK_TEXT_BYTES);
    (void)snprintf((char *)out, YR_LOCK_TEXT_BYTES, "%" PRId64 " %s %s %s\n", holder->pid,
                   holder->host[0] ? holder->host : "-", holder->boot_id[0] ? holder->boot_id : "-",
                   holder->program[0] ? holder->program : "yore");
}

/* The next word into `to`; false at the end of the line, or for a word that is too long or not printable. */
static bool take_word(yr_reader *r, char *to, size_t size)
{
    size_t n = 0;
    while (r->left > 0 && *r->p > ' ' && *r->p < 127 && n + 1 < size) to[n++] = (char)yr_take_u8(r);
    to[n] = '\0';
    if (n == 0 || r->left == 0) return false;
    uint8_t end = yr_take_u8(r);
    return end == ' ' || end == '\n';
}

bool yr_lock_text_decode(yore_slice bytes, yr_lock_holder *holder)
{
    memset(holder, 0, sizeof(*holder));
    if (bytes.size > YR_LOCK_TEXT_BYTES) bytes.size = YR_LOCK_TEXT_BYTES;
    yr_reader r = yr_reader_of(bytes);
    char pid[24];
    if (!take_word(&r, pid, sizeof(pid))) return false;
    for (size_t i = 0; pid[i]; i++) {
        if (pid[i] < '0' || pid[i] > '9' || i > 17) return false;
        holder->pid = holder->pid * 10 + (pid[i] - '0');
    }
    return take_word(&r, holder->host, sizeof(holder->host)) &&
           take_word(&r, holder->boot_id, sizeof(holder->boot_id)) &&
           take_word(&r, holder->program, sizeof(holder->program));
}

static uint64_t slot_sum(uint64_t lsn, const uint8_t uuid[YR_UUID_BYTES])
{
    uint8_t bytes[8 + YR_UUID_BYTES];
    yr_put_le64(bytes, lsn);
    memcpy(bytes + 8, uuid, YR_UUID_BYTES);
    return yr_hash64(bytes, sizeof(bytes), 0);
}

void yr_lock_slot_encode(uint64_t lsn, const uint8_t uuid[YR_UUID_BYTES], uint8_t out[YR_LOCK_SLOT_BYTES])
{
    yr_put_le64(out + 0, lsn);                 /* 0  8  watermark */
    yr_put_le64(out + 8, slot_sum(lsn, uuid)); /* 8  8  XXH3-64 of it and the store's uuid */
}

uint64_t yr_lock_watermark(yore_slice bytes, const uint8_t uuid[YR_UUID_BYTES])
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t off = YR_LOCK_SLOT_OFF + i * YR_LOCK_SLOT_STRIDE;
        if (bytes.size < off + YR_LOCK_SLOT_BYTES) break;
        const uint8_t *p = (const uint8_t *)bytes.data + off;
        uint64_t lsn = yr_get_le64(p);
        if (yr_get_le64(p + 8) == slot_sum(lsn, uuid) && lsn > best) best = lsn;
    }
    return best;
}

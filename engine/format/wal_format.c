#include "engine/format/wal_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

#define RECORD_MAGIC UINT32_C(0x6C617779)         /* "ywal" */
#define LINK_MAGIC UINT32_C(0x6B6E696C)           /* "link" */
#define PAYLOAD_SEED UINT64_C(0xA0761D6478BD642F) /* keeps the two checksums of a record apart */

void yr_wal_link_encode(const yr_wal_link *link, uint64_t file_seed, uint8_t out[64])
{
    memset(out, 0, 64);
    yr_put_le32(out + 0, LINK_MAGIC);           /* 64   4  "link" */
                                                /* 68   4  zero */
    yr_put_le64(out + 8, link->prev_id);        /* 72   8  predecessor's id */
    yr_put_le64(out + 16, link->prev_last_lsn); /* 80   8  its last lsn */
    yr_put_le64(out + 24, link->prev_chain);    /* 88   8  its last record's header checksum */
    yr_put_le64(out + 32, link->bytes);         /* 96   8  size of this file */
                                                /* 104 16  zero */
    yr_put_le64(out + 56, yr_hash64(out, 56, yr_offset_seed(file_seed, YR_FILE_HEADER_BYTES))); /* 120 8 */
}

bool yr_wal_link_decode(yore_slice bytes, uint64_t file_seed, yr_wal_link *link)
{
    if (bytes.size < 64) return false;
    const uint8_t *p = bytes.data;
    if (yr_get_le32(p) != LINK_MAGIC) return false;
    if (yr_get_le64(p + 56) != yr_hash64(p, 56, yr_offset_seed(file_seed, YR_FILE_HEADER_BYTES)))
        return false;
    link->prev_id = yr_get_le64(p + 8);
    link->prev_last_lsn = yr_get_le64(p + 16);
    link->prev_chain = yr_get_le64(p + 24);
    link->bytes = yr_get_le64(p + 32);
    if (yr_get_le32(p + 4) != 0 || yr_get_le64(p + 40) != 0 || yr_get_le64(p + 48) != 0) return false;
    return link->bytes >= YR_WAL_START_OFF && link->bytes <= YR_WAL_FILE_BYTES_MAX && link->bytes % 8 == 0;
}

uint64_t yr_wal_payload_sum(yore_slice payload, uint64_t file_seed, uint64_t off)
{
    return yr_hash64(payload.data, payload.size, yr_offset_seed(file_seed, off) ^ PAYLOAD_SEED);
}

void yr_wal_record_encode(yr_wal_record_header *header, yore_slice payload, uint64_t file_seed, uint64_t off,
                          uint8_t out[YR_WAL_RECORD_HEADER_BYTES])
{
    header->payload_bytes = payload.size;
    header->payload_sum = yr_wal_payload_sum(payload, file_seed, off);
    yr_put_le32(out + 0, RECORD_MAGIC);          /* 0   4  "ywal" */
    out[4] = header->type;                       /* 4   1  type */
    out[5] = 0;                                  /* 5   1  flags, none yet */
    yr_put_le16(out + 6, header->manifest);      /* 6   2  MANIFEST generation known durable */
    yr_put_le64(out + 8, header->payload_bytes); /* 8  8  payload size */
    yr_put_le64(out + 16, header->lsn);          /* 16  8  lsn */
    yr_put_le64(out + 24, header->prev);         /* 24  8  the record before's header checksum */
    yr_put_le64(out + 32, header->durable_lsn);  /* 32  8  highest lsn known durable */
    yr_put_le64(out + 40, header->payload_sum);  /* 40  8  payload checksum */
    header->sum = yr_hash64(out, 48, yr_offset_seed(file_seed, off));
    yr_put_le64(out + 48, header->sum); /* 48  8  checksum of bytes 0..47 */
}

bool yr_wal_record_decode(yore_slice bytes, uint64_t file_seed, uint64_t off, yr_wal_record_header *header)
{
    if (bytes.size < YR_WAL_RECORD_HEADER_BYTES) return false;
    const uint8_t *p = bytes.data;
    if (yr_get_le32(p) != RECORD_MAGIC) return false;
    header->sum = yr_get_le64(p + 48);
    if (header->sum != yr_hash64(p, 48, yr_offset_seed(file_seed, off))) return false;
    header->type = p[4];
    header->payload_bytes = yr_get_le64(p + 8);
    header->lsn = yr_get_le64(p + 16);
    header->prev = yr_get_le64(p + 24);
    header->durable_lsn = yr_get_le64(p + 32);
    header->payload_sum = yr_get_le64(p + 40);
    header->manifest = yr_get_le16(p + 6);
    if (p[5] != 0) return false;
    if (header->type != YR_WAL_GROUP && header->type != YR_WAL_SEAL) return false;
    if (header->type == YR_WAL_SEAL && header->payload_bytes != 0) return false;
    if (header->payload_bytes > YR_WAL_PAYLOAD_MAX) return false;
    return header->lsn > 0 && header->durable_lsn < header->lsn;
}

/* Bytes of a log file: the file header, a link block, then records. docs/format.md has the tables.
 *
 * A record's header carries everything needed to trust it: its own checksum and its payload's (both seeded
 * with the file's salt and id and the record's offset), the header checksum of the record before it (`prev`,
 * over file borders too) and the highest lsn known durable when it was written. A length is looked at only
 * after the header's checksum holds. Pure functions over bytes; no I/O. */
#ifndef YR_WAL_FORMAT_H
#define YR_WAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_WAL_START_OFF 128u /* the first record: file header, link block */
#define YR_WAL_RECORD_HEADER_BYTES 56u
#define YR_WAL_PAYLOAD_MAX \
    (UINT64_C(1) << 32) /* of one record; more is refused before anything is allocated */
#define YR_WAL_FILE_BYTES_MAX (UINT64_C(1) << 40)

enum yr_wal_record_type {
    YR_WAL_END = 0,   /* zeros: nothing was written here yet */
    YR_WAL_GROUP = 1, /* the transactions of one commit group */
    YR_WAL_SEAL = 2   /* empty: proves the record before it */
};

/* Behind the file header. What was not known when the file was made (it is made ahead of its use) is zero;
 * the first record's lsn and `prev` then say it. */
typedef struct yr_wal_link {
    uint64_t prev_id;       /* the file before this one, 0 = none */
    uint64_t prev_last_lsn; /* its last record */
    uint64_t prev_chain;    /* header checksum of that record */
    uint64_t bytes;         /* this file's size: it is made whole and never shrinks */
} yr_wal_link;

typedef struct yr_wal_record_header {
    uint8_t type;      /* enum yr_wal_record_type */
    uint16_t manifest; /* low bits of the MANIFEST generation known durable then; 0 = says nothing */
    uint64_t payload_bytes;
    uint64_t lsn;
    uint64_t prev;        /* header checksum of the record before, 0 for lsn 1 */
    uint64_t durable_lsn; /* below lsn */
    uint64_t payload_sum;
    uint64_t sum; /* of this header: what the next record's `prev` says */
} yr_wal_record_header;

void yr_wal_link_encode(const yr_wal_link *link, uint64_t file_seed, uint8_t out[64]);
bool yr_wal_link_decode(yore_slice bytes, uint64_t file_seed, yr_wal_link *link);

/* Bytes of a record in the file: header, payload, zeros up to a multiple of 8. */
static inline uint64_t yr_wal_record_bytes(uint64_t payload_bytes)
{
    return YR_WAL_RECORD_HEADER_BYTES + ((payload_bytes + 7) & ~UINT64_C(7));
}

uint64_t yr_wal_payload_sum(yore_slice payload, uint64_t file_seed, uint64_t off);

/* Fill in payload_bytes, payload_sum and sum, and write the header. */
void yr_wal_record_encode(yr_wal_record_header *header, yore_slice payload, uint64_t file_seed, uint64_t off,
                          uint8_t out[YR_WAL_RECORD_HEADER_BYTES]);
/* Is there a whole header at `off`? `bytes` begins there. The payload is not looked at. */
bool yr_wal_record_decode(yore_slice bytes, uint64_t file_seed, uint64_t off, yr_wal_record_header *header);

#endif

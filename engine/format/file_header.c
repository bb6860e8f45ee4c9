#include "engine/format/file_header.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/base/planted.h"

static const uint8_t magic[4] = {'y', 'o', 'r', 'e'};

void yr_file_header_encode(const yr_file_header *header, uint8_t out[YR_FILE_HEADER_BYTES])
{
    memcpy(out + 0, magic, sizeof(magic));          /* 0   4  "yore" */
    yr_put_le16(out + 4, header->major);            /* 4   2  format major */
    yr_put_le16(out + 6, header->minor);            /* 6   2  format minor */
    yr_put_le16(out + 8, header->kind);             /* 8   2  file kind */
    yr_put_le16(out + 10, header->may_ignore);      /* 10  2  feature bits, may be ignored */
    yr_put_le32(out + 12, header->must_understand); /* 12  4  feature bits, must be understood */
    memcpy(out + 16, header->uuid, YR_UUID_BYTES);  /* 16 16  store */
    yr_put_le64(out + 32, header->file_id);         /* 32  8  file id */
    memcpy(out + 40, header->salt, YR_SALT_BYTES);  /* 40 16  salt */
    yr_put_le64(out + 56, yr_hash64(out, 56, 0));   /* 56  8  XXH3-64 of bytes 0..55 */
}

int yr_file_header_has_magic(yore_slice bytes)
{
    return bytes.size >= sizeof(magic) && memcmp(bytes.data, magic, sizeof(magic)) == 0;
}

enum yr_header_verdict yr_file_header_decode(yore_slice bytes, yr_file_header *header)
{
    if (bytes.size < YR_FILE_HEADER_BYTES || !yr_file_header_has_magic(bytes)) return YR_HEADER_BAD;
    const uint8_t *p = bytes.data;
    if (yr_get_le64(p + 56) != yr_hash64(p, 56, 0)) return YR_HEADER_BAD;
    header->major = yr_get_le16(p + 4);
    header->minor = yr_get_le16(p + 6);
    header->kind = yr_get_le16(p + 8);
    header->may_ignore = yr_get_le16(p + 10);
    header->must_understand = yr_get_le32(p + 12);
    memcpy(header->uuid, p + 16, YR_UUID_BYTES);
    header->file_id = yr_get_le64(p + 32);
    memcpy(header->salt, p + 40, YR_SALT_BYTES);
    if (header->major > YR_FORMAT_MAJOR) return YR_HEADER_NEWER;
    if (header->must_understand & ~YR_FORMAT_MUST_KNOWN) return YR_HEADER_NEWER;
    return header->major == 0 ? YR_HEADER_BAD : YR_HEADER_OK;
}

uint64_t yr_file_seed(const yr_file_header *header)
{
    uint8_t bytes[YR_SALT_BYTES + 8] = {0};
    if (!YR_BUG(NO_SALT)) memcpy(bytes, header->salt, YR_SALT_BYTES);
    yr_put_le64(bytes + YR_SALT_BYTES, header->file_id);
    return yr_hash64(bytes, sizeof(bytes), 0);
}

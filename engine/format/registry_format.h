/* Registry rows: branches, tags and settings as values of the system primitive on branch 0.
 *
 *   key "b" + branch id (4, big endian)   a branch record
 *   key "t" + tag name                    a tag record
 *   key "c" + setting name                the setting's text
 *
 *   branch record  off size
 *                   0   1  record version, 1
 *                   1   1  flags: 1 = deleted, 2 = hidden
 *                   2   2  name bytes
 *                   4   4  parent id, 0 = root
 *                   8   8  fork version
 *                  16   8  created, wall clock ns
 *                  24   8  time to live ns, 0 = none
 *                  32   8  version of the commit that deleted it, 0 = live
 *                  40      name
 *   tag record      0   1  record version, 1
 *                   1   3  zero
 *                   4   4  branch id
 *                   8   8  version
 *                  16   8  created, wall clock ns
 */
#ifndef YR_REGISTRY_FORMAT_H
#define YR_REGISTRY_FORMAT_H

#include "engine/base/bytes.h"

#include <yore/types.h>

#define YR_REGISTRY_BRANCH 0u /* the id of the branch that holds the registry */
#define YR_DEFAULT_BRANCH 1u  /* the id of `default` */

#define YR_BRANCH_DELETED 1u
#define YR_BRANCH_HIDDEN 2u

#define YR_BRANCH_RECORD_FIXED 40u
#define YR_BRANCH_RECORD_MAX (YR_BRANCH_RECORD_FIXED + YORE_BRANCH_NAME_MAX)
#define YR_BRANCH_KEY_BYTES 5u
#define YR_TAG_RECORD_BYTES 24u
#define YR_REGISTRY_KEY_MAX (1u + YORE_BRANCH_NAME_MAX)

typedef struct yr_branch_record {
    uint32_t parent;
    uint32_t flags;
    uint64_t fork_version;
    int64_t created_ns;
    int64_t ttl_ns;
    uint64_t deleted_version;
    yore_slice name;
} yr_branch_record;

typedef struct yr_tag_record {
    uint32_t branch;
    uint64_t version;
    int64_t created_ns;
} yr_tag_record;

size_t yr_branch_record_encode(const yr_branch_record *record, uint8_t out[YR_BRANCH_RECORD_MAX]);
bool yr_branch_record_decode(yore_slice bytes, yr_branch_record *record);
void yr_branch_key_encode(uint32_t id, uint8_t out[YR_BRANCH_KEY_BYTES]);
bool yr_branch_key_decode(yore_slice key, uint32_t *id);

void yr_tag_record_encode(const yr_tag_record *record, uint8_t out[YR_TAG_RECORD_BYTES]);
bool yr_tag_record_decode(yore_slice bytes, yr_tag_record *record);

/* "t" or "c" and a name; the name must fit. Returns the key's bytes. */
size_t yr_registry_key(char kind, yore_slice name, uint8_t out[YR_REGISTRY_KEY_MAX]);

#endif

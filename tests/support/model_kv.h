/* The reference model: what a store of yore is, in the plainest terms.
 *
 * Everything that was ever committed is one list of rows in commit order; branches, tags and settings are
 * lists. Every question is answered by looking through those lists from the end. There is no index, no cache
 * and no cleverness, so that the model can be read and believed. It knows nothing of files: reopening a store
 * must change none of its answers.
 *
 * It says what the specification fixes. Where that leaves freedom (a conflict and an unmet precondition in the
 * same transaction: which one is named), it gives the set of allowed answers. */
#ifndef YR_MODEL_KV_H
#define YR_MODEL_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yore.h>

#define MODEL_DEFAULT_BRANCH 1u
#define MODEL_NAME_SIZE 40u

/* One put or delete. Slices are the model's own copies. */
typedef struct model_row {
    uint64_t version;
    int64_t time_ns;
    uint32_t branch;
    uint32_t primitive;
    uint32_t op; /* YORE_OP_... */
    uint32_t type;
    int64_t expiry_ns; /* 0 = never */
    yore_slice key;
    yore_slice value;
    yore_slice meta;
} model_row;

typedef struct model_commit {
    uint64_t version;
    int64_t time_ns;
    uint32_t kind;   /* YORE_COMMIT_... */
    uint32_t branch; /* data commits */
    size_t first_row;
    size_t row_count;
    int64_t source_time_ns;
    uint32_t note;   /* a number; the note's text is made from it */
    uint64_t merged; /* the newest commit of what it merged; 0 = it is no merge */
} model_commit;

typedef struct model_branch {
    uint32_t id;
    uint32_t parent; /* 0 = root */
    uint64_t fork_version;
    uint64_t create_version;
    uint64_t deleted_version; /* 0 = live */
    bool hidden;
    char name[MODEL_NAME_SIZE];
} model_branch;

typedef struct model_tag {
    bool live;
    uint32_t branch;
    uint64_t version;
    char name[MODEL_NAME_SIZE];
} model_tag;

typedef struct model_setting {
    uint64_t version;
    char name[32];
    char prefix[16]; /* empty = the whole store's */
    char value[32];  /* empty = taken back */
} model_setting;

typedef struct model {
    model_row *rows; /* ascending versions; inside one commit any order, a key at most once */
    size_t row_count, row_cap;
    model_commit *commits; /* commits[v - 1] is version v */
    size_t commit_count, commit_cap;
    model_branch *branches; /* branches[id - 1] */
    size_t branch_count, branch_cap;
    model_tag *tags;
    size_t tag_count, tag_cap;
    model_setting *settings;
    size_t setting_count, setting_cap;
    void *chunks; /* where slices are kept */
    int64_t last_data_time_ns;
    bool has_data;
} model;

void model_init(model *m);
void model_deinit(model *m);

/* A copy that lives as long as the model. */
yore_slice model_keep(model *m, yore_slice bytes);

uint64_t model_last_version(const model *m);
int64_t model_last_time(const model *m);                               /* of the newest commit */
const model_commit *model_commit_at(const model *m, uint64_t version); /* NULL when there is none */

/* -- changes; each is one commit of the given time, as the store reported it -- */
uint64_t model_commit_system(model *m, uint32_t kind, int64_t time_ns);
/* `rows` need no version and time. */
uint64_t model_commit_data(model *m, uint32_t branch, int64_t time_ns, const model_row *rows, size_t count,
                           uint32_t note, int64_t source_time_ns);
model_branch *model_branch_add(model *m, const char *name, uint32_t parent, uint64_t fork_version,
                               uint64_t version);
void model_setting_add(model *m, const char *name, const char *prefix, const char *value, uint64_t version);
/* What holds for a key: the value of the longest prefix that has one. NULL: the default. */
const model_setting *model_setting_at(const model *m, const char *name, const char *key, uint64_t version);

/* -- branches -- */
model_branch *model_branch_by_id(const model *m, uint32_t id);
model_branch *model_branch_by_name(const model *m, const char *name);         /* live ones */
bool model_is_descendant(const model *m, uint32_t branch, uint32_t ancestor); /* a branch is its own */
uint32_t model_depth(const model *m, uint32_t branch);
model_tag *model_tag_by_name(const model *m, const char *name);

/* -- reading (I4): `cap` is a version of the store, `time_ns` decides expiry -- */

/* The newest row of a key on the first hop of the lineage that has one at or before its cap. */
const model_row *model_newest(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive,
                              yore_slice key);
/* The same among the branch's own rows. */
const model_row *model_newest_own(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive,
                                  yore_slice key);
bool model_is_visible(const model_row *row, int64_t time_ns);
/* The row that a read returns, NULL when the key is absent. */
const model_row *model_get(const model *m, uint32_t branch, uint64_t cap, int64_t time_ns, uint32_t primitive,
                           yore_slice key);

/* Lists go into an array the caller frees with free(); each returns how many. */
typedef const model_row **model_list;
size_t model_scan(const model *m, uint32_t branch, uint64_t cap, int64_t time_ns, const yore_range *range,
                  model_list *out);
/* The newest rows of all keys that a lineage has, visible or not, in key order: what `scan` chooses from. */
size_t model_history(const model *m, uint32_t branch, uint64_t cap, uint32_t primitive, yore_slice key,
                     const yore_range *range, model_list *out);
/* Data commits of the lineage at or before cap, newest first. */
size_t model_log(const model *m, uint32_t branch, uint64_t cap, const yore_log_options *options,
                 const model_commit ***out);

/* The newest data commit of the lineage at or before cap, NULL if none. */
const model_commit *model_head(const model *m, uint32_t branch, uint64_t cap);

/* The newest version whose time is at or before `time_ns`, at least 1. */
uint64_t model_version_at_time(const model *m, int64_t time_ns);

/* -- transactions -- */

enum model_op_kind { MODEL_PUT, MODEL_DEL, MODEL_INCR, MODEL_APPEND, MODEL_CAS };

typedef struct model_op {
    enum model_op_kind kind;
    uint32_t primitive;
    uint32_t type;
    int64_t ttl_ns;
    int64_t expiry_ns;
    int64_t delta;
    bool if_absent;
    bool has_if_version;
    uint64_t if_version;
    yore_slice key;
    yore_slice value;
    yore_slice meta;
    yore_slice expected;
} model_op;

typedef struct model_read {
    bool is_range;
    uint32_t primitive;
    yore_slice key;              /* the point */
    yore_slice from, to, prefix; /* the range */
    bool is_partial;  /* the scan was not read to its end, or had a limit: the rest may or may not count */
    bool is_doubtful; /* may or may not count as a read */
} model_read;

#define MODEL_OPS_MAX 24u
#define MODEL_READS_MAX 24u

typedef struct model_txn {
    uint32_t branch;
    uint32_t isolation;
    uint64_t snapshot; /* version */
    int64_t snapshot_time_ns;
    model_op ops[MODEL_OPS_MAX];
    size_t op_count;
    model_read reads[MODEL_READS_MAX];
    size_t read_count;
} model_txn;

/* What a commit may answer. */
#define MODEL_MAY_OK 1u
#define MODEL_MAY_CONFLICT 2u
#define MODEL_MAY_EXIST 4u
#define MODEL_MAY_TYPE 8u
#define MODEL_MAY_NO_BRANCH 16u

/* The state of one key within a transaction, over its snapshot: *row (value, meta ... filled in `scratch`) or
 * NULL when absent. False when the operations on it have no value (a type error). */
bool model_txn_get(model *m, const model_txn *txn, uint32_t primitive, yore_slice key, model_row *scratch,
                   const model_row **row);
/* Has the transaction an operation on this key? */
bool model_txn_touches(const model_txn *txn, uint32_t primitive, yore_slice key);

/* The allowed answers of committing at `time_ns`, and the rows it writes if it succeeds (room for
 * MODEL_OPS_MAX). */
unsigned model_txn_outcome(model *m, const model_txn *txn, int64_t time_ns, model_row *rows,
                           size_t *row_count);

#endif

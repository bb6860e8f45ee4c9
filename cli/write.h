/* What the writing verbs share: one transaction, and the line or record that reports its commit. */
#ifndef YORE_CLI_WRITE_H
#define YORE_CLI_WRITE_H

#include "cli/cmd.h"
#include "cli/locate.h"

/* Begin on the branch in force. 0 or an exit code. */
int cli_begin(cli *c, yore_txn **txn);
/* Commit with a note (NULL = none). 0 or an exit code; *where is filled. */
int cli_commit(cli *c, yore_txn *txn, const char *note, yore_where *where);

/* Commit and report changes of many keys, as many as the commit really wrote: one key given twice is one, and a
 * delete of what was not there is none. *written = false when that is nothing. 0 or an exit code. */
int cli_commit_many(cli *c, yore_txn *txn, const char *op, const char *note, bool *written);

/* The version a key has in the transaction's snapshot, 0 when it has no value. */
uint64_t cli_version_before(yore_txn *txn, yore_key key);

/* One key that a commit changed. */
typedef struct cli_change {
    const yore_where *where;
    yore_key key;
    uint32_t op;
    uint32_t type;
    yore_slice value; /* of a put */
    uint64_t was;     /* version before, 0 = none */
    int64_t expiry_ns;
    const char *note;
    bool show_value; /* in the JSON record */
} cli_change;
/* `default v1042  config.theme  4 B  (was v877)` on stderr, or a record on stdout. */
void cli_report_change(cli *c, const cli_change *change);
/* `default v1042  12 keys`, or {"branch","version","time","op","keys","note"}. */
void cli_report_commit(cli *c, const yore_where *where, const char *op, uint64_t keys, const char *note);

/* The same flag in every verb that commits. */
#define CLI_FLAG_MESSAGE                                      \
    {                                                         \
        "message", "NOTE", "a note kept with the commit", 'm' \
    }

/* Verbs that would wait for typed input show their help instead: true when that was done. */
bool cli_refuse_terminal_input(cli *c);

#endif

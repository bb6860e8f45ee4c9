/* Finding and opening the store, branches, points in history, keys.
 *
 * Path: -d, else YORE_DB, else the nearest `.yore` directory (or directory that is itself a store) upward.
 * Reads open read-only and never create; writers wait --wait for another one.
 */
#ifndef YORE_CLI_LOCATE_H
#define YORE_CLI_LOCATE_H

#include <stdio.h>

#include "cli/cmd.h"
#include "cli/memory.h"
#include "cli/output.h"

/* Open into c->db; 0, or the exit code of a reported error. main closes it. */
int cli_open_read(cli *c);
int cli_open_write(cli *c, bool create);

/* Where a store would be made: -d, YORE_DB, or ./.yore. */
const char *cli_create_path(const cli *c);
/* The path of an existing store into *out (free() it); 0 or the exit code of a reported error. */
int cli_find_store(cli *c, char **out);

/* The branch a write goes to, never NULL: -b, YORE_BRANCH, "default". */
const char *cli_branch(const cli *c);

/* The point a SPEC means (NULL = the branch's tip), -b respected: a SPEC naming another branch than an
 * explicit -b is a usage error. 0 or an exit code. */
int cli_at(cli *c, const char *spec, yore_at *out);

/* As cli_at for a SPEC that is a source, not the place of work: its branch may differ from -b. */
int cli_at_any(cli *c, const char *spec, yore_at *out);

/* cli_at, and where it is. */
int cli_resolve(cli *c, const char *spec, yore_at *at, yore_where *where);

/* As cli_snap, for a source (cli_at_any). */
int cli_snap_from(cli *c, const char *spec, yore_snap **snap, yore_where *where);

/* Open a snapshot as of a SPEC (NULL = now). *snap is closed by the caller; *where is filled. */
int cli_snap(cli *c, const char *spec, yore_snap **snap, yore_where *where);

/* The name of a branch id, deleted or not; "id:N" when unknown. Cached; valid until the next call. */
const char *cli_branch_name(cli *c, uint32_t id);

/* A key argument: plain, hex, base64 or a full address (which may name the branch: c->branch is then set and must
 * agree with -b). *bytes holds decoded bytes and must outlive *out. 0 or an exit code. */
int cli_key(cli *c, const char *text, cli_bytes *bytes, yore_key *out);
/* Part of a key (a prefix, a bound): as cli_key, but may be empty. */
int cli_key_part(cli *c, const char *text, cli_bytes *bytes, uint32_t *primitive, yore_slice *out);
/* A key for a message: escaped, long ones cut. free() it. */
char *cli_shown(yore_slice key);
const char *cli_primitive_name(uint32_t primitive);
bool cli_primitive_parse(yore_slice name, uint32_t *out);

/* Read a whole file ("-" = stdin) up to one byte more than `size_max`. 0 or an exit code. */
int cli_read_all(cli *c, const char *path, size_t size_max, cli_bytes *out);

/* -- records of CLI.md 4, shared by the verbs and export -- */

/* A stored value: one JSON record on its own line. */
typedef struct cli_record {
    const char *branch;
    const yore_row *row;
    yore_slice note;
    bool has_value; /* print `value`; row->value is set in any case, for `bytes` */
} cli_record;
void cli_record_write(FILE *to, const cli_record *record);
/* Members only, into an open object. */
void cli_record_members(cli_json *j, const cli_record *record);
/* What names a key in a list: the key, or with --address its whole address. Valid until the next call. */
yore_slice cli_key_cell(const cli *c, const char *branch, const yore_row *row);
/* The note of a commit, empty when there is none. */
yore_slice cli_note_of(cli *c, uint64_t version);
/* What a list shows of a note: on a terminal its first line, in a pipe all of it. */
yore_slice cli_note_cell(const cli *c, yore_slice note);

#endif

/* The changes of one git commit, written into a transaction as differences to its first parent. */
#ifndef YORE_CLI_GIT_APPLY_H
#define YORE_CLI_GIT_APPLY_H

#include "cli/git_stream.h"

/* Writes the operations of stream->record into `txn`. `parent`: the first parent's point, NULL for a history's first
 * commit. False with *problem filled. */
bool git_apply(git_stream *stream, yore_txn *txn, const yore_at *parent);

/* Writes the whole state of a point into `txn`: for a branch that cannot be a fork of it. */
bool git_copy_state(git_stream *stream, yore_txn *txn, const yore_at *from);

/* Read a span of the input into `to` (cleared first). */
bool git_read_span(git_stream *stream, git_span span, cli_bytes *to);

#endif

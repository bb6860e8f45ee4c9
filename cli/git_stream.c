/* The fast-export grammar (git-fast-import(1)). Paths are in git_path.c.
 *
 * Marks map to a number: what it is in the low two bits, which one above them. */
#include "cli/git_stream.h"

#include <stdlib.h>
#include <string.h>

#include "cli/git_path.h"
#include "cli/json_in.h"

enum { MARK_BLOB, MARK_COMMIT, MARK_OTHER };

typedef struct git_line {
    git_stream *stream;
    const char *start;
    const char *at;
    const char *end;
} git_line;

void git_stream_init(git_stream *stream, import *im, import_problem *problem)
{
    *stream = (git_stream){.im = im, .in = &im->in, .problem = problem};
}

void git_stream_rewind(git_stream *stream)
{
    git_numbers_deinit(&stream->marks);
    git_names_deinit(&stream->oids);
    git_names_deinit(&stream->refs);
    stream->blob_count = 0;
    stream->commit_count = 0;
    stream->must_be_done = false;
}

void git_stream_deinit(git_stream *stream)
{
    git_stream_rewind(stream);
    free(stream->blobs);
    free(stream->record.merges);
    free(stream->record.ops);
    cli_bytes_deinit(&stream->record.text);
}

yore_slice git_text_of(const git_stream *stream, git_text text)
{
    const char *data = stream->record.text.data;
    return yore_bytes(data == NULL ? "" : data + text.off, text.size);
}

static git_text keep_text(git_stream *stream, const char *from, size_t size)
{
    git_text text = {stream->record.text.size, size};
    cli_bytes_append(&stream->record.text, from, size);
    return text;
}

/* -- one line -- */

static bool next_line(git_stream *stream, git_line *line)
{
    yore_slice text;
    if (!import_in_line(stream->in, &text)) {
        return false;
    }
    line->stream = stream;
    line->start = text.data;
    line->at = line->start;
    line->end = line->start + text.size;
    return true;
}

static void unread(git_stream *stream)
{
    stream->in->again = true;
}

static bool starts(git_line *line, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(line->end - line->at) < size || memcmp(line->at, word, size) != 0) {
        return false;
    }
    line->at += size;
    return true;
}

static bool is_word(const git_line *line, const char *word)
{
    return json_is(yore_bytes(line->start, (size_t)(line->end - line->start)), word);
}

static bool refuse(git_line *line, const char *message)
{
    git_stream *stream = line->stream;
    stream->problem->line = stream->in->line;
    return import_refuse(stream->problem, YORE_ERR_INPUT, (uint32_t)(line->at - line->start) + 1, "%s",
                         message);
}

static bool truncated(git_stream *stream, uint64_t line, const char *what)
{
    stream->problem->line = line;
    (void)import_refuse(stream->problem, YORE_ERR_INPUT, 0, "the stream ends inside %s: it is cut short",
                        what);
    (void)snprintf(stream->problem->hint, sizeof stream->problem->hint, "export the repository again");
    return false;
}

static bool read_number(git_line *line, uint64_t *out)
{
    uint64_t value = 0;
    const char *start = line->at;
    while (line->at < line->end && *line->at >= '0' && *line->at <= '9' && line->at - start < 19) {
        value = value * 10 + (uint64_t)(*line->at++ - '0');
    }
    *out = value;
    return line->at > start;
}

static bool at_end(const git_line *line)
{
    return line->at == line->end;
}

static bool read_mark(git_line *line, uint64_t *out)
{
    return (starts(line, ":") && read_number(line, out) && at_end(line)) ||
           refuse(line, "expected a mark, as :12");
}

/* -- data -- */

static bool read_delimited(git_stream *stream, const char *word, size_t size, uint64_t line, git_span *out)
{
    yore_slice text;
    char *delimiter = cli_strdup_slice(yore_bytes(word, size));
    bool found = false;
    out->off = stream->in->off;
    while (!found && import_in_line(stream->in, &text)) {
        found = text.size == size && memcmp(text.data, delimiter, size) == 0;
    }
    out->size = found ? stream->in->line_off - out->off : 0;
    free(delimiter);
    return found || truncated(stream, line, "a block of data");
}

/* `data` and what follows it, up to the optional LF behind. */
static bool read_data(git_stream *stream, git_span *out)
{
    git_line line;
    uint64_t size = 0;
    if (!next_line(stream, &line)) {
        return truncated(stream, stream->in->line, "a record that needs data");
    }
    uint64_t line_number = stream->in->line;
    if (!starts(&line, "data ")) {
        return refuse(&line, "expected 'data'");
    }
    if (starts(&line, "<<")) {
        size_t word = (size_t)(line.end - line.at);
        if (word == 0) {
            return refuse(&line, "expected the word that ends the data");
        }
        if (!read_delimited(stream, line.at, word, line_number, out)) {
            return false;
        }
    } else {
        if (!read_number(&line, &size) || !at_end(&line)) {
            return refuse(&line, "expected the number of bytes");
        }
        *out = (git_span){stream->in->off, size};
        if (!import_in_skip(stream->in, size)) {
            return truncated(stream, line_number, "a block of data");
        }
    }
    if (import_in_next_byte(stream->in) == '\n') {
        (void)import_in_skip(stream->in, 1);
    }
    return true;
}

/* -- names of commits -- */

static bool is_hex(const char *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f'))) {
            return false;
        }
    }
    return size == 40 || size == 64;
}

/* A mark, a commit id, or a ref (with ^0 behind it) up to the end of the line. */
static bool read_target(git_line *line, git_target *out)
{
    git_stream *stream = line->stream;
    uint64_t value = 0;
    *out = (git_target){.given = true};
    if (line->at < line->end && *line->at == ':') {
        const char *start = line->at;
        if (!read_mark(line, &value)) {
            return false;
        }
        if (!git_numbers_get(&stream->marks, value, &value)) {
            line->at = start;
            return refuse(line, "a mark that nothing in the stream has");
        }
        out->not_commit = (value & 3) != MARK_COMMIT;
        out->commit = (uint32_t)(value >> 2);
        return true;
    }
    size_t size = (size_t)(line->end - line->at);
    if (is_hex(line->at, size)) {
        size_t zeros = 0;
        while (zeros < size && line->at[zeros] == '0') zeros++;
        if (zeros == size) {
            out->is_null = true;
            return true;
        }
        size_t entry = git_names_find(&stream->oids, yore_bytes(line->at, size));
        if (entry == GIT_NAME_NONE) {
            (void)refuse(line, "a commit that is not in the stream");
            (void)snprintf(stream->problem->hint, sizeof stream->problem->hint,
                           "export the whole history: git fast-export --all");
            return false;
        }
        out->commit = (uint32_t)stream->oids.values[entry];
        return true;
    }
    if (size > 2 && memcmp(line->end - 2, "^0", 2) == 0) {
        size -= 2;
    }
    size_t entry = git_names_find(&stream->refs, yore_bytes(line->at, size));
    if (entry == GIT_NAME_NONE || stream->refs.values[entry] == 0) {
        return refuse(line, "expected a mark, a commit id or a ref the stream has set");
    }
    out->commit = (uint32_t)(stream->refs.values[entry] - 1);
    return true;
}

/* -- people -- */

/* `Name <mail> seconds zone`: the text up to '>', and the time. */
static bool read_person(git_line *line, git_text *who, int64_t *time_s)
{
    const char *start = line->at;
    const char *mail = NULL;
    for (const char *at = start; at < line->end; at++) {
        mail = *at == '>' ? at : mail;
    }
    if (mail == NULL) {
        return refuse(line, "expected 'Name <mail> seconds zone'");
    }
    *who = keep_text(line->stream, start, (size_t)(mail + 1 - start));
    line->at = mail + 1;
    uint64_t seconds = 0;
    bool negative = starts(line, " -");
    if (!negative && !starts(line, " ")) {
        return refuse(line, "expected seconds since 1970");
    }
    const char *digits = line->at;
    if (!read_number(line, &seconds) || (!at_end(line) && *line->at != ' ') || seconds > INT64_MAX) {
        line->at = digits;
        return refuse(line, "expected seconds since 1970, as fast-export writes them");
    }
    *time_s = negative ? -(int64_t)seconds : (int64_t)seconds;
    return true;
}

/* -- changes of files -- */

static git_op *add_op(git_stream *stream, git_op_kind kind)
{
    git_record *record = &stream->record;
    if (record->op_count == record->op_cap) {
        record->op_cap = record->op_cap == 0 ? 64 : record->op_cap * 2;
        record->ops = cli_realloc(record->ops, record->op_cap * sizeof *record->ops);
    }
    git_op *op = &record->ops[record->op_count++];
    *op = (git_op){.kind = kind};
    return op;
}

/* A path at the end of the line (`last`) or before a blank. */
static bool read_path(git_line *line, bool last, git_text *out)
{
    git_stream *stream = line->stream;
    size_t start = stream->record.text.size;
    const char *reason = git_path_read(&line->at, line->end, last, &stream->record.text);
    if (reason != NULL) {
        return refuse(line, reason);
    }
    *out = (git_text){start, stream->record.text.size - start};
    if (out->size + strlen(stream->im->prefix) > YORE_KEY_BYTES_MAX) {
        return refuse(line, "a path longer than 32,768 bytes, which is what a key may have");
    }
    return true;
}

/* The path of a file: as read_path, and without empty parts. */
static bool read_file_path(git_line *line, git_text *out)
{
    const char *start = line->at;
    if (!read_path(line, true, out)) {
        return false;
    }
    yore_slice path = git_text_of(line->stream, *out);
    const char *at = path.data;
    bool empty = path.size == 0;
    for (size_t i = 0; i < path.size; i++) {
        empty = empty || (at[i] == '/' && (i == 0 || i + 1 == path.size || at[i - 1] == '/'));
    }
    line->at = empty ? start : line->at;
    return !empty || refuse(line, path.size == 0 ? "a file needs a path" : "a path with an empty part");
}

static bool read_mode(git_line *line, uint32_t *mode)
{
    uint32_t value = 0;
    const char *start = line->at;
    while (line->at < line->end && *line->at >= '0' && *line->at <= '7' && line->at - start < 6) {
        value = value * 8 + (uint32_t)(*line->at++ - '0');
    }
    value |= value <= 07777 ? 0100000u : 0; /* 644 and 755 are short for files */
    uint32_t type = value & 0170000u;
    if (line->at == start || !starts(line, " ") ||
        (type != 0100000u && value != GIT_MODE_LINK && value != GIT_MODE_SUBMODULE)) {
        line->at = start;
        return refuse(line, "expected the mode of a file, symlink or submodule");
    }
    *mode = value;
    return true;
}

/* `M mode dataref path`: the contents are a blob before it, or follow. */
static bool read_put(git_line *line)
{
    git_stream *stream = line->stream;
    git_op op = {.kind = GIT_PUT};
    uint64_t value = 0;
    if (!read_mode(line, &op.mode)) {
        return false;
    }
    const char *start = line->at;
    bool is_inline = starts(line, "inline ");
    if (!is_inline && starts(line, ":")) {
        bool found = read_number(line, &value) && git_numbers_get(&stream->marks, value, &value) &&
                     (value & 3) == MARK_BLOB;
        if (!found || !starts(line, " ")) {
            line->at = start;
            return refuse(line, "expected the mark of a blob before it in the stream");
        }
        op.data = stream->blobs[value >> 2];
    } else if (!is_inline) {
        const char *space = memchr(start, ' ', (size_t)(line->end - start));
        if (space == NULL || !is_hex(start, (size_t)(space - start))) {
            return refuse(line, "expected a mark, 'inline' or an object id");
        }
        if (op.mode != GIT_MODE_SUBMODULE) {
            (void)refuse(line, "a blob that is not in the stream");
            (void)snprintf(stream->problem->hint, sizeof stream->problem->hint, "export without --no-data");
            return false;
        }
        op.other = keep_text(stream, start, (size_t)(space - start));
        line->at = space + 1;
    }
    if (!read_file_path(line, &op.path)) {
        return false;
    }
    if (is_inline && !read_data(stream, &op.data)) {
        return false;
    }
    if (op.data.size > YORE_VALUE_BYTES_MAX) {
        return refuse(line, "a file of more than 1 GiB, which is what a value may have");
    }
    *add_op(stream, GIT_PUT) = op;
    return true;
}

static bool read_delete(git_line *line)
{
    git_op op = {.kind = GIT_DELETE};
    if (!read_path(line, true, &op.path)) {
        return false;
    }
    op.kind = op.path.size == 0 ? GIT_DELETE_ALL : GIT_DELETE;
    *add_op(line->stream, op.kind) = op;
    return true;
}

static bool read_move(git_line *line, git_op_kind kind)
{
    git_op op = {.kind = kind};
    if (!read_path(line, false, &op.path) || !read_file_path(line, &op.other)) {
        return false;
    }
    if (op.path.size == 0) {
        return refuse(line, "a rename or copy needs two paths");
    }
    *add_op(line->stream, kind) = op;
    return true;
}

/* *taken = the line was a change of a file. */
static bool read_op(git_line *line, bool *taken)
{
    *taken = true;
    if (starts(line, "M ")) {
        return read_put(line);
    }
    if (starts(line, "D ")) {
        return read_delete(line);
    }
    if (starts(line, "R ")) {
        return read_move(line, GIT_RENAME);
    }
    if (starts(line, "C ")) {
        return read_move(line, GIT_COPY);
    }
    if (is_word(line, "deleteall")) {
        (void)add_op(line->stream, GIT_DELETE_ALL);
        return true;
    }
    if (starts(line, "N ")) {
        return refuse(line, "notes ('N') are not supported: export refs/notes as files, as fast-export does");
    }
    *taken = false;
    return true;
}

/* -- commits -- */

/* Lines between `commit` (or `tag`) and `data`. */
static bool read_headers(git_stream *stream, const char *what)
{
    git_record *record = &stream->record;
    git_line line;
    git_text committer;
    git_span ignored;
    int64_t author_s = 0;
    while (next_line(stream, &line)) {
        bool good = true;
        if (starts(&line, "data ")) {
            unread(stream);
            return read_data(stream, &record->message);
        }
        if (starts(&line, "mark ")) {
            record->has_mark = true;
            good = read_mark(&line, &record->mark);
        } else if (starts(&line, "original-oid ")) {
            record->oid = keep_text(stream, line.at, (size_t)(line.end - line.at));
        } else if (starts(&line, "author ")) {
            good = read_person(&line, &record->author, &author_s);
        } else if (starts(&line, "committer ")) {
            record->has_time = true;
            good = read_person(&line, &committer, &record->time_s);
            record->author = record->author.size == 0 ? committer : record->author;
        } else if (starts(&line, "tagger ")) {
            record->has_time = true;
            good = read_person(&line, &record->author, &record->time_s);
        } else if (starts(&line, "from ")) {
            good = read_target(&line, &record->from); /* a tag's stands before its data */
        } else if (starts(&line, "gpgsig ")) {
            good = read_data(stream, &ignored);
        } else if (!starts(&line, "encoding ")) {
            good = refuse(&line, "expected a line of a commit or tag");
        }
        if (!good) {
            return false;
        }
    }
    return truncated(stream, record->line, what);
}

static void add_merge(git_record *record, uint32_t commit)
{
    if (record->merge_count == record->merge_cap) {
        record->merge_cap = record->merge_cap == 0 ? 16 : record->merge_cap * 2;
        record->merges = cli_realloc(record->merges, record->merge_cap * sizeof *record->merges);
    }
    record->merges[record->merge_count++] = commit;
}

static bool read_commit_target(git_line *line, git_target *out)
{
    return read_target(line, out) &&
           ((!out->not_commit && !out->is_null) || refuse(line, "a parent that is no commit"));
}

/* Without `from`, a commit continues its ref. */
static void default_parent(git_stream *stream)
{
    git_record *record = &stream->record;
    size_t entry = git_names_find(&stream->refs, git_text_of(stream, record->ref));
    if (!record->from.given && entry != GIT_NAME_NONE && stream->refs.values[entry] != 0) {
        record->from = (git_target){.given = true, .commit = (uint32_t)(stream->refs.values[entry] - 1)};
    }
}

static bool read_commit(git_stream *stream)
{
    git_record *record = &stream->record;
    git_line line;
    git_target target;
    bool taken = true;
    if (!read_headers(stream, "a commit")) {
        return false;
    }
    if (!record->has_time) {
        stream->problem->line = record->line;
        return import_refuse(stream->problem, YORE_ERR_INPUT, 0, "a commit without a committer");
    }
    while (taken && next_line(stream, &line)) {
        bool good;
        if (starts(&line, "from ")) {
            good = read_target(&line, &record->from) &&
                   (!record->from.not_commit || refuse(&line, "a parent that is no commit"));
        } else if (starts(&line, "merge ")) {
            good = read_commit_target(&line, &target);
            if (good) {
                add_merge(record, target.commit);
            }
        } else {
            good = read_op(&line, &taken);
            if (!taken) {
                unread(stream);
            }
        }
        if (!good) {
            return false;
        }
    }
    default_parent(stream);
    return !stream->in->failed;
}

static bool read_blob(git_stream *stream)
{
    git_line line;
    bool has_mark = false;
    uint64_t mark = 0;
    while (next_line(stream, &line)) {
        if (starts(&line, "mark ")) {
            has_mark = true;
            if (!read_mark(&line, &mark)) {
                return false;
            }
        } else if (!starts(&line, "original-oid ")) {
            unread(stream);
            break;
        }
    }
    if (stream->blob_count == stream->blob_cap) {
        stream->blob_cap = stream->blob_cap == 0 ? 1024 : stream->blob_cap * 2;
        stream->blobs = cli_realloc(stream->blobs, stream->blob_cap * sizeof *stream->blobs);
    }
    if (!read_data(stream, &stream->blobs[stream->blob_count])) {
        return false;
    }
    if (has_mark) {
        git_numbers_set(&stream->marks, mark, (uint64_t)stream->blob_count << 2 | MARK_BLOB);
    }
    stream->blob_count++;
    return true;
}

static bool read_reset(git_stream *stream)
{
    git_line line;
    if (!next_line(stream, &line)) {
        return !stream->in->failed;
    }
    if (starts(&line, "from ")) {
        return read_target(&line, &stream->record.from);
    }
    unread(stream);
    return true;
}

static bool read_tag(git_stream *stream)
{
    git_record *record = &stream->record;
    if (!read_headers(stream, "a tag")) {
        return false;
    }
    if (!record->from.given) {
        stream->problem->line = record->line;
        return import_refuse(stream->problem, YORE_ERR_INPUT, 0, "a tag without 'from'");
    }
    if (record->has_mark) {
        git_numbers_set(&stream->marks, record->mark,
                        (uint64_t)record->from.commit << 2 |
                            (record->from.not_commit ? MARK_OTHER : MARK_COMMIT));
    }
    return true;
}

static void clear_record(git_stream *stream, git_kind kind, git_line *line)
{
    git_record *record = &stream->record;
    cli_bytes_clear(&record->text);
    record->kind = kind;
    record->line = stream->in->line;
    record->ref = keep_text(stream, line->at, (size_t)(line->end - line->at));
    record->author = (git_text){0};
    record->oid = (git_text){0};
    record->message = (git_span){0};
    record->has_mark = false;
    record->has_time = false;
    record->from = (git_target){0};
    record->merge_count = 0;
    record->op_count = 0;
}

/* What a feature asks for must be done, or the commits would not be what was meant. */
static bool read_feature(git_line *line)
{
    static const char *const known[] = {
        "done",  "date-format=raw", "relative-marks", "no-relative-marks",
        "force", "notes",           "export-marks=",  "import-marks-if-exists="};
    const char *name = line->at;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        bool open_end = known[i][strlen(known[i]) - 1] == '=';
        line->at = name;
        if (starts(line, known[i]) && (open_end || at_end(line))) {
            line->stream->must_be_done = line->stream->must_be_done || i == 0;
            return true;
        }
    }
    line->at = name;
    return refuse(line, "a feature that yore does not have");
}

/* The end: of the input, or `done`. */
static bool read_end(git_stream *stream, bool said_done)
{
    stream->record.kind = GIT_END;
    if (stream->in->failed) {
        return false;
    }
    return said_done || !stream->must_be_done ||
           truncated(stream, stream->in->line, "the commits ('done' is missing)");
}

bool git_stream_next(git_stream *stream)
{
    git_line line;
    while (next_line(stream, &line)) {
        if (at_end(&line)) {
            continue;
        }
        if (starts(&line, "blob") && at_end(&line)) {
            if (!read_blob(stream)) {
                return false;
            }
            continue;
        }
        line.at = line.start;
        if (starts(&line, "commit ")) {
            clear_record(stream, GIT_COMMIT, &line);
            return read_commit(stream);
        }
        if (starts(&line, "reset ")) {
            clear_record(stream, GIT_RESET, &line);
            return read_reset(stream);
        }
        if (starts(&line, "tag ")) {
            clear_record(stream, GIT_TAG, &line);
            return read_tag(stream);
        }
        if (is_word(&line, "done")) {
            return read_end(stream, true);
        }
        if (starts(&line, "feature ")) {
            if (!read_feature(&line)) {
                return false;
            }
        } else if (!starts(&line, "option ") && !starts(&line, "progress ") &&
                   !is_word(&line, "checkpoint")) {
            return refuse(&line, "not a command of a git fast-export stream");
        }
    }
    return read_end(stream, false);
}

/* -- what commands do to refs and marks -- */

uint32_t git_stream_add_commit(git_stream *stream)
{
    git_record *record = &stream->record;
    uint32_t number = stream->commit_count++;
    if (record->has_mark) {
        git_numbers_set(&stream->marks, record->mark, (uint64_t)number << 2 | MARK_COMMIT);
    }
    if (record->oid.size > 0) {
        (void)git_names_set(&stream->oids, git_text_of(stream, record->oid), number);
    }
    (void)git_names_set(&stream->refs, git_text_of(stream, record->ref), (uint64_t)number + 1);
    return number;
}

void git_stream_move_ref(git_stream *stream, yore_slice ref, const git_target *target)
{
    bool has_commit = target->given && !target->is_null && !target->not_commit;
    (void)git_names_set(&stream->refs, ref, has_commit ? (uint64_t)target->commit + 1 : 0);
}

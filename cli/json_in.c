/* json_in.h on yajl 2.1. yajl tells where each token ends (bytes consumed so far, valid inside its callbacks); where
 * a value starts follows from the end of the token before it, as only blanks, ',' and ':' may stand between. */
#include "cli/json_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "cli/output.h"

typedef struct json_run {
    json_in *in;
    yajl_handle yajl;
    const unsigned char *text;
    size_t size;
    size_t mark; /* end of the last token of the outermost level */
    uint32_t depth;
    bool bad; /* `problem` is filled */
    json_problem *problem;
} json_run;

static bool fail_at(json_problem *problem, size_t off, const char *message)
{
    problem->off = off;
    (void)snprintf(problem->message, sizeof problem->message, "%s", message);
    return false;
}

/* The next byte at or after `off` that belongs to a token. */
static size_t token_start(const json_run *run, size_t off)
{
    while (off < run->size && strchr(" \t\r\n,:", run->text[off]) != NULL && run->text[off] != 0) {
        off++;
    }
    return off;
}

static uint32_t hex4(const unsigned char *at)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned char c = at[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a') + 10u;
        value = value * 16u + digit;
    }
    return value;
}

/* yajl turns half a surrogate pair into '?'; here it is an error. `raw` is a literal yajl has accepted. */
static bool has_lone_surrogate(const unsigned char *raw, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (raw[i] != '\\') {
            continue;
        }
        i++;
        if (raw[i] != 'u') {
            continue;
        }
        uint32_t unit = hex4(raw + i + 1);
        i += 4;
        if (unit >= 0xdc00u && unit <= 0xdfffu) {
            return true;
        }
        if (unit >= 0xd800u && unit <= 0xdbffu) {
            if (i + 6 >= size || raw[i + 1] != '\\' || raw[i + 2] != 'u') {
                return true;
            }
            uint32_t low = hex4(raw + i + 3);
            if (low < 0xdc00u || low > 0xdfffu) {
                return true;
            }
            i += 6;
        }
    }
    return false;
}

/* Copy decoded text into the reader's own memory. Reserved up front, so earlier slices stay valid. */
static yore_slice keep(json_in *in, const unsigned char *text, size_t size)
{
    size_t at = in->strings.size;
    cli_bytes_append(&in->strings, text, size);
    return yore_bytes(in->strings.data + at, size);
}

static json_member *add_member(json_in *in)
{
    if (in->count == in->cap) {
        in->cap = in->cap == 0 ? 16 : in->cap * 2;
        in->members = cli_realloc(in->members, in->cap * sizeof *in->members);
    }
    json_member *member = &in->members[in->count++];
    memset(member, 0, sizeof *member);
    return member;
}

/* A value begins at the outermost level: its member, made by the name before it or here in an array. */
static json_member *begin_value(json_run *run, json_kind kind)
{
    json_in *in = run->in;
    size_t start = token_start(run, run->mark);
    json_member *member;
    if (in->kind == JSON_ARRAY) {
        member = add_member(in);
        member->name_off = start;
    } else {
        member = &in->members[in->count - 1];
    }
    member->off = start;
    member->kind = kind;
    return member;
}

static void end_value(json_run *run)
{
    json_member *member = &run->in->members[run->in->count - 1];
    run->mark = yajl_get_bytes_consumed(run->yajl);
    member->raw = yore_bytes(run->text + member->off, run->mark - member->off);
    if (member->kind != JSON_STRING) {
        member->text = member->raw;
    }
}

static int refuse(json_run *run, size_t off, const char *message)
{
    run->bad = true;
    (void)fail_at(run->problem, off, message);
    return 0;
}

static int scalar(json_run *run, json_kind kind)
{
    if (run->depth == 0) {
        return refuse(run, token_start(run, 0), "expected a JSON object");
    }
    if (run->depth == 1) {
        (void)begin_value(run, kind);
        end_value(run);
    }
    return 1;
}

static int on_null(void *ctx)
{
    return scalar(ctx, JSON_NULL);
}

static int on_bool(void *ctx, int value)
{
    (void)value;
    return scalar(ctx, JSON_BOOL);
}

static int on_number(void *ctx, const char *text, size_t size)
{
    (void)text;
    (void)size;
    return scalar(ctx, JSON_NUMBER);
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    json_run *run = ctx;
    if (scalar(run, JSON_STRING) == 0) {
        return 0;
    }
    if (run->depth == 1) {
        json_member *member = &run->in->members[run->in->count - 1];
        if (has_lone_surrogate(member->raw.data, member->raw.size)) {
            return refuse(run, member->off, "a string holds half of a surrogate pair");
        }
        member->text = keep(run->in, text, size);
    }
    return 1;
}

static int open_container(json_run *run, json_kind kind)
{
    if (run->depth >= JSON_DEPTH_MAX) {
        return refuse(run, yajl_get_bytes_consumed(run->yajl) - 1, "nested deeper than 512 levels");
    }
    if (run->depth == 0) {
        run->in->kind = kind;
        run->mark = yajl_get_bytes_consumed(run->yajl);
    } else if (run->depth == 1) {
        (void)begin_value(run, kind);
    }
    run->depth++;
    return 1;
}

static int close_container(json_run *run)
{
    run->depth--;
    if (run->depth == 1) {
        end_value(run);
    } else if (run->depth == 0) {
        run->mark = yajl_get_bytes_consumed(run->yajl);
    }
    return 1;
}

static int on_map(void *ctx)
{
    return open_container(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
    return open_container(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
    return close_container(ctx);
}

static int on_name(void *ctx, const unsigned char *text, size_t size)
{
    json_run *run = ctx;
    if (run->depth != 1) {
        return 1;
    }
    size_t start = token_start(run, run->mark);
    run->mark = yajl_get_bytes_consumed(run->yajl);
    if (has_lone_surrogate(run->text + start, run->mark - start)) {
        return refuse(run, start, "a name holds half of a surrogate pair");
    }
    json_member *member = add_member(run->in);
    member->name_off = start;
    member->name = keep(run->in, text, size);
    return 1;
}

static const yajl_callbacks CALLBACKS = {on_null, on_bool, NULL,   NULL,     on_number, on_string,
                                         on_map,  on_name, on_end, on_array, on_end};

/* yajl's message without its trailing lines ("parse error: ..." -> "..."). */
static void take_yajl_error(json_run *run)
{
    unsigned char *text = yajl_get_error(run->yajl, 0, run->text, run->size);
    const char *words = text == NULL ? "not JSON" : (const char *)text;
    const char *colon = strstr(words, ": ");
    size_t consumed = yajl_get_bytes_consumed(run->yajl);
    run->problem->off = consumed > 0 ? consumed - 1 : 0; /* the refused token's last byte */
    (void)snprintf(run->problem->message, sizeof run->problem->message, "%s",
                   colon == NULL ? words : colon + 2);
    run->problem->message[strcspn(run->problem->message, "\n")] = 0;
    size_t length = strlen(run->problem->message);
    if (length > 0 && run->problem->message[length - 1] == '.') {
        run->problem->message[length - 1] = 0;
    }
    if (text != NULL) {
        yajl_free_error(run->yajl, text);
    }
    run->bad = true;
}

/* Where the first byte is that is not UTF-8; `size` when all is well. */
static size_t utf8_end(yore_slice text)
{
    if (cli_is_utf8(text)) {
        return text.size;
    }
    size_t good = 0; /* cli_is_utf8 holds for the first `good` bytes, not for `bad` */
    size_t bad = text.size;
    while (bad - good > 8) {
        /* Cut between characters: step back over continuation bytes (four at most in anything valid). */
        size_t middle = good + (bad - good) / 2;
        const unsigned char *at = text.data;
        for (int i = 0; i < 4 && middle > good + 1 && (at[middle] & 0xc0) == 0x80; i++) {
            middle--;
        }
        if (cli_is_utf8(yore_bytes(at + good, middle - good))) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    size_t end = good;
    for (size_t size = 1; good + size <= bad; size++) {
        if (cli_is_utf8(yore_bytes((const char *)text.data + good, size))) {
            end = good + size;
        }
    }
    return end;
}

bool json_in_read(json_in *in, yore_slice text, json_problem *problem)
{
    json_run run = {.in = in, .text = text.data, .size = text.size, .problem = problem};
    in->count = 0;
    in->kind = JSON_NULL;
    cli_bytes_clear(&in->strings);
    cli_bytes_reserve(&in->strings, text.size + 1);

    /* yajl takes these two for blanks; nowhere in a JSON text may they stand as they are. */
    for (size_t i = 0; i < 2 && text.size > 0; i++) {
        const char *at = memchr(text.data, "\v\f"[i], text.size);
        if (at != NULL)
            return fail_at(problem, (size_t)(at - (const char *)text.data), "invalid char in json text");
    }
    size_t valid = utf8_end(text);
    if (valid != text.size) {
        return fail_at(problem, valid, "not UTF-8");
    }
    run.yajl = yajl_alloc(&CALLBACKS, NULL, &run);
    if (run.yajl == NULL) {
        return fail_at(problem, 0, "out of memory");
    }
    yajl_config(run.yajl, yajl_dont_validate_strings, 1);
    yajl_status status = yajl_parse(run.yajl, text.data, text.size);
    if (status == yajl_status_ok && run.depth == 0 && run.mark == 0) {
        (void)fail_at(problem, token_start(&run, 0), "expected a JSON object");
        run.bad = true;
    } else if (status == yajl_status_ok) {
        status = yajl_complete_parse(run.yajl);
        if (status == yajl_status_error) {
            take_yajl_error(&run);
            problem->off = text.size;
        }
    } else if (status == yajl_status_error) {
        take_yajl_error(&run);
    }
    yajl_free(run.yajl);
    /* yajl lets a token pass that begins behind the value and is cut by the end of the text. */
    for (size_t off = run.mark; !run.bad && off < text.size; off++) {
        if (memchr(" \t\r\n", run.text[off], 4) == NULL) {
            (void)fail_at(problem, off, "trailing garbage");
            run.bad = true;
        }
    }
    return !run.bad;
}

void json_in_deinit(json_in *in)
{
    free(in->members);
    cli_bytes_deinit(&in->strings);
    memset(in, 0, sizeof *in);
}

bool json_is(yore_slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

const json_member *json_in_find(const json_in *in, const char *name)
{
    for (size_t i = in->count; i > 0; i--) {
        if (json_is(in->members[i - 1].name, name)) {
            return &in->members[i - 1];
        }
    }
    return NULL;
}

/* One reference token of a pointer, ~0 and ~1 undone, into `token`. Returns what follows it. */
static const char *pointer_token(const char *at, cli_bytes *token)
{
    cli_bytes_clear(token);
    while (*at != 0 && *at != '/') {
        char c = *at++;
        if (c == '~' && (*at == '0' || *at == '1')) {
            c = *at == '0' ? '~' : '/';
            at++;
        }
        cli_bytes_append(token, &c, 1);
    }
    cli_bytes_append(token, "", 1); /* a NUL, for json_in_find */
    return at;
}

static const json_member *pointer_step(const json_in *in, const char *token)
{
    if (in->kind == JSON_OBJECT) {
        return json_in_find(in, token);
    }
    char *end = NULL;
    unsigned long long index = strtoull(token, &end, 10);
    bool plain = *token >= '0' && *token <= '9' && *end == 0 && (token[0] != '0' || token[1] == 0);
    return plain && index < in->count ? &in->members[index] : NULL;
}

bool json_in_pointer(json_in *scratch, yore_slice text, const char *pointer, json_member *out,
                     json_problem *problem)
{
    cli_bytes token = {0};
    bool found = false;
    size_t base = 0;
    if (*pointer != '/') {
        return fail_at(problem, 0, "a JSON pointer starts with '/'");
    }
    while (*pointer == '/') {
        if (!json_in_read(scratch, text, problem)) {
            problem->off += base;
            goto out;
        }
        pointer = pointer_token(pointer + 1, &token);
        const json_member *member = pointer_step(scratch, token.data);
        if (member == NULL) {
            problem->off = base;
            (void)snprintf(problem->message, sizeof problem->message, "no member '%.100s'", token.data);
            goto out;
        }
        *out = *member;
        base += member->off;
        if (*pointer == '/' && member->kind != JSON_OBJECT && member->kind != JSON_ARRAY) {
            (void)fail_at(problem, base, "neither an object nor an array, so nothing is inside it");
            goto out;
        }
        text = member->raw;
    }
    out->off = base;
    found = true;
out:
    cli_bytes_deinit(&token);
    return found;
}

uint32_t json_column(yore_slice text, size_t off)
{
    const unsigned char *at = text.data;
    uint32_t column = 1;
    for (size_t i = 0; i < off && i < text.size; i++) {
        column += (at[i] & 0xc0) != 0x80;
    }
    return column;
}

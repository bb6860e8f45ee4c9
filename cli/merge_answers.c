#include "cli/merge_answers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/json_in.h"
#include "cli/locate.h"
#include "cli/output.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define PROBLEM_BYTES 240

static bool refuse(char problem[PROBLEM_BYTES], const char *what, const char *name)
{
    (void)snprintf(problem, PROBLEM_BYTES, what, name);
    return false;
}

/* "NAME", or "NAME_b64": bytes. *found = false when neither is there. */
static bool take_bytes(const json_in *in, const char *name, cli_bytes *out, bool *found, char *problem)
{
    char b64[40];
    (void)snprintf(b64, sizeof b64, "%s_b64", name);
    const json_member *text = json_in_find(in, name);
    const json_member *coded = json_in_find(in, b64);
    *found = text != NULL || coded != NULL;
    if (!*found) return true;
    if (text != NULL && coded != NULL)
        return refuse(problem, "'%s' is there twice, as text and as base64", name);
    if (text != NULL) {
        cli_bytes_append(out, text->text.data, text->text.size);
        return true;
    }
    return (coded->kind == JSON_STRING && cli_b64_decode(out, coded->text)) ||
           refuse(problem, "'%s' is no base64 text", b64);
}

/* The version of a side: of null 0. */
static bool take_version(const json_in *in, const char *side, uint64_t *version, char *problem)
{
    json_in inner = {0};
    json_problem why;
    char digits[24] = "";
    const json_member *member = json_in_find(in, side);
    if (member == NULL) return refuse(problem, "'%s' is missing", side);
    *version = 0;
    if (member->kind == JSON_NULL) return true;
    bool good = member->kind == JSON_OBJECT && json_in_read(&inner, member->raw, &why);
    const json_member *number = good ? json_in_find(&inner, "version") : NULL;
    good = number != NULL && number->text.size < sizeof digits;
    if (good) memcpy(digits, number->text.data, number->text.size);
    good = good && (cli_parse_u64(digits, version) || cli_parse_version(digits, version)) && *version > 0;
    json_in_deinit(&inner);
    return good || refuse(problem, "'%s' is neither null nor an object with a version", side);
}

static bool take_resolved(const json_in *in, merge_answer *answer, yore_merge_resolution *to, char *problem)
{
    json_in inner = {0};
    json_problem why;
    bool found = false;
    const json_member *member = json_in_find(in, "resolved");
    if (member == NULL)
        return refuse(problem, "'%s' is missing: {\"value\":...}, or null for none", "resolved");
    to->is_delete = member->kind == JSON_NULL;
    if (to->is_delete) return true;
    bool good = member->kind == JSON_OBJECT && json_in_read(&inner, member->raw, &why);
    if (!good) (void)refuse(problem, "'%s' is neither null nor an object with a value", "resolved");
    good = good && take_bytes(&inner, "value", &answer->value, &found, problem);
    if (good && !found) good = refuse(problem, "'%s' has no value", "resolved");
    json_in_deinit(&inner);
    return good;
}

static bool take_primitive(const json_in *in, uint32_t *primitive, char *problem)
{
    const json_member *member = json_in_find(in, "primitive");
    *primitive = YORE_KV;
    if (member == NULL) return true;
    return (member->kind == JSON_STRING && cli_primitive_parse(member->text, primitive)) ||
           refuse(problem, "'%s' is no name of a primitive", "primitive");
}

static bool take_line(yore_slice line, merge_answer *answer, yore_merge_resolution *to, char *problem)
{
    json_in in = {0};
    json_problem why;
    bool found = false;
    if (!json_in_read(&in, line, &why)) {
        (void)snprintf(problem, PROBLEM_BYTES, "column %" PRIu32 ": %s", json_column(line, why.off),
                       why.message);
        json_in_deinit(&in);
        return false;
    }
    bool good = in.kind == JSON_OBJECT || refuse(problem, "a conflict is a JSON %s", "object");
    good = good && take_bytes(&in, "key", &answer->key, &found, problem);
    if (good && !found) good = refuse(problem, "'%s' is missing", "key");
    good = good && take_primitive(&in, &to->key.primitive, problem) &&
           take_version(&in, "base", &to->base_version, problem) &&
           take_version(&in, "ours", &to->ours_version, problem) &&
           take_version(&in, "theirs", &to->theirs_version, problem) &&
           take_resolved(&in, answer, to, problem);
    json_in_deinit(&in);
    to->key.user = cli_bytes_slice(&answer->key);
    to->value = cli_bytes_slice(&answer->value);
    return good;
}

static void make_room(merge_answers *all)
{
    if (all->count < all->cap) return;
    all->cap = all->cap == 0 ? 16 : all->cap * 2;
    all->list = cli_realloc(all->list, all->cap * sizeof *all->list);
    all->resolutions = cli_realloc(all->resolutions, all->cap * sizeof *all->resolutions);
}

static bool is_blank(yore_slice line)
{
    const char *text = line.data;
    for (size_t i = 0; i < line.size; i++) {
        if (strchr(" \t\r", text[i]) == NULL || text[i] == 0) return false;
    }
    return true;
}

static int refuse_line(cli *c, const merge_answers *all, uint64_t line, const char *problem)
{
    return cli_error(c, YORE_ERR_INPUT, NULL, "print the conflicts again with --json, and answer each",
                     "%s: line %" PRIu64 ": %s", strcmp(all->path, "-") == 0 ? "standard input" : all->path,
                     line, problem);
}

int merge_answers_read(cli *c, const char *path, merge_answers *all)
{
    all->path = path;
    int code = cli_read_all(c, path, FILE_BYTES_MAX, &all->text);
    size_t at = 0;
    if (code == 0 && all->text.size > FILE_BYTES_MAX)
        code = cli_error(c, YORE_ERR_LIMIT, NULL, NULL, "%s: has more than 1 GiB", path);
    make_room(all); /* an empty file is an answer, too */
    while (code == 0 && at < all->text.size) {
        char problem[PROBLEM_BYTES];
        const char *start = all->text.data + at;
        const char *end = memchr(start, '\n', all->text.size - at);
        yore_slice line = yore_bytes(start, end != NULL ? (size_t)(end - start) : all->text.size - at);
        at += line.size + 1;
        all->lines++;
        if (is_blank(line)) continue;
        make_room(all);
        all->list[all->count] = (merge_answer){.line = all->lines};
        all->resolutions[all->count] = (yore_merge_resolution){.is_delete = false};
        merge_answer *answer = &all->list[all->count];
        if (!take_line(line, answer, &all->resolutions[all->count], problem))
            code = refuse_line(c, all, all->lines, problem);
        all->count++;
    }
    return code;
}

void merge_answers_deinit(merge_answers *all)
{
    for (size_t i = 0; i < all->count; i++) {
        cli_bytes_deinit(&all->list[i].key);
        cli_bytes_deinit(&all->list[i].value);
    }
    free(all->list);
    free(all->resolutions);
    cli_bytes_deinit(&all->text);
}

int merge_answers_refused(cli *c, const merge_answers *all, size_t refused, const yore_error *err)
{
    uint64_t line = refused < all->count ? all->list[refused].line : all->lines + 1;
    return refuse_line(c, all, line, err->message);
}

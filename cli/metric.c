#include "cli/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/json_in.h"
#include "cli/locate.h"

#define NUMBER_MAX 64u

/* A number as JSON writes it. */
static bool read_number(yore_slice text, double *out)
{
    char copy[NUMBER_MAX + 1];
    char *end = NULL;
    const char *at = text.data;
    while (text.size > 0 && (at[text.size - 1] == '\n' || at[text.size - 1] == ' ')) text.size--;
    if (text.size == 0 || text.size > NUMBER_MAX) return false;
    memcpy(copy, at, text.size);
    copy[text.size] = 0;
    bool plain = strspn(copy, "0123456789.eE+-") == text.size && copy[0] != '+' && copy[0] != '.';
    *out = plain ? strtod(copy, &end) : 0;
    return plain && end == copy + text.size && isfinite(*out);
}

/* The number at a path ("" = all of it) of a value. */
static bool number_at(yore_slice value, const char *path, double *out)
{
    json_in in = {0};
    json_member member;
    json_problem problem;
    bool good = false;
    if (*path == 0) return read_number(value, out);
    if (json_in_pointer(&in, value, path, &member, &problem)) {
        good = member.kind == JSON_NUMBER && read_number(member.raw, out);
    }
    json_in_deinit(&in);
    return good;
}

static int get(cli *c, const yore_at *point, yore_slice user, bool *has, const char *path, bool *is_number,
               double *number)
{
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    yore_key key = {user, YORE_KV};
    yore_status status = yore_snap_open(c->db, point, &snap, NULL, &err);
    if (status == YORE_OK) status = yore_get(snap, key, &pin, &err);
    *has = status == YORE_OK;
    if (*has && is_number != NULL) *is_number = number_at(pin.value, path, number);
    yore_unpin(&pin);
    yore_snap_close(snap);
    return status < 0 ? cli_fail(c, &err) : EXIT_DONE;
}

int cli_metric_find(cli *c, cli_metric *metric, const yore_at *points, size_t count)
{
    size_t size = strlen(metric->text);
    for (size_t end = size; end > 0 && end <= YORE_KEY_BYTES_MAX; end--) {
        if (end != size && metric->text[end] != '/') continue;
        for (size_t i = 0; i < count; i++) {
            bool has = false;
            int code = get(c, &points[i], yore_bytes(metric->text, end), &has, NULL, NULL, NULL);
            if (code != EXIT_DONE) return code;
            if (!has) continue;
            cli_bytes_append(&metric->key, metric->text, end);
            metric->path = metric->text + end;
            metric->found = true;
            return EXIT_DONE;
        }
    }
    metric->path = metric->text;
    return EXIT_DONE;
}

void cli_metric_offer(cli_metric *metric, yore_slice key, yore_slice value)
{
    double number;
    if (metric->text == NULL || metric->text[0] != '/' || metric->path != metric->text ||
        metric->is_ambiguous)
        return;
    if (!number_at(value, metric->path, &number)) return;
    if (!metric->found) {
        cli_bytes_append(&metric->key, key.data, key.size);
        metric->found = true;
    } else if (metric->key.size != key.size || memcmp(metric->key.data, key.data, key.size) != 0) {
        cli_bytes_append(&metric->other, key.data, key.size);
        metric->is_ambiguous = true;
    }
}

int cli_metric_settle(cli *c, const cli_metric *metric)
{
    if (metric->found && !metric->is_ambiguous) return EXIT_DONE;
    if (!metric->found) {
        return cli_usage_error(c, "name a key, a key with a path behind it (result/acc), or a path (/acc)",
                               "there is no '%s' at any of the points", metric->text);
    }
    char *key = cli_shown(cli_bytes_slice(&metric->key));
    char *other = cli_shown(cli_bytes_slice(&metric->other));
    char *hint = cli_printf("--metric '%s%s'", key, metric->path);
    int code = cli_usage_error(c, hint, "both '%s' and '%s' were changed and have a number at '%s'", key,
                               other, metric->path);
    free(hint);
    free(other);
    free(key);
    return code;
}

int cli_metric_get(cli *c, const cli_metric *metric, const yore_at *point, bool *has, double *out)
{
    bool there = false;
    *has = false;
    return get(c, point, cli_bytes_slice(&metric->key), &there, metric->path, has, out);
}

void cli_metric_deinit(cli_metric *metric)
{
    cli_bytes_deinit(&metric->key);
    cli_bytes_deinit(&metric->other);
}

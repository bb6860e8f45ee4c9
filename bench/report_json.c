/* The report as one JSON object, with every round's value. */
#include <errno.h>
#include <math.h>

#include "bench/report.h"

#ifndef BENCH_COMPILER
#define BENCH_COMPILER "unknown compiler"
#endif
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown flags"
#endif

static void json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

static void json_number(FILE *out, double value)
{
    if (isfinite(value)) {
        fprintf(out, "%.6g", value);
    } else {
        fputs("null", out);
    }
}

static void json_field(FILE *out, const char *name, const char *text)
{
    json_string(out, name);
    fputc(':', out);
    json_string(out, text);
}

static void json_values(FILE *out, const char *name, const double *values, uint32_t count)
{
    json_string(out, name);
    fputs(":[", out);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", out);
        json_number(out, values[i]);
    }
    fputc(']', out);
}

static void json_cell(FILE *out, const report_cell *cell)
{
    fputs("{\"median\":", out);
    json_number(out, report_median(cell->value, cell->count));
    fputc(',', out);
    json_values(out, "rounds", cell->value, cell->count);
    if (cell->p50[0] > 0) {
        fputc(',', out);
        json_values(out, "p50_ns", cell->p50, cell->count);
        fputc(',', out);
        json_values(out, "p99_ns", cell->p99, cell->count);
    }
    if (cell->has_answers[0]) {
        fprintf(out, ",\"found\":%llu,\"sum\":\"%016llx\"", (unsigned long long)cell->found[0],
                (unsigned long long)cell->sum[0]);
    }
    fputc('}', out);
}

static void json_verdict(FILE *out, enum report_metric metric)
{
    report_verdict verdict = report_judge(metric);
    if (verdict.has_ratio) {
        fputs(",\"ratio\":", out);
        json_number(out, verdict.ratio);
        double range[2] = {verdict.low, verdict.high};
        fputc(',', out);
        json_values(out, "ratio_range", range, 2);
    }
    if (verdict.against != ENGINE_COUNT) {
        fputc(',', out);
        json_field(out, "against", report_drivers[verdict.against]->name);
    }
    if (verdict.has_bar) {
        fputs(",\"bar\":", out);
        json_number(out, report_rows[metric].bar);
        fprintf(out, ",\"pass\":%s", verdict.pass ? "true" : "false");
    }
}

static void json_metrics(FILE *out)
{
    bool first = true;
    fputs("\"workloads\":[", out);
    for (enum report_metric metric = 0; metric < M_COUNT; metric++) {
        bool any = false;
        for (int engine = 0; engine < ENGINE_COUNT; engine++) {
            const report_cell *cell = report_cell_get(metric, (enum bench_engine)engine);
            if (cell->count == 0) {
                continue;
            }
            if (!any) {
                fputs(first ? "\n{" : ",\n{", out);
                json_field(out, "name", report_rows[metric].name);
                fputc(',', out);
                json_field(out, "unit", report_rows[metric].unit);
                fprintf(out, ",\"lower_is_better\":%s",
                        report_rows[metric].lower_is_better ? "true" : "false");
                fputs(",\"engines\":{", out);
            }
            fputs(any ? "," : "", out);
            json_string(out, report_drivers[engine]->name);
            fputc(':', out);
            json_cell(out, cell);
            any = true;
            first = false;
        }
        if (any) {
            fputc('}', out);
            json_verdict(out, metric);
            fputc('}', out);
        }
    }
    fputs("]", out);
}

static void json_settings(FILE *out)
{
    bool first = true;
    fputs("\"engines\":{", out);
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        const bench_driver *driver = report_drivers[engine];
        char text[512];
        if (driver == NULL) {
            continue;
        }
        fputs(first ? "" : ",", out);
        first = false;
        json_string(out, driver->name);
        fputs(":{", out);
        driver->describe(false, text, sizeof(text));
        json_field(out, "settings", text);
        driver->describe(true, text, sizeof(text));
        fputc(',', out);
        json_field(out, "durable", text);
        fputc('}', out);
    }
    fputs("}", out);
}

void report_write_json(const char *path)
{
    report_machine machine = report_machine_read();
    const char *keys[64];
    const char *texts[64];
    size_t n = report_notes(keys, texts, 64);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        bench_fatal("cannot write '%s': %s", path, strerror(errno));
    }
    fputs("{\"machine\":{", out);
    json_field(out, "cpu", machine.cpu);
    fprintf(out, ",\"cpus\":%u,\"memory_mib\":%llu,", machine.cpus, machine.memory_mib);
    json_field(out, "kernel", machine.kernel);
    fputc(',', out);
    json_field(out, "huge_pages", machine.thp);
    fputc(',', out);
    json_field(out, "filesystem", machine.filesystem);
    fputs("},\n\"build\":{", out);
    json_field(out, "compiler", BENCH_COMPILER);
    fputc(',', out);
    json_field(out, "flags", BENCH_FLAGS);
    fprintf(out, "},\n\"cpu_time\":%s,\n", bench_opt.cpu_time ? "true" : "false");
    fprintf(
        out,
        "\"sizes\":{\"keys\":%llu,\"reads\":%llu,\"version_keys\":%llu,\"versions\":%u,\"documents\":%llu,"
        "\"queries\":%llu,\"rounds\":%u,\"small_keys\":%u,\"load_keys\":%llu,\"budget_mib\":%llu},\n",
        (unsigned long long)bench_opt.keys, (unsigned long long)bench_opt.reads,
        (unsigned long long)bench_opt.version_keys, BENCH_VERSIONS_PER_KEY,
        (unsigned long long)bench_opt.documents, (unsigned long long)bench_opt.queries, bench_opt.rounds,
        BENCH_SMALL_KEYS, (unsigned long long)bench_opt.load_keys,
        (unsigned long long)(bench_opt.budget_bytes >> 20));
    json_settings(out);
    fputs(",\n\"notes\":{", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? "," : "", out);
        json_field(out, keys[i], texts[i]);
    }
    fputs("},\n", out);
    json_metrics(out);
    fputs("}\n", out);
    if (fclose(out) != 0) {
        bench_fatal("cannot write '%s': %s", path, strerror(errno));
    }
}

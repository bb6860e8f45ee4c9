/* The report as text: the machine, the table of medians, then ranges and latencies. */
#define _GNU_SOURCE
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/report.h"

#ifndef BENCH_COMPILER
#define BENCH_COMPILER "unknown compiler"
#endif
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown flags"
#endif

static void read_line_after(const char *path, const char *prefix, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[512];
    snprintf(out, size, "unknown");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            const char *text = line + strlen(prefix);
            text += strspn(text, " \t:");
            snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
            break;
        }
    }
    fclose(file);
}

static const char *filesystem_name(const char *path)
{
    static const struct {
        unsigned long type;
        const char *name;
    } known[] = {{0xef53, "ext4"},
                 {0x58465342, "xfs"},
                 {0x9123683e, "btrfs"},
                 {0x01021994, "tmpfs (durable figures mean nothing)"},
                 {0x794c7630, "overlay"}};
    struct statfs info;
    if (statfs(path, &info) == 0) {
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if ((unsigned long)info.f_type == known[i].type) {
                return known[i].name;
            }
        }
    }
    return "unknown file system";
}

report_machine report_machine_read(void)
{
    report_machine machine;
    struct utsname system;
    char kib[64];
    memset(&machine, 0, sizeof(machine));
    read_line_after("/proc/cpuinfo", "model name", machine.cpu, sizeof(machine.cpu));
    machine.cpus = bench_cpu_count();
    read_line_after("/proc/meminfo", "MemTotal:", kib, sizeof(kib));
    sscanf(kib, "%llu", &machine.memory_mib);
    machine.memory_mib /= 1024;
    if (uname(&system) == 0) {
        snprintf(machine.kernel, sizeof(machine.kernel), "%.60s %.90s", system.sysname, system.release);
    }
    read_line_after("/sys/kernel/mm/transparent_hugepage/enabled", "", machine.thp, sizeof(machine.thp));
    snprintf(machine.filesystem, sizeof(machine.filesystem), "%s", filesystem_name(bench_opt.data_dir));
    return machine;
}

void report_print_machine(FILE *out)
{
    report_machine machine = report_machine_read();
    fprintf(out, "machine    %s, %u CPUs, %llu MiB, %s, huge pages %s, %s\n", machine.cpu, machine.cpus,
            machine.memory_mib, machine.kernel, machine.thp, machine.filesystem);
    fprintf(out, "build      %s, %s\n", BENCH_COMPILER, BENCH_FLAGS);
    fprintf(
        out,
        "sizes      %llu keys of 21 B, values of 100 B (half random), %llu reads, %llu keys x %u versions\n",
        (unsigned long long)bench_opt.keys, (unsigned long long)bench_opt.reads,
        (unsigned long long)bench_opt.version_keys, BENCH_VERSIONS_PER_KEY);
    fprintf(out, "           load: %llu keys under %llu MiB\n", (unsigned long long)bench_opt.load_keys,
            (unsigned long long)(bench_opt.budget_bytes >> 20));
    fprintf(out, "method     medians of %u alternating rounds, threads pinned%s\n", bench_opt.rounds,
            bench_opt.cpu_time ? ", rates by CPU time: other work and background threads are not counted"
                               : "");
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        char text[512];
        const bench_driver *driver = report_drivers[engine];
        if (driver == NULL) {
            continue;
        }
        driver->describe(false, text, sizeof(text));
        fprintf(out, "%-10s %s\n", driver->name, text);
        if (engine < ENGINE_XAPIAN) {
            driver->describe(true, text, sizeof(text));
            fprintf(out, "%-10s  durable_put: %s\n", "", text);
        }
    }
    fputc('\n', out);
}

/* At least three significant digits, no more decimals than that takes. */
static void number(char *out, size_t size, double value)
{
    if (value >= 100) {
        snprintf(out, size, "%.0f", value);
    } else if (value >= 10) {
        snprintf(out, size, "%.1f", value);
    } else {
        snprintf(out, size, "%.2f", value);
    }
}

static bool row_has_values(enum report_metric metric)
{
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        if (report_cell_get(metric, (enum bench_engine)engine)->count > 0) {
            return true;
        }
    }
    return false;
}

static void print_ratio(FILE *out, enum report_metric metric, const report_verdict *verdict)
{
    const report_row *row = &report_rows[metric];
    char text[64] = "-";
    char bar[64] = "-";
    if (verdict->has_ratio) {
        snprintf(text, sizeof(text), "%.2fx [%.2f-%.2f]", verdict->ratio, verdict->low, verdict->high);
    }
    switch (row->kind) {
    case BAR_NONE: break;
    case BAR_AT_MOST: snprintf(bar, sizeof(bar), "<= %g", row->bar); break;
    case BAR_METRIC_MAX:
        snprintf(bar, sizeof(bar), "<= %gx %s", row->bar, report_rows[row->reference].name);
        break;
    case BAR_METRIC_MIN:
        snprintf(bar, sizeof(bar), ">= %gx %s", row->bar, report_rows[row->reference].name);
        break;
    case BAR_METRIC: snprintf(bar, sizeof(bar), "of %s", report_rows[row->reference].name); break;
    case BAR_BEST_PEER:
    case BAR_LMDB:
    case BAR_ROCKSDB:
    case BAR_BARE:
        snprintf(bar, sizeof(bar), "%s %gx %s", row->lower_is_better ? "<=" : ">=", row->bar,
                 verdict->against == ENGINE_COUNT ? "peer" : report_drivers[verdict->against]->name);
        break;
    }
    fprintf(out, " %-19s %-24s %s\n", text, bar, !verdict->has_bar ? "" : verdict->pass ? "pass" : "BELOW");
}

static void print_medians(FILE *out)
{
    fprintf(out, "%-22s %-9s", "median", "unit");
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        if (report_drivers[engine] != NULL) {
            fprintf(out, " %10s", report_drivers[engine]->name);
        }
    }
    fprintf(out, " %-19s %-24s %s\n", "ratio [rounds]", "bar", "verdict");
    for (enum report_metric metric = 0; metric < M_COUNT; metric++) {
        if (!row_has_values(metric)) {
            continue;
        }
        report_verdict verdict = report_judge(metric);
        fprintf(out, "%-22s %-9s", report_rows[metric].name, report_rows[metric].unit);
        for (int engine = 0; engine < ENGINE_COUNT; engine++) {
            const report_cell *cell = report_cell_get(metric, (enum bench_engine)engine);
            char text[32] = "-";
            if (report_drivers[engine] == NULL) {
                continue;
            }
            if (cell->count > 0) {
                number(text, sizeof(text), report_median(cell->value, cell->count));
            }
            fprintf(out, " %10s", text);
        }
        print_ratio(out, metric, &verdict);
    }
}

static void print_ranges(FILE *out)
{
    fprintf(out, "\n%-22s %-10s %10s %10s %10s   %s\n", "range over rounds", "engine", "min", "median", "max",
            "latency of one call: p50, p99 (ns, medians)");
    for (enum report_metric metric = 0; metric < M_COUNT; metric++) {
        for (int engine = 0; engine < ENGINE_COUNT; engine++) {
            const report_cell *cell = report_cell_get(metric, (enum bench_engine)engine);
            char low[32], mid[32], high[32];
            if (cell->count == 0) {
                continue;
            }
            double min = cell->value[0];
            double max = cell->value[0];
            for (uint32_t i = 1; i < cell->count; i++) {
                min = cell->value[i] < min ? cell->value[i] : min;
                max = cell->value[i] > max ? cell->value[i] : max;
            }
            number(low, sizeof(low), min);
            number(mid, sizeof(mid), report_median(cell->value, cell->count));
            number(high, sizeof(high), max);
            fprintf(out, "%-22s %-10s %10s %10s %10s", report_rows[metric].name, report_drivers[engine]->name,
                    low, mid, high);
            if (cell->p50[0] > 0) {
                fprintf(out, "   %.0f, %.0f", report_median(cell->p50, cell->count),
                        report_median(cell->p99, cell->count));
            }
            fputc('\n', out);
        }
    }
}

void report_print(FILE *out)
{
    const char *keys[64];
    const char *texts[64];
    size_t n = report_notes(keys, texts, 64);
    print_medians(out);
    print_ranges(out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%s%s: %s\n", i == 0 ? "\n" : "", keys[i], texts[i]);
    }
}

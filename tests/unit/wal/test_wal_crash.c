/* Power cuts at every instant of every script: every acknowledged record is there, nothing is out of order, the
 * log opens unattended and can be written on; also when the cut comes in the middle of a recovery. */
#include "tests/unit/wal/wal_scripts.h"

int main(int argc, char **argv)
{
    uint64_t states_max = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    yr_crash_report total = {0};
    bool ok = true;
    for (size_t i = 0; i < wal_scripts_count; i++) {
        yr_sim_trace trace;
        if (!wal_script_trace(&wal_scripts[i], &trace)) return 1;
        for (int depth = 0; depth < 2; depth++) {
            yr_crash_options options = {.name = wal_scripts[i].name, .seed = 20 + i, .depth = depth};
            if (states_max) {
                options.states_max = depth ? states_max / 4 : states_max;
            } else { /* few states at every operation of every script, rather than all of the first ones */
                options.exhaustive_max = 5;
                options.structured_max = options.random_count = 8;
                options.nested_every = 256;
                options.states_max = depth ? 6000 : 0;
            }
            yr_crash_report report = {0};
            ok = yr_crash_explore(&trace, &options, wal_script_verify, NULL, &report) && ok;
            yr_crash_report_print(wal_scripts[i].name, &report, stdout);
            total.distinct += report.distinct;
            total.seconds += report.seconds;
            total.violations += report.violations;
        }
        yr_sim_trace_deinit(&trace);
    }
    printf("%llu states, %llu violations, %.1f s\n", (unsigned long long)total.distinct,
           (unsigned long long)total.violations, total.seconds);
    return ok ? 0 : 1;
}

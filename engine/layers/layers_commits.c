#include "engine/layers/layers_commits.h"

#include <inttypes.h>

#include "engine/base/error.h"

static yore_status no_commit(uint64_t version, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "no layer of the store has the commit v%" PRIu64, version);
}

yore_status yr_layers_commit(const yr_layers *layers, uint64_t version, yr_found_commit *out, yore_error *err)
{
    const yr_memtable *mem = yr_layers_mem_of(layers, version);
    *out = (yr_found_commit){0};
    if (mem) {
        yr_commit_describe(&mem->commits, version, &out->head);
        out->prev = yr_commit_prev(&mem->commits, version);
        return YORE_OK;
    }
    yr_run *run = yr_layers_run_of(layers, version);
    yore_status status = run ? yr_run_commit_find(run, version, true, &out->held, err) : YORE_NOT_FOUND;
    if (status == YORE_NOT_FOUND) return no_commit(version, err);
    if (status < 0) return status;
    out->head = out->held.head;
    out->prev = out->held.prev;
    return YORE_OK;
}

void yr_layers_commit_release(yr_found_commit *commit)
{
    yr_segment_commit_release(&commit->held);
}

yore_status yr_layers_commit_time(const yr_layers *layers, uint64_t version, int64_t *time_ns,
                                  yore_error *err)
{
    const yr_memtable *mem = yr_layers_mem_of(layers, version);
    if (mem) {
        *time_ns = yr_commit_time(&mem->commits, version);
        return YORE_OK;
    }
    const yr_memtable *oldest = layers->mems[layers->mem_count - 1];
    if (version == oldest->base_version && oldest->has_base_time) { /* the present, after a flush */
        *time_ns = oldest->base_time_ns;
        return YORE_OK;
    }
    yr_run *run = yr_layers_run_of(layers, version);
    yore_status status = run ? yr_run_commit_time(run, version, time_ns, err) : YORE_NOT_FOUND;
    return status == YORE_NOT_FOUND ? no_commit(version, err) : status;
}

enum { AT_ONCE = 64 };

/* Times of those versions that one run has, a few at a time. */
static yore_status times_of_run(yr_run *run, const uint8_t *versions, uint8_t *times, size_t stride, size_t n,
                                yore_error *err)
{
    uint64_t some[AT_ONCE];
    size_t place[AT_ONCE], count = 0;
    int64_t time_ns[AT_ONCE];
    for (size_t i = 0; i <= n; i++) {
        uint64_t version = 0;
        if (i < n) memcpy(&version, versions + i * stride, sizeof version);
        if (version > yr_run_after(run) && version <= yr_run_last(run)) {
            some[count] = version;
            place[count++] = i;
        }
        if (count < AT_ONCE && i < n) continue;
        yore_status status = count ? yr_run_commit_times(run, some, time_ns, count, err) : YORE_OK;
        if (status != YORE_OK) return status < 0 ? status : no_commit(some[0], err);
        for (size_t k = 0; k < count; k++) memcpy(times + place[k] * stride, &time_ns[k], sizeof time_ns[k]);
        count = 0;
    }
    return YORE_OK;
}

yore_status yr_layers_commit_times(const yr_layers *layers, const void *versions, void *times_ns,
                                   size_t stride, size_t n, yore_error *err)
{
    const uint8_t *from = versions;
    uint8_t *to = times_ns;
    yore_status status = YORE_OK;
    uint64_t flushed = yr_layers_flushed(layers);
    bool in_runs = false;
    for (size_t i = 0; i < n; i++) {
        uint64_t version;
        memcpy(&version, from + i * stride, sizeof version);
        in_runs |= version <= flushed;
        if (version <= flushed) continue;
        int64_t time_ns = yr_commit_time(&yr_layers_mem_of(layers, version)->commits, version);
        memcpy(to + i * stride, &time_ns, sizeof time_ns);
    }
    for (uint32_t i = 0; in_runs && i < layers->run_count && status == YORE_OK; i++) {
        status = times_of_run(layers->runs[i], from, to, stride, n, err);
    }
    return status;
}

yore_status yr_layers_merge_find(const yr_layers *layers, uint32_t branch, uint64_t low, uint64_t high,
                                 yr_merge_hint *hint, uint64_t *version, yore_error *err)
{
    yore_status status = YORE_OK;
    *version = 0;
    for (uint32_t i = 0; i < layers->mem_count && *version == 0 && high > low; i++) {
        const yr_memtable *mem = layers->mems[i];
        if (high <= mem->base_version) continue;
        if (hint->mem != mem) *hint = (yr_merge_hint){.mem = mem};
        *version = yr_commit_merge_find(&mem->commits, branch, low, high, &hint->place);
        high = mem->base_version;
    }
    for (uint32_t i = 0; i < layers->run_count && *version == 0 && high > low && status == YORE_OK; i++) {
        yr_run *run = layers->runs[i];
        if (high <= yr_run_after(run)) continue;
        status = yr_run_merge_find(run, branch, low, high, version, err);
        high = yr_run_after(run);
    }
    return status;
}

yore_status yr_layers_version_at(const yr_layers *layers, uint64_t newest, int64_t time_ns, uint64_t *version,
                                 yore_error *err)
{
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        const yr_memtable *mem = layers->mems[i];
        if (newest <= mem->base_version) continue;
        /* a frozen memtable ends where the next one begins */
        uint64_t last = i && layers->mems[i - 1]->base_version < newest ? layers->mems[i - 1]->base_version
                                                                        : newest;
        *version = yr_commit_at_time(&mem->commits, last, time_ns);
        if (*version > mem->base_version) return YORE_OK;
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        yore_status status = yr_run_version_at(layers->runs[i], time_ns, version, err);
        if (status == YORE_NOT_FOUND) continue;
        if (status == YORE_OK && *version > newest)
            *version = newest; /* inside a run: as many as are shown */
        return status;
    }
    *version = 0;
    return YORE_OK;
}

yore_status yr_layers_head_at(const yr_layers *layers, uint32_t branch, uint64_t newest, uint64_t known,
                              uint64_t version, uint64_t *head, yore_error *err)
{
    *head = newest;
    if (newest <= version) return YORE_OK;
    /* In memory two ways at once, so that neither a branch that is written often nor one that is written rarely makes
     * it long: back through the branch's own commits, and down through all commits from the version. */
    uint64_t flushed = yr_layers_flushed(layers);
    for (uint64_t any = version; any > flushed; any--) {
        *head = any;
        if (yr_commit_branch(&yr_layers_mem_of(layers, any)->commits, any) == branch) return YORE_OK;
        if (newest > known) continue; /* it is being written to: its last commit before is not far */
        newest = yr_commit_prev(&yr_layers_mem_of(layers, newest)->commits, newest);
        *head = newest;
        if (newest <= version) return YORE_OK;
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        if (version <= yr_run_after(layers->runs[i])) continue;
        yore_status status = yr_run_head_at(layers->runs[i], branch, version, head, err);
        if (status < 0 || *head) return status;
    }
    *head = 0;
    return YORE_OK;
}

/* Points in history: made at random, with where the model says they are; and step RESOLVE, which compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

#define FUTURE_SLACK_NS INT64_C(2000000000)

static void place(const model *m, uint64_t version, point *out)
{
    out->cap = version;
    out->time_ns = model_commit_at(m, version)->time_ns;
}

void world_point_at_version(uint32_t branch, uint64_t version, const model *m, point *out)
{
    *out = (point){.at = YORE_AT_INIT, .branch = branch};
    out->at.branch_id = branch;
    out->at.kind = YORE_AT_VERSION;
    out->at.version = version;
    place(m, version, out);
    snprintf(out->text, sizeof out->text, "id:%u@v%llu", branch, (unsigned long long)version);
}

static void pick_now(world *w, point *out)
{
    int64_t latest = model_last_time(&w->m);
    out->at.kind = YORE_AT_NOW;
    out->cap = model_last_version(&w->m);
    /* A clock that was set back does not make what was just committed disappear. */
    out->time_ns = w->clock > latest ? w->clock : latest;
}

static void pick_version(world *w, point *out)
{
    uint64_t last = model_last_version(&w->m);
    out->at.kind = YORE_AT_VERSION;
    out->at.version = chance(w, 20) ? last + 1 + below(w, 3) : 1 + below(w, last);
    if (chance(w, 40)) out->at.version = 0;
    if (out->at.version == 0 || out->at.version > last)
        out->status = YORE_ERR_TIME_RANGE;
    else
        place(&w->m, out->at.version, out);
}

static void pick_time(world *w, point *out)
{
    const model_commit *commit = &w->m.commits[below(w, w->m.commit_count)];
    int64_t latest = model_last_time(&w->m);
    int64_t time = commit->time_ns + (int64_t)below(w, 3) - 1;
    uint64_t shape = below(w, 12);
    if (shape == 0) time = w->clock;
    if (shape == 1) time = w->clock + FUTURE_SLACK_NS;
    if (shape == 2) time = w->clock + FUTURE_SLACK_NS + 1;
    if (shape == 3) time = w->clock - (int64_t)below(w, 1000000000);
    if (shape == 4) time = INT64_MIN; /* before anything: absent, not an error */
    out->at.kind = YORE_AT_TIME;
    out->at.time_ns = time;
    if (time > latest && time > w->clock + FUTURE_SLACK_NS) {
        out->status = YORE_ERR_TIME_RANGE;
        return;
    }
    out->cap = model_version_at_time(&w->m, time);
    out->time_ns = time;
}

static void pick_back(world *w, point *out)
{
    yore_log_options all = YORE_LOG_OPTIONS_INIT;
    const model_commit **list;
    size_t count = model_log(&w->m, out->branch, UINT64_MAX, &all, &list);
    out->at.kind = YORE_AT_BACK;
    out->at.back = below(w, count + 2);
    if (out->at.back < count)
        place(&w->m, list[out->at.back]->version, out);
    else
        out->status = YORE_ERR_TIME_RANGE;
    free(list);
}

static void pick_tag(world *w, point *out)
{
    size_t live = 0;
    for (size_t i = 0; i < w->m.tag_count; i++) live += w->m.tags[i].live;
    out->at.kind = YORE_AT_TAG;
    if (!live || chance(w, 20)) {
        snprintf(out->at.tag, sizeof out->at.tag, "no-such-tag");
        out->status = YORE_ERR_NO_TAG;
        return;
    }
    uint64_t pick = below(w, live);
    for (size_t i = 0; i < w->m.tag_count; i++) {
        const model_tag *tag = &w->m.tags[i];
        if (!tag->live || pick-- != 0) continue;
        snprintf(out->at.tag, sizeof out->at.tag, "%s", tag->name);
        place(&w->m, tag->version, out);
        if (below(w, 2)) { /* a bare tag selects its branch */
            out->at.branch_id = 0;
            out->at.branch[0] = '\0';
            out->branch = tag->branch;
        } else {
            out->at.branch_id = out->branch;
        }
        return;
    }
}

/* The first data commit the lineage shows; without one, the commit that made the branch. */
static void pick_start(world *w, point *out)
{
    yore_log_options all = YORE_LOG_OPTIONS_INIT;
    const model_commit **list;
    size_t count = model_log(&w->m, out->branch, UINT64_MAX, &all, &list);
    out->at.kind = YORE_AT_START;
    place(&w->m, count ? list[count - 1]->version : model_branch_by_id(&w->m, out->branch)->create_version,
          out);
    free(list);
}

static void pick_fork(world *w, point *out)
{
    const model_branch *branch = model_branch_by_id(&w->m, out->branch);
    out->at.kind = YORE_AT_FORK;
    if (branch->parent)
        place(&w->m, branch->fork_version, out);
    else
        out->status = YORE_ERR_SPEC;
}

void world_pick_point(world *w, bool any_branch, point *out)
{
    static void (*const kinds[])(world *, point *) = {pick_now,  pick_version, pick_time, pick_back,
                                                      pick_tag,  pick_start,   pick_fork, pick_version,
                                                      pick_time, pick_now};
    *out = (point){.at = YORE_AT_INIT};
    const model_branch *branch = world_pick_branch(w);
    if (any_branch && chance(w, 3)) branch = &w->m.branches[below(w, w->m.branch_count)];
    out->branch = branch->id;
    if (branch->deleted_version || chance(w, 4))
        out->at.branch_id = branch->id;
    else if (branch->id != MODEL_DEFAULT_BRANCH || below(w, 2))
        snprintf(out->at.branch, sizeof out->at.branch, "%s", branch->name);
    kinds[below(w, sizeof kinds / sizeof kinds[0])](w, out);
    if (chance(w, 60) && out->at.kind != YORE_AT_TAG) {
        snprintf(out->at.branch, sizeof out->at.branch, "no-such-branch");
        out->at.branch_id = 0;
        out->status = YORE_ERR_NO_BRANCH;
    }
    static const char *const names[] = {"now", "version", "time", "tag", "back", "start", "fork"};
    snprintf(out->text, sizeof out->text, "branch %u at %s (v%llu, time %lld)%s", out->branch,
             names[out->at.kind], (unsigned long long)out->cap, (long long)out->time_ns,
             out->status ? ", refused" : "");
}

/* The same point as a SPEC, read back by the store. */
static void through_spec(world *w, point *at)
{
    char spec[256], branch[160] = "", time[YORE_TIME_TEXT_SIZE];
    yore_at parsed = YORE_AT_INIT;
    yore_error err = YORE_ERROR_INIT;
    if (at->at.branch_id)
        snprintf(branch, sizeof branch, "id:%u", at->at.branch_id);
    else
        snprintf(branch, sizeof branch, "%s", at->at.branch);
    int32_t zone = (int32_t)below(w, 5) * 7200 - 14400;
    switch (at->at.kind) {
    case YORE_AT_NOW: snprintf(spec, sizeof spec, "%s@now", branch); break;
    case YORE_AT_VERSION:
        snprintf(spec, sizeof spec, "%s@v%llu", branch, (unsigned long long)at->at.version);
        break;
    case YORE_AT_TIME:
        yore_time_format(at->at.time_ns, zone, 9, time, sizeof time);
        snprintf(spec, sizeof spec, "%s@%s", branch, time);
        break;
    case YORE_AT_TAG:
        snprintf(spec, sizeof spec, "%s%stag:%s", branch, branch[0] ? "@" : "", at->at.tag);
        break;
    case YORE_AT_BACK:
        snprintf(spec, sizeof spec, "%s@back:%llu", branch, (unsigned long long)at->at.back);
        break;
    default:
        snprintf(spec, sizeof spec, "%s@%s", branch, at->at.kind == YORE_AT_START ? "start" : "fork");
        break;
    }
    yore_status status = yore_at_parse(w->db, spec, w->clock, zone, &parsed, &err);
    /* Names are looked up while parsing; where a point lies is looked up when it is resolved. */
    bool is_name_fault = at->status == YORE_ERR_NO_BRANCH || at->status == YORE_ERR_NO_TAG;
    if (status != (is_name_fault ? at->status : YORE_OK))
        world_fail(w, "SPEC '%s' gave %s: %s", spec, yore_status_name(status), err.message);
    if (status == YORE_OK) at->at = parsed;
}

/* First data commit of the lineage, NULL if none. */
static const model_commit *first_data(const model *m, uint32_t branch)
{
    for (size_t i = 0; i < m->commit_count; i++) {
        if (model_head(m, branch, i + 1)) return model_head(m, branch, i + 1);
    }
    return NULL;
}

void step_resolve(world *w)
{
    point at;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    world_pick_point(w, true, &at);
    world_say(w, "resolve %s", at.text);
    if (below(w, 2)) through_spec(w, &at);
    yore_status status = yore_at_resolve(w->db, &at.at, &where, &err);
    world_expect(w, status, at.status, "yore_at_resolve", &err);
    if (status < 0) return;
    const model_commit *head = model_head(&w->m, at.branch, at.cap);
    const model_commit *first = first_data(&w->m, at.branch);
    if (where.branch_id != at.branch || strcmp(where.branch, model_branch_by_id(&w->m, at.branch)->name) != 0)
        world_fail(w, "resolved to branch %u '%s'", where.branch_id, where.branch);
    if (where.snap_version != at.cap || where.snap_time_ns != at.time_ns)
        world_fail(w, "resolved to v%llu at %lld", (unsigned long long)where.snap_version,
                   (long long)where.snap_time_ns);
    /* A point that is given as a commit may be reported as that commit, also when another branch made it. */
    bool given = at.at.kind != YORE_AT_NOW && at.at.kind != YORE_AT_TIME && where.version == at.cap;
    if (head && where.version != head->version && !given)
        world_fail(w, "newest commit v%llu, expected v%llu", (unsigned long long)where.version,
                   (unsigned long long)head->version);
    if (where.version && where.time_ns != model_commit_at(&w->m, where.version)->time_ns)
        world_fail(w, "time %lld of v%llu", (long long)where.time_ns, (unsigned long long)where.version);
    if (where.first_data_version != (first ? first->version : 0))
        world_fail(w, "first data v%llu", (unsigned long long)where.first_data_version);
}

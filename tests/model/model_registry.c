/* Branches, tags and settings: the steps that change them, and the lists of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

static const char *const names[] = {
    "exp", "feature/x", "now", "fork",        "side/1",      "side/2", "b1", "b2", "b3", "b4", "b5",
    "b6",  "default",   "v1x", "caf\xC3\xA9", "under_score", "d0",     "d1", "d2", "d3", "d4", "d5",
    "d6",  "d7",        "d8",  "d9",          "da",          "db",     "dc", "dd", "de", "df"};
#define NAME_COUNT (sizeof names / sizeof names[0])

static const char *pick_name(world *w)
{
    return names[below(w, NAME_COUNT)];
}

/* -- branches -- */

/* Every system commit takes the time after the last one, whatever the clock says. */
static uint64_t commit_system(world *w, uint32_t kind, const yore_where *where)
{
    world_check_where(w, where, 0, model_last_time(&w->m) + 1);
    return model_commit_system(&w->m, kind, model_last_time(&w->m) + 1);
}

void step_branch_create(world *w)
{
    static const char *const illegal[] = {"", "v12", "a b", "a//b", "x/", "-x", "a..b", "\xFF"};
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    point at = {.at = YORE_AT_INIT, .branch = MODEL_DEFAULT_BRANCH, .cap = model_last_version(&w->m)};
    const char *name = chance(w, 25) ? illegal[below(w, 8)] : pick_name(w);
    options.empty = chance(w, 6);
    options.hidden = chance(w, 6);
    if (!options.empty && below(w, 6)) {
        world_pick_point(w, false, &at);
        options.from = &at.at;
        if (chance(w, 3)) { /* the newest branch's tip, for deep lineages */
            size_t newest = w->m.branch_count;
            while (w->m.branches[newest - 1].deleted_version) newest--;
            world_point_at_version(w->m.branches[newest - 1].id, model_last_version(&w->m), &w->m, &at);
        }
    }
    world_say(w, "create branch %s from %s", name,
              options.empty  ? "nothing"
              : options.from ? at.text
                             : "default's tip");
    bool is_illegal = yore_name_check(yore_str(name), NULL) < 0;
    bool exists = model_branch_by_name(&w->m, name) != NULL;
    yore_status status = yore_branch_create(w->db, yore_str(name), &options, &where, &err);
    if (is_illegal || exists || at.status) {
        /* With several faults any of them may be named. */
        bool allowed = (is_illegal && status == YORE_ERR_NAME) || (exists && status == YORE_ERR_EXISTS) ||
                       (at.status && status == at.status);
        if (!allowed) world_fail(w, "yore_branch_create gave %s: %s", yore_status_name(status), err.message);
        return;
    }
    /* A tag may point into a branch that is deleted by now. */
    const model_branch *parent = options.empty ? NULL : model_branch_by_id(&w->m, at.branch);
    if (parent && parent->deleted_version && status == YORE_ERR_NO_BRANCH) return;
    world_expect(w, status, YORE_OK, "yore_branch_create", &err);
    uint64_t version = commit_system(w, YORE_COMMIT_BRANCH, &where);
    /* Which of the versions that show the same data is called the fork is the store's choice. */
    yore_branch_info info = {.struct_size = sizeof info};
    world_expect(w, yore_branch_info_get(w->db, yore_str(name), &info, &err), YORE_OK, "yore_branch_info_get",
                 &err);
    const model_commit *shown = parent ? model_head(&w->m, at.branch, at.cap) : NULL;
    if (parent ? info.fork_version > at.cap || info.fork_version == 0 ||
                     (shown && info.fork_version < shown->version)
               : info.fork_version != 0)
        world_fail(w, "the fork is at v%" PRIu64 ", expected v%" PRIu64, info.fork_version, at.cap);
    model_branch *branch = model_branch_add(&w->m, name, parent ? parent->id : 0, info.fork_version, version);
    branch->hidden = options.hidden;
}

void step_branch_rename(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    model_branch *branch = model_branch_by_id(&w->m, world_pick_branch(w)->id);
    const char *to = pick_name(w);
    if (strcmp(branch->name, to) == 0) return;
    world_say(w, "rename branch %s to %s", branch->name, to);
    bool refused = branch->id == MODEL_DEFAULT_BRANCH, exists = model_branch_by_name(&w->m, to) != NULL;
    yore_status status = yore_branch_rename(w->db, yore_str(branch->name), yore_str(to), &where, &err);
    if (refused || exists) {
        if (!(refused && status == YORE_ERR_REFUSED) && !(exists && status == YORE_ERR_EXISTS))
            world_fail(w, "yore_branch_rename gave %s: %s", yore_status_name(status), err.message);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_branch_rename", &err);
    commit_system(w, YORE_COMMIT_BRANCH, &where);
    snprintf(branch->name, sizeof branch->name, "%s", to);
}

static size_t live_children(const model *m, uint32_t branch)
{
    size_t count = 0;
    for (size_t i = 0; i < m->branch_count; i++)
        count += m->branches[i].parent == branch && !m->branches[i].deleted_version;
    return count;
}

void step_branch_delete(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    const model_branch *branch = world_pick_branch(w);
    bool cascade = chance(w, 3);
    uint64_t count = 0, expected = 0;
    world_say(w, "delete branch %s%s", branch->name, cascade ? " and its descendants" : "");
    bool refused = branch->id == MODEL_DEFAULT_BRANCH, has_children = live_children(&w->m, branch->id) > 0;
    yore_status status = yore_branch_delete(w->db, yore_str(branch->name), cascade, &where, &count, &err);
    if (refused || (has_children && !cascade)) {
        if (!(refused && status == YORE_ERR_REFUSED) &&
            !(has_children && !cascade && status == YORE_ERR_HAS_CHILDREN))
            world_fail(w, "yore_branch_delete gave %s: %s", yore_status_name(status), err.message);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_branch_delete", &err);
    uint64_t version = commit_system(w, YORE_COMMIT_BRANCH, &where);
    uint32_t root = branch->id;
    for (size_t i = 0; i < w->m.branch_count; i++) {
        model_branch *b = &w->m.branches[i];
        if (b->deleted_version || !model_is_descendant(&w->m, b->id, root)) continue;
        b->deleted_version = version;
        expected++;
    }
    if (count != expected) world_fail(w, "%" PRIu64 " branches went, expected %" PRIu64, count, expected);
}

/* The branch a recover by name means: the newest deleted one of that name. */
static model_branch *deleted_by_name(const model *m, const char *name)
{
    model_branch *found = NULL;
    for (size_t i = 0; i < m->branch_count; i++) {
        model_branch *b = &m->branches[i];
        if (b->deleted_version && strcmp(b->name, name) == 0 &&
            (!found || b->deleted_version > found->deleted_version))
            found = b;
    }
    return found;
}

void step_branch_recover(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    char which[MODEL_NAME_SIZE];
    model_branch *branch = model_branch_by_id(&w->m, 1 + (uint32_t)below(w, w->m.branch_count));
    for (int tries = 0; tries < 4 && !branch->deleted_version; tries++)
        branch = model_branch_by_id(&w->m, 1 + (uint32_t)below(w, w->m.branch_count));
    bool by_name = chance(w, 3);
    const char *as = below(w, 2) ? "" : pick_name(w);
    if (by_name) {
        snprintf(which, sizeof which, "%s", branch->name);
        branch = deleted_by_name(&w->m, which);
    } else {
        snprintf(which, sizeof which, "id:%u", branch->id);
    }
    world_say(w, "recover branch %s as '%s'", which, as);
    yore_status status = yore_branch_recover(w->db, yore_str(which), yore_str(as), &where, &err);
    const char *name = as[0] ? as : branch ? branch->name : "";
    const model_branch *parent = branch ? model_branch_by_id(&w->m, branch->parent) : NULL;
    bool alive = !branch || !branch->deleted_version;
    bool exists = branch && model_branch_by_name(&w->m, name) != NULL;
    bool orphan = parent && parent->deleted_version;
    if (alive || exists || orphan) {
        bool allowed = (alive && status == YORE_ERR_NOT_DELETED) || (exists && status == YORE_ERR_EXISTS) ||
                       (orphan && status == YORE_ERR_REFUSED);
        if (!allowed) world_fail(w, "yore_branch_recover gave %s: %s", yore_status_name(status), err.message);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_branch_recover", &err);
    commit_system(w, YORE_COMMIT_BRANCH, &where);
    branch->deleted_version = 0;
    if (as[0]) snprintf(branch->name, sizeof branch->name, "%s", as);
}

static void compare_branch(world *w, const yore_branch_info *got, const model_branch *want)
{
    const model_branch *parent = model_branch_by_id(&w->m, want->parent);
    const model_commit *head = model_head(&w->m, want->id, UINT64_MAX);
    yore_range own = YORE_RANGE_INIT;
    uint64_t keys = 0, bytes = 0;
    own.own_only = own.with_deleted = true;
    for (uint32_t primitive = YORE_KV; primitive <= YORE_JSON; primitive++) {
        model_list list;
        own.primitive = primitive;
        keys += model_scan(&w->m, want->id, UINT64_MAX, 0, &own, &list);
        free(list);
    }
    for (size_t i = 0; i < w->m.row_count; i++)
        bytes += w->m.rows[i].branch == want->id ? w->m.rows[i].value.size + w->m.rows[i].meta.size : 0;
    if (got->id != want->id || got->parent_id != want->parent || got->depth != model_depth(&w->m, want->id) ||
        strcmp(got->name, want->name) != 0 || strcmp(got->parent, parent ? parent->name : "") != 0)
        world_fail(w, "branch %u '%s' of parent %u '%s' depth %u, expected %u '%s' of %u", got->id, got->name,
                   got->parent_id, got->parent, got->depth, want->id, want->name, want->parent);
    if (got->fork_version != want->fork_version || got->create_version != want->create_version ||
        got->deleted_version != want->deleted_version || got->hidden != want->hidden)
        world_fail(w,
                   "branch %u: fork v%" PRIu64 ", created v%" PRIu64 ", deleted v%" PRIu64
                   "; expected v%" PRIu64 ", v%" PRIu64 ", v%" PRIu64,
                   got->id, got->fork_version, got->create_version, got->deleted_version, want->fork_version,
                   want->create_version, want->deleted_version);
    /* a key counts once in each layer that has a version of it; what is in memory may be restored on a disk */
    bool keys_fit = w->on_disk || w->maintain_every ? got->own_keys >= keys : got->own_keys == keys;
    if (got->children != live_children(&w->m, want->id) || !keys_fit || got->own_bytes != bytes)
        world_fail(w,
                   "branch %u: %" PRIu64 " children, %" PRIu64 " keys, %" PRIu64
                   " bytes; expected %zu, %" PRIu64 ", %" PRIu64,
                   got->id, got->children, got->own_keys, got->own_bytes, live_children(&w->m, want->id),
                   keys, bytes);
    if (head && (got->head_version != head->version || got->head_time_ns != head->time_ns))
        world_fail(w, "branch %u: head v%" PRIu64 ", expected v%" PRIu64, got->id, got->head_version,
                   head->version);
}

void world_compare_branches(world *w, yore_db *db)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    uint32_t after = 0;
    for (size_t i = 0; i < w->m.branch_count; i++) {
        const model_branch *want = &w->m.branches[i];
        world_expect(w, yore_branch_next(db, after, &info, &err), YORE_OK, "yore_branch_next", &err);
        compare_branch(w, &info, want);
        after = info.id;
        char id[MODEL_NAME_SIZE];
        snprintf(id, sizeof id, "id:%u", want->id);
        world_expect(w, yore_branch_info_get(db, yore_str(id), &info, &err), YORE_OK, "yore_branch_info_get",
                     &err);
        compare_branch(w, &info, want);
        yore_status status = yore_branch_info_get(db, yore_str(want->name), &info, &err);
        const model_branch *live = model_branch_by_name(&w->m, want->name);
        world_expect(w, status, live ? YORE_OK : YORE_ERR_NO_BRANCH, "yore_branch_info_get", &err);
        if (live) compare_branch(w, &info, live);
    }
    world_expect(w, yore_branch_next(db, after, &info, &err), YORE_END, "yore_branch_next", &err);
}

void step_branch_list(world *w)
{
    world_say(w, "list branches");
    world_compare_branches(w, w->db);
}

/* -- tags -- */

void step_tag_create(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    point at = {.at = YORE_AT_INIT, .branch = MODEL_DEFAULT_BRANCH, .cap = model_last_version(&w->m)};
    const char *name = pick_name(w);
    bool has_at = below(w, 6) != 0;
    if (has_at) world_pick_point(w, false, &at);
    world_say(w, "create tag %s at %s", name, has_at ? at.text : "default's tip");
    bool exists = model_tag_by_name(&w->m, name) != NULL;
    yore_status status = yore_tag_create(w->db, yore_str(name), has_at ? &at.at : NULL, &where, &err);
    if (exists || at.status) {
        if (!(exists && status == YORE_ERR_EXISTS) && !(at.status && status == at.status))
            world_fail(w, "yore_tag_create gave %s: %s", yore_status_name(status), err.message);
        return;
    }
    world_expect(w, status, YORE_OK, "yore_tag_create", &err);
    commit_system(w, YORE_COMMIT_TAG, &where);
    /* A tag is (branch, version). Which of the versions that show the same data is the store's choice. */
    yore_at tag = YORE_AT_INIT;
    tag.kind = YORE_AT_TAG;
    snprintf(tag.tag, sizeof tag.tag, "%s", name);
    world_expect(w, yore_at_resolve(w->db, &tag, &where, &err), YORE_OK, "yore_at_resolve", &err);
    const model_commit *shown = model_head(&w->m, at.branch, at.cap);
    if (where.branch_id != at.branch || where.snap_version > at.cap ||
        (shown && where.snap_version < shown->version))
        world_fail(w, "the tag is on branch %u at v%" PRIu64, where.branch_id, where.snap_version);
    model *m = &w->m;
    if (m->tag_count == m->tag_cap) {
        m->tag_cap = m->tag_cap ? m->tag_cap * 2 : 16;
        m->tags = realloc(m->tags, m->tag_cap * sizeof *m->tags);
        if (!m->tags) abort();
    }
    model_tag *made = &m->tags[m->tag_count++];
    *made = (model_tag){.live = true, .branch = at.branch, .version = where.snap_version};
    snprintf(made->name, sizeof made->name, "%s", name);
}

void step_tag_delete(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    const char *name = pick_name(w);
    model_tag *tag = model_tag_by_name(&w->m, name);
    world_say(w, "delete tag %s", name);
    yore_status status = yore_tag_delete(w->db, yore_str(name), &where, &err);
    world_expect(w, status, tag ? YORE_OK : YORE_ERR_NO_TAG, "yore_tag_delete", &err);
    if (!tag) return;
    commit_system(w, YORE_COMMIT_TAG, &where);
    tag->live = false;
}

void world_compare_tags(world *w, yore_db *db)
{
    yore_tag_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    size_t live = 0, seen = 0;
    for (size_t i = 0; i < w->m.tag_count; i++) live += w->m.tags[i].live;
    while (yore_tag_next(db, yore_str(after), &info, &err) == YORE_OK) {
        const model_tag *want = model_tag_by_name(&w->m, info.name);
        if (strcmp(info.name, after) <= 0) world_fail(w, "tag '%s' after '%s'", info.name, after);
        if (!want || want->branch != info.branch_id || want->version != info.version ||
            info.time_ns != model_commit_at(&w->m, want->version)->time_ns ||
            strcmp(info.branch, model_branch_by_id(&w->m, want->branch)->name) != 0)
            world_fail(w, "tag '%s' on branch %u '%s' v%" PRIu64, info.name, info.branch_id, info.branch,
                       info.version);
        snprintf(after, sizeof after, "%s", info.name);
        if (++seen > live) break;
    }
    if (seen != live) world_fail(w, "%zu tags, expected %zu", seen, live);
}

void step_tag_list(world *w)
{
    world_say(w, "list tags");
    world_compare_tags(w, w->db);
}

/* -- settings -- */

/* Each handle is opened with a durability of its own, and nothing here searches, so settings change nothing else. */
static const char *const durabilities[] = {"commit", "group", "os", ""};
static const char *const indexed[] = {"text", "none", ""};
static const char *const setting_prefixes[] = {"", "a", "ab", "abc", "b"};
static const char *const setting_keys[] = {"", "a", "aa", "ab", "abc", "abcd", "b", "bb", "c"};

void step_config(world *w)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    const char *name = "durability", *prefix = "", *value = durabilities[below(w, 4)];
    if (below(w, 3) > 0) {
        name = "search.index";
        prefix = setting_prefixes[below(w, 5)];
        value = indexed[below(w, 3)];
    }
    world_say(w, "config set %s '%s' for '%s'", name, value, prefix);
    world_expect(w, yore_config_set_prefix(w->db, name, yore_str(prefix), value, &where, &err), YORE_OK,
                 "yore_config_set_prefix", &err);
    uint64_t version = commit_system(w, YORE_COMMIT_CONFIG, &where);
    model_setting_add(&w->m, name, prefix, value, version);
}

static void compare_setting(world *w, yore_db *db, const char *name, const char *key, const yore_at *at)
{
    yore_error err = YORE_ERROR_INIT;
    yore_config_value got = {.struct_size = sizeof got};
    const model_setting *want = model_setting_at(&w->m, name, key, at->version);
    yore_status status = yore_config_get_prefix(db, name, yore_str(key), at, &got, &err);
    world_expect(w, status, want ? YORE_OK : YORE_NOT_FOUND, "yore_config_get_prefix", &err);
    if (status != YORE_OK) return;
    if (strcmp(got.value, want->value) != 0 || got.prefix_size != strlen(want->prefix) ||
        memcmp(got.prefix, want->prefix, got.prefix_size) != 0)
        world_fail(w, "setting %s is '%s' for '%s' at v%" PRIu64 ", expected '%s' of '%s'", name, got.value,
                   key, at->version, want->value, want->prefix);
}

/* The prefixes that have a value, by byte order. */
static void compare_prefixes(world *w, yore_db *db, const yore_at *at)
{
    static const char *const name = "search.index";
    yore_error err = YORE_ERROR_INIT;
    yore_config_value got = {.struct_size = sizeof got};
    for (size_t i = 1; i < 5; i++) {
        const model_setting *want = model_setting_at(&w->m, name, setting_prefixes[i], at->version);
        if (!want || strcmp(want->prefix, setting_prefixes[i]) != 0) continue;
        yore_slice after = yore_bytes(got.prefix, got.prefix_size);
        world_expect(w, yore_config_next_prefix(db, name, after, at, &got, &err), YORE_OK,
                     "yore_config_next_prefix", &err);
        if (got.prefix_size != strlen(want->prefix) ||
            memcmp(got.prefix, want->prefix, got.prefix_size) != 0 || strcmp(got.value, want->value) != 0)
            world_fail(w, "'%.*s' and '%s' where '%s' has '%s' at v%" PRIu64, (int)got.prefix_size,
                       (const char *)got.prefix, got.value, want->prefix, want->value, at->version);
    }
    yore_slice after = yore_bytes(got.prefix, got.prefix_size);
    world_expect(w, yore_config_next_prefix(db, name, after, at, &got, &err), YORE_END,
                 "yore_config_next_prefix", &err);
}

void world_compare_settings(world *w, yore_db *db)
{
    for (size_t i = 0; i < 3; i++) {
        char got[64];
        yore_error err = YORE_ERROR_INIT;
        yore_at at = YORE_AT_INIT;
        at.kind = YORE_AT_VERSION;
        at.version = 1 + below(w, model_last_version(&w->m));
        const model_setting *want = model_setting_at(&w->m, "durability", "", at.version);
        yore_status status = yore_config_get(db, "durability", &at, got, sizeof got, &err);
        world_expect(w, status, want ? YORE_OK : YORE_NOT_FOUND, "yore_config_get", &err);
        if (status == YORE_OK && strcmp(got, want->value) != 0)
            world_fail(w, "durability is '%s' at v%" PRIu64 ", expected '%s'", got, at.version, want->value);
        compare_setting(w, db, "search.index", setting_keys[below(w, 9)], &at);
        compare_setting(w, db, "durability", setting_keys[below(w, 9)], &at);
        compare_prefixes(w, db, &at);
    }
}

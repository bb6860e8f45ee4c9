/* Settings of a store: what there is, which values are legal, and reading and writing them. */
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/db/handle.h"

static const yore_setting SETTINGS[] = {
    {"durability", "commit", "durability of commits: commit, group, os or none"},
};

enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

const yore_setting *yore_settings(size_t *count)
{
    *count = SETTING_COUNT;
    return SETTINGS;
}

static yore_status check_name(const char *name, yore_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(SETTINGS[i].name, name) == 0) return YORE_OK;
    }
    yr_fail(err, YORE_ERR_NAME, "there is no setting '%.64s'", name);
    yr_hint(err, "yore config list");
    return YORE_ERR_NAME;
}

static yore_status check_value(const char *name, const char *value, yore_error *err)
{
    static const char *const modes[] = {"", "commit", "group", "os", "none"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i]) == 0) return YORE_OK;
    }
    return yr_fail(err, YORE_ERR_INPUT, "'%.64s' is no value of '%s': commit, group, os or none", value,
                   name);
}

yore_status yore_config_get(yore_db *db, const char *name, const yore_at *at, char *value, size_t size,
                            yore_error *err)
{
    yr_point_found point;
    yr_found found;
    yore_status status = check_name(name, err);
    if (status == YORE_OK) status = yr_at_find(db, at, &point, err);
    if (status == YORE_OK) status = yr_registry_get(db, 'c', yore_str(name), point.cap, &found);
    if (status != YORE_OK) return status;
    yore_slice text = yr_version_value(found.version);
    if (text.size >= size)
        return yr_fail(err, YORE_ERR_LIMIT, "the value of '%s' takes %zu bytes", name, text.size + 1);
    memcpy(value, text.data, text.size);
    value[text.size] = 0;
    return YORE_OK;
}

typedef struct config_plan {
    const char *name, *value;
} config_plan;

static yore_status plan_config(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    (void)version;
    (void)wall_ns;
    const config_plan *plan = request->plan_arg;
    uint8_t *key = yr_arena_alloc(&store->scratch, YR_REGISTRY_KEY_MAX);
    request->rows = yr_arena_alloc(&store->scratch, sizeof *request->rows);
    if (!key || !request->rows) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a setting");
    request->rows[0] = (yr_row){.key = {key, yr_registry_key('c', yore_str(plan->name), key)},
                                .value = yore_str(plan->value),
                                .branch = YR_REGISTRY_BRANCH,
                                .primitive = YORE_SYSTEM,
                                .op = plan->value[0] ? YORE_OP_PUT : YORE_OP_DEL};
    request->row_count = 1;
    return YORE_OK;
}

yore_status yore_config_set(yore_db *db, const char *name, const char *value, yore_where *where,
                            yore_error *err)
{
    yore_status status = check_name(name, err);
    if (status == YORE_OK) status = check_value(name, value, err);
    if (status < 0) return status;
    config_plan plan = {name, value};
    yr_request request = {.err = err, .plan = plan_config, .plan_arg = &plan, .kind = YORE_COMMIT_CONFIG};
    return yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
}

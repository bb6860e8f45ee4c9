/* Settings of a store: what there is, which values are legal, and reading and writing them. */
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/db/handle.h"

static const yore_setting SETTINGS[] = {
    {"durability", "commit", "durability of commits: commit, group, os or none"},
    {"search.language", "english", "language of stemming and stop words, none for neither"},
    {"search.k1", "1.2", "how soon more of a word adds no more to a score: 0 to 100"},
    {"search.b", "0.75", "how much a long text's words count less: 0 to 1"},
    {"search.index", "text", "what is indexed: text or none"},
};

enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

const yore_setting *yore_settings(size_t *count)
{
    *count = SETTING_COUNT;
    return SETTINGS;
}

/* Those of SETTINGS that can differ by key prefix. */
static const char BY_PREFIX[] = "search.index";

static yore_status check_name(const char *name, yore_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(SETTINGS[i].name, name) == 0) return YORE_OK;
    }
    yr_fail(err, YORE_ERR_NAME, "there is no setting '%.64s'", name);
    yr_hint(err, "yore config list");
    return YORE_ERR_NAME;
}

bool yr_setting_number(const char *text, double max, double *out)
{
    uint64_t digits = 0, unit = 1;
    size_t count = 0;
    bool behind_point = false;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (*p < '0' || *p > '9' || ++count > 15) return false;
        digits = digits * 10 + (uint64_t)(*p - '0');
        if (behind_point) unit *= 10;
    }
    if (!count || unit > 1000000000) return false;
    *out = (double)digits / (double)unit; /* both exact, so the nearest double */
    return *out <= max;
}

/* A word of a list, separated by blanks. */
static bool is_one_of(const char *words, const char *value)
{
    size_t size = strlen(value);
    for (const char *p = words; size && (p = strstr(p, value)) != NULL; p++) {
        if ((p == words || p[-1] == ' ') && (p[size] == ' ' || !p[size])) return !strchr(value, ' ');
    }
    return false;
}

/* The setting is known, and may have values by prefix. */
static yore_status check_by_prefix(const char *name, yore_error *err)
{
    yore_status status = check_name(name, err);
    if (status < 0 || is_one_of(BY_PREFIX, name)) return status;
    yr_fail(err, YORE_ERR_INPUT, "'%s' is one for the whole store; a prefix can have: %s", name, BY_PREFIX);
    return YORE_ERR_INPUT;
}

/* The languages are search/analysis's, which is above this layer; a test holds the two lists together. */
static const char LANGUAGES[] =
    "none arabic armenian basque catalan danish dutch english finnish french german greek hindi hungarian indonesian "
    "irish italian lithuanian nepali norwegian porter portuguese romanian russian serbian spanish swedish tamil "
    "turkish yiddish";

static yore_status check_value(const char *name, const char *value, yore_error *err)
{
    static const char modes[] = "commit group os none", kinds[] = "text none";
    const char *wanted = modes;
    double number;
    bool ok, is_language = strcmp(name, "search.language") == 0;
    if (!*value) return YORE_OK;
    if (is_language) {
        wanted = "a language of libstemmer";
        ok = is_one_of(LANGUAGES, value);
    } else if (strcmp(name, "search.k1") == 0) {
        wanted = "a number from 0 to 100";
        ok = yr_setting_number(value, 100, &number);
    } else if (strcmp(name, "search.b") == 0) {
        wanted = "a number from 0 to 1";
        ok = yr_setting_number(value, 1, &number);
    } else if (strcmp(name, "search.index") == 0) {
        wanted = kinds;
        ok = is_one_of(kinds, value);
    } else {
        ok = is_one_of(modes, value);
    }
    if (ok) return YORE_OK;
    char shown[YR_QUOTE_SIZE];
    yr_fail(err, YORE_ERR_INPUT, "'%s' is no value of '%s': %s", yr_text_quote(yore_str(value), shown), name,
            wanted);
    if (is_language) yr_hint(err, "%s", LANGUAGES);
    return YORE_ERR_INPUT;
}

yore_status yr_setting_get(const yore_db *db, const char *name, uint64_t version, char value[YR_SETTING_SIZE],
                           yore_error *err)
{
    yr_buf found;
    yr_buf_init(&found, db->env, SIZE_MAX);
    yore_status status = yr_registry_get(db, 'c', yore_str(name), version, &found, err);
    yore_slice text = yore_bytes(found.data, status == YORE_OK ? found.size : 0);
    for (size_t i = 0; i < SETTING_COUNT && !text.size; i++) {
        if (strcmp(SETTINGS[i].name, name) == 0) text = yore_str(SETTINGS[i].default_value);
    }
    size_t size = text.size < YR_SETTING_SIZE ? text.size : YR_SETTING_SIZE - 1;
    if (size) memcpy(value, text.data, size);
    value[size] = 0;
    yr_buf_deinit(&found);
    return status < 0 ? status : YORE_OK;
}

yore_status yr_setting_prefixes(const yore_db *db, const char *name, uint64_t version, yr_buf *table,
                                yore_error *err)
{
    yore_status status = yr_registry_get(db, 'p', yore_str(name), version, table, err);
    return status < 0 ? status : YORE_OK;
}

/* The version reads at a point are capped at. */
static yore_status cap_of(yore_db *db, const yore_at *at, uint64_t *cap, yore_error *err)
{
    yr_point_found point;
    yore_status status = yr_at_find(db, at, &point, err);
    if (status < 0) return status;
    *cap = point.cap;
    yr_layers_unref(point.layers);
    return YORE_OK;
}

yore_status yore_config_get(yore_db *db, const char *name, const yore_at *at, char *value, size_t size,
                            yore_error *err)
{
    uint64_t cap;
    yr_buf found;
    yore_status status = check_name(name, err);
    if (status == YORE_OK) status = cap_of(db, at, &cap, err);
    if (status < 0) return status;
    yr_buf_init(&found, db->env, SIZE_MAX);
    status = yr_registry_get(db, 'c', yore_str(name), cap, &found, err);
    if (status == YORE_OK && found.size >= size)
        status = yr_fail(err, YORE_ERR_LIMIT, "the value of '%s' takes %zu bytes", name, found.size + 1);
    if (status == YORE_OK) {
        if (found.size) memcpy(value, found.data, found.size);
        value[found.size] = 0;
    }
    yr_buf_deinit(&found);
    return status;
}

/* -- by prefix: reading -- */

/* The table at a point; the rest of what the calls have in common. */
static yore_status table_at(yore_db *db, const char *name, const yore_at *at, const yore_config_value *out,
                            uint64_t *cap, yr_buf *table, yore_error *err)
{
    if (!out) return yr_fail(err, YORE_ERR_MISUSE, "room for a value is needed");
    yore_status status = yr_out_check(out->struct_size, sizeof *out, err);
    if (status == YORE_OK) status = check_name(name, err);
    if (status == YORE_OK) status = cap_of(db, at, cap, err);
    return status == YORE_OK ? yr_setting_prefixes(db, name, *cap, table, err) : status;
}

static void fill_value(const yr_prefix_value *value, yore_config_value *out)
{
    *out = (yore_config_value){.struct_size = sizeof *out, .prefix_size = (uint32_t)value->prefix.size};
    if (value->prefix.size) memcpy(out->prefix, value->prefix.data, value->prefix.size);
    memcpy(out->value, value->text.data, value->text.size);
}

yore_status yore_config_get_prefix(yore_db *db, const char *name, yore_slice key, const yore_at *at,
                                   yore_config_value *out, yore_error *err)
{
    yr_prefix_value value = {.prefix = yore_bytes(NULL, 0)};
    yr_buf table, found;
    uint64_t cap;
    yr_buf_init(&table, db->env, SIZE_MAX);
    yr_buf_init(&found, db->env, SIZE_MAX);
    yore_status status = table_at(db, name, at, out, &cap, &table, err);
    if (status == YORE_OK && !yr_prefix_table_find(yore_bytes(table.data, table.size), key, &value)) {
        status = yr_registry_get(db, 'c', yore_str(name), cap, &found, err);
        value.text = yore_bytes(found.data, found.size);
        if (status == YORE_OK && value.text.size >= sizeof out->value)
            status =
                yr_fail(err, YORE_ERR_LIMIT, "the value of '%s' takes %zu bytes", name, value.text.size + 1);
    }
    if (status == YORE_OK) fill_value(&value, out);
    yr_buf_deinit(&table);
    yr_buf_deinit(&found);
    return status;
}

yore_status yore_config_next_prefix(yore_db *db, const char *name, yore_slice after, const yore_at *at,
                                    yore_config_value *out, yore_error *err)
{
    yr_prefix_value value;
    yr_buf table;
    uint64_t cap;
    yr_buf_init(&table, db->env, SIZE_MAX);
    yore_status status = table_at(db, name, at, out, &cap, &table, err);
    bool found = false;
    for (size_t i = 0; status == YORE_OK && !found &&
                       yr_prefix_table_next(yore_bytes(table.data, table.size), &i, &value);) {
        found = yr_slice_compare(value.prefix, after) > 0;
    }
    if (found) fill_value(&value, out);
    yr_buf_deinit(&table);
    return status == YORE_OK && !found ? YORE_END : status;
}

/* -- changing -- */

typedef struct config_plan {
    yore_db *db;
    const char *name, *value;
    yore_slice prefix; /* empty: the store's */
} config_plan;

/* One row, which the caller gives its value. */
static yore_status plan_row(yr_store *store, yr_request *request, char kind, bool is_set)
{
    const config_plan *plan = request->plan_arg;
    uint8_t *key = yr_arena_alloc(&store->scratch, YR_REGISTRY_KEY_MAX);
    request->rows = yr_arena_alloc(&store->scratch, sizeof *request->rows);
    if (!key || !request->rows) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a setting");
    request->rows[0] = (yr_row){.key = {key, yr_registry_key(kind, yore_str(plan->name), key)},
                                .branch = YR_REGISTRY_BRANCH,
                                .primitive = YORE_SYSTEM,
                                .op = is_set ? YORE_OP_PUT : YORE_OP_DEL};
    request->row_count = 1;
    return YORE_OK;
}

static yore_status plan_config(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    (void)version;
    (void)wall_ns;
    const config_plan *plan = request->plan_arg;
    yore_status status = plan_row(store, request, 'c', plan->value[0]);
    if (status == YORE_OK) request->rows[0].value = yore_str(plan->value);
    return status;
}

/* The values of a table with the plan's put in, or taken out when it is empty. `values` has room for one more. */
static size_t change_values(yore_slice table, const config_plan *plan, yr_prefix_value *values)
{
    yr_prefix_value each, change = {.prefix = plan->prefix, .text = yore_str(plan->value)};
    size_t count = 0;
    bool is_in = !change.text.size;
    for (size_t at = 0; yr_prefix_table_next(table, &at, &each);) {
        int order = yr_slice_compare(each.prefix, plan->prefix);
        if (order >= 0 && !is_in) {
            values[count++] = change;
            is_in = true;
        }
        if (order != 0) values[count++] = each;
    }
    if (!is_in) values[count++] = change;
    return count;
}

static yore_status plan_table(yr_store *store, yr_request *request, yore_slice before, uint64_t version)
{
    const config_plan *plan = request->plan_arg;
    yr_prefix_value *values =
        yr_arena_alloc(&store->scratch, (YORE_CONFIG_PREFIXES_MAX + 1) * sizeof *values);
    if (!values) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a setting");
    size_t count = change_values(before, plan, values);
    if (count > YORE_CONFIG_PREFIXES_MAX)
        return yr_fail(request->err, YORE_ERR_LIMIT, "'%s' has values for %u prefixes, and can have no more",
                       plan->name, YORE_CONFIG_PREFIXES_MAX);
    yore_status status = plan_row(store, request, 'p', count);
    if (status < 0 || !count) return status;
    size_t size = yr_prefix_table_bytes(values, count);
    uint8_t *table = yr_arena_alloc(&store->scratch, size);
    if (!table) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a setting");
    yr_prefix_table_encode(values, count, yr_prefix_table_since(before), table);
    if (size != before.size || (size && memcmp(table, before.data, size) != 0))
        yr_prefix_table_encode(values, count, version, table);
    request->rows[0].value = yore_bytes(table, size);
    return YORE_OK;
}

/* The leader judges against what is committed, published or not. */
static yore_status plan_prefix(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    const config_plan *plan = request->plan_arg;
    yr_buf table;
    (void)wall_ns;
    yr_buf_init(&table, store->env, SIZE_MAX);
    yore_status status = yr_setting_prefixes(plan->db, plan->name, version, &table, request->err);
    if (status == YORE_OK) status = plan_table(store, request, yore_bytes(table.data, table.size), version);
    yr_buf_deinit(&table);
    return status;
}

yore_status yore_config_set_prefix(yore_db *db, const char *name, yore_slice prefix, const char *value,
                                   yore_where *where, yore_error *err)
{
    yore_status status = prefix.size ? check_by_prefix(name, err) : check_name(name, err);
    if (status == YORE_OK && prefix.size > YORE_CONFIG_PREFIX_MAX)
        status = yr_fail(err, YORE_ERR_LIMIT, "the prefix of a setting has at most %u bytes, not %zu",
                         YORE_CONFIG_PREFIX_MAX, prefix.size);
    if (status == YORE_OK) status = check_value(name, value, err);
    if (status < 0) return status;
    config_plan plan = {.db = db, .name = name, .value = value, .prefix = prefix};
    yr_request request = {.err = err,
                          .plan = prefix.size ? plan_prefix : plan_config,
                          .plan_arg = &plan,
                          .kind = YORE_COMMIT_CONFIG};
    return yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
}

yore_status yore_config_set(yore_db *db, const char *name, const char *value, yore_where *where,
                            yore_error *err)
{
    return yore_config_set_prefix(db, name, yore_bytes(NULL, 0), value, where, err);
}

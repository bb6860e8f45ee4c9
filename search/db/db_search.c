/* yore_search and its iterator. */
#include "engine/base/error.h"
#include "search/db/follower.h"
#include "search/score/score.h"
#include "search/snippet/snippet.h"

#define WAIT_DEFAULT_NS (INT64_C(30) * 1000000000)

enum { K_DEFAULT = 10 };

typedef struct hits_iter {
    yore_iter base;
    yr_arena arena; /* hits, query, snippets */
    yore_search_info info;
    yr_score_hit *hits;
    yore_pin *pins; /* by hit; kept, so that they outlive the snapshot */
    size_t hit_count, pinned_count, given;
    uint32_t snippet_bytes;
    char language[YR_SETTING_SIZE];
    yr_analyzer *analyzer; /* for snippets */
    yr_snippet_plan *plan;
} hits_iter;

static void hits_deinit(yore_iter *base)
{
    hits_iter *iter = (hits_iter *)base;
    for (size_t i = 0; i < iter->pinned_count; i++) yore_unpin(&iter->pins[i]);
    yr_analyzer_close(iter->analyzer);
    yr_arena_deinit(&iter->arena);
}

/* -- searching -- */

typedef struct search {
    yore_snap *snap;
    const yore_query *query;
    hits_iter *iter;
    yr_follower *follower;
    yr_search_settings settings;
    yr_analyzer *analyzer;
    yr_query_node *root;
    yr_arena scratch;
    yr_score_answer answer;
} search;

/* The value of a key that the index has: the store must have it too. The pin borrows the snapshot. */
static yore_status get_found(yore_snap *snap, yore_slice key, yore_pin *pin, yore_error *err)
{
    yore_status status = yore_get(snap, (yore_key){.user = key}, pin, err);
    if (status != YORE_NOT_FOUND) return status;
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "the search index has a key that the snapshot has not; close the store and open it again");
}

static yore_status value_of(void *context, yore_slice key, yore_slice *value, yore_error *err)
{
    const search *s = context;
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = get_found(s->snap, key, &pin, err);
    if (status == YORE_OK) *value = pin.value;
    return status;
}

/* The hops of the snapshot that have a layer. */
static yore_status make_view(search *s, const yr_index *index, yr_search_view *out, yore_error *err)
{
    const yr_view *view = &s->snap->view;
    yr_search_hop *hops = yr_arena_alloc(&s->scratch, view->branch->depth * sizeof *hops);
    if (!hops) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a search");
    *out = (yr_search_view){.index = index, .hops = hops, .time_ns = view->time_ns};
    uint64_t cap = view->cap;
    for (const yr_branch *hop = view->branch; hop; hop = hop->parent) {
        const yr_layer *layer = yr_index_layer(index, hop->id);
        uint32_t own_cap = cap > YR_INDEX_VERSION_MAX ? YR_INDEX_VERSION_MAX : (uint32_t)cap;
        if (layer) hops[out->hop_count++] = (yr_search_hop){.layer = layer, .cap = own_cap};
        cap = yr_lineage_cap(hop, cap);
    }
    return YORE_OK;
}

/* With the index held. */
static yore_status score(search *s, const yr_index *index, yore_error *err)
{
    const yore_query *query = s->query;
    yr_score_request request = {.root = s->root,
                                .k1 = s->settings.k1,
                                .b = s->settings.b,
                                .k = query->count_only ? 0
                                     : query->k        ? query->k
                                                       : K_DEFAULT,
                                .prefix = query->prefix,
                                .explain = query->explain,
                                .analyzer = s->analyzer,
                                .value = value_of,
                                .value_context = s};
    yore_status status = make_view(s, index, &request.view, err);
    if (status == YORE_OK) status = yr_score(&request, &s->scratch, &s->iter->arena, &s->answer, err);
    return status;
}

static yore_status parse(search *s, yore_error *err)
{
    const yore_query *query = s->query;
    const yr_query_options options = {.strict = query->strict, .plain = query->plain, .all = query->all};
    yore_slice text = query->text;
    bool is_kept = text.size && text.size <= YR_QUERY_BYTES_MAX; /* more is refused unread */
    if (is_kept) text.data = yr_arena_copy(&s->iter->arena, text.data, text.size);
    if (is_kept && !text.data) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");
    return yr_query_parse(text, &options, s->analyzer, &s->iter->arena, &s->root, err);
}

/* One attempt: YORE_CONFLICT when the settings changed on the way. */
static yore_status attempt(search *s, int64_t until_ns, yore_error *err)
{
    yore_db *db = s->snap->reader.db;
    const yr_index *index;
    yore_status status = yr_search_settings_get(db, yr_store_visible(&db->store), &s->settings, err);
    if (status < 0) return status;
    const char *language = s->settings.index.language;
    status = yr_follower_take_analyzer(s->follower, language, &s->analyzer, err);
    if (status < 0) return status;
    yr_arena_reset(&s->iter->arena);
    status = parse(s, err);
    if (status == YORE_OK)
        status = yr_follower_hold(s->follower, s->snap->view.cap, &s->settings.index, until_ns, &index, err);
    if (status == YORE_OK) {
        status = score(s, index, err);
        yr_follower_release(s->follower);
    }
    yr_follower_give_analyzer(s->follower, language, s->analyzer);
    s->analyzer = NULL;
    return status;
}

/* Values are pinned after the index was let go: the snapshot does not change. */
static yore_status pin_values(search *s, yore_error *err)
{
    hits_iter *iter = s->iter;
    iter->hits = s->answer.hits;
    iter->pins = yr_arena_alloc(&iter->arena, s->answer.hit_count * sizeof *iter->pins);
    if (!iter->pins) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the hits of a search");
    for (; iter->hit_count < s->answer.hit_count; iter->hit_count++) {
        yore_pin *pin = &iter->pins[iter->hit_count];
        *pin = (yore_pin)YORE_PIN_INIT;
        yore_status status = get_found(s->snap, iter->hits[iter->hit_count].key, pin, err);
        if (status == YORE_OK) status = yore_pin_keep(pin, err);
        if (status < 0) return status;
        iter->pinned_count++;
    }
    return YORE_OK;
}

static void fill_info(const search *s)
{
    s->iter->info = (yore_search_info){.struct_size = sizeof s->iter->info,
                                       .branch_id = s->snap->view.branch->id,
                                       .version = s->snap->view.cap,
                                       .documents = s->answer.documents,
                                       .total_length = s->answer.total_length,
                                       .average_length = s->answer.average_length,
                                       .matches = s->answer.matches,
                                       .k1 = s->settings.k1,
                                       .b = s->settings.b};
    memcpy(s->iter->language, s->settings.index.language, sizeof s->iter->language);
    s->iter->snippet_bytes = s->query->snippet_bytes;
}

static yore_status run_search(search *s, yore_error *err)
{
    const yore_env *env = s->snap->reader.db->env;
    int64_t wait_ns = s->query->wait_ns ? s->query->wait_ns : WAIT_DEFAULT_NS;
    int64_t now = env->monotonic_ns(env->ctx);
    int64_t until_ns = wait_ns < 0 || wait_ns > INT64_MAX - now ? -1 : now + wait_ns;
    yore_status status = yr_follower_of(s->snap->reader.db, &s->follower, err);
    if (status < 0) return status;
    do {
        status = attempt(s, until_ns, err);
    } while (status == YORE_CONFLICT);
    if (status == YORE_ERR_CANCELLED) return yr_db_usable(s->snap->reader.db, err); /* it is being closed */
    if (status == YORE_OK) status = pin_values(s, err);
    if (status == YORE_OK && s->query->snippet_bytes != YORE_SNIPPET_NONE)
        status = yr_snippet_plan_create(s->root, &s->iter->arena, &s->iter->plan, err);
    if (status == YORE_OK) fill_info(s);
    return status;
}

yore_status yore_search(yore_snap *snap, const yore_query *query, yore_iter **out, yore_error *err)
{
    if (!snap || !query || !out)
        return yr_fail(err, YORE_ERR_MISUSE, "a snapshot, a query and a place for the iterator are needed");
    if (query->struct_size != sizeof *query)
        return yr_fail(err, YORE_ERR_MISUSE, "the query is not initialised with YORE_QUERY_INIT");
    yore_status status = yr_db_usable(snap->reader.db, err);
    if (status < 0) return status;
    search s = {.snap = snap, .query = query};
    s.iter = yr_iter_create(snap->reader.db, snap->view.layers, sizeof *s.iter);
    if (!s.iter) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
    s.iter->base.deinit = hits_deinit;
    yr_arena_init(&s.iter->arena, snap->reader.db->env);
    yr_arena_init(&s.scratch, snap->reader.db->env);
    status = run_search(&s, err);
    yr_arena_deinit(&s.scratch);
    if (status == YORE_OK)
        *out = &s.iter->base;
    else
        yore_iter_close(&s.iter->base);
    return status;
}

/* -- the iterator -- */

static hits_iter *as_hits(yore_iter *iter, yore_error *err)
{
    if (iter && iter->deinit == hits_deinit) return (hits_iter *)iter;
    yr_fail(err, YORE_ERR_MISUSE, "an iterator of yore_search is needed");
    return NULL;
}

static yore_status add_snippet(hits_iter *iter, yore_hit *hit, yore_error *err)
{
    yore_status status = YORE_OK;
    yr_snippet snippet;
    if (!iter->analyzer)
        status = yr_analyzer_open(iter->base.db->env, yore_str(iter->language), &iter->analyzer, err);
    if (status == YORE_OK)
        status = yr_snippet_make(iter->plan, iter->analyzer, hit->value, iter->snippet_bytes, &iter->arena,
                                 &snippet, err);
    if (status < 0) return status;
    hit->snippet = snippet.text;
    hit->snippet_spans = snippet.spans;
    hit->value_spans = snippet.value_spans;
    hit->snippet_span_count = hit->value_span_count = snippet.span_count;
    return YORE_OK;
}

yore_status yore_search_next(yore_iter *base, yore_hit *rows, size_t row_size, size_t cap, size_t *n,
                             yore_error *err)
{
    hits_iter *iter = as_hits(base, err);
    if (!iter) return YORE_ERR_MISUSE;
    if (!rows || !n || cap == 0 || row_size == 0)
        return yr_fail(err, YORE_ERR_MISUSE, "room for hits and a count are needed");
    if (iter->given == iter->hit_count) return YORE_END;
    size_t count = 0;
    for (; count < cap && iter->given < iter->hit_count; count++, iter->given++) {
        const yr_score_hit *found = &iter->hits[iter->given];
        const yore_pin *pin = &iter->pins[iter->given];
        yore_hit hit = {.key = {.user = found->key, .primitive = YORE_KV},
                        .score = found->score,
                        .rank = iter->given + 1,
                        .version = pin->version,
                        .time_ns = yore_pin_time(pin),
                        .value = pin->value,
                        .terms = found->terms,
                        .term_count = found->term_count,
                        .length = found->length};
        yore_status status = iter->plan ? add_snippet(iter, &hit, err) : YORE_OK;
        if (status < 0) { /* nothing was given: the next call begins with the same hit */
            iter->given -= count;
            return status;
        }
        memcpy((uint8_t *)rows + count * row_size, &hit, row_size < sizeof hit ? row_size : sizeof hit);
    }
    *n = count;
    return YORE_OK;
}

yore_status yore_search_info_get(const yore_iter *iter, yore_search_info *out, yore_error *err)
{
    if (!iter || !out || iter->deinit != hits_deinit)
        return yr_fail(err, YORE_ERR_MISUSE, "an iterator of yore_search and room are needed");
    yore_status status = yr_out_check(out->struct_size, sizeof *out, err);
    if (status == YORE_OK) *out = ((const hits_iter *)iter)->info;
    return status;
}

yore_status yore_search_stats_get(yore_db *db, yore_search_stats *out, yore_error *err)
{
    if (!out) return yr_fail(err, YORE_ERR_MISUSE, "room for the statistics is needed");
    yore_status status = yr_out_check(out->struct_size, sizeof *out, err);
    if (status == YORE_OK) status = yr_db_usable(db, err);
    if (status < 0) return status;
    yr_follower *follower = yr_follower_peek(db);
    *out = (yore_search_stats){.struct_size = sizeof *out};
    if (follower) yr_follower_stats(follower, out);
    return YORE_OK;
}

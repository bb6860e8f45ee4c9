/* Writing the index: one change of one document at a time. */
#include "search/index/index.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

#define NO_RUN UINT32_MAX

enum { DOC_SLOTS_MIN = 8, WAS = 1, IS = 2 };

void yr_index_init(yr_index *index, const yore_env *env, uint64_t secret, uint64_t bytes_max)
{
    *index = (yr_index){.secret = secret};
    yr_space_init(&index->space, env, bytes_max);
    yr_dictionary_init(&index->dictionary, &index->space, secret);
    yr_arena_init(&index->keys, env);
    yr_space_watch(&index->space, &index->keys);
}

void yr_index_deinit(yr_index *index)
{
    yr_space *space = &index->space;
    for (uint32_t i = 0; i < index->layer_count; i++) yr_layer_destroy(space, index->layers[i]);
    yr_space_free(space, index->layers, index->layer_capacity * sizeof *index->layers);
    yr_space_free(space, index->marks, index->mark_capacity * sizeof *index->marks);
    yr_space_free(space, index->term_marks, index->term_mark_capacity);
    yr_space_free(space, index->before, index->before_capacity * sizeof *index->before);
    yr_dictionary_deinit(&index->dictionary);
    yr_arena_deinit(&index->keys);
}

uint64_t yr_index_bytes(const yr_index *index)
{
    return yr_space_bytes(&index->space);
}

uint64_t yr_index_key_hash(const yr_index *index, yore_slice key)
{
    return yr_hash64(key.data, key.size, index->secret);
}

bool yr_index_has_key(const yr_index *index, uint32_t branch, yore_slice key)
{
    const yr_layer *layer = yr_index_layer(index, branch);
    return layer && yr_layer_find(layer, key, yr_index_key_hash(index, key)) != YR_NO_ID;
}

/* -- finding and making what a change touches -- */

static yr_layer *layer_for(yr_index *index, uint32_t branch)
{
    yr_space *space = &index->space;
    if (branch >= index->layer_count) {
        if (!yr_space_grow(space, &index->layers, &index->layer_capacity, (uint64_t)branch + 1,
                           sizeof(yr_layer *)))
            return NULL;
        while (index->layer_count <= branch) index->layers[index->layer_count++] = NULL;
    }
    if (!index->layers[branch]) index->layers[branch] = yr_layer_create(space, branch);
    return index->layers[branch];
}

static bool grow_doc_slots(yr_space *space, yr_layer *layer)
{
    if (layer->doc_count < layer->doc_slot_count / 2) return true;
    uint32_t wanted = layer->doc_slot_count ? layer->doc_slot_count * 2 : DOC_SLOTS_MIN;
    uint32_t *slots = wanted > layer->doc_slot_count ? yr_space_alloc(space, wanted * sizeof *slots) : NULL;
    if (!slots) return false;
    memset(slots, 0, wanted * sizeof *slots);
    for (uint32_t i = 0; i < layer->doc_count; i++) {
        uint32_t at = (uint32_t)layer->docs[i].hash & (wanted - 1);
        while (slots[at]) at = (at + 1) & (wanted - 1);
        slots[at] = i + 1;
    }
    yr_space_free(space, layer->doc_slots, layer->doc_slot_count * sizeof *slots);
    layer->doc_slots = slots;
    layer->doc_slot_count = wanted;
    return true;
}

static uint32_t doc_for(yr_index *index, yr_layer *layer, yore_slice key)
{
    yr_space *space = &index->space;
    uint64_t hash = yr_index_key_hash(index, key);
    uint32_t found = yr_layer_find(layer, key, hash);
    if (found != YR_NO_ID) return found;
    if (!yr_space_fits(space, key.size) || !grow_doc_slots(space, layer)) return YR_NO_ID;
    if (!yr_space_grow(space, &layer->docs, &layer->doc_capacity, (uint64_t)layer->doc_count + 1,
                       sizeof *layer->docs) ||
        !yr_space_grow(space, &layer->newest, &layer->newest_capacity, (uint64_t)layer->doc_count + 1,
                       sizeof *layer->newest))
        return YR_NO_ID;
    const uint8_t *copy = yr_arena_copy(&index->keys, key.data, key.size);
    if (!copy) return YR_NO_ID;
    uint32_t at = (uint32_t)hash & (layer->doc_slot_count - 1);
    while (layer->doc_slots[at]) at = (at + 1) & (layer->doc_slot_count - 1);
    layer->docs[layer->doc_count] = (yr_doc){.key = copy, .hash = hash, .key_size = (uint32_t)key.size};
    layer->newest[layer->doc_count] = (yr_doc_version){0};
    layer->doc_slots[at] = ++layer->doc_count;
    return layer->doc_count - 1;
}

static bool copy_frequency(yr_space *space, const yr_frequency *from, yr_frequency *to)
{
    if (!yr_space_grow(space, &to->events, &to->event_capacity, from->event_count, sizeof *to->events) ||
        !yr_space_grow(space, &to->expiring, &to->expiring_capacity, from->expiring_count,
                       sizeof *to->expiring))
        return false;
    if (from->event_count) memcpy(to->events, from->events, from->event_count * sizeof *to->events);
    if (from->expiring_count)
        memcpy(to->expiring, from->expiring, from->expiring_count * sizeof *to->expiring);
    to->event_count = from->event_count;
    to->expiring_count = from->expiring_count;
    return true;
}

/* The first list that a word of the term has here, YR_NO_ID when there is none. */
static uint32_t sibling_of(const yr_layer *layer, const yr_dictionary *dictionary, uint32_t term)
{
    uint32_t word = dictionary->terms[term].first_word;
    for (; word != YR_NO_ID; word = dictionary->words[word].next_of_term) {
        uint32_t list = yr_id_map_find(&layer->list_of_word, word);
        if (list != YR_NO_ID) return list;
    }
    return YR_NO_ID;
}

/* L3: a second word of the term has come. Until now the first one's frequency was the term's. */
static bool make_term_list(yr_index *index, yr_layer *layer, uint32_t term, uint32_t first, uint32_t *out)
{
    yr_space *space = &index->space;
    uint64_t wanted = (uint64_t)layer->term_list_count + 1;
    if (!yr_space_grow(space, &layer->term_lists, &layer->term_list_capacity, wanted,
                       sizeof *layer->term_lists))
        return false;
    if (index->term_mark_capacity < wanted) {
        uint32_t old = index->term_mark_capacity;
        if (!yr_space_grow(space, &index->term_marks, &index->term_mark_capacity, wanted, 1)) return false;
        memset(index->term_marks + old, 0, index->term_mark_capacity - old);
    }
    yr_term_list *list = &layer->term_lists[layer->term_list_count];
    *list = (yr_term_list){.term = term};
    *out = layer->term_list_count++;
    return copy_frequency(space, &layer->lists[first].frequency, &list->frequency) &&
           yr_id_map_add(space, &layer->list_of_term, term, *out);
}

static uint32_t list_for(yr_index *index, yr_layer *layer, uint32_t word)
{
    yr_space *space = &index->space;
    uint32_t found = yr_id_map_find(&layer->list_of_word, word);
    if (found != YR_NO_ID) return found;
    uint64_t wanted = (uint64_t)layer->list_count + 1;
    if (!yr_space_grow(space, &layer->lists, &layer->list_capacity, wanted, sizeof *layer->lists))
        return YR_NO_ID;
    if (index->mark_capacity < wanted) {
        uint32_t old = index->mark_capacity;
        if (!yr_space_grow(space, &index->marks, &index->mark_capacity, wanted, sizeof *index->marks))
            return YR_NO_ID;
        memset(index->marks + old, 0, (index->mark_capacity - old) * sizeof *index->marks);
    }
    uint32_t term = index->dictionary.words[word].term, term_list = YR_NO_ID;
    uint32_t first = sibling_of(layer, &index->dictionary, term);
    if (first != YR_NO_ID) {
        term_list = layer->lists[first].term_list;
        if (term_list == YR_NO_ID && !make_term_list(index, layer, term, first, &term_list)) return YR_NO_ID;
        layer->lists[first].term_list = term_list;
    }
    if (!yr_id_map_add(space, &layer->list_of_word, word, layer->list_count)) return YR_NO_ID;
    layer->lists[layer->list_count] = (yr_word_list){.word = word, .term_list = term_list};
    return layer->list_count++;
}

/* -- the steps of a change -- */

typedef struct apply {
    yr_index *index;
    yr_layer *layer;
    yr_doc *doc;
    yr_doc_version *newest; /* the document's */
    uint32_t doc_index;
    uint32_t version;
    bool is_first;   /* the branch never wrote the key before */
    bool was_hidden; /* `before` is the parent's document */
    uint32_t was;    /* words of `before` */
    uint32_t was_length;
    yr_live_word *now; /* the new words */
    uint32_t now_count;
    bool failed;
} apply;

static void add_event(apply *a, yr_frequency *frequency, int32_t delta)
{
    uint32_t count = frequency->event_count;
    if (count && frequency->events[count - 1].version == a->version) {
        frequency->events[count - 1].df += delta;
        return;
    }
    if (!yr_space_grow(&a->index->space, &frequency->events, &frequency->event_capacity, (uint64_t)count + 1,
                       sizeof *frequency->events)) {
        a->failed = true;
        return;
    }
    int32_t df = count ? frequency->events[count - 1].df : 0;
    frequency->events[frequency->event_count++] = (yr_df_event){.version = a->version, .df = df + delta};
}

/* Lists of the words of a text, in its order. All words take one step before any takes the next, because each step
 * is a cache miss: without that they are most of the time it takes to index a text. */
static bool lists_of(apply *a, const yr_text_counts *text, yr_live_word *out)
{
    yr_layer *layer = a->layer;
    yr_dictionary_prefetch(&a->index->dictionary, text->words, text->count);
    for (uint32_t i = 0; i < text->count; i++) {
        uint32_t word;
        if (!yr_dictionary_add(&a->index->dictionary, &text->words[i], &word)) return false;
        yr_id_map_prefetch(&layer->list_of_word, word);
        out[i] = (yr_live_word){.list = word, .run = NO_RUN};
    }
    for (uint32_t i = 0; i < text->count; i++) {
        out[i].list = list_for(a->index, layer, out[i].list);
        if (out[i].list == YR_NO_ID) return false;
        __builtin_prefetch(&layer->lists[out[i].list]);
    }
    for (uint32_t i = 0; i < text->count; i++) {
        const yr_word_list *list = &layer->lists[out[i].list];
        if (list->frequency.event_count)
            __builtin_prefetch(&list->frequency.events[list->frequency.event_count - 1]);
        if (list->run_count) __builtin_prefetch(&list->runs[list->run_count - 1]);
    }
    return true;
}

/* What counted before this change: the branch's own last version, or the document it saw in its parent. */
static bool load_before(apply *a, const yr_doc_change *change)
{
    yr_index *index = a->index;
    const yr_text_counts *hidden = change->hidden;
    a->was_hidden = a->is_first && hidden && hidden->length > 0;
    uint32_t wanted = a->was_hidden ? hidden->count : a->doc->word_count;
    if (!yr_space_grow(&index->space, &index->before, &index->before_capacity, wanted, sizeof *index->before))
        return false;
    a->was = wanted;
    if (a->was_hidden) {
        a->was_length = hidden->length;
        return lists_of(a, hidden, index->before);
    }
    a->was_length = a->newest->length;
    if (wanted) memcpy(index->before, a->doc->words, wanted * sizeof *index->before);
    return true;
}

static void begin_run(apply *a, yr_live_word *word, uint32_t tf)
{
    yr_word_list *list = &a->layer->lists[word->list];
    if (!yr_space_grow(&a->index->space, &list->runs, &list->run_capacity, (uint64_t)list->run_count + 1,
                       sizeof *list->runs)) {
        a->failed = true;
        return;
    }
    word->run = list->run_count;
    list->runs[list->run_count++] =
        (yr_run){.doc = a->doc_index, .tf = tf, .begin = a->version, .end = YR_ALIVE};
    a->index->runs++;
}

static void mark_term(apply *a, const yr_live_word *word, uint8_t mark)
{
    uint32_t term = a->layer->lists[word->list].term_list;
    if (term != YR_NO_ID) a->index->term_marks[term] |= mark;
}

/* A term's own frequency changes when the document had it and has it not, or the other way round. */
static void settle_term(apply *a, const yr_live_word *word)
{
    uint32_t term = a->layer->lists[word->list].term_list;
    if (term == YR_NO_ID) return;
    uint8_t mark = a->index->term_marks[term];
    a->index->term_marks[term] = 0;
    if (mark == WAS && !(a->was_hidden && YR_BUG(SEARCH_HIDDEN_DF)))
        add_event(a, &a->layer->term_lists[term].frequency, -1);
    if (mark == IS) add_event(a, &a->layer->term_lists[term].frequency, 1);
}

/* Runs and events: the difference between `before` and the new words. */
static void settle_words(apply *a, const yr_text_counts *text)
{
    yr_index *index = a->index;
    yr_live_word *before = index->before;
    for (uint32_t i = 0; i < a->now_count; i++) index->marks[a->now[i].list] = i + 1;
    for (uint32_t i = 0; i < a->was; i++) {
        yr_word_list *list = &a->layer->lists[before[i].list];
        uint32_t place = index->marks[before[i].list];
        yr_run *run = before[i].run == NO_RUN ? NULL : &list->runs[before[i].run];
        mark_term(a, &before[i], WAS);
        if (!place && !(a->was_hidden && YR_BUG(SEARCH_HIDDEN_DF))) add_event(a, &list->frequency, -1);
        if (place) index->marks[before[i].list] = UINT32_MAX; /* held before and after: no event */
        if (place && run && run->tf == text->words[place - 1].tf)
            a->now[place - 1].run = before[i].run;
        else if (run)
            run->end = a->version;
    }
    for (uint32_t i = 0; i < a->now_count; i++) {
        mark_term(a, &a->now[i], IS);
        if (index->marks[a->now[i].list] != UINT32_MAX)
            add_event(a, &a->layer->lists[a->now[i].list].frequency, 1);
        index->marks[a->now[i].list] = 0;
        if (a->now[i].run == NO_RUN) begin_run(a, &a->now[i], text->words[i].tf);
    }
    for (uint32_t i = 0; i < a->was; i++) settle_term(a, &before[i]);
    for (uint32_t i = 0; i < a->now_count; i++) settle_term(a, &a->now[i]);
}

static void add_totals(apply *a, int64_t documents, int64_t length)
{
    yr_layer *layer = a->layer;
    if (documents == 0 && length == 0) return;
    yr_totals last = {0};
    if (layer->totals_count) last = layer->totals[layer->totals_count - 1];
    if (last.version != a->version) {
        if (!yr_space_grow(&a->index->space, &layer->totals, &layer->totals_capacity,
                           (uint64_t)layer->totals_count + 1, sizeof *layer->totals)) {
            a->failed = true;
            return;
        }
        layer->totals_count++;
    }
    layer->totals[layer->totals_count - 1] = (yr_totals){
        .version = a->version, .documents = last.documents + documents, .length = last.length + length};
}

static void push_expiring(apply *a, yr_frequency *frequency, uint32_t index)
{
    /* two words of one term are in one document once */
    if (frequency->expiring_count && frequency->expiring[frequency->expiring_count - 1] == index) return;
    if (!yr_space_grow(&a->index->space, &frequency->expiring, &frequency->expiring_capacity,
                       (uint64_t)frequency->expiring_count + 1, sizeof *frequency->expiring)) {
        a->failed = true;
        return;
    }
    frequency->expiring[frequency->expiring_count++] = index;
}

/* Returns 1 + its index. */
static uint32_t add_expiring(apply *a, int64_t expiry_ns, int32_t sign, uint32_t length,
                             const yr_live_word *words, uint32_t count)
{
    yr_layer *layer = a->layer;
    uint32_t index = layer->expiring.count;
    const yr_expiring item = {
        .expiry_ns = expiry_ns, .begin = a->version, .end = YR_ALIVE, .length = length, .sign = sign};
    if (!yr_expiring_add(&a->index->space, &layer->expiring, &item)) {
        a->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        yr_word_list *list = &layer->lists[words[i].list];
        push_expiring(a, &list->frequency, index);
        if (list->term_list != YR_NO_ID)
            push_expiring(a, &layer->term_lists[list->term_list].frequency, index);
    }
    return index + 1;
}

static void add_version(apply *a, uint32_t length, uint32_t expiring)
{
    yr_doc *doc = a->doc;
    if (!a->is_first) {
        if (!yr_space_grow(&a->index->space, &doc->older, &doc->older_capacity,
                           (uint64_t)doc->older_count + 1, sizeof *doc->older)) {
            a->failed = true;
            return;
        }
        doc->older[doc->older_count++] = *a->newest;
    }
    *a->newest = (yr_doc_version){.begin = a->version, .length = length, .expiring = expiring};
}

static bool make_now(apply *a, const yr_text_counts *text)
{
    if (text->count == 0) return true;
    a->now = yr_space_alloc(&a->index->space, text->count * sizeof *a->now);
    if (!a->now) return false;
    a->now_count = text->count;
    return lists_of(a, text, a->now);
}

yore_status yr_index_apply(yr_index *index, const yr_doc_change *change, yore_error *err)
{
    static const yr_text_counts nothing = {0};
    const yr_text_counts *text = change->text && change->text->length ? change->text : &nothing;
    if (change->version > YR_INDEX_VERSION_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "the search index ends at v%u", YR_INDEX_VERSION_MAX);
    apply a = {.index = index, .version = (uint32_t)change->version};
    a.layer = layer_for(index, change->branch);
    if (!a.layer) return yr_space_fail(&index->space, err);
    a.doc_index = doc_for(index, a.layer, change->key);
    if (a.doc_index == YR_NO_ID) return yr_space_fail(&index->space, err);
    a.doc = &a.layer->docs[a.doc_index];
    a.newest = &a.layer->newest[a.doc_index];
    a.is_first = a.newest->begin == 0;
    YR_ASSERT(a.newest->begin < a.version);
    if (!load_before(&a, change) || !make_now(&a, text)) {
        yr_space_free(&index->space, a.now, a.now_count * sizeof *a.now);
        return yr_space_fail(&index->space, err);
    }
    settle_words(&a, text);
    add_totals(&a, (int64_t)(text->length > 0) - (int64_t)(a.was_length > 0),
               (int64_t)text->length - (int64_t)a.was_length);
    if (a.newest->expiring) yr_expiring_end(&a.layer->expiring, a.newest->expiring - 1, a.version);
    if (a.was_hidden && change->hidden_expiry_ns)
        (void)add_expiring(&a, change->hidden_expiry_ns, -1, a.was_length, index->before, a.was);
    uint32_t expiring = 0;
    if (text->length && change->expiry_ns)
        expiring = add_expiring(&a, change->expiry_ns, 1, text->length, a.now, a.now_count);
    if (a.is_first || text->length || a.was_length) add_version(&a, text->length, expiring);
    yr_space_free(&index->space, a.doc->words, a.doc->word_count * sizeof *a.doc->words);
    a.doc->words = a.now;
    a.doc->word_count = a.now_count;
    index->documents += text->length > 0;
    return a.failed ? yr_space_fail(&index->space, err) : YORE_OK;
}

bool yr_index_check(const yr_index *index, const char **problem)
{
    *problem = NULL;
    for (uint32_t i = 0; i < index->layer_count; i++) {
        if (index->layers[i] && !yr_layer_check(index->layers[i], &index->dictionary, problem)) return false;
    }
    return true;
}

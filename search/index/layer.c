/* Reading a layer, and its small maps. */
#include "search/index/layer.h"

#include "engine/base/planted.h"

enum { MAP_MIN = 8 };

/* -- id -> index -- */

static uint32_t id_slot(uint32_t id, uint32_t slot_count)
{
    return (uint32_t)(((uint64_t)(id * UINT32_C(2654435769)) * slot_count) >> 32);
}

uint32_t yr_id_map_find(const yr_id_map *map, uint32_t id)
{
    if (!map->slot_count) return YR_NO_ID;
    uint32_t at = id_slot(id, map->slot_count);
    for (; map->slots[2 * (size_t)at]; at = (at + 1) & (map->slot_count - 1)) {
        if (map->slots[2 * (size_t)at] == id + 1) return map->slots[2 * (size_t)at + 1];
    }
    return YR_NO_ID;
}

void yr_id_map_prefetch(const yr_id_map *map, uint32_t id)
{
    if (map->slot_count) __builtin_prefetch(&map->slots[2 * (size_t)id_slot(id, map->slot_count)]);
}

static void map_put(uint32_t *slots, uint32_t slot_count, uint32_t id, uint32_t index)
{
    uint32_t at = id_slot(id, slot_count);
    while (slots[2 * (size_t)at]) at = (at + 1) & (slot_count - 1);
    slots[2 * (size_t)at] = id + 1;
    slots[2 * (size_t)at + 1] = index;
}

/* At most three quarters full. */
bool yr_id_map_add(yr_space *space, yr_id_map *map, uint32_t id, uint32_t index)
{
    if (map->used >= map->slot_count / 4 * 3) {
        uint32_t wanted = map->slot_count ? map->slot_count * 2 : MAP_MIN;
        size_t bytes = 2 * (size_t)wanted * sizeof *map->slots;
        uint32_t *slots = wanted > map->slot_count ? yr_space_alloc(space, bytes) : NULL;
        if (!slots) return false;
        memset(slots, 0, bytes);
        for (uint32_t i = 0; i < map->slot_count; i++) {
            const uint32_t *slot = map->slots + 2 * (size_t)i;
            if (slot[0]) map_put(slots, wanted, slot[0] - 1, slot[1]);
        }
        yr_space_free(space, map->slots, 2 * (size_t)map->slot_count * sizeof *map->slots);
        map->slots = slots;
        map->slot_count = wanted;
    }
    map_put(map->slots, map->slot_count, id, index);
    map->used++;
    return true;
}

/* -- life -- */

yr_layer *yr_layer_create(yr_space *space, uint32_t branch)
{
    yr_layer *layer = yr_space_alloc(space, sizeof *layer);
    if (layer) *layer = (yr_layer){.branch = branch};
    return layer;
}

static void free_frequency(yr_space *space, yr_frequency *frequency)
{
    yr_space_free(space, frequency->events, frequency->event_capacity * sizeof *frequency->events);
    yr_space_free(space, frequency->expiring, frequency->expiring_capacity * sizeof *frequency->expiring);
}

void yr_layer_destroy(yr_space *space, yr_layer *layer)
{
    if (!layer) return;
    for (uint32_t i = 0; i < layer->doc_count; i++) {
        yr_doc *doc = &layer->docs[i];
        yr_space_free(space, doc->older, doc->older_capacity * sizeof *doc->older);
        yr_space_free(space, doc->words, doc->word_count * sizeof *doc->words);
    }
    for (uint32_t i = 0; i < layer->list_count; i++) {
        yr_word_list *list = &layer->lists[i];
        free_frequency(space, &list->frequency);
        yr_space_free(space, list->runs, list->run_capacity * sizeof *list->runs);
    }
    for (uint32_t i = 0; i < layer->term_list_count; i++) {
        free_frequency(space, &layer->term_lists[i].frequency);
    }
    yr_space_free(space, layer->docs, layer->doc_capacity * sizeof *layer->docs);
    yr_space_free(space, layer->newest, layer->newest_capacity * sizeof *layer->newest);
    yr_space_free(space, layer->doc_slots, layer->doc_slot_count * sizeof *layer->doc_slots);
    yr_space_free(space, layer->lists, layer->list_capacity * sizeof *layer->lists);
    yr_space_free(space, layer->list_of_word.slots,
                  2 * (size_t)layer->list_of_word.slot_count * sizeof(uint32_t));
    yr_space_free(space, layer->term_lists, layer->term_list_capacity * sizeof *layer->term_lists);
    yr_space_free(space, layer->list_of_term.slots,
                  2 * (size_t)layer->list_of_term.slot_count * sizeof(uint32_t));
    yr_space_free(space, layer->totals, layer->totals_capacity * sizeof *layer->totals);
    yr_expiring_free(space, &layer->expiring);
    yr_space_free(space, layer, sizeof *layer);
}

/* -- documents -- */

uint32_t yr_layer_find(const yr_layer *layer, yore_slice key, uint64_t hash)
{
    if (!layer->doc_slot_count) return YR_NO_ID;
    uint32_t mask = layer->doc_slot_count - 1, at = (uint32_t)hash & mask;
    for (; layer->doc_slots[at]; at = (at + 1) & mask) {
        const yr_doc *doc = &layer->docs[layer->doc_slots[at] - 1];
        if (doc->hash == hash && doc->key_size == key.size && memcmp(doc->key, key.data, key.size) == 0)
            return layer->doc_slots[at] - 1;
    }
    return YR_NO_ID;
}

const yr_doc_version *yr_layer_older(const yr_layer *layer, uint32_t index, uint32_t cap)
{
    const yr_doc *doc = &layer->docs[index];
    uint32_t low = 0, high = doc->older_count; /* the first with begin > cap */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (doc->older[mid].begin <= cap)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &doc->older[low - 1] : NULL;
}

bool yr_doc_version_is_live(const yr_layer *layer, const yr_doc_version *version, int64_t time_ns)
{
    if (!version->length) return false;
    return !version->expiring || layer->expiring.items[version->expiring - 1].expiry_ns > time_ns;
}

/* -- counts -- */

static int64_t frequency_at(const yr_layer *layer, const yr_frequency *frequency, uint32_t cap,
                            int64_t time_ns)
{
    uint32_t low = 0, high = frequency->event_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (frequency->events[mid].version <= cap)
            low = mid + 1;
        else
            high = mid;
    }
    int64_t df = low ? frequency->events[low - 1].df : 0;
    if (!frequency->expiring_count) return df;
    return df -
           yr_expiring_sum_of(&layer->expiring, frequency->expiring, frequency->expiring_count, cap, time_ns);
}

const yr_word_list *yr_layer_list(const yr_layer *layer, uint32_t word)
{
    uint32_t index = yr_id_map_find(&layer->list_of_word, word);
    return index == YR_NO_ID ? NULL : &layer->lists[index];
}

int64_t yr_layer_word_df(const yr_layer *layer, const yr_word_list *list, uint32_t cap, int64_t time_ns)
{
    return frequency_at(layer, &list->frequency, cap, time_ns);
}

int64_t yr_layer_term_df(const yr_layer *layer, const yr_dictionary *dictionary, uint32_t term, uint32_t cap,
                         int64_t time_ns)
{
    uint32_t index = yr_id_map_find(&layer->list_of_term, term);
    if (index != YR_NO_ID) return frequency_at(layer, &layer->term_lists[index].frequency, cap, time_ns);
    uint32_t word = dictionary->terms[term].first_word;
    for (; word != YR_NO_ID; word = dictionary->words[word].next_of_term) {
        const yr_word_list *list = yr_layer_list(layer, word);
        if (list) return frequency_at(layer, &list->frequency, cap, time_ns); /* L3: the only one */
    }
    return 0;
}

void yr_layer_totals(const yr_layer *layer, uint32_t cap, int64_t time_ns, int64_t *documents,
                     int64_t *length)
{
    uint32_t low = 0, high = layer->totals_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (layer->totals[mid].version <= cap)
            low = mid + 1;
        else
            high = mid;
    }
    *documents = low ? layer->totals[low - 1].documents : 0;
    *length = low ? layer->totals[low - 1].length : 0;
    if (YR_BUG(SEARCH_EXPIRY)) return;
    int64_t expired, expired_length;
    yr_expiring_sum(&layer->expiring, cap, time_ns, &expired, &expired_length);
    *documents -= expired;
    *length -= expired_length;
}

/* -- check -- */

static const char *check_frequency(const yr_layer *layer, const yr_frequency *frequency)
{
    for (uint32_t i = 1; i < frequency->event_count; i++) {
        if (frequency->events[i - 1].version >= frequency->events[i].version) return "events out of order";
    }
    for (uint32_t i = 0; i < frequency->expiring_count; i++) {
        if (frequency->expiring[i] >= layer->expiring.count) return "an expiring document that is none";
        if (i && frequency->expiring[i - 1] >= frequency->expiring[i])
            return "expiring documents out of order";
    }
    return NULL;
}

static const char *check_list(const yr_layer *layer, const yr_dictionary *dictionary,
                              const yr_word_list *list)
{
    const char *problem = check_frequency(layer, &list->frequency);
    uint32_t siblings = 0, word = dictionary->terms[dictionary->words[list->word].term].first_word;
    for (; word != YR_NO_ID; word = dictionary->words[word].next_of_term)
        siblings += !!yr_layer_list(layer, word);
    if ((siblings > 1) != (list->term_list != YR_NO_ID))
        return "L3: a term's frequency is missing or too many";
    for (uint32_t i = 0; i < list->run_count; i++) {
        const yr_run *run = &list->runs[i];
        if (run->doc >= layer->doc_count || run->tf == 0 || run->begin >= run->end)
            return "a run is impossible";
        if (i && list->runs[i - 1].begin > run->begin) return "runs out of order";
        if (run->end != YR_ALIVE) continue;
        const yr_doc *doc = &layer->docs[run->doc];
        uint32_t k = 0;
        while (k < doc->word_count && !(&layer->lists[doc->words[k].list] == list && doc->words[k].run == i))
            k++;
        if (k == doc->word_count) return "a run is alive in a document that does not have the word";
    }
    return problem;
}

static const char *check_doc(const yr_layer *layer, uint32_t index)
{
    const yr_doc *doc = &layer->docs[index];
    const yr_doc_version *newest = &layer->newest[index];
    if (!newest->begin) return "a document without a version";
    for (uint32_t i = 0; i < doc->older_count; i++) {
        const yr_doc_version *next = i + 1 < doc->older_count ? &doc->older[i + 1] : newest;
        if (doc->older[i].begin >= next->begin) return "document versions out of order";
    }
    uint64_t length = 0;
    for (uint32_t i = 0; i < doc->word_count; i++) {
        const yr_run *run = &layer->lists[doc->words[i].list].runs[doc->words[i].run];
        if (run->end != YR_ALIVE) return "a document has a word whose run ended";
        length += run->tf;
    }
    return length == newest->length ? NULL : "a length is not the sum of its tfs";
}

bool yr_layer_check(const yr_layer *layer, const yr_dictionary *dictionary, const char **problem)
{
    *problem = NULL;
    for (uint32_t i = 1; i < layer->totals_count && !*problem; i++) {
        if (layer->totals[i - 1].version >= layer->totals[i].version) *problem = "totals out of order";
    }
    if (!*problem) *problem = yr_expiring_check(&layer->expiring);
    for (uint32_t i = 0; i < layer->list_count && !*problem; i++) {
        *problem = check_list(layer, dictionary, &layer->lists[i]);
    }
    for (uint32_t i = 0; i < layer->term_list_count && !*problem; i++) {
        *problem = check_frequency(layer, &layer->term_lists[i].frequency);
    }
    for (uint32_t i = 0; i < layer->doc_count && !*problem; i++) *problem = check_doc(layer, i);
    return !*problem;
}

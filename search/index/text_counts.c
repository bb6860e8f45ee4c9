#include "search/index/text_counts.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"

enum { SLOTS_MIN = 256 };

void yr_counter_init(yr_counter *counter, yr_space *space, uint64_t secret)
{
    *counter = (yr_counter){.space = space, .secret = secret};
}

void yr_counter_deinit(yr_counter *counter)
{
    yr_space_free(counter->space, counter->slots, counter->slot_count * sizeof *counter->slots);
    *counter = (yr_counter){.space = counter->space};
}

static void place(const yr_counter *counter, uint32_t *slots, uint32_t slot_count, uint32_t index)
{
    uint32_t at = (uint32_t)counter->out->words[index].hash & (slot_count - 1);
    while (slots[at]) at = (at + 1) & (slot_count - 1);
    slots[at] = index + 1;
}

/* At most half full. */
static bool grow_slots(yr_counter *counter)
{
    uint32_t wanted = counter->slot_count ? counter->slot_count * 2 : SLOTS_MIN;
    if (wanted < counter->slot_count) return false;
    uint32_t *slots = yr_space_alloc(counter->space, wanted * sizeof *slots);
    if (!slots) return false;
    memset(slots, 0, wanted * sizeof *slots);
    for (uint32_t i = 0; i < counter->out->count; i++) place(counter, slots, wanted, i);
    yr_space_free(counter->space, counter->slots, counter->slot_count * sizeof *slots);
    counter->slots = slots;
    counter->slot_count = wanted;
    return true;
}

/* Words double in the arena; what they outgrow stays there until the batch ends. */
static bool grow_words(yr_counter *counter)
{
    uint32_t wanted = counter->word_capacity ? counter->word_capacity * 2 : 64;
    if (wanted < counter->word_capacity) return false;
    if (!yr_space_fits(counter->space, wanted * sizeof(yr_counted))) return false;
    yr_counted *words = yr_arena_alloc(counter->arena, wanted * sizeof *words);
    if (!words) return false;
    if (counter->out->count) memcpy(words, counter->out->words, counter->out->count * sizeof *words);
    counter->out->words = words;
    counter->word_capacity = wanted;
    return true;
}

static yore_status add_word(yr_counter *counter, const yr_token *token, uint64_t hash, yore_error *err)
{
    yr_text_counts *out = counter->out;
    bool ok = out->count < counter->word_capacity || grow_words(counter);
    if (ok && out->count >= counter->slot_count / 2) ok = grow_slots(counter);
    if (!ok || !yr_space_fits(counter->space, token->folded.size + token->term.size))
        return yr_space_fail(counter->space, err);
    bool same = token->term.size == token->folded.size &&
                memcmp(token->term.data, token->folded.data, token->term.size) == 0;
    const uint8_t *word = yr_arena_copy(counter->arena, token->folded.data, token->folded.size);
    const uint8_t *term = same ? word : yr_arena_copy(counter->arena, token->term.data, token->term.size);
    if (!word || !term) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the words of a text");
    out->words[out->count] = (yr_counted){.word = word,
                                          .term = term,
                                          .hash = hash,
                                          .tf = 1,
                                          .word_size = (uint16_t)token->folded.size,
                                          .term_size = (uint16_t)token->term.size};
    place(counter, counter->slots, counter->slot_count, out->count++);
    return YORE_OK;
}

static yore_status count_token(void *context, const yr_token *token, yore_error *err)
{
    yr_counter *counter = context;
    yr_text_counts *out = counter->out;
    uint64_t hash = yr_hash64(token->folded.data, token->folded.size, counter->secret);
    out->length++;
    if (counter->slot_count) {
        uint32_t at = (uint32_t)hash & (counter->slot_count - 1);
        for (; counter->slots[at]; at = (at + 1) & (counter->slot_count - 1)) {
            yr_counted *word = &out->words[counter->slots[at] - 1];
            if (word->hash == hash && word->word_size == token->folded.size &&
                memcmp(word->word, token->folded.data, word->word_size) == 0) {
                word->tf++;
                return YORE_OK;
            }
        }
    }
    return add_word(counter, token, hash, err);
}

/* Free the table's slots again: each run of a word's probe sequence, or all when that is less. */
static void clear_slots(yr_counter *counter)
{
    const yr_text_counts *out = counter->out;
    if (out->count > counter->slot_count / 8) {
        memset(counter->slots, 0, counter->slot_count * sizeof *counter->slots);
        return;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        uint32_t at = (uint32_t)out->words[i].hash & (counter->slot_count - 1);
        for (; counter->slots[at]; at = (at + 1) & (counter->slot_count - 1)) counter->slots[at] = 0;
    }
}

yore_status yr_count_text(yr_counter *counter, yr_analyzer *analyzer, yore_slice value, yr_arena *arena,
                          yr_text_counts *out, yore_error *err)
{
    *out = (yr_text_counts){0};
    if (!yr_is_text(value)) return YORE_OK;
    counter->arena = arena;
    counter->out = out;
    counter->word_capacity = 0;
    yr_analyzer_cancel_with(analyzer, counter->cancel);
    yore_status status = yr_analyze(analyzer, value, count_token, counter, err);
    if (counter->slot_count) clear_slots(counter);
    counter->out = NULL;
    return status;
}

/* Judging the document in hand: the definitions of query.h, once. */
#include "engine/base/yr_assert.h"
#include "search/score/score_private.h"

/* What a slot adds: idf * tf / (tf + norm). */
static double slot_score(score_run *run, uint32_t index)
{
    const score_slot *slot = &run->slots[index];
    double tf = run->tf[index];
    double score = slot->idf * tf / (tf + run->doc.norm);
    if (run->terms) {
        YR_ASSERT(run->term_count < run->term_capacity);
        run->terms[run->term_count++] = (yore_term_score){.term = slot->text,
                                                          .tf = run->tf[index],
                                                          .df = slot->df,
                                                          .idf = slot->idf,
                                                          .norm = run->doc.norm,
                                                          .score = score};
    }
    return score;
}

/* The document's own words only, which are in the order of slots: a prefix may cover thousands of others. A word has
 * one entry. */
static bool eval_prefix(score_run *run, const score_node *node, double *score)
{
    const score_entry *entries = run->doc.entries;
    uint32_t at = 0, high = run->doc.entry_count, end = node->slot + node->slot_count;
    while (at < high) { /* the first that is not below the prefix */
        uint32_t mid = at + (high - at) / 2;
        if (entries[mid].slot < node->slot)
            at = mid + 1;
        else
            high = mid;
    }
    bool any = false;
    for (; at < run->doc.entry_count && entries[at].slot < end; at++) {
        any = true;
        *score += slot_score(run, entries[at].slot);
    }
    return any;
}

static bool eval_phrase(score_run *run, const score_node *node, double *score)
{
    if (!node->child_count) return false;
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (!run->tf[node->children[i].slot]) return false;
    }
    if (node->child_count > 1 && !yr_score_phrase_is_in(run, node)) return false;
    for (uint32_t i = 0; i < node->child_count; i++) *score += slot_score(run, node->children[i].slot);
    return true;
}

static bool eval_group(score_run *run, const score_node *node, double *score)
{
    bool any = false;
    size_t terms = run->term_count;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const score_node *child = &node->children[i];
        double part = 0;
        bool matches = yr_score_eval(run, child, &part);
        if (run->status < 0 || (child->occur == YR_MUST && !matches) ||
            (child->occur == YR_MUST_NOT && matches)) {
            run->term_count = terms;
            return false;
        }
        if (!matches) continue;
        any = true;
        *score += part;
    }
    return any; /* where there is a MUST child, it is one of those that match */
}

bool yr_score_eval(score_run *run, const score_node *node, double *score)
{
    switch (node->kind) {
    case YR_QUERY_TERM:
        if (!run->tf[node->slot]) return false;
        *score += slot_score(run, node->slot);
        return true;
    case YR_QUERY_PREFIX: return eval_prefix(run, node, score);
    case YR_QUERY_PHRASE: return eval_phrase(run, node, score);
    default: return eval_group(run, node, score);
    }
}

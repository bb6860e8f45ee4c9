/* json_tree.h on yajl 2.1. yajl tells where each token ends (bytes consumed so far, valid inside its callbacks); where
 * a value starts follows from the end of the token before it, as only blanks, ',' and ':' may stand between.
 *
 * yajl does not look at what its allocator returns. So it gets a block with room for everything it can ask for: see
 * pool_bytes. */
#include "engine/json/json_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "engine/base/yr_assert.h"
#include "engine/json/json_literal.h"

#define POOL_ALIGN 16u
#define POOL_SLACK 32768u /* its handle, its stack (a byte a level), first buffers, a message */

static_assert(sizeof(yr_json_node) <= YR_JSON_NODE_BYTES, "I2");

typedef struct pool {
    uint8_t *block;
    size_t size;
    size_t used;
    size_t last; /* where the newest piece begins: it may grow where it is */
} pool;

typedef struct frame {
    uint32_t node;
    uint32_t last; /* its newest child */
} frame;

typedef struct named {
    yore_slice name;
    uint32_t node;
} named;

typedef struct run {
    yr_json_doc *doc;
    yajl_handle yajl;
    pool pool;
    size_t mark; /* end of the last token */
    uint32_t name_off;
    uint32_t name_size;
    uint32_t depth;
    bool is_ended; /* yajl has seen all of the text and gives what it held back: a number */
    yore_status status;
    yore_error *err;
    named *names; /* the members of the object that has just ended */
    size_t name_room;
    frame frames[YR_JSON_DEPTH_MAX];
} run;

/* -- memory for yajl -- */

/* At most two of yajl's buffers outgrow their first 2 KiB, each by doubling past what it must hold: the one for decoded
 * strings (a string with a backslash in it) and the one for a token that the text's end has cut. No token is longer
 * than the longest stretch without a quote, and the second buffer takes all at once. */
static size_t pool_bytes(yore_slice text)
{
    const uint8_t *at = text.data;
    size_t escaped = 0;
    size_t begin = 0;
    bool has_escape = false;
    for (size_t i = 0; i < text.size; i++) {
        if (at[i] == '\\') {
            has_escape = true;
            i++;
        } else if (at[i] == '"') {
            if (has_escape && i - begin > escaped) escaped = i - begin;
            has_escape = false;
            begin = i + 1;
        }
    }
    return 4 * escaped + 4 * (text.size - (begin < text.size ? begin : text.size)) + POOL_SLACK;
}

static void *pool_take(void *ctx, size_t size)
{
    pool *p = ctx;
    YR_ASSERT(size <= p->size - p->used - POOL_ALIGN);
    uint8_t *piece = p->block + p->used + POOL_ALIGN;
    memcpy(piece - POOL_ALIGN, &size, sizeof size);
    p->last = p->used;
    p->used += POOL_ALIGN + ((size + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1));
    YR_ASSERT(p->used + POOL_ALIGN <= p->size);
    return piece;
}

static void *pool_more(void *ctx, void *old, size_t size)
{
    pool *p = ctx;
    if (!old) return pool_take(p, size);
    size_t had;
    memcpy(&had, (uint8_t *)old - POOL_ALIGN, sizeof had);
    if ((uint8_t *)old - POOL_ALIGN == p->block + p->last) p->used = p->last;
    void *piece = pool_take(p, size);
    if (piece != old) memcpy(piece, old, had < size ? had : size);
    return piece;
}

static void pool_give(void *ctx, void *piece)
{
    (void)ctx;
    (void)piece;
}

/* -- nodes -- */

static int refuse(run *r, size_t off, const char *why)
{
    if (r->status == YORE_OK) {
        r->status = yr_fail(r->err, YORE_ERR_INPUT, "not JSON: %s at byte %zu", why, off);
        if (r->err) r->err->offset = (uint32_t)off;
    }
    return 0;
}

static int too_deep(run *r, size_t off)
{
    r->status = yr_fail(r->err, YORE_ERR_LIMIT, "the JSON text nests deeper than %u levels at byte %zu",
                        YR_JSON_DEPTH_MAX, off);
    if (r->err) r->err->offset = (uint32_t)off;
    return 0;
}

static int out_of_memory(run *r)
{
    r->status = yr_fail(r->err, YORE_ERR_NOMEM, "out of memory");
    return 0;
}

/* Where the next token starts. */
static size_t token_start(const run *r)
{
    const uint8_t *text = r->doc->text.data;
    size_t off = r->mark;
    while (off < r->doc->text.size && (text[off] == ' ' || text[off] == '\t' || text[off] == '\r' ||
                                       text[off] == '\n' || text[off] == ',' || text[off] == ':')) {
        off++;
    }
    return off;
}

static bool grow(const yore_env *env, void **items, size_t item_bytes, uint32_t count, uint32_t *room)
{
    if (count < *room) return true;
    uint32_t more = *room ? *room * 2 : 32;
    void *grown = yr_realloc(env, *items, *room * item_bytes, more * item_bytes);
    if (!grown) return false;
    *items = grown;
    *room = more;
    return true;
}

/* A value begins: its node, hung into the object or array that is open. NULL when memory is out. */
static yr_json_node *add_node(run *r, yr_json_kind kind)
{
    yr_json_doc *doc = r->doc;
    void *items = doc->nodes;
    if (!grow(doc->env, &items, sizeof *doc->nodes, doc->node_count, &doc->node_room)) {
        (void)out_of_memory(r);
        return NULL;
    }
    doc->nodes = items;
    uint32_t number = doc->node_count++;
    yr_json_node *node = &doc->nodes[number];
    *node = (yr_json_node){.off = (uint32_t)token_start(r),
                           .name_off = r->name_off,
                           .name_size = r->name_size,
                           .kind = (uint8_t)kind};
    r->name_off = 0;
    r->name_size = 0;
    if (r->depth > 0) {
        frame *open = &r->frames[r->depth - 1];
        if (open->last) {
            doc->nodes[open->last].next = number;
        } else {
            doc->nodes[open->node].child = number;
        }
        open->last = number;
        doc->nodes[open->node].count++;
    }
    return node;
}

static int scalar(run *r, yr_json_kind kind)
{
    yr_json_node *node = add_node(r, kind);
    if (!node) return 0;
    r->mark = r->is_ended ? r->doc->text.size : yajl_get_bytes_consumed(r->yajl);
    node->size = (uint32_t)r->mark - node->off;
    return 1;
}

static int on_null(void *ctx)
{
    return scalar(ctx, YR_JSON_NULL);
}

static int on_bool(void *ctx, int value)
{
    return scalar(ctx, value ? YR_JSON_TRUE : YR_JSON_FALSE);
}

static int on_number(void *ctx, const char *text, size_t size)
{
    (void)text;
    (void)size;
    return scalar(ctx, YR_JSON_NUMBER);
}

static int on_string(void *ctx, const unsigned char *decoded, size_t size)
{
    (void)decoded;
    (void)size;
    run *r = ctx;
    size_t start = token_start(r);
    size_t end = yajl_get_bytes_consumed(r->yajl);
    yore_slice literal = yore_bytes((const uint8_t *)r->doc->text.data + start, end - start);
    if (yr_json_has_lone_surrogate(literal)) return refuse(r, start, "half of a surrogate pair");
    return scalar(r, YR_JSON_STRING);
}

static int on_name(void *ctx, const unsigned char *decoded, size_t size)
{
    (void)decoded;
    (void)size;
    run *r = ctx;
    size_t start = token_start(r);
    r->mark = yajl_get_bytes_consumed(r->yajl);
    r->name_off = (uint32_t)start;
    r->name_size = (uint32_t)(r->mark - start);
    yore_slice literal = yore_bytes((const uint8_t *)r->doc->text.data + start, r->name_size);
    return yr_json_has_lone_surrogate(literal) ? refuse(r, start, "half of a surrogate pair") : 1;
}

static int open_container(run *r, yr_json_kind kind)
{
    if (r->depth == YR_JSON_DEPTH_MAX) {
        return too_deep(r, yajl_get_bytes_consumed(r->yajl) - 1);
    }
    if (!add_node(r, kind)) return 0;
    r->frames[r->depth++] = (frame){.node = r->doc->node_count - 1};
    r->mark = yajl_get_bytes_consumed(r->yajl);
    return 1;
}

static int on_map(void *ctx)
{
    return open_container(ctx, YR_JSON_OBJECT);
}

static int on_array(void *ctx)
{
    return open_container(ctx, YR_JSON_ARRAY);
}

static int close_container(run *r)
{
    r->mark = yajl_get_bytes_consumed(r->yajl);
    yr_json_node *node = &r->doc->nodes[r->frames[--r->depth].node];
    node->size = (uint32_t)r->mark - node->off;
    return 1;
}

static int on_array_end(void *ctx)
{
    return close_container(ctx);
}

static int by_name(const void *a, const void *b)
{
    const named *x = a;
    const named *y = b;
    return yr_json_compare_literals(x->name, y->name);
}

static bool names_fit(run *r, uint32_t count)
{
    yr_json_doc *doc = r->doc;
    while (doc->sorted_room - doc->sorted_count < count) {
        void *items = doc->sorted;
        if (!grow(doc->env, &items, sizeof *doc->sorted, doc->sorted_room, &doc->sorted_room)) return false;
        doc->sorted = items;
    }
    if (count <= r->name_room) return true;
    size_t room = count > 2 * r->name_room ? count : 2 * r->name_room;
    named *names = yr_realloc(doc->env, r->names, r->name_room * sizeof *names, room * sizeof *names);
    if (!names) return false;
    r->names = names;
    r->name_room = room;
    return true;
}

/* An object is complete: put its members in order. */
static int on_map_end(void *ctx)
{
    run *r = ctx;
    yr_json_doc *doc = r->doc;
    yr_json_node *object = &doc->nodes[r->frames[r->depth - 1].node];
    if (!names_fit(r, object->count)) return out_of_memory(r);
    size_t count = 0;
    for (uint32_t m = object->child; m; m = doc->nodes[m].next) {
        r->names[count++] = (named){.name = yr_json_name(doc, m), .node = m};
    }
    YR_ASSERT(count == object->count);
    if (count > 1) qsort(r->names, count, sizeof *r->names, by_name);
    object->sorted = doc->sorted_count;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_name(&r->names[i - 1], &r->names[i]) == 0) {
            return refuse(r, doc->nodes[r->names[i].node].name_off, "a name stands twice in one object");
        }
        doc->sorted[doc->sorted_count++] = r->names[i].node;
    }
    return close_container(r);
}

static const yajl_callbacks CALLBACKS = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map,
    .yajl_map_key = on_name,
    .yajl_end_map = on_map_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_array_end,
};

/* -- a whole text -- */

/* What yajl lets through: bytes that are not UTF-8, two control characters it takes for blanks. */
static yore_status check_bytes(run *r)
{
    const char *text = r->doc->text.data;
    size_t size = r->doc->text.size;
    for (size_t off = 0, step; off < size; off += step) {
        uint32_t code = (uint8_t)text[off];
        step = 1;
        if (code == '\v' || code == '\f') {
            (void)refuse(r, off, "a control character");
            break;
        }
        if (code < 0x80) continue;
        step = yr_utf8_next(text + off, size - off, &code);
        if (step == 0) {
            (void)refuse(r, off, "bytes that are not UTF-8");
            break;
        }
    }
    return r->status;
}

/* yajl's message without its kind and its end ("lexical error: invalid char in json text.\n"). */
static void take_yajl_error(run *r, size_t off)
{
    char words[96];
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    const char *colon = text ? strstr((const char *)text, ": ") : NULL;
    const char *from = colon ? colon + 2 : "not a value";
    size_t size = strcspn(from, "\n");
    if (size >= sizeof words) size = sizeof words - 1;
    if (size > 0 && from[size - 1] == '.') size--;
    memcpy(words, from, size);
    words[size] = 0;
    (void)refuse(r, off, words);
}

static void run_yajl(run *r)
{
    yore_slice text = r->doc->text;
    (void)yajl_config(r->yajl, yajl_dont_validate_strings, 1);
    yajl_status status = yajl_parse(r->yajl, text.data, text.size);
    if (status == yajl_status_ok) {
        r->is_ended = true;
        status = yajl_complete_parse(r->yajl);
        if (status == yajl_status_error) take_yajl_error(r, text.size);
    } else if (status == yajl_status_error) {
        size_t off = yajl_get_bytes_consumed(r->yajl);
        take_yajl_error(r, off > 0 ? off - 1 : 0); /* the refused token's last byte */
    }
    if (r->status == YORE_OK && (r->doc->node_count == 0 || status != yajl_status_ok)) {
        (void)refuse(r, text.size, "no value");
    }
}

/* yajl lets a token pass that begins behind the value and is cut by the end of the text. */
static void check_tail(run *r)
{
    const char *text = r->doc->text.data;
    for (size_t off = r->mark; off < r->doc->text.size; off++) {
        if (!strchr(" \t\r\n", text[off]) || text[off] == 0) {
            (void)refuse(r, off, "trailing garbage");
            return;
        }
    }
}

yore_status yr_json_parse(const yore_env *env, yore_slice text, yr_json_doc *doc, yore_error *err)
{
    *doc = (yr_json_doc){.env = env, .text = text};
    if (text.size > YR_JSON_BYTES_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "a JSON text of %zu bytes is too big to take apart", text.size);
    }
    run *r = yr_alloc_zero(env, sizeof *r);
    if (!r) return yr_fail(err, YORE_ERR_NOMEM, "out of memory");
    r->doc = doc;
    r->err = err;
    if (check_bytes(r) != YORE_OK) goto out;

    r->pool.size = pool_bytes(text);
    r->pool.block = yr_alloc(env, r->pool.size);
    if (!r->pool.block) {
        (void)out_of_memory(r);
        goto out;
    }
    yajl_alloc_funcs memory = {.malloc = pool_take, .realloc = pool_more, .free = pool_give, .ctx = &r->pool};
    r->yajl = yajl_alloc(&CALLBACKS, &memory, r);
    run_yajl(r);
    if (r->status == YORE_OK) check_tail(r);

out:;
    yore_status status = r->status;
    yr_free(env, r->pool.block, r->pool.size);
    yr_free(env, r->names, r->name_room * sizeof *r->names);
    yr_free(env, r, sizeof *r);
    if (status != YORE_OK) yr_json_deinit(doc);
    return status;
}

void yr_json_deinit(yr_json_doc *doc)
{
    if (!doc->env) return;
    yr_free(doc->env, doc->nodes, doc->node_room * sizeof *doc->nodes);
    yr_free(doc->env, doc->sorted, doc->sorted_room * sizeof *doc->sorted);
    *doc = (yr_json_doc){.env = NULL};
}

/* -- looking at it -- */

yore_slice yr_json_text(const yr_json_doc *doc, uint32_t node)
{
    const yr_json_node *n = &doc->nodes[node];
    return yore_bytes((const uint8_t *)doc->text.data + n->off, n->size);
}

yore_slice yr_json_name(const yr_json_doc *doc, uint32_t node)
{
    const yr_json_node *n = &doc->nodes[node];
    return yore_bytes((const uint8_t *)doc->text.data + n->name_off, n->name_size);
}

uint32_t yr_json_find(const yr_json_doc *doc, uint32_t object, yore_slice name)
{
    uint32_t low = 0;
    uint32_t high = doc->nodes[object].count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t member = yr_json_member(doc, object, middle);
        int order = yr_json_compare_literals(name, yr_json_name(doc, member));
        if (order == 0) return member;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return 0;
}

void yr_json_check(const yr_json_doc *doc)
{
    YR_ASSERT(doc->node_count > 0);
    YR_ASSERT(doc->node_count <= doc->node_room && doc->sorted_count <= doc->sorted_room);
    for (uint32_t i = 0; i < doc->node_count; i++) {
        const yr_json_node *n = &doc->nodes[i];
        YR_ASSERT(n->size > 0 && n->off + n->size <= doc->text.size);
        YR_ASSERT(n->name_size == 0 || (n->name_size >= 2 && n->name_off + n->name_size < n->off));
        uint32_t count = 0;
        uint32_t end = n->off + 1;
        for (uint32_t m = n->child; m; m = doc->nodes[m].next) {
            const yr_json_node *member = &doc->nodes[m];
            YR_ASSERT(m > i && m < doc->node_count && member->off >= end);
            YR_ASSERT((member->name_size > 0) == (n->kind == YR_JSON_OBJECT));
            end = member->off + member->size;
            count++;
        }
        YR_ASSERT(count == n->count && end <= n->off + n->size);
        if (n->kind != YR_JSON_OBJECT) continue;
        YR_ASSERT(n->sorted + n->count <= doc->sorted_count);
        for (uint32_t k = 1; k < n->count; k++) {
            YR_ASSERT(yr_json_compare_literals(yr_json_name(doc, yr_json_member(doc, i, k - 1)),
                                               yr_json_name(doc, yr_json_member(doc, i, k))) < 0);
        }
    }
}

/* An operator counts at the beginning of a clause: at the start of the text, behind a blank, a bracket or a phrase.
 * Inside a word everything is text, except ')' where a group is open and '*' at the end: "a-b" and "f(x)" are words. */
#include "search/query/query_lex.h"

#include <string.h>

#include "engine/base/text.h"

typedef struct lexer {
    const char *text;
    size_t size;
    size_t at;
    yr_query_token *tokens;
    size_t count;
    uint32_t open; /* groups that wait for their ')' */
    uint32_t deep; /* those nested too deep to be groups: their brackets are text */
    yr_query_complaint *complaint;
} lexer;

void yr_query_complain(yr_query_complaint *complaint, size_t offset, const char *what)
{
    if (complaint->what && complaint->offset <= offset) return;
    *complaint = (yr_query_complaint){what, (uint32_t)offset};
}

/* How many bytes of white space stand at `at`: one blank, Unicode's too, so that an ideographic space separates. */
static size_t blank_at(const lexer *l, size_t at)
{
    uint32_t code;
    size_t size = yr_utf8_next(l->text + at, l->size - at, &code);
    if (size == 0) return 0;
    bool is_blank = code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0 ||
                    code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
                    code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
    return is_blank ? size : 0;
}

static void push(lexer *l, enum yr_query_token_kind kind, size_t to)
{
    l->tokens[l->count++] = (yr_query_token){(uint8_t)kind, false, (uint32_t)l->at, (uint32_t)to};
    l->at = to;
}

/* Is the '+' or '-' at `at` right before something it can bind? */
static bool binds(const lexer *l, size_t at)
{
    if (at + 1 >= l->size || blank_at(l, at + 1)) return false;
    return strchr("+-)", l->text[at + 1]) == NULL || l->text[at + 1] == '\0';
}

static void lex_word(lexer *l)
{
    size_t from = l->at, at = from;
    uint32_t brackets = 0;

    for (; at < l->size && !blank_at(l, at); at++) {
        char c = l->text[at];
        if (c == '(') {
            brackets++;
            yr_query_complain(l->complaint, at, "'(' inside a word");
        } else if (c == ')') {
            if (brackets == 0 && l->open + l->deep > 0) break;
            if (brackets == 0) yr_query_complain(l->complaint, at, "')' without a '(' before it");
            if (brackets > 0) brackets--;
        } else if (c == '"' && at > from) {
            yr_query_complain(l->complaint, at, "'\"' inside a word");
        } else if (c == '*' && at + 1 < l->size && !blank_at(l, at + 1) && l->text[at + 1] != ')') {
            yr_query_complain(l->complaint, at, "'*' anywhere but at the end of a word");
        }
    }
    bool is_or = at - from == 2 && memcmp(l->text + from, "OR", 2) == 0;
    push(l, is_or ? YR_TOKEN_OR : YR_TOKEN_WORD, at);
    if (l->text[at - 1] != '*') return;
    if (at - from > 1 && l->text[at - 2] != '*') {
        l->tokens[l->count - 1].is_prefix = true;
    } else {
        yr_query_complain(l->complaint, at - 1, "'*' without a word right before it");
    }
}

/* A bracket at the beginning of a clause. */
static void lex_open(lexer *l)
{
    if (l->open < YR_QUERY_DEPTH_MAX) {
        l->open++;
        push(l, YR_TOKEN_OPEN, l->at + 1);
        return;
    }
    yr_query_complain(l->complaint, l->at, "groups inside each other more than 64 deep");
    l->deep++;
    l->at++;
}

static void lex_close(lexer *l)
{
    if (l->deep > 0) {
        l->deep--;
        l->at++;
    } else {
        l->open--;
        push(l, YR_TOKEN_CLOSE, l->at + 1);
    }
}

static void lex_clause(lexer *l)
{
    char c = l->text[l->at];

    if (c == '(') {
        lex_open(l);
    } else if (c == ')' && l->open + l->deep > 0) {
        lex_close(l);
    } else if (c == '+' || c == '-') {
        if (binds(l, l->at)) {
            push(l, c == '+' ? YR_TOKEN_MUST : YR_TOKEN_NOT, l->at + 1);
        } else {
            yr_query_complain(l->complaint, l->at, "no word, phrase or group right behind '+' or '-'");
            lex_word(l);
        }
    } else if (c == '"') {
        const char *end = memchr(l->text + l->at + 1, '"', l->size - l->at - 1);
        if (end) {
            push(l, YR_TOKEN_PHRASE, (size_t)(end - l->text) + 1);
        } else {
            yr_query_complain(l->complaint, l->at, "'\"' without a second one behind it");
            lex_word(l);
        }
    } else {
        lex_word(l);
    }
}

/* Take out the brackets that have no partner. Every ')' has one, or it would not have become a token. */
static void drop_lone_brackets(lexer *l)
{
    uint32_t lone[YR_QUERY_DEPTH_MAX];
    uint32_t depth = 0;
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (l->tokens[i].kind == YR_TOKEN_OPEN) lone[depth++] = (uint32_t)i;
        if (l->tokens[i].kind == YR_TOKEN_CLOSE) depth--;
    }
    uint32_t next = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (next < depth && lone[next] == i) {
            yr_query_complain(l->complaint, l->tokens[i].from, "'(' without a ')' behind it");
            next++;
        } else {
            l->tokens[kept++] = l->tokens[i];
        }
    }
    l->count = kept;
}

static bool is_operand(const lexer *l, size_t i)
{
    return i < l->count && (l->tokens[i].kind == YR_TOKEN_WORD || l->tokens[i].kind == YR_TOKEN_PHRASE ||
                            l->tokens[i].kind == YR_TOKEN_OPEN);
}

/* Take out each '+' and '-' whose group turned out to be none. What one binds is never the operator OR. */
static void drop_loose_marks(lexer *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        yr_query_token *next = i + 1 < l->count ? &l->tokens[i + 1] : NULL;
        if (l->tokens[i].kind == YR_TOKEN_MUST || l->tokens[i].kind == YR_TOKEN_NOT) {
            if (!next || next->from != l->tokens[i].to || next->kind == YR_TOKEN_CLOSE) continue;
            if (next->kind == YR_TOKEN_OR) next->kind = YR_TOKEN_WORD;
        }
        l->tokens[kept++] = l->tokens[i];
    }
    l->count = kept;
}

/* OR is an operator between two operands, and else a word. */
static void settle_or(lexer *l)
{
    bool after_operand = false;

    for (size_t i = 0; i < l->count; i++) {
        yr_query_token *token = &l->tokens[i];
        if (token->kind == YR_TOKEN_OR) {
            bool before_operand =
                is_operand(l, i + 1) ||
                (i + 1 < l->count && (token[1].kind == YR_TOKEN_MUST || token[1].kind == YR_TOKEN_NOT));
            if (!after_operand || !before_operand) {
                yr_query_complain(l->complaint, token->from, "OR without something on both sides");
                token->kind = YR_TOKEN_WORD;
            }
        }
        after_operand = token->kind == YR_TOKEN_WORD || token->kind == YR_TOKEN_PHRASE ||
                        token->kind == YR_TOKEN_CLOSE;
        if (token->kind == YR_TOKEN_OPEN && token[1].kind == YR_TOKEN_CLOSE) {
            yr_query_complain(l->complaint, token->from, "a group with nothing in it");
        }
    }
}

size_t yr_query_lex(yore_slice text, yr_query_token *tokens, yr_query_complaint *complaint)
{
    lexer l = {.text = text.data, .size = text.size, .tokens = tokens, .complaint = complaint};

    *complaint = (yr_query_complaint){NULL, 0};
    while (l.at < l.size) {
        size_t blank = blank_at(&l, l.at);
        if (blank > 0) {
            l.at += blank;
        } else {
            lex_clause(&l);
        }
    }
    drop_lone_brackets(&l);
    drop_loose_marks(&l);
    settle_or(&l);
    return l.count;
}

/* The checker itself: it finds each anomaly in a history made by hand, and none in those that are fine. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/thread/history_checker.h"

/* One history in a line: transactions separated by ';', operations by blanks.
 *   ok or abort, then begin-end, then optionally @version
 *   x+3    append 3 to list x       x=[1,3]   read list x
 *   p:=4   write 4 to register p    p=4       read 4 from register p (0 = nothing)
 * x, y, z are lists, p, q, r registers. */
typedef struct planted {
    const char *name;
    const char *text;
    uint32_t must; /* these are found */
    uint32_t may;  /* and these may be */
} planted;

#define B HISTORY_BIT

static const planted histories[] = {
    /* -- fine -- */
    {"nothing", "", 0, 0},
    {"one after the other", "ok 1-2 x+1; ok 3-4 x=[1] x+2; ok 5-6 x=[1,2]", 0, 0},
    {"own writes are seen", "ok 1-2 x+1 x=[1] x+2 x=[1,2]; ok 3-4 x=[1,2]", 0, 0},
    {"a snapshot taken before a commit", "ok 1-10 x=[] y=[]; ok 2-3 x+1 y+2; ok 11-12 x=[1] y=[2]", 0, 0},
    {"blind appends in any order", "ok 1-10 x+1; ok 1-9 x+2; ok 11-12 x=[2,1]", 0, 0},
    {"registers by version", "ok 1-2 @5 p:=1; ok 3-4 @6 p=1 p:=2; ok 5-6 p=2", 0, 0},
    {"an aborted write that nobody reads", "abort 1-2 x+1; ok 3-4 x=[]; ok 5-6 x+2; ok 7-8 x=[2]", 0, 0},
    {"an aborted reader may have seen anything", "abort 1-2 x=[9,9] p=7; ok 3-4 x=[]", 0, 0},
    {"a read-only transaction that ends late",
     "ok 1-20 p=0 q=0; ok 2-3 @1 p:=1; ok 4-5 @2 q:=2; ok 21-22 p=1 q=2", 0, 0},
    {"only the last write of a register counts", "ok 1-2 @1 p:=1 p:=2; ok 3-4 p=2", 0, 0},
    /* -- write skew: allowed by snapshot isolation only -- */
    {"write skew on lists", "ok 1-10 x=[] y+1; ok 2-9 y=[] x+2; ok 11-12 x=[2] y=[1]", B(HISTORY_G2), 0},
    {"write skew on registers", "ok 1-10 @2 p=0 q:=1; ok 2-9 @1 q=0 p:=2; ok 11-12 p=2 q=1", B(HISTORY_G2),
     0},
    {"write skew of three",
     "ok 1-10 @1 p=0 q:=1; ok 2-11 @2 q=0 r:=2; ok 3-12 @3 r=0 p:=3; ok 20-21 p=3 q=1 r=2", B(HISTORY_G2), 0},
    {"read-only anomaly", "ok 1-30 @2 p=0 q=0 p:=1; ok 2-5 @1 q=0 q:=2; ok 6-7 p=0 q=2", B(HISTORY_G2), 0},
    /* -- forbidden by both -- */
    {"own append not seen", "ok 1-2 x+1 x=[]", B(HISTORY_INTERNAL), 0},
    {"own write not seen", "ok 1-2 @1 p:=1 p=0", B(HISTORY_INTERNAL), 0},
    {"two reads of a register differ", "ok 1-10 p=0 p=1; ok 2-3 @1 p:=1", B(HISTORY_INTERNAL),
     B(HISTORY_G_SINGLE)},
    {"two reads of a list differ", "ok 1-10 x=[] x=[1]; ok 2-3 x+1", B(HISTORY_INTERNAL),
     B(HISTORY_G_SINGLE)},
    {"read of what was never written", "ok 1-2 x=[7]", B(HISTORY_GARBAGE), 0},
    {"read of another key's value", "ok 1-2 @1 p:=1; ok 3-4 q=1", B(HISTORY_GARBAGE), ~0u},
    {"an element twice", "ok 1-2 x+1; ok 3-4 x=[1,1]", B(HISTORY_DUPLICATE), ~0u},
    {"two orders of one list", "ok 1-2 x+1; ok 3-4 x+2; ok 5-6 x=[1,2]; ok 5-7 x=[2]", B(HISTORY_ORDER), ~0u},
    {"aborted read of a list", "abort 1-2 x+1; ok 3-4 x=[1]", B(HISTORY_G1A), 0},
    {"aborted read of a register", "abort 1-2 @1 p:=1; ok 3-4 p=1", B(HISTORY_G1A), 0},
    {"intermediate read of a list", "ok 1-10 x+1 x+2; ok 2-5 x=[1]; ok 11-12 x=[1,2]", B(HISTORY_G1B), ~0u},
    {"intermediate read of a register", "ok 1-10 @1 p:=1 p:=2; ok 2-5 p=1", B(HISTORY_G1B), ~0u},
    {"dirty write", "ok 1-10 x+1 y+2; ok 2-9 x+3 y+4; ok 11-12 x=[1,3] y=[4,2]", B(HISTORY_G0), 0},
    {"a write that goes before one acknowledged earlier", "ok 1-2 x+1; ok 3-4 x+2; ok 5-6 x=[2,1]",
     B(HISTORY_G0), 0},
    {"circular information flow", "ok 1-10 x+1 y=[2]; ok 2-9 y+2 x=[1]; ok 11-12 x=[1] y=[2]", B(HISTORY_G1C),
     ~0u},
    {"information from the future", "ok 1-2 x=[1]; ok 3-4 x+1", B(HISTORY_G1C), 0},
    {"lost update of a register", "ok 1-10 @1 p=0 p:=1; ok 2-9 @2 p=0 p:=2; ok 11-12 p=2",
     B(HISTORY_LOST_UPDATE) | B(HISTORY_G_SINGLE), 0},
    {"lost update of a list", "ok 0-1 x+5; ok 2-10 x=[5] x+1; ok 3-9 x=[5] x+2; ok 11-12 x=[5,2]",
     B(HISTORY_LOST_UPDATE), ~0u},
    {"read skew", "ok 1-10 x=[] y=[2]; ok 2-3 x+1 y+2; ok 11-12 x=[1] y=[2]", B(HISTORY_G_SINGLE), 0},
    {"read skew of registers", "ok 1-10 p=1 q=0; ok 2-3 @1 p:=1 q:=2; ok 11-12 p=1 q=2", B(HISTORY_G_SINGLE),
     0},
    {"half a commit", "ok 1-2 x+1 y+2; ok 3-4 x=[1] y=[]; ok 5-6 x=[1] y=[2]", B(HISTORY_G_SINGLE), 0},
    {"stale read", "ok 1-2 x+1; ok 3-4 x=[]; ok 5-6 x=[1]", B(HISTORY_G_SINGLE), 0},
    {"stale read of a register", "ok 1-2 @1 p:=1; ok 3-4 p=0", B(HISTORY_G_SINGLE), 0},
    {"an acknowledged append that is lost", "ok 1-2 x+1; ok 3-4 x+2; ok 5-6 x=[1]", B(HISTORY_G_SINGLE), 0},
    {"long fork", "ok 1-20 x+1; ok 1-20 y+2; ok 2-18 x=[1] y=[]; ok 2-19 x=[] y=[2]; ok 21-22 x=[1] y=[2]",
     B(HISTORY_G_NONADJACENT), 0},
};

static uint32_t key_of(char c)
{
    return c >= 'x' ? (uint32_t)(c - 'x') : 3 + (uint32_t)(c - 'p');
}

static void parse_op(history_txn *txn, char *text)
{
    uint32_t key = key_of(text[0]), elems[8];
    size_t count = 0;
    if (text[1] == '+') {
        history_add_op(txn, HISTORY_APPEND, key, (uint32_t)strtoul(text + 2, NULL, 10), NULL, 0);
    } else if (text[1] == ':') {
        history_add_op(txn, HISTORY_WRITE, key, (uint32_t)strtoul(text + 3, NULL, 10), NULL, 0);
    } else if (text[2] == '[') {
        for (char *p = text + 3; *p && *p != ']'; p += *p == ',')
            elems[count++] = (uint32_t)strtoul(p, &p, 10);
        history_add_op(txn, HISTORY_READ_LIST, key, 0, elems, count);
    } else {
        history_add_op(txn, HISTORY_READ, key, (uint32_t)strtoul(text + 2, NULL, 10), NULL, 0);
    }
}

static void parse(history *h, const char *text)
{
    char copy[256], *save = NULL, *save_op = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part = strtok_r(copy, ";", &save); part; part = strtok_r(NULL, ";", &save)) {
        char *word = strtok_r(part, " ", &save_op);
        enum history_outcome outcome = strcmp(word, "ok") == 0 ? HISTORY_COMMITTED : HISTORY_ABORTED;
        char *end = strtok_r(NULL, " ", &save_op);
        uint64_t begin = strtoull(end, &end, 10);
        history_txn *txn = history_add(h, outcome, begin, strtoull(end + 1, NULL, 10), 0);
        while ((word = strtok_r(NULL, " ", &save_op))) {
            if (word[0] == '@')
                txn->version = strtoull(word + 1, NULL, 10);
            else
                parse_op(txn, word);
        }
    }
}

static void test_each_planted_anomaly_is_found_and_no_other(void **state)
{
    (void)state;
    size_t anomalous = 0;
    for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
        const planted *p = &histories[i];
        history h;
        history_findings findings;
        history_init(&h);
        parse(&h, p->text);
        history_check(&h, &findings);
        if ((findings.found & p->must) != p->must || (findings.found & ~(p->must | p->may)))
            fail_msg("%s: found %x, expected %x: %s %s", p->name, findings.found, p->must, findings.first,
                     findings.cycle);
        bool allowed_by_snapshot = !(p->must & HISTORY_FORBIDDEN_BY_SNAPSHOT);
        if (allowed_by_snapshot != !(findings.found & HISTORY_FORBIDDEN_BY_SNAPSHOT))
            fail_msg("%s: wrong level", p->name);
        anomalous += p->must != 0;
        history_deinit(&h);
    }
    print_message("%zu anomalous histories, each found; %zu good ones\n", anomalous,
                  sizeof histories / sizeof histories[0] - anomalous);
    assert_true(anomalous >= 12);
}

/* Order and identity of transactions must not matter: the same histories, transactions in reverse. */
static void test_findings_do_not_depend_on_the_order_of_recording(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
        history h;
        history_findings forward, backward;
        history_init(&h);
        parse(&h, histories[i].text);
        history_check(&h, &forward);
        for (size_t j = 0; j < h.count / 2; j++) {
            history_txn swap = h.txns[j];
            h.txns[j] = h.txns[h.count - 1 - j];
            h.txns[h.count - 1 - j] = swap;
        }
        history_check(&h, &backward);
        if (forward.found != backward.found)
            fail_msg("%s: %x and %x", histories[i].name, forward.found, backward.found);
        assert_int_equal(forward.edges, backward.edges);
        assert_int_equal(forward.cyclic, backward.cyclic);
        history_deinit(&h);
    }
}

/* A long serial history is clean; one stale read in the middle of it is found. Transaction i reads list i % 32 and
 * appends i to it. */
static void test_one_stale_read_among_many_is_found(void **state)
{
    (void)state;
    for (uint32_t stale = 0; stale < 2; stale++) {
        history h;
        history_findings findings;
        history_init(&h);
        for (uint32_t i = 1; i <= 2000; i++) {
            uint32_t list[64];
            size_t length = 0;
            for (uint32_t v = i % 32 ? i % 32 : 32; v < i; v += 32) list[length++] = v;
            history_txn *txn = history_add(&h, HISTORY_COMMITTED, (uint64_t)i * 4, (uint64_t)i * 4 + 1, i);
            history_add_op(txn, HISTORY_READ_LIST, i % 32, 0, list, length);
            history_add_op(txn, HISTORY_APPEND, i % 32, i, NULL, 0);
            if (!stale || i != 1001) continue;
            txn = history_add(&h, HISTORY_COMMITTED, (uint64_t)i * 4 + 2, (uint64_t)i * 4 + 3, 0);
            history_add_op(txn, HISTORY_READ_LIST, i % 32, 0, list, length); /* without 1001 itself */
        }
        history_check(&h, &findings);
        uint32_t expected = stale ? B(HISTORY_G_SINGLE) : 0;
        if (findings.found != expected)
            fail_msg("found %x: %s %s", findings.found, findings.first, findings.cycle);
        history_deinit(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_planted_anomaly_is_found_and_no_other),
        cmocka_unit_test(test_findings_do_not_depend_on_the_order_of_recording),
        cmocka_unit_test(test_one_stale_read_among_many_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

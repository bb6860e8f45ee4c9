/* The command line: tokens to verb, flags and positional arguments. */
#define _POSIX_C_SOURCE 200809L
#include "cli/args.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/memory.h"
#include "cli/output.h"

#define SUGGESTIONS_MAX 3u
#define WORD_BYTES_MAX 64u

/* -- looking flags up -- */

static bool flag_is(const cmd_flag *flag, const char *name, size_t size, char letter)
{
    if (letter != 0) return flag->letter == letter;
    return strlen(flag->name) == size && memcmp(flag->name, name, size) == 0;
}

static const cmd_flag *find_in(const cmd_flag *flags, size_t count, const char *name, size_t size,
                               char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (flag_is(&flags[i], name, size, letter)) return &flags[i];
    }
    return NULL;
}

static const cmd_flag *find_in_cmd(const cmd *command, const char *name, size_t size, char letter)
{
    return find_in(command->flags, command->flag_count, name, size, letter);
}

/* The flag a token means, as far as the verb is known: before that any verb's flag may come. */
static const cmd_flag *find_flag(const cli *c, const char *name, size_t size, char letter)
{
    const cmd_flag *flag = find_in(cmd_global_flags, cmd_global_flag_count, name, size, letter);

    if (flag != NULL) return flag;
    if (c->command != NULL && c->command->subs == NULL) return find_in_cmd(c->command, name, size, letter);
    if (c->command != NULL) {
        for (size_t i = 0; i < c->command->sub_count && flag == NULL; i++) {
            flag = find_in_cmd(&c->command->subs[i], name, size, letter);
        }
        return flag;
    }
    for (size_t i = 0; i < cmd_table_count && flag == NULL; i++) {
        flag = find_in_cmd(cmd_table[i], name, size, letter);
        for (size_t k = 0; k < cmd_table[i]->sub_count && flag == NULL; k++) {
            flag = find_in_cmd(&cmd_table[i]->subs[k], name, size, letter);
        }
    }
    return flag;
}

/* -- nearest names -- */

size_t cli_edit_distance(const char *a, const char *b)
{
    size_t n = strnlen(a, WORD_BYTES_MAX);
    size_t m = strnlen(b, WORD_BYTES_MAX);
    size_t rows[3][WORD_BYTES_MAX + 1];

    for (size_t k = 0; k <= m; k++) rows[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);
            if (above[k] + 1 < best) best = above[k] + 1;
            if (row[k - 1] + 1 < best) best = row[k - 1] + 1;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
                size_t swapped = rows[(i - 2) % 3][k - 2] + 1;
                if (swapped < best) best = swapped;
            }
            row[k] = best;
        }
    }
    return rows[n % 3][m];
}

const char *cli_nearest(const char *word, const char *const *words, size_t count)
{
    size_t best = SIZE_MAX;
    const char *nearest = "";
    char folded[2][WORD_BYTES_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        const char *pair[2] = {word, words[i]};
        for (size_t k = 0; k < 2; k++) {
            size_t size = strnlen(pair[k], WORD_BYTES_MAX);
            for (size_t at = 0; at < size; at++) {
                char c = pair[k][at];
                folded[k][at] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            }
            folded[k][size] = '\0';
        }
        size_t size = strlen(folded[0]);
        bool begins = size > 0 && strncmp(folded[0], folded[1], size) == 0;
        size_t distance = begins ? 0 : cli_edit_distance(folded[0], folded[1]);
        if (distance >= best) continue;
        best = distance;
        nearest = words[i];
    }
    return nearest;
}

/* The nearest few of the names offered one by one. */
typedef struct nearest {
    const char *word;
    const char *names[SUGGESTIONS_MAX];
    size_t distances[SUGGESTIONS_MAX];
    size_t count;
} nearest;

static void nearest_offer(nearest *n, const char *name)
{
    size_t size = strlen(n->word);
    bool begins = size > 0 && strncmp(n->word, name, size) == 0; /* cut short: the likeliest slip */
    size_t distance = begins ? 0 : cli_edit_distance(n->word, name);
    size_t at = n->count;

    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->names[i], name) == 0) return;
    }
    while (at > 0 && n->distances[at - 1] > distance) at--;
    if (at == SUGGESTIONS_MAX) return;
    if (n->count < SUGGESTIONS_MAX) n->count++;
    for (size_t i = n->count - 1; i > at; i--) {
        n->names[i] = n->names[i - 1];
        n->distances[i] = n->distances[i - 1];
    }
    n->names[at] = name;
    n->distances[at] = distance;
}

/* "get, set": far ones are dropped, but the nearest is always named. free() it. */
static char *nearest_text(const nearest *n, const char *dashes)
{
    cli_bytes text = {0};

    cli_bytes_append(&text, "", 0);
    for (size_t i = 0; i < n->count; i++) {
        if (i > 0 && n->distances[i] > n->distances[0] + 1) break;
        if (i > 0) cli_bytes_append(&text, ", ", 2);
        cli_bytes_append(&text, dashes, strlen(dashes));
        cli_bytes_append(&text, n->names[i], strlen(n->names[i]));
    }
    return text.data;
}

static int unknown_verb(const cli *c, const char *word)
{
    nearest n = {.word = word};
    const char *parent = c->command != NULL ? c->command->name : "";
    int code;

    if (c->command != NULL) {
        for (size_t i = 0; i < c->command->sub_count; i++) nearest_offer(&n, c->command->subs[i].name);
    } else {
        for (size_t i = 0; i < cmd_table_count; i++) nearest_offer(&n, cmd_table[i]->name);
    }
    char *names = nearest_text(&n, "");
    char *hint = cli_printf("yore help %s%s%s", parent, *parent ? " " : "", n.names[0]);
    if (c->command != NULL) {
        code = cli_usage_error(c, hint, "unknown subcommand '%s' of 'yore %s' (nearest: %s)", word, parent,
                               names);
    } else {
        code = cli_usage_error(c, hint, "unknown verb '%s' (nearest: %s)", word, names);
    }
    free(names);
    free(hint);
    return code;
}

static void offer_flags(nearest *n, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) nearest_offer(n, flags[i].name);
}

static void offer_cmd_flags(nearest *n, const cmd *command)
{
    offer_flags(n, command->flags, command->flag_count);
    for (size_t i = 0; i < command->sub_count; i++) {
        offer_flags(n, command->subs[i].flags, command->subs[i].flag_count);
    }
}

static int unknown_flag(const cli *c, const char *token)
{
    char word[WORD_BYTES_MAX + 1];
    nearest n = {.word = word};
    const char *name = token + strspn(token, "-");
    size_t size = strcspn(name, "=");

    if (size > WORD_BYTES_MAX) size = WORD_BYTES_MAX;
    memcpy(word, name, size);
    word[size] = '\0';
    if (c->command != NULL) offer_cmd_flags(&n, c->command);
    for (size_t i = 0; i < cmd_table_count && c->command == NULL; i++) offer_cmd_flags(&n, cmd_table[i]);
    offer_flags(&n, cmd_global_flags, cmd_global_flag_count);

    char *names = nearest_text(&n, "--");
    char *verb = c->command == NULL  ? cli_strdup("yore")
                 : c->parent == NULL ? cli_printf("yore %s", c->command->name)
                                     : cli_printf("yore %s %s", c->parent->name, c->command->name);
    char *hint = cli_printf("%s --help", verb);
    int code = cli_usage_error(c, hint, "unknown flag '%s' of '%s' (nearest: %s)", token, verb, names);
    free(names);
    free(verb);
    free(hint);
    return code;
}

/* -- tokens -- */

typedef struct scanner {
    cli *c;
    int argc;
    char **argv;
    int at;
    bool ended; /* by `--` */
} scanner;

static void add_flag(cli *c, const cmd_flag *flag, const char *value)
{
    c->given = cli_realloc(c->given, (c->given_count + 1) * sizeof *c->given);
    c->given[c->given_count++] = (cli_arg){flag, value};
}

static void add_arg(cli *c, char *text)
{
    c->args = cli_realloc(c->args, (c->arg_count + 1) * sizeof *c->args);
    c->args[c->arg_count++] = text;
}

static int take_value(scanner *s, const cmd_flag *flag, const char *shown, const char **value)
{
    if (s->at + 1 >= s->argc) {
        return cli_usage_error(s->c, NULL, "flag '%s' needs a value %s", shown, flag->arg);
    }
    *value = s->argv[++s->at];
    return 0;
}

/* `--key-hex=00ff` is short for the switch and the argument. */
static bool is_key_form(const cmd_flag *flag)
{
    return strcmp(flag->name, "key-hex") == 0 || strcmp(flag->name, "key-b64") == 0;
}

static int scan_long(scanner *s, char *token)
{
    char *name = token + 2;
    size_t size = strcspn(name, "=");
    const cmd_flag *flag = find_flag(s->c, name, size, 0);
    const char *value = NULL;

    if (flag == NULL) return unknown_flag(s->c, token);
    if (name[size] == '=') {
        if (flag->arg == NULL && !is_key_form(flag)) {
            return cli_usage_error(s->c, NULL, "flag '--%s' takes no value", flag->name);
        }
        if (flag->arg == NULL) {
            add_flag(s->c, flag, NULL);
            add_arg(s->c, name + size + 1);
            return 0;
        }
        value = name + size + 1;
    } else if (flag->arg != NULL) {
        int code = take_value(s, flag, token, &value);
        if (code != 0) return code;
    }
    add_flag(s->c, flag, value);
    return 0;
}

static int scan_short(scanner *s, char *token)
{
    for (char *letter = token + 1; *letter != '\0'; letter++) {
        const cmd_flag *flag = find_flag(s->c, NULL, 0, *letter);
        const char *value = NULL;
        char shown[3] = {'-', *letter, '\0'};

        if (flag == NULL) return unknown_flag(s->c, token);
        if (flag->arg != NULL && letter[1] != '\0') {
            add_flag(s->c, flag, letter + 1);
            return 0;
        }
        if (flag->arg != NULL) {
            int code = take_value(s, flag, shown, &value);
            if (code != 0) return code;
        }
        add_flag(s->c, flag, value);
    }
    return 0;
}

static const cmd *find_verb(const cli *c, const char *word)
{
    if (c->command != NULL) {
        for (size_t i = 0; i < c->command->sub_count; i++) {
            if (strcmp(c->command->subs[i].name, word) == 0) return &c->command->subs[i];
        }
        return NULL;
    }
    for (size_t i = 0; i < cmd_table_count; i++) {
        if (strcmp(cmd_table[i]->name, word) == 0) return cmd_table[i];
    }
    return NULL;
}

static int scan_word(scanner *s, char *token)
{
    cli *c = s->c;

    if (c->command == NULL || c->command->subs != NULL) {
        const cmd *found = find_verb(c, token);
        if (found == NULL) return unknown_verb(c, token);
        c->parent = c->command;
        c->command = found;
        return 0;
    }
    add_arg(c, token);
    return 0;
}

static int scan_token(scanner *s)
{
    char *token = s->argv[s->at];

    if (s->ended || token[0] != '-' || token[1] == '\0') return scan_word(s, token);
    if (strcmp(token, "--") == 0) {
        s->ended = true;
        return 0;
    }
    if (token[1] == '-') return scan_long(s, token);
    if (token[1] >= '0' && token[1] <= '9') return scan_word(s, token); /* a negative number */
    return scan_short(s, token);
}

/* -- checks -- */

/* Flags that came before the verb was known may belong to another one. */
static int check_flags(cli *c)
{
    for (size_t i = 0; i < c->given_count; i++) {
        const cmd_flag *flag = c->given[i].flag;
        size_t size = strlen(flag->name);
        const cmd_flag *own = NULL;
        if (find_in(cmd_global_flags, cmd_global_flag_count, flag->name, size, 0) == flag) own = flag;
        if (own == NULL && c->command != NULL) own = find_in_cmd(c->command, flag->name, size, 0);
        if (own == NULL || (own->arg == NULL) != (flag->arg == NULL)) {
            char *shown = cli_printf("--%s", flag->name);
            int code = unknown_flag(c, shown);
            free(shown);
            return code;
        }
        c->given[i].flag = own;
        for (size_t k = 0; k < i && own->arg != NULL; k++) {
            if (c->given[k].flag == own)
                return cli_usage_error(c, NULL, "flag '--%s' is given twice", own->name);
        }
    }
    return 0;
}

static int check_count(const cli *c)
{
    const cmd *command = c->command;
    char *hint = cli_printf("yore %s%s%s --help", c->parent ? c->parent->name : "", c->parent ? " " : "",
                            command->name);
    int code = 0;

    if (c->arg_count < command->args_min) {
        code = cli_usage_error(c, hint, "'yore %s%s%s' needs %s", c->parent ? c->parent->name : "",
                               c->parent ? " " : "", command->name, command->usage);
    } else if (command->args_max != CMD_ARGS_ANY && c->arg_count > command->args_max) {
        code = cli_usage_error(c, hint, "one argument too many: '%s'", c->args[command->args_max]);
    }
    free(hint);
    return code;
}

/* Errors in flags must already come out as JSON when --json stands anywhere. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) return true;
    }
    return false;
}

int cli_args_parse(cli *c, int argc, char **argv)
{
    scanner s = {.c = c, .argc = argc, .argv = argv, .at = 1};

    c->json = wants_json(argc, argv);
    for (; s.at < argc; s.at++) {
        int code = scan_token(&s);
        if (code != 0) return code;
    }
    int code = check_flags(c);
    if (code != 0 || c->command == NULL || cli_has(c, "help")) return code;
    if (c->command->subs != NULL) {
        char *hint = cli_printf("yore %s --help", c->command->name);
        code = cli_usage_error(c, hint, "'yore %s' needs a subcommand", c->command->name);
        free(hint);
        return code;
    }
    return check_count(c);
}

void cli_args_deinit(cli *c)
{
    free(c->args);
    free(c->given);
    c->args = NULL;
    c->given = NULL;
}

/* -- values -- */

static const cli_arg *find_given(const cli *c, const char *name)
{
    for (size_t i = 0; i < c->given_count; i++) {
        if (strcmp(c->given[i].flag->name, name) == 0) return &c->given[i];
    }
    if (find_flag(c, name, strlen(name), 0) == NULL) {
        fprintf(stderr, "error[MISUSE]: the command asks for a flag '%s' that its table does not have\n",
                name);
        abort();
    }
    return NULL;
}

bool cli_has(const cli *c, const char *flag)
{
    return find_given(c, flag) != NULL;
}

const char *cli_value(const cli *c, const char *flag)
{
    const cli_arg *given = find_given(c, flag);
    return given == NULL ? NULL : given->value;
}

bool cli_parse_u64(const char *text, uint64_t *out)
{
    uint64_t number = 0;

    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        unsigned digit = (unsigned)(*text - '0');
        if (number > (UINT64_MAX - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

bool cli_parse_i64(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    uint64_t number;

    if (*text == '-' || *text == '+') text++;
    if (!cli_parse_u64(text, &number)) return false;
    if (number > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

bool cli_parse_version(const char *text, uint64_t *out)
{
    return *text == 'v' && cli_parse_u64(text + 1, out);
}

int cli_value_u64(cli *c, const char *flag, uint64_t *out)
{
    const char *text = cli_value(c, flag);

    if (text == NULL || cli_parse_u64(text, out)) return 0;
    return cli_usage_error(c, NULL, "flag '--%s' needs a whole number, not '%s'", flag, text);
}

int cli_value_version(cli *c, const char *flag, uint64_t *out)
{
    const char *text = cli_value(c, flag);

    if (text == NULL || cli_parse_version(text, out)) return 0;
    return cli_usage_error(c, "a version is v and digits, as in v12", "flag '--%s' needs a version, not '%s'",
                           flag, text);
}

int cli_value_duration_ns(cli *c, const char *flag, int64_t *out)
{
    const char *text = cli_value(c, flag);
    yore_span span = YORE_SPAN_INIT;
    yore_error err = YORE_ERROR_INIT;
    int64_t end_ns;

    if (text == NULL) return 0;
    if (yore_span_parse(yore_str(text), &span, &err) < 0 ||
        yore_time_add(c->now_ns, &span, cli_zone_at(c, c->now_ns), &end_ns, &err) < 0) {
        return cli_usage_error(c, err.hint[0] ? err.hint : "7d, 12h, 30min", "flag '--%s': %s", flag,
                               err.message);
    }
    *out = end_ns - c->now_ns;
    return 0;
}

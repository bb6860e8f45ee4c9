/* Help for people, derived from the command table. */
#include "cli/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"

static void flag_line(FILE *to, const cmd_flag *flag)
{
    char *left = cli_printf("%c%c%s--%s%s%s", flag->letter ? '-' : ' ', flag->letter ? flag->letter : ' ',
                            flag->letter ? ", " : "  ", flag->name, flag->arg ? " " : "",
                            flag->arg ? flag->arg : "");
    fprintf(to, "  %-26s %s\n", left, flag->help);
    free(left);
}

int cli_help_overview(const cli *c, FILE *to)
{
    (void)c;
    fputs("yore: a key-value store that remembers every version and forks in constant time\n\n"
          "usage: yore [GLOBAL] VERB [ARGS]      options may stand anywhere, -- ends them\n\nverbs:\n",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) {
        fprintf(to, "  %-12s %s\n", cmd_table[i]->name, cmd_table[i]->summary);
    }
    fputs("\nglobal options:\n", to);
    for (size_t i = 0; i < cmd_global_flag_count; i++) flag_line(to, &cmd_global_flags[i]);
    fputs("\ntopics (yore help TOPIC):\n", to);
    for (size_t i = 0; i < cli_topic_count; i++)
        fprintf(to, "  %-12s %s\n", cli_topics[i].name, cli_topics[i].summary);
    fputs("\nstart: yore init && yore put greeting hello && yore get greeting\n", to);
    return EXIT_DONE;
}

/* A usage of several lines has one form a line. */
static void usage_lines(FILE *to, const char *before, const cmd *parent, const cmd *command)
{
    const char *rest = command->usage;

    do {
        size_t size = strcspn(rest, "\n");
        fprintf(to, "%s yore %s%s%s%s%.*s\n", before, parent ? parent->name : "", parent ? " " : "",
                command->name, size > 0 ? " " : "", (int)size, rest);
        before = "      ";
        rest += size + (rest[size] == '\n');
    } while (*rest != '\0');
}

int cli_help_command(const cli *c, FILE *to, const cmd *parent, const cmd *command)
{
    (void)c;
    if (command->subs != NULL) {
        for (size_t i = 0; i < command->sub_count; i++)
            usage_lines(to, i == 0 ? "usage:" : "      ", command, &command->subs[i]);
    } else {
        usage_lines(to, "usage:", parent, command);
    }
    fprintf(to, "\n%s\n", command->summary);
    if (command->details != NULL) fprintf(to, "\n%s\n", command->details);
    if (command->subs != NULL) {
        fputs("\nsubcommands:\n", to);
        for (size_t i = 0; i < command->sub_count; i++) {
            fprintf(to, "  %-12s %s\n", command->subs[i].name, command->subs[i].summary);
        }
    }
    if (command->flag_count > 0) fputs("\noptions:\n", to);
    for (size_t i = 0; i < command->flag_count; i++) flag_line(to, &command->flags[i]);
    fputs("\nyore help lists the options every verb takes\n", to);
    return EXIT_DONE;
}

static bool same_word(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        if (toupper((unsigned char)*a) != toupper((unsigned char)*b)) return false;
    }
    return *a == *b;
}

static void code_page(FILE *to, const cli_code *code)
{
    fprintf(to, "%s (exit %d)\n\n%s.\n\nwhat helps: %s.\n", cli_code_name(code->status), code->exit,
            code->meaning, code->remedy);
}

static void code_list(FILE *to)
{
    for (size_t i = 0; i < cli_code_count; i++) {
        fprintf(to, "  %-14s exit %d  %s\n", cli_code_name(cli_codes[i].status), cli_codes[i].exit,
                cli_codes[i].meaning);
    }
}

static int no_such_topic(const cli *c, const char *topic)
{
    size_t count = 0;
    const char **words = cli_alloc((cmd_table_count + cli_topic_count + cli_code_count) * sizeof *words);

    for (size_t i = 0; i < cmd_table_count; i++) words[count++] = cmd_table[i]->name;
    for (size_t i = 0; i < cli_topic_count; i++) words[count++] = cli_topics[i].name;
    for (size_t i = 0; i < cli_code_count; i++) words[count++] = cli_code_name(cli_codes[i].status);
    const char *nearest = cli_nearest(topic, words, count);
    char *hint = cli_printf("yore help %s", nearest);
    int code = cli_usage_error(c, hint, "no verb, topic or error code '%s' (nearest: %s)", topic, nearest);
    free(hint);
    free(words);
    return code;
}

int cli_help_topic(const cli *c, FILE *to, const char *topic)
{
    for (size_t i = 0; i < cli_topic_count; i++) {
        if (strcmp(cli_topics[i].name, topic) != 0) continue;
        fprintf(to, "%s\n\n", cli_topics[i].summary);
        if (cli_topics[i].text != NULL) {
            fputs(cli_topics[i].text, to);
        } else {
            code_list(to);
        }
        return EXIT_DONE;
    }
    if (strncmp(topic, "YORE_ERR_", 9) == 0) {
        topic += 9;
    } else if (strncmp(topic, "YORE_", 5) == 0) {
        topic += 5;
    }
    for (size_t i = 0; i < cli_code_count; i++) {
        if (!same_word(cli_code_name(cli_codes[i].status), topic)) continue;
        code_page(to, &cli_codes[i]);
        return EXIT_DONE;
    }
    return no_such_topic(c, topic);
}

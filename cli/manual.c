/* The whole reference as one page: roff for man, Markdown for docs. Derived from the command table. */
#include <string.h>

#include "cli/fail.h"
#include "cli/help.h"

/* Text in roff: backslashes and leading dots have meaning there, and a dash is a hyphen unless escaped. */
static void roff(FILE *to, const char *text)
{
    bool start = true;

    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", to);
        start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", to);
        } else if (*text == '-') {
            fputs("\\-", to);
        } else {
            (void)putc(*text, to);
        }
    }
}

static void roff_flags(FILE *to, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(".TP\n", to);
        if (flags[i].letter) fprintf(to, "\\fB\\-%c\\fR, ", flags[i].letter);
        fputs("\\fB\\-\\-", to);
        roff(to, flags[i].name);
        fputs("\\fR", to);
        if (flags[i].arg != NULL) fprintf(to, " \\fI%s\\fR", flags[i].arg);
        fputs("\n", to);
        roff(to, flags[i].help);
        fputs("\n", to);
    }
}

static void roff_cmd(FILE *to, const cmd *parent, const cmd *command)
{
    if (command->subs != NULL) {
        for (size_t i = 0; i < command->sub_count; i++) roff_cmd(to, command, &command->subs[i]);
        return;
    }
    fprintf(to, ".SS \"%s%s%s\"\n.nf\n", parent ? parent->name : "", parent ? " " : "", command->name);
    for (const char *rest = command->usage;;) {
        size_t size = strcspn(rest, "\n");
        fprintf(to, "\\fByore %s%s%s\\fR ", parent ? parent->name : "", parent ? " " : "", command->name);
        for (size_t i = 0; i < size; i++) {
            if (rest[i] == '-') fputs("\\", to);
            (void)putc(rest[i], to);
        }
        fputs("\n", to);
        rest += size;
        if (*rest++ == '\0') break;
    }
    fputs(".fi\n", to);
    roff(to, command->summary);
    fputs(".\n", to);
    if (command->details != NULL) {
        fputs(".PP\n.nf\n", to);
        roff(to, command->details);
        fputs("\n.fi\n", to);
    }
    roff_flags(to, command->flags, command->flag_count);
}

void cli_help_man(FILE *to)
{
    fprintf(to, ".TH YORE 1 \"\" \"yore %s\" \"User Commands\"\n", yore_version());
    fputs(
        ".SH NAME\nyore \\- a key\\-value store that remembers every version and forks in constant time\n"
        ".SH SYNOPSIS\n\\fByore\\fR [\\fIGLOBAL\\fR] \\fIVERB\\fR [\\fIARGS\\fR]\n"
        ".SH DESCRIPTION\nOptions may stand anywhere; \\fB\\-\\-\\fR ends them. There are no abbreviations.\n"
        ".SH GLOBAL OPTIONS\n",
        to);
    roff_flags(to, cmd_global_flags, cmd_global_flag_count);
    fputs(".SH VERBS\n", to);
    for (size_t i = 0; i < cmd_table_count; i++) roff_cmd(to, NULL, cmd_table[i]);
    for (size_t i = 0; i < cli_topic_count; i++) {
        if (cli_topics[i].text == NULL) continue;
        fprintf(to, ".SH \"%s\"\n.nf\n", cli_topics[i].name);
        roff(to, cli_topics[i].text);
        fputs(".fi\n", to);
    }
    fputs(".SH ERROR CODES\n", to);
    for (size_t i = 0; i < cli_code_count; i++) {
        fprintf(to, ".TP\n\\fB%s\\fR (exit %d)\n", cli_code_name(cli_codes[i].status), cli_codes[i].exit);
        roff(to, cli_codes[i].meaning);
        fputs(".\n", to);
    }
}

static void markdown_flags(FILE *to, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs("- `", to);
        if (flags[i].letter) fprintf(to, "-%c`, `", flags[i].letter);
        fprintf(to, "--%s%s%s`: %s\n", flags[i].name, flags[i].arg ? " " : "",
                flags[i].arg ? flags[i].arg : "", flags[i].help);
    }
    if (count > 0) fputs("\n", to);
}

static void markdown_cmd(FILE *to, const cmd *parent, const cmd *command)
{
    if (command->subs != NULL) {
        for (size_t i = 0; i < command->sub_count; i++) markdown_cmd(to, command, &command->subs[i]);
        return;
    }
    fprintf(to, "### %s%s%s\n\n```text\n", parent ? parent->name : "", parent ? " " : "", command->name);
    for (const char *rest = command->usage;;) {
        size_t size = strcspn(rest, "\n");
        fprintf(to, "yore %s%s%s%s%.*s\n", parent ? parent->name : "", parent ? " " : "", command->name,
                size > 0 ? " " : "", (int)size, rest);
        rest += size;
        if (*rest++ == '\0') break;
    }
    fprintf(to, "```\n\n%s.\n\n", command->summary);
    if (command->details != NULL) fprintf(to, "```text\n%s\n```\n\n", command->details);
    markdown_flags(to, command->flags, command->flag_count);
}

void cli_help_markdown(FILE *to)
{
    fputs("## Options of every verb\n\n", to);
    markdown_flags(to, cmd_global_flags, cmd_global_flag_count);
    fputs("## Verbs\n\n", to);
    for (size_t i = 0; i < cmd_table_count; i++) markdown_cmd(to, NULL, cmd_table[i]);
    fputs("## Error codes\n\n| code | exit | meaning |\n|---|---|---|\n", to);
    for (size_t i = 0; i < cli_code_count; i++) {
        fprintf(to, "| `%s` | %d | %s |\n", cli_code_name(cli_codes[i].status), cli_codes[i].exit,
                cli_codes[i].meaning);
    }
}

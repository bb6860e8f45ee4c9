/* yore help, version, completion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/completion.h"
#include "cli/fail.h"
#include "cli/help.h"
#include "cli/output.h"

static const cmd *find(const cmd *parent, const char *name)
{
    if (parent != NULL) {
        for (size_t i = 0; i < parent->sub_count; i++) {
            if (strcmp(parent->subs[i].name, name) == 0) return &parent->subs[i];
        }
        return NULL;
    }
    for (size_t i = 0; i < cmd_table_count; i++) {
        if (strcmp(cmd_table[i]->name, name) == 0) return cmd_table[i];
    }
    return NULL;
}

static int run_help(cli *c)
{
    if (cli_has(c, "man")) {
        cli_help_man(stdout);
        return EXIT_DONE;
    }
    if (cli_has(c, "markdown")) {
        cli_help_markdown(stdout);
        return EXIT_DONE;
    }
    if (c->arg_count == 0) return cli_help_overview(c, stdout);

    const cmd *command = find(NULL, c->args[0]);
    if (command == NULL && c->arg_count == 1) return cli_help_topic(c, stdout, c->args[0]);
    if (command == NULL) return cli_usage_error(c, "yore help", "no verb '%s'", c->args[0]);
    if (c->arg_count == 1) return cli_help_command(c, stdout, NULL, command);
    const cmd *sub = find(command, c->args[1]);
    if (sub == NULL) {
        char *hint = cli_printf("yore help %s", command->name);
        int code = cli_usage_error(c, hint, "'yore %s' has no subcommand '%s'", command->name, c->args[1]);
        free(hint);
        return code;
    }
    return cli_help_command(c, stdout, command, sub);
}

static const cmd_flag help_flags[] = {
    {"man", NULL, "print the whole reference as a man page (roff)", 0},
    {"markdown", NULL, "print the whole reference as Markdown", 0},
};

const cmd cmd_help_entry = {
    .name = "help",
    .usage = "[VERB [SUBCOMMAND]|TOPIC|CODE]\n--man|--markdown",
    .summary = "explain a verb, a topic or an error code",
    .flags = help_flags,
    .flag_count = CMD_COUNT(help_flags),
    .run = run_help,
    .args_max = 2,
};

static int run_version(cli *c)
{
    uint32_t format = yore_format_version();

    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "version", yore_version());
        cli_json_u64(&j, "format_major", format / 1000);
        cli_json_u64(&j, "format_minor", format % 1000);
        cli_json_line(&j);
    } else {
        printf("yore %s, store format %u.%u\n", yore_version(), format / 1000, format % 1000);
    }
    return EXIT_DONE;
}

const cmd cmd_version_entry = {
    .name = "version",
    .usage = "",
    .summary = "show the version of yore and of the store format it writes",
    .run = run_version,
};

static int run_completion(cli *c)
{
    if (cli_completion(stdout, c->args[0])) return EXIT_DONE;
    return cli_usage_error(c, "bash, zsh, fish", "no completion for the shell '%s'", c->args[0]);
}

const cmd cmd_completion_entry = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "print a shell's completion script",
    .details = "bash: yore completion bash > /etc/bash_completion.d/yore\n"
               "zsh:  yore completion zsh > \"${fpath[1]}/_yore\"\n"
               "fish: yore completion fish > ~/.config/fish/completions/yore.fish",
    .run = run_completion,
    .args_min = 1,
    .args_max = 1,
};

/* Help in words, from the command table. */
#ifndef YORE_CLI_HELP_H
#define YORE_CLI_HELP_H

#include <stdio.h>

#include "cli/cmd.h"

/* Each returns an exit code. */
int cli_help_overview(const cli *c, FILE *to);
int cli_help_command(const cli *c, FILE *to, const cmd *parent, const cmd *command);
int cli_help_topic(const cli *c, FILE *to, const char *topic); /* a topic of its own, or an error code */
void cli_help_man(FILE *to);                                   /* roff */
void cli_help_markdown(FILE *to);                              /* the reference page */

/* Pages that are not verbs: `yore help spec`. */
typedef struct cli_topic {
    const char *name;
    const char *summary;
    const char *text;
} cli_topic;

extern const cli_topic cli_topics[];
extern const size_t cli_topic_count;

#endif

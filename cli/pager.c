#define _POSIX_C_SOURCE 200809L
#include "cli/pager.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager_pid; /* 0 = none */

/* NULL when there is none to use; an empty YORE_PAGER takes PAGER's away. */
static const char *pager_command(void)
{
    const char *command = getenv("YORE_PAGER");
    const char *terminal = getenv("TERM");

    if (terminal == NULL || strcmp(terminal, "dumb") == 0) return NULL; /* less would stop and ask */
    if (command == NULL) command = getenv("PAGER");
    return command == NULL || command[0] == '\0' || strcmp(command, "cat") == 0 ? NULL : command;
}

void cli_pager_begin(const cli *c)
{
    const char *command = pager_command();
    int ends[2];

    if (!c->command->pages || !c->tty_in || !c->tty_out || c->json || command == NULL || pipe(ends) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[0], STDIN_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)setenv("LESS", "FRX", 0); /* less leaves at once when all fits, and lets colours through */
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[0]);
    if (pid > 0 && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO) {
        pager_pid = pid;
        (void)signal(SIGINT, SIG_IGN); /* Ctrl-C is the pager's */
    }
    (void)close(ends[1]);
}

void cli_pager_end(void)
{
    if (pager_pid == 0) return;
    (void)fclose(stdout); /* flushed and judged before; this is the pager's end of file */
    while (waitpid(pager_pid, NULL, 0) != pager_pid) {}
    pager_pid = 0;
}

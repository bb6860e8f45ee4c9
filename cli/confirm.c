/* Asking before something dangerous. */
#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"

int cli_confirm(cli *c, const char *question)
{
    char answer[16] = "";

    if (cli_has(c, "yes")) return 0;
    if (!c->tty_in || !c->tty_err) {
        return cli_error(c, YORE_ERR_REFUSED, NULL, "add --yes, or look first with --dry-run",
                         "to %s needs --yes", question);
    }
    fprintf(stderr, "%s? [y/N] ", question);
    (void)fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) != NULL &&
        (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0)) {
        return 0;
    }
    return cli_error(c, YORE_ERR_REFUSED, NULL, NULL, "not confirmed: nothing was changed");
}

/* Completion of verbs, subcommands and flags, and of branch and tag names by asking the store. */
#include "cli/completion.h"

#include <string.h>

#include "cli/cmd.h"

static void bash_flags(FILE *to, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(to, " --%s", flags[i].name);
        if (flags[i].letter) fprintf(to, " -%c", flags[i].letter);
    }
}

static void bash_cmd(FILE *to, const cmd *parent, const cmd *command)
{
    fprintf(to, "    '%s%s%s') words=\"", parent ? parent->name : "", parent ? " " : "", command->name);
    for (size_t i = 0; i < command->sub_count; i++) fprintf(to, "%s%s", i ? " " : "", command->subs[i].name);
    bash_flags(to, command->flags, command->flag_count);
    fputs("\" ;;\n", to);
    for (size_t i = 0; i < command->sub_count; i++) bash_cmd(to, command, &command->subs[i]);
}

static void bash(FILE *to)
{
    fputs("# bash completion for yore\n"
          "_yore() {\n"
          "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "  local verb='' words='' globals='' w\n"
          "  globals=\"",
          to);
    bash_flags(to, cmd_global_flags, cmd_global_flag_count);
    fputs("\"\n"
          "  case \"$prev\" in\n"
          "    -b|--branch) words=\"$(yore branch list 2>/dev/null | cut -f1)\"\n"
          "      COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return ;;\n"
          "    -d|--db|-f|--file|-o|--output) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
          "    --color) COMPREPLY=($(compgen -W 'auto always never' -- \"$cur\")); return ;;\n"
          "    --sync) COMPREPLY=($(compgen -W 'commit group os none' -- \"$cur\")); return ;;\n"
          "  esac\n"
          "  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
          "    case \"$verb $w\" in *' -'*) continue ;; esac\n"
          "    case \" $w \" in\n",
          to);
    fputs("      ' ", to);
    for (size_t i = 0; i < cmd_table_count; i++) fprintf(to, "%s%s", i ? " '|' " : "", cmd_table[i]->name);
    fputs(" ') [ -z \"$verb\" ] && verb=\"$w\" ;;\n"
          "    esac\n"
          "    case \"$verb $w\" in\n",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) {
        for (size_t k = 0; k < cmd_table[i]->sub_count; k++) {
            fprintf(to, "      '%s %s') verb=\"$verb $w\" ;;\n", cmd_table[i]->name,
                    cmd_table[i]->subs[k].name);
        }
    }
    fputs("    esac\n"
          "  done\n"
          "  case \"$verb\" in\n"
          "    '') words=\"",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) fprintf(to, "%s%s", i ? " " : "", cmd_table[i]->name);
    fputs("\" ;;\n", to);
    for (size_t i = 0; i < cmd_table_count; i++) bash_cmd(to, NULL, cmd_table[i]);
    fputs("  esac\n"
          "  COMPREPLY=($(compgen -W \"$words $globals\" -- \"$cur\"))\n"
          "}\n"
          "complete -o default -F _yore yore\n",
          to);
}

/* Text inside single quotes of a shell, with `:` and brackets escaped where zsh gives them meaning. */
static void quoted(FILE *to, const char *text, const char *escape)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", to);
            continue;
        }
        if (strchr(escape, *text) != NULL) (void)putc('\\', to);
        (void)putc(*text, to);
    }
}

static void zsh_flags(FILE *to, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int form = flags[i].letter ? 0 : 1; form < 2; form++) {
            fputs(" \\\n        '", to);
            if (form == 0) {
                fprintf(to, "-%c", flags[i].letter);
            } else {
                fprintf(to, "--%s", flags[i].name);
            }
            fputs("[", to);
            quoted(to, flags[i].help, "[]:");
            fputs("]", to);
            if (flags[i].arg != NULL) fprintf(to, ":%s:_files", flags[i].arg);
            fputs("'", to);
        }
    }
}

static void zsh(FILE *to)
{
    fputs("#compdef yore\n"
          "_yore() {\n"
          "  local -a verbs\n"
          "  verbs=(\n",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) {
        fprintf(to, "    '%s:", cmd_table[i]->name);
        quoted(to, cmd_table[i]->summary, ":");
        fputs("'\n", to);
    }
    fputs("  )\n"
          "  local verb=${words[(r)",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) fprintf(to, "%s%s", i ? "|" : "(", cmd_table[i]->name);
    fputs(")]}\n"
          "  if [[ -z $verb ]]; then _describe verb verbs; fi\n"
          "  case $verb in\n",
          to);
    for (size_t i = 0; i < cmd_table_count; i++) {
        const cmd *command = cmd_table[i];
        fprintf(to, "    %s)\n", command->name);
        if (command->sub_count > 0) {
            fputs("      _values subcommand", to);
            for (size_t k = 0; k < command->sub_count; k++) {
                fprintf(to, " '%s[", command->subs[k].name);
                quoted(to, command->subs[k].summary, "[]:");
                fputs("]'", to);
            }
            fputs("\n", to);
        }
        fputs("      _arguments", to);
        zsh_flags(to, command->flags, command->flag_count);
        for (size_t k = 0; k < command->sub_count; k++) {
            zsh_flags(to, command->subs[k].flags, command->subs[k].flag_count);
        }
        zsh_flags(to, cmd_global_flags, cmd_global_flag_count);
        fputs(" \\\n        '*:argument:_files' ;;\n", to);
    }
    /* From fpath the file is the function's first call; sourced, it only registers. */
    fputs("  esac\n}\n"
          "if [[ $funcstack[1] == _yore ]]; then _yore \"$@\"; else compdef _yore yore; fi\n",
          to);
}

static void fish_flags(FILE *to, const char *condition, const cmd_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "complete -c yore%s -l %s", condition, flags[i].name);
        if (flags[i].letter) fprintf(to, " -s %c", flags[i].letter);
        if (flags[i].arg != NULL) fputs(" -r", to);
        fputs(" -d '", to);
        quoted(to, flags[i].help, "\\");
        fputs("'\n", to);
    }
}

static void fish(FILE *to)
{
    fputs("# fish completion for yore\n", to);
    fish_flags(to, "", cmd_global_flags, cmd_global_flag_count);
    fputs("complete -c yore -s b -l branch -x -a '(yore branch list 2>/dev/null | cut -f1)'\n", to);
    for (size_t i = 0; i < cmd_table_count; i++) {
        const cmd *command = cmd_table[i];
        char condition[128];
        fprintf(to, "complete -c yore -n __fish_use_subcommand -a %s -d '", command->name);
        quoted(to, command->summary, "\\");
        fputs("'\n", to);
        (void)snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'", command->name);
        fish_flags(to, condition, command->flags, command->flag_count);
        for (size_t k = 0; k < command->sub_count; k++) {
            fprintf(to, "complete -c yore%s -a %s -d '", condition, command->subs[k].name);
            quoted(to, command->subs[k].summary, "\\");
            fputs("'\n", to);
            fish_flags(to, condition, command->subs[k].flags, command->subs[k].flag_count);
        }
    }
}

bool cli_completion(FILE *to, const char *shell)
{
    static const struct {
        const char *name;
        void (*write)(FILE *to);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

    for (size_t i = 0; i < CMD_COUNT(shells); i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].write(to);
            return true;
        }
    }
    return false;
}

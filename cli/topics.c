/* Help pages that are not verbs. */
#include "cli/help.h"

const cli_topic cli_topics[] = {
    {"spec", "points in history: what --as-of and every SPEC takes",
     "A SPEC names a branch and a moment:\n"
     "\n"
     "  exp                  the newest state of branch exp\n"
     "  exp@v1042            exp as of version 1042 of the store, exactly\n"
     "  @2h, @'2 hours ago'  the branch in force (-b, YORE_BRANCH, default) two hours ago\n"
     "  exp@back:3           three commits before the newest one of exp\n"
     "  tag:rel-1            a tag; it names a branch too\n"
     "  @now @start @fork    newest, first kept state, where the branch left its parent\n"
     "  @2026-01-31          that day at 00:00; also '2026-01-31 12:00[:00[.5]]', in the display zone\n"
     "  @2026-01-31T12:00:00Z   RFC 3339, any zone\n"
     "  @today @yesterday    that day at 00:00\n"
     "  @epoch:1769860800.5  seconds since 1970\n"
     "  id:17@v5             a branch by its id, deleted or renamed\n"
     "\n"
     "--as-of takes a bare point too: --as-of v1042, --as-of '2h ago'. A bare word is read as a point\n"
     "first: fork@now is a branch called fork. Spans: ns us ms s min h d w mo y, and the long words; a bare m\n"
     "is refused, as it could be minutes or months. A time names the newest commit at or before it.\n"
     "Nothing is guessed: what is misspelt or has two readings is exit 2 with the nearest form.\n"},
    {"query", "the language of `yore search`",
     "  storm damage      documents with any of the words; --all: with every one\n"
     "  \"storm damage\"    the words next to each other, in this order\n"
     "  +storm -damage    storm is required, damage must not be there; binds a word, a phrase or a group\n"
     "  storm OR flood    either; differs from `storm flood` only with --all\n"
     "  (storm flood)     a group, as in +(storm flood) damage\n"
     "  stor*             every word that begins with stor\n"
     "\n"
     "Words are compared as they are indexed: case folded, inflection taken off (\"Storms\" is storm),\n"
     "stop words (\"the\") left out, by the language of `yore config get search.language`. Nothing is a\n"
     "syntax error: an operator that does not parse is text, and so are AND, NOT, x:y, a~1 and a^2. --strict\n"
     "tells where a query does not parse instead; --plain takes every character as text. A query of only -words\n"
     "finds nothing. At most 4,096 bytes and 256 terms. docs/search.md has the ranking and the promises.\n"},
    {"exit", "exit codes",
     "  0  done, or found\n"
     "  1  the answer is no (get, exists, search, history of a key never seen); --ok-if-none makes it 0\n"
     "  2  usage, a bad SPEC, malformed input\n"
     "  3  I/O or internal error\n"
     "  4  conflict: a precondition, cas or transaction lost\n"
     "  5  stored bytes are corrupt\n"
     "  6  history trimmed, or a version or time out of range\n"
     "  7  busy: another process writes to the store\n"
     "  8  no such store, branch or tag\n"
     "  9  refused: needs --yes, read-only, a branch with children, a name that exists\n"
     "  130  stopped by Ctrl-C (import; others end by the signal, which shells show as 130 too)\n"},
    {"codes", "error codes: `yore help CODE` explains one", NULL},
    {"output", "what is printed where, and how bytes are shown",
     "Data goes to stdout, everything else to stderr. `get KEY` into a pipe writes the value's bytes and\n"
     "nothing else; on a terminal control bytes are escaped and a newline is added. Lists are tables on a\n"
     "terminal; piped they are lines of TAB-separated fields in which \\t \\n \\r \\\\ and \\xHH stand for bytes that\n"
     "would not print, and no field is ever cut. --json writes one object a line: `value` when the bytes are\n"
     "UTF-8, else `value_b64`; times are RFC 3339 in UTC with nine digits. A commit is reported on stderr as\n"
     "`default v1042  config.theme  4 B  (was v877)`, with --json as a record on stdout.\n"},
    {"environment", "environment variables",
     "  YORE_DB      the store, when -d is not given\n"
     "  YORE_BRANCH  the branch, when -b is not given\n"
     "  NO_COLOR     no colour when set to anything\n"
     "  YORE_PAGER   a pager for long lists on a terminal, else PAGER; without either there is none\n"
     "  TZ           the display zone, when --utc-offset is not given\n"},
};
const size_t cli_topic_count = CMD_COUNT(cli_topics);

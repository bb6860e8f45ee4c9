#!/usr/bin/env python3
"""What the command does on a terminal, played on a pseudo-terminal: escapes, tables, colour, questions, progress."""
import os
import pathlib
import pty
import select
import subprocess
import sys
import tempfile

YORE = str(pathlib.Path(os.environ["YORE_BIN"]).resolve())
TIMEOUT_S = 30


def play(words, folder, typed=b"", env=()):
    """Run yore with all three streams on a terminal. Returns (what it showed, exit status)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("YORE_") and k not in ("NO_COLOR", "PAGER")}
        os.execve(YORE, [YORE, *words], {**clean, "TZ": "UTC", "TERM": "xterm", **dict(env)})
    if typed:
        os.write(fd, typed)
    shown = b""
    while True:
        ready, _, _ = select.select([fd], [], [], TIMEOUT_S)
        try:
            part = os.read(fd, 65536) if ready else b""
        except OSError:  # the terminal is gone: the command has ended
            part = b""
        if not part:
            break
        shown += part
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    return shown.replace(b"\r\n", b"\n"), os.waitstatus_to_exitcode(status)


def quietly(*words, folder, data=None):
    subprocess.run([YORE, "-q", *words], cwd=folder, input=data, check=True, stdout=subprocess.DEVNULL)


def main():
    failures = 0

    def check(fact, good, shown=b""):
        nonlocal failures
        failures += not good
        print(f"{'ok' if good else 'FAILED'}: {fact}{'' if good else ': ' + repr(shown)}")

    with tempfile.TemporaryDirectory(prefix="yore-tty-") as folder:
        quietly("init", folder=folder)
        quietly("put", "k", "-", folder=folder, data=b"a\x1b[31m\x00\n\tb\xff")
        quietly("put", "text", "line\n", folder=folder)

        shown, status = play(["get", "k"], folder)
        check("get escapes control bytes on a terminal and ends the line",
              shown == b"a\\x1b[31m\\x00\n\tb\\xff\n" and status == 0, shown)
        shown, _ = play(["get", "text"], folder)
        check("get adds no second newline", shown == b"line\n", shown)

        shown, _ = play(["ls", "-l"], folder)
        check("a table has a header in bold and aligned columns",
              shown.startswith(b"\x1b[1mKEY ") and b"OP\x1b[0m\nk     v2       2" in shown, shown)
        quietly("put", "w" * 500, "wide", folder=folder)
        shown, _ = play(["ls", "--values"], folder)
        check("a very long cell is shown whole and does not widen the other rows",
              b"w" * 500 in shown and max(map(len, shown.split(b"\n")[:3])) < 100, shown)
        quietly("del", "w" * 500, folder=folder)
        shown, _ = play(["ls", "-l"], folder, env=[("NO_COLOR", "1")])
        check("NO_COLOR takes the colour away", shown.startswith(b"KEY "), shown)
        shown, _ = play(["ls", "-l", "--color", "always"], folder, env=[("NO_COLOR", "1")])
        check("--color always wins over NO_COLOR", shown.startswith(b"\x1b[1mKEY"), shown)
        shown, _ = play(["ls"], folder, env=[("YORE_PAGER", "sed s/^/page:/"), ("NO_COLOR", "1")])
        check("a list goes through the pager that is named", shown == b"page:k\npage:text\n", shown)
        for env in ([("PAGER", "false"), ("YORE_PAGER", "")], [("PAGER", "cat")], [],
                    [("PAGER", "false"), ("TERM", "dumb")]):
            shown, _ = play(["ls"], folder, env=[("NO_COLOR", "1"), *env])
            check(f"no pager with {env}", shown == b"k\ntext\n", shown)
        shown, status = play(["ls"], folder, env=[("PAGER", "true")])
        check("a pager that is left early ends the command in silence", shown == b"", shown)
        shown, _ = play(["get", "text"], folder, env=[("PAGER", "sed s/^/page:/")])
        check("a value is not paged", shown == b"line\n", shown)
        quietly("put", "sea", "-", folder=folder, data=b"A storm rose\n\tover \x1b[31mthe sea" + 40 * b", on and on")
        shown, status = play(["search", "storm", "--snippet", "40"], folder)
        check("search puts the snippet under the key, marks the words, folds blanks and escapes control bytes",
              shown.endswith(b"A \x1b[1;31mstorm\x1b[0m rose over \\x1b[31mthe sea, on and\xe2\x80\xa6\n")
              and status == 0, shown)
        check("search shows rank, score, key and version in a line",
              b"  1   0." in shown and b"sea\x1b[0m  \x1b[2mv" in shown, shown)
        shown, _ = play(["search", "storm"], folder, env=[("NO_COLOR", "1")])
        check("search without colour marks nothing", b"\x1b" not in shown and b"A storm rose over" in shown, shown)
        shown, _ = play(["search", "storm", "--highlight", "ansi"], folder, env=[("NO_COLOR", "1")])
        check("--highlight ansi marks all the same", b"\x1b[1;31mstorm\x1b[0m" in shown, shown)
        shown, _ = play(["search", "storm line", "-k", "1"], folder)
        check("search says when there are more hits", b"1 of 2 hits; -k shows more" in shown, shown)
        quietly("del", "sea", folder=folder)

        quietly("put", "noted", "-", "-m", "subject\n\nbody", folder=folder, data=b"1")
        for words in (["history", "noted"], ["log", "-n", "1"]):
            shown, _ = play(words, folder)
            check(f"{words[0]} shows the first line of a note", shown.endswith(b"subject\n"), shown)

        shown, _ = play(["at", "@now"], folder, env=[("TZ", "Asia/Kolkata")])
        check("times are in the display zone", b"+05:30" in shown, shown)
        shown, _ = play(["at", "@now"], folder, env=[("TZ", "UTC")])
        check("UTC is shown as Z", shown.rstrip().endswith(b"Z"), shown)

        for words in (["put", "x", "-"], ["put", "--stdin"], ["put", "x", "-f", "-"]):
            shown, status = play(words, folder)
            check(f"'yore {' '.join(words)}' shows its help instead of waiting",
                  b"usage: yore put" in shown and status == 2, shown)

        shown, status = play(["import", "-"], folder)
        check("'yore import -' does, too", b"usage: yore import" in shown and status == 2, shown)

        quietly("branch", "create", "exp", folder=folder)
        shown, status = play(["branch", "delete", "exp"], folder, typed=b"n\n")
        check("branch delete asks, and no means no", b"delete branch 'exp'? [y/N]" in shown and status == 9, shown)
        shown, status = play(["branch", "delete", "exp"], folder, typed=b"y\n")
        check("branch delete asks, and y deletes", b"deleted, 1 branch in all" in shown and status == 0, shown)
        shown, status = play(["get", "none"], folder)
        check("errors are coloured", b"\x1b[31merror[NOT_FOUND]:\x1b[0m" in shown and status == 1, shown)
        shown, status = play(["log", "--json"], folder)
        check("--json has neither colour nor header", shown.startswith(b'{"version":') and status == 0, shown)
    print(f"terminal: {'FAILED' if failures else 'passed'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

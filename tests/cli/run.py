#!/usr/bin/env python3
"""Runs the case files of the command line: commands, and exactly what they print and return.

    run.py [--update] [NAME...]     NAME = a case without .case; --update rewrites what is expected

A case runs top to bottom in one empty directory, with `yore` (YORE_BIN) in the PATH. Its lines:

    # words                 comment
    $ command               run by bash with pipefail; `> ` lines go on with it
    | text                  a line of its stdout
    ! text                  a line of its stderr
    = N                     its exit status; no line means 0

`...` in an expected line stands for any text, a line of only `...` for any lines. A last line that does not end
with a newline is followed by a line `| \\` (or `! \\`). After the cases the runner checks that every verb, flag and
exit status was seen, so a new one without a case fails.
"""
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 120
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


class Step:
    def __init__(self, command, line):
        self.command, self.line = command, line
        self.out, self.err, self.status = [], [], 0


def parse(text):
    """[comment or blank line as str, or Step]"""
    items = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line.startswith("$ "):
            items.append(Step(line[2:], number))
        elif line.startswith("> "):
            items[-1].command += "\n" + line[2:]
        elif line.startswith("|"):
            items[-1].out.append(line[2:])
        elif line.startswith("!"):
            items[-1].err.append(line[2:])
        elif line.startswith("= "):
            items[-1].status = int(line[2:])
        elif not line or line.startswith("#"):
            items.append(line)
        else:
            sys.exit(f"line {number}: not understood: {line}")
    return items


def lines_of(data):
    """Output as expected lines. Blanks at the end of a line do not count: the case files have none."""
    text = data.decode("utf-8", "backslashreplace")
    text = re.sub(r"[ \t\r]+$", "", text, flags=re.M)
    if not text:
        return []
    if text.endswith("\n"):
        return text[:-1].split("\n")
    return text.split("\n") + ["\\"]


def pattern(line):
    return "[^\n]*?".join(re.escape(piece) for piece in line.split("..."))


def matches(expected, actual):
    regex = ""
    for line in expected:
        regex += r"(?:[^\n]*\n)*?" if line == "..." else pattern(line) + "\n"
    return re.fullmatch(regex, "".join(line + "\n" for line in actual)) is not None


def environment(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith("YORE_")}
    env["PATH"] = f"{pathlib.Path(os.environ['YORE_BIN']).resolve().parent}:{env['PATH']}"
    env.update(LC_ALL="C.UTF-8", TZ="UTC", TERM="dumb", HOME=str(folder), CASES=str(HERE))
    env.pop("NO_COLOR", None)
    return env


def perform(step, folder, env):
    done = subprocess.run(["bash", "-o", "pipefail", "-c", step.command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT_S)
    return lines_of(done.stdout), lines_of(done.stderr), done.returncode


def generalised(lines, folder):
    """What differs from run to run becomes `...`."""
    host = f"host {platform.node()}"
    return [TIME.sub("...", line.replace(folder, "...").replace(host, "host ...")) for line in lines]


def run_case(path, update):
    items = parse(path.read_text())
    failures, seen = [], []
    with tempfile.TemporaryDirectory(prefix="yore-cli-") as folder:
        env = environment(folder)
        for step in [item for item in items if isinstance(item, Step)]:
            out, err, status = perform(step, folder, env)
            seen.append((step.command, status))
            good = matches(step.out, out) and matches(step.err, err) and status == step.status
            if good:
                continue
            failures.append(f"{path.name}:{step.line}: {step.command}")
            for mark, expected, actual in (("|", step.out, out), ("!", step.err, err)):
                if not matches(expected, actual):
                    failures += [f"    expected {mark} {x}" for x in expected]
                    failures += [f"    got      {mark} {x}" for x in actual]
            if status != step.status:
                failures.append(f"    expected = {step.status}\n    got      = {status}")
            step.out = step.out if matches(step.out, out) else generalised(out, folder)
            step.err = step.err if matches(step.err, err) else generalised(err, folder)
            step.status = status
    if update and failures:
        path.write_text(render(items))
    return failures, seen


def render(items):
    out = []
    for item in items:
        if isinstance(item, str):
            out.append(item)
            continue
        out.append("$ " + item.command.replace("\n", "\n> "))
        out += [f"| {x}".rstrip() for x in item.out] + [f"! {x}".rstrip() for x in item.err]
        if item.status:
            out.append(f"= {item.status}")
    return "\n".join(out) + "\n"


def table_from_help(env):
    """[(words of a verb, its long flags)] and the global flags, read from the command's own help."""
    def ask(*words):
        return subprocess.run(["yore", "help", *words], env=env, capture_output=True, text=True, check=True).stdout

    overview = ask()
    verbs = re.findall(r"^  ([\w-]+) +\S", overview.split("verbs:\n")[1].split("\nglobal")[0], re.M)
    found = []
    for verb in verbs:
        page = ask(verb)
        subs = re.findall(r"^  ([\w-]+) +\S", page.split("subcommands:\n")[1], re.M) if "subcommands:\n" in page else []
        for words in [[verb, sub] for sub in subs] or [[verb]]:
            found.append((words, re.findall(r"^  (?:-\w,|   ) --([\w-]+)", ask(*words), re.M)))
    return found, re.findall(r"^  (?:-\w,|   ) --([\w-]+)", overview, re.M)


def coverage(seen, env):
    """What the cases leave out."""
    commands = [c for c, _ in seen]
    verbs, global_flags = table_from_help(env)
    letters = {"file": "f", "message": "m", "verbose": "V", "output": "o", "long": "l", "number": "n", "patch": "p",
               "db": "d", "branch": "b", "quiet": "q", "help": "h"}

    def used(flag, where):
        forms = rf"--{flag}\b" + (rf"|\s-\w*{letters[flag]}" if flag in letters else "")
        return any(re.search(forms, c) for c in where)

    for words, flags in verbs:
        where = [c for c in commands if re.search(r"\b" + r"\b[^|;&\n]*?\b".join(words) + r"\b", c)]
        if not where:
            yield f"no case runs 'yore {' '.join(words)}'"
        yield from (f"no case uses 'yore {' '.join(words)} --{f}'" for f in flags if not used(f, where))
    yield from (f"no case uses the global flag --{f}" for f in global_flags if not used(f, commands))
    statuses = {status for _, status in seen}
    yield from (f"no case ends with exit {n}" for n in range(10) if n not in statuses)


def main():
    update = "--update" in sys.argv
    names = [a for a in sys.argv[1:] if a != "--update"]
    cases = sorted((HERE / "cases").glob("*.case"))
    failures, seen = [], []
    for path in [c for c in cases if not names or c.stem in names]:
        failed, ran = run_case(path, update)
        failures += failed
        seen += ran
        print(f"{path.stem}: {len(ran)} commands, {'FAILED' if failed else 'ok'}")
    if not names:
        failures += coverage(seen, environment(HERE))
    for line in failures:
        print(line)
    print(f"{len(seen)} commands in {len(cases)} cases: {'FAILED' if failures else 'passed'}")
    return 1 if failures and not update else 0


if __name__ == "__main__":
    sys.exit(main())

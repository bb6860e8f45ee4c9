#!/usr/bin/env python3
"""Style that a formatter does not see: lengths, names, leftovers.

Functions over FUNCTION_LINES and files over FILE_LINES are questions, not crimes: those that have an
answer are listed in style_ratchet.txt with their length and may only get shorter. `--update` rewrites it.
"""
import collections
import pathlib
import re
import sys

import tree

FUNCTION_LINES = 70
FILE_LINES = 1000
LINE_COLUMNS = 120
RATCHET = "tests/tools/style_ratchet.txt"
BINARY = (".bin", ".png", ".xz", ".gz", ".yore", ".log", ".wal")
# Spelt so that this file passes its own check.
MACHINE_PATH = re.compile(r"(?<![\w.*)}$])/(?:wor[k]|roo[t]|hom[e])/\w")
TEMP_PATH = re.compile(r"(?<![\w.*)}$])/tm[p]/")
DUE = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b(?P<rest>.*)")
DUE_FORM = re.compile(r"\([a-z]+\): .{10,}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def functions(name):
    """Yields (function name, lines): a `{` alone in column 0 up to the `}` in column 0."""
    lines = tree.code(name).split("\n")
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{":
            start = i
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 6):start])
            names = re.findall(r"(\w+)\s*\(", head.split("}")[-1].split(";")[-1])
            yield (names[0] if names else f"line {start}"), i - start + 1
            start = None


def text_problems(name):
    raw = (tree.ROOT / name).read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if raw and not raw.endswith(b"\n"):
        yield f"{name}: no newline at the end"
    source = name.endswith((".c", ".h", ".py", ".sh", ".cmake", "CMakeLists.txt")) or name == "dev"
    shipped = not name.startswith("tests/")
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{name}:{number}"
        if line != line.rstrip():
            yield f"{where}: blanks at the end of the line"
        if "\t" in line and source:
            yield f"{where}: a tab"
        if CONTROL.search(line.replace("\t", "")):
            yield f"{where}: a control character"
        if source and len(line) > LINE_COLUMNS:
            yield f"{where}: {len(line)} columns (at most {LINE_COLUMNS})"
        if MACHINE_PATH.search(line) or (shipped and TEMP_PATH.search(line)):
            yield f"{where}: a path of one machine"
        todo = DUE.search(line) if source else None
        if todo and not DUE_FORM.match(todo.group("rest")):
            yield f"{where}: write it as an issue, or name who and the condition that makes it due"
        if name.endswith((".c", ".h")) and re.match(r"\s*#\s*if\s+0\b", line):
            yield f"{where}: dead code"


def lengths():
    """{subject: lines} of everything over its aim."""
    over = {}
    for name in tree.files(".c", ".h", ".py", ".sh"):
        count = tree.text(name).count("\n")
        if count > FILE_LINES:
            over[name] = count
        if name.endswith(".c"):
            for function, lines in functions(name):
                if lines > FUNCTION_LINES:
                    over[f"{name}:{function}"] = lines
    return over


def ratchet_problems(over):
    path = tree.ROOT / RATCHET
    rows = [line.rsplit(" ", 1) for line in path.read_text().splitlines() if line and not line.startswith("#")]
    allowed = {subject: int(lines) for subject, lines in rows}
    for subject, lines in sorted(over.items()):
        if subject not in allowed:
            yield f"{subject}: {lines} lines (aim {FUNCTION_LINES} a function, {FILE_LINES} a file)"
        elif lines > allowed[subject]:
            yield f"{subject}: grew from {allowed[subject]} to {lines} lines"
    for subject in sorted(set(allowed) - set(over)):
        yield f"{RATCHET}: '{subject}' is within the aim now: run check_style.py --update"


def main(arguments):
    over = lengths()
    if arguments == ["--update"]:
        head = "# Longer than the aim, with their length: may shrink, never grow. Written by check_style.py --update.\n"
        rows = "".join(f"{subject} {lines}\n" for subject, lines in sorted(over.items()))
        (tree.ROOT / RATCHET).write_text(head + rows)
        return 0
    names = [n for n in tree.files() if not n.endswith(BINARY) and not n.startswith("tests/format/golden")]
    problems = [p for name in names for p in text_problems(name)]
    problems += ratchet_problems(over)
    by_name = collections.defaultdict(list)
    for name in tree.files(".c", ".h"):
        by_name[pathlib.PurePath(name).name].append(name)
    problems += [f"the same name twice: {' '.join(same)}" for same in by_name.values() if len(same) > 1]
    return tree.finish("style", problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

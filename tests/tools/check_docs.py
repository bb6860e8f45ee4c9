#!/usr/bin/env python3
"""Runs the commands and programs that the documentation shows.

Every ```console block of README.md and docs/ is run, a document's blocks in order in one empty directory with
`yore` (the one at YORE_BIN) in the PATH and no YORE_ variable set. In a block

    $ command          is run by bash, with pipefail; it must succeed
    ? command          is run too, and must fail
    other lines        are the output (both streams) of the command above, and compared

A `...` stands for any text within a line, a line of only `...` for any lines. `(exit N)` as the last line of an
output is the exit status a `?` command must have. Commands without output lines may print what they like.
`$GIT_PROJECT` is this repository.

Every ```c block with a main is a program: it must compile without a warning as C11 against the built library,
run, and print what the ```output block right behind it says.

Links to files of the tree must lead somewhere, too.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import tree

BLOCK = re.compile(r"^```console[^\n]*\n(.*?)^```", re.S | re.M)
PROGRAM = re.compile(r"^```c\n(.*?)^```(?:\n+```output\n(.*?)^```)?", re.S | re.M)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
TIMEOUT_S = 120
# what yore.pc names for the static one
LIBRARIES = ("-lstemmer", "-lutf8proc", "-lunistring", "-lzstd", "-lyajl", "-lm", "-lpthread")


def documents():
    names = [n for n in tree.files(".md") if n == "README.md" or n.startswith("docs/")]
    return [n for n in names if not n.startswith("docs/decisions/")]


def steps(block):
    """[(prompt, command, expected lines, line offset)]"""
    out = []
    for offset, line in enumerate(block.split("\n")):
        if line.startswith(("$ ", "? ")):
            out.append((line[0], line[2:], [], offset))
        elif line.startswith("> ") and out and not out[-1][2]:
            out[-1] = (out[-1][0], out[-1][1] + "\n" + line[2:], [], out[-1][3])
        elif out and (line or out[-1][2]):
            out[-1][2].append(line)
    for _, _, expected, _ in out:
        while expected and not expected[-1]:
            expected.pop()
    return out


def matches(expected, actual):
    """Is `actual` text what the lines `expected` describe?"""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*?".join(re.escape(piece) for piece in line.rstrip().split("...")) + r"[ \t]*\n"
    text = actual if not actual or actual.endswith("\n") else actual + "\n"
    return re.fullmatch(pattern, text) is not None


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("YORE_")}
    env["PATH"] = f"{pathlib.Path(os.environ['YORE_BIN']).parent}:{env['PATH']}"
    env.update(GIT_PROJECT=str(tree.ROOT), LC_ALL="C.UTF-8", TZ="UTC", NO_COLOR="1", TERM="dumb")
    return env


def run(step, folder, env):
    """None when the step behaves as documented, else what was wrong."""
    prompt, command, expected, _ = step
    status = None
    if expected and re.fullmatch(r"\(exit \d+\)", expected[-1]):
        status = int(expected[-1][6:-1])
        expected = expected[:-1]
    try:
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, env=env, timeout=TIMEOUT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return f"took more than {TIMEOUT_S} s"
    printed = done.stdout.decode("utf-8", "replace")
    if prompt == "$" and done.returncode:
        return f"failed with {done.returncode}:\n{printed}"
    if prompt == "?" and (done.returncode == 0 or status not in (None, done.returncode)):
        return f"ended with {done.returncode}, not {status or 'a failure'}:\n{printed}"
    if expected and not matches(expected, printed):
        return "printed\n" + printed + "instead of\n" + "\n".join(expected)
    return None


def run_document(name, count):
    source, env = tree.text(name), environment()
    with tempfile.TemporaryDirectory(prefix="yore-docs-") as folder:
        for block in BLOCK.finditer(source):
            first = tree.line_of(source, block.start(1))
            for step in steps(block.group(1)):
                count[0] += 1
                problem = run(step, folder, env)
                if problem:
                    yield f"{name}:{first + step[3]}: `{step[1]}` {problem}"
                    return  # later commands build on this one


def run_programs(name, count):
    source, build = tree.text(name), pathlib.Path(os.environ["YORE_BUILD_DIR"])
    compiler = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                f"-I{tree.ROOT}/include"]
    with tempfile.TemporaryDirectory(prefix="yore-docs-") as folder:
        for match in PROGRAM.finditer(source):
            if "int main(" not in match.group(1):
                continue
            count[0] += 1
            where = f"{name}:{tree.line_of(source, match.start(1))}"
            (pathlib.Path(folder) / "program.c").write_text(match.group(1))
            built = subprocess.run([*compiler, "program.c", str(build / "libyore.a"), *LIBRARIES, "-o", "program"],
                                   cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if built.returncode:
                yield f"{where}: does not compile:\n{built.stdout}"
                continue
            expected = (match.group(2) or "").splitlines()
            problem = run(("$", "./program", expected, 0), folder, environment())
            if problem:
                yield f"{where}: the program {problem}"


def dead_links(name):
    source = tree.text(name)
    for match in LINK.finditer(source):
        target = match.group(1)
        if "://" not in target and not (tree.ROOT / name).parent.joinpath(target).exists():
            yield f"{name}:{tree.line_of(source, match.start())}: dead link {target}"


def main():
    count = [0]
    problems = [p for n in tree.files(".md") for p in dead_links(n)]
    for name in documents():
        problems += list(run_document(name, count))
        problems += list(run_programs(name, count))
    if not count[0]:
        problems.append("no command found in README.md and docs/")
    print(f"docs: {count[0]} commands and programs run")
    return tree.finish("docs", problems)


if __name__ == "__main__":
    sys.exit(main())

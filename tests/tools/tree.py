"""The files of the tree, and C source with comments and literals blanked out. Used by the check_*.py tools."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = {".git", "build", "__pycache__", ".yore"}


def files(*suffixes):
    """Paths relative to the root, sorted: what git knows or would add, else (a tarball) what is there."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
        names = [n for n in listed if n and (ROOT / n).is_file()]
    else:
        names = []
        for folder, folders, here in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in SKIP]
            names += [os.path.relpath(os.path.join(folder, n), ROOT) for n in here]
    return sorted({n for n in names if not suffixes or n.endswith(suffixes)})


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code(name):
    """C source with comments and string and character literals turned to blanks; lines keep their numbers."""
    return _TOKEN.sub(_blank, text(name))


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def finish(tool, problems):
    """Print the problems and give the exit status."""
    for problem in problems:
        print(problem)
    print(f"{tool}: {len(problems)} problems" if problems else f"{tool}: ok")
    return 1 if problems else 0

#!/usr/bin/env python3
"""What the built libraries define: check_symbols.py BUILD_DIR [--update]

static   every global symbol starts with yore_ or yr_
shared   exactly the functions the public headers declare, and exactly tests/api/symbols.txt
"""
import pathlib
import re
import subprocess
import sys

import tree
from check_headers import FUNCTION

GOLDEN = "tests/api/symbols.txt"


def nm(*arguments):
    out = subprocess.run(["nm", "--defined-only", "--format=posix", *arguments], check=True, capture_output=True,
                         text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return {row[0].split("@")[0] for row in rows if len(row) >= 2 and len(row[1]) == 1 and row[1] not in "aA"}


def declared():
    names = set()
    for header in tree.files(".h"):
        if header.startswith("include/"):
            for match in FUNCTION.finditer(tree.text(header)):
                if match.group().startswith("YORE_API"):
                    names.add(match.group(1))
    return names


def main(arguments):
    build = pathlib.Path(arguments[0])
    problems = []
    for symbol in sorted(nm("-g", str(build / "libyore.a"))):
        if not re.match(r"(yore|yr)_", symbol):
            problems.append(f"libyore.a: global symbol '{symbol}' starts with neither yore_ nor yr_")
    exported = nm("-D", str(build / "libyore.so"))
    golden = tree.ROOT / GOLDEN
    if arguments[1:] == ["--update"]:
        golden.write_text("".join(f"{symbol}\n" for symbol in sorted(exported)))
    listed = set(golden.read_text().split())
    problems += [f"libyore.so: exports '{s}', which {GOLDEN} does not list" for s in sorted(exported - listed)]
    problems += [f"libyore.so: '{s}' of {GOLDEN} is gone" for s in sorted(listed - exported)]
    problems += [f"libyore.so: '{s}' is declared but not there" for s in sorted(declared() - exported)]
    problems += [f"libyore.so: exports '{s}', which no header declares" for s in sorted(exported - declared())]
    return tree.finish("symbols", problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

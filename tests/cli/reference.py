#!/usr/bin/env python3
"""The reference part of docs/cli.md is what `yore help --markdown` prints. --update rewrites it."""
import os
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/cli.md"
MARK = "<!-- below: yore help --markdown (tests/cli/reference.py --update) -->\n"


def main():
    told = subprocess.run([os.environ["YORE_BIN"], "help", "--markdown"], capture_output=True, text=True, check=True)
    before, mark, after = PAGE.read_text().partition(MARK)
    if not mark:
        sys.exit(f"{PAGE.name} has lost the line {MARK}")
    if after.strip() == told.stdout.strip():
        print("docs/cli.md: passed")
        return 0
    if "--update" in sys.argv:
        PAGE.write_text(before + MARK + "\n" + told.stdout.strip() + "\n")
        return 0
    print("docs/cli.md is not what the command says: run tests/cli/reference.py --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())

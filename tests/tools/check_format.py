#!/usr/bin/env python3
"""clang-format 14 over every C file; `--fix` rewrites them."""
import subprocess
import sys

import tree


def main(arguments):
    names = tree.files(".c", ".h")
    mode = ["-i"] if arguments == ["--fix"] else ["--dry-run", "-Werror"]
    run = subprocess.run(["clang-format-14", *mode, *names], cwd=tree.ROOT, stderr=subprocess.PIPE, text=True)
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    if run.returncode and not wrong:
        print(run.stderr)
        return run.returncode
    return tree.finish("format", [f"{name}: run ./dev format" for name in wrong])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

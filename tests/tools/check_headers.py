#!/usr/bin/env python3
"""Every function of the public headers says what it returns, which threads may call it and what it costs."""
import re
import sys

import tree

WORDS = ("Returns", "Threads", "Cost")
FUNCTION = re.compile(r"^(?:YORE_API|static inline)\b[^;{]*?\b(yore_\w+)\s*\(", re.M)
COMMENT = re.compile(r"/\*(?:(?!\*/).)*\*/\s*\Z", re.S)


def check(name):
    source = tree.text(name)
    for match in FUNCTION.finditer(source):
        comment = COMMENT.search(source, 0, match.start())
        said = comment.group() if comment else ""
        missing = [word for word in WORDS if not re.search(rf"\b{word}\b", said)]
        if missing:
            yield f"{name}:{tree.line_of(source, match.start())}: {match.group(1)} does not say: {', '.join(missing)}"


def main():
    names = [n for n in tree.files(".h") if n.startswith("include/")]
    found = sum(len(FUNCTION.findall(tree.text(n))) for n in names)
    problems = [p for n in names for p in check(n)]
    if not found:
        problems.append("include/: no public function found")
    return tree.finish("headers", problems)


if __name__ == "__main__":
    sys.exit(main())

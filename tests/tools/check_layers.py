#!/usr/bin/env python3
"""Who may include whom, and who may talk to the operating system.

A folder may include itself, everything below it in the table (transitively) and the public headers. The
command and the benchmark see <yore.h> only. Nothing but engine/base makes a system call or allocates.
"""
import re
import sys

import tree

# folder -> the folders it may include directly; what those may include is included.
BELOW = {
    "engine/base": [],
    "index": ["engine/base"],
    "engine/json": ["engine/base"],
    "engine/format": ["engine/base"],
    "engine/wal": ["engine/format"],
    "engine/segment": ["engine/format", "index"],
    "engine/compact": ["engine/segment"],
    "engine/retention": ["engine/compact"],
    "engine/mem": ["index", "engine/format"],
    "engine/layers": ["engine/mem", "engine/segment"],
    "engine/branch": ["engine/layers"],
    "engine/diff": ["engine/branch"],
    "engine/undo": ["engine/layers"],
    "engine/mvcc": ["engine/branch", "engine/wal"],
    "engine/merge": ["engine/mvcc", "engine/diff", "engine/json"],
    "engine/maintain": ["engine/mvcc", "engine/compact"],
    "engine/db": ["engine/maintain", "engine/retention", "engine/diff", "engine/merge", "engine/undo"],
    "engine/backup": ["engine/db", "engine/segment"],
    "engine/bundle": ["engine/backup"],
    "engine/salvage": ["engine/backup"],
    "search/analysis": ["engine/base"],
    "search/query": ["search/analysis"],
    "search/snippet": ["search/query"],
    "search/index": ["search/analysis"],
    "search/score": ["search/index", "search/query"],
    "search/db": ["search/score", "search/snippet", "engine/db"],
}
# Libraries that a folder may call, by their headers.
LIBRARIES = {
    "engine/json": {"yajl/yajl_parse.h"},
    "engine/segment": {"zdict.h", "zstd.h", "zstd_errors.h"},
    "search/analysis": {"libstemmer.h", "unictype.h", "unistring/version.h", "uniwbrk.h", "utf8proc.h"},
    "search/snippet": {"unictype.h", "unigbrk.h", "unistr.h", "utf8proc.h"},
}
FRONT = ("cli", "bench", "docs")  # built on the public API alone

STANDARD = {
    "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
    # the compiler's own
    "emmintrin.h", "immintrin.h", "sanitizer/asan_interface.h",
}
SYSTEM_CALLS = re.compile(
    r"(?<![\w>.])(open|openat|close|read|write|pread|pwrite|lseek|fsync|fdatasync|ftruncate|rename|renameat|unlink"
    r"|unlinkat|mkdir|opendir|mmap|munmap|madvise|msync|fcntl|flock|ioctl|stat|fstat|fopen|fclose|fread|fwrite|printf"
    r"|fprintf|puts|clock_gettime|clock|time|gettimeofday|nanosleep|usleep|sleep|sched_yield|getrandom|getpid|fork"
    r"|malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|abort|exit|getenv|syscall|pthread_\w+|thrd_\w+)"
    r"\s*\(")
BANNED = re.compile(
    r"(?<![\w>.])(strcpy|strcat|strncpy|sprintf|vsprintf|atoi|atol|atoll|atof|strtok|rand|srand|gets|alloca|assert"
    r"|atomic_thread_fence)\s*\(")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def reach(folder):
    seen, todo = {folder}, [folder]
    while todo:
        for below in BELOW[todo.pop()]:
            if below not in seen:
                seen.add(below)
                todo.append(below)
    return seen


def folder_of(name):
    """The longest known folder that holds a file."""
    known = [f for f in (*BELOW, *FRONT, "include", "tests") if name.startswith(f + "/")]
    return max(known, key=len) if known else None


def include_problem(name, folder, kind, target):
    if folder == "tests":
        return None
    if folder == "include":
        if kind == "<" and (target in STANDARD or target.startswith("yore/")):
            return None
        return "a public header includes only C's own headers and <yore/...>"
    public = kind == "<" and (target == "yore.h" or target.startswith("yore/"))
    if folder in FRONT:
        if public:
            return None if target == "yore.h" else "include <yore.h>, the umbrella"
        if kind == '"' and folder_of(target) not in (folder,):
            return f"{folder} sees only <yore.h> and itself"
        return None
    if public:
        return None
    if kind == '"':
        if folder_of(target) is None:
            return "write includes from the root of the tree"
        return None if folder_of(target) in reach(folder) else f"{folder} may not include {folder_of(target)}"
    if folder == "engine/base" or target in STANDARD or target in LIBRARIES.get(folder, ()):
        return None
    return "outside engine/base only C's own headers"


def check(name):
    folder = folder_of(name)
    if folder is None:
        yield f"{name}:1: C source outside the known folders"
        return
    raw, code = tree.text(name), tree.code(name)
    for match in INCLUDE.finditer(raw):
        problem = include_problem(name, folder, match.group(1), match.group(2))
        if problem:
            yield f"{name}:{tree.line_of(raw, match.start())}: includes {match.group(2)}: {problem}"
    if folder == "include":
        return
    if folder in BELOW and folder != "engine/base":
        for match in SYSTEM_CALLS.finditer(code):
            yield f"{name}:{tree.line_of(code, match.start())}: {match.group(1)}() outside engine/base"
    for match in BANNED.finditer(code):
        if not (folder == "tests" and match.group(1) == "assert"):
            yield f"{name}:{tree.line_of(code, match.start())}: {match.group(1)}() is banned"


def main():
    return tree.finish("layers", [p for name in tree.files(".c", ".h") for p in check(name)])


if __name__ == "__main__":
    sys.exit(main())

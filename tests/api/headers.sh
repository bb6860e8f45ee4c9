#!/usr/bin/env bash
# Public headers: each compiles alone, twice in a row, as C11 -pedantic and as C++17. Internal headers: each
# compiles alone as C17.
set -euo pipefail
cd "$YORE_SOURCE_DIR"
failed=0
count=0

try() { # COMPILER... HEADER: the two includes prove the include guard
    local header=${*: -1}
    count=$((count + 1))
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" | "${@:1:$#-1}" -fsyntax-only - || {
        printf 'failed: %s\n' "$*"
        failed=1
    }
}

warnings=(-Wall -Wextra -Wpedantic -pedantic-errors -Werror -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual)
public=$(cd include && find . -name '*.h' | sed 's,^\./,,' | sort)
for header in $public; do
    try "${CC:-gcc}" -x c -std=c11 "${warnings[@]}" -Wstrict-prototypes -Iinclude "$header"
    try "${CXX:-g++}" -x c++ -std=c++17 "${warnings[@]}" -Wold-style-cast -Wzero-as-null-pointer-constant \
        -Iinclude "$header"
done
for header in $(find engine index cli bench -name '*.h' | sort); do
    try "${CC:-gcc}" -x c -std=c17 "${warnings[@]}" -Wno-pedantic -I. -Iinclude "$header"
done
printf '%d headers compiled\n' "$count"
exit $failed

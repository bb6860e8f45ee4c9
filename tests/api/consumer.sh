#!/usr/bin/env bash
# An installed yore, moved to another directory, serves a stranger's project through find_package (shared and
# static) and through pkg-config (shared and static).
set -euo pipefail

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
consumer=$YORE_SOURCE_DIR/tests/api/consumer
export CMAKE_GENERATOR=Ninja

cmake --install "$YORE_BUILD_DIR" --prefix "$temp/first" >"$temp/install.log" || { cat "$temp/install.log"; exit 1; }
mv "$temp/first" "$temp/prefix" # whatever names the first place is broken now
libdir=$(dirname "$(find "$temp/prefix" -name libyore.a)")

expect() { # WHAT PROGRAM
    local out
    out=$(LD_LIBRARY_PATH="$libdir" "$2")
    [ "$out" = "old value, new value" ] || { printf '%s: printed "%s"\n' "$1" "$out"; exit 1; }
    printf 'ok: %s\n' "$1"
}

for static in OFF ON; do
    cmake -S "$consumer" -B "$temp/cmake-$static" -DCMAKE_PREFIX_PATH="$temp/prefix" \
        -DYORE_USE_STATIC_LIBS=$static >"$temp/log" 2>&1 &&
        cmake --build "$temp/cmake-$static" >>"$temp/log" 2>&1 || { cat "$temp/log"; exit 1; }
    expect "find_package, static $static" "$temp/cmake-$static/consumer"
done
needs_libyore() { [[ $(ldd "$1") == *libyore* ]]; } # no pipe: a grep that ends early would fail it
needs_libyore "$temp/cmake-OFF/consumer" || { echo 'the shared consumer is not shared'; exit 1; }
if needs_libyore "$temp/cmake-ON/consumer"; then echo 'the static consumer is not static'; exit 1; fi

export PKG_CONFIG_PATH=$libdir/pkgconfig
if pkg-config --variable=prefix yore | grep -q "$temp/first"; then echo 'yore.pc is not relocatable'; exit 1; fi
# shellcheck disable=SC2046
${CC:-cc} "$consumer/consumer.c" $(pkg-config --cflags --libs yore) -o "$temp/pc-shared"
expect 'pkg-config, shared' "$temp/pc-shared"
# shellcheck disable=SC2046
${CC:-cc} "$consumer/consumer.c" $(pkg-config --cflags yore) "$libdir/libyore.a" \
    $(pkg-config --static --libs yore | sed 's/-lyore\b//') -o "$temp/pc-static"
expect 'pkg-config, static' "$temp/pc-static"

# The same bytes wherever they were built; debug builds keep the paths that debuggers open.
if ! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Debug$' "$YORE_BUILD_DIR/CMakeCache.txt"; then
    for file in "$libdir/libyore.so" "$libdir/libyore.a" "$temp/prefix/bin/yore"; do
        if LC_ALL=C grep -qaF -e "$YORE_BUILD_DIR" -e "$YORE_SOURCE_DIR/" "$file"; then
            echo "${file##*/} names the directory it was built in"
            exit 1
        fi
    done
    echo 'ok: no paths of the build'
fi

"$temp/prefix/bin/yore" version >/dev/null
for file in man/man1/yore.1 bash-completion/completions/yore zsh/site-functions/_yore \
    fish/vendor_completions.d/yore.fish; do
    [ -s "$temp/prefix/share/$file" ] || { echo "share/$file is not installed"; exit 1; }
done
echo 'ok: the installed command'

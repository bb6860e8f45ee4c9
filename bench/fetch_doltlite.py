#!/usr/bin/env python3
"""Gets DoltLite's shell for the benchmark into a directory: fetch_doltlite.py DIR

One version of the npm package @dolthub/doltlite, by npm, checked against its hash; nothing of it is installed
or run but the prebuilt shell for Linux on x86-64. That was linked against glibc 2.38, for three functions.
Where glibc is older, a copy is made that does not insist on the version, and a small library gives it the
three. Ends with DIR/doltlite, a script that starts the shell.
"""
import base64
import hashlib
import os
import platform
import shutil
import stat
import struct
import subprocess
import sys
import tarfile

PACKAGE = "@dolthub/doltlite@0.50.12"
SHA512 = "4z8cw4An8l39H8FbIB+nEMIg76cW6mbqUBUwg+yTlJrb7r6JaxSWZ0ggiPQ0DAxtEkDcAeUnPA92XPWbuDZiYQ=="
MEMBER = "package/prebuilds/linux-x64/doltlite"
TOO_NEW = b"GLIBC_2.38"

SHIM = """#include <math.h>
#include <stdlib.h>
long __isoc23_strtol(const char *, char **, int);
long long __isoc23_strtoll(const char *, char **, int);
long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
double fmod(double a, double b) { return (double)fmodl(a, b); } /* exact: so is its result */
"""


def fail(message):
    sys.exit(f"fetch_doltlite: {message}")


def fetch(directory):
    if shutil.which("npm") is None:
        fail("npm is not installed (Debian package npm)")
    run = subprocess.run(["npm", "pack", "--silent", "--pack-destination", directory, PACKAGE],
                         stdout=subprocess.PIPE, text=True, check=False)
    names = run.stdout.split()
    if run.returncode != 0 or not names:
        fail(f"npm could not get {PACKAGE} (offline?)")
    archive = os.path.join(directory, names[-1])
    with open(archive, "rb") as file:
        digest = hashlib.sha512(file.read()).digest()
    if base64.b64encode(digest).decode() != SHA512:
        os.remove(archive)
        fail(f"{PACKAGE} is not the one that was measured before: its hash differs")
    shell = os.path.join(directory, "doltlite.bin")
    with tarfile.open(archive) as tar, open(shell, "wb") as out:
        shutil.copyfileobj(tar.extractfile(MEMBER), out)
    os.remove(archive)
    os.chmod(shell, 0o755)
    return shell


def works(command):
    try:
        run = subprocess.run([command, ":memory:", "SELECT dolt_version();"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=20, check=False)
    except OSError:
        return None
    return run.stdout.decode().strip() if run.returncode == 0 else None


def weaken(path):
    """Marks the versions TOO_NEW as weak in .gnu.version_r: the loader then goes on without them."""
    with open(path, "rb") as file:
        image = bytearray(file.read())
    table, = struct.unpack_from("<Q", image, 0x28)
    count, = struct.unpack_from("<H", image, 0x3c)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, table + 64 * i) for i in range(count)]
    for section in sections:
        if section[1] != 0x6ffffffe:
            continue
        strings, at = sections[section[6]][4], section[4]
        while True:
            _, _, _, aux, following = struct.unpack_from("<HHIII", image, at)
            each = at + aux
            while True:
                _, flags, _, name, next_aux = struct.unpack_from("<IHHII", image, each)
                if image[strings + name:].startswith(TOO_NEW + b"\0"):
                    struct.pack_into("<H", image, each + 4, flags | 2)
                if not next_aux:
                    break
                each += next_aux
            if not following:
                break
            at += following
    with open(path, "wb") as file:
        file.write(image)


def make_shim(directory):
    source, library = os.path.join(directory, "glibc238.c"), os.path.join(directory, "glibc238.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(SHIM)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-fno-builtin", "-o", library, source,
                    "-lm"], check=True)
    return library


def write_script(path, shell, preload):
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
        if preload:
            file.write(f"LD_PRELOAD='{preload}' exec '{shell}' \"$@\"\n")
        else:
            file.write(f"exec '{shell}' \"$@\"\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def main():
    if len(sys.argv) != 2:
        fail("usage: fetch_doltlite.py DIR")
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        fail("there is a prebuilt shell for Linux on x86-64 only")
    directory = os.path.abspath(sys.argv[1])
    os.makedirs(directory, exist_ok=True)
    script = os.path.join(directory, "doltlite")
    if os.path.exists(script) and works(script):
        print(f"{script}: DoltLite {works(script)}, is there already")
        return
    shell = fetch(directory)
    how = "as it is"
    write_script(script, shell, None)
    if not works(script):
        weaken(shell)
        write_script(script, shell, make_shim(directory))
        how = "adapted to this older glibc"
    version = works(script)
    if not version:
        fail("the shell does not run on this system")
    print(f"{script}: DoltLite {version}, {how}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Damaged streams into `yore import`: it ends with 0 or with an error that it names, never by a signal or a
sanitizer, never with half a commit, and the store it leaves behind passes its check.

The seed is printed; YORE_TEST_SEED gives it back, YORE_TEST_ROUNDS changes how many streams a format gets.
"""
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

YORE = os.environ.get("YORE_BIN", "yore")
SEED = int(os.environ.get("YORE_TEST_SEED") or random.SystemRandom().getrandbits(32))
ROUNDS = int(os.environ.get("YORE_TEST_ROUNDS") or 60)
STATUSES = {0, 2, 4, 6, 8, 9}  # done, malformed, conflict, out of range, an unknown name, refused

JSONL = b"""\
{"key":"a","value":"1","time":"2020-01-01T00:00:00Z","commit":"c1","note":"first"}
{"key":"b","value_b64":"AAEC","time":"2020-01-01T00:00:00Z","commit":"c1"}
{"key":"a","delete":true,"time":1600000000000000000}
{"fork":"exp","from":"default@back:1"}
{"key":"a","value":{"x":[1,2.50,"\\u00e9"]},"branch":"exp"}
{"merge":"exp","into":"default"}
{"tag":"rel-1"}
{"config":"search.index","prefix":"a","value":"none"}
"""
CSV = b"""\
id,name,"a ""quoted"" one",note
1,Ann,"line
break",x
2,"Bob, the second",,
3,,"",\xc3\xa9
"""
GIT = b"""\
feature done
blob
mark :1
data 6
hello

reset refs/heads/main
commit refs/heads/main
mark :2
original-oid 1111111111111111111111111111111111111111
author A <a@example.org> 1700000000 +0100
committer A <a@example.org> 1700000000 +0100
data 6
first
M 100644 :1 dir/file
M 100755 inline run.sh
data 4
#!x

commit refs/heads/side
mark :3
committer B <b@example.org> 1700000100 +0000
data 4
side
from :2
R dir/file "moved\\tfile"
D run.sh

commit refs/heads/main
mark :4
committer A <a@example.org> 1700000050 -0500
data <<END
merged
END
from :2
merge :3
deleteall
M 120000 :1 link
M 160000 2222222222222222222222222222222222222222 sub

tag v1
from :4
tagger A <a@example.org> 1700000200 +0000
data 3
tag
done
"""
FORMATS = {"jsonl": (JSONL, []), "csv": (CSV, ["--key", "id"]), "git": (GIT, [])}


def damaged(rng, text):
    """A copy with a few bytes, lines or spans changed."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        size = min(rng.choice((1, 1, 2, 8, 60)), len(text) - at)
        lines = text.split(b"\n")
        one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:at] + bytes(rng.randrange(256) for _ in range(size)) + text[at + size:]
        elif kind == 1:
            text = text[:at] + text[at + size:]
        elif kind == 2:
            text = text[:at]
        elif kind == 3:
            text = text[:at + size] + text[at:]
        elif kind == 4:
            lines[one], lines[two] = lines[two], lines[one]
            text = b"\n".join(lines)
        elif kind == 5:
            lines.insert(one, lines[two])
            text = b"\n".join(lines)
        else:  # a number that is not what it was
            numbers = list(re.finditer(rb"\d+", text))
            if numbers:
                n = rng.choice(numbers)
                other = rng.choice((b"0", b"-1", b"18446744073709551616", b"4294967296", b"9" * 40, b"1e9"))
                text = text[:n.start()] + other + text[n.end():]
    return text


def run(arguments, text, folder):
    env = {k: v for k, v in os.environ.items() if k not in ("YORE_DB", "YORE_BRANCH")}
    return subprocess.run([YORE, "--db", "store", *arguments], input=text, cwd=folder, env=env, capture_output=True,
                          timeout=120)


def complaint(name, text, flags):
    """None, or what was wrong with importing this."""
    with tempfile.TemporaryDirectory(prefix="yore-fuzz-") as folder:
        done = run(["import", "-", "--format", name, "--create", "--sync", "os", *flags], text, folder)
        words = done.stderr.decode("utf-8", "replace")
        if done.returncode not in STATUSES or "Sanitizer" in words or "runtime error" in words:
            return f"ended with {done.returncode}: {words}"
        if done.returncode and "error[" not in words:
            return f"failed with {done.returncode} without saying why: {words}"
        if pathlib.Path(folder, "store").exists():
            check = run(["check"], b"", folder)
            if check.returncode:
                return f"left a store that fails its check: {check.stderr.decode()}"
    return None


def main():
    print(f"seed {SEED}")
    for name, (text, flags) in FORMATS.items():
        rng = random.Random(f"{SEED}/{name}")
        said = complaint(name, text, flags)
        if said:
            print(f"{name}, undamaged: {said}")
            return 1
        for number in range(ROUNDS):
            bad = damaged(rng, text)
            said = complaint(name, bad, flags)
            if said:
                print(f"{name}, stream {number}: {said}\nthe stream: {bad!r}")
                return 1
    print(f"{len(FORMATS) * (ROUNDS + 1)} streams")
    return 0


if __name__ == "__main__":
    sys.exit(main())

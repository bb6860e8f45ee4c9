"""What the tests on real data share: running yore, reading sets, comparing states.

YORE_BIN is the command; YORE_DATA (else ../shared/data beside the project) holds the sets. A set that is not
there is counted, and the last line then says `N skipped: no data`.
"""
import base64
import hashlib
import json
import lzma
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
YORE = os.environ.get("YORE_BIN", "yore")
DATA = pathlib.Path(os.environ.get("YORE_DATA") or ROOT.parent / "shared" / "data")
skipped = []


def need(folder):
    """The path of a data set; skips the test when it is absent."""
    path = DATA / folder
    if not path.is_dir():
        skipped.append(folder)
        raise unittest.SkipTest("no data")
    return path


def main():
    program = unittest.main(exit=False, verbosity=1)
    if skipped:
        print(f"{len(skipped)} skipped: no data")
    sys.exit(0 if program.result.wasSuccessful() else 1)


def lines(path):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def bytes_of(row, name):
    """A member of a record that is `name` when it is UTF-8, else `name_b64`."""
    if name + "_b64" in row:
        return base64.b64decode(row[name + "_b64"])
    return row.get(name, "").encode()


def as_member(name, data):
    """Bytes as `name` when they are UTF-8, else as `name_b64`."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name + "_b64": base64.b64encode(data).decode()}


class Store:
    """One store in a directory of its own."""

    def __init__(self, test, name="store"):
        temp = tempfile.TemporaryDirectory(prefix="yore-data-")
        test.addCleanup(temp.cleanup)
        self.temp = pathlib.Path(temp.name)
        self.path = self.temp / name
        self.environment = {k: v for k, v in os.environ.items() if k not in ("YORE_DB", "YORE_BRANCH")}
        self.environment["TMPDIR"] = temp.name

    def run(self, *arguments, data=None, exit=0):
        """Run yore; its exit status must be `exit` (None = any). Returns the completed process."""
        done = subprocess.run([YORE, "-d", str(self.path), *arguments], input=data, capture_output=True,
                              env=self.environment)
        if exit is not None and done.returncode != exit:
            raise AssertionError(f"yore {' '.join(map(str, arguments))}: exit {done.returncode}, not {exit}\n"
                                 + done.stderr.decode(errors="replace"))
        return done

    def rows(self, *arguments):
        """The records a command prints."""
        out = self.run(*arguments).stdout
        return [json.loads(line) for line in out.splitlines()]

    def import_events(self, events, *flags, exit=0):
        """Import a list of events. Returns what yore said."""
        text = "".join(dumps(event) + "\n" for event in events)
        done = self.run("import", "-", "--format", "jsonl", "--create", *flags, data=text.encode(), exit=exit)
        return done.stderr.decode()

    def state(self, *point):
        """Key -> value, as `export` gives it."""
        return {bytes_of(row, "key"): bytes_of(row, "value") for row in self.rows("export", *point)}

    def full_state(self, *point):
        """Key -> (value, metadata)."""
        return {bytes_of(row, "key"): (bytes_of(row, "value"), bytes_of(row, "meta"))
                for row in self.rows("export", *point)}

    def log(self, *arguments):
        return self.rows("log", *arguments, "--json")

#!/usr/bin/env python3
"""Diffs of the real git histories of data/git: the pairs their oracles give, and every commit against its first parent,
both ways, as the history was imported, and again after a compaction."""
import os
import pathlib
import random
import subprocess
import unittest

import data_support as support
from test_git_sets import SETS, GitSet

DRIVER = pathlib.Path(os.environ.get("YORE_BUILD_DIR", "build")) / "tests" / "data" / "diff_driver"
ADD, CHANGE, DEL = 1, 2, 3


def expected(a, b):
    """What a diff lists: op, key, bytes of the old and of the new value."""
    rows = []
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) == b.get(key):
            continue
        op = ADD if key not in a else DEL if key not in b else CHANGE
        rows.append((op, key, len(a[key]) if key in a else -1, len(b[key]) if key in b else -1))
    return rows


def diffs(store, pairs):
    """The rows of each pair of points."""
    text = "".join(f"{a}\t{b}\n" for a, b in pairs)
    done = subprocess.run([DRIVER, store.path], input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    rows = [[] for _ in pairs]
    for line in done.stdout.decode().splitlines():
        number, op, key, old, new = line.split("\t")
        rows[int(number)].append((int(op), bytes.fromhex(key), int(old), int(new)))
    return rows


class GitDiffTest(unittest.TestCase):
    def check(self, store, data, point):
        pairs = [(row["a"], row["b"]) for row in data.oracle("diff")]
        self.assertGreaterEqual(len(pairs), 60)
        pairs += [(b, a) for a, b in pairs]
        pairs += [(commit["parents"][0], commit["n"]) for commit in data.commits if commit["parents"]]
        seed = random.randrange(1 << 30)
        chosen = random.Random(seed)
        pairs += [(chosen.randrange(len(data.commits)), chosen.randrange(len(data.commits))) for _ in range(400)]
        found = diffs(store, [(point[a], point[b]) for a, b in pairs])
        for (a, b), rows in zip(pairs, found):
            self.assertEqual(rows, expected(data.states[a], data.states[b]), f"{a} to {b}, seed {seed}")
        for row, rows in zip(data.oracle("diff"), found):
            for name, op in (("added", ADD), ("modified", CHANGE), ("deleted", DEL)):
                self.assertEqual([key.decode() for o, key, _, _ in rows if o == op], row[name])

    def test_diffs_of_an_imported_history_are_the_oracles(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store = support.Store(self)
                events, point = data.events()
                store.import_events(events, "--times", "shift")
                self.check(store, data, point)
                store.run("compact")
                self.check(store, data, point)


if __name__ == "__main__":
    support.main()

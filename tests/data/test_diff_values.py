#!/usr/bin/env python3
"""What `yore diff -p` says changed inside a value: applied to the old value it gives the new one. And merges by path.

JSON: the documents of json-patch-tests and json-merge-patch (RFC 6902, 7396), and made ones. Text: made ones, with no
more lines than `diff -d` needs."""
import json
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

import data_support as support

HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)")


def seeded(test):
    seed = random.randrange(1 << 30)
    print(f"{test.id()}: seed {seed}")
    return random.Random(seed)


def exact(text):
    """A JSON text with its numbers as they are written."""
    return json.loads(text, parse_int=lambda n: ("number", n), parse_float=lambda n: ("number", n))


def same(a, b):
    """Python's True is 1; JSON's is not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def apply_patch(document, patch):
    for change in patch:
        *way, last = [t.replace("~1", "/").replace("~0", "~") for t in change["path"].split("/")[1:]]
        at = document
        for name in way:
            at = at[name]
        assert (last in at) == (change["op"] != "add"), change
        if change["op"] != "add":
            assert same(at[last], change["old"]), change
        if change["op"] == "del":
            assert "new" not in change
            del at[last]
        else:
            at[last] = change["new"]
    return document


class JsonTest(unittest.TestCase):
    def check(self, pairs):
        """Two commits, before and after, and what the diff says of each document in JSON and in words."""
        store = support.Store(self)
        events = [{"commit": side, "key": f"{i:05}", "value": pair[side]}
                  for side in (0, 1) for i, pair in enumerate(pairs)]
        store.import_events(events)
        rows = {row["key"]: row for row in map(exact, store.run("diff", "back:1", "-p", "--json").stdout.splitlines())}
        for i, (old, new) in enumerate(pairs):
            row = rows.get(f"{i:05}")
            if old == new:
                self.assertIsNone(row)
                continue
            self.assertEqual((row["op"], row["old"], row["new"]), ("change", old, new))
            a, b = exact(old), exact(new)
            if not isinstance(a, dict) or not isinstance(b, dict):
                self.assertNotIn("patch", row)
                continue
            self.assertEqual(not row["patch"], same(a, b), (old, new))
            self.assertTrue(same(apply_patch(a, row["patch"]), b), (old, new, row["patch"]))
        return len(rows)

    def suite_pairs(self):
        path = support.need("suites")
        pairs = []
        for name in ("tests.json", "spec_tests.json"):
            for case in json.loads((path / "json-patch-tests" / name).read_text()):
                if "expected" in case:
                    pairs.append((json.dumps(case["doc"]), json.dumps(case["expected"])))
        for case in json.loads((path / "json-merge-patch" / "cases.json").read_text()):
            pairs.append((json.dumps(case["original"]), json.dumps(case["result"])))
        self.assertGreater(len(pairs), 80)
        return pairs

    def test_documents_of_the_suites(self):
        self.assertGreater(self.check(self.suite_pairs()), 60)

    def test_merges_of_the_suites_documents(self):
        """One branch does to a document what the case does, the other adds a member: a merge has both."""
        pairs = [(old, new) for old, new in self.suite_pairs() if old[0] == "{" and new[0] == "{" and old != new]
        self.assertGreater(len(pairs), 30)
        store = support.Store(self)
        events = [{"commit": 1, "key": f"{i:05}", "value": old} for i, (old, _) in enumerate(pairs)]
        events.append({"fork": "exp", "from": "default"})
        for i, (old, new) in enumerate(pairs):
            added = ("{" if old == "{}" else old[:-1] + ", ") + '"not in any case": [1.50]}'
            events.append({"commit": 2, "branch": "exp", "key": f"{i:05}", "value": new})
            events.append({"commit": 3, "key": f"{i:05}", "value": added})
        store.import_events(sorted(events, key=lambda e: e.get("commit", 1)))
        store.run("merge", "exp")
        state = store.state()
        for i, (old, new) in enumerate(pairs):
            want = exact(new) | {"not in any case": [("number", "1.50")]}
            self.assertTrue(same(exact(state[b"%05d" % i].decode()), want), (old, new, state[b"%05d" % i]))

    def test_made_documents(self):
        dice = seeded(self)

        def value(depth):
            kind = dice.randrange(9)
            if depth and kind < 4:
                return {name: value(depth - 1) for name in dice.sample(["a", "b/c", "~", "", "é\n", "\U0001f600"], 4)}
            if depth and kind == 4:
                return [value(depth - 1) for _ in range(dice.randrange(3))]
            return dice.choice([None, True, False, 0, 1, 1.5, "", "x", "\u0001\"\\", [], {}])

        def spelt(document):
            return json.dumps(document, ensure_ascii=dice.random() < 0.5, indent=dice.choice([None, 1]),
                              sort_keys=dice.random() < 0.5)

        def varied(document):
            if dice.random() < 0.15 or not isinstance(document, dict):
                return value(2)
            return {k: varied(v) if dice.random() < 0.4 else v for k, v in document.items() if dice.random() < 0.9}

        pairs = []
        for _ in range(1500):
            old = value(4)
            pairs.append((spelt(old), spelt(varied(old) if dice.random() < 0.8 else old)))
        self.assertGreater(self.check(pairs), 800)


def unescaped(text):
    names = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else names[m[1]], text)


def cut(text):
    """Lines with their newlines; a text has one more line where it does not end with one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


class Patch:
    """The body of one key, applied."""

    def __init__(self, body, old, new):
        self.a, self.b = cut(old), cut(new)
        self.ends_differ = bool(old) and bool(new) and old.endswith("\n") != new.endswith("\n")
        self.changed, self.out, self.at = 0, [], 0
        i = 0
        while i < len(body):
            i = self.hunk(body, i)
        self.out += self.a[self.at:]

    def line(self, body, i):
        """A line of the patch with its newline, and where the next one is."""
        text = unescaped(body[i][1:])
        if i + 1 < len(body) and body[i + 1] == "\\ no newline at the end":
            return text, i + 2
        return text + "\n", i + 1

    def hunk(self, body, i):
        from_a, size_a, from_b, size_b = map(int, HUNK.fullmatch(body[i]).groups())
        start = from_a - 1 if size_a else from_a
        self.out += self.a[self.at:start]
        self.at = start
        assert len(self.out) == (from_b - 1 if size_b else from_b), body[i]
        i += 1
        goes, comes = 0, 0
        while i < len(body) and not body[i].startswith("@"):
            sign = body[i][0]
            text, i = self.line(body, i)
            if sign in " -":
                here = self.a[self.at]
                assert here == text if self.ends_differ else here.rstrip("\n") == text.rstrip("\n"), (here, text)
                self.at, goes = self.at + 1, goes + 1
            if sign in " +":
                self.out.append(text)
                comes += 1
            self.changed += sign != " "
        assert (goes, comes) == (size_a, size_b)
        return i


def fewest_edits(old, new):
    if not old.endswith("\n") and not new.endswith("\n"):  # as yore has it: the ends are alike
        old, new = old + "\n", new + "\n"
    with tempfile.TemporaryDirectory() as folder:
        a, b = pathlib.Path(folder, "a"), pathlib.Path(folder, "b")
        a.write_text(old, newline="")
        b.write_text(new, newline="")
        done = subprocess.run(["diff", "-d", "--text", a, b], capture_output=True, check=False)
        return sum(line[:1] in b"<>" and line[:1] != b"" for line in done.stdout.split(b"\n"))


class TextTest(unittest.TestCase):
    def made(self, dice, size):
        words = ["a", "b", "c", "", "\t", "\\x", "é", "@@ -1,1 +1,1 @@", "- x", "+", "add  k  v1 -> v2", "\r"]
        text = "\n".join(dice.choice(words) for _ in range(size))
        return text + ("\n" if dice.random() < 0.5 else "")

    def varied(self, dice, text):
        lines = text.split("\n")
        for _ in range(dice.randrange(1, 8)):
            at = dice.randrange(len(lines) + 1)
            lines[at:at + dice.randrange(3)] = [dice.choice("abcxyz") for _ in range(dice.randrange(3))]
        return "\n".join(lines)

    def check(self, pairs, minimal=True):
        store = support.Store(self)
        store.import_events([{"commit": side, "key": f"{i:05}", "value": pair[side]}
                             for side in (0, 1) for i, pair in enumerate(pairs)])
        bodies, body = {}, None
        for line in store.run("diff", "back:1", "-p").stdout.decode().split("\n")[:-1]:
            if line[:1] in " -+@\\~":
                body.append(line)
            else:
                body = bodies.setdefault(line.split("  ")[1], [])
        for i, (old, new) in enumerate(pairs):
            self.assertEqual(f"{i:05}" in bodies, old != new)
            if old == new:
                continue
            patch = Patch(bodies[f"{i:05}"], old, new)
            out = "".join(patch.out)
            self.assertEqual(out if patch.ends_differ else out.rstrip("\n"),
                             new if patch.ends_differ else new.rstrip("\n"), (old, new))
            if minimal and old and new:
                self.assertEqual(patch.changed, fewest_edits(old, new), (old, new))

    def test_made_texts(self):
        dice = seeded(self)
        pairs = [("", "x\n"), ("x", ""), ("a", "a\n"), ("a\nb\n", "a\nb"), ("\n", "\n\n"), ("a\n", "b")]
        for _ in range(250):
            old = self.made(dice, dice.choice([1, 2, 5, 30]))
            pairs.append((old, self.varied(dice, old) if dice.random() < 0.7 else self.made(dice, 12)))
        self.check(pairs)

    def test_texts_with_more_edits_than_are_counted(self):
        dice = seeded(self)
        old = "\n".join(str(n) for n in range(6000)) + "\n"
        new = "\n".join(str(n) if dice.random() < 0.5 else f"new {n}" for n in range(6000)) + "\n"
        self.check([(old, new), (old, old.replace("3000\n", "x\n"))], minimal=False)


if __name__ == "__main__":
    support.main()

#!/usr/bin/env python3
"""Real JSON histories (data/jsonhist) and key sets (data/kv), as their oracles say."""
import csv
import hashlib
import io
import json
import lzma
import unittest

import data_support as support


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class JsonHistoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = support.need("jsonhist/countries")

    def build(self):
        store = support.Store(self)
        text = io.StringIO()
        for event in support.lines(self.path / "events.jsonl.xz"):
            change = '"delete":true' if event.get("delete") else '"value":' + canonical(event["value"])
            text.write(f'{{"commit":{event["txn"]},"time":{event["ts"] * 10**9},"key":{support.dumps(event["key"])},'
                       f"{change}}}\n")
        store.run("import", "-", "--format", "jsonl", "--create", data=text.getvalue().encode())
        return store

    def test_every_manifest_and_every_read_between_commits(self):
        store = self.build()
        rows = list(support.lines(self.path / "oracle_snapshots.jsonl"))
        self.assertGreaterEqual(len(rows), 80)
        for row in rows:
            state = store.state("--as-of", f"epoch:{row['ts']}")
            text = "".join(f"{key.decode()}\t{support.sha256(value)}\n" for key, value in sorted(state.items()))
            self.assertEqual(len(state), row["keys"])
            self.assertEqual(support.sha256(text.encode()), row["manifest_sha256"], f"txn {row['txn']}")
            file = self.path / "snapshots" / f"txn{row['txn']:05}.tsv"
            if file.exists():
                self.assertEqual(text, file.read_text(encoding="utf-8"))
        for row in support.lines(self.path / "oracle_asof.jsonl"):
            done = store.run("get", row["key"], "--as-of", f"epoch:{row['as_of_ts']}", exit=None)
            self.assertEqual(done.returncode, 1 if row["sha256"] is None else 0, row)
            if row["sha256"] is not None:
                self.assertEqual(support.sha256(done.stdout), row["sha256"], row)

    def test_one_commit_a_transaction_at_its_own_time(self):
        store = self.build()
        rows = list(support.lines(self.path / "events.jsonl.xz"))
        times = sorted({event["ts"] for event in rows})
        log = store.log()
        self.assertEqual(len(log), len(times))
        self.assertEqual(sum(record["keys"] for record in log), len(rows))
        newest = log[0]
        self.assertEqual(newest["time"], newest["source_time"])

    def test_the_history_goes_through_an_export_unchanged(self):
        store = self.build()
        copy = support.Store(self, "copy")
        rows = store.run("export", "--all-versions").stdout
        copy.run("import", "-", "--create", data=rows)
        self.assertEqual(copy.run("export", "--all-versions").stdout, rows)


class KeySetTest(unittest.TestCase):
    def test_prefixes_of_words_also_those_that_cut_a_character(self):
        path = support.need("kv/words-en")
        with lzma.open(path / "words.txt.xz") as file:
            words = file.read().splitlines()
        oracle = json.loads((path / "oracle.json").read_text(encoding="utf-8"))
        store = support.Store(self)
        lines = "".join(support.dumps({"word": word.decode()}) + "\n" for word in words)
        store.run("import", "-", "--format", "jsonl", "--key", "/word", "--create", data=lines.encode())
        for row in oracle["prefixes"]:
            out = store.run("ls", row["prefix_hex"], "--key-hex", "--json").stdout
            keys = [support.bytes_of(json.loads(line), "key") for line in out.splitlines()]
            self.assertEqual(len(keys), row["count"], row["prefix_hex"])
            if keys:
                self.assertEqual((keys[0].decode(), keys[-1].decode()), (row["first"], row["last"]))
            digest = hashlib.sha256(b"".join(key + b"\n" for key in keys)).hexdigest()
            self.assertEqual(digest, row["sha256_of_sorted_keys_nl"], row["prefix_hex"])

    def test_documents_keep_their_exact_text(self):
        for folder in ("kv/us-zipcodes", "kv/movies"):
            with self.subTest(folder):
                path = support.need(folder)
                with lzma.open(path / "docs.jsonl.xz") as file:
                    rows = file.read().splitlines()
                store = support.Store(self)
                store.run("import", "-", "--format", "jsonl", "--create", data=b"\n".join(rows))
                state = store.state()
                self.assertEqual(len(state), len(rows))
                for row in rows:
                    start = row.index(b'"value": ') + len(b'"value": ')
                    self.assertEqual(state[json.loads(row)["key"].encode()], row[start:-1])

    def test_counts_a_state_of_a_csv_table(self):
        path = support.need("kv/us-zipcodes")
        oracle = json.loads((path / "oracle.json").read_text(encoding="utf-8"))
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["zip", "city", "county", "state"])
        for row in support.lines(path / "docs.jsonl.xz"):
            writer.writerow([row["key"], row["value"]["city"], row["value"]["county"], row["value"]["state"]])
        store = support.Store(self)
        store.run("import", "-", "--format", "csv", "--key", "zip", "--create", data=table.getvalue().encode())
        counts = {}
        for value in store.state().values():
            state = json.loads(value)["state"]
            counts[state] = counts.get(state, 0) + 1
        self.assertEqual(counts, oracle["by_state"])
        self.assertEqual(len(store.log()), -(-oracle["rows"] // 1000))


class ConformanceTest(unittest.TestCase):
    def lines(self, kind):
        """Each case of a kind as the value of an event; a case that holds a line feed cannot be one."""
        folder = support.need("suites/JSONTestSuite") / "test_parsing"
        for file in sorted(folder.glob(f"{kind}_*.json")):
            text = file.read_bytes().rstrip(b"\n")
            if b"\n" not in text:
                yield file.stem, b'{"key":"' + file.stem.replace("\\", "").encode() + b'","value":' + text + b"}"

    def test_what_json_allows_is_kept_byte_for_byte(self):
        cases = list(self.lines("y"))
        store = support.Store(self)
        store.run("import", "-", "--format", "jsonl", "--create", data=b"\n".join(line for _, line in cases))
        state = store.state()
        self.assertGreaterEqual(len(state), 90)
        for name, line in cases:
            text = line.split(b'"value":', 1)[1][:-1].strip()
            stored = json.loads(text).encode() if text.startswith(b'"') else text
            self.assertEqual(state[name.encode()], stored, name)

    def test_what_json_forbids_is_refused(self):
        cases = list(self.lines("n"))
        store = support.Store(self)
        store.run("import", "-", "--format", "jsonl", "--create", "--on-error", "skip",
                  data=b'{"key":"good","value":1}\n' + b"\n".join(line for _, line in cases))
        self.assertGreaterEqual(len(cases), 180)
        self.assertEqual(list(store.state()), [b"good"])

    def test_what_json_leaves_open_never_crashes(self):
        for name, line in self.lines("i"):
            store = support.Store(self)
            done = store.run("import", "-", "--format", "jsonl", "--create", data=line, exit=None)
            self.assertIn(done.returncode, (0, 2), name)


if __name__ == "__main__":
    support.main()

#!/usr/bin/env python3
"""Import of good and bad input: what is stored exactly, what is refused where, what an error leaves behind."""
import os
import random
import signal
import subprocess
import time
import unittest

import data_support as support
import test_git_roundtrip as git


def event(key="a", value="1", **more):
    return {"key": key, "value": value, **more}


class ImportTest(unittest.TestCase):
    def setUp(self):
        self.store = support.Store(self)

    def take(self, text, *flags, exit=0):
        data = text if isinstance(text, bytes) else text.encode()
        return self.store.run("import", "-", "--create", *flags, data=data, exit=exit).stderr.decode()

    def refuse(self, text, *flags, exit=2, says=()):
        """A refusal that names each of `says`, and no crash."""
        words = self.take(text, *flags, exit=exit)
        self.assertLessEqual(len(words.splitlines()), 3)
        for part in says:
            self.assertIn(part, words)
        return words

    def keys(self):
        return sorted(key.decode() for key in self.store.state()) if self.store.path.exists() else None


class ValueTest(ImportTest):
    def test_values_are_stored_exactly(self):
        lines = [
            ('"text \\u00e9\\n\\u0000"', "text é\n\0".encode(), "bytes"),
            ("1.00", b"1.00", "json"), ("-0", b"-0", "json"),
            ("12345678901234567890123", b"12345678901234567890123", "json"),
            ('{ "b":1 ,"a" : [1.50,null] }', b'{ "b":1 ,"a" : [1.50,null] }', "json"),
            ("null", b"null", "json"), ("true", b"true", "json"),
            ('""', b"", "bytes"), ('"\\ud83d\\ude00"', "😀".encode(), "bytes"),
        ]
        self.take("".join(f'{{"key":"k{i}","value":{raw}}}\n' for i, (raw, _, _) in enumerate(lines)))
        rows = {row["key"]: row for row in self.store.rows("export")}
        for i, (_, stored, kind) in enumerate(lines):
            self.assertEqual(support.bytes_of(rows[f"k{i}"], "value"), stored)
            self.assertEqual(rows[f"k{i}"].get("type", "bytes"), kind)

    def test_binary_keys_and_values(self):
        self.take('{"key_b64":"AP8K","value_b64":"/wA="}\n')
        self.assertEqual(self.store.state(), {b"\x00\xff\n": b"\xff\x00"})

    def test_lines_of_one_commit_are_one_commit(self):
        self.store.import_events([event("a", commit="x", note="both"), event("b", commit="x"), event("c"),
                                  event("d", commit="y"), event("e", commit="x")])
        self.assertEqual([r["keys"] for r in self.store.log()], [1, 1, 1, 2])
        self.assertEqual(self.store.log()[-1]["note"], "both")

    def test_times_are_the_events_own(self):
        self.store.import_events([event(time="2020-01-01T00:00:00.5+01:00"), event(time=1600000000000000001)])
        times = [r["time"] for r in self.store.log()]
        self.assertEqual(times, ["2020-09-13T12:26:40.000000001Z", "2019-12-31T23:00:00.500000000Z"])

    def test_times_shift_and_now(self):
        events = [event(time="2020-01-02T00:00:00Z"), event(time="2020-01-01T00:00:00Z")]
        self.store.import_events(events, "--times", "shift")
        newest = self.store.log()[0]
        self.assertEqual(newest["time"], "2020-01-02T00:00:00.000000001Z")
        self.assertEqual(newest["source_time"], "2020-01-01T00:00:00.000000000Z")
        self.store.import_events(events, "--times", "now")
        self.assertGreater(self.store.log()[0]["time"], "2024")
        self.assertEqual(self.store.log()[0]["source_time"], "2020-01-01T00:00:00.000000000Z")

    def test_forks_tags_and_merges(self):
        self.store.import_events([
            event("a", "1"), event("b", "1"), {"fork": "exp", "from": "default@v2"},
            {"tag": "start", "from": "default@v2"}, event("a", "2", branch="exp"),
            {"key": "c", "value": "3", "branch": "exp"}, {"merge": "exp", "into": "default"},
            event("c", "4", branch="exp"), {"merge": "exp", "into": "default", "note": "again"}])
        self.assertEqual(self.store.state(), {b"a": b"2", b"b": b"1", b"c": b"4"})
        self.assertEqual(self.store.state("--as-of", "tag:start"), {b"a": b"1"})
        self.assertEqual(self.store.state("-b", "exp"), {b"a": b"2", b"c": b"4"})
        newest = self.store.log()[0]
        self.assertEqual((newest["note"], len(newest["parents"])), ("again", 2))

    def test_an_up_to_date_merge_makes_no_commit(self):
        merge = {"merge": "exp", "into": "default"}
        self.store.import_events([event(), {"fork": "exp"}, merge, event("b", branch="exp"), merge, merge])
        self.assertEqual(len(self.store.log()), 2)

    def test_merges_between_siblings_and_grandchildren(self):
        self.store.import_events([
            event("base"), {"fork": "a"}, {"fork": "b"}, event("x", branch="a"), event("y", branch="b"),
            {"fork": "aa", "from": "a"}, event("z", branch="aa"), {"key": "base", "delete": True, "branch": "aa"},
            {"merge": "aa", "into": "b"}, event("w", branch="b"), {"merge": "b", "into": "default"}])
        self.assertEqual(sorted(self.store.state("-b", "b")), [b"w", b"x", b"y", b"z"])
        self.assertEqual(self.store.state(), self.store.state("-b", "b"))

    def test_a_prefix_goes_before_every_key(self):
        self.store.import_events([event("a")], "--prefix", "p/")
        self.assertEqual(self.keys(), ["p/a"])


class TableTest(ImportTest):
    def test_csv_as_rfc_4180_has_it(self):
        self.take('\ufeffid,"na""me",note\r\n1,"x, ""y""\r\nz",\r\n\r\n2,é,"last"', "--format", "csv", "--key", "id")
        self.assertEqual(self.store.state(), {
            b"1": '{"id":"1","na\\"me":"x, \\"y\\"\\r\\nz","note":""}'.encode(),
            b"2": '{"id":"2","na\\"me":"é","note":"last"}'.encode()})
        self.assertEqual(self.store.rows("export")[0]["type"], "json")

    def test_key_by_number_and_tsv_escapes(self):
        self.take("a\tb\nx\\ty\tk1\n", "--format", "tsv", "--key", "2")
        self.assertEqual(self.store.state(), {b"k1": b'{"a":"x\\ty","b":"k1"}'})

    def test_json_lines_by_pointer_keep_their_text(self):
        self.take('{"id": {"n":7},  "v":1.0}\r\n{"id": {"n":"x"}}', "--format", "jsonl", "--key", "/id/n")
        self.assertEqual(self.store.state(), {b"7": b'{"id": {"n":7},  "v":1.0}', b"x": b'{"id": {"n":"x"}}'})

    def test_a_key_that_comes_again_is_another_version(self):
        self.take("k,v\na,1\nb,1\na,2\n", "--format", "csv", "--key", "k")
        self.assertEqual(len(self.store.rows("history", "a", "--json")), 2)

    def test_a_thousand_rows_a_commit_or_all_at_once(self):
        table = "k,v\n" + "".join(f"{i},{i}\n" for i in range(2500))
        self.take(table, "--format", "csv", "--key", "k")
        self.assertEqual([r["keys"] for r in self.store.log()], [500, 1000, 1000])
        self.store = support.Store(self)
        self.take(table, "--format", "csv", "--key", "k", "--atomic")
        self.assertEqual([r["keys"] for r in self.store.log()], [2500])

    def test_bad_tables_name_the_place(self):
        for table, says in (
                ("k,v\na,1\nb\n", ["line 3, column 1", "1 column, but line 1 names 2"]),
                ('k,v\na,"1\nb,2\n', ["line 2, column 3", "never ends"]),
                ('k,v\na,"1"x\n', ["line 2, column 6"]),
                ('k,v\na,1"2\n', ["line 2, column 4", "a quote inside"]),
                ("k,k\na,1\n", ["same name"]),
                ("v\n1\n", ["no column 'k'"])):
            self.refuse(table, "--format", "csv", "--key", "k", says=says)
            self.assertIsNone(self.keys(), "no store is left behind")
        self.refuse("k\tv\na\t\\q\n", "--format", "tsv", "--key", "k", says=["line 2, column 3"])
        self.refuse('{"id":[1]}\n', "--format", "jsonl", "--key", "/id", says=["line 1, column 7"])
        self.refuse('{"id":1}\n{"no":1}\n', "--format", "jsonl", "--key", "/id", says=["line 2", "no member 'id'"])
        self.refuse("a,b\n", "--format", "csv", says=["--key"])


class RefusalTest(ImportTest):
    def test_bad_lines_name_line_and_column(self):
        good = '{"key":"ok","value":1}\n'
        for line, says in (
                ('{"key":"b" "value":1}', ["line 2, column 13", "after key and value"]),
                ('{"key":"b","value":01}', ["line 2"]),
                ('{"key":"b","valeu":1}', ["line 2, column 12", "'valeu'", "write 'value'"]),
                ('{"key":"b","value":1,"value":2}', ["line 2, column 22", "twice"]),
                ('{"key":"b"}', ["line 2", "no 'value'"]), ('{"value":1}', ["line 2", "no 'key'"]),
                ('[1]', ["line 2", "JSON object"]), ('7', ["line 2", "JSON object"]),
                ('{"key":"b","value":"\\ud800"}', ["line 2, column 20"]),
                ('{"key":7,"value":1}', ["line 2, column 8", "'key' must be a string"]),
                ('{"key":"b","value_b64":"?"}', ["line 2, column 24"]),
                ('{"key":"b","value":1,"delete":true}', ["line 2", "both"]),
                ('{"key":"b","value":1,"ttl":5,"expires":6}', ["line 2", "both 'expires' and 'ttl'"]),
                ('{"key":"b","value":1,"expires":-6}', ["line 2", "after 1970"]),
                ('{"key":"","value":1}', ["line 2", "empty"]),
                ('{"key":"%s","value":1}' % ("k" * 32769), ["line 2"]),
                ('{"key":"b","value":1,"time":"yesterday-ish"}', ["line 2, column 29"]),
                ('{"fork":"a b"}', ["line 2"]), ('{"fork":"x","from":"nope@v1"}', ["line 2", "nope"]),
                ('{"merge":"nope","into":"default"}', ["line 2", "nope"]),
                ('{"merge":"default"}', ["'into'"]), ('{"tag":"t","key":"b"}', ["one thing"]),
                ("{", ["line 2", "premature"]), ("{}{}", ["line 2"]),
                ('{"key":"b","value":%s1%s}' % ("[" * 600, "]" * 600), ["line 2", "512"])):
            with self.subTest(line[:60]):
                self.store = support.Store(self)
                words = self.refuse(good + line + "\n" + good, exit=None, says=says)
                self.assertIn("error[", words)
                self.assertIn("--from-line 2", words)
                self.assertEqual(self.keys(), ["ok"], "what was committed stays, what follows does not come")

    def test_not_utf8_names_the_column(self):
        self.refuse(b'{"key":"a\xc3\xa9\xff","value":1}\n', says=["line 1, column 11", "UTF-8"])

    def test_times_back_in_time_name_both(self):
        later, earlier = "2020-01-02T00:00:00.000000000Z", "2020-01-01T00:00:00.000000000Z"
        text = support.dumps(event(time=later)) + "\n" + support.dumps(event(time=earlier))
        self.refuse(text, says=[later, earlier])
        self.assertEqual(len(self.store.log()), 1)

    def test_times_in_the_future_need_a_flag(self):
        line = support.dumps(event(time="2200-01-01T00:00:00Z"))
        self.refuse(line, exit=6, says=["--allow-future"])
        self.assertIsNone(self.keys())
        self.take(line, "--allow-future")
        self.assertEqual(self.keys(), ["a"])

    def test_an_unknown_branch_is_named(self):
        self.refuse(support.dumps(event(branch="nope")), exit=8, says=["nope", '"fork"'])

    def test_a_commit_with_a_bad_line_is_not_half_done(self):
        lines = [event("a"), event("b", commit="x"), event("c", commit="x")]
        text = "".join(support.dumps(e) + "\n" for e in lines)
        words = self.refuse(text + "{bad\n", says=["line 4", "--from-line 2"])
        self.assertEqual(self.keys(), ["a"])
        fixed = "".join(support.dumps(e) + "\n" for e in lines + [event("d")])
        self.take(fixed, "--from-line", "2")
        self.assertEqual(self.keys(), ["a", "b", "c", "d"], words)

    def test_a_conflict_is_exit_4_and_merges_nothing(self):
        self.store.import_events([event("a"), event("same"), {"fork": "exp"}, event("a", "2", branch="exp"),
                                  event("a", "3"), event("new", branch="exp")])
        self.refuse('{"merge":"exp","into":"default"}', exit=4, says=["'a'", "CONFLICT"])
        self.assertEqual(self.store.state(), {b"a": b"3", b"same": b"1"})

    def test_skipping_and_collecting_bad_lines(self):
        text = '{"key":"a","value":1}\n{bad\n{"key":"b","value":1}\n{"key":"c"}\n'
        self.take(text, "--on-error", "skip")
        self.assertEqual(self.keys(), ["a", "b"])
        rejects = self.store.temp / "rejects"
        self.take(text, "--on-error", str(rejects))
        self.assertEqual(rejects.read_text(), '{bad\n{"key":"c"}\n')

    def test_a_skipped_line_takes_its_whole_commit_along(self):
        good = [event("x1", commit="x"), event("x2", commit="x")]
        old = "1999-01-01T00:00:00Z"
        self.store.import_events([event("first", time="2000-01-01T00:00:00Z")])
        for bad in ([event("a", commit="c", time=old), event("b", commit="c")],
                    [event("a", commit="c"), event("b", commit="c", branch="none"), event("d", commit="c")],
                    [event("a", commit="c"), event("k" * 40000, commit="c"), event("b", commit="c")],
                    [event("a", commit="c"), {"key": "b", "commit": "c"}, event("d", commit="c")],
                    [event("a", commit="c"), "{not JSON", event("b", commit="c")],
                    ['{"key":"a","commit":"c","value":', event("b", commit="c")],
                    [event("a", version=7), event("b", version=7, schema=1, op="?"), event("d", version=7)]):
            text = "".join((e if isinstance(e, str) else support.dumps(e)) + "\n" for e in good + bad + good)
            rejects = self.store.temp / "rejects"
            with self.subTest(text[-200:]):
                words = self.take(text, "--on-error", str(rejects))
                self.assertIn(f"{len(bad)} records skipped", words)
                self.assertEqual(self.keys(), ["first", "x1", "x2"], "no half commit")
                self.assertEqual(len(rejects.read_text().splitlines()), len(bad))
                rejects.unlink()

    def test_atomic_is_all_or_nothing(self):
        text = "".join(support.dumps(e) + "\n" for e in [event("a"), {"fork": "exp"}, event("b", branch="exp")])
        self.refuse(text + "{bad\n", "--atomic", says=["line 4", "nothing was imported"])
        self.assertIsNone(self.keys())
        self.assertEqual([p.name for p in self.store.temp.iterdir()], [], "no trace of the attempt")
        self.take(text, "--atomic")
        self.assertEqual(self.keys(), ["a"])
        before = self.store.run("export", "--all-versions").stdout
        for more in (text, support.dumps(event("z")) + "\n" + "{bad", support.dumps(event(time=5))):
            self.refuse(support.dumps(event("y")) + "\n" + more, "--atomic", exit=None)
            self.assertEqual(self.store.run("export", "--all-versions").stdout, before)
        self.take(support.dumps(event("y")) + "\n" + support.dumps(event("z")), "--atomic")
        self.assertEqual(self.keys(), ["a", "y", "z"])

    def test_rejects_cannot_be_added_to_the_input_they_come_from(self):
        path = self.store.temp / "many.jsonl"
        path.write_text("bad\n" * 100000)
        command = [support.YORE, "-d", str(self.store.path), "import", str(path), "--create", "--on-error", str(path)]
        done = subprocess.run(command, env=self.store.environment, stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is the input itself", done.stderr.decode())
        self.assertEqual(path.stat().st_size, 400000)

    def test_an_empty_input_is_an_empty_history(self):
        self.take("")
        self.assertEqual(self.keys(), [])

    def test_without_create_no_store_is_made(self):
        self.store.run("import", "-", "--format", "jsonl", data=b'{"key":"a","value":1}', exit=8)
        self.assertIsNone(self.keys())


class GitStreamTest(ImportTest):
    def test_malformed_streams_name_the_place_and_change_nothing(self):
        head = "commit refs/heads/main\nmark :1\ncommitter C <c@x> 1 +0000\ndata 1\nm\n"
        for stream, says in (
                ("blob\nmark :1\ndata 10\nshort", ["line 3", "cut short"]),
                ("blob\nmark :1\ndata <<EOF\nx\n", ["line 3", "cut short"]),
                (head + "M 100644 :9 a\n", ["line 6, column 10", "mark of a blob"]),
                (head + "M 040000 :9 a\n", ["line 6, column 3", "mode"]),
                (head + 'M 100644 inline "a\ndata 0\n', ["line 6", "closing quote"]),
                (head + 'M 100644 inline "\\q"\ndata 0\n', ["line 6", "escape"]),
                (head + "from :7\n", ["line 6, column 6", "mark"]),
                (head + "from 1234567812345678123456781234567812345678\n", ["line 6", "not in the stream"]),
                (head + "M 100644 1234567812345678123456781234567812345678 a\n", ["line 6", "--no-data"]),
                ("commit refs/heads/main\ndata 0\n", ["line 1", "committer"]),
                ("commit refs/heads/main\ncommitter nobody\ndata 0\n", ["line 2, column 11"]),
                ("feature done\n" + head, ["'done' is missing"]),
                (head + "nonsense\n", ["line 6, column 1"]),
                (head + "M 100644 inline a//b\ndata 0\n", ["line 6, column 17", "empty part"]),
                ("feature done\nfeature date-format=rfc2822\n" + head + "done\n", ["line 2, column 9", "feature"]),
                ("commit refs/heads/main\ncommitter C <c@x> 99999999999 +0000\ndata 0\n", ["line 1", "--times now"]),
                ("commit refs/heads/main\ncommitter C <c@x> 7000000000 +0000\ndata 0\n", ["line 1", "--allow-future"])):
            with self.subTest(stream[-60:]):
                self.refuse(stream, "--format", "git", exit=None, says=["error[", *says])
                self.assertIsNone(self.keys())

    def test_a_taken_branch_is_named_before_anything_is_done(self):
        stream = git.random_history(3).decode("latin-1").encode("latin-1")
        self.take(stream, "--format", "git")
        before = self.store.run("export", "--all-versions").stdout
        self.refuse(stream, "--format", "git", exit=9, says=["already", "nothing was imported"])
        self.assertEqual(self.store.run("export", "--all-versions").stdout, before)

    def test_two_histories_in_one_store(self):
        def history(branch, key):
            w = git.StreamWriter()
            one = w.commit(branch, git.put(key, b"1"))
            side = w.commit(b"refs/heads/gone", git.put(key, b"2"), parents=[one])
            w.commit(branch, git.put(key, b"3"), parents=[one, side])
            w.delete(b"refs/heads/gone")
            return w.stream()
        self.take(history(b"refs/heads/main", b"a"), "--format", "git")
        self.take(history(b"refs/heads/other", b"b"), "--format", "git")
        self.assertEqual(self.store.state("-b", "other"), {b"b": b"3"})
        self.assertEqual(self.store.state("-b", "side/1"), {b"a": b"2"})
        self.assertEqual(self.store.state("-b", "side/2"), {b"b": b"2"})

    def test_the_first_branch_can_have_another_name(self):
        w = git.StreamWriter()
        w.commit(b"refs/heads/main", git.put(b"a", b"1"))
        self.take(w.stream(), "--format", "git", "-b", "default")
        self.assertEqual(self.store.state(), {b"a": b"1"})

    def test_directories_and_odd_streams_of_other_exporters(self):
        w = git.StreamWriter()
        w.out.append(b"feature done\noption git quiet\nprogress hello\n")
        one = w.commit(b"refs/heads/main", git.put(b"d/a", b"1"), git.put(b"d/b", b"2"), git.put(b"keep", b"k"))
        w.commit(b"refs/heads/main", b"C d e\n", b"R d \"f g\"\n", b"D keep\n", b"checkpoint\n", parents=[one])
        w.out.append(b"commit refs/heads/main\ncommitter C <c@x> 1700000000 +0000\ndata <<END\nno mark, no from\nEND\n"
                     b"from refs/heads/main^0\nM 644 inline x\ndata <<E\nlines\nE\nD e\n\ndone\n")
        self.take(w.stream(), "--format", "git")
        self.assertEqual(self.store.state("-b", "main"), {b"f g/a": b"1", b"f g/b": b"2", b"x": b"lines\n"})
        self.assertEqual(self.store.log("main")[0]["note"], "no mark, no from\n")

    def test_a_rename_of_nothing_is_an_error(self):
        w = git.StreamWriter()
        one = w.commit(b"refs/heads/main", git.put(b"f", b"1"))
        w.commit(b"refs/heads/main", b"R nope g\n", parents=[one])
        self.refuse(w.stream(), "--format", "git", says=["'nope'", "the commit before does not have"])
        self.assertEqual(self.store.state("-b", "main"), {b"f": b"1"})

    def test_files_and_directories_take_each_others_place(self):
        """Exporters other than git's own leave it to the reader to remove what is in the way."""
        x = git.put(b"a", b"x")
        for ops, left in (
                ([x], {b"a": b"x", b"f": b"3", b"ab": b"4"}),
                ([git.put(b"f/g/h", b"x")], {b"a/b": b"1", b"a/c": b"2", b"f/g/h": b"x", b"ab": b"4"}),
                ([b"R f a\n"], {b"a": b"3", b"ab": b"4"}),
                ([b"C a f\n"], {b"a/b": b"1", b"a/c": b"2", b"f/b": b"1", b"f/c": b"2", b"ab": b"4"}),
                ([b"R f f/x\n"], {b"a/b": b"1", b"a/c": b"2", b"f/x": b"3", b"ab": b"4"}),
                ([b"R f f\n"], {b"a/b": b"1", b"a/c": b"2", b"f": b"3", b"ab": b"4"}),
                ([git.put(b"d/b", b"x"), b"C d a\n"], {b"a/b": b"x", b"d/b": b"x", b"f": b"3", b"ab": b"4"}),
                ([git.put(b"d", b"5"), git.put(b"d/e", b"x"), git.put(b"d", b"6")],
                 {b"a/b": b"1", b"a/c": b"2", b"f": b"3", b"ab": b"4", b"d": b"6"}),
                ([git.put(b"f/g", b"x"), b"D f\n"], {b"a/b": b"1", b"a/c": b"2", b"f/g": b"x", b"ab": b"4"}),
                ([b"D a/b\n", b"D a/c\n", x], {b"a": b"x", b"f": b"3", b"ab": b"4"})):
            with self.subTest(ops):
                w = git.StreamWriter()
                one = w.commit(b"refs/heads/main", git.put(b"a/b", b"1"), git.put(b"a/c", b"2"), git.put(b"f", b"3"),
                               git.put(b"ab", b"4"))
                w.commit(b"refs/heads/main", *ops, parents=[one])
                store = support.Store(self, "place")
                store.run("import", "-", "--create", "--format", "git", "--prefix", "p/", data=w.stream())
                state = store.state("-b", "main")
                self.assertEqual(state, {b"p/" + key: value for key, value in left.items()})

    def test_damaged_streams_never_crash(self):
        seed = int(os.environ.get("YORE_SEED", random.randrange(10**6)))
        print(f"seed {seed}", file=support.sys.stderr)
        rng = random.Random(seed)
        whole = git.everything_unusual()
        some = [event(), {"fork": "x"}, event(branch="x", commit="q")] * 9
        events = b"".join(support.dumps(e).encode() + b"\n" for e in some)
        for i in range(60):
            data = bytearray(whole if i % 2 else events)
            for _ in range(rng.choice((1, 3, 20))):
                if len(data) < 300:
                    break
                at = rng.randrange(len(data))
                what = rng.randrange(4)
                if what == 0:
                    data[at] = rng.randrange(256)
                elif what == 1:
                    del data[at:at + rng.randrange(1, 40)]
                elif what == 2:
                    data[at:at] = data[rng.randrange(len(data)):][:rng.randrange(1, 60)]
                else:
                    del data[len(data) - rng.randrange(1, 200):]
            store = support.Store(self)
            form = "git" if i % 2 else "jsonl"
            done = store.run("import", "-", "--create", "--format", form, data=bytes(data), exit=None)
            self.assertIn(done.returncode, (0, 2, 4, 6, 8, 9), done.stderr.decode(errors="replace"))
            if store.path.exists():
                store.run("check", "--deep")


class InterruptTest(ImportTest):
    def test_ctrl_c_stops_between_commits(self):
        command = [support.YORE, "-d", str(self.store.path), "import", "-", "--create", "--format", "jsonl", "--json"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.store.environment) as process:
            for i in range(100):
                for key in "ab":
                    process.stdin.write(support.dumps(event(f"{key}{i}", commit=i)).encode() + b"\n")
            process.stdin.flush()
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and len(self.read_log()) < 99:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            words = process.stderr.read().decode()
            process.wait(timeout=30)
        self.assertEqual(process.returncode, 130, words)
        self.assertIn("--from-line 199", words)
        self.assertIn('"code":"CANCELLED","exit":130', words)
        log = self.store.log()
        self.assertEqual(len(log), 99)
        self.assertEqual({record["keys"] for record in log}, {2}, "no half commit")
        self.store.run("check", "--deep")

    def test_the_line_named_goes_on_exactly_where_it_stopped(self):
        path = self.store.temp / "many.jsonl"
        path.write_text("".join(support.dumps(event(f"k{i}", str(i))) + "\n" for i in range(200000)))
        command = [support.YORE, "-d", str(self.store.path), "import", str(path), "--create"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=self.store.environment) as process:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not self.read_log():
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            words = process.stderr.read().decode()
            process.wait(timeout=60)
        if process.returncode == 130:
            line = words.split("--from-line ")[1].split()[0]
            self.assertEqual(int(line), len(self.read_log()) + 1)
            self.store.run("import", str(path), "--from-line", line)
        self.assertEqual(len(self.read_log()), 200000)

    def test_ctrl_c_does_not_halve_an_atomic_import(self):
        """Into a store that exists: rehearsed first, and what has begun after that is finished."""
        self.store.import_events([event("old")])
        path = self.store.temp / "many.jsonl"
        path.write_text("".join(support.dumps(event(f"k{i}", str(i))) + "\n" for i in range(100000)))
        command = [support.YORE, "-d", str(self.store.path), "import", str(path), "--atomic"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=self.store.environment) as process:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and len(self.read_log()) < 2:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            words = process.stderr.read().decode()
            process.wait(timeout=60)
        self.assertEqual(process.returncode, 0, words)
        self.assertEqual(len(self.read_log()), 100001)

    def read_log(self):
        done = self.store.run("log", "--json", exit=None)
        return done.stdout.splitlines() if done.returncode == 0 else []


if __name__ == "__main__":
    support.main()

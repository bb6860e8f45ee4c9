#!/usr/bin/env python3
"""`export --all-versions | import --create` is the same store: log, answers as of any moment, branches, tags.

Also: an export of one moment, or of one branch, is read back as such.
"""
import os
import pathlib
import random
import subprocess
import unittest

import data_support as support
import test_git_roundtrip as git


class ExportTest(unittest.TestCase):
    def copy(self, store, *flags):
        rows = store.run("export", "--all-versions", *flags).stdout
        copy = support.Store(self, "copy")
        copy.run("import", "-", "--create", data=rows)
        return copy

    def logs(self, store):
        return {b["name"]: store.log(b["name"]) for b in store.rows("branch", "list", "--all", "--json")
                if not b["deleted"]}

    def check_same(self, store, copy, instants=12):
        old, new = self.logs(store), self.logs(copy)
        self.assertEqual(set(old), set(new))
        versions = {}
        for name, log in old.items():
            self.assertEqual(len(log), len(new[name]), f"log of {name}")
            versions.update({a["version"]: b["version"] for a, b in zip(log, new[name])})
        for name, log in old.items():
            for a, b in zip(log, new[name]):
                a, b = dict(a), dict(b)
                a.pop("version"), b.pop("version")
                a["parents"] = [versions[v] for v in a["parents"]]
                self.assertEqual(a, b)
        self.check_branches(store, copy, versions)
        tags = [{t["name"]: t for t in s.rows("tag", "list", "--json")} for s in (store, copy)]
        self.assertEqual(set(tags[0]), set(tags[1]))
        for name, tag in tags[0].items():
            self.assertEqual(versions.get(tag["version"]), tags[1][name]["version"], name)
            self.assertEqual(tag["branch"], tags[1][name]["branch"])
        for name, log in old.items():
            moments = [record["time"] for record in log]
            for time in random.Random(1).sample(moments, min(instants, len(moments))):
                self.assertEqual(self.answers(store, name, time), self.answers(copy, name, time), (name, time))

    def answers(self, store, branch, time):
        rows = store.rows("export", "--as-of", f"{branch}@{time}")
        for row in rows:
            row.pop("version")
        return rows

    def check_branches(self, store, copy, versions):
        old, new = ({b["name"]: b for b in s.rows("branch", "list", "--all", "--json") if not b.get("deleted")}
                    for s in (store, copy))
        self.assertEqual(set(old), set(new))
        for name, branch in old.items():
            self.assertEqual(branch["parent"], new[name]["parent"], name)
            self.assertEqual(branch.get("hidden", False), new[name].get("hidden", False), name)
            if branch["parent"]:
                at = store.rows("at", f"{name}@fork", "--json")[0]
                here = copy.rows("at", f"{name}@fork", "--json")[0]
                self.assertEqual(at["time"], here["time"], f"fork point of {name}")

    def test_a_git_history(self):
        for stream in (git.everything_unusual(), git.random_history(random.randrange(10**6))):
            store = support.Store(self)
            store.run("import", "-", "--format", "git", "--create", data=stream)
            self.check_same(store, self.copy(store), instants=5)

    def test_real_git_history(self):
        import test_git_sets
        data = test_git_sets.GitSet("git/blns")
        store = support.Store(self)
        store.run("import", "-", "--format", "git", "--create", data=data.stream())
        self.check_same(store, self.copy(store), instants=2)

    def build_mixture(self):
        """Branches of every kind, deleted and renamed ones, types, metadata, expiry, binary keys and values."""
        store = support.Store(self)
        store.run("init", str(store.path))
        store.run("branch", "create", "before-data")
        store.run("put", "a", "1", "-m", "first")
        store.run("put", "json", '{"x": 1.0}', "--type", "json")
        store.run("put", "short", "lived", "--ttl", "1h")
        store.run("put", "00ff", "-", "--key-hex", data=b"\x00\xff\n")
        store.run("branch", "create", "exp")
        store.run("put", "a", "exp", "-b", "exp")
        store.run("del", "json", "-b", "exp")
        store.run("branch", "create", "deep", "--from", "exp@back:1")
        store.run("put", "d", "deep", "-b", "deep")
        store.run("branch", "rename", "exp", "renamed")
        store.run("branch", "create", "exp", "--empty")
        store.run("put", "own", "root", "-b", "exp")
        store.run("branch", "create", "gone", "--from", "deep")
        store.run("put", "g", "1", "-b", "gone")
        store.run("branch", "delete", "gone", "--yes")
        store.run("tag", "create", "t1", "deep@back:1")
        store.run("tag", "create", "rel/1", "default@back:2")
        store.run("incr", "n", "5")
        return store

    def test_a_mixture(self):
        store = self.build_mixture()
        copy = self.copy(store)
        live = [b["name"] for b in copy.rows("branch", "list", "--all", "--json")]
        self.assertEqual(sorted(live), ["before-data", "deep", "default", "exp", "renamed"])
        self.check_same(store, copy)
        self.assertEqual(copy.run("get", "00ff", "--key-hex").stdout, b"\x00\xff\n")
        self.assertEqual(copy.rows("export", "json")[0]["type"], "json")
        self.assertEqual(copy.rows("export", "short")[0]["expires"], store.rows("export", "short")[0]["expires"])

    def test_a_deleted_branch_that_was_merged_is_kept_as_deleted(self):
        store = support.Store(self)
        store.import_events([
            {"key": "a", "value": "1"}, {"fork": "side", "from": "default"},
            {"key": "b", "value": "2", "branch": "side"}, {"merge": "side", "into": "default"}])
        store.run("branch", "delete", "side", "--yes")
        store.run("branch", "create", "side", "--empty")
        copy = self.copy(store)
        self.check_same_default(store, copy)
        names = [(b["name"], bool(b["deleted"])) for b in copy.rows("branch", "list", "--all", "--json")]
        self.assertIn(("side", False), names)

    def check_same_default(self, store, copy):
        old, new = store.log("default"), copy.log("default")
        self.assertEqual([len(r["parents"]) for r in old], [len(r["parents"]) for r in new])
        self.assertEqual([r["time"] for r in old], [r["time"] for r in new])

    def test_a_tag_on_a_deleted_branch_still_answers(self):
        store = support.Store(self)
        store.import_events([
            {"key": "a", "value": "1"}, {"fork": "exp"}, {"key": "a", "value": "2", "branch": "exp"},
            {"fork": "deep", "from": "exp"}, {"key": "a", "value": "3", "branch": "deep"},
            {"tag": "t", "from": "deep"}])
        store.run("branch", "delete", "exp", "--cascade", "--yes")
        copy = self.copy(store)
        for where in (store, copy):
            self.assertEqual(where.run("get", "a", "--as-of", "tag:t").stdout, b"3")
            self.assertEqual([b["name"] for b in where.rows("branch", "list", "--json")], ["default"])

    def settings(self, store):
        keys = ("name", "value", "prefix", "prefix_b64")
        return [{key: row[key] for key in keys if key in row} for row in store.rows("config", "list", "--json")]

    def test_settings_of_now_come_along_with_their_prefixes(self):
        store = self.build_mixture()
        store.run("config", "set", "search.k1", "2")
        store.run("config", "set", "search.k1", "1.5")
        store.run("config", "set", "search.language", "german")
        store.run("config", "set", "search.language", "")
        store.run("config", "set", "durability", "os")
        store.run("config", "set", "search.index", "none")
        store.run("config", "set", "search.index", "text", "--prefix", "log/")
        store.run("config", "set", "search.index", "none", "--prefix", "log/old/")
        store.run("config", "set", "search.index", "text", "--prefix", "00ff0a", "--key-hex")
        store.run("config", "set", "search.index", "text", "--prefix", "gone")
        store.run("config", "set", "search.index", "", "--prefix", "gone")
        copy = self.copy(store)
        self.check_same(store, copy)
        self.assertEqual(self.settings(copy), self.settings(store))
        self.assertEqual(sum("prefix" in row or "prefix_b64" in row for row in self.settings(copy)), 3)
        again = self.copy(copy)
        self.assertEqual(self.settings(again), self.settings(store))

    def test_a_store_without_data_is_read_back(self):
        store = support.Store(self)
        store.run("init", str(store.path))
        self.check_same(store, self.copy(store))

    def test_csv_is_read_back(self):
        store = self.build_mixture()
        store.import_events([{"key": 'q"', "value": 'x,"y"\r\nz'}, {"key": "e", "value": ""},
                             {"key": "x", "value_b64": "AP8="}])
        table = store.run("export", "--format", "csv").stdout
        for flags in ([], ["--format", "csv", "--atomic"]):
            copy = support.Store(self, "copy")
            copy.run("import", "-", "--create", *flags, data=table)
            self.assertEqual(store.state(), copy.state())
            self.assertEqual(copy.rows("get", "json", "--json")[0]["type"], "json")
        for bad in (b"!", b"AP8=,json,v1,", b"AP8=,xml,v1,t"):
            copy = support.Store(self, "copy")
            copy.run("import", "-", "--create", data=table.splitlines()[0] + b"\r\nk,,v," + bad, exit=2)
        copy.run("import", "-", "--create", "--format", "csv", data=b"key,value\na,b\n", exit=2)

    def test_a_snapshot_is_read_back(self):
        store = self.build_mixture()
        for branch in ("default", "deep", "renamed"):
            rows = store.run("export", "-b", branch).stdout
            copy = support.Store(self, "copy")
            copy.run("import", "-", "--create", data=rows)
            self.assertEqual(store.full_state("-b", branch), copy.full_state("-b", branch))

    def test_one_branch_is_read_back_as_a_root(self):
        store = self.build_mixture()
        copy = self.copy(store, "-b", "deep")
        old, new = store.log("deep"), copy.log("deep")
        self.assertEqual([(r["time"], r["note"]) for r in old], [(r["time"], r["note"]) for r in new])

    def test_since_continues_where_an_earlier_export_ended(self):
        store = support.Store(self)
        store.import_events([{"key": f"k{i}", "value": str(i), "time": f"2020-01-{i:02}T00:00:00Z"}
                             for i in range(1, 9)])
        copy = support.Store(self, "copy")
        before = [row for row in store.run("export", "--all-versions").stdout.splitlines(True)][:5]
        copy.run("import", "-", "--create", data=b"".join(before))
        rest = store.run("export", "--since", "2020-01-05T00:00:00Z").stdout
        self.assertEqual(len(rest.splitlines()), 3)
        copy.run("import", "-", data=rest)
        self.check_same(store, copy)

    def test_a_prefix_exports_its_keys_only(self):
        store = support.Store(self)
        store.import_events([{"key": k, "value": k} for k in ("a/1", "a/2", "b/1")])
        self.assertEqual(sorted(store.state("a/")), [b"a/1", b"a/2"])
        rows = store.rows("export", "a/", "--all-versions")
        self.assertEqual([row["key"] for row in rows], ["a/1", "a/2"])

    def test_csv_quotes_what_needs_it(self):
        store = support.Store(self)
        store.import_events([{"key": 'a"b', "value": "x,y\nz"}, {"key": "c", "value_b64": "AP8="}])
        table = store.run("export", "--format", "csv").stdout.decode()
        self.assertIn('"a""b",,"x,y\nz",,bytes,v2,', table)
        self.assertIn("c,,,AP8=,bytes,v3,", table)

    def test_a_file_appears_only_when_it_is_complete(self):
        store = support.Store(self)
        store.import_events([{"key": "a", "value": "1"}])
        out = store.temp / "out.jsonl"
        store.run("export", "-o", str(out))
        self.assertEqual(len(out.read_text().splitlines()), 1)
        store.run("export", "--as-of", "v99", "-o", str(store.temp / "none.jsonl"), exit=6)
        self.assertEqual(sorted(p.name for p in store.temp.iterdir()), ["out.jsonl", "store"])

    def test_what_is_no_plain_file_is_written_in_place(self):
        store = support.Store(self)
        store.import_events([{"key": "a", "value": "1"}])
        target, link = store.temp / "target", store.temp / "link"
        target.write_text("old")
        link.symlink_to(target)
        store.run("export", "-o", str(link))
        self.assertTrue(link.is_symlink())
        self.assertIn('"key":"a"', target.read_text())
        if os.path.exists("/dev/full"):
            store.run("export", "-o", "/dev/full", exit=3)
            self.assertTrue(pathlib.Path("/dev/full").is_char_device())
            with open("/dev/full", "wb") as full:
                done = subprocess.run([support.YORE, "-d", str(store.path), "export"], stdout=full,
                                      stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 3)


if __name__ == "__main__":
    support.main()

#!/usr/bin/env python3
"""Every merge of the real git histories in data/git: the same base, the same conflicts, else the same tree.

The histories go in as fast-export streams. Each merge is then made once more, on a branch forked at its first parent:
what yore finds in the whole graph of commits is compared with what git found.
"""
import unittest

import data_support as support
from test_git_sets import SETS, GitSet, manifest


class MergeSetTest(unittest.TestCase):
    def imported(self, data):
        """The store, and commit -> (branch id, version)."""
        store = support.Store(self)
        store.run("import", "-", "--format", "git", "--create", data=data.stream())
        place = {}
        for branch in store.rows("branch", "list", "--all", "--json"):
            for record in store.log(branch["name"]):
                place.setdefault(record["source"], (branch["id"], record["version"]))
        return store, {commit["n"]: place[commit["id"]] for commit in data.commits}

    def merge_again(self, store, data, place, row):
        n = row["n"]
        ours, theirs = ("id:%d@v%d" % place[row[side]] for side in ("ours", "theirs"))
        store.run("branch", "create", f"merge/{n}", "--from", ours)
        done = store.run("merge", theirs, "--into", f"merge/{n}", "--dry-run", "--json", exit=None)
        lines = [support.json.loads(line) for line in done.stdout.splitlines()]
        if row["conflicts"]:
            self.assertEqual(done.returncode, 4, row)
            self.assertEqual([line["key"] for line in lines], row["conflicts"])
            for line in lines:
                for side in ("base", "ours", "theirs"):
                    value = data.states[row[side]].get(line["key"].encode())
                    self.assertEqual(line[side] and support.bytes_of(line[side], "value"), value, (n, side))
            plan = store.rows("merge", theirs, "--into", f"merge/{n}", "--dry-run", "--on-conflict", "ours",
                              "--json")[-1]["plan"]
            self.assertEqual(plan["conflicts"], len(row["conflicts"]))
        else:
            self.assertEqual(done.returncode, 0, done.stderr)
            plan = lines[-1]["plan"]
            self.assertEqual(plan["conflicts"], 0)
            store.run("merge", theirs, "--into", f"merge/{n}", "--plan", plan["id"])
            state = store.state("-b", f"merge/{n}")
            self.assertEqual(support.sha256(manifest(state).encode()), row["merged_manifest_sha256"], n)
            parents = store.log(f"merge/{n}", "-n", "1")[0]["parents"]
            self.assertEqual(parents, [place[row["ours"]][1], place[row["theirs"]][1]])
        self.assertEqual(plan["base_version"], place[row["base"]][1], f"base of {n}")
        self.assertEqual(plan["theirs_version"], place[row["theirs"]][1])
        self.assertEqual(plan["ours_version"], place[row["ours"]][1])

    def test_every_merge_of_the_oracle_has_gits_base_conflicts_and_tree(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store, place = self.imported(data)
                merges = list(data.oracle("merge"))
                for row in merges:
                    self.merge_again(store, data, place, row)
                self.assertGreater(len(merges), 20)

    def test_of_a_merged_history_nothing_is_left_to_merge(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store, place = self.imported(data)
                (branch,) = data.branches
                for row in list(data.oracle("merge"))[::10]:
                    done = store.rows("merge", "id:%d@v%d" % place[row["theirs"]], "--into", branch, "--json")
                    self.assertTrue(done[0]["nothing"] or row["n"] > data.branches[branch], row)


if __name__ == "__main__":
    support.main()

#!/usr/bin/env python3
"""`yore export --format git | git fast-import`: every commit has the tree it had, every branch and tag its place.

What was imported from git comes back with equal tree ids; stores that never saw git give trees of what they hold; what
git cannot have is an error or is left out, and said.
"""
import os
import pathlib
import random
import subprocess
import sys
import unittest

import data_support as support
import test_git_roundtrip as git
import test_git_sets as sets

EXPORT = ("fast-export", "--all", "--show-original-ids", "--signed-tags=verbatim", "--tag-of-filtered-object=drop",
          "--reencode=no")


def facts(repository, oids):
    """What must come back of each commit: tree, message, author, committer's seconds, and its parents."""
    out = repository.git("cat-file", "--batch", data="".join(oid + "\n" for oid in oids).encode())
    found = {}
    for oid in oids:
        line, out = out.split(b"\n", 1)
        size = int(line.split(b" ")[2])
        raw, out = out[:size], out[size + 1:]
        head, message = raw.split(b"\n\n", 1)
        fields = [line.split(b" ", 1) for line in head.split(b"\n") if b" " in line]
        first = dict(reversed(fields))
        person = first[b"author"].rsplit(b" ", 2)[0]
        seconds = int(first[b"committer"].rsplit(b" ", 2)[1])
        found[oid] = {"tree": first[b"tree"].decode(), "author": person, "seconds": seconds, "message": message,
                      "parents": [value.decode() for name, value in fields if name == b"parent"]}
    return found


def refs(repository, kind):
    """Name -> the commit it means; refs of other objects are left out."""
    found = {}
    for line in repository.lines("for-each-ref", "--format=%(refname)", f"refs/{kind}"):
        name = os.fsdecode(line)
        peeled = repository.git("rev-parse", name + "^{}").decode().strip()
        if repository.git("cat-file", "-t", peeled) == b"commit\n":
            found[name] = peeled
    return found


class GitExport(unittest.TestCase):
    def repository(self, stream=b""):
        temp = support.tempfile.TemporaryDirectory(prefix="yore-git-")
        self.addCleanup(temp.cleanup)
        return git.Repository(pathlib.Path(temp.name) / "repository").create(stream)

    def store_of(self, stream, *flags):
        store = support.Store(self)
        store.run("import", "-", "--format", "git", "--create", *flags, data=stream)
        return store

    def export(self, store, *flags, exit=0):
        done = store.run("export", "--format", "git", *flags, exit=exit)
        self.said = done.stderr.decode()
        return done.stdout

    def check_same(self, first, second, names=None):
        """Walk both histories from their tips: the same shape, and the same facts of every commit."""
        heads, other = refs(first, "heads"), refs(second, "heads")
        heads = {name: oid for name, oid in heads.items() if names is None or name in names}
        self.assertEqual(set(heads), set(other))
        tags, other_tags = (refs(first, "tags"), refs(second, "tags")) if names is None else ({}, {})
        self.assertEqual(set(tags), set(other_tags))
        todo = [(oid, other[name]) for name, oid in heads.items()]
        todo += [(oid, other_tags[name]) for name, oid in tags.items()]
        met = {}
        all_one, all_two = facts(first, first.commits()), facts(second, second.commits())
        while todo:
            old, new = todo.pop()
            if old in met:
                self.assertEqual(met[old], new)
                continue
            met[old] = new
            one, two = all_one[old], all_two[new]
            self.assertEqual(len(one["parents"]), len(two["parents"]), old)
            todo += zip(one.pop("parents"), two.pop("parents"))
            if one["seconds"] == 0:
                one.pop("seconds"), two.pop("seconds")
            self.assertEqual(one, two)
        self.assertEqual(len(set(met.values())), len(met))
        self.assertEqual(set(all_two), set(met.values()), "and nothing else")
        return len(met)

    def there_and_back(self, repository, *flags):
        store = self.store_of(repository.git(*EXPORT, *flags))
        stream = self.export(store)
        second = self.repository(stream)
        count = self.check_same(repository, second)
        self.assertEqual(second.lines("for-each-ref", "refs/yore"), [])
        # And what was exported imports like the original.
        again = self.store_of(stream)
        self.assertEqual(self.export(again), stream)
        return count

    # -- what came from git --

    def test_everything_unusual(self):
        self.assertGreater(self.there_and_back(self.repository(git.everything_unusual())), 19)

    def test_random_histories(self):
        seeds = [int(os.environ["YORE_SEED"])] if "YORE_SEED" in os.environ else random.sample(range(10**6), 4)
        for seed in seeds:
            print(f"seed {seed}", file=sys.stderr)
            with self.subTest(seed=seed):
                self.there_and_back(self.repository(git.random_history(seed)))

    def test_the_projects_own_history(self):
        project = git.Repository(support.ROOT)
        try:
            shallow = project.git("rev-parse", "--is-shallow-repository").strip() == b"true"
        except (subprocess.CalledProcessError, FileNotFoundError):
            self.skipTest("not a git repository")
        if shallow:
            self.skipTest("a shallow clone")
        copy = self.repository()
        copy.git("fetch", "-q", str(support.ROOT), "HEAD:refs/heads/main")
        self.there_and_back(copy)

    def test_the_real_histories(self):
        for folder in sets.SETS:
            with self.subTest(folder):
                data = sets.GitSet(folder)
                repository = self.repository(data.stream())
                store = self.store_of(repository.git(*EXPORT))
                second = self.repository(self.export(store))
                self.check_same(repository, second)
                for branch, n in data.branches.items():
                    blobs = {path: oid for path, (_, oid) in second.tree(branch).items()}
                    wanted = {path: git.git_blob_id(value) for path, value in data.states[n].items()}
                    self.assertEqual(blobs, wanted)

    def test_a_prefix_is_taken_off_as_import_put_it_on(self):
        repository = self.repository(git.everything_unusual())
        store = self.store_of(repository.git(*EXPORT), "--prefix", "repo/")
        store.run("put", "elsewhere", "x", "-b", "main")
        second = self.repository(self.export(store, "repo/"))
        main = second.git("rev-parse", "main^").decode().strip()
        self.assertEqual(second.git("rev-parse", "main^{tree}"), second.git("rev-parse", main + "^{tree}"))
        second.git("update-ref", "refs/heads/main", main)
        self.check_same(repository, second)

    def test_one_branch_up_to_a_point(self):
        repository = self.repository(git.everything_unusual())
        store = self.store_of(repository.git(*EXPORT))
        second = self.repository(self.export(store, "-b", "main"))
        self.check_same(repository, second, names={"refs/heads/main"})
        self.assertEqual(second.lines("for-each-ref", "refs/tags"), [])
        third = self.repository(self.export(store, "--as-of", "main@back:2"))
        repository.git("update-ref", "refs/heads/main", "main~2")
        self.check_same(repository, third, names={"refs/heads/main"})

    def test_branches_that_begin_anew_as_they_are_nested_too_deep(self):
        w, depth = git.StreamWriter(), 1030
        root = w.commit(b"refs/heads/main", git.put(b"keep", b"k"), git.put(b"gone", b"g"))
        inner, outer = [], []
        for i in range(depth):
            inner.append(w.commit(b"refs/heads/x", git.put(b"in", b"%d" % i), parents=[inner[-1] if inner else root]))
        for i in reversed(range(depth)):
            outer.append(w.commit(b"refs/heads/x", git.drop(b"gone"), git.put(b"out", b"%d" % i), parents=[inner[i]]))
        last = root
        for at in range(0, depth, 50):
            last = w.commit(b"refs/heads/main", parents=[last, *outer[at:at + 50]])
        w.delete(b"refs/heads/x")
        repository = self.repository(w.stream())
        store = self.store_of(repository.git(*EXPORT))
        second = self.repository(self.export(store))
        trees = [sorted(r.lines("log", "--all", "--format=%T")) for r in (repository, second)]
        self.assertEqual(trees[0], trees[1])
        tips = [r.git("rev-parse", "main^{tree}") for r in (repository, second)]
        self.assertEqual(tips[0], tips[1])

    # -- what never saw git --

    def state(self, repository, commit):
        return {path: repository.git("cat-file", "blob", oid) for path, (_, oid) in repository.tree(commit).items()}

    def check_store(self, store, *flags):
        """Every commit that came out has the state the store has at it (by its note, which names it)."""
        repository = self.repository(self.export(store, *flags))
        records = {r["note"]: r for b in store.rows("branch", "list", "--all", "--json")
                   for r in store.log(f"id:{b['id']}")}
        for oid in repository.commits():
            note = repository.git("log", "-1", "--format=%B", oid).decode().strip()
            record = records[note]
            wanted = store.state("--as-of", f"id:{self.ids(store)[record['branch']]}@v{record['version']}")
            self.assertEqual(self.state(repository, oid), wanted, note)
        return repository

    def ids(self, store):
        return {b["name"]: b["id"] for b in store.rows("branch", "list", "--all", "--json")}

    def random_events(self, seed, count=60):
        rng = random.Random(seed)
        events, branches = [], ["default"]
        for i in range(count):
            if rng.random() < 0.08:
                branches.append(f"b{i}")
                events.append({"fork": branches[-1], "from": rng.choice(branches[:-1])})
                continue
            branch = rng.choice(branches)
            if rng.random() < 0.05 and len(branches) > 1:
                source = rng.choice(branches)
                if source != branch:
                    events.append({"tag": f"t{i}", "branch": branch})
            for _ in range(rng.choice((1, 1, 3))):
                # Two spaces that never meet, so that no key is a directory as well.
                key = rng.choice((f"k{rng.randrange(12)}", f"d{rng.randrange(3)}/f{rng.randrange(6)}"))
                change = {"delete": True} if rng.random() < 0.25 else {"value": f"{i}"}
                events.append({"key": key, "branch": branch, "commit": f"c{i}", "note": f"c{i}", **change})
        return events

    def test_random_stores(self):
        seeds = [int(os.environ["YORE_SEED"])] if "YORE_SEED" in os.environ else random.sample(range(10**6), 2)
        for seed in seeds:
            print(f"seed {seed}", file=sys.stderr)
            with self.subTest(seed=seed):
                store = support.Store(self)
                store.import_events(self.random_events(seed))
                repository = self.check_store(store)
                live = [b for b in store.rows("branch", "list", "--json") if store.log(b["name"])]
                self.assertEqual(len(refs(repository, "heads")), len(live))
                for branch in live:
                    name = f"refs/heads/{branch['name']}"
                    note = repository.git("log", "-1", "--format=%B", name).decode().strip()
                    self.assertEqual(note, store.log(branch["name"])[0]["note"])

    def test_keys_git_cannot_have_are_named_or_left_out(self):
        for key in ("/a", "a/", "a//b", "a/./b", "..", "x/.git/config", ".GIT", "nul\0"):
            with self.subTest(key):
                store = support.Store(self)
                store.import_events([{"key": "good", "value": "1"}, {"key": key, "value": "2"},
                                     {"key": key, "delete": True}, {"key": "z", "value": "3"}])
                out = self.export(store, exit=2)
                self.assertIn("error[INPUT]: git cannot have the key", self.said)
                self.assertIn(key.replace("\0", "\\x00"), self.said)
                self.assertNotIn(b"\ndone\n", out)
                repository = self.repository(self.export(store, "--on-error", "skip"))
                self.assertIn("1 key git cannot have was left out", self.said)
                self.assertEqual(len(repository.commits()), 4)
                self.assertEqual(self.state(repository, "default"), {b"good": b"1", b"z": b"3"})

    def test_a_key_that_is_a_directory_too(self):
        store = support.Store(self)
        store.import_events([{"key": "a", "value": "1", "note": "1"}, {"key": "b/c", "value": "2", "note": "2"},
                             {"key": "a/b", "value": "3", "note": "3"}, {"key": "b", "value": "4", "note": "4"},
                             {"key": "a", "delete": True, "note": "5"}, {"key": "b", "delete": True, "note": "6"}])
        self.export(store, exit=2)
        self.assertIn("cannot have the key 'a/b' of default@v4", self.said)
        repository = self.repository(self.export(store, "--on-error", "skip"))
        self.assertIn("2 keys git cannot have were left out, as 'a/b'", self.said)
        trees = [self.state(repository, f"default~{5 - i}") for i in range(6)]
        self.assertEqual(trees, [{b"a": b"1"}, {b"a": b"1", b"b/c": b"2"}, {b"a": b"1", b"b/c": b"2"},
                                 {b"a": b"1", b"b": b"4"}, {b"a/b": b"3", b"b": b"4"},
                                 {b"a/b": b"3", b"b/c": b"2"}])

    def test_a_file_and_a_directory_of_one_name_at_different_times(self):
        store = support.Store(self)
        store.import_events([{"key": "a", "value": "1", "note": "1"},
                             {"key": "a", "delete": True, "commit": 2, "note": "2"},
                             {"key": "a/b", "value": "2", "commit": 2, "note": "2"},
                             {"key": "a", "delete": True, "note": "a delete of what is not there"},
                             {"key": "a/b", "delete": True, "commit": 3, "note": "3"},
                             {"key": "a", "value": "3", "commit": 3, "note": "3"}])
        repository = self.check_store(store)
        self.assertEqual(len(repository.commits()), 4)

    def test_what_expires_is_gone_from_the_commits_after(self):
        store = support.Store(self)
        hour = 3600 * 10**9
        start = 1_700_000_000 * 10**9
        store.import_events([{"key": "short", "value": "s", "ttl": hour, "time": start, "note": "1"},
                             {"key": "k", "value": "1", "time": start + hour // 2, "note": "2"},
                             {"key": "k", "value": "2", "time": start + 2 * hour, "note": "3"}])
        repository = self.repository(self.export(store))
        trees = [self.state(repository, f"default~{2 - i}") for i in range(3)]
        self.assertEqual(trees, [{b"short": b"s"}, {b"short": b"s", b"k": b"1"}, {b"k": b"2"}])

    def test_history_that_is_no_longer_kept_begins_with_the_first_state_that_is(self):
        store = support.Store(self)
        store.import_events([{"key": f"k{i}", "value": f"{i}", "note": f"c{i}"} for i in range(9)])
        store.run("branch", "retention", "default", "--keep-versions", "3")
        store.run("gc", "--now", "--yes")
        repository = self.check_store(store)
        self.assertIn("left out", self.said)
        count = len(repository.commits())
        self.assertTrue(3 <= count < 9, count)
        self.assertEqual(len(self.state(repository, "default")), 9)

    def test_a_point_between_two_commits_is_the_one_before(self):
        store = support.Store(self)
        store.import_events([{"key": "k", "value": "1", "note": "one"}, {"fork": "exp"},
                             {"key": "k", "value": "2", "branch": "exp", "note": "two"},
                             {"tag": "between", "from": "default@v4"}])
        repository = self.repository(self.export(store))
        self.assertEqual(self.state(repository, "between"), {b"k": b"1"})
        repository = self.repository(self.export(store, "--as-of", "default@v4"))
        self.assertEqual(self.state(repository, "default"), {b"k": b"1"})

    def test_names_git_would_not_take(self):
        store = support.Store(self)
        store.import_events([{"key": "k", "value": "1", "note": "1"}])
        names = ("a", "a/b", "b/.c", "d.lock", "e.", "f/g", "f")
        for name in names:
            store.run("branch", "create", name)
        store.run("tag", "create", "x.lock")
        repository = self.repository(self.export(store))
        found = {name.removeprefix("refs/heads/") for name in refs(repository, "heads")}
        self.assertEqual(found, {"default", "a", "a%2Fb", "b/%2Ec", "d%2Elock", "e%2E", "f/g", "f#2"})
        self.assertEqual(set(refs(repository, "tags")), {"refs/tags/x%2Elock"})
        self.assertIn("branch a/b is git's 'a%2Fb'", self.said)

    def test_people_and_metadata_of_other_kinds(self):
        store = support.Store(self)
        store.import_events([{"key": "k", "value": "1", "author": "Ann", "note": "1", "meta": "mine"},
                             {"key": "k", "value": "2", "author": "a <b> <c>\n", "note": "2"},
                             {"key": "k", "value": "3", "note": "3"}])
        repository = self.repository(self.export(store))
        people = [line.decode() for line in repository.lines("log", "--format=%an <%ae>", "default")]
        self.assertEqual(people, ["yore <>", "a b c <>", "Ann <>"])
        self.assertIn("1 value with metadata that is no mode of git", self.said)

    def test_an_empty_store(self):
        store = support.Store(self)
        store.run("init")
        repository = self.repository(self.export(store))
        self.assertEqual(repository.lines("for-each-ref"), [])

    def test_flags(self):
        store = support.Store(self)
        store.import_events([{"key": "k", "value": "1"}])
        self.export(store, "--since", "v1", exit=2)
        self.export(store, "--on-error", "perhaps", exit=2)
        store.run("export", "--on-error", "skip", exit=2)
        path = store.temp / "out.git"
        self.export(store, "-o", str(path))
        self.assertTrue(path.read_bytes().endswith(b"done\n"))


if __name__ == "__main__":
    support.main()

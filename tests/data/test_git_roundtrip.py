#!/usr/bin/env python3
"""`git fast-export | yore import --format git`: every file at every commit is what git has, whatever the repository.

The project's own history, one repository of everything unusual, and random ones (their seeds are printed).
"""
import os
import pathlib
import random
import subprocess
import sys
import time
import unittest

import data_support as support

SHA_NULL = b"0" * 40


class Repository:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null", TZ="UTC",
                                GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")

    def git(self, *arguments, data=None):
        return subprocess.run(["git", "-C", str(self.path), *arguments], input=data, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment).stdout

    def lines(self, *arguments):
        return self.git(*arguments).split(b"\n")[:-1]

    def create(self, stream=b""):
        self.path.mkdir()
        self.git("init", "-q", "--bare", "-b", "main", ".")
        if stream:
            self.git("fast-import", "--quiet", "--force", data=stream)
        return self

    def tree(self, commit):
        """Path -> (mode, object id)."""
        entries = {}
        for entry in self.git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            facts, path = entry.split(b"\t", 1)
            mode, _, oid = facts.split(b" ")
            entries[path] = (mode.decode(), oid.decode())
        return entries

    def commits(self):
        return [oid.decode() for oid in self.lines("rev-list", "--all")]


def git_blob_id(data):
    return support.hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def tree_of(state, prefix=b""):
    """What git's tree would hold for a store's state."""
    entries = {}
    for key, (value, meta) in state.items():
        assert key.startswith(prefix)
        mode = meta.decode().split(" ")
        if mode[0] == "160000":
            assert value == b""
            entries[key[len(prefix):]] = ("160000", mode[1])
        else:
            entries[key[len(prefix):]] = (mode[0] or "100644", git_blob_id(value))
    return entries


def encoded(name):
    """A ref's name as yore has it: what is illegal percent-encoded (`default`, when it is no root, is too)."""
    if name == b"default":
        return "%64efault"
    out = bytearray()
    is_version = name[:1] == b"v" and name[1:].isdigit()
    for i, byte in enumerate(name):
        letter = chr(byte).isalpha() and byte < 128 or byte == ord("_") or byte >= 128
        legal = letter or (i > 0 and byte in b"0123456789._/+#-")
        out += b"%%%02X" % byte if not legal or (is_version and i == 0) else bytes([byte])
    return out.decode()


class RoundTrip(unittest.TestCase):
    def take(self, repository, *flags, arguments=()):
        """Import what git exports; the store, and commit id -> its record with the branch id."""
        store = support.Store(self)
        stream = repository.git("fast-export", "--all", "--show-original-ids", "--signed-tags=verbatim",
                                "--tag-of-filtered-object=drop", "--reencode=no", *flags)
        store.run("import", "-", "--format", "git", "--create", *arguments, data=stream)
        store.branches = {b["name"]: b for b in store.rows("branch", "list", "--all", "--json")}
        records = {}
        for branch in store.branches.values():
            for record in store.log(branch["name"]):
                records.setdefault(record["source"], record)
        return store, records

    def check(self, repository, *flags, prefix=b""):
        arguments = ("--prefix", prefix.decode()) if prefix else ()
        store, records = self.take(repository, *flags, arguments=arguments)
        commits = repository.commits()
        self.assertEqual(set(records), set(commits))
        for oid in commits:
            record = records[oid]
            state = store.full_state("--as-of", f"{record['branch']}@v{record['version']}")
            self.assertEqual(tree_of(state, prefix), repository.tree(oid), f"tree of {oid}")
        self.check_commits(repository, records)
        self.check_refs(repository, store)
        return store

    def check_commits(self, repository, records):
        """Author, message, committer's time, and all parents."""
        for oid, record in records.items():
            raw = repository.git("cat-file", "commit", oid)
            head, message = raw.split(b"\n\n", 1)
            fields = [line.split(b" ", 1) for line in head.split(b"\n")]
            person = next(value for name, value in fields if name == b"author").rsplit(b" ", 2)[0]
            seconds = int(next(value for name, value in fields if name == b"committer").rsplit(b" ", 2)[1])
            self.assertEqual(support.bytes_of(record, "author"), person)
            self.assertEqual(support.bytes_of(record, "note"), message)
            parents = [value.decode() for name, value in fields if name == b"parent"]
            self.assertEqual(record["parents"], [records[parent]["version"] for parent in parents], oid)
            if seconds != 0:
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(seconds))
                self.assertEqual(record["source_time"], stamp)
        times = [r["time"] for r in sorted(records.values(), key=lambda r: r["version"])]
        self.assertEqual(times, sorted(set(times)), "times grow with the versions")

    def check_refs(self, repository, store):
        for line in repository.lines("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads"):
            name, oid = line.rsplit(b" ", 1)
            log = [record["source"] for record in store.log(encoded(name))]
            chain = [c.decode() for c in repository.lines("log", "--first-parent", "--format=%H", oid.decode())]
            self.assertEqual(log, chain, name)
            self.assertFalse(store.branches[encoded(name)].get("hidden"), name)
        tags = {tag["name"]: tag for tag in store.rows("tag", "list", "--json")}
        wanted = {}
        for line in repository.lines("for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags"):
            peeled = repository.git("rev-parse", f"refs/tags/{os.fsdecode(line)}^{{}}").decode().strip()
            if repository.git("cat-file", "-t", peeled) == b"commit\n":
                wanted[encoded(line)] = peeled
        self.assertEqual(set(tags), set(wanted))
        for name, oid in wanted.items():
            self.assertEqual(store.log(f"tag:{name}")[0]["source"], oid, name)
            self.assertEqual(tree_of(store.full_state("--as-of", f"tag:{name}")), repository.tree(oid), name)


class StreamWriter:
    """A fast-import stream, commit by commit."""

    def __init__(self):
        self.out = []
        self.marks = 0
        self.clock = 1_600_000_000

    def commit(self, ref, *changes, parents=(), time=None, message=b"m\n", author=b"A U Thor <a@example.org>"):
        self.marks += 1
        self.clock += 60
        time = self.clock if time is None else time
        if not parents:
            self.out.append(b"reset %s\n" % ref)
        self.out.append(b"commit %s\nmark :%d\nauthor %s %d +0100\ncommitter C <c@example.org> %d -0500\n" %
                        (ref, self.marks, author, time - 7, time))
        self.out.append(b"data %d\n%s\n" % (len(message), message))
        for i, parent in enumerate(parents):
            self.out.append(b"%s :%d\n" % (b"merge" if i else b"from", parent))
        self.out.extend(changes)
        self.out.append(b"\n")
        return self.marks

    def tag(self, name, commit, message=b"tagged\n"):
        self.out.append(b"tag %s\nfrom :%d\ntagger T <t@example.org> %d +0000\ndata %d\n%s\n" %
                        (name, commit, self.clock, len(message), message))

    def reset(self, ref, commit):
        self.out.append(b"reset %s\nfrom :%d\n\n" % (ref, commit))

    def delete(self, ref):
        self.out.append(b"reset %s\nfrom %s\n\n" % (ref, SHA_NULL))

    def stream(self):
        return b"".join(self.out)


def put(path, data, mode=b"100644"):
    quoted = b'"' + b"".join(b"\\%03o" % c if c in b'"\\\n' or c >= 127 else bytes([c]) for c in path) + b'"'
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, quoted, len(data), data)


def link(path, oid):
    return b"M 160000 %s %s\n" % (oid, path)


def drop(path):
    return b"D %s\n" % path


def everything_unusual():
    """One of each: what has broken importers before."""
    w = StreamWriter()
    main, dev = b"refs/heads/main", b"refs/heads/dev"
    one = w.commit(main, put(b"README.md", b"hello\n"), put(b"bin/run.sh", b"#!/bin/sh\n", b"100755"),
                   put(b"link", b"bin/run.sh", b"120000"), put(b"empty", b""), link(b"lib/sub", b"1" * 40))
    two = w.commit(main, put(b"name with \"quotes\" and\nnewline", b"q"), put(b"caf\xc3\xa9/\xff\xfe", b"\x00\x01\xff"),
                   put(b" lead and trail ", b"s"), put(b"back\\slash", b"b"), put(b"tab\there", b"t"), parents=[one])
    three = w.commit(main, parents=[two], message=b"", author=b"<nameless@example.org>")
    back = w.commit(main, put(b"README.md", b"older clock\n"), parents=[three], time=1_500_000_000)
    same = w.commit(main, put(b"bin/run.sh", b"#!/bin/sh\n"), parents=[back], time=1_500_000_000)
    side = w.commit(dev, put(b"dev.txt", b"1"), drop(b"empty"), parents=[two])
    side = w.commit(dev, put(b"dev.txt", b"2"), parents=[side])
    merged = w.commit(main, put(b"dev.txt", b"2"), parents=[same, side], message=b"merge dev\n")
    lone = w.commit(b"refs/heads/other-root", put(b"alone", b"x"))
    lone = w.commit(b"refs/heads/other-root", put(b"alone", b"y"), parents=[lone])
    arms = [w.commit(b"refs/heads/arm", put(b"arm/%d" % i, b"%d" % i), parents=[merged]) for i in range(5)]
    octopus = w.commit(main, *(put(b"arm/%d" % i, b"%d" % i) for i in range(5)), parents=[merged, *arms, lone],
                       message=b"caf\xe9 in latin-1\n")
    file_to_directory = w.commit(main, drop(b"link"), put(b"link/inside", b"now a directory"), parents=[octopus])
    gone = w.commit(main, drop(b"link/inside"), put(b"link", b"a file again"), drop(b"lib/sub"),
                    parents=[file_to_directory])
    zero = w.commit(b"refs/heads/epoch", put(b"e", b"e"), parents=[gone], time=7)
    last = w.commit(main, put(b"z" * 3000, b"long path"), parents=[gone], message=b"m" * 70 + b"\n\nbody\n")
    for name, commit in ((b"v1", one), (b"v1.0", two), (b"rel/2.0", merged), (b"odd@name=1", last)):
        w.tag(name, commit)
    w.reset(b"refs/tags/light", side)
    w.reset(b"refs/tags/on-a-dead-branch", arms[3])
    w.reset(b"refs/heads/same-as-main", last)
    w.reset(b"refs/heads/in-the-past", two)
    w.reset(b"refs/heads/1.x", merged)
    w.reset(b"refs/heads/v12", zero)
    w.reset(b"refs/heads/a@b,c", same)
    w.reset(b"refs/heads/\xc3\xbcber", back)
    w.reset(b"refs/heads/default", octopus)
    w.delete(dev)
    w.delete(b"refs/heads/arm")
    return w.stream()


def random_history(seed, commits=60):
    """A random graph: forks, merges, deleted branches, clocks that jump, changes of every kind."""
    rng = random.Random(seed)
    w = StreamWriter()
    states, tips, used = {}, {}, 0
    for _ in range(commits):
        root = not states or rng.random() < 0.04
        name = b"refs/heads/b%d" % rng.randrange(8)
        parents = []
        if not root:
            parents = [tips.get(name) if name in tips and rng.random() < 0.7 else rng.choice(list(states))]
            while rng.random() < 0.25:
                extra = rng.choice(list(states))
                if extra not in parents:
                    parents.append(extra)
        state = dict(states[parents[0]]) if parents else {}
        changes = []
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            path = rng.choice((b"d%d/" % rng.randrange(3), b"")) + b"f%d" % rng.randrange(9)
            if path in state and rng.random() < 0.3:
                changes.append(drop(path))
                del state[path]
            else:
                used += 1
                state[path] = rng.choice((b"100644", b"100755", b"120000"))
                changes.append(put(path, b"%d\n" % (used if rng.random() < 0.9 else 1), state[path]))
        time = rng.choice((None, None, 1_400_000_000 + rng.randrange(10**8), w.clock))
        mark = w.commit(name, *changes, parents=parents, time=time, message=b"commit %d\n" % w.marks)
        states[mark] = state
        tips[name] = mark
    for name in list(tips):
        if rng.random() < 0.5 and len(tips) > 1:
            w.reset(b"refs/tags/t%d" % len(tips), tips.pop(name))
            w.delete(name)
    return w.stream()


class GitRoundTripTest(RoundTrip):
    def repository(self, stream=b""):
        temp = support.tempfile.TemporaryDirectory(prefix="yore-git-")
        self.addCleanup(temp.cleanup)
        return Repository(pathlib.Path(temp.name) / "repository").create(stream)

    def test_the_projects_own_history(self):
        repository = Repository(support.ROOT)
        try:
            repository.git("rev-parse", "--verify", "-q", "HEAD")
            shallow = repository.git("rev-parse", "--is-shallow-repository").strip() == b"true"
        except (subprocess.CalledProcessError, FileNotFoundError):
            self.skipTest("not a git repository")
        if shallow:
            self.skipTest("a shallow clone")
        # A copy of its branches and tags: the repository may be in use.
        copy = self.repository()
        copy.git("fetch", "-q", str(support.ROOT), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        self.check(copy)

    def test_everything_unusual(self):
        self.check(self.repository(everything_unusual()))

    def test_the_ways_git_can_write_it(self):
        repository = self.repository(everything_unusual())
        for flags in (["--full-tree"], ["-M", "-C", "-C"], ["--use-done-feature"], ["--mark-tags"], ["--progress=1"]):
            with self.subTest(flags):
                self.check(repository, *flags)

    def test_every_key_below_a_prefix(self):
        repository = self.repository(random_history(7))
        for line in repository.lines("for-each-ref", "--format=%(refname)", "refs/tags"):
            repository.git("update-ref", "-d", line.decode())
        self.check(repository, prefix=b"repo/")
        self.check(repository, "--full-tree", prefix=b"repo/")

    def test_random_histories(self):
        seeds = [int(os.environ["YORE_SEED"])] if "YORE_SEED" in os.environ else random.sample(range(10**6), 4)
        for seed in seeds:
            print(f"seed {seed}", file=sys.stderr)
            with self.subTest(seed=seed):
                self.check(self.repository(random_history(seed)))

    def test_an_empty_repository(self):
        store, records = self.take(self.repository())
        self.assertEqual(records, {})
        self.assertEqual([b for b in store.branches], ["default"])

    def test_refs_outside_heads_and_tags(self):
        w = StreamWriter()
        one = w.commit(b"refs/heads/main", put(b"a", b"1"))
        w.commit(b"refs/notes/commits", put(b"n", b"note"))
        w.reset(b"refs/remotes/origin/main", one)
        repository = self.repository(w.stream())
        store, records = self.take(repository)
        self.assertEqual(set(records), set(repository.commits()), "their commits are kept, on side branches")
        self.assertEqual({n for n in store.branches if not n.startswith("side/")}, {"default", "main"})
        store, _ = self.take(repository, arguments=("--all-refs",))
        self.assertEqual(set(store.branches), {"default", "main", "notes/commits", "remotes/origin/main"})

    def test_branches_nested_deeper_than_a_lineage_may_be(self):
        w, depth = StreamWriter(), 1050
        root = w.commit(b"refs/heads/main", put(b"keep", b"k"), put(b"gone", b"g"))
        inner, outer = [], []
        for i in range(depth):
            inner.append(w.commit(b"refs/heads/x", put(b"in", b"%d" % i), parents=[inner[-1] if inner else root]))
        for i in reversed(range(depth)):
            changes = [drop(b"gone"), put(b"out", b"%d" % i)]
            outer.append(w.commit(b"refs/heads/x", *changes, parents=[inner[i]]))
        last = root
        for at in range(0, depth, 50):
            last = w.commit(b"refs/heads/main", parents=[last, *outer[at:at + 50]])
        w.delete(b"refs/heads/x")
        repository = self.repository(w.stream())
        store = support.Store(self)
        stream = repository.git("fast-export", "--all", "--show-original-ids")
        store.run("import", "-", "--format", "git", "--create", data=stream)
        # From an export, as a log of each of the thousand branches would take long.
        records = {row["source"]: row for row in store.rows("export", "--all-versions") if "source" in row}
        self.assertEqual(set(records), set(repository.commits()))
        for oid in random.Random(5).sample(sorted(records), 40):
            record = records[oid]
            state = store.full_state("--as-of", f"{record['branch']}@v{record['version']}")
            self.assertEqual(tree_of(state), repository.tree(oid))

    def test_a_deep_history_of_many_commits(self):
        w = StreamWriter()
        last = w.commit(b"refs/heads/main", put(b"n", b"0"))
        for i in range(1, 20000):
            last = w.commit(b"refs/heads/main", put(b"n", b"%d" % i), parents=[last])
        store = support.Store(self)
        store.run("import", "-", "--format", "git", "--create", data=w.stream())
        self.assertEqual(len(store.log("main")), 20000)
        self.assertEqual(store.run("get", "n", "--as-of", "main@back:19999").stdout, b"0")
        self.assertEqual(store.run("get", "n", "-b", "main").stdout, b"19999")


if __name__ == "__main__":
    support.main()

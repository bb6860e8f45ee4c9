#!/usr/bin/env python3
"""The real git histories of data/git: every manifest, every point read, every merge, as their oracles say.

Each set goes in twice: as change events with forks (which commit goes to which branch is decided here), and as a
fast-export stream made from it (which is yore's own decision).
"""
import base64
import unittest

import data_support as support

SETS = ("git/blns", "git/fastcdc-rs")


def manifest(state):
    return "".join(f"{support.sha256(value)}  {key.decode()}\n" for key, value in sorted(state.items()))


class GitSet:
    def __init__(self, folder):
        self.path = support.need(folder)
        self.commits = list(support.lines(self.path / "commits.jsonl.xz"))
        self.blobs = {}
        for blob in support.lines(self.path / "blobs.jsonl.xz"):
            data = base64.b64decode(blob["b64"]) if "b64" in blob else blob["text"].encode()
            self.blobs[blob["blob"]] = data
        with open(self.path / "branches.json", encoding="utf-8") as file:
            self.branches = support.json.load(file)
        self.states = self.replay()

    def replay(self):
        """The state after each commit: its first parent's with the delta applied."""
        states = []
        for commit in self.commits:
            state = dict(states[commit["parents"][0]]) if commit["parents"] else {}
            for path, blob in commit["delta"]:
                if blob is None:
                    state.pop(path.encode(), None)
                else:
                    state[path.encode()] = self.blobs[blob]
            states.append(state)
        return states

    def oracle(self, name):
        return support.lines(self.path / f"oracle_{name}.jsonl")

    def owners(self):
        """Commit -> branch: the tips' first-parent chains, then one branch for each chain that is left."""
        owner = {}
        for name, tip in [*self.branches.items(), *((None, n) for n in reversed(range(len(self.commits))))]:
            at = tip
            while at is not None and at not in owner:
                owner[at] = name or f"tail/{tip}"
                at = (self.commits[at]["parents"] or [None])[0]
        return owner

    def events(self):
        """Events that build the history, and the point of each commit. Versions count from the store's first one."""
        owner = self.owners()
        events, point, version, made = [], {}, 1, set()
        for commit in self.commits:
            n, branch = commit["n"], owner[commit["n"]]
            if branch not in made:
                made.add(branch)
                fork = {"fork": branch}
                fork.update({"from": point[commit["parents"][0]]} if commit["parents"] else {"empty": True})
                events.append(fork)
                version += 1
            common = {"branch": branch, "commit": commit["id"], "time": commit["ts"] * 10**9, "note": f"n{n}"}
            for path, blob in commit["delta"]:
                change = {"delete": True} if blob is None else support.as_member("value", self.blobs[blob])
                events.append({"key": path, **change, **common})
            if not commit["delta"]:
                events.append({"op": "none", **common})
            version += 1
            point[n] = f"{branch}@v{version}"
        return events, point

    def stream(self):
        """The same history as git would export it."""
        mark = {blob: i + 1 for i, blob in enumerate(self.blobs)}
        base = len(mark) + 1
        name = {tip: branch for branch, tip in self.branches.items()}
        out = []
        for blob, data in self.blobs.items():
            out.append(b"blob\nmark :%d\noriginal-oid %s\ndata %d\n%s\n" % (mark[blob], blob.encode(), len(data), data))
        for commit in self.commits:
            ref = name.get(commit["n"], "gone")
            if not commit["parents"]:
                out.append(b"reset refs/heads/%s\n" % ref.encode())
            out.append(b"commit refs/heads/%s\nmark :%d\noriginal-oid %s\n" %
                       (ref.encode(), base + commit["n"], commit["id"].encode()))
            out.append(b"committer A <a@b> %d +0000\ndata 2\nn\n" % commit["ts"])
            for i, parent in enumerate(commit["parents"]):
                out.append(b"%s :%d\n" % (b"merge" if i else b"from", base + parent))
            for path, blob in commit["delta"]:
                if blob is None:
                    out.append(b"D %s\n" % path.encode())
                else:
                    out.append(b"M 100644 :%d %s\n" % (mark[blob], path.encode()))
            out.append(b"\n")
        out.append(b"reset refs/heads/gone\nfrom 0000000000000000000000000000000000000000\n")
        return b"".join(out)


class GitSetTest(unittest.TestCase):
    def check(self, store, data, point):
        """Every oracle of the set, against the store whose commit n is at point[n]."""
        states = {}
        for n in range(len(data.commits)):
            states[n] = store.state("--as-of", point[n])
            self.assertEqual(states[n], data.states[n], f"state at commit {n}")
        checked = 0
        for row in data.oracle("snapshots"):
            text = manifest(states[row["n"]])
            self.assertEqual(len(states[row["n"]]), row["keys"])
            self.assertEqual(support.sha256(text.encode()), row["manifest_sha256"], f"manifest at {row['n']}")
            checked += 1
        self.assertGreaterEqual(checked, 60)
        for file in (data.path / "snapshots").iterdir():
            self.assertEqual(manifest(states[int(file.stem)]), file.read_text(encoding="utf-8"), file.name)
        for row in data.oracle("diff"):
            a, b = states[row["a"]], states[row["b"]]
            self.assertEqual(row["added"], sorted(k.decode() for k in b.keys() - a.keys()))
            self.assertEqual(row["deleted"], sorted(k.decode() for k in a.keys() - b.keys()))
            self.assertEqual(row["modified"], sorted(k.decode() for k in a.keys() & b.keys() if a[k] != b[k]))

    def check_point_reads(self, store, data, point):
        for row in data.oracle("asof"):
            done = store.run("get", row["key"], "--as-of", point[row["n"]], exit=None)
            if row["sha256"] is None:
                self.assertEqual(done.returncode, 1, row)
            else:
                self.assertEqual((done.returncode, len(done.stdout)), (0, row["len"]), row)
                self.assertEqual(support.sha256(done.stdout), row["sha256"], row)

    def check_tips(self, store, data):
        for branch, n in data.branches.items():
            self.assertEqual(store.state("-b", branch), data.states[n], f"tip of {branch}")

    def test_events_with_forks_give_every_state_of_the_oracle(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store = support.Store(self)
                events, point = data.events()
                store.import_events(events, "--times", "shift")
                self.check(store, data, point)
                self.check_point_reads(store, data, point)
                self.check_tips(store, data)

    def test_a_fast_export_stream_gives_every_state_of_the_oracle(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store = support.Store(self)
                store.run("import", "-", "--format", "git", "--create", data=data.stream())
                by_id = {}
                for branch in store.rows("branch", "list", "--all", "--json"):
                    for record in store.log(branch["name"]):
                        by_id.setdefault(record["source"], f"id:{branch['id']}@v{record['version']}")
                point = {commit["n"]: by_id[commit["id"]] for commit in data.commits}
                self.check(store, data, point)
                self.check_tips(store, data)

    def test_the_mainline_is_the_log_of_the_branch(self):
        for folder in SETS:
            with self.subTest(folder):
                data = GitSet(folder)
                store = support.Store(self)
                store.run("import", "-", "--format", "git", "--create", data=data.stream())
                with open(data.path / "mainline.json", encoding="utf-8") as file:
                    mainline = support.json.load(file)["mainline"]
                ids = [data.commits[n]["id"] for n in reversed(mainline)]
                (branch,) = data.branches
                self.assertEqual([record["source"] for record in store.log(branch)], ids)

    def test_three_way_merges_end_as_git_recorded_them(self):
        for folder in SETS:
            with self.subTest(folder):
                self.merge_all(GitSet(folder))

    def merge_all(self, data):
        store = support.Store(self)
        events, merges = [], [row for row in data.oracle("merge")]

        def change(branch, before, after):
            name = f"{branch} change"
            for key in sorted(before.keys() | after.keys()):
                if before.get(key) == after.get(key):
                    continue
                kind = support.as_member("value", after[key]) if key in after else {"delete": True}
                events.append({"key": key.decode(), **kind, "branch": branch, "commit": name})
            if events[-1].get("commit") != name:
                events.append({"op": "none", "branch": branch, "commit": name})

        for row in merges:
            n = row["n"]
            base, ours, theirs = (data.states[row[side]] for side in ("base", "ours", "theirs"))
            events.append({"fork": f"ours/{n}", "empty": True})
            change(f"ours/{n}", {}, base)
            events.append({"fork": f"theirs/{n}", "from": f"ours/{n}"})
            change(f"ours/{n}", base, ours)
            change(f"theirs/{n}", base, theirs)
            events.append({"merge": f"theirs/{n}", "into": f"ours/{n}"})
        rejects = store.temp / "rejects"
        store.import_events(events, "--on-error", str(rejects))
        conflicts = {row["n"] for row in merges if row["conflicts"]}
        refused = {int(row["merge"].split("/")[1]) for row in support.lines(rejects)} if rejects.exists() else set()
        self.assertEqual(refused, conflicts)
        for row in merges:
            state = store.state("-b", f"ours/{row['n']}")
            if row["n"] in conflicts:
                self.assertEqual(state, data.states[row["ours"]], "a conflict merges nothing")
            else:
                self.assertEqual(support.sha256(manifest(state).encode()), row["merged_manifest_sha256"], row["n"])


if __name__ == "__main__":
    support.main()

#!/usr/bin/env python3
"""`yore compare` of random branches says what a comparison of their exports says. The seeds are printed."""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

YORE = os.environ.get("YORE_BIN", "yore")


class Store:
    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "store"

    def run(self, *arguments, data=None):
        done = subprocess.run([YORE, "-d", str(self.path), *arguments], input=data, capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()] if data is None else []

    def state(self, point):
        rows = self.run("export", "--as-of", point)
        return {key(row): (row.get("value"), row.get("value_b64"), row.get("type"), row.get("meta")) for row in rows}


def key(row):
    return base64.b64decode(row["key_b64"]) if "key_b64" in row else row["key"].encode()


def events(rng):
    branches = ["default"]
    yield {"key": "k0", "value": "0", "branch": "default"}
    for i in range(120):
        if rng.random() < 0.05:
            branches.append(f"b{i}")
            yield {"fork": branches[-1], "from": rng.choice(branches[:-1])}
        row = {"key": f"k{rng.randrange(15)}", "branch": rng.choice(branches)}
        if rng.random() < 0.1:
            row = {"key_b64": base64.b64encode(b"\xff%d" % rng.randrange(3)).decode(), "branch": row["branch"]}
        if rng.random() < 0.25:
            yield {**row, "delete": True}
        else:
            value = rng.choice(("1", 1, "2"))  # "1" and 1 differ in type only
            yield {**row, "value": value, **({"meta": "m"} if rng.random() < 0.1 else {})}


def verdicts(base, states):
    """Key -> (verdict, {point: (op, group)})."""
    found = {}
    for name in sorted(set(base).union(*states)):
        changes = {}
        groups = []
        for i, state in enumerate(states):
            old, new = base.get(name), state.get(name)
            if old == new:
                continue
            if new not in groups:
                groups.append(new)
            changes[i] = ("add" if old is None else "del" if new is None else "change", groups.index(new) + 1)
        if changes:
            found[name] = ("alone" if len(changes) == 1 else "agree" if len(groups) == 1 else "differ", changes)
    return found


def check(seed):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="yore-compare-") as folder:
        store = Store(folder)
        text = "".join(json.dumps(event) + "\n" for event in events(rng)).encode()
        store.run("import", "-", "--format", "jsonl", "--create", data=text)
        names = [branch["name"] for branch in store.run("branch", "list", "--json")]
        for _ in range(6):
            base, *points = rng.sample(names, rng.randrange(2, min(len(names), 5) + 1))
            points = [p if rng.random() < 0.7 else f"{p}@back:{rng.randrange(3)}" for p in points]
            wanted = verdicts(store.state(f"{base}@now"), [store.state(p if "@" in p else p + "@now") for p in points])
            rows = store.run("compare", base, *points, "--keys", "--json")
            labels = [p.split("@")[0] for p in points]
            got = {key(row): (row["verdict"], {labels.index(c["branch"]): (c["op"], c["group"])
                                              for c in row["changes"]}) for row in rows}
            assert got == wanted, (seed, base, points)
            for i, row in enumerate(store.run("compare", base, *points, "--json")):
                mine = [(v, c) for v, c in wanted.values() if i in c]
                assert row["branch"] == labels[i] and row["changed"] == len(mine)
                for field, op in (("added", "add"), ("edited", "change"), ("deleted", "del")):
                    assert row[field] == sum(c[i][0] == op for _, c in mine)
                for field in ("alone", "agree", "differ"):
                    assert row[field] == sum(v == field for v, _ in mine)
                for k, label in enumerate(labels):
                    if k != i:
                        assert row["agrees_with"][label] == sum(k in c and c[k][1] == c[i][1] for _, c in mine)


def main():
    seeds = [int(os.environ["YORE_SEED"])] if "YORE_SEED" in os.environ else random.sample(range(10**6), 5)
    for seed in seeds:
        print(f"seed {seed}")
        check(seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The command reads a store while another process imports into it, closes it (which drops the log) or is killed.

Every commit writes all keys with one value, the number of the round, so each answer can be judged by itself, and no
answer may be older than one before. YORE_TEST_SEED is another run; the argument is how many seconds.
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

YORE = os.environ["YORE_BIN"]
SEED = int(os.environ.get("YORE_TEST_SEED", "1"))
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 4
KEYS = 40
READERS = 3
PADDING = "x" * 200


def lines(number):
    return "".join(f"key/{i:03}\t{number} {PADDING}\n" for i in range(KEYS))


def write(folder, first, rounds, kill):
    """A process that commits some rounds, and is killed in the middle of the last ones or closes the store."""
    put = [YORE, "-d", "s", "put", "--stdin", "--from-format", "tsv", "--batch", str(KEYS), "--sync", "os", "-q"]
    process = subprocess.Popen(put, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    process.stdin.write("".join(lines(i) for i in range(first, first + rounds)))
    if kill:
        process.stdin.flush()
        process.kill()
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    words = process.stderr.read()
    if process.wait() != 0 and not kill:
        raise RuntimeError(f"the writer ended with {process.returncode}: {words}")


class Reader(threading.Thread):
    def __init__(self, folder, seed, over):
        super().__init__()
        self.folder, self.rng, self.over = folder, random.Random(seed), over
        self.newest, self.reads, self.failure = 0, 0, None

    def run(self):
        try:
            while not self.over.is_set():
                self.read()
        except Exception as failure:  # told by the main thread
            self.failure = failure

    def read(self):
        some = sorted(self.rng.sample(range(KEYS), 5))
        args = self.rng.choice([["get", *(f"key/{i:03}" for i in some)], ["scan", "", "", "--values"]])
        done = subprocess.run([YORE, "-d", "s", *args], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"yore {args[0]}: exit {done.returncode}: {done.stderr}")
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        want = [f"key/{i:03}" for i in (some if args[0] == "get" else range(KEYS))]
        if [row[0] for row in rows] != want:
            raise RuntimeError(f"yore {args[0]}: keys {[row[0] for row in rows]}")
        values = {row[1] for row in rows}
        if len(values) != 1:
            raise RuntimeError(f"yore {args[0]}: half of a commit: {sorted(v[:12] for v in values)}")
        number = int(values.pop().split()[0])
        if number < self.newest:
            raise RuntimeError(f"yore {args[0]}: round {number} after round {self.newest}")
        self.newest = number
        self.reads += 1


def main():
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([YORE, "init", "-q", "s"], cwd=folder, check=True)
        write(folder, 1, 1, False)
        over = threading.Event()
        readers = [Reader(folder, SEED * READERS + i, over) for i in range(READERS)]
        for reader in readers:
            reader.start()
        end, writers, kills, first = time.monotonic() + SECONDS, 0, 0, 2
        try:
            while time.monotonic() < end and not any(reader.failure for reader in readers):
                kill, rounds = rng.random() < 0.4, rng.randrange(1, 400)
                write(folder, first, rounds, kill)
                first += rounds
                writers += 1
                kills += kill
        finally:
            over.set()
            for reader in readers:
                reader.join()
        for reader in readers:
            if reader.failure:
                sys.exit(str(reader.failure))
        segments = [p.name for p in (folder / "s").iterdir() if p.suffix == ".seg"]
        subprocess.run([YORE, "-d", "s", "check", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        reads = sum(reader.reads for reader in readers)
        print(f"{writers} writers, {kills} killed, {reads} reads, {len(segments)} segments")
        if not segments or not kills or not all(reader.newest > 1 for reader in readers):
            sys.exit("nothing was tested")
    return 0


if __name__ == "__main__":
    sys.exit(main())

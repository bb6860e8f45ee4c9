#!/usr/bin/env python3
"""Backups by the command while another process writes the store, stopped by signals at random moments.

A backup is there and whole, or not there; Ctrl-C and SIGTERM leave nothing behind. YORE_TEST_SEED is another run.
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

YORE = os.environ["YORE_BIN"]
SEED = int(os.environ.get("YORE_TEST_SEED", "1"))
ROUNDS = 12


def yore(folder, *args, good=(0,)):
    done = subprocess.run([YORE, *args], cwd=folder, capture_output=True, text=True)
    if done.returncode not in good:
        sys.exit(f"yore {' '.join(args)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def lines(first, count):
    return "".join(f"key/{i % 5000:05}\tvalue {i} {'x' * (i % 50)}\n" for i in range(first, first + count))


def writer(folder):
    """A process that commits one key after another until its input ends."""
    put = [YORE, "-d", "s", "put", "--stdin", "--from-format", "tsv", "--batch", "1", "--sync", "os"]
    return subprocess.Popen(put, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, text=True)


def left_behind(folder, keep):
    return sorted(p.name for p in folder.iterdir() if p.name not in keep)


def check_prefix(folder, name, store):
    yore(folder, "-d", store, "backup", "verify", name, "-q")
    record = json.loads(yore(folder, "backup", "restore", name, "r", "--json"))
    yore(folder, "-d", "r", "check", "-q")
    log = yore(folder, "-d", "r", "log", "--system")
    same = yore(folder, "-d", store, "log", "--system")
    if not same.endswith(log) or not log:
        sys.exit(f"{name} (up to v{record['version']}) is not a prefix of the store")
    subprocess.run(["rm", "-r", "r"], cwd=folder, check=True)


def beside_a_writer(folder):
    process = writer(folder)
    made, last = [], None
    for i in range(8):
        process.stdin.write(lines(i * 400, 400))
        process.stdin.flush()
        name = f"b{i}"
        base = ["--base", last] if last and i % 4 else []
        yore(folder, "-d", "s", "backup", "make", name, *base, "-q")
        made.append(name)
        last = name
    process.stdin.close()
    if process.wait() != 0:
        sys.exit(f"the writer ended with {process.returncode}")
    for name in made:
        check_prefix(folder, name, "s")


def stopped(folder, rng):
    outcomes = {"made": 0, "stopped": 0, "killed": 0}
    keep = {p.name for p in folder.iterdir()}
    for i in range(ROUNDS):
        number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        is_make = rng.random() < 0.5
        args = ["-d", "s", "backup", "make", "x"] if is_make else ["backup", "restore", "b7", "x"]
        process = subprocess.Popen([YORE, *args, "-q"], cwd=folder, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * 0.06)
        process.send_signal(number)
        _, words = process.communicate()
        there = (folder / "x").exists()
        if process.returncode == 0 or there:
            if not there:
                sys.exit(f"round {i}: {args}: exit 0 and nothing there")
            yore(folder, *(["backup", "verify", "x", "-q"] if is_make else ["-d", "x", "check", "-q"]))
            outcomes["made"] += 1
        elif process.returncode == 130:
            left = left_behind(folder, keep if is_make else keep | {"x.tmp"})
            if "CANCELLED" not in words or left:
                sys.exit(f"round {i}: {args}: {words} {left}")
            outcomes["stopped"] += 1
        elif process.returncode in (-signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM):
            outcomes["killed"] += 1  # before the command had caught the signal, or by SIGKILL
        else:
            sys.exit(f"round {i}: {args}: exit {process.returncode} {words}")
        for name in left_behind(folder, keep | {"x.tmp"}):
            subprocess.run(["rm", "-r", name], cwd=folder, check=True)
    yore(folder, "-d", "s", "backup", "make", "x", "-q")  # over an x.tmp that may be there
    yore(folder, "backup", "verify", "x", "-q")
    return outcomes


def main():
    print(f"seed {SEED}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        yore(folder, "init", "-q", "s")
        subprocess.run([YORE, "-d", "s", "put", "--stdin", "--from-format", "tsv", "--batch", "100", "-q"], cwd=folder,
                       input=lines(0, 60000), text=True, check=True, stdout=subprocess.DEVNULL)
        beside_a_writer(folder)
        print(stopped(folder, random.Random(SEED)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

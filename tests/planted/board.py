#!/usr/bin/env python3
"""The planted-bug board: each known-wrong variant in engine/base/planted.h and the test that catches it.

Runs the test programs of the planted build (YORE_BUILD_DIR), reads from their output which bug each one caught, and
prints one row a bug. Fails when a bug of planted.h has no row, when no test caught it, or when a program failed.

    YORE_BUILD_DIR=build/planted tests/planted/board.py [--markdown]
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(os.environ.get("YORE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("YORE_BUILD_DIR", SOURCE / "build" / "planted"))

# program, arguments
PROGRAMS = {
    "test_wal_planted": [],
    "test_store_crash_planted": ["--planted"],
    "test_publish_order_planted": [],
    "test_model_planted": ["--planted"],
    "test_history_planted": [],
    "history_stress_planted": ["--planted"],
    "test_epoch_planted": [],
    "test_planted_hash": [],
    "test_search_random_planted": ["--planted"],
    "test_merge_planted": ["--planted"],
    "test_merge_model_planted": ["--planted"],
    "test_merge_facts_planted": ["--planted"],
}

# bug in planted.h, what it is, and where it is caught: program and the line that says so
ROWS = [
    ("STOP_AT_FIRST_BAD", "recovery stops at the first bad record",
     [("test_wal_planted", r"^stop at the first bad record +caught by (.*)$")]),
    ("APPEND_AFTER_TORN_TAIL", "append after an uncut tail",
     [("test_wal_planted", r"^append after a torn tail +caught by (.*)$"),
      ("test_store_crash_planted", r"^append after an uncut tail +caught (after .*)$")]),
    ("NO_DIR_SYNC", "missing directory sync",
     [("test_wal_planted", r"^no directory sync +caught by (.*)$"),
      ("test_store_crash_planted", r"^missing directory sync +caught (after .*)$")]),
    ("ACK_BEFORE_SYNC", "acknowledge before sync",
     [("test_store_crash_planted", r"^acknowledge before sync +caught (after .*)$")]),
    ("PUBLISH_BEFORE_SYNC", "publish before sync",
     [("test_publish_order_planted", r"^publish before sync: caught, (.*)$")]),
    ("RETRY_SYNC", "retry after a failed sync",
     [("test_wal_planted", r"^retry a failed sync +caught by (.*)$"),
      ("test_store_crash_planted", r"^retry after a failed sync +caught (after .*)$")]),
    ("NO_SALT", "missing salt",
     [("test_wal_planted", r"^no salt +caught by (.*)$")]),
    ("REUSE_WAL", "reused log file",
     [("test_wal_planted", r"^reuse a log file +caught by (.*)$")]),
    ("LOCK_BY_EXCL", "lock by O_EXCL",
     [("test_wal_planted", r"^lock by existence +caught by (.*)$")]),
    ("ONE_EPOCH", "one-epoch reclamation",
     [("test_epoch_planted", r"OK \] test_one_epoch_of_grace_is_(caught)")]),
    ("RELAXED_PUBLISH", "relaxed publish",
     [("test_publish_order_planted", r"^relaxed publish: caught, (.*)$"),
      ("history_stress_planted", r"^planted, relaxed publish: (caught.*)$")]),
    ("LINEAGE_CAP", "wrong lineage cap",
     [("test_model_planted", r"^planted, wrong lineage cap: caught (after [^:]*)")]),
    ("EXPIRY_WALL_CLOCK", "expiry read from the wall clock",
     [("test_model_planted", r"^planted, expiry read from the wall clock: caught (after [^:]*)")]),
    ("FIRST_COMMITTER", "first-committer-wins off by one",
     [("test_model_planted", r"^planted, first-committer-wins off by one: caught (after [^:]*)"),
      ("test_history_planted", r"OK \] test_first_committer_wins_off_by_one_is_(caught)")]),
    ("UNSETTLED_SCAN", "scan while new keys wait to be put in order",
     [("test_model_planted", r"^planted, scan without settling: caught (after [^:]*)")]),
    ("HASH_BEFORE_ENTRY", "hash slot published before its entry",
     [("test_planted_hash", r"OK \] test_publishing_the_tag_before_the_reference_is_(caught)")]),
    ("SEARCH_HIDDEN_DF", "replaced documents counted in df",
     [("test_search_random_planted", r"^planted, replaced documents counted: caught (after [^:]*)")]),
    ("SEARCH_EXPIRY", "expiry ignored in the document count",
     [("test_search_random_planted", r"^planted, expiry ignored in the number of documents: caught (after [^:]*)")]),
    ("SEARCH_END_VERSION", "posting alive where it ended",
     [("test_search_random_planted", r"^planted, posting alive in the version that ended it: caught (after [^:]*)")]),
    ("SEARCH_HIDE_CAP", "child hides its parent too early",
     [("test_search_random_planted", r"^planted, parent hidden before the child wrote: caught (after [^:]*)")]),
    ("SEGMENT_NO_SYNC", "segment not synced",
     [("test_store_crash_planted", r"^segment not synced +caught (after .*)$")]),
    ("SEGMENT_NO_DIR_SYNC", "segment's name not synced",
     [("test_store_crash_planted", r"^segment's name not synced +caught (after .*)$")]),
    ("EARLY_UNLINK", "inputs of a merge unlinked early",
     [("test_store_crash_planted", r"^inputs of a merge unlinked early +caught (after .*)$"),
      ("test_store_crash_planted", r"^inputs of a rewriting unlinked early +caught (after .*)$")]),
    ("FLUSHED_LSN", "one log record too many taken for flushed",
     [("test_store_crash_planted", r"^one log record too many taken for flushed +caught (after .*)$")]),
    ("FLUSHED_UNPROVEN", "flushed ahead of the log's proven end",
     [("test_store_crash_planted", r"^flushed ahead of the proven end +caught (after .*)$")]),
    ("MANIFEST_NO_SYNC", "MANIFEST not synced",
     [("test_store_crash_planted", r"^MANIFEST not synced +caught (after .*)$")]),
    ("MANIFEST_NO_DIR_SYNC", "MANIFEST's name not synced",
     [("test_store_crash_planted", r"^MANIFEST's name not synced +caught (after .*)$")]),
    ("LOG_DROP_EARLY", "log files dropped before MANIFEST lets them go",
     [("test_store_crash_planted", r"^log files dropped early +caught (after .*)$")]),
    ("LOG_CLOSE_UNPROVEN", "a log file's end in MANIFEST before it is proven",
     [("test_store_crash_planted", r"^a log file's end said before it is proven +caught (after .*)$")]),
    ("BACKUP_NO_SYNC", "backup not synced",
     [("test_store_crash_planted", r"^backup not synced +caught (after .*)$")]),
    ("COMPACT_UNASKED_DELETE", "a child's delete dropped without asking",
     [("test_merge_planted", r"^planted, a child's delete dropped without asking the parent: caught (after [^:]*)")]),
    ("COMPACT_NO_PINS", "fork points and tags not kept",
     [("test_merge_planted", r"^planted, fork points and tags not kept: caught (after [^:]*)")]),
    ("COMPACT_EXPIRY_NOW", "expired for the newest reader only, dropped",
     [("test_merge_planted", r"^planted, expiry judged by the newest reader: caught (after [^:]*)")]),
    ("MERGE_FIRST_PARENT", "the base of a merge along first parents",
     [("test_merge_model_planted", r"^base along first parents: caught (in world .*)$")]),
    ("MERGE_OLD_BASE", "an older base than the nearest",
     [("test_merge_model_planted", r"^an older base: caught (in world .*)$")]),
    ("MERGE_UNWATCHED", "a merge blind to commits since its plan",
     [("test_merge_facts_planted", r"OK \] an_unwatched_merge_is_(caught)")]),
]


def run(name):
    """Output of a test program, or None when it failed; and its seconds."""
    paths = [p for p in BUILD.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    if not paths:
        print(f"{name}: not built in {BUILD}", file=sys.stderr)
        return None, 0.0
    started = time.monotonic()
    done = subprocess.run([str(paths[0]), *PROGRAMS[name]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        print(f"{name} failed ({done.returncode}):\n{done.stdout[-2000:]}", file=sys.stderr)
        return None, seconds
    return done.stdout, seconds


def planted_in_the_engine():
    text = (SOURCE / "engine/base/planted.h").read_text(encoding="utf-8")
    body = text[text.index("enum yr_bug {"):text.index("YR_BUG_COUNT")]
    return [name for name in re.findall(r"YR_BUG_(\w+)", body) if name != "NONE"]


def main():
    markdown = "--markdown" in sys.argv[1:]
    failed = []
    rowed = [row[0] for row in ROWS]
    for bug in planted_in_the_engine():
        if bug not in rowed:
            failed.append(f"{bug} is in planted.h but not on the board")
    for bug in rowed:
        if bug not in planted_in_the_engine():
            failed.append(f"{bug} is on the board but not in planted.h")
    outputs = {}
    for name in PROGRAMS:
        outputs[name], _ = run(name)
        if outputs[name] is None:
            failed.append(f"{name} failed")
    for bug, title, places in ROWS:
        caught = []
        for name, pattern in places:
            found = re.search(pattern, outputs[name] or "", re.MULTILINE)
            if found:
                detail = found.group(1).strip()
                caught.append((name, "" if detail == "caught" else detail))
            else:
                failed.append(f"{bug} ({title}) is not caught by {name}")
        if markdown:
            print(f"| {title} | `{bug}` | {', '.join('`' + name + '`' for name, _ in caught)} |")
        else:
            where = "; ".join(f"{name}: {detail[:70]}" if detail else name for name, detail in caught)
            print(f"{title:40} {where or 'NOT CAUGHT'}")
    for line in failed:
        print(f"FAILED: {line}")
    print(f"{len(ROWS)} planted bugs, {len(failed)} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

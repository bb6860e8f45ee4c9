#!/usr/bin/env python3
"""data/ir/pretok-cran: BM25 scores that others computed, of a whole collection and of a history with a fork."""
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "data"))
import data_support as support  # noqa: E402

SCRIPT = pathlib.Path(os.environ.get("YORE_BUILD_DIR", "build")) / "tests" / "search" / "db" / "search_script"
WITHIN = 1e-6
BRANCHES = {"main": "default"}


def run(lines):
    """Answers of the `ask` lines: (documents, average, matches, [(key, score)])."""
    done = subprocess.run([SCRIPT], input="".join(line + "\n" for line in lines), stdout=subprocess.PIPE, check=True,
                          text=True)
    answers = []
    for line in done.stdout.splitlines():
        words = line.split(" ")
        if words[0] == "=":
            answers.append((int(words[1]), float(words[2]), int(words[3]), []))
        else:
            answers[-1][3].append((words[0], float(words[1])))
    return answers


def load(path, name):
    return {row["id"]: row["text"] for row in support.lines(path / name)}


class PretokTest(unittest.TestCase):
    def same_hits(self, got, expected, what):
        self.assertEqual([key for key, _ in got], [key for key, _ in expected], what)
        for (key, score), (_, wanted) in zip(got, expected):
            self.assertLessEqual(abs(score - wanted), WITHIN, f"{what}: {key}")

    def check_collection(self, name, k1, b):
        path = support.need("ir/pretok-cran")
        docs, queries = load(path, "docs.jsonl"), load(path, "queries.jsonl")
        expected = list(support.lines(path / name))
        lines = ["set\tsearch.language\tnone", f"set\tsearch.k1\t{k1}", f"set\tsearch.b\t{b}"]
        lines += [f"put\tdefault\t{key}\t{text}" for key, text in docs.items()]
        lines += ["mark\tall\tdefault"] + [f"ask\tall\t20\t{queries[row['qid']]}" for row in expected]
        answers = run(lines)
        self.assertEqual(len(answers), len(expected))
        for row, (documents, _, matches, hits) in zip(expected, answers):
            self.assertEqual(documents, len(docs))
            self.assertEqual(matches, row["matching_docs"], row["qid"])
            self.same_hits(hits, row["top"], f"{name}, query {row['qid']}")
        print(f"{name}: {len(expected)} queries, {sum(len(row['top']) for row in expected)} scores within {WITHIN:g}")

    def test_every_expected_score(self):
        self.check_collection("expected_k1.2_b0.75.jsonl", "1.2", "0.75")

    def test_every_expected_score_with_other_parameters(self):
        self.check_collection("expected_k0.9_b0.4.jsonl", "0.9", "0.4")

    def test_history_at_every_mark_then_and_later(self):
        path = support.need("ir/pretok-cran")
        docs, queries = load(path, "docs.jsonl"), load(path, "queries.jsonl")
        expected = {row["mark"]: row for row in support.lines(path / "history_expected.jsonl")}
        lines, asked = ["set\tsearch.language\tnone"], []

        def ask(mark):
            for qid in expected[mark]["results"]:
                lines.append(f"ask\t{mark}\t10\t{queries[qid]}")
                asked.append((mark, qid))

        for op in support.lines(path / "history_ops.jsonl"):
            branch = BRANCHES.get(op["branch"], op["branch"])
            if op["op"] == "put":
                lines.append(f"put\t{branch}\t{op['id']}\t{docs[op['text_of']]}")
            elif op["op"] == "del":
                lines.append(f"del\t{branch}\t{op['id']}")
            elif op["op"] == "fork":
                lines.append(f"fork\t{branch}\t{BRANCHES.get(op['from'], op['from'])}")
            else:
                lines.append(f"mark\t{op['name']}\t{branch}")
                ask(op["name"])  # as it is written
        for mark in expected:
            ask(mark)  # and all of it once more, from the end
        answers = run(lines)
        self.assertEqual(len(answers), len(asked))
        for (mark, qid), (documents, average, _, hits) in zip(asked, answers):
            row = expected[mark]
            self.assertEqual(documents, row["docs"], mark)
            self.assertAlmostEqual(average, row["avgdl"], delta=WITHIN, msg=mark)
            self.same_hits(hits, row["results"][qid], f"{mark}, query {qid}")
        print(f"history: {len(expected)} marks, {len(asked)} queries: N, average length and top 10")


if __name__ == "__main__":
    support.main()

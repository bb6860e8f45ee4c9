#!/usr/bin/env python3
"""Collections with relevance judgements (data/ir): what people judged relevant comes first, as often as with Lucene
and bm25s. A ranking much below them means that words are cut, stemmed or weighed wrongly."""
import os
import pathlib
import subprocess
import sys
import unittest

import data_support as support

DRIVER = pathlib.Path(os.environ.get("YORE_BUILD_DIR", "build")) / "tests" / "data" / "search_driver"
MARGIN = 0.01


def judged(ir, qrels, run):
    """What the collections' own evaluation says: its figures by name."""
    done = subprocess.run([sys.executable, ir / "eval.py", qrels, run], capture_output=True, check=True, text=True)
    words = done.stdout.split()
    return dict(zip(words[::2], map(float, words[1::2])))


def reference(path, collection):
    """The least nDCG@10 of Lucene and bm25s, k1 = 1.2 and b = 0.75 like ours."""
    rows = (line.split("\t") for line in (path / "reference_scores.tsv").read_text(encoding="utf-8").splitlines())
    found = {row[1]: float(row[3]) for row in rows if row[0] == collection}
    return min(found["lucene4.10-1.2-0.75"], found["bm25s-k1.2-b.75"])


class RankingTest(unittest.TestCase):
    def check(self, collection, language):
        ir = support.need("ir")
        path = support.need(f"ir/{collection}")
        store = support.Store(self)
        store.import_events([{"key": row["id"], "value": f"{row.get('title', '')}\n{row['text']}"}
                             for row in support.lines(path / "docs.jsonl")])
        store.run("config", "set", "search.language", language)

        queries = list(support.lines(path / "queries.jsonl"))
        text = "".join(" ".join(query["text"].split()) + "\n" for query in queries)
        done = subprocess.run([DRIVER, store.path, "100"], input=text.encode(), capture_output=True, check=True)
        run = store.temp / "run.tsv"
        with run.open("w", encoding="utf-8") as file:
            for line in done.stdout.decode().splitlines():
                number, hit = line.split("\t", 1)
                file.write(f"{queries[int(number)]['id']}\t{hit}\n")

        found = judged(ir, path / "qrels.tsv", run)
        bar = reference(ir, collection) - MARGIN
        print(f"{collection}: nDCG@10 {found['nDCG@10']:.4f}, at least {bar:.4f} wanted; MAP {found['MAP']:.4f}")
        self.assertGreaterEqual(found["nDCG@10"], bar)

    def test_adi(self):
        self.check("adi", "english")

    def test_cran(self):
        self.check("cran", "english")

    def test_xquad_english(self):
        self.check("xquad-en", "english")

    def test_xquad_german(self):
        self.check("xquad-de", "german")

    def test_xquad_spanish(self):
        self.check("xquad-es", "spanish")


if __name__ == "__main__":
    support.main()

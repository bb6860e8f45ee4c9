#!/usr/bin/env python3
"""Draw the benchmark's results (yore_bench --json FILE) as SVG files.

    plots.py OUT_DIR RESULTS.json...

A row that is in several files is taken from the last one. Plots whose rows were not measured are left out.
"""
import html
import json
import math
import pathlib
import sys

ENGINES = ("yore", "lmdb", "rocksdb", "sqlite", "wiredtiger")
NAMES = {"yore": "yore", "lmdb": "LMDB", "rocksdb": "RocksDB", "sqlite": "SQLite", "wiredtiger": "WiredTiger"}
OURS, THEIRS, INK, FAINT, GOOD, BAD = "#1f5fbf", "#aab2bd", "#1c2430", "#687385", "#1a7f5a", "#b3402a"
LINES = {"yore": OURS, "lmdb": "#b26a1b", "rocksdb": "#7b4fa3", "sqlite": "#2f8a6b", "wiredtiger": "#b03a52"}
WIDTH = 960

# file name, title, [(row, words)]
PANELS = (
    ("memory", "In memory: just written, nothing reopened", (
        ("put_random", "put, a commit each"), ("put_batch1000", "put, 1,000 a commit"), ("get_random", "get"),
        ("get_missing", "get a key that is not there"), ("scan100", "scan of 100 rows"),
        ("asof_get", "get as of a moment, 20 versions"))),
    ("reopen", "After a reopen, warm", (
        ("reopen_get", "get"), ("reopen_many16", "get of 16 keys a call"),
        ("reopen_missing", "get a key that is not there"), ("reopen_scan100", "scan of 100 rows"),
        ("reopen_asof", "get as of a moment, 20 versions"), ("reopen_latest", "get the newest of 20 versions"))),
    ("disk", "From the disk and from compressed files", (
        ("reopen_cold_get", "get, nothing in the page cache"), ("packed_get", "get, compressed, warm"),
        ("packed_cold_get", "get, compressed, nothing cached"))),
    ("space", "Bytes on disk, compression on where there is one", (
        ("left_plain", "one version, as the engine leaves it"), ("packed_plain", "one version, compacted"),
        ("left_versions", "20 versions, as the engine leaves it"), ("packed_versions", "20 versions, compacted"))),
    ("load", "Random load under a memory budget", (
        ("load_put", "puts"), ("load_writes", "written, for a byte of keys and values"),
        ("load_rss", "most memory resident"))),
    ("large", "Reads with data of eight times the memory budget", (
        ("big_get", "get"), ("big_missing", "get a key that is not there"), ("big_scan100", "scan of 100 rows"))),
    ("stall", "Puts while the engine flushes and compacts: 99.9 % are faster than", (
        ("stall_idle", "nothing beside"), ("stall_full", "at full speed"), ("stall_paced", "at half speed"))),
)


class Svg:
    """Text of one picture; y grows downwards, sizes in pixels."""

    def __init__(self, height, title):
        self.height = height
        self.parts = [f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
        self.title = title

    def text(self, x, y, words, size=12, fill=INK, anchor="start", bold=False):
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" '
                          f'text-anchor="{anchor}"{weight}>{html.escape(words)}</text>')

    def rect(self, x, y, width, height, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" '
                          f'rx="2" fill="{fill}"/>')

    def line(self, points, stroke, width=1.0, dash=None):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" '
                          f'stroke-width="{width}"{dashed}/>')

    def dot(self, x, y, fill):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}"/>')

    def write(self, path):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" '
                f'viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{html.escape(self.title)}" '
                'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif">')
        path.write_text("\n".join([head, f"<title>{html.escape(self.title)}</title>", *self.parts, "</svg>"]) + "\n")


def read_results(paths):
    """Rows by name, and the words below every picture."""
    rows, sizes, last = {}, {}, None
    for path in paths:
        last = json.loads(pathlib.Path(path).read_text())
        for row in last["workloads"]:
            rows[row["name"]] = row
            sizes[row["name"]] = last["sizes"]
    machine, build = last["machine"], last["build"]
    words = (f"{machine['cpu']}, {machine['cpus']} CPUs, {round(machine['memory_mib'] / 1024)} GiB, "
             f"{machine['filesystem']}; {build['compiler']}, {build['flags'].split(':')[0]}; medians of alternating "
             "rounds, whiskers are the lowest and highest round")
    return rows, sizes, words


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def measured(row):
    return [engine for engine in ENGINES if engine in row["engines"]]


def draw_panel(svg, row, words, left, top, width):
    """One row of the benchmark: a bar an engine, with its own scale."""
    unit = row["unit"]
    better = "less is better" if row["lower_is_better"] else "more is better"
    svg.text(left, top, words, 13, bold=True)
    svg.text(left, top + 15, f"{row['name']}, {unit}; {better}", 10.5, FAINT)
    values = {engine: row["engines"][engine] for engine in measured(row)}
    most = max(max(value["rounds"]) for value in values.values()) or 1
    bar_left, bar_width = left + 70, width - 70 - 62
    y = top + 26
    for engine, value in values.items():
        scale = bar_width / most
        svg.text(bar_left - 6, y + 11, NAMES[engine], 11, INK if engine == "yore" else FAINT, "end", engine == "yore")
        svg.rect(bar_left, y, value["median"] * scale, 14, OURS if engine == "yore" else THEIRS)
        low, high = min(value["rounds"]) * scale, max(value["rounds"]) * scale
        if high - low > 1:
            svg.line([(bar_left + low, y + 7), (bar_left + high, y + 7)], INK)
        svg.text(bar_left + max(value["median"] * scale, high) + 5, y + 11, short(value["median"]), 11)
        y += 19


def draw_panels(out, name, title, chosen, rows, words):
    chosen = [(rows[row], label) for row, label in chosen if row in rows and measured(rows[row])]
    if not chosen:
        return None
    lines = (len(chosen) + 2) // 3
    most = max(len(measured(row)) for row, _ in chosen)
    step = 26 + 19 * most + 30
    svg = Svg(60 + step * lines + 20, title)
    svg.text(20, 30, title, 17, bold=True)
    for i, (row, label) in enumerate(chosen):
        draw_panel(svg, row, label, 20 + (i % 3) * 315, 62 + (i // 3) * step, 300)
    svg.text(20, svg.height - 12, words, 10, FAINT)
    svg.write(out / f"{name}.svg")
    return name


def draw_open(out, rows, sizes, words):
    """Time to open against the number of keys, both logarithmic."""
    title = "Open and first get, against the number of keys"
    names = [(row, size) for row, size in (("open_small", "small_keys"), ("open_medium", "keys"),
                                           ("open_large", "load_keys")) if row in rows]
    if len(names) < 2:
        return None
    points = {}
    for row, size in names:
        for engine in measured(rows[row]):
            points.setdefault(engine, []).append((sizes[row][size], rows[row]["engines"][engine]["median"]))
    keys = [sizes[row][size] for row, size in names]
    every = [ms for line in points.values() for _, ms in line] + [2.0]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    svg = Svg(420, title)
    left, right, top, bottom = 80, WIDTH - 150, 60, 360

    def place(count, ms):
        across = (math.log10(count) - math.log10(keys[0])) / (math.log10(keys[-1]) - math.log10(keys[0]))
        return left + across * (right - left), bottom - (math.log10(ms) - low) / (high - low) * (bottom - top)

    svg.text(20, 30, title, 17, bold=True)
    for exponent in range(low, high + 1):
        y = place(keys[0], 10.0 ** exponent)[1]
        svg.line([(left, y), (right, y)], "#e3e7ec")
        svg.text(left - 8, y + 4, f"{10.0 ** exponent:g} ms", 11, FAINT, "end")
    for count in keys:
        svg.text(place(count, 1)[0], bottom + 18, f"{count:,} keys", 11, FAINT, "middle")
    y = place(keys[0], 2.0)[1]
    svg.line([(left, y), (right, y)], GOOD, 1, "4 4")
    svg.text(left + 6, y - 5, "2 ms", 11, GOOD)
    labels = []
    for engine, line in points.items():
        placed = [place(*point) for point in line]
        svg.line(placed, LINES[engine], 3 if engine == "yore" else 1.6)
        for x, y in placed:
            svg.dot(x, y, LINES[engine])
        labels.append([placed[-1][1], engine, line[-1][1]])
    below = -100.0
    for label in sorted(labels):
        below = max(label[0], below + 15)
        svg.text(right + 12, below + 4, f"{NAMES[label[1]]} {short(label[2])} ms", 12, LINES[label[1]],
                 bold=label[1] == "yore")
    svg.text(20, svg.height - 12, words, 10, FAINT)
    svg.write(out / "open.svg")
    return "open"


def draw_ratios(out, rows, words):
    """Every row that is compared with a peer: how many times the best one, as a factor of merit (right is better)."""
    title = "yore against its peers, row by row"
    chosen = [row for row in rows.values()
              if row.get("ratio") and row.get("against") in ENGINES and row["name"] in RATIO_ROWS]
    chosen.sort(key=lambda row: RATIO_ROWS.index(row["name"]))
    if not chosen:
        return None

    def merit(row, ratio):
        return 1 / ratio if row["lower_is_better"] else ratio

    spans = [[merit(row, ratio) for ratio in (row["ratio"], *row["ratio_range"])] for row in chosen]
    low = min(0.5, *(min(span) for span in spans))
    high = max(2.0, *(max(span) for span in spans))
    svg = Svg(100 + 22 * len(chosen) + 26, title)
    left, right = 190, WIDTH - 190

    def place(value):
        return left + math.log(value / low) / math.log(high / low) * (right - left)

    svg.text(20, 30, title, 17, bold=True)
    svg.text(20, 48, "1 = as good as the best peer (or the one the bar is about), 2 = twice as fast or half as large; "
                     "tick: the bar", 11, FAINT)
    bottom = 72 + 22 * len(chosen)
    for mark in (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64):
        if low <= mark <= high:
            svg.line([(place(mark), 62), (place(mark), bottom)], INK if mark == 1 else "#e3e7ec")
            svg.text(place(mark), bottom + 14, f"{mark:g}", 11, FAINT, "middle")
    for i, (row, span) in enumerate(zip(chosen, spans)):
        y = 82 + 22 * i
        colour = FAINT if "pass" not in row else GOOD if row["pass"] else BAD
        svg.text(left - 12, y + 4, row["name"], 12, INK, "end")
        svg.line([(place(min(span)), y), (place(max(span)), y)], colour, 2)
        svg.dot(place(span[0]), y, colour)
        if "bar" in row:
            x = place(min(max(merit(row, row["bar"]), low), high))
            svg.line([(x, y - 7), (x, y + 7)], INK, 1.5)
        svg.text(right + 14, y + 4, f"{span[0]:.2f} of {NAMES[row['against']]}", 12, colour)
    svg.text(20, svg.height - 10, words, 10, FAINT)
    svg.write(out / "ratios.svg")
    return "ratios"


RATIO_ROWS = [row for _, _, panel in PANELS for row, _ in panel
              if row not in ("load_rss", "load_writes") and not row.startswith(("left_", "stall_"))]


def main(arguments):
    if len(arguments) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    out = pathlib.Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    rows, sizes, words = read_results(arguments[1:])
    drawn = [draw_ratios(out, rows, words), draw_open(out, rows, sizes, words)]
    drawn += [draw_panels(out, name, title, chosen, rows, words) for name, title, chosen in PANELS]
    print("drawn: " + ", ".join(f"{name}.svg" for name in drawn if name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

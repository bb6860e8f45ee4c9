#!/usr/bin/env python3
"""Add up ctest's JUnit files; the last line is the sum, the exit status says whether anything failed.

A test that passes but prints `skipped: no data` is counted as skipped: it has proved nothing.

    sum_results.py RESULTS.xml...
    sum_results.py --failed NAME OUT.xml     write a file with one failed test
"""
import pathlib
import sys
import xml.etree.ElementTree as ET

NO_DATA = "skipped: no data"


def outcomes(path):
    """Yields (test name, outcome) for each test in one JUnit file."""
    for case in ET.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        status = case.get("status")
        if case.find("failure") is not None or status == "fail":
            yield case.get("name"), "failed"
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            # A test that could not be started is no skip of ours.
            yield case.get("name"), "skipped" if NO_DATA in output else "failed"
        elif NO_DATA in output:
            yield case.get("name"), "skipped"
        else:
            yield case.get("name"), "passed"


def write_failed(name, path):
    suite = ET.Element("testsuite", name=name, tests="1", failures="1")
    case = ET.SubElement(suite, "testcase", name=name, status="fail")
    ET.SubElement(case, "failure", message=name)
    ET.ElementTree(suite).write(path)


def main(arguments):
    if arguments[:1] == ["--failed"]:
        write_failed(arguments[1], arguments[2])
        return 0
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for path in arguments:
        part = pathlib.Path(path).stem
        counts = dict.fromkeys(totals, 0)
        for name, outcome in outcomes(path):
            counts[outcome] += 1
            if outcome != "passed":
                print(f"   {outcome}: {part}: {name}")
        if not sum(counts.values()):
            print(f"   failed: {part}: ran no test at all")
            counts["failed"] = 1
        print(f"{part}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
        for outcome, count in counts.items():
            totals[outcome] += count
    tail = ": no data" if totals["skipped"] else ""
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped{tail}")
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

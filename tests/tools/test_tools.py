#!/usr/bin/env python3
"""The checks must be able to fail: each is shown something wrong, and something right."""
import os
import pathlib
import tempfile
import unittest

import check_docs
import check_headers
import check_layers
import check_style
import sum_results
import tree


class Tree(unittest.TestCase):
    """A made-up source tree in a temporary directory."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.root, tree.ROOT = tree.ROOT, pathlib.Path(self.temp.name)
        self.addCleanup(lambda: setattr(tree, "ROOT", self.root))

    def write(self, name, text):
        path = tree.ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name


class Layers(Tree):
    def problems(self, name, text):
        return list(check_layers.check(self.write(name, text)))

    def test_a_layer_may_include_what_is_below(self):
        text = '#include "engine/base/buf.h"\n#include <yore/types.h>\n'
        self.assertEqual(self.problems("engine/mvcc/x.c", text), [])

    def test_a_layer_may_not_include_what_is_above(self):
        self.assertEqual(len(self.problems("engine/base/x.c", '#include "index/art.h"\n')), 1)
        self.assertEqual(len(self.problems("engine/format/x.c", '#include "engine/wal/wal.h"\n')), 1)

    def test_the_command_sees_only_the_umbrella_header(self):
        text = '#include <yore.h>\n#include "cli/a.h"\n#include <unistd.h>\n'
        self.assertEqual(self.problems("cli/x.c", text), [])
        self.assertEqual(len(self.problems("cli/x.c", '#include "engine/base/buf.h"\n#include <yore/db.h>\n')), 2)

    def test_system_calls_belong_to_base(self):
        text = "void f(void)\n{\n    write(1, p, n);\n    malloc(3);\n}\n"
        self.assertEqual(len(self.problems("engine/wal/x.c", text)), 2)
        self.assertEqual(self.problems("engine/base/x.c", text), [])

    def test_calls_through_the_environment_and_comments_are_no_system_calls(self):
        text = '/* write(1) */ int f(void) { return env->open(c, "read(1)"); }\n'
        self.assertEqual(self.problems("index/x.c", text), [])

    def test_banned_functions_are_found_everywhere(self):
        for name in ("engine/base/x.c", "cli/x.c", "tests/unit/x.c"):
            self.assertEqual(len(self.problems(name, "int f(void) { return atoi(s); }\n")), 1)


class Style(Tree):
    def problems(self, text, name="cli/x.c"):
        return list(check_style.text_problems(self.write(name, text)))

    def test_clean_source_passes(self):
        self.assertEqual(self.problems("int x; /* TOD" + "O(ann): when segments hold histories */\n"), [])

    def test_leftovers_are_found(self):
        for text in ("int x; \n", "\tint x;\n", "int x;", "/* TOD" + "O later */\n", "#if 0\n",
                     'char *p = "/ro' + 'ot/x";\n', "int " + "x" * 130 + ";\n", "int\r\n"):
            self.assertNotEqual(self.problems(text), [], text)

    def test_long_functions_are_found_by_name(self):
        body = "    x++;\n" * 80
        name = self.write("cli/x.c", "static int\nlong_one(int x,\n         int y)\n{\n" + body + "}\n")
        self.assertEqual(list(check_style.functions(name)), [("long_one", 82)])


class Headers(Tree):
    def test_a_function_must_say_what_it_returns(self):
        name = self.write("include/yore/x.h", "/* Does it.\n * Returns 0.   Threads any.   Cost O(1). */\n"
                          "YORE_API int yore_a(int x);\n\n/* Words. */\nYORE_API int\nyore_b(void);\n")
        problems = list(check_headers.check(name))
        self.assertEqual(len(problems), 1)
        self.assertIn("yore_b does not say: Returns, Threads, Cost", problems[0])


class Docs(unittest.TestCase):
    def run_step(self, text):
        os.environ.setdefault("YORE_BIN", "/bin/true")
        with tempfile.TemporaryDirectory() as folder:
            return check_docs.run(check_docs.steps(text)[0], folder, check_docs.environment())

    def test_output_is_compared(self):
        self.assertIsNone(self.run_step("$ echo one; echo two\none\ntwo\n"))
        self.assertIsNotNone(self.run_step("$ echo one; echo two\none\n"))

    def test_dots_stand_for_anything(self):
        self.assertIsNone(self.run_step("$ seq 9\n1\n...\n9\n"))
        self.assertIsNone(self.run_step("$ echo v12 at noon\nv... at noon\n"))
        self.assertIsNotNone(self.run_step("$ seq 9\n1\n...\n8\n"))

    def test_exit_status_is_compared(self):
        self.assertIsNotNone(self.run_step("$ false\n"))
        self.assertIsNone(self.run_step("? exit 8\n(exit 8)\n"))
        self.assertIsNotNone(self.run_step("? exit 7\n(exit 8)\n"))
        self.assertIsNotNone(self.run_step("? true\n"))


class Sum(unittest.TestCase):
    def test_each_outcome_is_counted(self):
        cases = {"good": "<system-out>fine</system-out>", "bad": "<failure message=''/>",
                 "dry": "<system-out>skipped: no data</system-out>", "gone": "<skipped message='no file'/>"}
        body = "".join(f'<testcase name="{n}" status="{"fail" if n == "bad" else "run"}">{b}</testcase>'
                       for n, b in cases.items())
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as out:
            out.write(f"<testsuite>{body}</testsuite>")
            out.flush()
            self.assertEqual(dict(sum_results.outcomes(out.name)),
                             {"good": "passed", "bad": "failed", "dry": "skipped", "gone": "failed"})


if __name__ == "__main__":
    unittest.main()

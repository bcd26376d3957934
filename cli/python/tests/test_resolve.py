"""Tests of what can be served; run by `python3 -m unittest` and from the tests of the crate."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# In a process of its own, for a module is imported only once.
CHILD = """
import json, os, sys
sys.path[:] = [place for place in sys.path if place]
sys.path.append(sys.argv[1])
from bridge import failures, introspect, resolve
failures.OURS = os.path.dirname(failures.__file__)
sys.path.remove(sys.argv[1])
try:
    service = resolve.resolve(sys.argv[2])
except resolve.CannotServe as refusal:
    answer = {"reason": str(refusal), "details": refusal.details}
else:
    methods = introspect.methods_of(service)
    answer = {"name": introspect.name_of(service), "methods": list(methods)}
    if "test" in methods:
        answer["test"] = methods["test"].function()
print(json.dumps(answer))
"""

FILES = {
    "my-service.py": "import helper\ndef test(): return helper.TEXT\nclass Inner:\n    def test(self): return 'inner'\n",
    "helper.py": "TEXT = 'helped'\n",
    "service.1.py": "def test(): return __name__\n",
    "script": "def test(): return __name__\n",
    "time.py": "def test(): return __name__\n",
    "away/alone.py": "import beside\nfrom beside import test\n",
    "away/beside.py": "def test(): return 'beside'\n",
    "away/relative.py": "from . import beside\n",
    "pkg/__init__.py": "def test(): return 'package'\n",
    "pkg/both.py": "from . import other\nimport beside_it\ndef test(): return other.TEXT + beside_it.TEXT\n",
    "pkg/mod.py": "from . import other\ndef test(): return other.TEXT\n"
                  "class Service:\n    class Inner:\n        def test(self): return 'nested'\n",
    "pkg/other.py": "TEXT = 'other'\n",
    "pkg/beside_it.py": "TEXT = ' beside'\n",
    "pkg/logging.py": "raise RuntimeError('hides a module of Python')\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "import logging\nfrom ..other import TEXT\ndef test(): return __name__ + ' ' + TEXT\n",
    "runs/__init__.py": "VERSION = 1\n",
    "runs/__main__.py": "from . import VERSION\ndef test(): return VERSION\n",
    "folder/__main__.py": "import inside\ndef test(): return inside.TEXT + __name__\n",
    "folder/inside.py": "TEXT = 'inside '\n",
    "empty/readme": "",
    "spawns.py": """
        import multiprocessing, sys
        def double(n): return 2 * n
        def test():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.map(double, [1, 2])
        """,
    "lost/config/__init__.py": "import os\n\nURL = os.environ['NO_SUCH_VARIABLE']\n",
    "lost/__init__.py": "from . import config\n",
    "wrong.py": "import wronger\n",
    "wronger.py": "print 1\n",
    "needs.py": "import no_such_package\n",
}


class Targets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = os.path.realpath(folder.name)
        for name, text in FILES.items():
            path = os.path.join(cls.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(textwrap.dedent(text))

    def resolve(self, target, folder=""):
        child = subprocess.run(
            [sys.executable, "-B", "-c", CHILD, PYTHON, target], cwd=os.path.join(self.folder, folder),
            stdout=subprocess.PIPE, check=True,
        )
        return json.loads(child.stdout.decode().splitlines()[-1])

    def serves(self, target, name, result, folder=""):
        with self.subTest(target=target, folder=folder):
            found = self.resolve(target, folder)
            self.assertEqual((found.get("name", found), found.get("test")), (name, result))

    def test_names(self):
        for target, name, result in [
            ("my-service", "my-service", "helped"), ("my-service.Inner", "Inner", "inner"),
            ("my-service:Inner", "Inner", "inner"), ("pkg", "pkg", "package"), ("pkg.mod.Service.Inner", "Inner", "nested"),
            ("pkg.mod:Service.Inner", "Inner", "nested"), ("pkg:test", "str", None), ("runs", "runs.__main__", 1),
            ("runs.__main__", "runs.__main__", 1), ("pkg.sub.deep", "pkg.sub.deep", "pkg.sub.deep other"),
        ]:
            self.serves(target, name, result)

    def test_files(self):
        absolute = os.path.join(self.folder, "away", "alone.py")
        for target, folder, name, result in [
            ("./my-service.py", "", "my-service", "helped"), ("./my-service.py:Inner", "", "Inner", "inner"),
            ("away/alone.py", "", "alone", "beside"), (absolute, "", "alone", "beside"),
            (absolute, "pkg", "alone", "beside"), ("../my-service.py", "pkg", "my-service", "helped"),
            ("./service.1.py", "", "service_1", "service_1"), ("./script", "", "script", "script"),
            ("./time.py", "", "time_", "time_"),
            ("pkg/mod.py", "", "pkg.mod", "other"), ("./both.py", "pkg", "pkg.both", "other beside"),
            ("pkg/sub/deep.py", "", "pkg.sub.deep", "pkg.sub.deep other"),
            ("./pkg", "", "pkg", "package"), ("pkg/", "", "pkg", "package"), ("pkg/__init__.py", "", "pkg", "package"),
            ("./runs", "", "runs.__main__", 1), ("runs/__main__.py", "", "runs.__main__", 1),
            ("./folder", "", "folder.__main__", "inside folder.__main__"),
            ("../folder/", "pkg", "folder.__main__", "inside folder.__main__"),
            (os.path.join(self.folder, "spawns.py"), "pkg", "spawns", [2, 4]),
        ]:
            self.serves(target, name, result, folder)

    def test_what_is_not_there(self):
        here = self.folder
        for target, reason in [
            ("", "'' is no name such as"), ("a..b", "is no name"), ("pkg:", "'pkg:' is no name"),
            (":pkg", "is no name"), ("pkg:a..b", "is no name"),
            ("nothing", "no module named 'nothing' in %s, nor where " % here),
            ("nothing.at:all", "no module named 'nothing' in %s, nor where " % here),
            ("pkg.nothing:x", "no module named 'pkg.nothing' in %s, nor" % here),
            ("pkg.nothing", "the package 'pkg' has neither an attribute nor a module 'nothing'"),
            ("pkg.mod:nothing", "'pkg.mod' has no attribute 'nothing'"),
            ("pkg.mod:Service.nothing", "'pkg.mod.Service' has no attribute 'nothing'"),
            ("helper.py", "'helper' has no attribute 'py'; leave out .py, or write ./helper.py"),
            ("helper.py:TEXT", "; leave out .py, or write ./helper.py"),
            ("./nothing.py", "there is no file '%s/nothing.py'" % here),
            ("./helper", "there is no file '%s/helper'; there is ./helper.py" % here),
            ("./my-service.py.Inner", "; write ./my-service.py:Inner"),
            ("./my-service.py:Outer", "'./my-service.py' has no attribute 'Outer'"),
            ("./empty", "the folder '%s/empty' has neither an __init__.py nor a __main__.py" % here),
            ("./away/relative.py", "that needs an __init__.py beside the file"),
            ("needs", "importing 'needs' failed: ModuleNotFoundError: No module named 'no_such_package'"),
            ("./needs.py", "importing './needs.py' failed: ModuleNotFoundError: No module named 'no_such_package'"),
        ]:
            with self.subTest(target=target):
                found = self.resolve(target)
                self.assertIn(reason, found.get("reason", ""))
                self.assertNotIn("\n", found["reason"])

    def test_errors_show_the_lines_of_the_module(self):
        for target in ("lost", "lost.config", "lost:config", "./lost", "lost/config/__init__.py"):
            with self.subTest(target=target):
                found = self.resolve(target)
                self.assertTrue(found["reason"].endswith(" failed: KeyError: 'NO_SUCH_VARIABLE'"), found["reason"])
                lines = [line.strip() for line in found["details"].splitlines()]
                files = [line for line in lines if line.startswith("File ")]
                self.assertEqual(files, [
                    'File "%s/lost/__init__.py", line 1, in <module>' % self.folder,
                    'File "%s/lost/config/__init__.py", line 3, in <module>' % self.folder,
                ])
                self.assertIn("URL = os.environ['NO_SUCH_VARIABLE']", lines)
                self.assertEqual((lines[0], lines[-1]), ("Traceback (most recent call last):",
                                                         "KeyError: 'NO_SUCH_VARIABLE'"))

    def test_errors_of_syntax_tell_the_version(self):
        for target in ("wrong", "./wrong.py"):
            found = self.resolve(target)
            version = "%d.%d.%d" % sys.version_info[:3]
            self.assertIn(" can not be imported: SyntaxError: ", found["reason"])
            self.assertTrue(found["reason"].endswith("(wronger.py, line 1); this is Python %s" % version))
            lines = [line.strip() for line in found["details"].splitlines()]
            self.assertEqual([line for line in lines if line.startswith("File ")], [
                'File "%s/wrong.py", line 1, in <module>' % self.folder,
                'File "%s/wronger.py", line 1' % self.folder,
            ])
            self.assertEqual(lines[-1], "Python is %s" % " ".join(sys.version.split()))


if __name__ == "__main__":
    unittest.main()

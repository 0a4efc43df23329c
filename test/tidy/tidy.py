#!/usr/bin/env python3
"""Rules about the source that a compiler does not check. One rule a run:

    tidy.py RULE SOURCE_DIR BUILD_DIR

A violation is printed as "file:line: rule: words". Exit status: 0 clean, 1 violations, 77 skipped.
A rule is a generator over a Tree, so that `self` can aim it at a small bad tree and see it bite.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What a folder of core/ may include besides itself. An arrow only ever points down.
LAYERS = {
    "base": {"base"},
    "format": {"base", "format"},
    "log": {"base", "format", "log"},
    "state": {"base", "format", "state"},
    "index": {"base", "format", "index"},
    "snap": {"base", "format", "state", "snap"},
    "engine": {"base", "format", "log", "state", "index", "snap", "engine"},
}
CONTRACT = ("Purpose:", "Owns:", "Threads:")
# In every C file: no bound on what they write, or no way to see an error, or no reproducible result.
BANNED = "strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok rand srand".split()
# In core/ and ext/, which live in somebody else's process: they end it or write to its terminal.
BANNED_INSIDE = "system abort exit quick_exit printf fprintf vprintf vfprintf puts putchar perror".split()
LINES_MAX = 800
ENTRY_POINTS = re.compile(r"sqlite3_\w+_init")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
CLANG_FORMAT_MAJOR = "14"  # versions format differently; this is Debian 12's


class Tree:
    def __init__(self, source, build):
        self.source, self.build = Path(source).resolve(), Path(build).resolve()

    def files(self, *folders, suffixes=(".c", ".h")):
        for folder in folders:
            for path in sorted((self.source / folder).rglob("*")):
                if path.suffix in suffixes and path.is_file():
                    yield path

    def name(self, path):
        return Path(path).relative_to(self.source).as_posix()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def code_only(text):
    """The text with comments and literals blanked, every line break in its place."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def includes(tree):
    """Who may include whom."""
    for path in tree.files("core", "ext", "include"):
        name, text = tree.name(path), path.read_text()
        for found in INCLUDE.finditer(text):
            words = forbidden_include(tree, name, found[1] == '"', found[2])
            if words:
                yield name, line_of(text, found.start(2)), f"{found[2]}: {words}"


def forbidden_include(tree, name, quoted, target):
    parts = name.split("/")
    if "sqlite3" in target and name != "ext/sqlite_api.h":
        return "SQLite is included through ext/sqlite_api.h, and by ext/ only"
    if target == "xxhash.h" and name != "core/base/hash.c":
        return "xxhash is reached through core/base/hash.h"
    if not quoted:
        return None
    if target == "talea.h":
        return None
    if parts[0] == "include":
        return "a public header stands alone"
    if parts[0] == "ext":
        return None if (tree.source / "ext" / target).exists() else "ext/ knows include/ and itself"
    if len(parts) < 3 or parts[1] not in LAYERS:
        return "this folder has no place in LAYERS (test/tidy/tidy.py)"
    folder, slash, _ = target.partition("/")
    if not slash:
        return "name the folder too, so that the edge can be read"
    if not (tree.source / "core" / target).exists():
        return "no such header in core/"
    if folder not in LAYERS[parts[1]]:
        return f"core/{parts[1]} may include only {', '.join(sorted(LAYERS[parts[1]]))}"
    return None


def headers(tree):
    """Every header opens with its contract."""
    for path in tree.files("core", "ext", "include", "test", "bench", suffixes=(".h",)):
        comment = re.match(r"/\*.*?\*/", path.read_text(), re.S)
        for word in CONTRACT:
            if not comment or not re.search(rf"^ \* {word}", comment.group(), re.M):
                yield tree.name(path), 1, f'the opening comment has no line "{word}"'


def banned(tree):
    """Calls that we do not make."""
    everywhere = re.compile(rf"(?<![\w.>])({'|'.join(BANNED)})\s*\(")
    inside = re.compile(rf"(?<![\w.>])({'|'.join(BANNED + BANNED_INSIDE)})\s*\(")
    for path in tree.files("core", "ext", "include", "test", "bench"):
        name = tree.name(path)
        pattern = inside if name.startswith(("core/", "ext/", "include/")) else everywhere
        text = code_only(path.read_text())
        for found in pattern.finditer(text):
            yield name, line_of(text, found.start()), f"{found[1]} is not used here"


def length(tree):
    """One idea a file."""
    for path in tree.files("core", "ext"):
        lines = path.read_text().count("\n")
        if lines > LINES_MAX:
            yield tree.name(path), LINES_MAX + 1, f"{lines} lines; past {LINES_MAX} it is two ideas"


def built(tree):
    """A source or test that no target builds is not there."""
    commands = json.loads((tree.build / "compile_commands.json").read_text())
    known = {os.path.realpath(os.path.join(c["directory"], c["file"])) for c in commands}
    for path in tree.files("core", "ext", "test", suffixes=(".c",)):
        if os.path.realpath(path) not in known:
            yield tree.name(path), 1, "no target builds this (see test/CMakeLists.txt for names)"
    sql = tree.source / "test" / "sql"
    for path in sorted(sql.rglob("*.sql")):
        if path.parent != sql:
            yield tree.name(path), 1, "SQL tests lie in test/sql itself"
        elif not path.with_suffix(".expected").exists():
            yield tree.name(path), 1, "has no .expected (test/sql/run.sh --bless FILE)"
    for path in sorted(sql.rglob("*.expected")):
        if not path.with_suffix(".sql").exists():
            yield tree.name(path), 1, "expected of no test"


def exports(tree):
    """The module exports its entry points and nothing else."""
    if sys.platform == "darwin":
        print("skipped: this reads ELF")
        sys.exit(77)
    listing = subprocess.run(["nm", "-D", "--defined-only", str(tree.build / "talea.so")],
                             check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1] for line in listing.splitlines()]
    for symbol in names:
        if not ENTRY_POINTS.fullmatch(symbol):
            yield "talea.so", 1, f"exports {symbol}"
    if "sqlite3_talea_init" not in names:
        yield "talea.so", 1, "does not export sqlite3_talea_init"


def format(tree):
    """As .clang-format says; ./dev format does it."""
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if not re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
        print(f"skipped: this needs clang-format {CLANG_FORMAT_MAJOR}, here is {version.strip()}")
        sys.exit(77)
    for path in tree.files("core", "ext", "include", "test", "bench"):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", str(path)],
                             capture_output=True, text=True)
        if run.returncode != 0:
            where = re.search(r":(\d+):\d+: error", run.stderr)
            yield tree.name(path), where[1] if where else 1, "not as .clang-format has it: ./dev format"


def clang(tree):
    """clang-tidy over core/ and ext/."""
    # GCC's commands are given to clang: an option that it does not know is no finding.
    command = ["clang-tidy", "--quiet", "-p", str(tree.build),
               "--extra-arg=-Wno-unknown-warning-option"]
    finding = re.compile(r"^(/[^:\n]+):(\d+):\d+: (?:error|warning): (.*)$", re.M)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = set()
        sources = list(tree.files("core", "ext", suffixes=(".c",)))
        runs = pool.map(lambda path: subprocess.run(command + [str(path)], capture_output=True,
                                                    text=True), sources)
        for path, run in zip(sources, runs):
            findings = [(tree.name(os.path.realpath(f[1])), f[2], f[3])
                        for f in finding.finditer(run.stdout + run.stderr)]
            if run.returncode != 0 and not findings:
                findings = [(tree.name(path), 1, (run.stdout + run.stderr).strip())]
            for found in findings:
                if found not in seen:  # a header's finding comes with every file that includes it
                    seen.add(found)
                    yield found


RULES = [includes, headers, banned, length, built, exports, format, clang]


def self(tree):
    """Every rule that needs no compiler bites: each is aimed at files that break it."""
    good = "/*\n * x.h: x.\n *\n * Purpose:    x.\n * Owns:       x.\n * Threads:    x.\n */\n"
    bad = {  # rule: file, text, line of the violation
        "includes": [("core/base/a.c", '\n#include "log/log.h"\n', 2),
                     ("core/state/a.c", '#include "index/index.h"\n', 1),
                     ("core/log/b.c", '#include "log.h"\n', 1),
                     ("core/new/a.c", '#include "log/log.h"\n', 1),
                     ("core/engine/a.c", "#include <sqlite3.h>\n", 1),
                     ("core/engine/b.c", "#include <xxhash.h>\n", 1),
                     ("ext/a.c", '#include "log/log.h"\n', 1),
                     ("ext/b.c", "# include <sqlite3ext.h>\n", 1),
                     ("include/talea.h", good + '#include "base/io.h"\n', 8)],
        "headers": [("core/base/a.h", "#define X\n", 1),
                    ("test/support/b.h", good.replace("Owns", "Has"), 1),
                    ("ext/c.h", "/* c */\n" + good, 1)],
        "banned": [("core/base/a.c", '/* x */\nint f(void) { return atoi("1"); }\n', 2),
                   ("ext/a.c", "void f(void) { if (1) abort (); }\n", 1),
                   ("test/base/test_a.c", "int f(void) { return rand(); }\n", 1)],
        "length": [("core/base/a.c", "\n" * (LINES_MAX + 1), LINES_MAX + 1)],
        "built": [("test/base/tset_a.c", "int x;\n", 1), ("test/sql/a.sql", "", 1),
                  ("test/sql/b.expected", "", 1)],
        "format": [("core/base/a.c", "int  x;\n", 1)],
    }
    fine = {  # and what looks like a violation but is none
        "core/log/log.h": good + '#include "base/io.h"\n#include "talea.h"\n',
        "core/base/io.h": good, "core/index/index.h": good, "include/talea.h": good,
        "ext/sqlite_api.h": good + "#include <sqlite3.h>\n", "ext/x.c": '#include "sqlite_api.h"\n',
        "core/base/ok.c": 'char *s = "abort()"; // exit(1)\nint q = p->exit(1) + my_abort();\n',
        "test/base/test_ok.c": "int q = abort();\n",
    }
    for rule in RULES:
        for name, text, line in bad.get(rule.__name__, []):
            with tempfile.TemporaryDirectory() as root:
                small = Tree(root, root)
                for each, content in {**fine, name: text}.items():
                    (small.source / each).parent.mkdir(parents=True, exist_ok=True)
                    (small.source / each).write_text(content)
                shutil.copy(tree.source / ".clang-format", root)
                (small.source / "compile_commands.json").write_text(json.dumps(
                    [{"directory": root, "file": each} for each in fine]))
                got = {(found[0], int(found[1])) for found in rule(small)}
                if got != {(name, line)}:
                    yield name, line, f"rule {rule.__name__} should say this and only this: {got}"


def main():
    rule = {each.__name__: each for each in RULES + [self]}[sys.argv[1]]
    count = 0
    for name, line, words in rule(Tree(sys.argv[2], sys.argv[3])):
        print(f"{name}:{line}: {rule.__name__}: {words}")
        count += 1
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()

"""The house rules that no linter knows."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("client/src", "service/src", "benchmarks")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
IMPORTED_BY_OTHERS = {"tzdata"}
"""Declared for what the standard library finds in it."""


def python_files(*folders: str) -> Iterator[Path]:
    """Yield what people wrote: generated code excepted."""
    for folder in folders:
        yield from (
            path for path in sorted((ROOT / folder).rglob("*.py")) if not re.search(r"_pb2(_grpc)?$", path.stem)
        )


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function from its first decorator to its end."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or first) - first + 1


def long_functions(source: str) -> list[str]:
    """Name the functions of *source* that have too many lines."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > MAX_FUNCTION_LINES
    ]


def imported_modules(source: str) -> set[str]:
    """Return the top-level names that *source* imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def names(requirements: Iterable[str]) -> set[str]:
    """Return the distributions that *requirements* ask for without an extra, as one spelling."""
    wanted = (each for each in requirements if "extra ==" not in each)
    return {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower().replace("_", "-") for each in wanted}


def pages() -> list[Path]:
    """Return every page that people wrote or read here."""
    folders = ("docs", "client", "service", "deploy", "benchmarks", "tests")
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))])


def anchors(page: str) -> set[str]:
    """Return what GitHub lets a link name in a page: its headings, lower, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """Return the relative links of *page* that name no file of the project, or no heading of a page."""
    dead = []
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^):\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    return dead


def unexplained_codes(config: str) -> list[str]:
    """Return the lines of ruff's ignore lists that name a rule without saying why it is off."""
    lint = config[config.index("[tool.ruff.lint]") : config.index("[tool.ruff.lint.pydocstyle]")]
    codes = [line.strip() for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    return [line for line in codes if not re.search(r"# \S+ \S+", line)]


def test_files_are_short() -> None:
    """No source file is longer than 400 lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*SOURCES)}
    assert lines, "no sources found"
    assert not {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MAX_FILE_LINES}


def test_functions_are_short() -> None:
    """No function of the client or the service is longer than 70 lines."""
    found = {
        str(path.relative_to(ROOT)): names
        for path in python_files("client/src", "service/src")
        if (names := long_functions(path.read_text(encoding="utf-8")))
    }
    assert not found


@pytest.mark.parametrize("lines", [MAX_FUNCTION_LINES, MAX_FUNCTION_LINES + 1])
def test_long_functions_are_seen(lines: int) -> None:
    """A function of 70 lines passes and one of 71, decorator included, does not."""
    source = "@decorated\nasync def f():\n" + "    pass\n" * (lines - 2)
    assert long_functions(source) == (["f"] if lines > MAX_FUNCTION_LINES else [])


def test_pickle_is_not_imported() -> None:
    """No source of ours imports a module that runs what it reads."""
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
    found = {
        str(path.relative_to(ROOT)): names
        for path in python_files("client", "service", "benchmarks", "tooling", "tests", "deploy")
        if (names := imported_modules(path.read_text(encoding="utf-8")) & unsafe)
    }
    assert not found


def test_imports_are_seen() -> None:
    """An import counts wherever it stands and however it is written."""
    assert imported_modules("def f():\n    import pickle.x as y\nfrom shelve import open") == {"pickle", "shelve"}


@pytest.mark.parametrize("package", ["client", "service"])
def test_dependencies_are_what_is_imported(package: str) -> None:
    """A package imports what it declares and what that asks for by itself, and declares nothing it does not import."""
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = names(project["dependencies"]).union(*map(names, project["optional-dependencies"].values()))
    brought = {name for each in declared for name in names(requires(each) or [])}
    own = {"baznashr", "baznashr_server", "pytest"}  # the last has whoever uses the plugin for it
    sources = [path.read_text(encoding="utf-8") for path in python_files(f"{package}/src")]
    modules = set().union(*map(imported_modules, sources)) - sys.stdlib_module_names - own
    installed = packages_distributions()
    origins = {module: names(installed.get(module, [])) for module in modules}
    assert [module for module, origin in origins.items() if not origin & (declared | brought)] == []
    assert declared - set().union(*origins.values()) - IMPORTED_BY_OTHERS == ({"baznashr"} & declared)


def test_ruff_ignores_have_reasons() -> None:
    """Every rule of ruff that is off says why on its own line."""
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = tomllib.loads(config)["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert not unexplained_codes(config)
    assert unexplained_codes(config.replace("  # the formatter joins strings", "")) == ['"ISC001",']


def test_inline_exceptions_have_reasons() -> None:
    """Every noqa and type-ignore names the rule it silences."""
    bare = re.compile(r"#\s*(noqa(?!: ?[A-Z]+\d)|type: ignore(?!\[))", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files("client", "service", "benchmarks", "tooling", "tests", "deploy")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if bare.search(line)
    ]
    assert not found


@pytest.mark.parametrize("copy", ["client/LICENSE", "service/LICENSE", "service/NOTICE"])
def test_packages_carry_the_license(copy: str) -> None:
    """What each package ships is the project's own license and notice, word for word."""
    assert (ROOT / copy).read_bytes() == (ROOT / Path(copy).name).read_bytes()


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file of the project, and a heading where it names one."""
    assert ROOT / "README.md" in pages()
    assert {str(page.relative_to(ROOT)): dead for page in pages() if (dead := dead_links(page))} == {}


def test_dead_links_are_seen(tmp_path: Path) -> None:
    """A file and a heading that are not there are told from those that are."""
    page = tmp_path / "page.md"
    page.write_text("# An `m` page\n[a](page.md#an-m-page) [b](#another) [c](gone.md) [d](https://e.org/x)\n")
    assert dead_links(page) == ["#another", "gone.md"]


def test_decisions_are_indexed() -> None:
    """Every decision record is listed in the index, and nothing else is."""
    folder = ROOT / "docs" / "adr"
    records = {path.name for path in folder.glob("[0-9]*.md")}
    assert set(re.findall(r"\]\(([^)/]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))) == records

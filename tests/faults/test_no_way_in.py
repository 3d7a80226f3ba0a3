"""Nothing in a file is executed, or decides where dlcli writes or what the terminal does."""

import ast
import hashlib
import shutil
from pathlib import Path

import pytest

import dlcli as package
from dlcli.cli.main import run
from dlcli.data.registry import DATASETS, FILES
from dlcli.files import atomic_write
from dlcli.runs import checkpoint, lookup
from dlcli.runs.metadata import DatasetIdentity
from tests.faults.hostile import assert_civil, no_hanging

PACKAGE = Path(package.__file__).parent

# Modules and functions that can turn data into code, or start a shell.

MODULES = {
    *("pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"),
    *("subprocess", "multiprocessing", "pty", "code", "codeop", "runpy", "ctypes", "cffi"),
    *("tarfile", "xml", "xmlrpc", "telnetlib", "ftplib", "jsonpickle"),
}
DANGERS = {
    *(f"{name}()" for name in ("eval", "exec", "compile", "__import__", "breakpoint", "input")),
    *(".system", ".popen", ".fork", ".forkpty", ".posix_spawn", ".startfile", ".eval", ".exec"),
    *(f".{kind}{end}" for kind in ("exec", "spawn") for end in ("l", "le", "lp", "v", "ve", "vp")),
    *(".extract", ".extractall", ".unsafe_load", ".full_load", ".UnsafeLoader", ".FullLoader"),
    *(".literal_eval", ".disable_warnings", "yaml.load", "yaml.load_all"),
    *("yaml.Loader", "yaml.dump", "np.load", "numpy.load", "allow_pickle=True", "verify=False"),
    *("shell=True",),
}
# A search communicates only with its own worker processes, and the SVG that a report parses is
# what Matplotlib has just drawn.
ALLOWED = {"processes.py": "multiprocessing", "svg.py": "xml"}
KEYWORDS = {("allow_pickle", True), ("allow_pickle", False), ("verify", False), ("shell", True)}


def dangers(tree: ast.AST) -> list[str]:
    """Every use of these in a program, with its line."""
    found: list[tuple[int, str]] = []
    without_pickle: set[ast.AST] = set()
    for node in ast.walk(tree):  # breadth first: a call comes before its parts
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, node.module or "")]
            found += [(node.lineno, f".{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Name):
            found += [(node.lineno, f"{node.id}()")]
        elif isinstance(node, ast.Call):
            given = {(word.arg, getattr(word.value, "value", None)) for word in node.keywords}
            found += [(node.lineno, f"{name}={value}") for name, value in given & KEYWORDS]
            if ("allow_pickle", False) in given:
                without_pickle.add(node.func)
        elif isinstance(node, ast.Attribute) and node not in without_pickle:
            found += [(node.lineno, f".{node.attr}")]
            if isinstance(node.value, ast.Name):
                found += [(node.lineno, f"{node.value.id}.{node.attr}")]
    return [f"{line}: {name}" for line, name in found if name in DANGERS or _top(name) in MODULES]


def _top(name: str) -> str:
    return name.partition(".")[0]


def test_the_package_uses_nothing_that_could_execute_data():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 50
    for path in files:
        found = dangers(ast.parse(path.read_text(encoding="utf-8")))
        allowed = ALLOWED.get(path.name, "nothing")
        assert not [line for line in found if _top(line.split()[1]) != allowed], path


@pytest.mark.parametrize(
    "program",
    [
        "import pickle",
        "from pickle import loads",
        "import xml.etree",
        "x = eval(text)",
        "exec(text)",
        "os.system('ls')",
        "from os import system",
        "os.execvp('ls', [])",
        "import subprocess as s",
        "np.load(path)",
        "yaml.load(text)",
        "yaml.UnsafeLoader(text)",
        "np.lib.format.read_array(file, allow_pickle=True)",
        "requests.get(url, verify=False)",
        "archive.extractall()",
        "ast.literal_eval(text)",
    ],
)
def test_uses_that_could_execute_data_are_found(program):
    assert dangers(ast.parse(program))


def test_modules_are_imported_by_name_only_from_the_table_of_commands_and_for_lazy_numpy():
    users = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "import_module" in path.read_text(encoding="utf-8")
    }
    assert users == {"main.py", "lazy_numpy.py"}


# Where things are written.


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, with the content of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/tmp/x",  # noqa: S108 - never made
        "..",
        ".",
        "",
        "a/b",
        "a\\..\\b",
        "a\nb",
        "a\x1b[2J",
        "-x",
        "~",
        "a b",
        "latest",
        ".hidden",
        "x" * 300,
        "é",
        "con:",
        "a\udcff",
    ],
)
def test_a_run_is_never_created_outside_its_folder(dlcli, tiny, name, tally):
    before = tree(tiny.parent)
    result = dlcli("train", "-q", "--set", f"dataset={tiny}", f"--name={name}")
    assert_civil(result, {2})
    assert result.stderr.count("\n") == 1
    assert tree(tiny.parent) == before
    tally("hostile names", 1)


def test_a_link_in_a_shared_folder_is_replaced_and_not_followed(tmp_path, tally):
    """Anyone can create there the name that dlcli is about to write, but not a temporary one."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "a.npz").symlink_to(victim)
    with atomic_write(folder / "a.npz") as file:
        file.write(b"new")
    assert victim.read_bytes() == b"precious"
    assert (folder / "a.npz").read_bytes() == b"new"
    assert not (folder / "a.npz").is_symlink()
    tally("hostile names", 1)


@pytest.mark.parametrize("target", ["victim", "missing"])
def test_resuming_a_strangers_run_writes_only_into_it(dlcli, tiny, workdir, target, tally):
    """Every file of a run may be a link to one of the user's files."""
    settings = ["--set", f"dataset={tiny}", "--set", "epochs=1", "--set", "hidden_layers=[]"]
    assert dlcli("train", "-q", *settings, "--name", "run").code == 0
    Path("victim").write_bytes(b"precious")
    run_directory = Path("runs/run")
    names = ("metrics.jsonl", "summary.json", "config.yaml", "best.npz", "film.npz", ".lock")
    for name in names:
        path = run_directory / name
        path.unlink(missing_ok=True)
        path.symlink_to(workdir / target)
        with no_hanging():
            result = dlcli("train", "-q", "--resume", run_directory, "--set", "epochs=2")
        assert_civil(result, {0, 1, 2, 4})
        assert Path("victim").read_bytes() == b"precious"
        assert not Path("missing").exists()
        if path.is_symlink():
            path.unlink()
    tally("hostile names", len(names))


def test_a_strangers_run_does_not_choose_where_its_report_goes(dlcli, trained_model, tiny, tally):
    """Without --output the report goes into the run, where its name may be a link."""
    Path("victim").write_bytes(b"precious")
    for target in ("victim", "missing"):
        run_directory = Path("runs", target)
        shutil.copytree(trained_model, run_directory)
        (run_directory / "report.html").symlink_to(Path(target).resolve())
        result = dlcli("report", "-q", run_directory, "--dataset", tiny)
        assert_civil(result, {0, 2})
        assert Path("victim").read_bytes() == b"precious"
        assert not Path("missing").exists()
    tally("hostile names", 2)


# What is printed.

EVIL = "\x1b[2J\x1b]0;owned\x07\r\nError: \u202efake\x9b31m"


def test_control_sequences_in_names_are_escaped(
    dlcli, trained_model, make_idx_folder, make_checkpoint, tally
):
    make_idx_folder(Path(EVIL))
    Path("runs").mkdir()
    shutil.copytree(trained_model, f"runs/{EVIL}")
    Path(f"{EVIL}.yaml").write_text("epochs: 1\nbeta1: 0.5\n", encoding="utf-8")
    Path(f"{EVIL}.png").write_bytes(b"no picture")
    make_checkpoint("evil.npz", dataset={"name": EVIL, "checksum": "0"})
    make_checkpoint("gone.npz", dataset={"name": f"{EVIL}/gone", "checksum": EVIL})
    for form in ("text", "json", "csv"):
        assert_civil(dlcli("runs", "--format", form), {0})
        assert_civil(dlcli("data", "status", "--data-dir", EVIL, "--format", form), {0})
        assert_civil(dlcli("predict", f"{EVIL}.png", "--format", form), {4})
    for form in ("text", "json"):
        named = ("--dataset", EVIL, "--format", form)
        assert_civil(dlcli("eval", "evil.npz", *named), {0})
        assert_civil(dlcli("compare", "evil.npz", "evil.npz", *named), {0})
        assert_civil(dlcli("compare", "evil.npz", f"runs/{EVIL}", *named), {0})
    assert_civil(dlcli("eval", "evil.npz"), {3})
    assert_civil(dlcli("eval", "gone.npz"), {3})
    assert_civil(dlcli("eval", "evil.npz", "gone.npz"), {3})
    assert_civil(dlcli("eval", "evil.npz", "--dataset", EVIL, "--min-accuracy", "1"), {5})
    assert_civil(dlcli("data", "verify", "--data-dir", EVIL), {3})
    assert_civil(dlcli("data", "import", EVIL), {3})
    assert_civil(dlcli("data", "export", "--dataset", EVIL, "-o", "x"), {0})
    assert_civil(dlcli("config", "check", f"{EVIL}.yaml"), {0})
    assert_civil(dlcli("train", "--resume", f"runs/{EVIL}x"), {4})
    assert_civil(dlcli("train", "--runs-dir", "r", "--set", f"dataset=./{EVIL}"), {0})
    assert_civil(dlcli(EVIL), {2})
    assert_civil(dlcli("predict", "--model", EVIL, "x.png"), {4})
    tally("hostile names", 26)


def test_a_name_cannot_forge_a_line(dlcli):
    """A line break in a name is escaped, so that the rest does not look like a message of dlcli."""
    for name in ("x\nError: y", "x\r\nWarning: y", "x\u2028y", "x\x85y"):
        result = dlcli("eval", name)
        assert result.code == 4
        assert len(result.stderr.splitlines()) == 1


def test_control_sequences_in_a_traceback_are_escaped(workdir, capsys):
    assert run(["--debug", "eval", EVIL]) == 4
    stderr = capsys.readouterr().err
    assert "Traceback" in stderr
    assert stderr.replace("\n", "").isprintable()


# The checksum of the data.


def test_every_checkpoint_has_the_checksum_of_its_data(dlcli, tiny):
    settings = ["--set", f"dataset={tiny}", "--set", "epochs=1", "--set", "hidden_layers=[]"]
    assert dlcli("train", "-q", *settings, "--name", "run").code == 0
    sums = [hashlib.sha256((tiny / file).read_bytes()).hexdigest() for file in FILES]
    checksum = hashlib.sha256("".join(sums).encode()).hexdigest()
    for name in ("best.npz", "last.npz"):
        metadata = checkpoint.load(Path("runs/run") / name).metadata
        assert metadata.dataset == DatasetIdentity(str(tiny), checksum, str(tiny))
    pretrained = lookup.load_named("pretrained").metadata.dataset.checksum
    known = "".join(checksum.sha256 for checksum in DATASETS["mnist"].checksums.values())
    assert pretrained == hashlib.sha256(known.encode()).hexdigest()

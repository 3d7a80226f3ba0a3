"""Nothing in a file or from a server is executed or trusted, or decides where dlcli writes."""

import ast
import hashlib
import shutil
import socketserver
import ssl
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import dlcli as package
from dlcli.cli.main import run
from dlcli.data import download, idx
from dlcli.data.registry import DATASETS, FILES, Checksum, sha256
from dlcli.errors import DatasetError
from dlcli.files import atomic_write
from dlcli.runs import checkpoint, lookup
from dlcli.runs.metadata import DatasetIdentity
from tests.faults.hostile import assert_civil, no_hanging

PACKAGE = Path(package.__file__).parent
CERTIFICATE = Path(__file__).parent / "untrusted.pem"

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


# Mirrors.


@pytest.fixture
def serve(monkeypatch):
    """Start a server whose response a function writes, with or without TLS."""
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "*")
    servers = ExitStack()

    def start(respond: Callable[[object], None], *, tls: bool = False) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def setup(self):
                if tls:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(CERTIFICATE)
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self):
                while self.rfile.readline().strip():
                    pass
                with suppress(OSError):
                    respond(self.request)

            def finish(self):
                super().finish()
                self.request.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, _request, _address):
                """Ignore connections that a client refuses."""

        server = servers.enter_context(Server(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        servers.callback(thread.join)
        servers.callback(server.shutdown)
        thread.start()
        return f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"

    with servers:
        yield start


CONTENT = b"the right content"


def right(connection) -> None:
    body = idx.compress(CONTENT)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def moved(target: str, rest: bytes = b"Content-Length: 0\r\n\r\n") -> Callable[[object], None]:
    def respond(connection) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %s\r\n" % target.encode() + rest)

    return respond


def endless(start: bytes, block: bytes = bytes(1 << 16)) -> Callable[[object], None]:
    def respond(connection) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(block)

    return respond


def fetch(url: str) -> bytes:
    return bytes(download.fetch("digits", Checksum(sha256(CONTENT)), [url]))


def test_a_self_signed_certificate_is_refused(serve, tally):
    with pytest.raises(DatasetError, match="its TLS certificate cannot be verified"):
        fetch(serve(right, tls=True))
    tally("hostile servers", 1)


def test_a_certificate_for_another_name_is_refused(serve, monkeypatch, tally):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    url = serve(right, tls=True)
    assert fetch(url) == CONTENT
    with pytest.raises(DatasetError, match="its TLS certificate cannot be verified"):
        fetch(url.replace("127.0.0.1", "localhost"))
    tally("hostile servers", 1)


def test_redirects_from_http_to_https_are_followed_but_not_back(serve, monkeypatch, tally):
    """From http to http is allowed: the content is verified by its sum."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    plain, secure = serve(right), serve(right, tls=True)
    for target, tls in ((plain, False), (secure, False), (secure, True)):
        assert fetch(serve(moved(target), tls=tls)) == CONTENT
    for start in (moved(plain), moved(serve(moved(plain), tls=True))):
        with pytest.raises(DatasetError, match="redirects from https to an unencrypted address"):
            fetch(serve(start, tls=True))
    tally("hostile servers", 2)


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "gopher://x", "//", "data:,x", ""],
)
def test_a_redirect_to_another_scheme_is_refused(serve, target, tally):
    with pytest.raises(DatasetError) as refused:
        fetch(serve(moved(target)))
    assert "passwd" not in str(refused.value)
    tally("hostile servers", 1)


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "no length": endless(OK + b"\r\n"),
    "a length of terabytes": endless(OK + b"Content-Length: 999999999999\r\n\r\n"),
    "chunks": endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    ),
    "a chunk's length": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 5000),
    "one header": endless(OK + b"X: ", b"x" * 5000),
    "headers": endless(OK, b"X: x\r\n" * 500),
    "a status": endless(b"HTTP/1.1 200 ", b"x" * 5000),
    "a gzip bomb": endless(OK + b"Content-Encoding: gzip\r\n\r\n", idx.compress(bytes(1 << 22))),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_download_from_an_endless_server_stops(serve, monkeypatch, kind, tally):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    tracemalloc.start()
    with no_hanging(), pytest.raises(DatasetError):
        fetch(serve(ENDLESS[kind]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000
    tally("hostile servers", 1)


def test_the_body_of_a_redirect_is_not_read(serve, tally):
    target = serve(right)
    with no_hanging():
        for rest in (b"\r\n", b"Content-Encoding: gzip\r\n\r\n"):
            lead = b"HTTP/1.1 302 Found\r\nLocation: %s\r\n" % target.encode()
            assert fetch(serve(endless(lead + rest))) == CONTENT
    tally("hostile servers", 2)


def test_a_gzip_bomb_from_a_mirror_is_not_unpacked(serve, tally):
    bomb = idx.compress(bytes(200_000_000))
    response = OK + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb
    with pytest.raises(DatasetError, match="larger than 64,000,000 bytes"):
        fetch(serve(lambda connection: connection.sendall(response)))
    tally("hostile servers", 1)


def test_no_server_writes_to_the_terminal(serve, mirror, dlcli, monkeypatch, tally):
    evil = b"\x1b[2J\x1b]0;title\x07"
    responses = [
        lambda connection: connection.sendall(b"HTTP/1.1 404 " + evil + b"\r\n\r\n" + evil),
        lambda connection: connection.sendall(evil * 100),
        lambda connection: connection.sendall(OK + b"Content-Length: " + evil + b"\r\n\r\n" + evil),
        moved("http://\x1b[2J/"),
        moved("\x1b[2J://x"),
    ]
    urls = tuple(serve(respond) for respond in responses)
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=urls))
    result = dlcli("data", "fetch")
    assert_civil(result, {3})
    assert all(url in result.stderr for url in urls)
    tally("hostile servers", len(responses))


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

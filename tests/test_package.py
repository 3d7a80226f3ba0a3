"""The wheel works in an environment with nothing else, from an empty folder."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from dlcli.config.files import shipped_configs

REPOSITORY = Path(__file__).parent.parent


def run(*command: object, cwd: Path, umask: int = -1, **variables: str) -> str:
    """Run a command that must succeed, without this checkout on its path; return its stdout."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | variables,
        umask=umask,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    run(*build, REPOSITORY, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory) -> Path:
    """The dlcli of an environment with only the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    (wheel,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", folder, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", wheel, cwd=folder)
    return folder / "bin" / "dlcli"


def test_the_wheel_names_its_authors(dist):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        assert "\nAuthor: dlcli contributors\n" in archive.read(name).decode()


def test_the_wheel_contains_the_package_its_data_and_the_configs(dist):
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / "dlcli").rglob("*.py")}
    assert sources <= names
    assert {f"dlcli/configs/{p.name}" for p in (REPOSITORY / "configs").glob("*.yaml")} <= names
    for folder in ("data/sample", "lessons/files", "runs/pretrained"):
        data = {p.name for p in (REPOSITORY / "dlcli" / folder).iterdir()}
        packed = [Path(name) for name in names if name.startswith(f"dlcli/{folder}/")]
        assert {path.name for path in packed} == data
    parts = (p for p in (REPOSITORY / "dlcli").rglob("*.*") if p.suffix in {".html", ".css", ".js"})
    assert {str(path.relative_to(REPOSITORY)) for path in parts} <= names
    assert "dlcli/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"dlcli"}
    pages = {Path(name).name for name in names if "/share/man/man1/" in name}
    assert pages == {path.name for path in (REPOSITORY / "man").iterdir()}


def test_the_sdist_contains_what_the_tests_need(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "tests/conftest.py",
        "configs/mnist.yaml",
        "man/dlcli.1",
        "Makefile",
        "LICENSE",
    } <= names


def test_everybody_builds_the_same_bytes(dist, tmp_path):
    """In another folder, time zone and locale, from files with other times and permissions."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "elsewhere", filter="data")
    (source,) = (tmp_path / "elsewhere").iterdir()
    for path in source.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)  # programs stay programs
        os.utime(path, (1_000_000_000, 1_000_000_000))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist"]
    run(*build, source, cwd=tmp_path, umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="1")
    for built in dist.iterdir():
        assert (tmp_path / "dist" / built.name).read_bytes() == built.read_bytes(), built.name


def test_the_installed_wheel_trains_evaluates_and_predicts_in_an_empty_folder(installed, tmp_path):
    assert run(installed, "--version", cwd=tmp_path).startswith("dlcli ")
    run(installed, "config", "check", *shipped_configs(), cwd=tmp_path)
    run(installed, "data", "export", "--dataset", "sample", "--limit", 3, "-o", "d", cwd=tmp_path)
    digits = [line[0] for line in run(installed, "predict", "d", cwd=tmp_path).splitlines()]
    assert digits == [path.stem[-1] for path in sorted((tmp_path / "d").iterdir())]
    train = ["train", "--config", "quickstart", "--set", "epochs=2"]
    (path,) = run(installed, *train, cwd=tmp_path).splitlines()
    assert run(installed, "eval", path, "--min-accuracy", "0.8", cwd=tmp_path)
    assert run(installed, "predict", "d", cwd=tmp_path).count("\n") == 3
    assert run(installed, "gradcheck", "--set", "hidden_layers=[4]", cwd=tmp_path)
    assert run(installed, "compare", path, path, "--dataset", "sample", cwd=tmp_path)
    assert run(installed, "runs", cwd=tmp_path)
    assert run(installed, "data", "status", cwd=tmp_path)
    code = f"import dlcli; print(dlcli.load_model({path!r}).layers[0].weight.shape)"
    assert run(installed.with_name("python"), "-c", code, cwd=tmp_path) == "(784, 400)\n"

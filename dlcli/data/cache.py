"""The cache of downloaded datasets: ``DATA_DIR/NAME/`` holds the four IDX files of each.

Every file is verified before it is placed and each time it is read. Files appear whole or not at
all, and one process at a time fills the folder of a dataset.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.data import idx, idx_folder, location, writers
from dlcli.data.idx import IdxFile
from dlcli.data.registry import DATASETS, FILES, DatasetInfo, downloadable, sha256
from dlcli.errors import DatasetError
from dlcli.files import (
    atomic_write,
    has_locks,
    lock,
    make_folder,
    remove_temporary_files,
    temporary_files,
)

if TYPE_CHECKING:
    from dlcli.data.download import Progress

# Where only the sums of the .gz files are published, those of the contents are recorded here
# when a verified .gz file has been unpacked.
_RECORDED_SUMS = "SHA256SUMS"
_WRITTEN = (*FILES, _RECORDED_SUMS, writers.FILE)


class UnavailableError(DatasetError):
    """No mirror delivered a file of the dataset ``name``."""

    def __init__(self, name: str, *lines: str) -> None:
        super().__init__(*lines)
        self.name = name

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        """Pickle the name too: the workers of a search send their errors to the main process."""
        return type(self), (self.name, *self.args)


def read(name: str, data_dir: Path, progress: "Progress | None" = None) -> list[IdxFile]:
    """Read and verify the files of a dataset, downloading it if one is missing.

    Raises
    ------
    DatasetError
        A file is corrupt, or could not be downloaded.
    """
    files = _read_cached(name, data_dir)
    if files is None:
        fetch(name, data_dir, progress)
        files = _read_cached(name, data_dir)
    if files is None:
        raise DatasetError(f"{data_dir / name}: files disappeared while they were being read")
    return files


def fetch(name: str, data_dir: Path, progress: "Progress | None" = None) -> list[str]:
    """Download the missing and damaged files of a dataset; return their names.

    Processes that fetch at the same time wait for each other.

    Raises
    ------
    UnavailableError
        No mirror delivered a file.
    """
    unfinished = any(any(temporary_files(data_dir / name, file)) for file in _WRITTEN)
    if not (unfinished or any(faults(name, data_dir).values())):
        return []

    from dlcli.data.download import fetch as fetch_file  # requests takes 0.1 s to import

    info = DATASETS[name]
    mirrors = [m for m in (os.environ.get("DLCLI_MIRROR"), *info.mirrors) if m]
    fetched = []
    with _locked(name, data_dir) as folder:
        sums = _content_sums(info, folder)
        for file, checksum in info.checksums.items():
            if _fault(folder / file, sums.get(file)) is None:
                continue
            try:
                content = fetch_file(file, checksum, mirrors, progress)
            except DatasetError as error:
                first, *failures = error.args
                raise UnavailableError(name, f"{name}: {first}", *failures) from error
            _place(info, folder, file, content)
            fetched.append(file)
    return fetched


def import_folder(name: str, source_dir: Path, data_dir: Path) -> list[Path]:
    """Copy a dataset from a folder into the cache; return the files read.

    ``source_dir`` holds the four IDX files, gzipped or not; they are verified like a download.
    The file that names the writers (:mod:`dlcli.data.writers`) comes along if it is there.

    Raises
    ------
    DatasetError
        A file is missing, or has the wrong content.
    """
    if not os.path.isdir(source_dir):  # noqa: PTH112 - Path.is_dir raises if a name is too long
        raise DatasetError(f"{source_dir}: no such folder of IDX files")
    info = DATASETS[name]
    paths, contents = [], []
    for file, checksum in info.checksums.items():
        # Prefer the form whose sum is known: the other one cannot be verified.
        suffixes = ("", ".gz") if checksum.of == "content" else (".gz", "")
        path = _source(source_dir, file, suffixes)
        content = idx.read_file(path)
        received = path.read_bytes() if checksum.of == "gz" else content
        mismatch = checksum.mismatch(received, content)
        if mismatch is not None:
            raise DatasetError(
                f"{path}: not the file of {name}: {mismatch}; to train on other IDX files, "
                f"give their folder as the dataset: --set dataset={source_dir}"
            )
        paths.append(path)
        contents.append(content)
    extended, beside = None, writers.find(source_dir)
    if beside is not None:
        extended = writers.read(beside, idx.parse_labels(contents[1], str(paths[1])))
        paths.append(beside)
    with _locked(name, data_dir) as folder:
        for file, content in zip(FILES, contents, strict=True):
            _place(info, folder, file, content)
        if extended is not None:
            with atomic_write(folder / writers.FILE) as target:
                target.write(extended.content)
    return paths


def _source(folder: Path, file: str, suffixes: Sequence[str]) -> Path:
    """A file of MNIST in a folder, by its own name, else by another that it goes around by."""
    try:
        return idx.find(folder, file, suffixes)
    except DatasetError:
        other = idx_folder.families(folder).get("", {}).get(file)
        if other is None:
            raise
        return other


def faults(name: str, data_dir: Path) -> dict[str, str | None]:
    """What is wrong with each cached file of a dataset; None for a good one."""
    folder = data_dir / name
    sums = _content_sums(DATASETS[name], folder)
    return {file: _fault(folder / file, sums.get(file)) for file in FILES}


def status(name: str, data_dir: Path) -> str:
    """Whether a dataset is ``complete``, ``absent`` or ``damaged`` in the cache."""
    found = set(faults(name, data_dir).values())
    return "complete" if found == {None} else "absent" if found == {"missing"} else "damaged"


def verify(data_dir: Path, names: Sequence[str] = ()) -> dict[str, dict[str, str | None]]:
    """The faults of the named datasets or, without names, of those that are in the cache."""
    found = {name: faults(name, data_dir) for name in names or downloadable()}
    if not names:
        # A failed download leaves an empty folder, which counts as absent.
        found = {name: by for name, by in found.items() if set(by.values()) != {"missing"}}
    return {name: by_file | _writers_fault(data_dir / name) for name, by_file in found.items()}


def _writers_fault(folder: Path) -> dict[str, str | None]:
    """What is wrong with the file that names the writers, if there is one."""
    path, file = writers.find(folder), folder / FILES[1]
    if path is None:
        return {}
    try:
        labels = idx.parse_labels(idx.read_file(file), str(file))
    except DatasetError:
        return {}  # it has a fault of its own
    try:
        writers.read(path, labels)
    except DatasetError as error:
        return {path.name: str(error).removeprefix(f"{path}: ")}
    return {path.name: None}


def _read_cached(name: str, data_dir: Path) -> list[IdxFile] | None:
    """The verified files of a cached dataset; None if one is missing."""
    folder = data_dir / name
    if not all((folder / file).exists() for file in FILES):
        return None
    # Read after that check: a process that fetches records each sum before its file.
    sums = _content_sums(DATASETS[name], folder)
    advice = f"repair it with: dlcli data fetch {name}{location.option(data_dir)}"
    files = []
    for file in FILES:
        try:
            content = idx.read_file(folder / file)
        except DatasetError as error:
            raise DatasetError(f"{error}; {advice}") from error
        digest = sha256(content)
        if digest != sums.get(file):
            raise DatasetError(f"{folder / file}: corrupt (wrong SHA-256); {advice}")
        files.append(IdxFile(str(folder / file), content, digest))
    return files


def _content_sums(info: DatasetInfo, folder: Path) -> dict[str, str]:
    """The SHA-256 sum of each file's content, as far as they are known."""
    known = {file: sum_.sha256 for file, sum_ in info.checksums.items() if sum_.of == "content"}
    if len(known) == len(info.checksums):
        return known
    path = folder / _RECORDED_SUMS
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return known
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    recorded = {file: digest for digest, _, file in (line.partition("  ") for line in lines)}
    return recorded | known


def _fault(path: Path, expected: str | None) -> str | None:
    """What is wrong with a file whose content must have the sum ``expected``."""
    if not path.exists():
        return "missing"
    try:
        actual = sha256(idx.read_file(path))
    except DatasetError as error:
        return str(error).removeprefix(f"{path}: ")
    return None if actual == expected else "corrupt (wrong SHA-256)"


def _place(info: DatasetInfo, folder: Path, file: str, content: idx.Content) -> None:
    """Write a verified file into the cache and, if only its .gz sum was known, its sum first."""
    if info.checksums[file].of == "gz":
        sums = _content_sums(info, folder) | {file: sha256(content)}
        lines = [f"{sums[known]}  {known}\n" for known in FILES if known in sums]
        with atomic_write(folder / _RECORDED_SUMS) as target:
            target.write("".join(lines).encode("ascii"))
    with atomic_write(folder / file) as target:
        target.write(content)


@contextmanager
def _locked(name: str, data_dir: Path) -> Iterator[Path]:
    """Lock a dataset's folder and remove what killed processes left in it."""
    folder = data_dir / name
    make_folder(folder)
    lock_file = data_dir / f".{name}.lock"
    with lock(lock_file):
        if has_locks(lock_file):
            remove_temporary_files(folder, _WRITTEN)
        yield folder

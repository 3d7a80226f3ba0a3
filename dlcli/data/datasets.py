"""Named datasets: where they come from, their cache, their verification, their splits."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlcli.data import idx
from dlcli.errors import ConfigError, DatasetError
from dlcli.files import (
    DEFAULT_DATA_DIR,
    atomic_write,
    leftovers,
    make_folder,
    naming,
    remove_leftovers,
)
from dlcli.nn.random import random_stream
from dlcli.nn.types import Labels, Pixels

if TYPE_CHECKING:
    from dlcli.data.download import Progress

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SAMPLE = "sample"
_SAMPLE_DIR = Path(__file__).parent / "sample"
# kmnist publishes the sums of its .gz files alone; those of the content are kept here once a
# verified .gz has been unpacked.
_SUMS_FILE = "SHA256SUMS"
_WRITTEN = (*FILES, _SUMS_FILE)


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from and how its files are recognised (sums in ``FILES`` order)."""

    mirrors: tuple[str, ...]
    raw_sha256: tuple[str, ...] | None = None
    gz_sha256: tuple[str, ...] | None = None


SOURCES: dict[str, Source] = {
    "mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        raw_sha256=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": Source(
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        raw_sha256=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    "kmnist": Source(
        mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        gz_sha256=(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
}


@dataclass(frozen=True)
class Examples:
    """Images, shape (n, 784), 0 (paper) to 255 (ink), and their labels, shape (n,)."""

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Dataset:
    """A whole dataset in memory; ``checksum`` identifies its content."""

    name: str
    train: Examples
    test: Examples
    checksum: str


def load(
    name: str, data_dir: Path = DEFAULT_DATA_DIR, progress: "Progress | None" = None
) -> Dataset:
    """Load a dataset, downloading what is not in the cache.

    Parameters
    ----------
    name
        A key of ``SOURCES``, ``sample``, or a folder of IDX files.
    data_dir
        The cache.
    progress
        Told of each chunk received while downloading.

    Raises
    ------
    DatasetError
        The dataset is unavailable, or a file of it is corrupt.
    """
    if name in SOURCES:
        files = _read_cached(name, data_dir)
        if files is None:
            fetch(name, data_dir, progress)
            files = _read_cached(name, data_dir)
        if files is None:
            raise DatasetError(f"{data_dir / name}: files vanished while they were being read")
    else:
        files = _read_folder(_SAMPLE_DIR if name == SAMPLE else Path(name))
    return _parse(name, files)


def fetch(name: str, data_dir: Path, progress: "Progress | None" = None) -> list[str]:
    """Download the files of a dataset that are missing or damaged; return their names.

    Processes that fetch at once wait for each other. Each file appears whole or not at all.

    Raises
    ------
    DatasetError
        A file could not be had from any mirror.
    """
    unfinished = any(any(leftovers(data_dir / name, file)) for file in _WRITTEN)
    if not (unfinished or any(faults(name, data_dir).values())):
        return []

    from dlcli.data.download import fetch as fetch_file  # requests takes 0.1 s to import

    source = SOURCES[name]
    mirrors = [m for m in (os.environ.get("DLCLI_MIRROR"), *source.mirrors) if m]
    fetched = []
    with _locked(name, data_dir) as folder:
        sums = _known_sums(name, folder)
        for index, file in enumerate(FILES):
            if _fault(folder / file, sums.get(file)) is None:
                continue
            try:
                raw = fetch_file(file, mirrors, partial(_mismatch, source, index), progress)
            except DatasetError as error:
                first, *failures = error.args
                raise DatasetError(f"{name}: {first}", *failures, _other_ways(name)) from error
            _place(name, folder, file, raw)
            fetched.append(file)
    return fetched


def import_folder(name: str, source_dir: Path, data_dir: Path) -> list[Path]:
    """Take over a dataset carried in by hand; return the files read.

    ``source_dir`` holds the four IDX files, gzipped or not; they are verified like a download.

    Raises
    ------
    DatasetError
        A file is missing, or is not the one it should be.
    """
    if not os.path.isdir(source_dir):  # noqa: PTH112 - Path.is_dir raises of names too long
        raise DatasetError(f"{source_dir}: no such folder of IDX files")
    source = SOURCES[name]
    # Where the sums are those of the .gz files, a raw file beside one cannot be verified.
    suffixes = ("", ".gz") if source.raw_sha256 is not None else (".gz", "")
    paths = [_find(source_dir, file, suffixes) for file in FILES]
    contents = []
    for index, path in enumerate(paths):
        raw = idx.read_file(path)
        received = path.read_bytes() if source.raw_sha256 is None else raw
        mismatch = _mismatch(source, index, received, raw)
        if mismatch is not None:
            raise DatasetError(
                f"{path}: not the file of {name}: {mismatch}; to train on other IDX files, "
                f"give their folder as the dataset: --set dataset={source_dir}"
            )
        contents.append(raw)
    with _locked(name, data_dir) as folder:
        for file, raw in zip(FILES, contents, strict=True):
            _place(name, folder, file, raw)
    return paths


def faults(name: str, data_dir: Path) -> dict[str, str | None]:
    """What is wrong with each cached file of a dataset; None for a good one."""
    folder = data_dir / name
    sums = _known_sums(name, folder)
    return {file: _fault(folder / file, sums.get(file)) for file in FILES}


def split_validation(train: Examples, size: float, seed: int) -> tuple[Examples, Examples]:
    """Divide training examples at random into those to learn from and those to judge by.

    Parameters
    ----------
    train
        All training examples.
    size
        Number of validation examples, or, below 1, their share.
    seed
        Decides which ones; the order of the rest is kept.

    Raises
    ------
    ConfigError
        Nothing would be left to learn from.
    """
    count = int(size)
    if 0 < size < 1:
        count = max(1, round(size * len(train)))
    if count >= len(train):
        raise ConfigError(
            f"validation_size {size:g}: nothing would be left to learn from; "
            f"there are {len(train):,} training images"
        )
    held_out = np.zeros(len(train), dtype=bool)
    held_out[random_stream(seed, "validation").permutation(len(train))[:count]] = True
    return (
        Examples(train.images[~held_out], train.labels[~held_out]),
        Examples(train.images[held_out], train.labels[held_out]),
    )


class _File(NamedTuple):
    """A file's path, its decompressed content, and its SHA-256, which is computed once."""

    name: str
    content: idx.Content
    sha256: str


def _read_cached(name: str, data_dir: Path) -> list[_File] | None:
    """The verified files of a cached dataset; None if one is missing."""
    folder = data_dir / name
    if not all((folder / file).exists() for file in FILES):
        return None
    sums = _known_sums(name, folder)  # read last: while a process fetches, they come first
    files = []
    for file in FILES:
        mend = f"mend it with: dlcli data fetch {name}"
        try:
            content = idx.read_file(folder / file)
        except DatasetError as error:
            raise DatasetError(f"{error}; {mend}") from error
        digest = _sha256(content)
        if digest != sums.get(file):
            raise DatasetError(f"{folder / file}: corrupt (wrong SHA-256); {mend}")
        files.append(_File(str(folder / file), content, digest))
    return files


def _read_folder(folder: Path) -> list[_File]:
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises of names too long
        raise DatasetError(f"{folder}: no such folder of IDX files")
    files: list[_File] = []
    left = idx.MAX_BYTES  # for all four together, of which each could be a bomb
    for file in FILES:
        path = _find(folder, file)
        content = idx.read_file(path, left)
        files.append(_File(str(path), content, _sha256(content)))
        left -= len(content)
    return files


def _find(folder: Path, file: str, suffixes: Sequence[str] = ("", ".gz")) -> Path:
    for suffix in suffixes:
        path = folder / f"{file}{suffix}"
        if path.exists():
            return path
    raise DatasetError(f"{folder}: holds no {file} (or {file}.gz)")


def _parse(name: str, files: list[_File]) -> Dataset:
    splits = []
    for of_images, of_labels in (files[:2], files[2:]):
        images = idx.parse_images(of_images.content, of_images.name)
        labels = idx.parse_labels(of_labels.content, of_labels.name)
        if len(images) != len(labels):
            raise DatasetError(
                f"{of_images.name}: {len(images):,} images, but {len(labels):,} labels "
                f"in {of_labels.name}"
            )
        splits.append(Examples(images, labels))
    checksum = _sha256("".join(file.sha256 for file in files).encode())
    return Dataset(name, splits[0], splits[1], checksum)


def _mismatch(source: Source, index: int, received: idx.Content, raw: idx.Content) -> str | None:
    """How a file differs from the one it should be; None if it is the right one."""
    if source.raw_sha256 is not None:
        expected, actual = source.raw_sha256[index], _sha256(raw)
    elif source.gz_sha256 is not None:
        if received == raw:
            return "not gzipped, and only the SHA-256 of its .gz file is known"
        expected, actual = source.gz_sha256[index], _sha256(received)
    else:
        raise AssertionError("a source has sums of one kind or the other")
    if actual == expected:
        return None
    return f"wrong content (SHA-256 {actual[:12]}..., expected {expected[:12]}...)"


def _sha256(content: idx.Content) -> str:
    return hashlib.sha256(content).hexdigest()


def _known_sums(name: str, folder: Path) -> dict[str, str]:
    """SHA-256 of each file's content, as far as they are known."""
    raw_sha256 = SOURCES[name].raw_sha256
    if raw_sha256 is not None:
        return dict(zip(FILES, raw_sha256, strict=True))
    try:
        lines = (folder / _SUMS_FILE).read_text(encoding="ascii").splitlines()
        return {file: digest for digest, _, file in (line.partition("  ") for line in lines)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatasetError(f"{folder / _SUMS_FILE}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{folder / _SUMS_FILE}: cannot be read: {error}") from error


def _fault(path: Path, expected: str | None) -> str | None:
    if not path.exists():
        return "missing"
    try:
        actual = _sha256(idx.read_file(path))
    except DatasetError as error:
        return str(error).removeprefix(f"{path}: ")
    return None if actual == expected else "corrupt (wrong SHA-256)"


def _place(name: str, folder: Path, file: str, raw: idx.Content) -> None:
    """Put a verified file into the cache; before it its sum, where no other is known."""
    if SOURCES[name].raw_sha256 is None:
        sums = _known_sums(name, folder) | {file: _sha256(raw)}
        lines = [f"{sums[known]}  {known}\n" for known in FILES if known in sums]
        with atomic_write(folder / _SUMS_FILE) as target:
            target.write("".join(lines).encode("ascii"))
    with atomic_write(folder / file) as target:
        target.write(raw)


@contextmanager
def _locked(name: str, data_dir: Path) -> Iterator[Path]:
    """The dataset's cache folder, held against other processes and cleared of what they left."""
    from filelock import FileLock

    folder = data_dir / name
    make_folder(folder)
    lock = FileLock(data_dir / f".{name}.lock")
    with naming(data_dir / f".{name}.lock"):
        lock.acquire()
    try:
        remove_leftovers(folder, _WRITTEN)
        yield folder
    finally:
        lock.release()


def _other_ways(name: str) -> str:
    return (
        "Two ways on without a network: train on the embedded sample (--set dataset=sample), "
        f"or carry the files in by hand (dlcli data import DIR --dataset {name})."
    )

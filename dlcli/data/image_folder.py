"""Folders of pictures: which picture belongs to which class and split, and what it is made of.

The layouts::

    mine/7/a.png                  one folder a class
    mine/7-a.png                  names that start with the class
    mine/00042-7.png              index and class, as ``dlcli data export`` writes them
    mine/train/..., mine/test/... any of these, with the test images apart

A ``classes.txt`` may name the classes in another order. Pictures are in order of their file names,
so that exported images keep theirs.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote

from dlcli.data import classes
from dlcli.errors import DatasetError
from dlcli.files import open_file
from dlcli.vision.decode import MAX_BYTES, picture_suffixes

Split: TypeAlias = Literal["train", "test"]

# As many 28x28 images as the largest IDX file may hold.
MAX_PICTURES = 750_000
TEST_FRACTION = 0.2
"""Of the pictures of each class that are the test images where no folder is for them."""

_EXPORTED = re.compile(r"(\d{5,})-(.+)", re.DOTALL)
# What the name of a file cannot hold on every system, and the sign that stands for it.
_UNSAFE = r'[%/\\:*?"<>|]'
_SPLITS: tuple[Split, ...] = ("train", "test")
_NOT_MEANT = {"__MACOSX"}  # what archives made on a Mac hold beside their files


@dataclass(frozen=True)
class Picture:
    """A picture file, its class and its split; ``digest`` is the SHA-256 sum of its content.

    ``name`` is its path inside the folder.
    """

    path: Path
    name: str
    class_name: str
    split: Split
    digest: str = ""


@dataclass(frozen=True)
class Unusable:
    """A picture that is no image of the dataset, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a folder of pictures holds.

    Attributes
    ----------
    is_exported
        Whether the names are those of ``dlcli data export``.
    has_test
        Whether the test images are apart; otherwise some of each class are chosen.
    """

    folder: Path
    class_names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    is_exported: bool
    has_test: bool


@dataclass(frozen=True)
class _Entries:
    """The folders and the pictures in a folder."""

    folders: list[str]
    pictures: list[str]


def exported_name(index: int, count: int, class_name: str) -> str:
    """The name of an exported picture without its ending; names of one folder sort by index."""
    width = max(5, len(str(count - 1)))
    label = re.sub(_UNSAFE, lambda found: f"%{ord(found[0]):02X}", class_name)
    return f"{index:0{width}d}-{label}"


def list_pictures(folder: Path) -> Listing | None:
    """The pictures in a folder with their classes; None if it holds none in any layout.

    Raises
    ------
    DatasetError
        Its layout is mixed, or a class is empty, has an impossible name, or is in one split only.
    """
    top = _entries(folder)
    splits = [name for name in top.folders if name in _SPLITS]
    if not splits:
        pictures, is_exported = _classified(folder, "", "train", top)
        if not pictures:
            return None
    else:
        _check_splits(folder, top)
        parts = [
            _classified(folder / split, f"{split}/", split, _entries(folder / split))
            for split in _SPLITS
            if split in splits
        ]
        pictures = [picture for part, _ in parts for picture in part]
        is_exported = all(exported for _, exported in parts)
    if len(pictures) > MAX_PICTURES:
        raise DatasetError(f"{folder}: {len(pictures):,} pictures, at most {MAX_PICTURES:,}")
    names = _class_names(folder, pictures)
    has_test = "test" in splits
    if has_test:
        _compare_splits(folder, pictures)
    order = sorted(pictures, key=lambda picture: (Path(picture.name).name, picture.name))
    return Listing(folder, names, tuple(order), is_exported, has_test)


def _entries(folder: Path) -> _Entries:
    """What is in a folder, apart from hidden files and files that are no pictures."""
    suffixes = picture_suffixes()
    found = _Entries([], [])
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _NOT_MEANT:
                    continue
                # With os.path, a loop of links is no folder, and no error.
                is_link_to_folder = entry.is_symlink() and os.path.isdir(entry.path)  # noqa: PTH112
                if is_link_to_folder or entry.is_dir(follow_symlinks=False):
                    found.folders.append(entry.name)
                elif os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122 - faster
                    found.pictures.append(entry.name)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror or error}") from error
    return found


def _check_splits(folder: Path, top: _Entries) -> None:
    others = [*(name for name in top.folders if name not in _SPLITS), *top.pictures]
    if others:
        raise DatasetError(
            f"{folder / min(others)}: stands beside {folder / _SPLITS[0]}; with train/ and test/, "
            "all pictures belong into them"
        )
    if "train" not in top.folders:
        raise DatasetError(f"{folder}: holds test/, but no train/")


def _classified(
    folder: Path, prefix: str, split: Split, entries: _Entries
) -> tuple[list[Picture], bool]:
    """The pictures of a split by their class, and whether their names are those of an export."""
    if entries.folders and entries.pictures:
        raise DatasetError(
            f"{folder}: holds pictures ({_shown(min(entries.pictures))}) beside folders "
            f"({_shown(min(entries.folders))}); put each picture into the folder of its class"
        )
    if entries.folders:
        return list(_in_folders(folder, prefix, split, entries.folders)), False
    if prefix and not entries.pictures:
        raise DatasetError(f"{folder}: holds no pictures")
    stems = [os.path.splitext(name)[0] for name in entries.pictures]  # noqa: PTH122 - faster
    matches = [_EXPORTED.fullmatch(stem) for stem in stems]
    has_indices = _have_indices(stems, matches)
    pictures = []
    for name, stem, match in zip(entries.pictures, stems, matches, strict=True):
        label, dash, _ = stem.partition("-")
        if has_indices and match is not None:
            label = unquote(match[2])
        elif not dash or not label:
            raise DatasetError(
                f"{folder / name}: its name tells no class; name it CLASS-{name}, or put it into "
                "a folder named by its class"
            )
        pictures.append(Picture(folder / name, f"{prefix}{name}", label, split))
    return pictures, has_indices and all(matches)


def _have_indices(stems: Sequence[str], matches: Sequence[re.Match[str] | None]) -> bool:
    """Whether names like 00042-7 are those of exports, and not of classes such as postcodes.

    An export has each index once, and so have several of them together more indices than classes.
    Pictures beside it are of some of its classes.
    """
    found = [match.groups() for match in matches if match is not None]
    indices, labels = {index for index, _ in found}, {unquote(label) for _, label in found}
    others = {
        stem.partition("-")[0]
        for stem, match in zip(stems, matches, strict=True)
        if match is None and "-" in stem
    }
    is_export = len(indices) == len(found) or len(indices) > len(labels)
    return is_export and (not others or not labels.isdisjoint(others))


def _in_folders(folder: Path, prefix: str, split: Split, names: Sequence[str]) -> Iterator[Picture]:
    for name in sorted(names):
        inside = _entries(folder / name)
        if inside.folders:
            nested = folder / name / min(inside.folders)
            raise DatasetError(
                f"{nested}: a folder inside the class {_shown(name)}; put its pictures into "
                f"{folder / name} itself"
            )
        if not inside.pictures:
            raise DatasetError(
                f"{folder / name}: holds no pictures; add some, or remove the folder"
            )
        for file in inside.pictures:
            yield Picture(folder / name / file, f"{prefix}{name}/{file}", name, split)


def _class_names(folder: Path, pictures: Sequence[Picture]) -> tuple[str, ...]:
    """The names of the classes in order, those of a ``classes.txt`` if there is one."""
    used = {picture.class_name for picture in pictures}
    places = [place / classes.NAMES_FILE for place in (folder, folder / "train")]
    path = next(filter(os.path.lexists, places), None)
    if path is None:
        return classes.checked(classes.in_order(list(used)), str(folder))
    names = classes.read_names(path)
    unknown = sorted(used.difference(names))
    if unknown:
        raise DatasetError(f"{path}: does not name the class {_shown(unknown[0])}")
    empty = [name for name in names if name not in used]
    if empty:
        raise DatasetError(f"{path}: names {_shown(empty[0])}, of which {folder} has no pictures")
    return names


def _compare_splits(folder: Path, pictures: Sequence[Picture]) -> None:
    train, test = (
        {picture.class_name for picture in pictures if picture.split == split} for split in _SPLITS
    )
    if unknown := sorted(test - train):
        raise DatasetError(
            f"{folder / 'test'}: has the class {_shown(unknown[0])}, which {folder / 'train'} lacks"
        )
    if missing := sorted(train - test):
        raise DatasetError(
            f"{folder / 'train'}: has the class {_shown(missing[0])}, which {folder / 'test'} lacks"
        )


def read_picture(picture: Picture) -> bytes:
    """The content of a picture's file.

    Raises
    ------
    OSError
        It cannot be read, or is a pipe or a device.
    ValueError
        It is too large.
    """
    with open_file(picture.path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes; make it smaller")
    return content


def with_digests(listing: Listing) -> tuple[Listing, list[Unusable]]:
    """Read every picture for its sum; return those that can be read, and why the others cannot."""
    readable, unusable = [], []
    for picture in listing.pictures:
        try:
            content = read_picture(picture)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            unusable.append(Unusable(picture.name, f"cannot be read: {reason}"))
        else:
            readable.append(replace(picture, digest=hashlib.sha256(content).hexdigest()))
    return replace(listing, pictures=tuple(readable)), unusable


def with_test_split(pictures: Sequence[Picture]) -> list[Picture]:
    """Make some pictures of each class the test images, chosen by their sums.

    So neither names nor order matter, equal pictures stay together, and pictures that are added
    later move few others. A single picture of a class is for training.
    """
    digests: dict[str, set[str]] = {}
    for picture in pictures:
        digests.setdefault(picture.class_name, set()).add(picture.digest)
    chosen: set[tuple[str, str]] = set()
    for name, found in digests.items():
        count = round(TEST_FRACTION * len(found)) or int(len(found) > 1)
        chosen.update((name, digest) for digest in sorted(found)[:count])
    return [
        replace(
            picture, split="test" if (picture.class_name, picture.digest) in chosen else "train"
        )
        for picture in pictures
    ]


def key(listing: Listing, unusable: Sequence[Unusable], preparation: str) -> str:
    """The SHA-256 sum of all that the prepared images depend on."""
    total = hashlib.sha256()
    for part in (preparation, listing.is_exported, listing.has_test, *listing.class_names):
        total.update(f"{part}\n".encode())
    for picture in listing.pictures:
        line = (picture.name, picture.class_name, picture.split, picture.digest)
        total.update("\0".join(line).encode(errors="surrogateescape") + b"\n")
    for each in unusable:
        total.update(f"{each.name}\0{each.reason}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _shown(name: str) -> str:
    """A name in a message, shortened."""
    return repr(name if len(name) <= 60 else f"{name[:57]}...")

"""Pictures of a folder as 28x28 images, prepared once and kept in the cache.

``DATA_DIR/.prepared/KEY.npz`` holds the images of one state of a folder: the key is the sum of all
its pictures, so that any change makes another file. The files can be deleted at any time.
"""

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, get_args

import msgspec
import numpy as np
import PIL
from PIL import Image
from threadpoolctl import threadpool_limits

from dlcli.data import examples, idx, image_folder
from dlcli.data.classes import are_digits
from dlcli.data.image_folder import Listing, Picture, Unusable
from dlcli.data.registry import sha256
from dlcli.errors import DatasetError, ImageError
from dlcli.files import atomic_write, has_locks, lock, make_folder
from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Labels, Pixels
from dlcli.vision import Preparation, Preprocessing, pipeline, plain
from dlcli.vision.candidate import Located
from dlcli.vision.decode import ignore_warnings, read_pages
from dlcli.vision.preview import PREPARATION
from dlcli.vision.rejection import indifferent_scores

FOLDER = ".prepared"
"""The folder inside the dataset cache; hidden, for ``./data`` may be a dataset itself."""

# To be raised when the preparation changes, so that what older versions prepared is not used.
_VERSION = 2
_SHOWN_EVERY = 16  # pictures from one report of the progress to the next
# Pictures whose files are larger, as the first ones tell, are prepared in threads.
_MIN_BYTES_FOR_THREADS, _SAMPLED = 20_000, 100

Prepare: TypeAlias = Callable[[Image.Image, str], Located]


class Progress(Protocol):
    """Learns how many pictures are prepared."""

    def prepared(self, name: str, done: int, total: int) -> None:
        """So many of the pictures of a folder are done."""


class _Made(NamedTuple):
    """An image, and the name of the picture or page that it was made of."""

    name: str
    pixels: Pixels


@dataclass(frozen=True)
class PreparedFolder:
    """The images of a folder of pictures, and what became of it.

    Attributes
    ----------
    images, labels
        Of training, then of the test; each shape (n, 784) and (n,).
    pictures
        The picture of each of these images, as its path inside the folder, with the page if it has
        several.
    preprocessing
        How pictures must be prepared for a model of these images.
    unusable
        The pictures that are left out.
    notes
        What the user should know, a line each.
    """

    class_names: tuple[str, ...]
    images: tuple[Pixels, Pixels]
    labels: tuple[Labels, Labels]
    pictures: tuple[tuple[str, ...], tuple[str, ...]]
    preprocessing: Preprocessing
    unusable: tuple[Unusable, ...]
    notes: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """Identifies the images; of exported images, that of the IDX files they came from."""
        contents = [
            idx.serialize(np.asarray(array))
            for images, labels in zip(self.images, self.labels, strict=True)
            for array in (images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE), labels)
        ]
        return examples.checksum(map(sha256, contents), self.class_names)


def load(
    listing: Listing,
    data_dir: Path,
    preparation: Preparation | None = None,
    progress: Progress | None = None,
    usual: Preparation | None = None,
) -> PreparedFolder:
    """The prepared images of a folder, from the cache if they are there.

    See :func:`dlcli.data.datasets.load`.

    Raises
    ------
    DatasetError
        A class has no usable picture, or there are too few for a test.
    """
    listing, unreadable = image_folder.with_digests(listing)
    # Another decoder may read what could not be read, as of HEIC files.
    decoders = f"{PIL.__version__} {find_spec('pillow_heif') is not None}"
    usual = usual or ("digit" if are_digits(listing.class_names) else "plain")
    way = preparation or f"usually {usual}"
    key = image_folder.key(listing, unreadable, f"{_VERSION} {decoders} {way}")
    path = data_dir / FOLDER / f"{key}.npz"
    found = _read(path)
    if found is None:
        found = _prepare(listing, unreadable, preparation, usual, progress)
        try:
            _write(path, found)
        except OSError as error:
            note = f"the prepared images cannot be kept in {path.parent}: {error.strerror or error}"
            return replace(found, notes=(*found.notes, note))
    return found


def _prepare(
    listing: Listing,
    unreadable: Sequence[Unusable],
    preparation: Preparation | None,
    usual: Preparation,
    progress: Progress | None,
) -> PreparedFolder:
    names, pictures = listing.class_names, list(listing.pictures)
    if not listing.has_test:
        pictures = image_folder.with_test_split(pictures)
    chosen = preparation or usual
    exported = None
    if listing.is_exported and preparation is None:
        exported = _preparation_of_images(pictures)
    prepare = _preparation(chosen, names, as_they_are=exported is not None)
    images: dict[str, list[Pixels]] = {"train": [], "test": []}
    made_of: dict[str, list[str]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    unusable = list(unreadable)
    index = {name: number for number, name in enumerate(names)}
    for number, (picture, made) in enumerate(_each(pictures, prepare), start=1):
        for found in made:
            if isinstance(found, Unusable):
                unusable.append(found)
            else:
                images[picture.split].append(found.pixels)
                made_of[picture.split].append(_as_text(found.name))
                labels[picture.split].append(index[picture.class_name])
        if progress is not None and (number % _SHOWN_EVERY == 0 or number == len(pictures)):
            progress.prepared(str(listing.folder), number, len(pictures))
    _check(listing, labels, unusable)
    dtype = np.uint8 if len(names) <= 256 else np.uint16
    arrays: list[Any] = [
        (np.stack(images[split]), np.array(labels[split], dtype)) for split in ("train", "test")
    ]
    return PreparedFolder(
        class_names=names,
        images=(arrays[0][0], arrays[1][0]),
        labels=(arrays[0][1], arrays[1][1]),
        pictures=(tuple(made_of["train"]), tuple(made_of["test"])),
        preprocessing=exported or chosen,
        unusable=tuple(
            sorted(
                (Unusable(_as_text(each.name), _as_text(each.reason)) for each in unusable),
                key=lambda each: each.name,
            )
        ),
        notes=_notes(listing, pictures, labels),
    )


def _each(
    pictures: Sequence[Picture], prepare: Prepare
) -> Iterator[tuple[Picture, list[_Made | Unusable]]]:
    """Every picture with its images, in order; large ones are prepared in threads.

    Python runs one thread at a time, except while Pillow and OpenCV work on large arrays.
    """
    sizes = [_size_of(picture) for picture in pictures[:_SAMPLED]]
    threads = _cores() if sum(sizes) > _MIN_BYTES_FOR_THREADS * len(sizes) else 1
    with ExitStack() as stack:
        stack.enter_context(ignore_warnings())
        pool = stack.enter_context(ThreadPoolExecutor(threads, "pictures"))
        if threads > 1:  # those of BLAS would wait for each other on busy cores
            stack.enter_context(threadpool_limits(1, "blas"))
        make = partial(_images_of, prepare=prepare)
        for start in range(0, len(pictures), _SHOWN_EVERY):  # few, so that Ctrl-C stops soon
            some = pictures[start : start + _SHOWN_EVERY]
            made = pool.map(make, some) if threads > 1 else map(make, some)
            yield from zip(some, made, strict=True)


def _size_of(picture: Picture) -> int:
    try:
        return picture.path.stat().st_size
    except OSError as error:
        raise _changed(picture) from error


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _preparation(chosen: Preparation, names: Sequence[str], *, as_they_are: bool) -> Prepare:
    if as_they_are:
        return pipeline.take_as_is
    if chosen == "plain":
        return plain.prepare
    if are_digits(names):
        return pipeline.preprocess
    return _any_sign


def _any_sign(image: Image.Image, name: str) -> Located:
    """As digits are prepared, without judging what is no digit, or more than one."""
    found = pipeline.preprocess(image, name, indifferent_scores)
    return found if found.pixels is None else replace(found, rejection=None)


def _preparation_of_images(pictures: Sequence[Picture]) -> Preprocessing | None:
    """How exported images were prepared; None if not all are 28x28 and grey, as those are."""
    ways = set()
    try:
        for picture in pictures:
            with Image.open(picture.path) as image:
                if image.size != (IMAGE_SIDE, IMAGE_SIDE) or image.mode != "L":
                    return None
                ways.add(image.info.get(PREPARATION, "digit"))
    except Exception:  # noqa: BLE001 - Pillow raises anything; the preparation says why
        return None
    return next((way for way in get_args(Preprocessing) if ways == {way}), "digit")


def _images_of(picture: Picture, prepare: Prepare) -> list[_Made | Unusable]:
    """The images of a file, one a page, or why there is none."""
    try:
        content = image_folder.read_picture(picture)
    except (OSError, ValueError) as error:  # it could be read before
        raise _changed(picture) from error
    if sha256(content) != picture.digest:
        raise _changed(picture)
    found: list[_Made | Unusable] = []
    for name, page in read_pages(io.BytesIO(content), picture.name):
        try:
            if isinstance(page, ImageError):
                raise page
            located = prepare(page, name)
        except ImageError as error:
            found.append(Unusable(name, str(error).removeprefix(f"{name}: ")))
            continue
        # What a class looks like is the user's to say: only what is not there, or there more than
        # once, cannot be used.
        if located.pixels is None or located.rejection is not None:
            found.append(Unusable(name, str(located.rejection)))
        else:
            found.append(_Made(name, located.pixels))
    return found


def _changed(picture: Picture) -> DatasetError:
    return DatasetError(f"{picture.path}: changed while the folder was being read; try again")


def _as_text(text: str) -> str:
    """The same without the bytes of a name that are no text, which no JSON can hold."""
    return text.encode(errors="backslashreplace").decode()


def _check(listing: Listing, labels: dict[str, list[int]], unusable: Sequence[Unusable]) -> None:
    """Raise ``DatasetError`` unless every class has images to train on, and the test some."""
    counts = Counter(labels["train"])
    for number, name in enumerate(listing.class_names):
        if not counts[number]:
            of_class = [each for each in unusable if name in Path(each.name).parts[:-1]]
            if listing.has_test:
                of_class = [each for each in of_class if not each.name.startswith("test/")]
            fault = of_class[0] if of_class else None
            why = f"; {fault.name}: {fault.reason}" if fault is not None else ""
            raise DatasetError(
                f"{listing.folder}: no picture of the class {name[:60]!r} can be trained on{why}"
            )
    if not labels["test"]:
        raise DatasetError(
            f"{listing.folder}: no test images; each class needs two pictures or more, or put some "
            "into test/ and the others into train/"
        )


def _notes(
    listing: Listing, pictures: Sequence[Picture], labels: dict[str, list[int]]
) -> tuple[str, ...]:
    notes = []
    if not listing.has_test:
        percent = round(100 * image_folder.TEST_FRACTION)
        test, total = len(labels["test"]), len(labels["test"]) + len(labels["train"])
        notes.append(
            f"there is no folder test/, so {percent} % of each class are the test images "
            f"({test:,} of {total:,})"
        )
    classes_of: dict[str, set[str]] = {}
    splits_of: dict[str, set[str]] = {}
    for picture in pictures:
        classes_of.setdefault(picture.digest, set()).add(picture.class_name)
        splits_of.setdefault(picture.digest, set()).add(picture.split)
    several = [sorted(found) for found in classes_of.values() if len(found) > 1]
    if several:
        classes = " and ".join(several[0][:2])
        notes.append(f"{_pictures_are(len(several))} in several classes, as in {classes}")
    both = sum(len(found) > 1 for found in splits_of.values())
    if both:
        notes.append(f"{_pictures_are(both)} in training and in the test")
    return tuple(notes)


def _pictures_are(count: int) -> str:
    return "1 picture is" if count == 1 else f"{count:,} pictures are"


def _write(path: Path, prepared: PreparedFolder) -> None:
    description = {
        "class_names": prepared.class_names,
        "pictures": prepared.pictures,
        "preprocessing": prepared.preprocessing,
        "unusable": [asdict(each) for each in prepared.unusable],
        "notes": prepared.notes,
        "checksum": prepared.checksum,
    }
    (train, test), (train_labels, test_labels) = prepared.images, prepared.labels
    make_folder(path.parent)
    lock_file = path.parent.with_name(f"{FOLDER}.lock")
    with lock(lock_file):
        if has_locks(lock_file):
            for left in path.parent.glob(".*.npz.*.tmp"):  # by killed processes
                left.unlink(missing_ok=True)
        with atomic_write(path, durable=False) as file:
            np.savez(
                file,
                train=train,
                train_labels=train_labels,
                test=test,
                test_labels=test_labels,
                description=np.frombuffer(msgspec.json.encode(description), np.uint8),
            )


def _read(path: Path) -> PreparedFolder | None:
    """What was prepared before; None if there is nothing, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            description = msgspec.json.decode(arrays["description"].tobytes())
            images = (arrays["train"], arrays["test"])
            labels = (arrays["train_labels"], arrays["test_labels"])
        found = PreparedFolder(
            tuple(description["class_names"]),
            (images[0].reshape(-1, IMAGE_SIZE), images[1].reshape(-1, IMAGE_SIZE)),
            labels,
            (tuple(description["pictures"][0]), tuple(description["pictures"][1])),
            description["preprocessing"],
            tuple(Unusable(**each) for each in description["unusable"]),
            tuple(description["notes"]),
        )
    except Exception:  # noqa: BLE001 - of a damaged file, NumPy and zipfile raise nearly anything
        return None
    return found if found.checksum == description["checksum"] else None

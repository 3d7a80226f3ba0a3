"""The named datasets, one row each.

The config's choices, help texts, shell completion, ``dlcli data`` and the table in ``docs`` follow
from the rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcli.data.classes import DIGITS
from dlcli.vision import Preprocessing

if TYPE_CHECKING:
    from dlcli.data.idx import Content

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class Checksum:
    """The SHA-256 sum by which a file is recognised.

    ``of`` says which sum is known: that of the decompressed content, or only that of the ``.gz``
    file as it was published.
    """

    sha256: str
    of: Literal["content", "gz"] = "content"

    def mismatch(self, received: "Content", content: "Content") -> str | None:
        """How a file differs from the expected one; None if it is the right one.

        Parameters
        ----------
        received
            The file as it is, gzipped or not.
        content
            The same, decompressed.
        """
        if self.of == "gz" and received == content:
            return "not gzipped, and only the SHA-256 of its .gz file is known"
        actual = sha256(received if self.of == "gz" else content)
        if actual == self.sha256:
            return None
        return f"wrong content (SHA-256 {actual[:12]}..., expected {self.sha256[:12]}...)"


@dataclass(frozen=True)
class DatasetInfo:
    """A named dataset: what it is, where it comes from, and how its files are recognised."""

    name: str
    title: str
    licence: str
    checksums: dict[str, Checksum]
    """One a file, in the order of ``FILES``."""
    mirrors: tuple[str, ...] = ()
    """URL prefixes, tried in turn."""
    embedded: Path | None = None
    """The folder inside the package that holds the files; None if they are downloaded."""
    preprocessing: Preprocessing = "digit"
    class_names: tuple[str, ...] = DIGITS


def _checksums(*sums: str, of: Literal["content", "gz"] = "content") -> dict[str, Checksum]:
    return {file: Checksum(value, of) for file, value in zip(FILES, sums, strict=True)}


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist",
            title="70,000 handwritten digits (LeCun, Cortes, Burges)",
            licence="CC BY-SA 3.0",
            checksums=_checksums(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            mirrors=(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
        ),
        DatasetInfo(
            name="fashion-mnist",
            title="70,000 pieces of clothing (Xiao, Rasul, Vollgraf)",
            licence="MIT",
            checksums=_checksums(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            preprocessing="none",
            class_names=(
                *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            ),
        ),
        DatasetInfo(
            name="kmnist",
            title="70,000 handwritten Kuzushiji characters (Clanuwat et al.)",
            licence="CC BY-SA 4.0",
            checksums=_checksums(
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                of="gz",
            ),
            mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            preprocessing="none",
            class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        ),
        DatasetInfo(
            name="sample",
            title="12,000 images of MNIST inside the package",
            licence="CC BY-SA 3.0",
            checksums=_checksums(
                "438ba099335a695db401b4cc1a9ebb5e26f3f6800536cda63de250fa022053bd",
                "cdc933926617e78fa735e9296757e93f869734837ddb53260df98126675ca7c4",
                "544b11e980491b35ea0a29d267be603798a522d267bd875eefdf185f2a90b4ed",
                "00c8ee896b56b1f141feedeefecd0ec606a7715b411eb44be7e1b1decd17e3fd",
            ),
            embedded=Path(__file__).parent / "sample",
        ),
    )
}


def downloadable() -> list[str]:
    """The names of the datasets that are downloaded, in the order of their rows."""
    return [name for name, info in DATASETS.items() if info.embedded is None]


def sha256(content: "Content") -> str:
    """The SHA-256 sum in hexadecimal."""
    import hashlib  # takes 5 ms, for which config errors need not wait

    return hashlib.sha256(content).hexdigest()

"""The picture of the packages is drawn from the import contract."""

import xml.etree.ElementTree as ET
from pathlib import Path

from tools import architecture

PACKAGE = Path(architecture.__file__).parent.parent / "dlcli"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_up_to_date():
    assert architecture.FILE.read_text(encoding="utf-8") == architecture.draw(), "run: make readme"


def test_every_package_has_a_box_inside_the_picture_below_those_that_import_it():
    root = ET.fromstring(architecture.draw())  # noqa: S314 - drawn here
    names = [str(text.text) for text in root.iter(f"{SVG}text") if not text.get("class")]
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(names) == modules - {"__init__", "__main__", "__pycache__"}
    boxes = [
        {key: float(box.attrib[key]) for key in ("x", "y", "width", "height")}
        for box in root.iter(f"{SVG}rect")
    ]
    assert all(box["x"] + box["width"] <= float(root.attrib["width"]) for box in boxes)
    assert boxes[-1]["y"] + boxes[-1]["height"] <= float(root.attrib["height"])
    at = {name: box["y"] for name, box in zip(names, boxes, strict=True)}
    assert at["cli"] < at["report"] < at["runs"] < at["nn"] < at["errors"]


def test_who_prints_and_who_only_computes_is_written_in_their_boxes():
    root = ET.fromstring(architecture.draw())  # noqa: S314 - drawn here
    notes = {
        str(text.text): str(note.text)
        for text in root.iter(f"{SVG}text")
        for note in text.iter(f"{SVG}tspan")
    }
    assert notes.keys() == {"cli", "nn", "training"}
    assert "prints" in notes["cli"]

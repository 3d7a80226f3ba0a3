"""The Python in docs/library.md runs as it stands there, from top to bottom."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

GUIDE = Path(__file__).parent.parent / "docs" / "library.md"


@pytest.fixture
def pictures(workdir, sample) -> None:
    """The pictures that the guide names."""
    (digit,) = np.flatnonzero(sample.test.labels == 2)[:1]
    large = Image.fromarray(255 - sample.test.images[digit].reshape(28, 28)).resize((56, 56))
    page = Image.new("L", (300, 240), 255)
    page.paste(large, (50, 40))
    page.save("digit.png")
    page.paste(large, (120, 40))
    page.save("page.png")
    page.save("sudoku.png")
    Path("scans").mkdir()
    page.save("scans/a.png")
    Path("scans/b.png").write_text("no picture")


def test_the_guide_runs(pictures, capsys):
    guide = GUIDE.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 5
    # In this process, at any free port.
    local = 'Client(processes=False, n_workers=1, dashboard_address=":0", local_directory="dask")'
    code = "".join(blocks).replace("Client()", local)
    assert code.count(local) == 1
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own
    printed = capsys.readouterr().out
    assert printed.startswith("1 22 ")
    assert "missing.png: no such file" in printed
    read = [json.loads(line) for line in Path("numbers/0.jsonl").read_text().splitlines()]
    assert read[0] == {"path": "scans/a.png", "numbers": ["22"]}
    assert read[1]["error"].startswith("scans/b.png: not a picture")

"""Draw the packages as the import contract orders them.

make readme
"""

import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
FILE = REPOSITORY / "docs" / "pictures" / "architecture.svg"

_UNNAMED = {"errors"}  # has nothing to import, so no contract keeps it from that

# Pixels.
WIDTH, ROW, BOX, GAP, LEFT = 640, 46, 32, 12, 120
# One file for light and dark screens, as the page that shows it has them.
STYLE = (
    "text { font: 14px sans-serif; fill: #1e1e1e; text-anchor: middle }"
    " .note { font-size: 12px } rect { fill: #e8f0f8; stroke: #4a78a8 }"
    " path { stroke: #4a78a8; fill: none }"
    " @media (prefers-color-scheme: dark) {"
    " text { fill: #e0e0e0 } rect { fill: #1f3244; stroke: #7fb0dd } path { stroke: #7fb0dd } }"
)


def contracts() -> tuple[list[list[str]], set[str], set[str]]:
    """The layers from the top down, the packages that only compute, and those that cannot print."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    order, computing, silent = project["tool"]["importlinter"]["contracts"]
    layers = [[name.strip() for name in layer.split("|")] for layer in order["layers"]]
    return layers, _sources(computing), _sources(silent)


def _sources(contract: dict[str, Any]) -> set[str]:
    return {name.removeprefix("dlcli.") for name in contract["source_modules"]}


def draw() -> str:
    """The picture, as SVG."""
    layers, computing, silent = contracts()
    height = ROW * len(layers) + GAP
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>The packages of dlcli; each may import those below it</title>",
        f"<style>{STYLE}</style>",
        f'<path d="M 60 {GAP} V {height - GAP} m -6 -10 l 6 10 l 6 -10"/>',
        f'<text class="note" transform="translate(46 {height / 2:g}) rotate(-90)">imports</text>',
    ]
    for number, names in enumerate(layers):
        top = GAP + ROW * number
        width = (WIDTH - LEFT - GAP * len(names)) / len(names)
        for place, name in enumerate(names):
            left = LEFT + place * (width + GAP)
            note = _note(name, computing, silent)
            parts += [
                f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{BOX}" rx="6"/>',
                f'<text x="{left + width / 2:g}" y="{top + 21}">{name}{note}</text>',
            ]
    return "\n".join([*parts, "</svg>", ""])


def _note(name: str, computing: set[str], silent: set[str]) -> str:
    """What the other contracts say of a package: the arithmetic, and who may print."""
    if name in computing:
        return '<tspan class="note"> (computes, and nothing else)</tspan>'
    if name not in silent and name not in _UNNAMED:
        return '<tspan class="note"> (the only one that prints)</tspan>'
    return ""


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")

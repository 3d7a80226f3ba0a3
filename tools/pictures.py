"""Draw the pictures of the documentation, of real runs: a terminal and the page to draw on.

Those of the README are drawn for light and for dark screens, all into ``docs/pictures``. Needs
Chromium and an idle machine (the terminal shows times); takes half a minute.

    make pictures
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"

# What is typed, and which lines of the output are shown: the first and the last so many.
SESSION = (
    ("dlcli train --config quickstart --name first", 4, 5),
    ("dlcli eval runs/first", 3, 0),
    ("dlcli data export --dataset sample --limit 3 --output digits", 0, 1),
    ("dlcli predict digits --model runs/first", 0, 3),
)
COLUMNS = 98  # characters, as many as the longest line has
PAGE_SIZE: ViewportSize = {"width": 1280, "height": 800}
LIGHT = TerminalTheme(
    (255, 255, 255), (30, 30, 30), [(30, 30, 30), (180, 0, 0), (0, 120, 40), *[(90, 90, 90)] * 5]
)


def session(folder: Path) -> list[tuple[str, list[str]]]:
    """Run the commands, one after the other, and take the lines that are shown."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shown = []
    for command, first, last in SESSION:
        finished = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        lines = [line for line in finished.stdout.splitlines() if not line.startswith("Model: ")]
        if len(lines) > first + last:
            gap = ["..."] if first and last else []
            lines = [*lines[:first], *gap, *lines[len(lines) - last :]]
        shown.append((command, lines))
    return shown


def draw_terminal(shown: list[tuple[str, list[str]]]) -> None:
    """Write the session as SVG files that load no fonts."""
    for name, theme in (("terminal-light", LIGHT), ("terminal-dark", MONOKAI)):
        with Path(os.devnull).open("w", encoding="utf-8") as null:
            console = Console(record=True, width=COLUMNS, file=null, force_terminal=True)
            for command, lines in shown:
                console.print(Text(f"$ {command}", "bold green"))
                console.print(Text("\n".join(lines)))
        svg = console.export_svg(title="dlcli", theme=theme, unique_id="terminal")
        without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
        (FOLDER / f"{name}.svg").write_text(without_fonts, encoding="utf-8")


def draw_page(folder: Path) -> None:
    """Write screenshots of the page to draw on, with an 8 on it, and of a network trained in it."""
    command = [sys.executable, "-m", "dlcli", "report", "--demo", "runs/first", "-o", "draw.html"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport=PAGE_SIZE)
            page.goto((folder / "draw.html").as_uri())
            page.get_by_label("Example of an 8").click()
            page.wait_for_timeout(1000)  # until the mean over all variants is shown
            page.screenshot(path=FOLDER / f"page-{scheme}.png")
            if scheme == "light":
                draw_training(page)
        browser.close()


def draw_training(page: Page) -> None:
    """Write a screenshot of a network that was trained in the page for six epochs."""
    network = page.locator("#live-digits")
    play = network.locator("[data-part='play']")
    play.click()
    page.wait_for_function("() => dlcliDemo.lives.digits.training.epochs > 6")
    play.click()
    path = FOLDER / "training.png"
    network.screenshot(path=path)
    with Image.open(path) as picture:
        picture.quantize().save(path, optimize=True)  # half the size, in 256 colours


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        draw_terminal(session(Path(name)))
        draw_page(Path(name))


if __name__ == "__main__":
    main()

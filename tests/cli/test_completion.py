"""What a real bash and a real zsh complete."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

END = "<<{}>>"  # typed with quotes in it, so that the terminal's echo is not taken for it
PATIENCE_SECONDS = 120  # for a busy machine; a shell that answers is never waited for


class Shell:
    """An interactive shell on a terminal, with dlcli's completion."""

    def __init__(self, command: list[str], folder: Path, setup: str) -> None:
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe(command[0], command, environment)  # noqa: S606 - an interactive shell
        self.count = 0
        self.output = b""
        self.run(setup)

    def run(self, line: str) -> str:
        """Type a line and press Enter; return what is on the terminal until it has run."""
        self.count += 1
        typed = f"{line}\necho '<<'{self.count}'>>'\n"
        os.write(self.terminal, typed.encode())
        end = END.format(self.count).encode()
        while end not in self.output:
            ready, _, _ = select.select([self.terminal], [], [], PATIENCE_SECONDS)
            assert ready, self.output
            self.output += os.read(self.terminal, 65536)
        before, _, self.output = self.output.partition(end)
        return before.decode()

    def words(self, typed: str, keys: str) -> list[str]:
        """The words of a line after keys were pressed at its end."""
        # Ctrl-A and Ctrl-E go to the start and to the end of the line.
        shown = self.run(f"{typed}{keys}\x01words \x05")
        return re.findall(r"\{(.*?)\}", shown.rpartition("words ")[2])

    def close(self) -> None:
        """End the shell."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with two runs, a config, and names that need quotes."""
    folder = tmp_path_factory.mktemp("shells")
    for run in ("runs/small", "runs/large"):
        (folder / run).mkdir(parents=True)
        (folder / run / "config.yaml").touch()
    (folder / "runs/latest").symlink_to("small")
    (folder / "runs/notes").mkdir()
    (folder / "my data").mkdir()
    (folder / "größe.yaml").touch()
    return folder


WORDS = "words() { printf '{%s}' \"$@\"; }\n"


@pytest.fixture(scope="module")
def bash(folder):
    """An interactive bash with the line of the README."""
    setup = (
        "PS1= PS2=; bind 'set enable-bracketed-paste off'; stty -echo\n"
        f'eval "$(_DLCLI_COMPLETE=bash_source dlcli)"\n{WORDS}'
    )
    shell = Shell(["bash", "--norc", "-i"], folder, setup)
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def zsh(folder):
    """An interactive zsh with the lines of the README."""
    setup = (
        "PS1= PS2=; unset zle_bracketed_paste; stty -echo\n"
        "autoload -Uz compinit && compinit -u -D\n"
        f'eval "$(_DLCLI_COMPLETE=zsh_source dlcli)"\n{WORDS}'
    )
    shell = Shell(["zsh", "-f", "-i"], folder, setup)
    yield shell
    shell.close()


CONFIGS = [
    *("audit", "best", "classic", "deep", "dropout", "fast", "finetune", "mnist", "quickstart"),
    *("record", "softmax"),
]
DATASETS = ["mnist", "fashion-mnist", "kmnist", "sample"]
MODELS = ["pretrained", "runs/large", "runs/latest", "runs/small"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("train --config ", [*CONFIGS, "größe.yaml", "my data", "runs"]),
        ("config check qu", ["quickstart"]),
        ("eval --dataset ", [*DATASETS, "my data", "runs"]),
        ("eval ", [*MODELS, "größe.yaml", "my data/", "runs/"]),
        ("predict -m r", [*MODELS[1:], "runs/"]),
        ("compare runs/", ["runs/large", "runs/latest", "runs/notes", "runs/small"]),
        ("train --resume ", [*MODELS[1:], "my data/", "runs/"]),
        (
            "train --set activation=",
            ["activation=gelu", "leaky_relu", "linear", "relu", "sigmoid", "tanh"],
        ),
        ("train --set batch_norm=", ["batch_norm=true", "false"]),
        ("lesson d", ["depth", "distortions"]),
        ("train --set dataset=", ["dataset=mnist", *DATASETS[1:], "my data", "runs"]),
    ],
)
def test_bash_offers_names_beside_files(bash, line, offered):
    count = len(line.split()) - (0 if line.endswith(" ") else 1)
    words = bash.words(f"dlcli {line}", "\x1b*")[1 + count :]  # Alt-* inserts all that is offered
    assert sorted(words) == sorted(offered)


COMPLETED = {
    "tr": ["train", "X"],
    "train --con": ["--config", "X"],
    "train --config qu": ["quickstart", "X"],
    "train --config=qu": ["--config=quickstart", "X"],
    "train --config grö": ["größe.yaml", "X"],
    "train --config my\\ d": ["my data/X"],
    "eval runs/sm": ["runs/small/X"],
    "eval pre": ["pretrained", "X"],
    "eval --format=js": ["--format=json", "X"],
    "train --set learn": ["learning_rate=X"],
    "train --set activation=re": ["activation=relu", "X"],
    "train --set=activation=re": ["--set=activation=relu", "X"],
    "train --set dataset=sa": ["dataset=sample", "X"],
    "train --set dataset=my": ["dataset=my data/X"],
}


@pytest.mark.parametrize(("line", "completed"), COMPLETED.items())
def test_tab_completes_in_bash(bash, line, completed):
    assert bash.words(f"dlcli {line}", "\tX")[-len(completed) :] == completed


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh, which .ci/run installs")
@pytest.mark.parametrize(("line", "completed"), COMPLETED.items())
def test_tab_completes_in_zsh(zsh, line, completed):
    assert zsh.words(f"dlcli {line}", "\tX")[-len(completed) :] == completed


def answers(shell: str, variables: Mapping[str, str]) -> str:
    code = "from dlcli.cli.main import main; main()"
    environment = {**os.environ, "_DLCLI_COMPLETE": shell, **variables}
    command = [sys.executable, "-X", "importtime", "-c", code]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    imported = {line.rpartition("|")[2].strip() for line in finished.stderr.splitlines()}
    assert "click" in imported
    assert "numpy" not in imported
    return finished.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell):
    assert "_DLCLI_COMPLETE" in answers(f"{shell}_source", {})


@pytest.mark.parametrize("line", ["eval pre", "eval ru", "train --set activation=", "train -c q"])
def test_completion_does_not_wait_for_numpy(folder, monkeypatch, line):
    monkeypatch.chdir(folder)
    assert answers("bash_complete", {"COMP_LINE": f"dlcli {line}"}).startswith(("plain", "file"))

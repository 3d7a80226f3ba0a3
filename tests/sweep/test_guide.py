"""The guide's scripts for many machines run as they stand, with stand-ins for the cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.config.files import SEARCH
from dlcli.runs.listing import list_runs
from dlcli.sweep import plan as plans

GUIDE = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```bash\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)

# They run the command here instead of there, as a shell that starts in another folder.
STAND_INS = {
    "ssh": 'shift; cd / && exec env -u DLCLI_STORAGE bash -c "$*"',
    "parallel": (
        'while [ $# -gt 1 ]; do [ "$1" = --workdir ] && there=$2; '
        '[ "$1" = --sshlogin ] && hosts=${2//,/ }; shift; done\n'
        'for host in $hosts; do (cd "$there" && bash -c "$1") & done; wait'
    ),
}


def _smaller(words: re.Match[str]) -> str:
    """One job, and no third machine."""
    return words[0].replace("4", "1") if "jobs" in words[0] else ""


@pytest.mark.parametrize("script", SCRIPTS, ids=["slurm", "parallel", "ssh"])
def test_a_script_for_many_machines_does_the_trials(script, workdir, tiny):
    programs = workdir / "bin"
    programs.mkdir()
    for name, text in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    search = f"dataset: {tiny}\nepochs: 1\nvalidation_size: 20\nhidden_layers: [4]\n"
    search += "learning_rate: {low: 0.01, high: 1.0, log: true}\nsweep: {trials: 4}\n"
    (workdir / "my.yaml").write_text(search)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    storage = f"sqlite:///{workdir}/shared.db"
    environment = {**os.environ, "PATH": path, "DLCLI_STORAGE": storage}
    finished = subprocess.run(
        ["bash", "-c", re.sub(r"--jobs 4|[, ]node3", _smaller, script)],
        env=environment | {"SLURM_CPUS_PER_TASK": "1"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    runs = {Path(row["run"]).resolve() for row in list_runs(workdir / "runs" / "my")}
    assert 4 <= len(runs) < 8  # several may begin a last trial at the same moment
    assert {Path(line).resolve() for line in finished.stdout.splitlines()} <= runs
    assert (workdir / "runs" / "my" / "best.yaml").exists()


def test_the_guides_search_is_valid(workdir):
    (text,) = [
        block
        for block in re.findall(r"^```yaml\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
        if "choices" in block
    ]
    (workdir / "my.yaml").write_text(text)
    assert len(plans.load(["my.yaml"], [], None).space) == 4


def test_the_guide_names_every_setting_and_the_shipped_search():
    for key in plans.Search.__struct_fields__:
        assert f"| `{key}` | " in GUIDE
    assert f"[{SEARCH}](../configs/{SEARCH}.yaml)" in GUIDE

"""Code and text keep the house style, and every edition matches its manuscript."""

import subprocess
import sys

import press
import pytest

TOOLS = {
    "lint": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
    "spelling": ["codespell_lib"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_style(tool):
    command = [sys.executable, "-m", *TOOLS[tool]]
    run = subprocess.run(command, cwd=press.ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_edition_matches_its_manuscript(capsys):
    assert press.main(["--check"]) == 0, capsys.readouterr().out

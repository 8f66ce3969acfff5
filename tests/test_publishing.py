"""The files by which others cite the book, run it and publish it, and the repository's links."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from urllib.parse import unquote, urlsplit

import press
import preview
import yaml
from markdown_it import MarkdownIt

PROJECT = tomllib.loads((press.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TORCH = next(r for r in PROJECT["dependencies"] if r.startswith("torch==")).removeprefix("torch==")
OWN_PAGES = ["README.md", "CONTRIBUTING.md"]


def text(path: str) -> str:
    return (press.ROOT / path).read_text("utf-8")


def test_the_citation_agrees_with_the_project() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["title"] == "Backpropagation Through Time, derived, executed and checked"
    assert citation["type"] in ("software", "dataset")
    assert all({"name"} == set(author) or author["family-names"] for author in citation["authors"])
    assert citation["authors"]
    assert citation["version"] == PROJECT["version"]
    assert set(citation["license"]) == set(PROJECT["license"].split(" AND "))


def test_the_licences_are_named_alike_everywhere() -> None:
    assert set(PROJECT["license"].split(" AND ")) == {"MIT", "CC-BY-4.0"}
    options = yaml.safe_load(text("_config.yml"))["sphinx"]["config"]["html_theme_options"]
    for place in (text("LICENSE"), text("README.md"), options["extra_footer"]):
        assert "CC BY 4.0" in place
        assert "MIT" in place


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", text("Makefile"), re.M))


def test_the_publishing_workflow_uses_what_exists() -> None:
    workflow = yaml.safe_load(text(".github/workflows/publish.yml"))
    steps = workflow["jobs"]["publish"]["steps"]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
    commands = "\n".join(step.get("run", "") for step in steps)
    targets = set(re.findall(r"make ([a-z]+)", commands))
    assert targets
    assert targets <= makefile_targets()
    assert re.findall(r"torch==(\S+)", commands) == [TORCH]
    (python,) = [s["with"]["python-version"] for s in steps if "python-version" in str(s)]
    assert PROJECT["requires-python"] == f">={python}"
    (artifact,) = [s["with"]["path"] for s in steps if "upload-pages" in s.get("uses", "")]
    assert artifact == "_build/html"


def test_a_hosted_service_installs_the_tested_versions() -> None:
    wanted = dict(
        dependency.partition("=")[::2]
        for dependency in yaml.safe_load(text(".binder/environment.yml"))["dependencies"]
    )
    assert wanted["pytorch-cpu"] == TORCH
    assert PROJECT["requires-python"] == f">={wanted['python']}"
    assert f"torch=={TORCH}" in text("constraints.txt").splitlines()

    script = press.ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    (install,) = re.findall(r"pip install (.*)", script.read_text("utf-8"))
    constraints, extra = re.fullmatch(r"--no-cache-dir -c (\S+) -e '\.\[(\w+)\]'", install).groups()
    assert (press.ROOT / constraints).is_file()
    assert any(r.startswith("jupyterlab==") for r in PROJECT["optional-dependencies"][extra])


def test_links_to_files_of_the_repository_lead_somewhere() -> None:
    links = [
        str(child.attrs.get("href") or child.attrs.get("src"))
        for page in OWN_PAGES
        for part in MarkdownIt().parse(text(page))
        for child in part.children or []
        if child.type in ("link_open", "image")
    ]
    assert links
    files = [unquote(urlsplit(link).path) for link in links if not urlsplit(link).scheme]
    assert not [file for file in files if not (press.ROOT / file).exists()]


def test_every_command_is_explained() -> None:
    for target in makefile_targets() - {"help", "clean"}:
        assert f"| `make {target}" in text("README.md")


def test_the_preview_is_what_its_program_draws() -> None:
    assert preview.PREVIEW.read_bytes() == preview.preview()

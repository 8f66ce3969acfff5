"""What a page offers beside its text: its notebook, a running copy of it, a report of a mistake,
and what previews and search engines read.

Two addresses in ``_config.yml`` are needed for the most part of it. ``repository_url`` gives the
links that run a notebook and report a mistake; ``html_baseurl``, where the site is published, gives
canonical links, previews and the sitemap. What needs an address is absent while it is empty.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

REPOSITORY = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
SITE = re.compile(r"https?://\S+/")
BRANCH = "main"
RUN = "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath={path}"
REPORT = "Page: {title}\nAddress: {address}\nEquation: \n\nWhat I expected, and why:\n"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
PREVIEW = {
    "ogp_image": "_static/preview.png",
    "ogp_image_alt": "A recurrent network over four steps, with its gradients going back",
    "ogp_custom_meta_tags": [
        '<meta property="og:image:width" content="1200" />',
        '<meta property="og:image:height" content="630" />',
        '<meta name="twitter:card" content="summary_large_image" />',
    ],
}


def repository(config: Config) -> str:
    """The repository's address, or an empty string."""
    return config.html_theme_options.get("repository_url") or ""


def run_address(repository: str, notebook: str) -> str:
    """Where a service starts JupyterLab with the repository and opens this file of it."""
    name = repository.removeprefix("https://github.com/")
    path = quote(f"lab/tree/{notebook}", safe="")
    return RUN.format(repository=name, branch=BRANCH, path=path)


def report_address(repository: str, title: str, address: str) -> str:
    """Where the repository's form for a report is filled in with the page."""
    body = REPORT.format(title=title, address=address)
    query = urlencode({"title": f"Mistake on the page: {title}", "body": body}, quote_via=quote)
    return f"{repository}/issues/new?{query}"


def check_addresses(app: Sphinx, config: Config) -> None:
    """Raise ConfigError for an address that the links could not be made of."""
    for name, value, form, example in (
        ("repository_url", repository(config), REPOSITORY, "https://github.com/OWNER/NAME"),
        ("html_baseurl", config.html_baseurl, SITE, "https://HOST/PATH/, with a slash at the end"),
    ):
        if value and not form.fullmatch(value):
            raise ConfigError(f"{name}: expected {example}, or nothing, got {value!r}")
    if config.html_baseurl:
        config.ogp_site_url = config.html_baseurl
        config.ogp_site_name = config.html_title
        for name, value in PREVIEW.items():
            setattr(config, name, value)


def add_links(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the page's templates the addresses that its links need."""
    if doctree is None:
        return
    context["is_notebook"] = context["sourcename"].endswith(".ipynb")
    if address := repository(app.config):
        title = app.env.titles[pagename].astext()
        context["run_address"] = run_address(address, context["sourcename"])
        context["report_address"] = report_address(address, title, context["pageurl"] or pagename)


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """Write ``sitemap.xml``, the list of the site's pages for search engines."""
    base = app.config.html_baseurl
    if exception or not base or app.builder.format != "html":
        return
    pages = ElementTree.Element("urlset", xmlns=SITEMAP)
    for docname in sorted(app.env.found_docs):
        page = ElementTree.SubElement(pages, "url")
        ElementTree.SubElement(page, "loc").text = base + app.builder.get_target_uri(docname)
    tree = ElementTree.ElementTree(pages)
    tree.write(Path(app.outdir) / "sitemap.xml", encoding="utf-8", xml_declaration=True)


def setup(app: Sphinx) -> dict[str, bool]:
    if app.config.html_baseurl:
        app.setup_extension("sphinxext.opengraph")
    app.connect("config-inited", check_addresses)
    app.connect("html-page-context", add_links)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Pages of the site that lie outside of docs/, and links that leave docs/: hooks of mkdocs.

The site has the README as its start, and other READMEs, pictures and files that pages link to at their places in the
repository. Links to folders and hidden files become plain text: there is no host that could show them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {
    "index.md": "README.md",
    **{
        name: name
        for name in ("CHANGELOG.md", "models/lite/README.md", "clients/python/README.md", "clients/web/README.md")
    },
}
_LINK = re.compile(r"(!?)\[((?:!\[[^\]]*\]\([^)]*\)|[^\[\]])*)\]\(([^()\s]+)\)")
_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what lies elsewhere."""
    for uri, path in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for page in [file for file in files if file.is_documentation_page()]:
        source = Path(str(page.abs_src_path))
        for _, _, link in _LINK.findall(source.read_text()):
            target = _target(source, link)
            if target is None or not target.is_file() or target.name.startswith("."):
                continue
            if files.get_file_from_path(_uri(target)) is None:
                files.append(File.generated(config, _uri(target), abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between files of the repository into links between pages of the site."""
    source = Path(str(page.file.abs_src_path))
    parts = _CODE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(_rewriter(source, page), part) for part in parts)


def _rewriter(source: Path, page: Page) -> Callable[[re.Match[str]], str]:
    def rewritten(found: re.Match[str]) -> str:
        mark, text, link = found.groups()
        text = _LINK.sub(rewritten, text)
        target = _target(source, link)
        if target is None:
            return f"{mark}[{text}]({link})"
        if target.is_dir() or target.name.startswith("."):
            return text
        place = os.path.relpath(_uri(target), Path(page.file.src_uri).parent)
        anchor = link.partition("#")[2]
        return f"{mark}[{text}]({place}{'#' if anchor else ''}{anchor})"

    return rewritten


def _target(source: Path, link: str) -> Path | None:
    """Returns the file of the repository that a link leads to; None: it is on the same page, or elsewhere."""
    place = link.partition("#")[0]
    if not place or re.match(r"[a-z]+:", link):
        return None
    return (source.parent / place).resolve()


def _uri(target: Path) -> str:
    """Returns where a file is in the site."""
    if target == ROOT / "README.md":
        return "index.md"
    return str(target.relative_to(DOCS if target.is_relative_to(DOCS) else ROOT))

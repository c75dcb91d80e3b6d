"""How Sphinx makes a site of these pages (``make docs``): plain Markdown, which GitHub shows too."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

_DOCS: Final = Path(__file__).parent
sys.path.insert(0, str(_DOCS.parent))

from airflow_provider_permitocr import __version__  # noqa: E402 (from this checkout)

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "airflow_provider_permitocr"
version = release = __version__
project_copyright = "the contributors, under Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
# Reads what is here and nothing else: the build needs no network.
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_heading_anchors = 4  # as GitHub names headings
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
smartquotes_action = "qe"  # not dashes: options begin with two
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"

html_theme = "furo"
html_title = "MainlandPermitOCR on Airflow"
html_static_path = ["_site"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

#: Where these files are on the web, such as ``https://git.example.com/data/…/blob/main``; files of the
#: repository that pages name lead there. Without it, the site has copies of them.
_FILES: Final = os.environ.get("PERMITOCR_FILES_URL", "")
#: The index is a page of tables, on GitHub too. Its sections are the site's navigation, in their order.
_SECTION: Final = re.compile(r"^## (.+)$", re.M)
_PAGE: Final = re.compile(r"\[[^\]]+\]\(((?!http|#)[^)]+?)\.(?:md|rst)\)")
_LINK: Final = re.compile(r"\]\(([^):#\s]+)(#[^)\s]*)?\)")


def _navigation(index: str) -> str:
    _, *parts = _SECTION.split(index)
    trees = []
    for caption, text in zip(parts[::2], parts[1::2], strict=True):
        pages = "\n".join(_PAGE.findall(text))
        trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n")
    return "\n".join(trees)


def _read(_: Sphinx, name: str, source: list[str]) -> None:
    """Have pages be what they are on GitHub: the index leads to all, and links may lead out of ``docs``."""
    page = _DOCS / f"{name}.md"
    if not page.exists():
        return
    if name == "changes":
        page = _DOCS.parent / "CHANGELOG.md"
        source[0] = page.read_text(encoding="utf-8")
    folder = page.parent

    def link(found: re.Match[str]) -> str:
        target, anchor = (folder / found[1]).resolve(), found[2] or ""
        if not target.exists():
            return found[0]
        if target == _DOCS.parent / "CHANGELOG.md":
            return f"](/changes.md{anchor})"
        if target.is_relative_to(_DOCS):
            return f"](/{target.relative_to(_DOCS).as_posix()}{anchor})"
        file = target.relative_to(_DOCS.parent).as_posix()
        return (
            f"]({_FILES}/{file}{anchor})" if _FILES else f"]({os.path.relpath(target, _DOCS / name / '..')})"
        )

    source[0] = _LINK.sub(link, source[0])
    if name == "index":
        source[0] += _navigation(source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _read)

"""Names that are markup, formulas or orders to a terminal, and what a page consists of."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from seisvision.plain_text import STEERING, visible

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=1>',
    "quote": "' onfocus='alert(1)",
    "entity": "&amp;&lt;b&gt;",
    "cdata": "]]><b>x</b>",
    "comment": "--><b>x</b><!--",
    "formula": "=cmd|' /C calc'!A0",
    "line": "one\ntwo",
    "terminal": "\x1b[31mred\x07",
    "direction": "\u202etxt.exe\u2066",
    "markdown": "|a|[b](http://x.y)`c`**d**",
    "underscore": "_hidden_",
}
"""Names by what they try."""
HOSTILE_NAMES = list(HOSTILE.values())
PLAIN_NAMES = [f"plain{number:02d}" for number in range(len(HOSTILE))]
"""As many, which try nothing."""
VOID = {"meta", "link", "img", "input", "br"}
HEADINGS = {"h1", "h2", "h3"}


class Page(HTMLParser):
    """What a page consists of: elements with the names of their attributes, and text.

    Args:
        text: of the page.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.odd: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    def said(self) -> str:
        """All that people read on the page, or in the tips of its marks, in one line."""
        return one_line(" ".join([*self.texts, *(value for _, value in self.values)]))


def one_line(text: str) -> str:
    """Text with blanks as a browser shows them."""
    return re.sub(r"\s+", " ", text)


def holds_nothing_foreign(page: str, twin: str) -> bool:
    """Whether a page of hostile names has the elements and attributes of its twin with plain ones, and no others."""
    found, wanted = Page(page), Page(twin)
    differ = [(a, b) for a, b in zip(found.elements, wanted.elements, strict=False) if a != b]
    assert not differ and len(found.elements) == len(wanted.elements), differ[:3]
    assert found.odd == wanted.odd
    assert not [name for name, _ in found.values if name.startswith("on")]
    addresses = [value for name, value in found.values if name in ("src", "href", "action", "data", "xlink:href")]
    assert all(value.startswith(("data:", "#")) for value in addresses), addresses
    assert not STEERING.search(page), STEERING.search(page)
    return True


def unread(page: str, names: list[str]) -> list[str]:
    """Names that nobody can read on a page."""
    said = Page(page).said()
    return [name for name in names if one_line(visible(name)) not in said]

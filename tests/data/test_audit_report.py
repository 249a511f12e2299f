"""The report of an audit: readable back, self-contained, and safe with hostile text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from audited_sets import write_sound_set

from seisvision.cli import main
from seisvision.data.audit.audit import audit_set, load_audit, write_audit
from seisvision.data.audit.page import write_page
from seisvision.errors import DataError

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = {
        "station_code": lambda event, station: f"{HOSTILE}{station}",
        "source_type": lambda event, station: f'"><img src=x onerror=alert(2)>{event % 2}',
        "trace_unit": lambda event, station: f"</svg>{HOSTILE}{event % 2}",
        "source_magnitude": lambda event, station: 99.0 if event == 3 else 1.0 + event % 5,
    }
    return write_sound_set(tmp_path_factory.mktemp("hostile") / "set", 30, **columns).path


def test_command_writes_page_and_json(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", str(hostile), "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(tmp_path / "report" / "audit.html")
    assert "magnitudes nothing on Earth has" in printed
    content = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert content["counts"]["fatal"] == 1 and content["statistics"]["n_traces"] == 150
    assert main(["data", "audit", str(hostile), "--out", str(tmp_path / "report"), "--strict"]) == 1


def test_scripts_get_json_and_nothing_else(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", str(hostile), "--out", str(tmp_path / "report"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    stored = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert printed.keys() == stored.keys() and printed["counts"] == stored["counts"]


def test_text_of_the_set_stays_text(hostile: Path, tmp_path: Path) -> None:
    from seisvision.data.sets.waveform_set import WaveformSet

    waveform_set = WaveformSet(hostile)
    text = write_page(audit_set(waveform_set), waveform_set, tmp_path).read_text()
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "link"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "&lt;script&gt;" in text and "XX.&lt;script" in text
    assert {"svg", "polyline", "circle", "rect"} <= set(page.tags)


def test_the_page_asks_nothing_of_the_network(hostile: Path, tmp_path: Path) -> None:
    from seisvision.data.sets.waveform_set import WaveformSet

    waveform_set = WaveformSet(hostile)
    text = write_page(audit_set(waveform_set), waveform_set, tmp_path).read_text()
    assert not [value for name, value in Page(text).attributes if name in ("src", "href", "action", "data")]
    assert "url(" not in text and "@import" not in text and "default-src 'none'" in text
    assert "prefers-color-scheme:dark" in text.replace(" ", "")


def test_audits_are_read_back(hostile: Path, tmp_path: Path) -> None:
    from seisvision.data.sets.waveform_set import WaveformSet

    audit = audit_set(WaveformSet(hostile))
    path = write_audit(audit, tmp_path)
    for given in (path, tmp_path):
        again = load_audit(given)
        assert again.findings == audit.findings and again.confounds == audit.confounds
        assert again.fingerprint == WaveformSet(hostile).fingerprint
    assert [finding.code for finding in again.fatal] == ["magnitude_impossible"]
    path.write_text("{}")
    with pytest.raises(DataError, match="make it again"):
        load_audit(path)
    with pytest.raises(DataError, match="seisvision data audit"):
        load_audit(tmp_path / "nowhere")

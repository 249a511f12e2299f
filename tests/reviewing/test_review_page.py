"""The page of a review: names stay text, and the file without a server gives what the server would have written."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_queues import make_queue
from test_review_server import Serving

import seisvision.reviewing
from seisvision.cli import main
from seisvision.data.corrections.table import read_decisions
from seisvision.errors import DataError
from seisvision.reviewing.page import live_page, write_file
from seisvision.reviewing.queue import Queue
from seisvision.reviewing.session import Session

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runs" / "escapes"))
from hostile_names import HOSTILE_NAMES, PLAIN_NAMES, Page, holds_nothing_foreign

NODE = shutil.which("node")


def names(hostile: bool) -> list[str]:
    return HOSTILE_NAMES if hostile else PLAIN_NAMES


def test_hostile_names_are_no_part_of_the_page(tmp_path: Path) -> None:
    pages = []
    for which in (True, False):
        queue = make_queue(tmp_path / str(which), 20, names(which), names(which))
        pages.append(write_file(queue, tmp_path / f"{which}.html", names(which)[0]).read_text())
    assert holds_nothing_foreign(*pages)
    held = json.loads(re.search(r'<script id="queue" type="application/json">(.*?)</script>', pages[0])[1])
    assert [one["source_id"] for one in held["items"][: len(HOSTILE_NAMES)]] == HOSTILE_NAMES, (
        "and come back as they were"
    )


def test_the_page_reaches_for_nothing_elsewhere(tmp_path: Path) -> None:
    for page in (live_page(), write_file(make_queue(tmp_path / "q", 2), tmp_path / "p.html", "anna").read_text()):
        policies = [value for name, value in Page(page).values if name == "content" and "default-src 'none'" in value]
        assert len(policies) == 1
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)
    script = live_page()
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script), "text is set as text"


def test_the_command_writes_its_page_and_replaces_no_other(tmp_path: Path) -> None:
    queue, out = make_queue(tmp_path / "queue", 3).path, tmp_path / "page.html"
    words = ["review", "page", str(queue), "--out", str(out), "--reviewer", "anna"]
    assert main(words) == 0 and main(words) == 0
    out.write_text("something else")
    assert main(words) == 2 and out.read_text() == "something else"


def test_more_than_a_page_can_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seisvision.reviewing.page.LARGEST_FILE", 5000)
    with pytest.raises(DataError, match="--most"):
        write_file(make_queue(tmp_path / "queue", 9), tmp_path / "page.html", "anna")


@pytest.mark.skipif(NODE is None, reason="no node to run the script of the page in")
def test_what_the_file_downloads_is_what_the_server_would_have_written(tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 14, HOSTILE_NAMES)
    page = write_file(queue, tmp_path / "page.html", "anna").read_text()
    script = page.rpartition("<script>")[2].rpartition("</script>")[0]
    data = re.search(r'<script id="queue" type="application/json">(.*?)</script>', page)[1]
    begin = script.index("function inThisFile"), script.index("const source =")
    harness = (
        f"const localStorage = {{ getItem: () => null, setItem: () => {{}} }};\n{script[begin[0] : begin[1]]}\n"
        f"const s = inThisFile({data});\n(async () => {{ for (let n = 0; n < 12; n += 1)\n"
        "  await s.decide({ number: n, verdict: n % 2 ? 'correct' : 'keep', new: n % 2 ? 'explosion' : '' });\n"
        "await s.undo(); process.stdout.write(s.csv()); })();\n"
    )
    (tmp_path / "harness.js").write_text(harness)
    said = subprocess.run([NODE or "", str(tmp_path / "harness.js")], capture_output=True, check=True).stdout
    (tmp_path / "corrections.csv").write_bytes(said)
    decisions = read_decisions(tmp_path / "corrections.csv")
    assert [one.sample_id for one in decisions] == [*HOSTILE_NAMES[:12], HOSTILE_NAMES[11]]
    assert [one.verdict for one in decisions] == ["keep", "correct"] * 6 + ["undo"]
    assert {one.set_fingerprint for one in decisions} == {Queue.read(queue.path).about["set_fingerprint"]}


@pytest.mark.skipif(NODE is None, reason="no node to run the script of the page in")
def test_what_the_browser_kept_of_one_queue_is_not_given_to_labels_of_another(tmp_path: Path) -> None:
    """Two queues of the same set, column and reviewer share the storage of the browser; the second is shorter."""
    pages = []
    for n, names_of in ((5, ["a", "b", "c", "d", "e"]), (2, ["c", "a"])):
        page = write_file(make_queue(tmp_path / f"q{n}", n, names_of), tmp_path / f"{n}.html", "anna").read_text()
        pages.append(re.search(r'<script id="queue" type="application/json">(.*?)</script>', page)[1])
    script = page.rpartition("<script>")[2].rpartition("</script>")[0]
    part = script[script.index("function inThisFile") : script.index("const source =")]
    harness = (
        "const kept = new Map();\nconst localStorage = { getItem: (key) => kept.get(key) ?? null,\n"
        f"  setItem: (key, value) => kept.set(key, value) }};\n{part}\n"
        f"(async () => {{ const first = inThisFile({pages[0]});\n"
        "for (let n = 0; n < 5; n += 1) await first.decide({ number: n, verdict: n ? 'discard' : 'keep', new: '' });\n"
        f"const second = inThisFile({pages[1]}); const begun = (await second.state()).n_done;\n"
        "await second.decide({ number: 0, verdict: 'keep', new: '' });\n"
        f"const again = inThisFile({pages[0]});\n"
        "const told = [begun, second.csv(), (await again.state()).n_done, again.csv()];\n"
        "process.stdout.write(JSON.stringify(told)); })();\n"
    )
    (tmp_path / "harness.js").write_text(harness)
    said = subprocess.run([NODE or "", str(tmp_path / "harness.js")], capture_output=True, check=True).stdout
    begun, second, n_again, again = json.loads(said)
    assert (begun, n_again) == (0, 5)
    assert [line.split(",")[0] for line in second.splitlines()[1:]] == ["c"]
    assert [line.split(",")[0] for line in again.splitlines()[1:]] == ["a", "b", "c", "d", "e"]


def pressed(address: str, keys: str) -> list[dict[str, str]]:
    """What stands on the page at first and after each key, its script run without a browser."""
    own = Path(seisvision.reviewing.__file__).parent
    words = [
        NODE or "",
        str(Path(__file__).with_name("fake_browser.js")),
        str(own / "review.js"),
        str(own / "review.html"),
    ]
    done = subprocess.run([*words, address, keys], capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="no node to run the script of the page in")
def test_fifty_keys_are_fifty_decisions_and_a_killed_server_loses_none(tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 50, HOSTILE_NAMES, HOSTILE_NAMES[:2]).path
    server = Serving(queue)
    shown = pressed(server.address, "k2du" * 6)
    assert [one["count"] for one in shown] == [f"{n} of 50 decided." for n in range(25)]
    assert not any(one["answer"] or one["error"] for one in shown), "blind: nothing is said before the decision"
    assert [one["event"] for one in shown[:12]] == [f"event {name}" for name in HOSTILE_NAMES], "names are text"
    assert HOSTILE_NAMES[0][:20] in shown[0]["lines"] and "The networks say blast 90 %" in shown[1]["said"]
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(read_decisions(queue / "corrections.csv")) == 24
    server = Serving(queue)
    shown = pressed(server.address, "1" * 26 + "z")
    assert shown[0]["count"] == "24 of 50 decided." and shown[-1]["count"] == "49 of 50 decided."
    assert server.end(signal.SIGINT) == 0
    decisions = read_decisions(queue / "corrections.csv")
    assert [one.verdict for one in decisions] == [
        *(["keep", "correct", "discard", "unsure"] * 6),
        *(["keep"] * 26),
        "undo",
    ]
    assert [one.sample_id for one in decisions[:12]] == HOSTILE_NAMES


@pytest.mark.skipif(NODE is None, reason="no node to run the script of the page in")
def test_keys_that_would_change_what_cannot_be_changed_decide_nothing(tmp_path: Path) -> None:
    fixed = make_queue(tmp_path / "queue", 3, can_change=False, can_discard=False, why_fixed="It is in no column.").path
    server = Serving(fixed)
    shown = pressed(server.address, "d2k")
    assert [one["count"][0] for one in shown] == ["0", "0", "0", "1"]
    assert all("It is in no column. Nothing was decided." in one["error"] for one in shown[1:3])
    assert server.end(signal.SIGINT) == 0


@pytest.mark.skipif(NODE is None, reason="no node to run the script of the page in")
def test_a_key_that_reaches_no_server_decides_nothing_and_says_so(tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 3).path
    server = Serving(queue)
    (queue / "corrections.csv").mkdir()
    shown = pressed(server.address, "k")
    assert "Nothing was decided" in shown[1]["error"] and shown[1]["label"] == shown[0]["label"]
    assert server.end(signal.SIGINT) == 0


def test_what_became_of_controls_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels 6, 13 and 20 are controls; the reviewer keeps one of them, and says nothing of the last."""
    queue = make_queue(tmp_path / "queue", 21)
    session = Session(queue, tmp_path / "corrections.csv", "anna")
    session.decide(0, "discard")
    session.decide(6, "keep")
    session.decide(13, "discard")
    words = ["review", "agree", str(tmp_path / "corrections.csv"), "--queue", str(queue.path)]
    assert main(words) == 0
    assert "anna changed or discarded 1 of 2 labels that nobody suspects (controls)" in capsys.readouterr().out
    assert main([*words[:3], "--third", str(tmp_path / "third")]) == 2

"""The page's server: who may ask, what is hidden, and what is on the disk before the next label shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ready_python
from made_queues import make_queue, request

from seisvision.cli import main
from seisvision.data.corrections.standing import standing
from seisvision.data.corrections.table import read_decisions
from seisvision.errors import ConfigurationError, DataError
from seisvision.reviewing.queue import DRAWINGS, ITEMS, Queue
from seisvision.reviewing.server import ReviewServer
from seisvision.reviewing.session import Session, control_errors
from seisvision.reviewing.simulated import decide_all

ROOT = Path(__file__).resolve().parents[2]
Serve = Callable[..., tuple[ReviewServer, Path]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[ReviewServer] = []

    def begin(n: int = 12, **settings: bool) -> tuple[ReviewServer, Path]:
        queue = tmp_path / "queue"
        made = Queue.read(queue) if queue.exists() else make_queue(queue, n)
        server = ReviewServer(Session(made, tmp_path / "c.csv", "anna", **settings))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        started.append(server)
        return server, tmp_path / "c.csv"

    yield begin
    for server in started:
        server.shutdown()
        server.server_close()


def decide(address: str, number: int, verdict: str, new: str = "", **further: str) -> tuple[int, dict, dict]:
    return request(address, "decide", {"number": number, "verdict": verdict, "new": new}, **further)


def test_every_decision_is_on_the_disk_before_the_next_label_shows(serve: Serve) -> None:
    server, file = serve()
    verdicts = [("keep", ""), ("correct", "explosion"), ("discard", ""), ("unsure", "")]
    for number, (verdict, new) in enumerate(verdicts):
        status, answer, _ = decide(server.address, number, verdict, new)
        assert status == 200 and answer["state"]["next"] == number + 1
        last = read_decisions(file)[-1]
        assert (last.sample_id, last.verdict, last.new, last.old) == (f"ev{number:05d}", verdict, new, "earthquake")
        assert (last.reviewer, last.run_id, last.probability) == ("anna", "ab12", "0.1" if number % 3 == 0 else "0.95")
    _, answer, _ = request(server.address, "undo", {})
    assert answer["number"] == 3 and answer["state"]["verdicts"] == {"keep": 1, "correct": 1, "discard": 1, "unsure": 0}
    assert [one.verdict for one in read_decisions(file)] == [*(verdict for verdict, _ in verdicts), "undo"]
    assert decide(server.address, 1, "keep")[1]["state"]["verdicts"]["correct"] == 0, "a later decision replaces it"
    again = Session(Queue.read(file.with_name("queue")), file, "anna")
    assert again.state() == server.session.state(), "whoever starts again stands where the file ends"
    assert Session(again.queue, file, "ben").state()["n_done"] == 0


def test_a_blind_reviewer_does_not_get_the_answer_before_the_decision(serve: Serve) -> None:
    server, _ = serve()
    status, item, _ = request(server.address, "item/0")
    assert status == 200 and "hidden" not in item and "control" not in item and "run_id" not in item
    assert item["label"] == "quake" and item["drawing"]["lines"][0]["name"] == "XX.A"
    assert not any(word in str(item) for word in ("blast", "0.9", "suspect"))
    _, answer, _ = decide(server.address, 0, "keep")
    assert answer["hidden"]["shares"][0] == ["blast", 0.9]
    assert request(server.address, "item/0")[1]["hidden"] == answer["hidden"]
    open_eyed, _ = serve(blind=False)
    assert request(open_eyed.address, "item/1")[1]["hidden"]["suggested"] == "quake"


def test_who_does_not_know_the_token_gets_nothing(serve: Serve) -> None:
    server, file = serve()
    for path in ("/", "/state", "/x/state", "/item/0", f"/{server.token[:-1]}/state", f"/{server.token}x/", "//"):
        assert request(server.address, path)[0] == 404, path
        assert request(server.address, path, {"number": 0, "verdict": "keep"})[0] == 404
    assert not file.exists() and len(server.token) >= 32
    assert server.server_address[0] == "127.0.0.1"


def test_a_page_from_elsewhere_can_write_and_read_nothing(serve: Serve) -> None:
    server, file = serve()
    for origin in (
        "http://evil.example",
        "null",
        None,
        "http://127.0.0.1",
        f"https://{server.address[7:].split('/')[0]}",
    ):
        assert decide(server.address, 0, "discard", origin=origin)[0] == 403
        assert request(server.address, "undo", {}, origin=origin)[0] == 403
    for host in ("evil.example", "evil.example:80", f"evil.example:{server.server_address[1]}", "127.0.0.1"):
        assert request(server.address, "state", host=host)[0] == 403, "a name of a stranger that leads here"
        assert decide(server.address, 0, "discard", host=host)[0] == 403
    # What a form of another page could send without being asked.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert decide(server.address, 0, "discard", kind=kind)[0] == 400
    assert not file.exists()
    headers = request(server.address, "")[2]
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "told",
    [b"no json", b"[]", b"{}", {"number": "0", "verdict": "keep"}, {"number": True, "verdict": "keep"}, b"[" * 9000,
     {"number": 0, "verdict": "keep", "reason": "x" * 30000}],
    ids=["text", "list", "nothing", "text number", "truth", "deep", "long"],
)  # fmt: skip
def test_what_no_page_sends_is_refused(told: object, serve: Serve) -> None:
    server, file = serve()
    assert request(server.address, "decide", told)[0] == 400
    assert not file.exists() and request(server.address, "state")[0] == 200


@pytest.mark.parametrize(("number", "verdict", "new"), [
    (99, "keep", ""), (-1, "keep", ""), (0, "maybe", ""), (0, "undo", ""), (0, "correct", "ice"), (0, "correct", ""),
])  # fmt: skip
def test_decisions_that_make_no_sense_are_refused_in_words(number: int, verdict: str, new: str, serve: Serve) -> None:
    server, file = serve()
    status, answer, _ = decide(server.address, number, verdict, new)
    assert status == 409 and len(answer["error"]) > 20 and not file.exists()
    assert request(server.address, "undo", {})[0] == 409


def test_a_disk_that_is_full_is_told_and_nothing_counts_as_decided(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, file = serve()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    decide(server.address, 0, "keep")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        status, answer, _ = decide(server.address, 1, "keep")
    assert status == 507 and "No space left" in answer["error"]
    assert request(server.address, "state")[1]["n_done"] == 1 and len(read_decisions(file)) == 1
    assert decide(server.address, 1, "keep")[0] == 200


def test_what_cannot_be_applied_is_refused_before_it_stands_in_the_file(tmp_path: Path) -> None:
    fixed = make_queue(tmp_path / "queue", 4, can_change=False, can_discard=False, why_fixed="It is in no column.")
    session = Session(fixed, tmp_path / "c.csv", "anna")
    for verdict in (("discard",), ("correct", "explosion")):
        with pytest.raises(DataError, match=r"It is in no column\. Of this label keep it, or say unsure"):
            session.decide(0, *verdict)
    session.decide(0, "keep")
    session.decide(1, "unsure")
    session.undo()
    assert [one.verdict for one in read_decisions(tmp_path / "c.csv")] == ["keep", "unsure", "undo"]
    emptied = make_queue(tmp_path / "other", 4, can_change=False, can_discard=True, why_fixed="It is computed.")
    assert Session(emptied, tmp_path / "d.csv", "anna").decide(0, "discard")["state"]["n_done"] == 1
    assert decide_all(fixed, tmp_path / "e.csv", None) == 0, "who takes every advice takes none that cannot be applied"


def test_controls_tell_how_much_a_reviewer_changes_that_is_right(serve: Serve) -> None:
    server, file = serve(n=21)
    for number in range(21):
        decide(server.address, number, "discard" if number == 6 else "keep")
    assert control_errors(server.session.queue, read_decisions(file), "anna") == (1, 3)


@pytest.mark.parametrize("name", [ITEMS, DRAWINGS, "queue.json"])
def test_a_damaged_queue_says_so(name: str, tmp_path: Path) -> None:
    path = make_queue(tmp_path / "queue", 4).path
    (path / name).write_bytes((path / name).read_bytes()[:-30])
    with pytest.raises(DataError, match=r"Make the queue again|Make one"):
        Session(Queue.read(path), tmp_path / "c.csv", "anna").item(3)
    with pytest.raises(ConfigurationError, match="--reviewer"):
        Session(make_queue(tmp_path / "other", 1), tmp_path / "c.csv", " ")


class Serving:
    """``seisvision review serve`` in a process of its own."""

    def __init__(self, queue: Path) -> None:
        words = [sys.executable, "-u", "-m", "seisvision.cli", "review", "serve", str(queue), "--reviewer", "anna"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = ready_python.Ready(words, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.address = next(line.strip() for line in lines if line.startswith("http://"))

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


def test_a_server_that_is_killed_between_decisions_loses_none(tmp_path: Path) -> None:
    queue = make_queue(tmp_path / "queue", 50).path
    done = 0
    for killed_after in (17, 16, 17):
        server = Serving(queue)
        assert request(server.address, "state")[1]["n_done"] == done
        for _ in range(killed_after):
            number = request(server.address, "state")[1]["next"]
            assert decide(server.address, number, "keep")[0] == 200
            done += 1
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        held = standing(read_decisions(queue / "corrections.csv"))
        assert len(held) == done
    assert [one.sample_id for one in read_decisions(queue / "corrections.csv")] == [f"ev{n:05d}" for n in range(50)]
    server = Serving(queue)
    assert request(server.address, "state")[1]["next"] is None
    assert server.end(signal.SIGINT) == 0, "Ctrl-C is how it is ended"


def test_agree_shows_conflicts_and_makes_a_queue_of_them_for_a_third(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = make_queue(tmp_path / "queue", 6)
    files = []
    for name, blasts in (("anna", {0, 3}), ("ben", {0, 4})):
        files.append(tmp_path / f"{name}.csv")
        session = Session(queue, files[-1], name)
        for number in range(6):
            session.decide(number, *(("correct", "explosion") if number in blasts else ("keep",)))
    words = ["review", "agree", *map(str, files), "--out", str(tmp_path / "both.csv")]
    assert main([*words, "--queue", str(queue.path), "--third", str(tmp_path / "third")]) == 0
    told = capsys.readouterr().out
    assert "anna and ben: 6 labels, 67 % alike, kappa 0.25" in told and "2 labels in conflict" in told
    assert [one["sample_id"] for one in Queue.read(tmp_path / "third").items] == ["ev00003", "ev00004"]
    assert len(read_decisions(tmp_path / "both.csv")) == 12
    assert main(words) == 0 and len(read_decisions(tmp_path / "both.csv")) == 12, "what it holds is not put there twice"


def test_without_a_conflict_there_is_no_queue_for_a_third(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue, file = make_queue(tmp_path / "queue", 2), tmp_path / "a.csv"
    Session(queue, file, "anna").decide(0, "keep")
    assert main(["review", "agree", str(file), "--queue", str(queue.path), "--third", str(tmp_path / "third")]) == 0
    told = capsys.readouterr().out
    assert "0 labels in conflict" in told and "There is no conflict" in told and not (tmp_path / "third").exists()

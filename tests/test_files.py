"""Files that are written whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seisvision.errors import DiskFullError
from seisvision.files import clear_lock, disk_fault, locked, told_when_full, whole_file, write_text
from seisvision.leftovers import clear_below


def test_a_file_appears_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.csv", "Ω\n")
    assert (tmp_path / "new" / "a.csv").read_bytes() == "Ω\n".encode()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.csv"]


@pytest.mark.parametrize("fault", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, fault: BaseException) -> None:
    path = tmp_path / "a.npz"
    path.write_text("before")
    with pytest.raises(type(fault)), whole_file(path) as partial:
        partial.write_text("half")
        assert partial.suffix == ".npz" and path.read_text() == "before"
        raise fault
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first", "the outer block ended last"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_the_file_of_a_lock_goes_where_its_holder_is_dead_and_stays_where_it_lives(tmp_path: Path) -> None:
    left = tmp_path / ".set.lock"
    left.touch()
    clear_lock(left)
    assert not left.exists()
    with locked(left):
        clear_lock(left)
        assert left.exists()
    assert not left.exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOSPC])
def test_what_the_system_says_of_a_write_names_the_file(number: int, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, whole_file(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    told = disk_fault(caught.value)
    assert told is not None and told.startswith(f"{tmp_path / 'a.txt'} cannot be ") and os.strerror(number) in told
    assert not list(tmp_path.iterdir())


def test_a_failing_disk_that_was_read_is_not_taken_for_the_one_that_is_written(tmp_path: Path) -> None:
    reading = OSError(errno.EIO, os.strerror(errno.EIO), "/media/usb/event.mseed")
    told = r"^/media/usb/event\.mseed cannot be read or written: Input/output error"
    with pytest.raises(DiskFullError, match=told), told_when_full(tmp_path / "set"):
        raise reading


def test_what_a_killed_process_had_half_written_is_taken_away_and_what_others_write_stays(tmp_path: Path) -> None:
    words = (
        "import os, sys; from pathlib import Path; from seisvision.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial: partial.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", words, str(tmp_path / "below" / "table.csv")], check=False)
    assert len(list((tmp_path / "below").iterdir())) == 1
    with whole_file(tmp_path / "below" / "other.csv") as mine:
        mine.write_text("whole")
        (tmp_path / "below" / ".of.partial-0123abcd-0123abcd-1-1-01234567.csv").write_text("of another machine")
        clear_below(tmp_path)
        assert mine.exists()
    assert sorted(path.name for path in (tmp_path / "below").iterdir()) == [
        ".of.partial-0123abcd-0123abcd-1-1-01234567.csv",
        "other.csv",
    ]

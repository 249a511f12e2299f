import signal
import threading

import pytest

from seisvision.base.interrupts import postponed_interrupt


@pytest.fixture(autouse=True)
def usual_handling():
    """Ctrl-C as Python has it, whatever tests of commands in the same process have left behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_takes_effect_after_the_block():
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with postponed_interrupt():
            signal.raise_signal(signal.SIGINT)
            steps.append("finished")
        steps.append("went on")
    assert steps == ["finished"]


def test_usual_handling_is_restored():
    before = signal.getsignal(signal.SIGINT)
    with postponed_interrupt():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_are_left_alone():
    done = []

    def work():
        with postponed_interrupt():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]

import os
import signal

import pytest

from tagjax.base import interruption


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_library_that_catches_every_exception_does_not_swallow_a_signal(number):
    def library():
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except Exception as error:
            raise RuntimeError("this is no JSON") from error

    with pytest.raises(interruption.InterruptedRunError) as stopped, interruption.Stop():
        library()
    assert stopped.value.exit_code == 128 + number


def test_deferred_a_signal_is_noted():
    with interruption.Stop() as stop:
        with stop.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked == signal.SIGTERM

import pickle

import pytest

from tagjax.base.errors import InputError


def test_an_input_error_is_a_value_error_that_a_worker_can_send_home():
    error = pickle.loads(pickle.dumps(InputError("a.csv:3: empty tag; fill it in")))
    assert isinstance(error, InputError)
    assert isinstance(error, ValueError)
    assert str(error) == "a.csv:3: empty tag; fill it in"


@pytest.mark.parametrize("text", ["x" * 10**6, "\0" * 10**6, "\n" * 1990, "é" * 1990])
def test_whatever_is_quoted_stays_short_and_printable(text):
    message = str(InputError(text))
    assert message.isprintable()
    assert len(message) < 2100

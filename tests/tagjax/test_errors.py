import pickle

from tagjax.errors import InputError


def test_an_input_error_is_a_value_error_that_a_worker_can_send_home():
    error = pickle.loads(pickle.dumps(InputError("a.csv:3: empty tag; fill it in")))
    assert isinstance(error, InputError)
    assert isinstance(error, ValueError)
    assert str(error) == "a.csv:3: empty tag; fill it in"

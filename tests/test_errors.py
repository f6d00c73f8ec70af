import pickle

import numpy as np
import pytest
import torch

from assay.errors import AssayError


def test_message_has_rule_given_choices_and_next_step():
    error = AssayError("a split must be known", given="nvel", choices=["seen", "novel"], next_step="choose one")
    assert str(error) == "a split must be known. Given: nvel. Choices: seen, novel. Did you mean novel? Next: choose one."


def test_a_rule_alone_is_a_sentence():
    assert str(AssayError("something must hold.")) == "something must hold."


def test_a_long_list_of_choices_is_cut():
    assert "and 60 more" in str(AssayError("one of many", given="x", choices=[f"choice{k}" for k in range(100)]))


def test_survives_a_process_boundary():
    error = AssayError("a rule", given="x", choices=["y", "z"], next_step="do this")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.choices == ["y", "z"]


def test_is_a_value_error():
    assert isinstance(AssayError("a rule"), ValueError)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([0.123456789] * 256, r"[0.123456789, 0.123456789, 0.123456789, ...] (256 values)"),
        (tuple(range(1_000)), "[0, 1, 2, ...] (1,000 values)"),
        ([[0.5] * 256] * 256, "[a list of 256, a list of 256, a list of 256, ...] (256 values)"),
        ([1, 0], "[1, 0]"),
        (torch.zeros(16, 16), "torch.float32 of shape (16, 16)"),
        (np.zeros(256), "float64 of shape (256,)"),
        (np.float64(0.5), "0.5"),
        (torch.tensor(3), "tensor(3)"),
    ],
)
def test_no_message_holds_256_numbers(given, shown):
    assert str(AssayError("a rule", given=given)) == f"a rule. Given: {shown}."


def test_whatever_is_long_is_cut_wherever_it_stands():
    numbers = str([0.123456789] * 256)
    error = AssayError(f"a rule about {numbers}", given=numbers, choices=[numbers, numbers], next_step=f"do {numbers}")
    assert len(str(error)) < 3_200
    assert "Given: [0.123456789" in str(error)
    assert "123456789] (3,328 characters)." in str(error)
    deep = [0] * 9
    for _ in range(2_000):
        deep = [deep, *[0] * 9]
    assert "a list of 10, 0, 0, ...] (10 values)" in str(AssayError("a rule", given=deep))

import pickle

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

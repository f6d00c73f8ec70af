"""What is told of long work: from within, as shares of the whole that never fall, and to nobody but who follows it."""

from assay.instrument import following, report, stage


def told_by(work) -> list[tuple[str, float]]:
    told: list[tuple[str, float]] = []
    with following(lambda doing, done: told.append((doing, done))):
        work()
    return told


def test_nobody_follows():
    report("alone", 0.5)
    with stage("alone", 0.0, 1.0):
        report("still", 0.5)


def test_a_stage_is_a_part_of_the_whole():
    def work():
        report("first", 0.0)
        with stage("second", 0.5, 1.0), stage("half", 0.0, 0.5):
            report("step", 1.0)
        report("last", 1.0)

    assert told_by(work) == [
        ("first", 0.0),
        ("second", 0.5),
        ("second: half", 0.5),
        ("second: half: step", 0.75),
        ("last", 1.0),
    ]


def test_a_loop_that_runs_again_does_not_turn_the_share_back():
    def work():
        for _ in range(2):
            for step in range(2):
                report("fitting", step / 2)

    assert told_by(work) == [("fitting", 0.0), ("fitting", 0.5), ("fitting", 0.5), ("fitting", 0.5)]


def test_after_an_error_nobody_follows():
    told = []
    try:
        with following(lambda doing, done: told.append(doing)):
            raise ValueError
    except ValueError:
        report("after", 0.0)
    assert told == []


def test_who_passes_report_on_is_followed_once():
    def work():
        with following(report):
            report("within", 0.25)

    assert told_by(work) == [("within", 0.25)]

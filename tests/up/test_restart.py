"""When a process that died is started again."""

from myriad.up.restart import RestartPolicy

POLICY = RestartPolicy(first_delay_s=0.5, longest_delay_s=30, settled_s=30)


def test_each_crash_in_a_row_doubles_the_wait_up_to_the_longest() -> None:
    assert [POLICY.delay_s(crashes) for crashes in (1, 2, 3, 7, 1000)] == [0.5, 1, 2, 30, 30]


def test_what_never_stays_up_is_given_up() -> None:
    assert [POLICY.is_hopeless(crashes) for crashes in (1, 29, 30)] == [False, False, True]


def test_a_process_that_ran_long_starts_with_a_clean_slate() -> None:
    assert POLICY.crashes(before=5, ran_s=29) == 6
    assert POLICY.crashes(before=5, ran_s=30) == 1

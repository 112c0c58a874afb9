"""The one table of states, held against the job's own rules."""

from typing import get_args, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from myriad.job import JobState
from myriad.state_words import STATE_WORDS, StateWords

_FINAL = {
    "replicate": {"succeeded", "failed", "canceled"},
    "openai_video": {"completed", "failed"},
    "comfyui": {"success", "error"},
}
_WORDS = {name: set(get_args(hint)) for name, hint in get_type_hints(StateWords).items()}


@given(st.sampled_from(JobState), st.sampled_from(sorted(_FINAL)))
def test_a_word_is_the_interfaces_own_and_final_exactly_when_the_state_is(
    state: JobState, interface: str
) -> None:
    word = getattr(STATE_WORDS[state], interface)
    assert word in _WORDS[interface]
    assert (word in _FINAL[interface]) == state.is_final


@given(st.sampled_from(sorted(_FINAL)))
def test_success_is_never_mistaken(interface: str) -> None:
    words = {state: getattr(STATE_WORDS[state], interface) for state in JobState}
    assert list(words.values()).count(words[JobState.SUCCEEDED]) == 1

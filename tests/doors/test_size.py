"""Whatever size a client asks for, the model can make what it is given."""

from hypothesis import assume, given
from hypothesis import strategies as st

from myriad.catalog import load_catalog
from myriad.model import Defaults, Limits
from web.doors.size import fitting_size

MODEL = load_catalog().default
SIZES = st.integers(1, 99_999)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    step = draw(st.sampled_from([8, 16, 32]))
    least = step * draw(st.integers(1, 8))
    most = least * draw(st.integers(2, 16))
    pixels = draw(st.integers(least * most, most * most))
    return Limits(min_size=least, max_size=most, size_multiple=step, max_pixels=pixels)


@given(SIZES, SIZES, limits())
def test_it_is_within_the_limits(width: int, height: int, limits: Limits) -> None:
    own = Defaults(width=limits.min_size, height=limits.min_size)
    model = MODEL.model_copy(update={"limits": limits, "defaults": own})
    found = fitting_size(width, height, model)
    assert all(limits.min_size <= side <= limits.max_size for side in found)
    assert all(side % limits.size_multiple == 0 for side in found)
    assert found[0] * found[1] <= limits.max_pixels


@given(st.integers(8, 32), st.integers(8, 32))
def test_what_the_model_can_make_is_left_alone(columns: int, rows: int) -> None:
    size = (8 * columns, 8 * rows)
    assume(size[0] * size[1] <= MODEL.limits.max_pixels)
    assert fitting_size(*size, MODEL) == size


def test_what_is_too_large_has_its_shape_and_the_models_own_area() -> None:
    assert fitting_size(1024, 1024, MODEL) == (128, 128)
    assert fitting_size(1536, 1024, MODEL) == (152, 104)
    assert fitting_size(1024, 1536, MODEL) == (104, 152)
    assert fitting_size(3840, 1280, MODEL) == (216, 72)

"""Every explorable figure in a browser: its sliders, its Play button and the links that set it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import pytest
from built_site import DESKTOP, Visit, figures
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]

SOON = 3000  # milliseconds
# What a reader sees of the picture, whatever draws it, and what is said about it
PICTURE = """(box) => [...box.querySelectorAll("svg[role=img] *")].map((e) => e.outerHTML).join()"""
SENTENCE = """(box) => box.querySelector("figcaption").textContent.trim()"""
LABEL = """(box) => box.querySelector("svg[role=img]").getAttribute("aria-label")"""
SHOWN_VALUE = """(slider) => slider.closest("label").querySelector("output").textContent"""
DRAWN_SINCE = "([box, count]) => box.dataset.drawn !== count"
SET = """(slider, value) => {
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}"""
# A link in a folded answer: open what it is folded into
# Resolves when the page has stopped scrolling to what has the focus.
SCROLL_RESTS = """() => new Promise(done => {
  let last = -1, same = 0;
  const look = () => {
    same = scrollY === last ? same + 1 : 0;
    last = scrollY;
    if (same > 10) done(); else requestAnimationFrame(look);
  };
  look();
})"""
UNFOLD = """(link) => {
  const answer = link.closest("details");
  if (answer) answer.open = true;
}"""


class Figure:
    """A figure on an open page: its parts, and its state as a reader perceives it."""

    def __init__(self, visit: Visit, name: str) -> None:
        self.page = visit.page
        self.box = visit.figure(name)
        self.sliders = self.box.locator("input[type=range]")
        self.live = self.box.locator(".explore-live[aria-live=polite]")

    def slider(self, name: str) -> Locator:
        return self.box.locator(f"input[type=range][name='{name}']")

    def picture(self) -> str:
        return self.box.evaluate(PICTURE)

    def sentence(self) -> str:
        return self.box.evaluate(SENTENCE)

    def after(self, action: Callable[[], object]) -> None:
        """Do what must move the figure, and wait until it was drawn."""
        count = self.box.get_attribute("data-drawn")
        action()
        box = self.box.element_handle()
        self.page.wait_for_function(DRAWN_SINCE, arg=[box, count], timeout=SOON)

    def put(self, slider: Locator, value: str) -> None:
        if slider.input_value() != value:
            self.after(lambda: slider.evaluate(SET, value))

    def press(self, key: str) -> None:
        self.after(lambda: self.page.keyboard.press(key))

    def drag_to_the_end(self, slider: Locator) -> None:
        slider.scroll_into_view_if_needed()
        box, mouse = slider.bounding_box(), self.page.mouse
        height = box["y"] + box["height"] / 2
        mouse.move(box["x"] + 0.1 * box["width"], height)
        mouse.down()
        mouse.move(box["x"] + box["width"] - 2, height, steps=8)
        mouse.up()


@pytest.fixture(scope="module", params=figures(), ids=" ".join)
def place(request: pytest.FixtureRequest, visit: Opens) -> tuple[Visit, str]:
    """The page of a figure, opened once for all tests of the page, and the figure's name."""
    path, name = request.param
    opened = visit(path, shared=True)
    opened.page.set_viewport_size(DESKTOP)
    return opened, name


@pytest.fixture
def figure(place: tuple[Visit, str]) -> Iterator[Figure]:
    """A figure in the state in which its page opens; afterwards it is put back."""
    figure = Figure(*place)
    assert figure.box.count() == 1, f"there is no figure {place[1]}"
    start = [slider.input_value() for slider in figure.sliders.all()]
    yield figure
    for slider, value in zip(figure.sliders.all(), start, strict=True):
        figure.put(slider, value)


def test_every_slider_moves_the_picture_by_keyboard(figure: Figure) -> None:
    """Each position has a value of its own; over the range picture and sentence change."""
    assert figure.sliders.count() > 0
    for slider in figure.sliders.all():
        start, name = slider.input_value(), slider.get_attribute("name")
        last = slider.get_attribute("max")
        figure.put(slider, last)
        slider.focus()
        figure.press("Home")
        values, pictures, sentences = [], [], []
        for position in range(int(last) + 1):
            if position:
                figure.press("ArrowRight")
            assert slider.input_value() == str(position), f"{name} skips position {position}"
            values.append(slider.get_attribute("aria-valuetext"))
            assert slider.evaluate(SHOWN_VALUE) == values[-1]
            pictures.append(figure.picture())
            sentences.append(figure.sentence())
            assert figure.box.evaluate(LABEL).endswith(sentences[-1])
        assert len(set(values)) == len(values), f"{name}: values that read the same: {values}"
        assert pictures[0] != pictures[-1], f"{name} does not move the picture"
        assert len(set(sentences)) > 1, f"{name} does not change the sentence"
        expect(figure.live).to_have_text(sentences[-1], timeout=SOON)
        figure.put(slider, start)


def test_every_slider_moves_the_picture_by_mouse(figure: Figure) -> None:
    for slider in figure.sliders.all():
        start, name = slider.input_value(), slider.get_attribute("name")
        figure.put(slider, slider.get_attribute("max"))
        value = slider.get_attribute("aria-valuetext")
        figure.put(slider, "0")
        picture = figure.picture()
        figure.drag_to_the_end(slider)
        expect(slider).to_have_attribute("aria-valuetext", value, timeout=SOON)
        assert figure.picture() != picture, f"{name} does not move the picture"
        expect(figure.live).to_have_text(figure.sentence(), timeout=SOON)
        figure.put(slider, start)


@pytest.mark.parametrize(
    "place", figures("[data-explore='{name}'] button[data-play]"), indirect=True, ids=" ".join
)
def test_play_moves_the_figure_until_it_is_pressed_again(figure: Figure) -> None:
    button = figure.box.locator("button[data-play]")
    slider = figure.slider(button.get_attribute("data-play"))
    figure.put(slider, "0")
    picture, label = figure.picture(), button.inner_text()
    button.click()
    expect(button).not_to_have_text(label)
    expect(slider).not_to_have_js_property("value", "0", timeout=SOON)
    assert figure.picture() != picture, "Play does not move the picture"
    button.click()
    expect(button).to_have_text(label)
    stopped = slider.input_value()
    assert stopped != slider.get_attribute("max"), "Play came to its end before it was stopped"
    figure.page.wait_for_timeout(1000)
    assert slider.input_value() == stopped, "Play goes on after it was stopped"


def number(text: str) -> float | str:
    """A number as the page writes it, or the text itself where it is none."""
    try:
        return float(text.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return text


@pytest.mark.parametrize(
    "place", figures("a[data-explore-set^='{name}?']"), indirect=True, ids=" ".join
)
def test_every_link_in_the_prose_sets_the_state_that_it_names(
    figure: Figure, place: tuple[Visit, str]
) -> None:
    links = figure.page.locator(f"a[data-explore-set^='{place[1]}?']")
    assert links.count() > 0
    for link in links.all():
        state = dict(parse_qsl(link.get_attribute("data-explore-set").partition("?")[2]))
        for name, value in state.items():
            slider = figure.slider(name)
            figure.put(slider, slider.get_attribute("max"))
            if number(slider.get_attribute("aria-valuetext")) == number(value):
                figure.put(slider, "0")
        link.evaluate(UNFOLD)
        link.focus()
        expect(link).to_be_in_viewport()
        link.evaluate(SCROLL_RESTS)
        figure.press("Enter")
        for name, value in state.items():
            shown = figure.slider(name).get_attribute("aria-valuetext")
            assert number(shown) == number(value), f"{name} is {shown}, not {value}"
        expect(figure.box).to_be_in_viewport()
        expect(figure.live).to_have_text(figure.sentence(), timeout=SOON)

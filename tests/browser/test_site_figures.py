"""Every explorable figure in a browser: its sliders, its Play button and the links that set it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import parse_qsl

import pytest
from built_site import DESKTOP, PLAYED, SET_BY_A_LINK, Visit, figures
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser
Opens = Callable[..., Visit]

SOON = 3000  # milliseconds
# What a reader sees of the picture, whatever draws it, and what is said about it
PICTURE = """(box) => [...box.querySelectorAll("svg[role=img] *")].map((e) => e.outerHTML).join()"""
# When the figure was drawn again: a slider's position, its value as it is said and as written,
# what is said of the picture, and how often the figure was drawn
STATE_SINCE = """(slider, [count, soon]) => new Promise((done, failed) => {
  const box = slider.closest("[data-explore]");
  const late = setTimeout(() => failed(new Error("nothing was drawn")), soon);
  const look = () => {
    if (box.dataset.drawn === count) return requestAnimationFrame(look);
    clearTimeout(late);
    done([
      slider.value,
      slider.getAttribute("aria-valuetext"),
      slider.closest("label").querySelector("output").textContent,
      box.querySelector("figcaption").textContent,
      box.querySelector("svg[role=img]").getAttribute("aria-label"),
      box.dataset.drawn,
    ]);
  };
  look();
})"""
SET = """(slider, value) => {
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}"""
# Moves sliders to an end, "min" or "max"
SEND = """(box, [names, end]) => {
  for (const name of names) {
    const slider = box.querySelector(`input[name="${name}"]`);
    slider.value = slider[end];
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
}"""
VALUES = """(box) => Object.fromEntries([...box.querySelectorAll("input[type=range]")]
  .map((slider) => [slider.name, slider.getAttribute("aria-valuetext")]))"""
# A link in a folded answer: open what it is folded into
UNFOLD = """(link) => {
  const answer = link.closest("details");
  if (answer) answer.open = true;
}"""


def number(text: str) -> float | str:
    """A number as the page writes it, or the text itself where it is none."""
    try:
        return float(text.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return text


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
        return self.box.locator("figcaption").text_content()

    def differing(self, state: dict[str, str]) -> dict[str, str]:
        """The sliders that do not say what ``state`` wants, and what they say."""
        values = self.box.evaluate(VALUES)
        return {k: values[k] for k, wanted in state.items() if number(values[k]) != number(wanted)}

    def after(self, action: Callable[[], object], slider: Locator, count: str = "") -> list[str]:
        """Do what must move the figure, and wait until it was drawn: the slider's state then."""
        count = count or self.box.get_attribute("data-drawn")
        action()
        return slider.evaluate(STATE_SINCE, [count, SOON])

    def put(self, slider: Locator, value: str) -> None:
        if slider.input_value() != value:
            self.after(lambda: slider.evaluate(SET, value), slider)

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
    figure.page.emulate_media(reduced_motion="no-preference")
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
        first, values, sentences, count, key = "", [], [], "", "Home"
        for position in range(int(last) + 1):
            state = figure.after(partial(figure.page.keyboard.press, key), slider, count)
            at, said, written, sentence, label, count = state
            assert at == str(position), f"{name} skips position {position}"
            assert written == said
            assert label.endswith(sentence)
            values.append(said)
            sentences.append(sentence)
            first, key = first or figure.picture(), "ArrowRight"
        assert len(set(values)) == len(values), f"{name}: values that read the same: {values}"
        assert figure.picture() != first, f"{name} does not move the picture"
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


@pytest.mark.parametrize("place", figures(PLAYED), indirect=True, ids=" ".join)
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
    figure.page.wait_for_timeout(600)  # longer than from step to step
    assert slider.input_value() == stopped, "Play goes on after it was stopped"


@pytest.mark.parametrize("place", figures(SET_BY_A_LINK), indirect=True, ids=" ".join)
def test_every_link_in_the_prose_sets_the_state_that_it_names(
    figure: Figure, place: tuple[Visit, str]
) -> None:
    figure.page.emulate_media(reduced_motion="reduce")  # nothing glides: no time to wait
    links = figure.page.locator(f"a[data-explore-set^='{place[1]}?']")
    assert links.count() > 0
    for link in links.all():
        state = dict(parse_qsl(link.get_attribute("data-explore-set").partition("?")[2]))
        for end in ("max", "min"):  # away from the state that the link names
            if reached := sorted(state.keys() - figure.differing(state).keys()):
                figure.after(
                    partial(figure.box.evaluate, SEND, [reached, end]), figure.sliders.first
                )
        assert figure.differing(state).keys() == state.keys()
        link.evaluate(UNFOLD)
        link.focus()
        expect(link).to_be_in_viewport()
        figure.after(partial(figure.page.keyboard.press, "Enter"), figure.sliders.first)
        assert not figure.differing(state)
        expect(figure.box).to_be_in_viewport()
        expect(figure.live).to_have_text(figure.sentence(), timeout=SOON)

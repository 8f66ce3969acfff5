"""What a page costs and how fast its figures are; run it after ``make book``.

    python benchmarks/page.py            # the heaviest chapter and a plain page
    python benchmarks/page.py PATH ...   # these, for instance notebooks/09_remedies.html

For each page: its weight on a first visit with text compressed (gzip level 6), and for a reader who
comes from the front page; then, with the processor as it is and four times slower, the time to the
first live figure, the time from a slider's input to the changed picture, and how long the main
thread was busy until the page was loaded. Nothing is asserted: times depend on the machine.
"""

from __future__ import annotations

import gzip
import statistics
import sys
from pathlib import Path

from contest import arguments, publish, table
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from pdf import ARGUMENTS, find_chromium
from served import served

SITE = Path(__file__).parents[1] / "_build" / "html"
COMPRESSED_ALREADY = (".woff", ".woff2", ".png", ".jpg", ".gz")
PLAIN = "book/notation.html"
MOVES = 20  # for each slider
SLOWER = (1, 4)  # the processor as it is, and throttled

FIRST_FIGURE = """() => {
  new MutationObserver((_, observer) => {
    if (!document.querySelector("[data-drawn]")) return;
    window.firstFigure = performance.now();
    observer.disconnect();
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-drawn"] });
}"""
# Milliseconds from a slider's event until the frame with the changed picture is out: a message that
# is sent while the picture is drawn arrives after the frame. The pauses differ, so that the events
# fall anywhere between two frames.
LATENCIES = """async ([slider, moves]) => {
  const box = slider.closest("[data-explore]"), times = [];
  for (let move = 0; move < moves; move++) {
    await new Promise((done) => setTimeout(done, 40 + (7 * move) % 17));
    const shown = new Promise((done) => new MutationObserver((_, observer) => {
      observer.disconnect();
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => done(performance.now());
      port2.postMessage(null);
    }).observe(box, { attributes: true, attributeFilter: ["data-drawn"] }));
    slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    times.push(await shown - start);
  }
  return times;
}"""


def files(browser: Browser, address: str) -> dict[str, float]:
    """What a first visit loads: the kilobytes of each file, compressed."""
    context = browser.new_context()
    page, responses = context.new_page(), []
    page.on("response", lambda response: responses.append(response))
    page.goto(address, wait_until="networkidle")
    bodies = {r.url.partition("?")[0]: r.body() for r in responses if r.ok}
    context.close()
    return {
        url: len(body if url.endswith(COMPRESSED_ALREADY) else gzip.compress(body, 6)) / 1e3
        for url, body in bodies.items()
    }


def times(browser: Browser, address: str, slower: int) -> list[str]:
    """First live figure, slider to picture, and the busy main thread, in ms."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(f"({FIRST_FIGURE})()")
    page.goto(address, wait_until="networkidle")
    metrics = session.send("Performance.getMetrics")["metrics"]
    busy = 1e3 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")
    moved = []
    for box in page.locator("[data-explore]").all():
        box.scroll_into_view_if_needed()
        box.and_(page.locator("[data-drawn]")).wait_for()
        for slider in box.locator("input[type=range]").all():
            moved += page.evaluate(LATENCIES, [slider.element_handle(), MOVES])
    first = f"{page.evaluate('window.firstFigure'):.0f}" if moved else ""
    latency = f"{statistics.median(moved):.0f}" if moved else ""
    context.close()
    return [first, latency, f"{busy:.0f}"]


def measure(browser: Browser, root: str, path: str, known: set[str]) -> list[str]:
    """One line of the table; ``known`` are the files that the reader has already."""
    loaded = files(browser, root + path)
    after = sum(size for url, size in loaded.items() if url not in known)
    row = [path.removesuffix(".html"), f"{sum(loaded.values()):.0f}", f"{after:.0f}"]
    for slower in SLOWER:
        row += times(browser, root + path, slower)
    return row


def heaviest_chapter(browser: Browser, root: str) -> str:
    chapters = [f"notebooks/{page.name}" for page in sorted((SITE / "notebooks").glob("*.html"))]
    return max(chapters, key=lambda path: sum(files(browser, root + path).values()))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("paths", nargs="*", help="pages of the site, as notebooks/09_remedies.html")
    options = parser.parse_args()
    if not (SITE / "index.html").is_file():
        sys.exit(f"no site in {SITE.relative_to(SITE.parents[1])}: run make book")
    with served(SITE) as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        known = set(files(browser, root + "book/index.html"))
        paths = options.paths or [heaviest_chapter(browser, root), PLAIN]
        rows = [measure(browser, root, path, known) for path in paths]
        browser.close()
    title = "Weights in kB, times in ms; last three columns: the processor four times slower.\n"
    kinds = ["first figure", "slider to picture", "main thread busy"]
    head = ["page", "first visit", "from the front page", *kinds, *kinds]
    publish("page", [title, table(head, rows)], options.store)


if __name__ == "__main__":
    main()

"""What a page costs and how fast its figures are; run it after ``make book``.

For each page: its weight on a first visit, raw and with text compressed (gzip level 6); the time
to the first live figure; and the time from a slider's input to the changed picture. Nothing is
asserted: times depend on the machine.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import shutil
import statistics
import sys
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).parents[1] / "_build" / "html"
COMPRESSED_ALREADY = (".woff", ".woff2", ".png", ".jpg", ".gz")
MOVES = 40  # for each slider

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


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def measure(browser: Browser, address: str, path: str) -> str:
    """One line about the page ``path``: weight, first figure, latency."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    responses = []
    page.on("response", lambda response: responses.append(response))
    page.add_init_script(f"({FIRST_FIGURE})()")
    page.goto(address + path, wait_until="networkidle")
    bodies = [(r.url.partition("?")[0], r.body()) for r in responses if r.ok]
    raw = sum(len(body) for _, body in bodies)
    small = sum(
        len(body if url.endswith(COMPRESSED_ALREADY) else gzip.compress(body, 6))
        for url, body in bodies
    )
    line = f"{path:36s} {len(bodies):3d} {raw / 1e3:8.0f} {small / 1e3:8.0f}"
    times = []
    for box in page.locator("[data-explore]").all():
        box.scroll_into_view_if_needed()
        box.and_(page.locator("[data-drawn]")).wait_for()
        for slider in box.locator("input[type=range]").all():
            times += page.evaluate(LATENCIES, [slider.element_handle(), MOVES])
    if times:
        median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        line += f" {page.evaluate('window.firstFigure'):8.0f} {median:8.1f} {p95:8.1f}"
    context.close()
    return line


def main() -> None:
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if chromium is None:
        sys.exit("no browser: none of chromium, chromium-browser, google-chrome was found")
    paths = sorted(
        p.relative_to(SITE).as_posix() for p in SITE.glob("*/*.html") if p.parent.name != "_static"
    )
    if not paths:
        sys.exit(f"no site in {SITE.relative_to(SITE.parents[1])}: run make book")
    handler = functools.partial(QuietHandler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("weight on the first visit in kB; first live figure and slider to picture in ms")
    print(f"{'page':36s} req      raw     gzip   figure   median      p95")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for path in paths:
            print(
                measure(browser, f"http://127.0.0.1:{server.server_address[1]}/", path), flush=True
            )
        browser.close()


if __name__ == "__main__":
    main()

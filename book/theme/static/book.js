/* Code, a table or a formula that is wider than its box scrolls inside it. The keyboard must reach
   such a box, and only such a box. The theme looks once, when the page is loaded; here a box that a
   folded answer hid, that a formula's fonts widened, or that a turned telephone made narrow, is
   looked at again. */
(function () {
  const formulas = ".katex-display";
  const tables = ".pst-scrollable-table-container";
  const boxes = `${formulas}, ${tables}, pre`;

  function update(box) {
    const scrolls = box.scrollWidth > box.clientWidth;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    const kind = box.matches(formulas) ? "formula" : box.matches(tables) ? "table" : "";
    if (!kind) return;
    if (scrolls) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${kind}, scrolls sideways`);
    } else {
      ["role", "aria-label"].forEach((name) => box.removeAttribute(name));
    }
  }

  window.addEventListener("load", async () => {
    await document.fonts.ready;
    const watch = new ResizeObserver((entries) => {
      entries.forEach(({ target }) => update(target.closest(boxes)));
    });
    const all = document.querySelectorAll(boxes);
    all.forEach((box) => {
      [box, box.firstElementChild].filter(Boolean).forEach((part) => watch.observe(part));
    });
    // A font that comes late widens a formula inside its box, which no observer sees
    document.fonts.addEventListener("loadingdone", () => all.forEach(update));
  });
})();

/* The report of a mistake names the equation whose number was clicked last: it is the fragment of
   the page's address. */
(function () {
  const link = document.querySelector("a[data-report]");
  if (!link) return;

  function nameEquation() {
    const anchor = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const number = anchor?.querySelector(".eqno")?.firstChild.textContent ?? "";
    const address = new URL(link.href);
    const body = address.searchParams.get("body");
    address.searchParams.set("body", body.replace(/^Equation:.*$/m, `Equation: ${number}`));
    link.href = address;
  }

  nameEquation();
  window.addEventListener("hashchange", nameEquation);
})();

/* The engine of explorable figures: sets the attributes that differ between frames. JupyterLab
   imports it as a module (Python adds the export), a page as a classic script: file:// works. */
async function explore({ model, el }) {
  const html = model.get("html");
  // In JupyterLab each view has its own clip rectangles: ids are unique.
  const view = explore.views = (explore.views || Date.now()) + 1;
  const own = (text) => html ? text.replace(/explore-[\w-]+-clip/g, `$&-${view}-`) : text;
  if (html) el.innerHTML = own(html);
  const box = el.closest(".explore") || el.querySelector(".explore");
  const [svg, caption, live, controls, button] = [
    "svg", "figcaption", ".explore-live", ".explore-controls", "button",
  ].map((selector) => box.querySelector(selector));
  const moving = svg.querySelectorAll("[data-moves]");
  const sliders = [...controls.querySelectorAll("input")];
  const outputs = controls.querySelectorAll("output");
  const texts = model.get("texts");
  const seen = svg.getAttribute("aria-label").slice(0, -caption.textContent.length);
  const packed = new Blob([model.get("data")]).stream();
  const unpacked = packed.pipeThrough(new DecompressionStream("gzip"));
  const { sentences, strings, columns } = await new Response(unpacked).json();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let at = [...model.get("at")];
  let drawn = [];
  let request, announcement, playing;

  const stored = () => at.every(Number.isInteger);
  const redraw = () => { request ??= requestAnimationFrame(draw); };

  /* From the table, or what the kernel drew last for values in between. */
  function frame() {
    if (!stored()) return model.get("frame");
    const index = at.reduce((sum, position, n) => sum * texts[n].length + position, 0);
    return {
      values: columns.map(([, , numbers]) => strings[numbers[index]]),
      texts: at.map((position, n) => texts[n][position]),
      sentence: sentences[index],
    };
  }

  function draw() {
    request = undefined;
    const now = frame();
    if (!now.values) return;
    columns.forEach(([number, attribute], n) => {
      const value = now.values[n];
      if (value === drawn[n]) return;
      if (attribute === "") moving[number].textContent = value;
      else if (value === null) moving[number].removeAttribute(attribute);
      else moving[number].setAttribute(attribute, own(value));
    });
    drawn = now.values;
    caption.textContent = now.sentence;
    svg.setAttribute("aria-label", seen + now.sentence);
    sliders.forEach((slider, n) => {
      if (+slider.value !== at[n]) slider.value = at[n];
      slider.setAttribute("aria-valuetext", now.texts[n]);
      outputs[n].textContent = now.texts[n];
    });
    box.dataset.drawn = +(box.dataset.drawn || 0) + 1;
  }

  /* A position in between is drawn when the kernel has answered. */
  function show() {
    if (stored() || String(model.get("frame").at) === String(at)) redraw();
  }

  function go(positions) {
    at = positions;
    model.set("at", [...at]);
    model.save_changes();
    show();
    clearTimeout(announcement);
    announcement = setTimeout(() => { live.textContent = caption.textContent; }, 600);
  }

  const moveTo = (n, position) => go(at.with(n, position));

  function pause() {
    playing = clearInterval(playing);
    if (button && !calm.matches) button.textContent = "Play";
  }

  function play() {
    const n = sliders.findIndex((slider) => slider.name === button.dataset.play);
    const last = texts[n].length - 1;
    const step = () => {
      moveTo(n, at[n] >= last ? 0 : Math.floor(at[n]) + 1);
      if (at[n] === last) pause();
    };
    if (playing) return pause();
    step();
    if (calm.matches || at[n] === last) return;
    playing = setInterval(step, 400);
    button.textContent = "Pause";
  }

  /* The stored position nearest to what a link asks for, or where the slider is. */
  function nearest(n, wanted) {
    if (texts[n].includes(wanted)) return texts[n].indexOf(wanted);
    const distances = texts[n].map((text) => Math.abs(text - wanted));
    const place = distances.indexOf(Math.min(...distances));
    return place < 0 ? at[n] : place;
  }

  /* Sentences of the prose set the figure: a link to #explore-NAME?parameter=value. */
  function follow(event) {
    const link = event.target.closest?.("a[href*='#explore-']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const [name, query] = (link.dataset.exploreSet || link.hash.slice(9)).split("?");
    const notebook = ".jp-Notebook";
    if (name !== box.dataset.explore || link.closest(notebook) !== box.closest(notebook)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const wanted = new URLSearchParams(query);
    pause();
    go(at.map((position, n) => {
      const text = wanted.get(sliders[n].name);
      return text === null ? position : nearest(n, text);
    }));
    box.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
  }

  function changed() {
    if (String(model.get("at")) === String(at)) return;
    at = [...model.get("at")];
    show();
  }
  const answered = () => { if (!stored()) redraw(); };
  function greeted(message) {
    if (message !== "kernel") return;
    for (const slider of sliders) slider.step = slider.dataset.fine || 1;
  }

  sliders.forEach((slider, n) => {
    slider.addEventListener("input", () => {
      pause();
      moveTo(n, +slider.value);
    });
    outputs[n].dataset.longest = [...texts[n]].sort((a, b) => b.length - a.length)[0];
  });
  button?.addEventListener("click", play);
  if (button && calm.matches) button.textContent = "Step";
  document.addEventListener("click", follow, true);
  const heard = { "change:at": changed, "change:frame": answered, "msg:custom": greeted };
  for (const event in heard) model.on(event, heard[event]);
  controls.hidden = false;
  draw();
  model.send("hello");
  return () => {
    pause();
    document.removeEventListener("click", follow, true);
    for (const event in heard) model.off(event, heard[event]);
  };
}

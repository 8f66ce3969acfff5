/* Marks of exercises that are done. They stay in this browser and are sent nowhere. Where it allows
   no storage there are none, and a page without JavaScript says nothing about them. */
(function () {
  const KEY = "bptt-done"; // {page: {done: [ids of its exercises], of: their number}}
  const pageOf = (link) => link.pathname.split("/").pop().replace(/\.html$/, "");

  function read() {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  }
  try {
    read();
  } catch {
    return;
  }

  function create(name, properties, parent) {
    const element = Object.assign(document.createElement(name), properties);
    parent.append(" ", element);
    return element;
  }

  // An exercise page: a box in the list and one at the end of each exercise, and their number
  const links = [...document.querySelectorAll(".study-list a")];
  const ids = links.map((link) => decodeURIComponent(link.hash.slice(1)));
  const total = document.querySelector(".study-total");
  const count = total && create("span", { role: "status" }, total);
  const boxes = links.flatMap((link, place) => {
    return [link.parentElement, document.getElementById(ids[place])].map((parent) => {
      const label = create("label", { className: "done" }, parent);
      const box = create("input", { type: "checkbox", value: ids[place] }, label);
      box.setAttribute("aria-label", `done: ${link.textContent}`);
      box.addEventListener("change", () => {
        const others = done().filter((id) => id !== box.value);
        write(box.checked ? [...others, box.value] : others);
      });
      label.append(" done");
      return box;
    });
  });
  if (total) {
    const clear = create("button", { type: "button", textContent: "Clear the marks" }, total);
    clear.addEventListener("click", () => write([]));
    create("span", { textContent: "They stay in this browser." }, total);
  }

  function done() {
    return (read()[pageOf(location)]?.done ?? []).filter((id) => ids.includes(id));
  }

  function write(done) {
    const marks = read();
    if (done.length) marks[pageOf(location)] = { done, of: ids.length };
    else delete marks[pageOf(location)];
    try {
      localStorage.setItem(KEY, JSON.stringify(marks));
    } catch {} // full: the boxes go back to what is stored
    show();
  }

  function show() {
    const marked = done();
    boxes.forEach((box) => (box.checked = marked.includes(box.value)));
    if (count) count.textContent = `${marked.length} of ${ids.length} done.`;
    // The front page: the number beside each link to exercises
    const marks = read();
    document.querySelectorAll(".chapters .done").forEach((mark) => mark.remove());
    document.querySelectorAll(".chapters a[href*='exercises/']").forEach((link) => {
      const page = marks[pageOf(link)];
      if (page) {
        const mark = { className: "done", textContent: `(${page.done.length} of ${page.of} done)` };
        link.after(" ", Object.assign(document.createElement("span"), mark));
      }
    });
  }

  addEventListener("pageshow", show); // also when the reader comes back to the page
  addEventListener("storage", show); // another tab
})();

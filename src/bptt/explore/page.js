/* The host of explorable figures on a static page: a figure comes to life when it is near the
   window, or when a link sets it. Without a kernel, its model only holds the data. */
{
  const lives = new Map();

  async function start(box) {
    const { at, parameters, data } = JSON.parse(box.querySelector("script").textContent);
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const state = { at, texts: Object.values(parameters), data: bytes };
    const get = (name) => state[name], no = () => {};
    return explore({ model: { get, set: no, save_changes: no, on: no, send: no }, el: box });
  }

  function life(box) {
    if (!lives.has(box)) {
      lives.set(box, start(box));
      // The still picture stays where the browser cannot do more.
      lives.get(box).catch((error) => console.warn(`${box.id}:`, error));
    }
    return lives.get(box);
  }

  function follow(event) {
    const link = event.target.closest?.("a[data-explore-set]");
    const box = link && document.getElementById(link.hash.slice(1));
    if (!box || box.dataset.drawn || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    life(box).then(() => link.click(), () => { location.hash = link.hash; });
  }

  function begin() {
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) near.unobserve(target), life(target);
      }
    }, { rootMargin: "800px" });
    document.querySelectorAll(".explore").forEach((box) => near.observe(box));
    document.addEventListener("click", follow);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
}

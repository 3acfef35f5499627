// Formation's own part of its pages: streams begin when a page is seen, and logs stay short and at their end.
(() => {
  const begun = new WeakSet();
  document.addEventListener("htmx:before:request", (event) => begun.add(event.detail?.ctx?.sourceElement ?? event.target));
  const seen = () => {
    if (document.hidden) return;
    const live = [...document.querySelectorAll("[data-live]")].filter((element) => !begun.has(element));
    for (const element of live) htmx.trigger(element, "visible");
    // One that htmx has not seen yet hears nothing: it is told again.
    if (live.length > 0) setTimeout(seen, 150);
  };
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("htmx:after:swap", () => setTimeout(seen));
  setTimeout(seen);

  // A function that has changed is compared anew.
  let state;
  document.addEventListener("htmx:after:swap", () => {
    const now = document.querySelector("#live .chips")?.textContent;
    if (state && now && now !== state) htmx.trigger(document, "again");
    state = now;
    const log = document.getElementById("log");
    if (!log) return;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
    while (log.children.length > Number(log.dataset.most)) log.firstElementChild.remove();
    if (follows) log.scrollTop = log.scrollHeight;
  });
  state = document.querySelector("#live .chips")?.textContent;

  // Where the whole picture has no room, its middle is the usual way.
  const picture = document.querySelector(".machine .scroll");
  if (picture) picture.scrollLeft = (picture.scrollWidth - picture.clientWidth) / 2;
})();

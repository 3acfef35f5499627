// Formation's own part of its pages: streams begin when a page is seen, and logs stay short and at their end.
(() => {
  const begun = new WeakSet();
  const seen = () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[data-live]")) {
      if (begun.has(element)) continue;
      begun.add(element);
      htmx.trigger(element, "visible");
    }
  };
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("htmx:after:process", () => setTimeout(seen));
  setTimeout(seen, 100);

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

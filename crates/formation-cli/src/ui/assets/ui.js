// Formation's own part of its pages: streams begin when a page is seen and are missed when they are lost, and logs
// stay short, without doubles, and at their end.
(() => {
  const every = (css, within = document) => [...within.querySelectorAll(css)];

  // A stream is asked for when its page is seen; one that could not be had is asked for again. Its element says how
  // far it is: asked, open, or over.
  const source = (event) => event.detail?.ctx?.sourceElement ?? event.target;
  const is = (element, ...states) => states.includes(element.dataset.live);
  const seen = () => {
    if (document.hidden) return;
    const waiting = every("[data-live='']");
    for (const element of waiting) htmx.trigger(element, "visible");
    // One that htmx has not seen yet hears nothing: it is told again.
    if (waiting.length > 0) setTimeout(seen, 150);
  };
  const again = (element) => setTimeout(() => {
    if (is(element, "asked")) element.dataset.live = "";
    seen();
  }, 3000);
  document.addEventListener("htmx:before:request", (event) => {
    const element = source(event);
    if (is(element, "")) element.dataset.live = "asked";
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const element = source(event);
    if (!is(element, "asked")) return;
    lost();
    again(element);
  });
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("htmx:after:swap", () => setTimeout(seen));
  setTimeout(seen);

  // Whoever looks is told when what is shown is not kept up to date.
  const told = document.getElementById("lost");
  let since = new Date();
  const heard = () => { since = new Date(); if (told && !told.hidden) told.hidden = true; };
  const lost = () => {
    if (!told || document.hidden || !told.hidden) return;
    told.querySelector("time").textContent = since.toLocaleTimeString();
    told.hidden = false;
  };
  document.addEventListener("htmx:sse:after:connection", (event) => { event.target.dataset.live = "open"; heard(); });
  document.addEventListener("htmx:sse:after:message", heard);
  document.addEventListener("htmx:sse:error", lost);
  document.addEventListener("htmx:sse:close", ({ target, detail }) => {
    target.dataset.live = detail?.reason === "message" ? "over" : "asked";
    if (is(target, "asked")) again(target);
  });

  // A log has each line once, however often it is sent, and stays at its end if it is there.
  const log = document.getElementById("log");
  const lines = new Set();
  let follows = true;
  document.addEventListener("htmx:before:swap", () => {
    if (log) follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  const trim = () => {
    for (const line of every("[data-id]:not([data-known])", log)) {
      if (lines.has(line.dataset.id)) line.remove();
      else { lines.add(line.dataset.id); line.dataset.known = ""; }
    }
    const most = Number(log.dataset.most);
    while (log.children.length > most) log.firstElementChild.remove();
    // What is so old is not sent again.
    for (const id of lines) { if (lines.size <= 4 * most) break; lines.delete(id); }
    if (follows) log.scrollTop = log.scrollHeight;
  };

  // A function that has changed is compared anew.
  const chips = () => document.querySelector("#live .chips")?.textContent;
  let state = chips();
  document.addEventListener("htmx:after:swap", () => {
    const now = chips();
    if (state && now && now !== state) htmx.trigger(document, "again");
    state = now;
    if (log) trim();
  });

  // Where the whole picture has no room, its middle is the usual way.
  const picture = document.querySelector(".machine .scroll");
  if (picture) picture.scrollLeft = (picture.scrollWidth - picture.clientWidth) / 2;
})();

// What a page does beyond what it can do without a script: it keeps itself up to date, asks before what cannot be undone,
// and shows of a form what its choice needs.
"use strict";

const parts = () => document.querySelectorAll("[data-live]");

// A part in which somebody is at work is left as it is until they are done.
const isBusy = (part) =>
  part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button") ||
  part.querySelector("input:checked") !== null;

async function refresh() {
  const answer = await fetch(location.href, { headers: { "x-refresh": "1" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts()) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (other && other.innerHTML !== part.innerHTML && !isBusy(part)) part.innerHTML = other.innerHTML;
  }
  const count = fresh.querySelector("nav[aria-label=Site]");
  if (count) document.querySelector("nav[aria-label=Site]").innerHTML = count.innerHTML;
}

if (parts().length > 0) {
  let news = null;
  let running = false;
  const renew = async () => {
    if (running || document.hidden) return;
    running = true;
    try { await refresh(); } catch (error) { console.debug(error); } finally { running = false; }
  };
  const listen = () => {
    news = new EventSource("/live");
    news.addEventListener("written", renew);
  };
  listen();
  document.addEventListener("visibilitychange", renew);
  // A page that somebody left may be kept to come back to: it must not keep its connection, of which there are few.
  addEventListener("pagehide", () => news.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) { listen(); renew(); }
  });
}

document.addEventListener("submit", (event) => {
  const ask = event.submitter?.dataset.ask ?? event.target.dataset.ask;
  if (ask && !confirm(ask)) event.preventDefault();
});

for (const form of document.querySelectorAll("[data-kinds]")) {
  const show = () => {
    const kind = form.elements.kind.value;
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(kind);
  };
  form.addEventListener("change", show);
  show();
}

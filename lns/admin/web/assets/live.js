// What changes on the server is shown without loading the page again: after an event of the stream the view is asked for once more,
// and the parts marked data-live take its place. Without this script the page shows the same, as it was when it was loaded.
"use strict";

const pulse = document.getElementById("pulse");
let pause = 1000; // at most one look a second, however many log in, and longer when a view takes long to make

let due = 0;
let asked = 0;
let busy = false;

function say(text, state) {
  if (!pulse || pulse.textContent === text) return;
  pulse.textContent = text;
  pulse.className = "pulse " + state;
}

// later asks for the view again, soon. While somebody types or points into a part, that part waits.
function later() {
  if (due || document.hidden) return;
  due = setTimeout(refresh, Math.max(0, asked + pause - Date.now()));
}

async function refresh() {
  due = 0;
  if (busy) return later();
  busy = true;
  asked = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { "X-Lnsgate-Live": "1" }, cache: "no-store" });
    if (answer.status === 401) return location.reload();
    if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    say("not connected", "off");
  } finally {
    busy = false;
    pause = Math.min(30000, Math.max(1000, 5 * (Date.now() - asked)));
  }
}

function put(next) {
  for (const fresh of next.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (!old || old.innerHTML === fresh.innerHTML) continue;
    const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    if (old.contains(document.activeElement) && !focus) continue;
    const known = new Set([...old.querySelectorAll("tr[id]")].map((row) => row.id));
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...old.querySelectorAll(".scroll, .map")].map((one) => [one.scrollLeft, one.scrollTop]);
    const hadRows = known.size > 0;
    old.replaceWith(document.importNode(fresh, true));
    const now = document.getElementById(fresh.id);
    now.querySelectorAll("details").forEach((one, i) => { one.open = open[i] || false; });
    now.querySelectorAll(".scroll, .map").forEach((one, i) => { if (scrolled[i]) [one.scrollLeft, one.scrollTop] = scrolled[i]; });
    if (hadRows) for (const row of now.querySelectorAll("tr[id]")) if (!known.has(row.id)) row.classList.add("fresh");
    if (focus) now.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }
  poll();
}

// poll asks again by itself while something long is under way.
function poll() {
  if (document.querySelector("[data-poll]")) later();
}

function listen() {
  const stream = new EventSource("/ui/events");
  stream.onopen = () => { say("live", "on"); later(); };
  stream.onerror = () => {
    say("not connected", "off");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
  for (const kind of ["attempt-began", "attempt-changed", "attempt-failed", "session-opened", "session-closed"]) stream.addEventListener(kind, later);
}

// Arrows walk over the picture of the addresses.
document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("[data-cells] a");
  if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
  const cells = [...cell.closest("[data-cells]").querySelectorAll("a")];
  const columns = getComputedStyle(cell.closest("[data-cells]")).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  const next = step && cells[cells.indexOf(cell) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

if (pulse) {
  listen();
  poll();
  setInterval(later, 30000); // what no event tells, such as counters
  document.addEventListener("visibilitychange", later);
}

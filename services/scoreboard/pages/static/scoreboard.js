"use strict";
// Makes text from outside safe to show, as the server does: control and bidirectional characters are written out.
globalThis.printable = (text) => String(text).replace(
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu,
  (found) => `[U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
// Keeps a page live: counts down its clocks, and fetches its panels again when the server reports a change.
// Without this script the browser reloads the page every 15 seconds.
(() => {
  const main = document.getElementById("main");
  const url = main.dataset.panels;
  const announcement = document.getElementById("announcement");
  const live = document.getElementById("live");
  const liveText = document.getElementById("live-text");
  const liveAge = document.getElementById("live-age");
  const SOON_S = 300, QUIET_MS = 500, FRESH_MS = 60000;
  let clockOffsetMs = 0, updated = Date.now(), fetchedAt = 0, timer = 0, fetching = false, refreshPending = false, connected = false;

  const two = (n) => String(n).padStart(2, "0");

  function span(seconds) {
    const s = Math.floor(Math.abs(seconds));
    const days = Math.floor(s / 86400);
    if (days >= 2) return `${days} d ${Math.floor(s / 3600) % 24} h`;
    const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
  }

  // Use the server's clock, not this machine's.
  function readClock() {
    const now = main.querySelector("[data-now]");
    if (now) clockOffsetMs = Date.parse(now.dataset.now) - Date.now();
  }

  function tick() {
    const now = Date.now() + clockOffsetMs;
    for (const cell of main.querySelectorAll("[data-due]")) {
      const left = (Date.parse(cell.dataset.due) - now) / 1000;
      const tone = left <= 0 ? "bad" : left < SOON_S ? "warn" : "good";
      cell.className = `left ${tone}`;
      cell.querySelector("use").setAttribute("href", left <= 0 ? "#i-alert" : "#i-clock");
      cell.querySelector(".figure").textContent = `${span(left)} ${left <= 0 ? "overdue" : "left"}`;
      const bar = cell.parentElement.querySelector("progress");
      if (bar) {
        bar.className = tone;
        bar.value = Math.min(bar.max, bar.max - left);
      }
    }
    const age = Math.floor((Date.now() - updated) / 1000);
    if (connected) liveAge.textContent = age < 1 ? "updated just now" : `updated ${age} s ago`;
    if (connected && Date.now() - updated > FRESH_MS) refresh();
  }

  function show(state, text) {
    live.dataset.state = state;
    liveText.textContent = text;
    if (state !== "live") liveAge.textContent = "";
  }

  function swap(html) {
    const focus = document.activeElement;
    const focusedHref = main.contains(focus) && focus !== main ? focus.getAttribute("href") : null;
    const nth = focusedHref ? [...main.querySelectorAll("a")].filter((a) => a.getAttribute("href") === focusedHref).indexOf(focus) : -1;
    const before = main.querySelector("[data-say]")?.textContent;
    main.innerHTML = html;
    if (focusedHref) [...main.querySelectorAll("a")].filter((a) => a.getAttribute("href") === focusedHref)[nth]?.focus();
    const after = main.querySelector("[data-say]")?.textContent;
    if (before !== after) announcement.textContent = after ?? "";
    main.dispatchEvent(new Event("panels"));
  }

  async function fetchPanels() {
    fetching = true;
    fetchedAt = Date.now();
    try {
      const answer = await fetch(url, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      swap(await answer.text());
      updated = Date.now();
      if (connected) show("live", "Live");
      readClock();
      tick();
    } catch {
      show("away", "No response; retrying");
    } finally {
      fetching = false;
      if (refreshPending) { refreshPending = false; refresh(); }
    }
  }

  // At most one fetch at a time and two per second; none while the page is hidden.
  function refresh() {
    if (document.hidden || fetching) { refreshPending = true; return; }
    clearTimeout(timer);
    timer = setTimeout(fetchPanels, Math.max(0, fetchedAt + QUIET_MS - Date.now()));
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && refreshPending) { refreshPending = false; refresh(); }
  });

  readClock();
  tick();
  setInterval(tick, 1000);
  if (!url) return;
  const events = new EventSource("/live");
  events.addEventListener("changed", refresh);
  events.addEventListener("open", () => { connected = true; show("live", "Live"); });
  events.addEventListener("error", () => { connected = false; show("away", "Connection lost; retrying"); });
})();

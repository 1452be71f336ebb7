"use strict";
// Keeps the board honest: shows how far the monitor is, and says when the page is stale or the monitor is.
(() => {
  const main = document.getElementById("main");
  const stale = document.getElementById("stale");
  const live = document.getElementById("live");
  const ROWS = 12, EVERY_MS = 5000, SILENT_MS = 75000, LOST_MS = 5000;
  let known = null, open = false, shownAt = Date.now(), lostAt = null;

  const cell = (row, text, className) => {
    const found = row.insertCell();
    found.textContent = printable(text);
    if (className) found.className = className;
  };

  function showTable(partitions) {
    const detail = document.getElementById("verdicts-detail");
    const body = detail.querySelector("tbody");
    const slowest = [...partitions].sort((a, b) => (b.behind_s ?? Infinity) - (a.behind_s ?? Infinity));
    body.replaceChildren();
    for (const each of slowest.slice(0, ROWS)) {
      const row = body.insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = each.partition;
      row.append(name);
      cell(row, each.behind_s === null ? "not known" : `${each.behind_s.toFixed(1)} s`, "num");
      cell(row, each.unread, "num");
      cell(row, each.slowest ?? "none");
    }
    detail.hidden = false;
    detail.open = open;
    detail.ontoggle = () => { open = detail.open; };
    const more = document.getElementById("verdicts-more");
    more.hidden = slowest.length <= ROWS;
    more.textContent = `And ${slowest.length - ROWS} more partitions.`;
  }

  function doubt(reason) {
    const mood = document.getElementById("mood");
    if (mood.dataset.mood === "good") {
      mood.className = "card mood warn";
      mood.querySelector("use").setAttribute("href", "#i-alert");
      document.getElementById("mood-word").textContent = mood.dataset.unsure;
    }
    const shown = document.getElementById("mood-reason");
    shown.textContent = printable(reason);
    shown.hidden = false;
  }

  // The panels are replaced with each change; what the monitor answered last is shown in them again.
  function show() {
    const part = document.getElementById("verdicts");
    if (!part || known === null) return;
    const summary = document.getElementById("verdicts-summary");
    const held = document.getElementById("verdicts-held");
    summary.textContent = known.summary ?? part.dataset.unreachable;
    summary.className = known.summary && !known.held.length ? "" : "trouble-text";
    held.replaceChildren(...(known.held ?? []).map((reason) => {
      const item = document.createElement("li");
      item.textContent = printable(reason);
      return item;
    }));
    if (known.partitions) showTable(known.partitions);
    if (!known.summary || known.held.length) doubt(summary.textContent);
  }

  async function ask() {
    if (document.hidden) return;
    const part = document.getElementById("verdicts");
    try {
      const answer = await fetch(part.dataset.watermarks, { headers: { accept: "application/json" } });
      known = answer.ok ? await answer.json() : {};
    } catch {
      known = {};
    }
    show();
  }

  function watch() {
    lostAt = live.dataset.state === "away" ? lostAt ?? Date.now() : null;
    const lost = lostAt !== null && Date.now() - lostAt > LOST_MS;
    const old = lost || Date.now() - shownAt > SILENT_MS;
    document.body.classList.toggle("is-stale", old);
    document.getElementById("stale-since").textContent = document.getElementById("as-of").textContent;
    stale.classList.toggle("hidden", !old);
  }

  main.addEventListener("panels", () => { shownAt = Date.now(); watch(); show(); });
  document.addEventListener("visibilitychange", () => { watch(); ask(); });
  setInterval(watch, 1000);
  setInterval(ask, EVERY_MS);
  ask();
})();

"use strict";
// Keeps the board honest: shows how the monitor and delivery stand, and says when the page or one of them is stale.
(() => {
  const main = document.getElementById("main");
  const stale = document.getElementById("stale");
  const live = document.getElementById("live");
  const ROWS = 12, EVERY_MS = 5000, SILENT_MS = 75000, LOST_MS = 5000;
  let watermarks = null, notices = null, duty = null, silences = null, open = false, shownAt = Date.now(), lostAt = null;

  function cell(row, text, label, className) {
    const found = row.insertCell();
    found.textContent = printable(text ?? "–");
    found.dataset.label = label;
    if (className) found.className = className;
    return found;
  }

  function heading(row, text) {
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = printable(text);
    row.append(name);
    return name;
  }

  function showPartitions(partitions) {
    const detail = document.getElementById("verdicts-detail");
    const body = detail.querySelector("tbody");
    const slowest = [...partitions].sort((a, b) => (b.behind_s ?? Infinity) - (a.behind_s ?? Infinity));
    body.replaceChildren();
    for (const each of slowest.slice(0, ROWS)) {
      const row = body.insertRow();
      heading(row, each.partition);
      cell(row, each.behind_s === null ? "not known" : `${each.behind_s.toFixed(1)} s`, "Behind", "num");
      cell(row, each.unread ?? "not known", "Unread", "num");
      cell(row, each.slowest ?? "none", "Slowest ingest");
    }
    detail.hidden = false;
    detail.open = open;
    detail.ontoggle = () => { open = detail.open; };
    const more = document.getElementById("verdicts-more");
    more.hidden = slowest.length <= ROWS;
    more.textContent = `And ${slowest.length - ROWS} more partitions.`;
  }

  function setMood(mood, tone, word) {
    mood.className = `card mood ${tone}`;
    mood.querySelector("use").setAttribute("href", tone === "good" ? "#i-check" : "#i-alert");
    document.getElementById("mood-word").textContent = word;
  }

  // Back to what the panels came with.
  function forgetDoubts() {
    const mood = document.getElementById("mood");
    mood.dataset.word ??= document.getElementById("mood-word").textContent;
    setMood(mood, mood.dataset.mood, mood.dataset.word);
    document.getElementById("mood-reasons").replaceChildren();
  }

  function doubt(reason) {
    const mood = document.getElementById("mood");
    if (mood.dataset.mood === "good") setMood(mood, "warn", mood.dataset.unsure);
    const item = document.createElement("p");
    item.textContent = printable(reason);
    document.getElementById("mood-reasons").append(item);
  }

  function sum(part, answer, wrong) {
    const shown = part.querySelector("p");
    shown.textContent = printable(answer.summary ?? part.dataset.unreachable);
    shown.className = wrong ? "trouble-text" : "";
    if (wrong) doubt(shown.textContent);
  }

  function showVerdicts(part) {
    sum(part, watermarks, !watermarks.summary || watermarks.held.length > 0);
    document.getElementById("verdicts-held").replaceChildren(...(watermarks.held ?? []).map((reason) => {
      const item = document.createElement("li");
      item.textContent = printable(reason);
      return item;
    }));
    if (watermarks.partitions) showPartitions(watermarks.partitions);
  }

  function pill(into, state) {
    const found = document.createElement("span");
    found.className = state === "failed" ? "pill bad" : "pill good";
    found.innerHTML = `<svg class="icon" aria-hidden="true"><use href="#i-${state === "failed" ? "alert" : "check"}" /></svg>`;
    found.append(state);
    into.replaceChildren(found);
  }

  function showNotices(part) {
    sum(part, notices, !notices.summary || notices.failed > 0);
    const table = part.querySelector("table");
    const body = table.tBodies[0];
    body.replaceChildren();
    for (const each of notices.latest ?? []) {
      const row = body.insertRow();
      heading(row, each.person ? `${each.person} (${each.role})` : each.role);
      const about = cell(row, "", "About");
      const link = document.createElement("a");
      link.href = `/leads/${encodeURIComponent(each.lead_id)}`;
      link.textContent = printable(`${each.kind}: ${each.promise.replaceAll("_", " ")}`);
      about.replaceChildren(link);
      cell(row, each.channel ?? "none", "Channel");
      const when = cell(row, moment(each.ended_at ?? each.created_at, part.dataset.zone), "When");
      if (each.state === "failed" && each.reason) when.append(` · ${printable(each.reason)}`);
      pill(cell(row, "", "State", "key"), each.state);
    }
    table.hidden = !notices.latest?.length;
  }

  // Only roles for which someone stands in differ from what the agreement says.
  function showDuty(part) {
    for (const each of duty.items ?? []) {
      if (!each.overrides.length) continue;
      let row = [...part.querySelectorAll("[data-role]")].find((found) => found.dataset.role === each.role);
      if (!row) {
        row = document.createElement("div");
        row.dataset.role = each.role;
        row.append(document.createElement("dt"), document.createElement("dd"));
        row.firstChild.textContent = each.role.replaceAll("_", " ");
        part.querySelector("dl").append(row);
      }
      const person = document.createElement("b");
      person.textContent = printable(each.person ?? "nobody");
      const more = document.createElement("span");
      more.className = "sub";
      const now = standingIn(each);
      const until = each.until_at ? ` until ${moment(each.until_at, part.dataset.zone)}` : " always";
      more.textContent = printable(until + (now ? `, standing in (arranged by ${now.by})` : ""));
      row.querySelector("dd").replaceChildren(person, more);
    }
  }

  function showSilences(part) {
    const items = silences.items ?? [];
    part.hidden = items.length === 0;
    document.getElementById("silences-list").replaceChildren(...items.map((each) => {
      const item = document.createElement("li"), what = document.createElement("p"), link = document.createElement("a");
      what.className = "how";
      what.textContent = silenceText(each, part.dataset.zone);
      link.className = "button quiet";
      link.href = `/operations/silences/${encodeURIComponent(each.silence_id)}`;
      link.textContent = "End";
      const of = document.createElement("span");
      of.className = "hidden";
      of.textContent = ` the silence of ${silenced(each)}`;
      link.append(of);
      item.append(what, link);
      return item;
    }));
  }

  // The panels are replaced with each change; what was answered last is shown in them again.
  function show() {
    forgetDoubts();
    if (watermarks) showVerdicts(document.getElementById("verdicts"));
    if (notices) showNotices(document.getElementById("notices"));
    if (duty) showDuty(document.getElementById("on-duty"));
    if (silences) showSilences(document.getElementById("silences"));
  }

  async function ask(path) {
    try {
      const answer = await fetch(path, { headers: { accept: "application/json" } });
      return answer.ok ? await answer.json() : {};
    } catch {
      return {};
    }
  }

  async function askAll() {
    if (document.hidden) return;
    [watermarks, notices, duty, silences] = await Promise.all([
      ask(document.getElementById("verdicts").dataset.watermarks),
      ask(document.getElementById("notices").dataset.notices),
      ask(document.getElementById("on-duty").dataset.duty),
      ask(document.getElementById("silences").dataset.silences),
    ]);
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
  document.addEventListener("visibilitychange", () => { watch(); askAll(); });
  setInterval(watch, 1000);
  setInterval(askAll, EVERY_MS);
  askAll();
})();

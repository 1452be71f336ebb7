"use strict";
// Shows the pilots of the agreement in force, with the router's figures for both arms.
(async () => {
  const part = document.getElementById("pilots");
  if (!part) return;
  const LIVE = [
    ["leads", "leads"], ["qualified", "qualified"], ["qualified_share", "share of leads qualified"], ["rejected", "rejected"],
    ["parked", "parked"], ["accepted", "accepted by sales"], ["accepted_share", "share accepted by sales"],
    ["rejected_by_sales", "rejected by sales"], ["won", "won"], ["lost", "lost"], ["win_rate", "win rate"],
  ];
  const SHADOW = ["assigned", "parked", "rejected"].map((verdict) => [verdict, verdict]);

  function el(name, ...children) {
    const element = document.createElement(name);
    element.append(...children.map((child) => (child instanceof Node ? child : printable(child))));
    return element;
  }

  function figure(arm, key) {
    const value = (arm || {})[key];
    if (/share|rate/.test(key)) return value === null || value === undefined ? "no data" : `${(value * 100).toFixed(1)} %`;
    return String(value ?? 0);
  }

  function comparison(names, arms) {
    const head = el("tr", ...["", "Under the draft", "As decided"].map((text) => el("th", text)));
    const rows = names.map(([key, label]) => {
      const name = el("th", label);
      name.scope = "row";
      return el("tr", name, el("td", figure(arms.draft, key)), el("td", figure(arms.in_force, key)));
    });
    return el("table", el("thead", head), el("tbody", ...rows));
  }

  function panel(pilot) {
    const live = pilot.mode === "live";
    const summary = live
      ? "It decides for the leads in its scope. The other column is all other leads since its first one."
      : `It only records what it would decide. It differs on ${pilot.arms.differ} of ${pilot.arms.inquiries} inquiries.`;
    const empty = live && !pilot.since;
    return [
      el("h3", `${pilot.pilot} (${live ? "live" : "in shadow"})`),
      el("p", empty ? "There are no leads in its scope yet." : summary),
      ...(empty ? [] : [comparison(live ? LIVE : SHADOW, pilot.arms)]),
    ];
  }

  try {
    const answer = await fetch("/v1/pilots", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const { items = [] } = await answer.json();
    if (!items.length) return;
    document.getElementById("pilots-list").replaceChildren(...items.flatMap(panel));
    part.classList.remove("hidden");
  } catch {
    // The router may not be reachable from this page.
  }
})();

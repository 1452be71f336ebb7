"use strict";
// Shows the pilots of the agreement in force: what became of the leads of both arms, and of the promises on them.
(async () => {
  const part = document.getElementById("pilots");
  if (!part) return;
  const LEADS = [
    ["first_at", "first lead received"], ["last_at", "last lead received"], ["leads", "leads"], ["qualified", "qualified"], ["qualified_share", "share of leads qualified"], ["rejected", "rejected"],
    ["parked", "parked"], ["accepted", "accepted by sales"], ["accepted_share", "share accepted by sales"],
    ["rejected_by_sales", "rejected by sales"], ["won", "won"], ["lost", "lost"], ["win_rate", "win rate"],
  ];
  const PROMISES = [
    ["met", "first responses met"], ["breached", "breached"], ["running", "still running"], ["cancelled", "cancelled: the lead moved or ended first"],
    ["attainment", "attainment (share met of met and breached)"], ["median_first_response_s", "half answered within"],
  ];
  const SHARES = {
    qualified_share: ["qualified", "leads"], accepted_share: ["accepted", "accepted", "rejected_by_sales"],
    win_rate: ["won", "won", "lost"], attainment: ["met", "met", "breached"],
  };
  const FEW = 30;
  const VERDICTS = ["assigned", "parked", "rejected"].map((verdict) => [verdict, verdict]);

  function el(name, ...children) {
    const element = document.createElement(name);
    element.append(...children.map((child) => (child instanceof Node ? child : printable(child))));
    return element;
  }

  function figure(arm, key) {
    const value = (arm || {})[key];
    const missing = value === null || value === undefined;
    if (key === "median_first_response_s") return missing ? (arm && arm.breached ? "half or more breached" : "no data") : duration(value);
    if (key in SHARES) return missing ? "no data" : share(value, ...SHARES[key].map((name) => arm[name]));
    if (key.endsWith("_at")) return missing ? "–" : value.slice(0, 10);
    return String(value ?? 0);
  }

  function share(value, part, ...whole) {
    return `${(value * 100).toFixed(1)} % (${part} of ${whole.reduce((sum, number) => sum + number)})`;
  }

  function duration(seconds) {
    const minutes = Math.round(seconds / 60);
    if (minutes < 1) return `${Math.round(seconds)} s`;
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function comparison(names, arms, heads) {
    const head = el("tr", ...["", ...heads].map((text) => el("th", text)));
    const rows = names.map(([key, label]) => {
      const name = el("th", label);
      name.scope = "row";
      return el("tr", name, el("td", figure(arms.draft, key)), el("td", figure(arms.in_force, key)));
    });
    return el("table", el("thead", head), el("tbody", ...rows));
  }

  function panel(pilot, promises) {
    const live = pilot.mode === "live";
    const arms = live ? pilot.arms : pilot.decided;
    const decided = arms.draft && [
      el("p", "Leads in its scope of the last 90 days, each in the column of what decided on it first. A live pilot decides on all leads in its scope, so the columns are of different times: compare them with care."),
      ...(Math.min(arms.draft.leads, arms.in_force.leads) < FEW ? [el("p", `A column has fewer than ${FEW} leads: differences between the columns may be chance.`)] : []),
      comparison([...LEADS, ...(promises ? PROMISES : [])], { draft: { ...arms.draft, ...promises?.draft }, in_force: { ...arms.in_force, ...promises?.in_force } }, ["Draft, while live", "Agreement in force"]),
    ];
    const summary = live
      ? "It decides for the leads in its scope."
      : `It only records what it would decide. It differs on ${pilot.arms.differ} of ${pilot.arms.inquiries} inquiries.`;
    const would = live ? [] : [
      comparison(VERDICTS, pilot.arms, ["The draft would have", "As decided"]),
      el("p", "The draft's column has verdicts only. Nobody was given a lead by it, so nobody answered under its promises."),
    ];
    return [
      el("h3", `${pilot.pilot} (${live ? "live" : "in shadow"})`),
      el("p", live && !decided ? "There are no leads in its scope yet." : summary),
      ...would,
      ...(decided || []),
    ];
  }

  async function read(path) {
    const answer = await fetch(path, { headers: { accept: "application/json" } });
    return answer.ok ? (await answer.json()).items : null;
  }

  try {
    const [items, promises] = await Promise.all([read("/v1/pilots"), read("/v1/pilots/promises")]);
    if (!items?.length) return;
    const arms = promises && new Map(promises.map((each) => [each.pilot, each.arms]));
    document.getElementById("pilots-list").replaceChildren(...items.flatMap((pilot) => panel(pilot, arms && (arms.get(pilot.pilot) || {}))));
    part.classList.remove("hidden");
  } catch {
    // The router may not be reachable from this page.
  }
})();

"use strict";
// Lays out the router's proof on a lead's page, one part per verdict, newest first. The words come from the server
// (`services/router/domain/proof_text.py`) and go in as text, never as markup.
(() => {
  const main = document.getElementById("main");
  let known = null;

  const PILLS = {
    assigned: ["good", "check"], reassigned: ["good", "check"], parked: ["warn", "pause"],
    rejected: ["quiet", "cross"], merged: ["quiet", "merge"], split: ["quiet", "merge"],
    passed: ["good", "check"], failed: ["bad", "cross"], decided: ["good", "check"], applies: ["good", "check"], "passed on": ["warn", "merge"],
    "did not match": ["quiet", "cross"], "got it": ["good", "check"], "by a similar name": ["warn", "alert"],
    "by the same name": ["good", "check"], "same company": ["good", "check"],
  };

  function el(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    const shown = children.flat().filter((child) => child || child === 0);
    made.append(...shown.map((child) => (child instanceof Node ? child : printable(child))));
    return made;
  }

  function link(href, text) {
    const made = el("a", "", text);
    made.href = href;
    return made;
  }

  function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("class", "icon");
    drawing.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", `#i-${name}`);
    drawing.append(use);
    return drawing;
  }

  const pill = (tone, shape, word) => el("span", `pill ${tone}`, icon(shape), word);
  const badge = (word) => pill(...(PILLS[word] ?? ["quiet", "dot"]), word);
  const lead = (id) => link(`/leads/${encodeURIComponent(id)}`, id);

  function moment(text, zone) {
    const at = new Date(text);
    const shown = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    }).format(at);
    const made = el("time", "", shown.replace(",", ""));
    made.dateTime = at.toISOString();
    return made;
  }

  // A piece of text is a string, or an object for an instant, a lead or a badge.
  function piece(one, zone) {
    if (typeof one === "string") return one;
    if (one.at) return moment(one.at, zone);
    return one.lead ? lead(one.lead) : badge(one.result);
  }

  const pieces = (text, zone) => [text].flat().map((one) => piece(one, zone));

  function checks(part) {
    const items = part.items.map((item) =>
      el("li", "", el("span", "tried", el("b", "", item.title), badge(item.result)),
        item.lines.map((line) => el("span", "sub", line))));
    return el(part.ordered ? "ol" : "ul", "checks", items);
  }

  function table({ caption, heads, rows }, zone) {
    const head = el("tr", "", heads.map((name) => {
      const cell = el("th", "", name);
      cell.scope = "col";
      return cell;
    }));
    const body = rows.map((cells) => el("tr", "", cells.map((cell, place) => {
      const made = el(place ? "td" : "th", "", pieces(cell, zone));
      if (place) made.dataset.label = heads[place];
      else made.scope = "row";
      return made;
    })));
    return el("table", "stack", el("caption", "hidden", caption), el("thead", "", head), el("tbody", "", body));
  }

  function section(part, number, zone) {
    const heading = el("h3", "", part.title);
    heading.id = `h-${part.name}-${number}`;
    const made = el("section", "", heading,
      part.intro && el("p", "", pieces(part.intro, zone)),
      part.items && checks(part),
      part.table && table(part.table, zone),
      (part.notes ?? []).map((note) => el("p", "sub", note)));
    made.setAttribute("aria-labelledby", heading.id);
    return made;
  }

  function follows(verdict) {
    const shown = pill(...(verdict.follows ? ["good", "check"] : ["bad", "alert"]), verdict.text.follows);
    if (verdict.follows) return el("p", "verdict", shown);
    return el("div", "", el("p", "verdict", shown),
      el("ul", "why", (verdict.differences ?? []).map((text) => el("li", "", text))));
  }

  function agreement(verdict) {
    const of = verdict.agreement, name = verdict.text.agreement;
    return verdict.pilot ? name : link(`/agreement?version=${encodeURIComponent(of.version)}`, name);
  }

  function article(verdict, number, zone) {
    const text = verdict.text;
    const heading = el("h2", "", text.title, badge(verdict.verdict));
    heading.id = `h-verdict-${number}`;
    const made = el("section", "card proof", heading, el("p", "headline", text.headline),
      el("p", "sub", pieces(text.decided, zone), agreement(verdict)),
      follows(verdict), el("div", "parts", text.parts.map((part) => section(part, number, zone))));
    made.setAttribute("aria-labelledby", heading.id);
    return made;
  }

  function brief(verdicts) {
    const newest = verdicts.findLast((each) => each.verdict !== "merged") ?? verdicts.at(-1);
    const items = [newest.text.headline, ...newest.text.passed_over].map((text) => el("li", "", text));
    return [el("ul", "why", items), follows(newest)];
  }

  function show() {
    const place = main.querySelector("[data-proof]");
    if (!place || !known) return;
    const { verdicts, next_cursor: older } = known;
    if ("brief" in place.dataset) {
      if (verdicts.length) place.replaceChildren(...brief(verdicts));
    } else if (verdicts.length) {
      const newestFirst = verdicts.map((verdict, index) => [verdict, index + 1]).reverse();
      place.replaceChildren(...newestFirst.map(([each, number]) => article(each, number, place.dataset.zone)));
      if (older) place.append(el("p", "sub", link(`?cursor=${encodeURIComponent(older)}`, place.dataset.older)));
    } else {
      showProblem(place, place.dataset.none);
    }
  }

  function showProblem(place, why) {
    if (!("brief" in place.dataset)) place.replaceChildren(el("p", "card empty", why));
  }

  async function fetchProof() {
    show();
    const place = main.querySelector("[data-proof]");
    if (!place) return;
    try {
      const answer = await fetch(place.dataset.proof, { headers: { accept: "application/json" } });
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        showProblem(place, problem.detail ?? place.dataset.unreachable);
        return;
      }
      known = await answer.json();
      show();
    } catch {
      showProblem(place, place.dataset.unreachable);
    }
  }


  main.addEventListener("panels", fetchProof);
  fetchProof();
})();

"use strict";
// Fills a lead's page with the router's proof, in words: one part per verdict, newest first. Whatever the router or a
// stranger wrote goes in as text, never as markup.
(() => {
  const main = document.getElementById("main");
  let known = null;

  const OPS = {
    is: "is", is_not: "is something other than", in: "is one of", not_in: "is none of",
    ">": "is more than", ">=": "is at least", "<": "is less than", "<=": "is at most", between: "is between",
    contains: "contains", starts_with: "starts with", ends_with: "ends with", matches: "matches the pattern",
  };
  const WHOSE = { contact: "the person’s", company: "the company’s", inquiry: "the inquiry’s" };
  const PILLS = {
    assigned: ["good", "check"], reassigned: ["good", "check"], parked: ["warn", "pause"],
    rejected: ["quiet", "cross"], merged: ["quiet", "merge"],
  };
  const RESULTS = {
    passed: ["good", "check"], failed: ["bad", "cross"], decided: ["good", "check"], "passed on": ["warn", "merge"],
    "did not match": ["quiet", "cross"],
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
  const lead = (id) => link(`/leads/${encodeURIComponent(id)}`, id);
  const spaced = (text) => text.replaceAll("_", " ");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const sentence = (text) => capital(text) + (/[.!?]$/.test(text) ? "" : ".");
  const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;

  function moment(text, zone) {
    const at = new Date(text);
    const shown = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    }).format(at);
    const made = el("time", "", shown.replace(",", ""));
    made.dateTime = at.toISOString();
    return made;
  }

  function fact(name) {
    const dot = name.lastIndexOf(".");
    if (dot < 0) return spaced(name);
    const whose = name.slice(0, dot);
    const what = { employees: "number of employees", email: "e-mail address" }[name.slice(dot + 1)];
    return `${WHOSE[whose] ?? `the ${spaced(whose).replaceAll(".", " ")}’s`} ${what ?? spaced(name.slice(dot + 1))}`;
  }

  function value(seen) {
    if (seen === null || seen === undefined) return "nothing";
    if (typeof seen === "boolean") return seen ? "yes" : "no";
    if (typeof seen === "number") return seen.toLocaleString("en-GB");
    if (Array.isArray(seen)) return seen.map(value).join(", ");
    if (typeof seen === "object") return Object.values(seen).map(value).join(" ");
    return `“${seen}”`;
  }

  // What a comparison asked for, and what it saw.
  function compared(one) {
    const held = one.outcome === "matched", absent = one.outcome === "absent";
    if (one.op === "account") return held ? "Somebody owns the company." : "Nobody owns the company.";
    if (one.op === "lead") return held ? "Somebody had this lead before." : "Nobody had this lead before.";
    if (one.op === "cel") {
      const came = absent ? `could not be worked out: ${one.seen}` : held ? "holds" : "does not hold";
      return `The expression ${value(one.expected)} ${came}.`;
    }
    if (one.op === "signal") {
      return `${capital(spaced(one.field))}: asked for ${one.expected}, seen ${many(one.seen ?? 0, "time", "times")}.`;
    }
    const name = fact(one.field);
    if (one.op === "exists" || one.op === "missing") {
      const here = (one.op === "exists") === held;
      return here ? `${capital(name)} is known.` : `${capital(name)} is not known.`;
    }
    const expected = one.op === "between" && Array.isArray(one.expected)
      ? one.expected.map(value).join(" and ") : value(one.expected);
    const asked = `${capital(name)} ${OPS[one.op] ?? spaced(one.op)} ${expected}`;
    if (!absent) return `${asked}: ${held ? "yes" : "no"}, it is ${value(one.seen)}.`;
    return one.seen === null || one.seen === undefined
      ? `${asked}: it is not known.` : `${asked}: ${value(one.seen)} can’t be compared with that.`;
  }

  function tried(title, result, lines) {
    const [tone, shape] = RESULTS[result];
    return el("li", "", el("span", "tried", el("b", "", title), pill(tone, shape, result)),
      lines.map((line) => el("span", "sub", line)));
  }

  function checkTitle(part, passed) {
    const [name, said] = [part.split(": ")[0], part.slice(part.indexOf(": ") + 2)];
    if (name === "minimum data") return `${capital(fact(said))} is given`;
    if (name === "not excluded") return passed ? `Not excluded as ${spaced(said)}` : `Excluded as ${spaced(said)}`;
    if (name === "consent") return `Consent: ${spaced(said)}`;
    if (name === "score") return `Score: ${said.replace(" of ", " points, at least ")} wanted`;
    return name === "fit" ? "A good fit" : capital(part);
  }

  function part(id, title, ...children) {
    const heading = el("h3", "", title);
    heading.id = id;
    const made = el("section", "", heading, ...children);
    made.setAttribute("aria-labelledby", id);
    return made;
  }

  function table(caption, heads, rows) {
    const head = el("tr", "", heads.map((name) => {
      const cell = el("th", "", name);
      cell.scope = "col";
      return cell;
    }));
    const body = rows.map((cells) => el("tr", "", cells.map((cell, place) => {
      const made = el(place ? "td" : "th", "", cell);
      if (place) made.dataset.label = heads[place];
      else made.scope = "row";
      return made;
    })));
    return el("table", "stack", el("caption", "hidden", caption), el("thead", "", head), el("tbody", "", body));
  }

  function checksPart(id, verdict) {
    const checks = verdict.qualification ?? [];
    if (!checks.length) return null;
    const items = checks.map((check) =>
      tried(checkTitle(check.part, check.passed), check.passed ? "passed" : "failed", check.compared.map(compared)));
    const failed = !checks.at(-1).passed;
    const test = verdict.inquiry?.test ? "This was a test: it is judged, and nobody gets it." : "";
    return part(id, "Is it a lead?", el("ul", "checks", items),
      failed && el("p", "sub", "What the agreement asks after that was not looked at."), test && el("p", "sub", test));
  }

  function scorePart(id, verdict, zone) {
    const parts = verdict.scoring ?? [];
    if (!verdict.qualification) return null;
    const points = (count) => (count > 0 ? `+${count}` : String(count)).replace("-", "−");
    const rows = parts.map((each) => [
      each.reason,
      points(each.points),
      points(each.full),
      [each.remembered ? "remembered from an earlier inquiry" : "", each.at
        ? [each.remembered ? ", " : "", Math.abs(each.points) < Math.abs(each.full) ? "faded since " : "done ",
          moment(each.at, zone)] : ""].flat(),
    ]);
    return part(id, `Score: ${many(verdict.score ?? 0, "point", "points")}`, rows.length
      ? table("What counted for the score", ["For", "Now", "Of full", "When"], rows)
      : el("p", "empty", "Nothing in the agreement’s scoring matched."));
  }

  function rulesPart(id, verdict) {
    const asked = verdict.ask?.kind;
    const skipped = new Map((verdict.skipped ?? []).map((each) => [each.rule, each.why]));
    if (!verdict.routing || (asked && asked !== "drained" && !skipped.size)) return null;
    const items = verdict.routing.map((rule) => {
      const lines = rule.compared.map(compared);
      if (rule.part === verdict.rule) {
        return tried(rule.part, "decided", lines.length ? lines : ["It holds for every lead."]);
      }
      if (!rule.passed) return tried(rule.part, "did not match", lines);
      return tried(rule.part, "passed on", [...lines, sentence(skipped.get(rule.part) ?? "it could not decide")]);
    });
    return part(id, "Rules, in order", el("ol", "checks", items));
  }

  // Exact until the last step: balances may exceed what a number holds.
  function leads(balance, denominator) {
    const hundredths = Number((BigInt(balance) * 1000n) / BigInt(denominator)) / 1000;
    if (Math.abs(hundredths) < 0.005) return "even";
    return `${Math.abs(hundredths).toFixed(2)} ${hundredths > 0 ? "behind" : "ahead"}`;
  }

  function turnPart(id, verdict) {
    const turn = verdict.turn;
    const over = turn?.passed_over ?? verdict.passed_over ?? {};
    if (!turn) {
      if (!Object.keys(over).length) return null;
      const rows = Object.entries(over).map(([rep, why]) => [rep, capital(why)]);
      return part(id, "Nobody could take it", table("Who was passed over and why", ["Rep", "Why not"], rows));
    }
    const all = Object.values(turn.weights).reduce((sum, weight) => sum + weight, 0);
    const byLoad = Boolean(turn.held && Object.keys(turn.held).length);
    const reps = [turn.rep, ...Object.keys(turn.weights).filter((rep) => rep !== turn.rep),
      ...Object.keys(over).filter((rep) => !(rep in turn.weights))];
    const rows = reps.map((rep) => [
      rep,
      rep in turn.weights ? `${Math.round((100 * turn.weights[rep]) / all)} %` : "–",
      String(turn.taken_before?.[rep] ?? 0),
      byLoad ? String(turn.held[rep] ?? "–") : leads(turn.balances_before?.[rep] ?? "0", turn.denominator),
      rep === turn.rep ? pill("good", "check", "got it") : capital(over[rep] ?? ""),
    ]);
    const heads = ["Rep", "Share", "Had", byLoad ? "Holds open" : "Against share", "Came of it"];
    const counts = byLoad ? "The rep with the fewest open leads for their share is next."
      : "“Behind” is how many leads a rep was short of their share before this turn; whoever is owed a lead soonest is next.";
    return part(id, `Whose turn: number ${turn.number} in ${turn.pool}`,
      el("p", "", `${turn.rep} got it: ${turn.why}.`),
      table("The candidates before this turn", heads, rows), el("p", "sub", counts));
  }

  function ownerPart(id, verdict) {
    const owner = verdict.account;
    if (!owner) return null;
    const near = owner.how.includes("similar name");
    const how = near ? pill("warn", "alert", "by a similar name") : pill("good", "check",
      owner.how.includes("same name") ? "by the same name" : "same company");
    return part(id, "Who has the company already",
      el("p", "", `${owner.rep} ${owner.how}, with lead `, lead(owner.lead_id), ". ", how),
      near && el("p", "sub", "Names that are nearly the same count as one company; look whether this is right."));
  }

  function title(verdict) {
    const names = { assigned: `Assigned to ${verdict.rep}`, reassigned: `Moved to ${verdict.rep}`,
      parked: "Parked", rejected: "Not a lead for sales", merged: "Joined to this lead" };
    return names[verdict.verdict] ?? capital(verdict.verdict);
  }

  function follows(verdict) {
    if (verdict.follows) return el("p", "verdict", pill("good", "check", "derived again from the record: same result"));
    return el("div", "", el("p", "verdict", pill("bad", "alert", "does not follow from the record")),
      el("ul", "why", (verdict.differences ?? []).map((text) => el("li", "", text))));
  }

  function origin(verdict, leadId, zone) {
    const asked = verdict.inquiry, said = [];
    if (asked) {
      said.push(`${capital(spaced(asked.kind))} through ${asked.source}, `, moment(asked.accepted_at, zone));
      if (asked.lead_id !== leadId) said.push(", under the id ", lead(asked.lead_id));
      said.push(". ");
    }
    return said;
  }

  function deal(verdict) {
    const of = verdict.agreement, name = `${of.name}, version ${of.version}`;
    if (verdict.pilot) return `the pilot ${verdict.pilot} (${name})`;
    return link(`/agreement?version=${encodeURIComponent(of.version)}`, name);
  }

  function article(verdict, number, leadId, zone) {
    const id = (name) => `h-${name}-${number}`;
    const heading = el("h2", "", title(verdict), pill(...(PILLS[verdict.verdict] ?? ["quiet", "dot"]), verdict.verdict));
    heading.id = id("verdict");
    const parts = [checksPart(id("checks"), verdict), rulesPart(id("rules"), verdict),
      scorePart(id("score"), verdict, zone), turnPart(id("turn"), verdict), ownerPart(id("owner"), verdict)];
    const made = el("section", "card proof", heading, el("p", "headline", sentence(verdict.reason)),
      el("p", "sub", origin(verdict, leadId, zone), "Decided ", moment(verdict.decided_at, zone), " under ",
        deal(verdict), ". "),
      follows(verdict), el("div", "parts", parts.filter(Boolean)));
    made.setAttribute("aria-labelledby", heading.id);
    return made;
  }

  function brief(verdicts) {
    const newest = verdicts.findLast((each) => each.verdict !== "merged") ?? verdicts.at(-1);
    const over = Object.entries(newest.turn?.passed_over ?? newest.passed_over ?? {});
    const items = [el("li", "", sentence(newest.reason)),
      ...over.map(([rep, why]) => el("li", "", `Not ${rep}: ${why}.`))];
    return [el("ul", "why", items), follows(newest)];
  }

  function show() {
    const place = main.querySelector("[data-proof]");
    if (!place || !known) return;
    const { verdicts, lead_id: leadId } = known;
    if ("brief" in place.dataset) {
      if (verdicts.length) place.replaceChildren(...brief(verdicts));
    } else if (verdicts.length) {
      const newestFirst = verdicts.map((verdict, place_) => [verdict, place_ + 1]).reverse();
      place.replaceChildren(...newestFirst.map(([each, n]) => article(each, n, leadId, place.dataset.zone)));
    } else {
      sayNothing(place, "There is no verdict on this lead under this id.");
    }
  }

  function sayNothing(place, why) {
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
        sayNothing(place, problem.detail ?? "The router does not answer. Try again in a moment.");
        return;
      }
      known = await answer.json();
      show();
    } catch {
      sayNothing(place, "The router can’t be reached from this page. Try again in a moment.");
    }
  }

  main.addEventListener("panels", fetchProof);
  fetchProof();
})();

"use strict";
// Asks the router what the version in force would make of leads that were rejected or wait, shows it, and applies it.
(() => {
  const part = document.getElementById("rejudge");
  if (!part) return;
  const field = (name) => document.getElementById(`rejudge-${name}`);
  const look = field("simulate");
  const apply = field("apply");
  const result = field("result");
  let looked = null;
  let changes = 0;

  const show = (words) => {
    result.textContent = printable(words);
    result.classList.remove("hidden");
  };

  function outcome(found, counted) {
    const lines = [`${counted.leads} leads until ${found.to}, under ${found.agreement.name} version ${found.agreement.version}:`];
    for (const [before, after] of Object.entries(counted.changes)) {
      for (const [name, number] of Object.entries(after)) lines.push(`  ${before} -> ${name}: ${number}`);
    }
    if (counted.first.length) lines.push(`The first ${counted.first.length} that change:`);
    for (const each of counted.first) {
      lines.push(`  ${each.lead_id}  ${each.before} -> ${each.after} ${each.rep || each.pool || ""}`.trimEnd());
    }
    return lines.join("\n");
  }

  async function ask(method, path, body) {
    const answer = await fetch(path, {
      method,
      headers: { "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.detail || part.dataset.unreachable);
    return found;
  }

  async function attempt(button, work) {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      show(error instanceof TypeError ? part.dataset.unreachable : error.message);
    } finally {
      button.disabled = button === apply && looked === null;
    }
  }

  function forget() {
    looked = null;
    changes += 1;
    apply.disabled = true;
  }

  for (const name of ["from", "to", "rejected", "parked"]) field(name).addEventListener("input", forget);

  look.addEventListener("click", () => {
    forget();
    const shown = changes;
    attempt(look, async () => {
      const statuses = ["rejected", "parked"].filter((name) => field(name).checked);
      const start = (name, days) => {
        if (!field(name).value) return undefined;
        const day = new Date(`${field(name).value}T00:00:00`);
        day.setDate(day.getDate() + days);
        return day.toISOString();
      };
      show(part.dataset.running);
      const found = await ask("POST", "/v1/re-judge", { from: start("from", 0), to: start("to", 1), statuses });
      // The simulation is of what was chosen when it began.
      if (changes !== shown) throw new Error(part.dataset.changed);
      show(outcome(found, found.simulated));
      looked = found.id;
      apply.disabled = false;
    });
  });

  apply.addEventListener("click", () => {
    const simulation = looked;
    attempt(apply, async () => {
      const reason = field("reason").value.trim();
      if (!reason) throw new Error(part.dataset.reason);
      const by = field("by").value.trim() || undefined;
      let found = await ask("POST", "/v1/re-judge", { simulation, reason, by });
      looked = null;
      while (found.state === "applying") {
        show(`${part.dataset.applying} ${found.applied.leads}`);
        await new Promise((done) => setTimeout(done, 500));
        found = await ask("GET", `/v1/re-judge/${encodeURIComponent(simulation)}`);
      }
      const head = found.state === "applied" ? part.dataset.applied : `${part.dataset.stopped} ${found.why}`;
      show(`${head}\n${outcome(found, found.applied)}`);
    });
  });
})();

"use strict";
// What only the monitor knows: who is on duty although the agreement says otherwise, and what a silence is about.
(() => {
  const silence = document.getElementById("silence"), standsIn = document.getElementById("stands-in");
  const touched = new Set();
  for (const choice of document.querySelectorAll("select")) choice.addEventListener("input", () => touched.add(choice));

  async function ask(path) {
    try {
      const answer = await fetch(path, { headers: { accept: "application/json" } });
      return await answer.json();
    } catch {
      return {};
    }
  }

  // Those on duty in front, and the first of them chosen unless someone chose already.
  function putInFront(choice, ids) {
    const chosen = touched.has(choice) ? choice.value : null;
    const all = new Map([...choice.options].filter((one) => one.value).map((one) => [one.value, one]));
    const first = [...ids].filter((id) => all.has(id));
    if (!first.length) return;
    const names = [...all.keys()].sort();
    choice.replaceChildren(...[["On duty now", first], ["Everyone", names.filter((id) => !first.includes(id))]].map(([label, group]) => {
      const found = document.createElement("optgroup");
      found.label = label;
      found.append(...group.map((id) => all.get(id)));
      return found;
    }));
    choice.value = chosen ?? first[0];
  }

  async function showDuty() {
    const items = (await ask("/v1/duty")).items ?? [];
    const ids = new Set(items.map((each) => each.person).filter(Boolean));
    if (items.some((each) => each.overrides.length)) {
      for (const choice of document.querySelectorAll("select[data-on-duty]")) putInFront(choice, ids);
    }
    const mine = standsIn && items.find((each) => each.role === standsIn.dataset.role);
    const now = mine && standingIn(mine);
    if (!now) return;
    standsIn.parentElement.hidden = false;
    standsIn.textContent = printable(`${now.person} until ${moment(now.ends_at, standsIn.dataset.zone)} (arranged by ${now.by})`);
  }

  async function showSilence() {
    const found = await ask(silence.dataset.silence);
    silence.textContent = found.silence_id
      ? silenceText(found, silence.dataset.zone) + (found.state === "over" ? " It is over." : "")
      : printable(found.detail ?? "The monitor does not answer.");
  }

  showDuty();
  if (silence) showSilence();
})();

"use strict";
// Asks for a reason and has the router merge two leads of one person, or split an id from the lead it is part of.
(() => {
  const dialog = document.getElementById("person");
  if (!dialog) return;
  const [title, other, into, reason, key, answer, send] = ["title", "other", "into", "reason", "key", "answer", "send"]
    .map((name) => document.getElementById(`person-${name}`));
  let lead = "", splitting = false;

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-merge], [data-split]");
    if (!button) return;
    splitting = "split" in button.dataset;
    lead = button.dataset.split ?? button.dataset.lead;
    into.value = button.dataset.merge ?? "";
    title.textContent = printable(splitting ? `Split off ${lead}` : `${lead} is the same person as another lead`);
    other.classList.toggle("hidden", splitting);
    answer.textContent = "";
    dialog.showModal();
    (splitting || into.value ? reason : into).focus();
  });

  document.getElementById("person-cancel").addEventListener("click", () => dialog.close());

  send.addEventListener("click", async () => {
    send.disabled = true;
    answer.textContent = "";
    const body = splitting ? { reason: reason.value } : { into: into.value.trim(), reason: reason.value };
    const headers = { "content-type": "application/json" };
    // Without a key here, the browser sends that of the login, or asks for it.
    const credentials = key.value ? "omit" : "same-origin";
    if (key.value) headers.authorization = `Bearer ${key.value}`;
    try {
      const path = `/v1/leads/${encodeURIComponent(lead)}/${splitting ? "split" : "merge"}`;
      const response = await fetch(path, { method: "POST", headers, credentials, body: JSON.stringify(body) });
      const result = await response.json();
      if (response.ok) location.assign(`/leads/${encodeURIComponent(result.lead_id)}`);
      else answer.textContent = printable(result.detail);
    } catch {
      answer.textContent = "The router did not respond. Try again.";
    } finally {
      send.disabled = false;
    }
  });
})();

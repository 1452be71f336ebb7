"use strict";
// Sends a draft of the agreement to the router, which replays the recorded leads under it, and shows the result.
(() => {
  const button = document.getElementById("simulate");
  if (!button) return;
  const draft = document.getElementById("draft");
  const result = document.getElementById("simulated");
  const show = (words) => {
    result.textContent = printable(words);
    result.classList.remove("hidden");
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    show(button.dataset.running);
    try {
      const answer = await fetch("/v1/agreement/simulations", {
        method: "POST",
        headers: { "content-type": "application/yaml" },
        body: draft.value,
      });
      const body = await answer.json();
      show(answer.ok ? body.text : body.detail);
    } catch {
      show(button.dataset.unreachable);
    } finally {
      button.disabled = false;
    }
  });
})();

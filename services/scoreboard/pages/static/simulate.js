"use strict";
// Sends a draft of the agreement to the router, which replays the recorded leads under it, and shows what it says.
(() => {
  const button = document.getElementById("simulate");
  if (!button) return;
  const draft = document.getElementById("draft");
  const result = document.getElementById("simulated");
  const tell = (words) => {
    result.textContent = printable(words);
    result.classList.remove("hidden");
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell("Replaying the recorded leads under the draft ...");
    try {
      const answer = await fetch("/v1/agreement/simulations", {
        method: "POST",
        headers: { "content-type": "application/yaml" },
        body: draft.value,
      });
      const said = await answer.json();
      tell(answer.ok ? said.text : said.detail);
    } catch {
      tell("The router did not answer. Try again.");
    } finally {
      button.disabled = false;
    }
  });
})();

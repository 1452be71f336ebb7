"use strict";
// Asks the router for errors in the agreement file and shows them. Without a response the page shows nothing.
(async () => {
  const part = document.getElementById("trouble");
  if (!part) return;
  try {
    const answer = await fetch("/v1/agreement", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const { trouble = [] } = await answer.json();
    if (!trouble.length) return;
    document.getElementById("trouble-list").replaceChildren(...trouble.map((words) => {
      const item = document.createElement("li");
      item.textContent = printable(words);
      return item;
    }));
    part.classList.remove("hidden");
    document.getElementById("announcement").textContent = part.dataset.say;
  } catch {
    // The router may not be reachable from this page.
  }
})();

"use strict";
// Asks the router whether the agreement file has trouble, and shows it. Without an answer the page says nothing about it.
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
    document.getElementById("said").textContent = "The agreement file has trouble.";
  } catch {
    // Another machine may run the router.
  }
})();

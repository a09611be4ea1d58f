"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const plan = JSON.parse(at("plan").textContent);
  const n = plan.order.length;
  const keys = [...document.querySelectorAll("[data-rating]")];

  // One answer a place: null, not asked yet; rating 0, skipped.
  let answers = new Array(n).fill(null);
  let place = 0;
  let since = performance.now();

  function isAnswer(value) {
    if (value === null) return true;
    return Number.isInteger(value.rating) && value.rating >= 0 && value.rating <= plan.scale && Number.isFinite(value.seconds);
  }

  function load() {
    at("rater").value = plan.rater;
    try {
      const kept = JSON.parse(localStorage.getItem(plan.key));
      if (kept && Array.isArray(kept.answers) && kept.answers.length === n && kept.answers.every(isAnswer)) {
        answers = kept.answers;
        if (typeof kept.rater === "string") at("rater").value = kept.rater;
      }
    } catch (error) {
      tell("What this browser kept of earlier answers cannot be read.");
    }
    place = firstOpen(0);
  }

  function keep() {
    try {
      localStorage.setItem(plan.key, JSON.stringify({ rater: at("rater").value, answers }));
    } catch (error) {
      tell("This browser keeps nothing: save your answers before you close the page.");
    }
  }

  function tell(problem) {
    at("problem").textContent = problem;
    at("problem").hidden = false;
  }

  // The next place without an answer, from here on and then from the start; n if there is none.
  function firstOpen(from) {
    const later = answers.findIndex((answer, i) => i >= from && answer === null);
    const any = later >= 0 ? later : answers.indexOf(null);
    return any >= 0 ? any : n;
  }

  function show() {
    const isDone = place === n;
    const n_answered = answers.filter((answer) => answer !== null).length;
    const n_rated = answers.filter((answer) => answer && answer.rating).length;
    at("progress").value = n_answered;
    at("count").textContent = `${n_answered} of ${n}`;
    at("shown").hidden = at("question").hidden = at("keys").hidden = isDone;
    at("done").hidden = !isDone;
    at("skip").disabled = isDone;
    at("back").disabled = place === 0;
    at("save").disabled = n_rated === 0;
    at("save").classList.toggle("wanted", isDone && n_rated > 0);
    if (isDone) {
      const rest = n_answered - n_rated;
      at("summary").textContent = `${n_rated} ratings` + (rest ? `, ${rest} skipped` : "") + `. Save them as ${plan.file}.`;
      at("thanks").focus();
      return;
    }
    const item = plan.order[place];
    const isDrawn = plan.drawn[item];
    at("drawing").replaceChildren(...(isDrawn ? [at(`drawing-${item}`).content.cloneNode(true)] : []));
    at("string").textContent = plan.strings[item];
    at("string").className = isDrawn ? "" : plan.drawn.includes(true) ? "alone code" : "alone";
    at("string").scrollTop = 0;
    for (const key of keys) {
      const answer = answers[place];
      key.setAttribute("aria-pressed", String(answer !== null && answer.rating === Number(key.dataset.rating)));
    }
    at("status").textContent = `${place + 1} of ${n}: ${plan.strings[item]}`;
    since = performance.now();
  }

  function answer(rating) {
    if (place === n) return;
    answers[place] = { rating, seconds: Math.round((performance.now() - since) / 100) / 10 };
    keep();
    place = firstOpen(place + 1);
    show();
  }

  function back() {
    if (place === 0) return;
    place -= 1;
    show();
  }

  function cell(value) {
    const text = String(value);
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv() {
    const rater = at("rater").value.trim();
    const rows = [plan.columns];
    answers.forEach((answer, i) => {
      if (answer && answer.rating) rows.push([plan.strings[plan.order[i]], answer.rating, rater, answer.seconds, i + 1]);
    });
    return rows.map((row) => row.map(cell).join(",") + "\n").join("");
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    link.download = plan.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    at("status").textContent = `Saved as ${plan.file}.`;
  }

  function startAnew() {
    if (!confirm("Forget all answers on this page and start anew?")) return;
    answers = new Array(n).fill(null);
    at("rater").value = plan.rater;
    keep();
    place = 0;
    show();
  }

  for (const key of keys) key.addEventListener("click", () => answer(Number(key.dataset.rating)));
  at("skip").addEventListener("click", () => answer(0));
  at("back").addEventListener("click", back);
  at("save").addEventListener("click", save);
  at("anew").addEventListener("click", startAnew);
  at("rater").addEventListener("input", keep);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target === at("rater")) return;
    const rating = Number(event.key);
    if (event.key.length === 1 && rating >= 1 && rating <= plan.scale) answer(rating);
    else if (event.key === "s" || event.key === "S") answer(0);
    else if (event.key === "b" || event.key === "B" || event.key === "ArrowLeft") back();
    else return;
    event.preventDefault();
  });
  load();
  show();
})();

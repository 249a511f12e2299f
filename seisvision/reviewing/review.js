"use strict";

/* One label at a time. Names come from data and are only ever set as text. */
const at = (id) => document.getElementById(id);
const embedded = JSON.parse(at("queue").textContent);
/* The address without its last stroke is the same page. */
const HOME = location.pathname.replace(/\/?$/, "/");
const SVG = "http://www.w3.org/2000/svg";
let state = null;
let item = null;
let busy = false;
let written = false;

/* What answers: the server that the page came from, or the labels in the page itself. */
async function ask(path, told) {
  const settings = told === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(told),
  };
  const response = await fetch(HOME + path, settings);
  const content = response.headers.get("Content-Type") === "application/json" ? await response.json() : {};
  if (!response.ok) throw new Error(content.error || `The server says ${response.status}. Start it again and open its new address.`);
  return content;
}
const live = {
  state: () => ask("state"),
  item: (number) => ask(`item/${number}`),
  decide: (told) => ask("decide", told),
  undo: () => ask("undo", {}),
};

function inThisFile(content) {
  const key = `seisvision-review ${content.about.queue} ${content.reviewer}`;
  /* Rows name their label: a number is only a place, which is another's in another queue. */
  const nameOf = (one) => JSON.stringify([one.sample_id, one.column]);
  const numberOf = new Map(content.items.map((one, number) => [nameOf(one), number]));
  let rows = [];
  try { rows = JSON.parse(localStorage.getItem(key)) || []; } catch (error) { rows = []; }
  rows = rows.filter((row) => numberOf.has(nameOf(row)));
  const rowOf = (number) => ({ sample_id: content.items[number].sample_id, column: content.items[number].column });
  const stacks = () => {
    const found = new Map();
    for (const row of rows) {
      const number = numberOf.get(nameOf(row));
      const stack = found.get(number) || [];
      if (row.verdict === "undo") stack.pop(); else stack.push(row);
      found.set(number, stack);
    }
    return found;
  };
  const standing = () => new Map([...stacks()].filter(([, stack]) => stack.length).map(([number, stack]) => [number, stack.at(-1)]));
  const now = () => new Date().toISOString().slice(0, 19) + "Z";
  const keep = (row) => {
    rows.push(row);
    try { localStorage.setItem(key, JSON.stringify(rows)); } catch (error) { /* no room, or none is allowed: the download has them */ }
  };
  const told = () => {
    const held = standing();
    const verdicts = { keep: 0, correct: 0, discard: 0, unsure: 0 };
    for (const row of held.values()) verdicts[row.verdict] += 1;
    const next = content.items.findIndex((_, number) => !held.has(number));
    return { ...content.about, reviewer: content.reviewer, blind: content.blind, n_items: content.items.length,
             n_done: held.size, next: next < 0 ? null : next, verdicts };
  };
  const lastHeld = () => {
    const left = [];
    for (const row of rows) {
      if (row.verdict === "undo") left.splice(left.map(nameOf).lastIndexOf(nameOf(row)), 1); else left.push(row);
    }
    return left.at(-1);
  };
  return {
    state: async () => told(),
    item: async (number) => {
      const { hidden, ...shown } = content.items[number];
      const decided = standing().get(number);
      const open = decided || !content.blind ? { hidden } : {};
      return { ...shown, ...open, number, ...(decided ? { decided } : {}) };
    },
    decide: async ({ number, verdict, new: value }) => {
      keep({ ...rowOf(number), verdict, new: verdict === "correct" ? String(value) : "", time: now() });
      return { state: told(), number, hidden: content.items[number].hidden };
    },
    undo: async () => {
      const last = lastHeld();
      if (!last) throw new Error("There is no decision to take back.");
      const number = numberOf.get(nameOf(last));
      keep({ ...rowOf(number), verdict: "undo", new: "", time: now() });
      return { state: told(), number };
    },
    csv: () => [content.columns, ...rows.map((row) => {
      const one = content.items[numberOf.get(nameOf(row))];
      const cells = { ...one, new: row.new, verdict: row.verdict, reviewer: content.reviewer, time: row.time, reason: "",
                      probability: one.hidden.probability === null ? "" : String(one.hidden.probability),
                      set_fingerprint: content.about.set_fingerprint };
      return content.columns.map((name) => String(cells[name] ?? ""));
    })].map((row) => row.map(cell).join(",") + "\n").join(""),
  };
}

/* A cell as seisvision writes it: line ends as two characters, formulas behind an apostrophe. */
function cell(text) {
  const line = text.replace(/[\\\n\r]/g, (found) => ({ "\\": "\\\\", "\n": "\\n", "\r": "\\r" })[found]);
  const formula = /^'*[=+\-@\t＝＋－＠].+$/su.test(line) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line);
  const safe = formula ? `'${line}` : line;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const source = embedded ? inThisFile(embedded) : live;

function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function drawLines(drawing, hidden) {
  // A phone shows fewer units, so that its letters are as large as elsewhere.
  const small = globalThis.matchMedia?.("(max-width: 48rem)").matches;
  const WIDTH = small ? 400 : 960, HEIGHT = 54, LEFT = small ? 100 : 150, N = 320;
  const longest = Math.max(...drawing.lines.map((line) => line.seconds), 1);
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT * drawing.lines.length + 22}`, role: "img", "aria-label": "Recordings" });
  drawing.lines.forEach((line, number) => {
    const middle = HEIGHT * (number + 0.5);
    const bytes = Uint8Array.from(atob(line.line), (letter) => letter.charCodeAt(0));
    const values = new Int8Array(bytes.buffer);
    const scale = (WIDTH - LEFT - 10) * (line.seconds / longest);
    let path = "";
    for (let i = 0; i < N; i += 1) {
      const x = (LEFT + (scale * i) / N).toFixed(1);
      path += `${i ? "L" : "M"}${x} ${(middle - (values[2 * i + 1] / 127) * HEIGHT * 0.46).toFixed(1)}L${x} ${(middle - (values[2 * i] / 127) * HEIGHT * 0.46).toFixed(1)}`;
    }
    svg.append(element("text", { x: 4, y: middle }, `${line.name} ${line.component}`.slice(0, small ? 14 : 22)));
    svg.append(element("text", { x: 4, y: middle + 14 }, line.km === null ? "" : `${line.km} km`));
    svg.append(element("path", { d: path, class: "wave" }));
    for (const [phase, seconds] of Object.entries(line.arrivals)) {
      const mark = (time, kind) => {
        const x = LEFT + (scale * time) / line.seconds;
        svg.append(element("line", { x1: x, x2: x, y1: middle - HEIGHT * 0.45, y2: middle + HEIGHT * 0.45, class: `${phase} pick ${kind}` }));
      };
      mark(seconds, "given");
      if (hidden && hidden.phase === phase && number < 3) mark(seconds + hidden.moved_s, "said");
    }
  });
  const base = HEIGHT * drawing.lines.length + 4;
  for (let tick = 0; tick <= 4; tick += 1) {
    const x = LEFT + ((WIDTH - LEFT - 10) * tick) / 4;
    svg.append(element("text", { x, y: base + 12, "text-anchor": "middle" }, `${+((longest * tick) / 4).toPrecision(3)} s`));
  }
  at("lines").replaceChildren(svg);
}

function drawMap(map) {
  at("map-card").hidden = !map;
  if (!map) return;
  const places = [...map.stations.map(([, x, y]) => [x, y]), ...(map.source ? [map.source] : [])];
  const reach = Math.max(1, ...places.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y)))) * 1.15;
  const on = (x, y) => [100 + (95 * x) / reach, 100 - (95 * y) / reach];
  const svg = element("svg", { viewBox: "0 0 200 212", role: "img", "aria-label": "Map" });
  svg.append(element("rect", { x: 5, y: 5, width: 190, height: 190, class: "axis" }));
  if (map.shores) svg.append(element("path", { d: map.shores, class: "shore", transform: `translate(100 100) scale(${95 / reach})` }));
  for (const [name, east, north] of map.stations) {
    const [x, y] = on(east, north);
    const mark = element("path", { d: `M${x} ${y - 4}L${x + 4} ${y + 3}L${x - 4} ${y + 3}Z`, class: "station" });
    mark.append(element("title", {}, name));
    svg.append(mark);
  }
  if (map.source) {
    const [x, y] = on(...map.source);
    let star = "";
    for (let i = 0; i < 10; i += 1) {
      const turn = (Math.PI * i) / 5, size = i % 2 ? 2.6 : 6.5;
      star += `${i ? "L" : "M"}${x + size * Math.sin(turn)} ${y - size * Math.cos(turn)}`;
    }
    svg.append(element("path", { d: `${star}Z`, class: "source" }));
  }
  svg.append(element("text", { x: 100, y: 208, "text-anchor": "middle" }, `${+(2 * reach).toPrecision(2)} km across`));
  at("map").replaceChildren(svg);
}

function answerText(hidden) {
  const shares = hidden.shares.slice(0, 3).map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(", ");
  const odd = hidden.odd ? ` The odd station is ${hidden.odd} (${hidden.odd_sigmas} deviations).` : "";
  return `The networks say ${shares || hidden.answer}.${odd}`;
}

function showState() {
  at("about").textContent = `${state.column} of ${state.set}; reviewer ${state.reviewer}${state.blind ? "; what the networks say is hidden until you decide" : ""}`;
  at("count").textContent = `${state.n_done} of ${state.n_items} decided.`;
  at("verdicts").textContent = Object.entries(state.verdicts).filter(([, n]) => n).map(([name, n]) => `${name} ${n}`).join(", ");
  at("bar").style.width = `${(100 * state.n_done) / Math.max(1, state.n_items)}%`;
  const bar = document.querySelector(".progress");
  bar.setAttribute("aria-valuemax", state.n_items);
  bar.setAttribute("aria-valuenow", state.n_done);
}

function showItem() {
  at("item").hidden = false;
  at("done").hidden = true;
  at("column").textContent = `${item.column}:`;
  at("label").textContent = item.label;
  at("event").textContent = `event ${item.source_id}${item.sample_id === item.source_id ? "" : `, trace ${item.sample_id}`}`;
  const hidden = item.hidden || null;
  at("answer").hidden = !hidden;
  at("answer").textContent = hidden ? `${item.decided ? `You decided: ${item.decided.verdict} ${item.decided.new}. ` : ""}${answerText(hidden)}` : "";
  drawLines(item.drawing, hidden);
  drawMap(item.drawing.map);
  at("picture-card").hidden = !item.drawing.picture;
  if (item.drawing.picture) at("picture").src = `data:image/jpeg;base64,${item.drawing.picture}`;
  at("alike-card").hidden = !hidden || !hidden.alike.length;
  at("alike").replaceChildren(...(hidden ? hidden.alike : []).map(([name, label]) => {
    const line = document.createElement("li");
    line.textContent = `${label} (${name})`;
    return line;
  }));
  for (const button of at("choices").children) button.classList.toggle("is-label", button.dataset.value === item.old || button.dataset.name === item.label);
  const limits = item.can_discard === false ? "Keep it, or say unsure." : "Keep, discard or say unsure.";
  at("fixed").hidden = item.can_change !== false;
  at("fixed").textContent = item.can_change === false ? `${item.why_fixed} ${limits}` : "";
  const isNumber = state.kind !== "class";
  at("value").hidden = !isNumber || item.can_change === false;
  if (isNumber) {
    at("number").value = hidden && hidden.suggested ? hidden.suggested : item.old;
    at("unit").textContent = state.kind === "pick" ? "sample" : state.unit;
  }
}

async function show(number) {
  if (number === null) {
    item = null;
    at("item").hidden = true;
    at("done").hidden = false;
    return;
  }
  item = await source.item(number);
  showItem();
}

/* Nothing moves on before the answer is here, which comes when the decision is on the disk. */
async function act(what) {
  if (busy) return;
  busy = true;
  written = false;
  for (const button of document.querySelectorAll("footer button")) button.disabled = true;
  try {
    await what();
    at("error").hidden = true;
  } catch (error) {
    at("error").hidden = false;
    at("error").textContent = `${error.message} ${written ? "The decision is written; load the page again." : "Nothing was decided."}`;
  } finally {
    busy = false;
    for (const button of document.querySelectorAll("footer button")) button.disabled = false;
  }
}

function decide(verdict, value = "") {
  if (!item) return;
  const fixed = verdict === "correct" ? item.can_change === false : verdict === "discard" && item.can_discard === false;
  if (fixed) {
    at("error").hidden = false;
    at("error").textContent = `${item.why_fixed} Nothing was decided.`;
    return;
  }
  act(async () => {
    const was = item;
    const done = await source.decide({ number: item.number, verdict, new: value });
    written = true;
    state = done.state;
    const said = at("said");
    said.hidden = false;
    said.textContent = `${was.label} of ${was.source_id}: ${verdict}${value ? ` to ${value}` : ""}, written. ${answerText(done.hidden)}`;
    said.classList.toggle("differs", verdict === "keep" ? done.hidden.suspect : verdict === "correct" && value !== done.hidden.suggested);
    await show(state.next);
    // Who sees the new count may decide about what is shown.
    showState();
    scrollTo(0, 0);
  });
}

function choose(choice) {
  if (!item) return;
  if (choice.name === item.label) decide("keep"); else decide("correct", choice.value);
}

function undo() {
  act(async () => {
    const done = await source.undo();
    written = true;
    state = done.state;
    at("said").hidden = true;
    await show(done.number);
    showState();
  });
}

function step(by) {
  const from = item ? item.number : state.n_items;
  const number = Math.min(Math.max(from + by, 0), state.n_items - 1);
  act(() => show(number));
}

function setNumber() {
  const text = at("number").value.trim().replace(",", ".");
  if (text === "" || Number.isNaN(Number(text))) {
    at("error").hidden = false;
    at("error").textContent = "Give a number. Nothing was decided.";
    return;
  }
  at("number").blur();
  if (text === item.old) decide("keep"); else decide("correct", text);
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([source.csv()], { type: "text/csv" }));
  link.download = "corrections.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

const KEYS = { k: () => decide("keep"), d: () => decide("discard"), u: () => decide("unsure"), z: undo,
               ArrowLeft: () => step(-1), ArrowRight: () => step(1), c: () => at("number").focus() };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === at("number")) {
    if (event.key === "Enter") setNumber();
    if (event.key === "Escape") at("number").blur();
    return;
  }
  const choice = state && /^[1-9]$/.test(event.key) ? state.choices[Number(event.key) - 1] : null;
  const does = choice ? () => choose(choice) : KEYS[event.key];
  if (!does || (event.key === "c" && at("value").hidden)) return;
  event.preventDefault();
  does();
});
for (const button of document.querySelectorAll("[data-verdict]")) button.addEventListener("click", () => decide(button.dataset.verdict));
at("undo").addEventListener("click", undo);
at("back").addEventListener("click", () => step(-1));
at("forward").addEventListener("click", () => step(1));
at("set").addEventListener("click", setNumber);
at("download").addEventListener("click", download);

act(async () => {
  state = await source.state();
  state.choices.forEach((choice, number) => {
    const button = document.createElement("button");
    button.className = "button";
    button.dataset.value = choice.value;
    button.dataset.name = choice.name;
    if (number < 9) {
      const key = document.createElement("kbd");
      key.textContent = number + 1;
      button.append(key, " ");
    }
    button.append(choice.name);
    button.addEventListener("click", () => choose(choice));
    at("choices").append(button);
  });
  at("download").hidden = !embedded;
  if (embedded) at("done-text").textContent = "Download the decisions and send the file back.";
  await show(state.next);
  showState();
});

/* Runs the script of the review page on a page that is only elements with text, and presses keys on it.
   node fake_browser.js SCRIPT PAGE ADDRESS KEYS: prints what stands on the page after each key, as JSON. */
"use strict";
const fs = require("fs");
const [script, html, address, keys] = process.argv.slice(2);

class Element {
  constructor(name) {
    Object.assign(this, { name, children: [], dataset: {}, attributes: {}, style: {}, hidden: false, value: "", own: "" });
    this.classList = { toggle() {}, add() {} };
  }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...parts) { for (const one of parts) { if (one instanceof Element) this.children.push(one); else this.own += one; } }
  replaceChildren(...parts) { this.children = []; this.own = ""; this.append(...parts); }
  set textContent(text) { this.children = []; this.own = String(text); }
  get textContent() { return this.own + this.children.map((one) => one.textContent).join(""); }
  addEventListener() {}
  focus() {}
  blur() {}
}
const byId = Object.fromEntries([...fs.readFileSync(html, "utf8").matchAll(/id="([^"]+)"/g)].map(([, id]) => [id, new Element(id)]));
byId.queue = new Element("queue");
byId.queue.textContent = "null";
const listeners = {};
globalThis.document = {
  getElementById: (id) => byId[id], createElement: (name) => new Element(name), createElementNS: (_, name) => new Element(name),
  querySelector: () => new Element("bar"), querySelectorAll: () => [], addEventListener: (name, does) => { listeners[name] = does; },
};
globalThis.location = new URL(address);
globalThis.scrollTo = () => {};
const ask = globalThis.fetch;
let asked = 0;
globalThis.fetch = async (path, settings = {}) => {
  asked += 1;
  try { return await ask(new URL(path, address), { ...settings, headers: { ...settings.headers, Origin: location.origin } }); } finally { asked -= 1; }
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const rest = async () => { do { await pause(5); } while (asked); await pause(5); };
const seen = () => ({ label: byId.label.textContent, event: byId.event.textContent, said: byId.said.textContent,
                      count: byId.count.textContent, answer: byId.answer.hidden ? "" : byId.answer.textContent,
                      error: byId.error.hidden ? "" : byId.error.textContent, lines: byId.lines.textContent });
(0, eval)(fs.readFileSync(script, "utf8").replace('"use strict";', ""));
(async () => {
  await rest();
  const shown = [seen()];
  for (const key of keys) {
    listeners.keydown({ key, target: null, preventDefault() {} });
    await rest();
    shown.push(seen());
  }
  process.stdout.write(JSON.stringify(shown));
})();

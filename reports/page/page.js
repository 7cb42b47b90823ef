"use strict";
// Texts reach the page only as text nodes and attributes: a caption is never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function fill(select, names) {
  select.replaceChildren(...names.map((name, place) => element("option", { value: place }, name)));
}

// --- results: sorting and filtering

const table = byId("table");
const rows = [...table.tBodies[0].rows];

function sortBy(head) {
  const column = head.cellIndex;
  const figures = head.classList.contains("figure");
  const first = figures ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const cell of table.tHead.rows[0].cells) if (cell.hasAttribute("aria-sort")) cell.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const key = (row) => figures ? Number(row.cells[column].dataset.value) : row.cells[column].textContent;
  const compare = (a, b) => figures
    ? (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : sign * (a - b))
    : sign * a.localeCompare(b, undefined, { numeric: true });
  rows.sort((a, b) => compare(key(a), key(b)));
  table.tBodies[0].append(...rows);
}

function filterRows() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const rescoring = byId("rescoring").value;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word))
      || (rescoring !== "" && row.dataset.rescoring !== rescoring);
  }
  byId("shown").value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
}

for (const button of table.tHead.querySelectorAll("button")) button.addEventListener("click", () => sortBy(button.parentElement));
byId("filter").addEventListener("input", filterRows);
byId("rescoring").addEventListener("change", filterRows);
filterRows();

// --- comparison of two runs

// What a query adds to R@K, 0 to 1: its chance to stand among the first K when ties are in random order.
function credit(run, query, k) {
  const best = run.best[query];
  return best === 0 ? NaN : Math.min(1, Math.max(0, (k - best + 1) / (run.ties[query] + 1)));
}

// Difference of the means in points and its standard error, queries of one cluster taken together.
function paired(gallery, a, b, k) {
  const changes = gallery.texts.map((_, query) => 100 * (credit(b, query, k) - credit(a, query, k)));
  const known = changes.map((_, query) => query).filter((query) => Number.isFinite(changes[query]));
  const mean = known.reduce((sum, query) => sum + changes[query], 0) / known.length;
  const sums = new Map();
  for (const query of known) {
    const cluster = gallery.clusters[query];
    sums.set(cluster, (sums.get(cluster) || 0) + changes[query] - mean);
  }
  const squares = [...sums.values()].reduce((sum, value) => sum + value * value, 0);
  const error = Math.sqrt((sums.size / (sums.size - 1)) * squares) / known.length;
  return { mean, error, changes, known };
}

// Halves away from zero, as in every table; the tiny addend undoes what binary fractions lose.
const rounded = (value, digits = 1) => (Math.sign(value) * Math.round(Math.abs(value) * 10 ** digits + 1e-7)) / 10 ** digits;
const fixed = (value, digits = 1) => Math.abs(rounded(value, digits)).toFixed(digits);
const signed = (value) => (rounded(value) > 0 ? "+" : rounded(value) < 0 ? "−" : "±") + fixed(value);

function showGallery() {
  const gallery = data.galleries[byId("gallery").value];
  const names = gallery.runs.map((run) => `${run.label} · ${run.run}`);
  fill(byId("run-a"), names);
  fill(byId("run-b"), names);
  byId("run-b").value = Math.min(1, names.length - 1);
  showDifference();
}

function showDifference() {
  const gallery = data.galleries[byId("gallery").value];
  const [a, b] = ["run-a", "run-b"].map((id) => gallery.runs[byId(id).value]);
  const k = Number(byId("metric").value);
  const { mean, error, changes, known } = paired(gallery, a, b, k);
  const target = byId("difference");
  Object.assign(target.dataset, { mean, error });
  const interval = Number.isFinite(error) ? `, 95 % interval ${signed(mean - 1.96 * error)} to ${signed(mean + 1.96 * error)}` : "";
  target.replaceChildren(`B − A in R@${k}: `, element("strong", {}, signed(mean)), ` points${interval}; ${known.length} queries`);
  byId("not-converged").textContent = [...new Set([a, b].flatMap((run) => run.notes))].join(" ");
  const moves = (sign) => known.filter((query) => sign * (rank(a, query) - rank(b, query)) > 0).length;
  byId("moved").textContent = `Rank changed, at whatever rank: ${moves(1)} queries rank better in B, ${moves(-1)} in A.`;
  const line = (query) => element("li", {}, gallery.texts[query],
    element("small", {}, ` → ${gallery.videos[query]}, rank ${rank(a, query)} in A, ${rank(b, query)} in B`));
  for (const [id, sign, loser] of [["better-b", 1, a], ["better-a", -1, b]]) {
    const changed = known.filter((query) => sign * changes[query] > 0).sort((x, y) => loser.best[y] - loser.best[x]);
    byId(id).previousElementSibling.textContent = `R@${k} better in ${id.at(-1).toUpperCase()}: ${changed.length} queries`;
    byId(id).replaceChildren(...changed.map(line));
  }
}

const rank = (run, query) => run.best[query] + run.ties[query] / 2;

if (data.galleries.length) {
  fill(byId("gallery"), data.galleries.map((gallery) => gallery.name));
  byId("gallery").addEventListener("change", showGallery);
  for (const id of ["run-a", "run-b", "metric"]) byId(id).addEventListener("change", showDifference);
  showGallery();
} else {
  byId("difference").textContent = "No leak-free results on a test split.";
}

// --- clips: the strip of frames as a film, in step with the sound

let stopPlaying = () => {};

function player(key, name) {
  const clip = key && data.clips[key];
  if (!clip) return element("p", { class: "hint" }, "no picture or sound here");
  const screen = element("div", { class: "screen", role: "img", "aria-label": `frames of ${name}` });
  screen.style.backgroundImage = `url("${clip.strip}")`;
  screen.style.backgroundSize = `${100 * clip.frames}% 100%`;
  const show = (frame) => { screen.style.backgroundPositionX = `${clip.frames > 1 ? (100 * frame) / (clip.frames - 1) : 0}%`; };
  show(Math.floor(clip.frames / 2));
  const audio = clip.sound ? element("audio", { preload: "none", src: clip.sound }) : null;
  const button = element("button", { type: "button", "aria-label": `Play ${name}` }, "▶ Play");
  const stop = () => {
    if (audio) audio.pause();
    clearInterval(button.timer);
    button.textContent = "▶ Play";
    stopPlaying = () => {};
  };
  button.addEventListener("click", () => {
    const playing = button.textContent !== "▶ Play";
    stopPlaying();
    if (playing) return;
    stopPlaying = stop;
    button.textContent = "■ Stop";
    const began = performance.now();
    if (audio) { audio.currentTime = 0; audio.play(); }
    button.timer = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      if (seconds >= clip.seconds) { stop(); return; }
      show(Math.min(clip.frames - 1, Math.floor((seconds / clip.seconds) * clip.frames)));
    }, 50);
  });
  const sound = clip.sound ? audio : element("small", {}, "silent");
  return element("div", { class: "player" }, screen, element("div", {}, button, sound, element("p", { class: "hint" }, `${name}, ${clip.seconds.toFixed(1)} s`)));
}

// A drawing of a gate with its scale: time and 0 to 1 for a gate per frame, names and -1 to 1 for one per layer.
function curve(record, perFrame) {
  const space = "http://www.w3.org/2000/svg";
  const made = (name, attributes) => {
    const shape = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    return shape;
  };
  const { gate, truth } = record;
  const low = Math.min(perFrame ? 0 : -1, Math.floor(Math.min(...gate))), high = Math.max(1, Math.ceil(Math.max(...gate)));
  const values = gate.map((value) => value.toFixed(2)).join(", ");
  const picture = made("svg", { viewBox: `0 ${-high} ${gate.length} ${high - low}`, preserveAspectRatio: "none", class: "curve", role: "img",
    "aria-label": `gate per ${perFrame ? "frame" : "layer"}: ${values}` });
  if (perFrame) {
    (truth || []).forEach((matters, frame) => {
      if (matters) picture.append(made("rect", { x: frame, y: -high, width: 1, height: high - low, class: "truth" }));
    });
    const path = gate.map((value, frame) => `${frame ? "L" : "M"}${frame} ${-value}L${frame + 1} ${-value}`).join("");
    picture.append(made("path", { d: path, class: "gate" }));
  } else {
    gate.forEach((value, layer) => picture.append(made("rect", { x: layer + 0.2, y: Math.min(0, -value), width: 0.6, height: Math.abs(value), class: "layer" })));
  }
  if (low < 0) picture.append(made("line", { x1: 0, x2: gate.length, y1: 0, y2: 0, class: "zero" }));
  const number = (value) => String(value).replace("-", "−");
  const heights = element("div", { class: "heights" }, ...[high, ...(low < 0 ? [0] : []), low].map((value) => element("span", {}, number(value))));
  const clip = record.clip && data.clips[record.clip];
  const names = perFrame
    ? (clip ? [0, 0.5, 1].map((part) => `${(part * clip.seconds).toFixed(1)} s`) : ["first frame", "last frame"])
    : gate.map((_, layer) => `layer ${layer + 1}`);
  const widths = element("div", { class: perFrame ? "widths" : "widths layers" }, ...names.map((name) => element("span", {}, name)));
  return element("div", { class: "plot" }, heights, picture, widths);
}

function gateOf(record) {
  if (!record.gate) return null;
  const perFrame = record.axis === "frame";
  const clip = record.clip && data.clips[record.clip];
  const strip = perFrame && clip ? element("div", { class: "plot" }, element("span"), element("img", { class: "strip", src: clip.strip, alt: "" })) : null;
  return element("div", {}, strip, curve(record, perFrame), element("small", {}, `Gate per ${perFrame ? "frame, over time" : "layer of the fusion"}. ${record.sign}`));
}

// --- failures

let failed = [];
const runsOf = (records) => [...new Map(records.map((record) => [`${record.label} · ${record.data}`, 0])).keys()];
const recordsOf = (records, name) => records.filter((record) => `${record.label} · ${record.data}` === name);

function showFailedRun() {
  failed = recordsOf(data.failures, byId("failed-run").selectedOptions[0].textContent);
  fill(byId("failed-query"), failed.map((record) => `rank ${record.rank}: ${record.text}`));
  showFailure();
}

function showFailure() {
  stopPlaying();
  const record = failed[byId("failed-query").value];
  const own = element("div", { class: "card right" }, element("h3", {}, `True video, rank ${record.rank}, cosine ${record.score.toFixed(3)}`),
    player(record.clip, record.video), gateOf(record));
  const others = record.top.map((candidate) => element("div", { class: "card" },
    element("h3", {}, `${candidate.position}. cosine ${candidate.score.toFixed(3)}`), player(candidate.clip, candidate.video),
    candidate.own_pixels ? element("small", { class: "same" }, "the same pixels as the true video") : null,
    candidate.alike.length ? element("small", { class: "same" }, `one group of ${candidate.alike.length + 1} clips with the same pixels, also ${candidate.alike.join(", ")}`) : null));
  byId("failure").replaceChildren(element("blockquote", {}, record.text), record.stratum ? element("small", {}, `sound is ${record.stratum}`) : "",
    element("div", { class: "cards" }, own, ...others));
}

function step(by) {
  const select = byId("failed-query");
  select.value = (Number(select.value) + by + failed.length) % failed.length;
  showFailure();
}

if (data.failures.length) {
  fill(byId("failed-run"), runsOf(data.failures));
  byId("failed-run").addEventListener("change", showFailedRun);
  byId("failed-query").addEventListener("change", showFailure);
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  showFailedRun();
} else {
  byId("failure").textContent = "No query missed its video.";
}

// --- gates

function showGates() {
  stopPlaying();
  const records = recordsOf(data.gates, byId("gated-run").selectedOptions[0].textContent);
  byId("gallery-of-gates").replaceChildren(...records.map((record) => element("div", { class: "card" },
    element("p", {}, `“${record.text}”`), element("small", {}, record.stratum ? `sound is ${record.stratum}` : ""),
    player(record.clip, record.video), gateOf(record))));
}

if (data.gates.length) {
  fill(byId("gated-run"), runsOf(data.gates));
  byId("gated-run").addEventListener("change", showGates);
  showGates();
} else {
  byId("gallery-of-gates").textContent = "No run has gates.";
}

// --- provenance: a link into a closed part opens it

function openTarget() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();

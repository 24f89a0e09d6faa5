"use strict";

// Seconds of the heat map; the server keeps as many.
const SECONDS = 180;
const frames = [];

const byId = (id) => document.getElementById(id);

function count(value) {
  return value.toLocaleString("en");
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds === 0) return "–";
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

function uptime(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const shown = [];
  for (const [size, unit] of parts) {
    if (seconds >= size && shown.length < 2) {
      shown.push(`${Math.floor(seconds / size)} ${unit}`);
      seconds %= size;
    }
  }
  return shown.join(" ") || "0 s";
}

// A row is headed by its first cell.
function cellOf(row, column) {
  if (row.cells[column]) return row.cells[column];
  const cell = document.createElement(column === 0 ? "th" : "td");
  if (column === 0) cell.scope = "row";
  return row.appendChild(cell);
}

// Rows are kept and their cells written only where they differ, so that a reader's selection stays.
function fill(table, rows) {
  const body = byId(table).tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, index) => {
    const row = body.rows[index] ?? body.insertRow();
    cells.forEach((text, column) => {
      const cell = cellOf(row, column);
      if (cell.textContent !== String(text)) cell.textContent = text;
    });
  });
}

function cards(entries) {
  const list = byId("cards");
  entries.forEach(([name, value], index) => {
    let card = list.children[index];
    if (!card) {
      card = document.createElement("div");
      card.append(document.createElement("dt"), document.createElement("dd"));
      list.append(card);
    }
    card.firstChild.textContent = name;
    card.lastChild.textContent = value;
  });
}

function show(frame) {
  const open = frame.ports.reduce((sum, port) => sum + port.open, 0);
  cards([
    ["requests a second", count(frame.rate)],
    ["in flight", count(frame.in_flight)],
    ["median, last second", duration(frame.p50)],
    ["99 %, last second", duration(frame.p99)],
    ["connections", count(open)],
    ["descriptors", `${count(frame.admission.descriptors.used)} of ${count(frame.admission.descriptors.limit)}`],
    ["memory", bytes(frame.memory)],
    ["up for", uptime(frame.uptime)],
  ]);
  const routes = [...frame.routes].sort((a, b) => b.total - a.total);
  fill("routes", routes.map((route) => [
    route.route, count(route.rate), count(route.total),
    duration(route.p50), duration(route.p95), duration(route.p99), count(route.errors),
  ]));
  [...byId("routes").tBodies[0].rows].forEach((row) => {
    row.cells[6].className = row.cells[6].textContent === "0" ? "" : "bad";
  });
  fill("ports", [
    ...frame.ports.map((port) => [port.port, count(port.open), count(port.accepted)]),
    ["WebSockets", count(frame.websockets), ""],
  ]);
  const admission = frame.admission;
  fill("states", Object.entries(admission.states).map(([state, number]) => [state, count(number)]));
  fill("classes", admission.classes.map((group) => [
    group.name, count(group.open), group.limit === null ? "–" : count(group.limit), count(group.reserve),
  ]));
  const turned = [...admission.refused, ...admission.cut].filter(([, number]) => number > 0);
  fill("turned", turned.length > 0 ? turned.map(([reason, number]) => [reason, count(number)]) : [["none", "0"]]);
  byId("pressure").textContent =
    `Pressure on descriptors: ${admission.descriptors.pressure.toLowerCase()}; ${count(admission.descriptors.leak_reports)} leaks reported`;
  showHistory(frame.settings.history);
  fill("generations", frame.settings.generations.map((generation) => [
    generation.version, generation.role, count(generation.in_flight), generation.origin,
  ]));
  fill("http2", [
    ["connections", count(frame.http2.connections)],
    ["responses scheduled", count(frame.http2.requests)],
    ["priorities changed in flight", count(frame.http2.updates)],
    ...frame.http2.closed.filter(([, number]) => number > 0)
      .map(([reason, number]) => [`closed: ${reason}`, count(number)]),
  ]);
  const limiter = frame.limiter;
  byId("limiter").textContent =
    `${count(limiter.in_flight)} of ${count(limiter.limit)} requests in flight, ${count(limiter.queue)} waiting, ` +
    `${count(limiter.rejected)} turned away so far${frame.breaker.overloaded ? "; overloaded" : ""}`;
  const seconds = (time) => time.secs + time.nanos / 1e9;
  // By axum's name of a route, which doubles the braces of a pattern that it does not know.
  const pattern = (name) => name.replaceAll("{{", "{").replaceAll("}}", "}");
  fill("breaker", frame.breaker.routes.map((route) => [
    pattern(route.route), route.state, duration(seconds(route.p95)),
    route.baseline ? duration(seconds(route.baseline)) : "–",
    count(route.slow_windows), count(route.passed), count(route.degraded),
  ]));
  byId("budget").textContent =
    `${bytes(frame.pool.allocated)} of ${bytes(frame.pool.limit)} allocated, ${count(frame.pool.waiting)} waiting`;
  fill("pool", frame.pool.classes.map((size) => [
    bytes(size.size), count(size.in_use), count(size.idle), count(size.hits), count(size.misses),
  ]));
  fill("files", [
    ["from the heap cache", bytes(frame.files.heap_bytes)],
    ["from sealed memory", bytes(frame.files.sealed_bytes)],
    ["by windows", bytes(frame.files.window_bytes)],
    ["read", bytes(frame.files.read_bytes)],
    ["sent by sendfile", bytes(frame.files.sendfile_bytes)],
    ["calls of sendfile", count(frame.files.sendfile_calls)],
    ["cache hits", count(frame.files.cache_hits)],
    ["cache misses", count(frame.files.cache_misses)],
  ]);
  const rest = [];
  for (const upstream of frame.upstreams) {
    rest.push([`${upstream.address}, connections in use`, count(upstream.in_use)]);
    rest.push([`${upstream.address}, idle`, count(upstream.idle)]);
    rest.push([`${upstream.address}, made`, count(upstream.misses)]);
  }
  rest.push(["uploads, whole", count(frame.uploads.whole)]);
  rest.push(["uploads, partial", count(frame.uploads.partial)]);
  rest.push(["uploads, size", bytes(frame.uploads.bytes)]);
  rest.push(["store", frame.store === null ? "in memory" : `${count(frame.store)} batches saved`]);
  fill("rest", rest);
  draw();
}

// Rows of the heat map from one label to the next: four octaves, a factor of sixteen.
const LABELLED = 4;

// Lines at the labelled durations and at each minute.
function rule(context, rows) {
  const { width, height } = context.canvas;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--line");
  for (let row = LABELLED - 1; row < rows; row += LABELLED) {
    context.fillRect(0, Math.round(height - row * height / rows), width, 1);
  }
  for (let minute = 1; minute < SECONDS / 60; minute += 1) {
    context.fillRect(minute * width * 60 / SECONDS, 0, 1, height);
  }
}

// What the lines mean; written once, as the server's octaves stay.
function labelDurations(heat) {
  const axis = byId("durations");
  if (axis.childElementCount > 0) return;
  for (let row = LABELLED - 1; row < heat.length; row += LABELLED) {
    const label = document.createElement("span");
    // A row is named by what its requests stay under: its line is the upper edge of the one below.
    label.textContent = duration(heat[row - 1][0]);
    label.style.bottom = `${100 * row / heat.length}%`;
    axis.append(label);
  }
}

function draw() {
  const canvas = byId("heat");
  const context = canvas.getContext("2d");
  const heat = getComputedStyle(document.documentElement).getPropertyValue("--heat");
  const rows = frames[0].heat.length;
  labelDurations(frames[0].heat);
  const width = canvas.width / SECONDS;
  const height = canvas.height / rows;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const most = Math.max(...frames.flatMap((frame) => frame.heat.map(([, number]) => number)));
  rule(context, rows);
  frames.forEach((frame, index) => {
    const x = canvas.width - (frames.length - index) * width;
    frame.heat.forEach(([, number], row) => {
      if (number === 0) return;
      // A logarithm, so that one slow request among thousands is seen.
      const shade = 0.2 + 0.8 * Math.log1p(number) / Math.log1p(most);
      context.fillStyle = `rgba(${heat}, ${shade})`;
      context.fillRect(x, canvas.height - (row + 1) * height, width, height);
    });
  });
  const last = frames[frames.length - 1];
  byId("most").textContent = count(most);
  canvas.setAttribute("aria-label",
    `Durations of the last three minutes' requests: ${count(last.rate)} requests in the last second, median ${duration(last.p50)}, 99 % below ${duration(last.p99)}`);
}

function add(frame) {
  frames.push(frame);
  if (frames.length > SECONDS) frames.shift();
}

function connect() {
  const state = byId("state");
  const events = new EventSource("/figures");
  events.addEventListener("past", (event) => {
    frames.length = 0;
    JSON.parse(event.data).forEach(add);
    if (frames.length > 0) show(frames[frames.length - 1]);
    state.textContent = "live";
    state.className = "";
  });
  events.addEventListener("now", (event) => {
    const frame = JSON.parse(event.data);
    add(frame);
    show(frame);
  });
  events.addEventListener("error", () => {
    // The browser tries again by itself.
    state.textContent = "the server does not answer; trying again";
    state.className = "lost";
  });
}

// Asks the admin port for a change; what it answers is said, and returned when it went well.
async function ask(method, path, body, headers = {}) {
  const said = byId("said");
  headers.authorization = `Bearer ${byId("token").value}`;
  try {
    const response = await fetch(path, { method, body, headers, cache: "no-store" });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      said.className = "bad";
      said.textContent = `${response.status}: ${problem.detail ?? problem.title ?? response.statusText}`;
      return null;
    }
    said.className = "good";
    said.textContent = "done";
    return response;
  } catch {
    said.className = "bad";
    said.textContent = "the server does not answer";
    return null;
  }
}

function askJson(path, value) {
  return ask("POST", path, JSON.stringify(value), { "content-type": "application/json" });
}

function button(text, label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

async function showDifference(id) {
  const response = await ask("GET", `/snapshots/${id}/diff/current`);
  if (!response) return;
  const output = byId("output");
  output.textContent = (await response.text()) || "no line differs";
  output.hidden = false;
}

// Built anew only when it changed, so that the focus stays on its button; when its button goes, it stays in the list.
let shownHistory = "";
function showHistory(history) {
  const text = JSON.stringify(history);
  if (text === shownHistory) return;
  shownHistory = text;
  const list = byId("history");
  const focused = list.contains(document.activeElement);
  list.replaceChildren(...history.map((snapshot) => {
    const row = document.createElement("li");
    const version = document.createElement("code");
    version.textContent = snapshot.version;
    const what = document.createElement("span");
    const time = new Date(snapshot.created * 1000).toLocaleTimeString();
    what.textContent = [time, snapshot.origin, snapshot.note].filter(Boolean).join(", ");
    row.append(version, what);
    if (snapshot.current) {
      const current = document.createElement("b");
      current.textContent = "current";
      row.append(current);
    } else {
      row.append(
        button("Diff", `Difference of ${snapshot.version} to the current settings`, () => showDifference(snapshot.id)),
        button("Roll back", `Roll back to ${snapshot.version}`, () => askJson("/rollback", { to: snapshot.id })),
        button("Canary 10 %", `Give ${snapshot.version} ten percent of the requests`, () => askJson("/canary", { snapshot: snapshot.id, percent: 10 })),
      );
    }
    return row;
  }));
  if (focused) list.focus();
}

// The tag of what the text was taken from: nobody's change in between is overwritten.
let basis = "*";
async function takeCurrent() {
  const shown = await ask("GET", "/snapshots/current");
  const content = shown && await ask("GET", "/snapshots/current/content");
  if (!content) return;
  basis = shown.headers.get("etag");
  byId("content").value = await content.text();
}

async function publish(stage) {
  const query = new URLSearchParams({ note: byId("note").value });
  if (stage) query.set("stage", "true");
  const response = await ask("POST", `/snapshots?${query}`, byId("content").value, { "if-match": basis });
  if (response && !stage) basis = response.headers.get("etag");
}

byId("access").addEventListener("submit", (event) => event.preventDefault());
byId("promote").addEventListener("click", () => ask("POST", "/canary/promote"));
byId("abort").addEventListener("click", () => ask("POST", "/canary/abort"));
byId("reload").addEventListener("click", () => ask("POST", "/reload"));
byId("fetch").addEventListener("click", takeCurrent);
byId("stage").addEventListener("click", () => publish(true));
byId("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  publish(false);
});

connect();

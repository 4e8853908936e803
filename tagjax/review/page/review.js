// The review page: asks the server for what to decide, and sends what was decided.
// Names of tags and artists are put into the page as text only.

const RELATIONS = {
  exact: {key: "e", short: "Same", chart: "the same", says: "is the same as"},
  close: {key: "c", short: "Close", chart: "close", says: "is nearly the same as"},
  broad: {key: "b", short: "Broader", chart: "a kind of it", says: "is a kind of"},
  narrow: {key: "w", short: "Narrower", chart: "includes it", says: "includes"},
  related: {key: "r", short: "Related", chart: "related", says: "is related to"},
  none: {key: "", short: "None", chart: "unrelated", says: "has no counterpart"},
};
const STATES = {
  review: "to review", candidate: "candidate", accepted: "accepted", rejected: "rejected", unsure: "unsure",
};
const VERDICTS = {positive: "yes", negative: "no", unsure: "unsure"};
const DECIDED = {positive: "accepted", negative: "rejected", unsure: "unsure"};
const SOURCES = {
  joint: "All together", sound: "Sound", together: "Tracks with both", spelling: "Spelling", person: "A person",
};
const MACHINE = "tagjax";
const PAGE = 100;
const POLL = 3000;

const app = {
  state: null, view: "", turn: 0, pair: null, version: 0, saving: false, pending: null, clips: [], clip: 0,
  trail: [], at: -1, skipped: new Set(), said: "", trouble: "", chosen: new Map(), changed: "", tag: null,
};

// --- Elements ---

const at = (id) => document.getElementById(id);

/** An element with properties (`class`, `on`, others by name), and children, which are nodes or text. */
function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") node.className = value;
    else if (key === "click") node.addEventListener("click", value);
    else if (key === "wide") node.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function svg(name, properties = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(properties)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** The name of a tag: its tag system paler than the rest. */
function named(tag) {
  const prefix = tag.system && tag.name.startsWith(tag.system) ? tag.system : "";
  const bare = tag.name.slice(prefix.length);
  return el("bdi", {}, ...(prefix ? [el("span", {class: "system"}, prefix), bare] : [bare]));
}

const tagLink = (tag) => el("a", {class: "tag", href: `#/tag/${tag.id}`}, named(tag));
const number = (value) => value.toLocaleString("en");
const plural = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const percent = (value) => `${value > 0 && value < 0.005 ? "<1" : Math.round(value * 100)} %`;
const spoken = (verdict, relation) =>
  verdict === "positive" ? `yes, ${RELATIONS[relation].chart}` : VERDICTS[verdict];

function counts(tag) {
  const artists = tag.artists === null ? "" : ` · ${plural(tag.artists, "artist")}`;
  const lines = [el("p", {}, plural(tag.tracks, "track") + artists)];
  if (tag.examples.length) {
    const names = tag.examples.flatMap((name, index) => [index ? ", " : "", el("bdi", {}, name)]);
    lines.push(el("p", {}, "such as ", ...names));
  }
  return lines;
}

/** Fills a list, or says that it is empty. */
function fill(list, items, empty = "") {
  list.replaceChildren(...(items.length || !empty ? items : [el("li", {class: "small"}, empty)]));
}

// --- The server ---

class Trouble extends Error {
  constructor(kind, message) { super(message); this.kind = kind; }
}

const GONE = "The server does not answer.";

async function ask(path, body) {
  const signal = AbortSignal.timeout(15000);
  const headers = {"Content-Type": "application/json", "X-Tagjax": "1"};
  const options = body === undefined ? {signal} : {signal, method: "POST", headers, body: JSON.stringify(body)};
  let answer, content;
  try {
    answer = await fetch(path, options);
    content = await answer.json();
  } catch {
    if (!answer || answer.ok) throw new Trouble("gone", GONE);
    content = {};
  }
  if (answer.ok) return content;
  const kind = {403: "locked", 404: "missing", 409: "conflict"}[answer.status] || "refused";
  const why = content.error || `The server answered ${answer.status}.`;
  throw new Trouble(kind, kind === "locked" ? "This window is locked: open the address that the server printed." : why);
}

/** Runs a view's work; what goes wrong becomes the line. */
async function quietly(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.kind === "gone" || error.kind === "locked") app.trouble = error.message;
    else app.said = error.message;
    drawLine();
  }
  return undefined;
}

function say(text) {
  app.said = text;
  drawLine();
}

/** The one line for all that a person has to know; the same text is not announced twice. */
function drawLine() {
  const pending = app.pending && !app.saving && `Not saved yet: “${spoken(app.pending.verdict, app.pending.relation)}”.`;
  const bad = app.trouble || app.state?.error || pending;
  const kept = app.trouble && !pending ? "Nothing that was saved is lost." : "";
  const text = [app.trouble, app.state?.error, pending, kept, bad ? "" : app.said].filter(Boolean).join(" ");
  if (at("line").textContent !== text) at("line").textContent = text || "\u00a0";
  at("line").parentElement.classList.toggle("bad", Boolean(bad));
  at("resend").hidden = !pending || Boolean(app.trouble);
}

function took(state) {
  const first = !app.state;
  const moved = !first && state.version !== app.state.version;
  app.state = state;
  app.trouble = "";
  at("bar").max = Math.max(1, state.total);
  at("bar").value = state.decided;
  const busy = state.busy ? " · weighing again…" : "";
  at("progress").textContent = `${number(state.decided)} decided, ${number(state.left)} left${busy}`;
  at("undo").disabled = !state.can_undo && !app.pending;
  const text = state.changed.join("\n");
  if (first || text !== app.changed) {
    const before = new Set(app.changed.split("\n"));
    const line = (said) => el("li", {class: first || before.has(said) ? "" : "new"}, said);
    fill(at("changed"), state.changed.map(line), "Nothing was decided yet.");
    app.changed = text;
  }
  drawLine();
  return moved;
}

async function poll() {
  if (document.hidden || app.saving) return;
  const known = app.state?.version;
  const state = await quietly(() => ask("/api/state"));
  if (!state || app.saving) return;
  const back = app.trouble;
  const moved = took(state);
  if (back && app.pending) await settle();
  else if (back && app.view === "decide" && !app.pair) await refresh();
  else if (back && known === undefined) await route();
  else if (moved) await refresh();
}

async function pollAgain() {
  try {
    await poll();
  } finally {
    setTimeout(pollAgain, app.state?.busy ? POLL / 3 : POLL);
  }
}

/** Something changed, by another window, a hand edit or recalibration. */
function refresh() {
  if (app.view === "decide") return refreshPair();
  if (app.view === "list") return loadList();
  if (app.view === "tag") return loadTag(app.tag, false);
  if (app.view === "tree") return loadTree();
  return undefined;
}

// --- Clips ---

const player = at("player");
const ICONS = {play: "M4 2l10 6-10 6z", stop: "M3 3h10v10H3z"};

function icon(name) {
  return svg("svg", {class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true"}, svg("path", {d: ICONS[name]}));
}

/** A button that plays; grey, with its reason, if it cannot. */
function clipItem(clip) {
  const index = app.clips.length;
  const who = el("span", {}, clip.artist || "unknown artist");
  const what = el("span", {}, clip.reason || clip.title || `track ${clip.track}`);
  const mixed = app.view === "decide" && app.pair.clips_by !== "tag";
  const whose = clip.tag && mixed ? [el("bdi", {}, clip.tag)] : [];
  const number = index < 6 ? [el("kbd", {}, String(index + 1))] : [];
  const button = el(
    "button",
    {class: "clip", type: "button", "aria-pressed": "false", click: () => toggle(index)},
    ...number, icon("play"), el("span", {class: "what"}, who, what), el("span", {class: "whose"}, ...whose), el("span", {class: "past"}),
  );
  button.title = `${clip.artist} – ${clip.title}`;
  app.clips.push({clip, button});
  if (clip.reason) grey(index, clip.reason);
  return el("li", {}, button);
}

function grey(index, reason) {
  const {clip, button} = app.clips[index];
  clip.reason = reason;
  button.setAttribute("aria-disabled", "true");
  button.removeAttribute("aria-pressed");
  button.querySelector(".what").lastChild.textContent = reason;
}

/** Lists of clips, numbered through; the first that can be played is chosen. */
function drawClips(lists) {
  silence();
  app.clips = [];
  for (const [list, clips] of lists) fill(list, clips.map(clipItem), "No clip.");
  app.clip = Math.max(0, app.clips.findIndex(({clip}) => !clip.reason));
  markClip();
}

function markClip() {
  app.clips.forEach(({button}, index) => button.classList.toggle("at", index === app.clip));
}

function silence() {
  player.pause();
  player.removeAttribute("src");
  delete player.dataset.index;
}

function drawPlayer() {
  const playing = player.dataset.index !== undefined && !player.paused && !player.ended;
  app.clips.forEach(({clip, button}, index) => {
    const on = playing && index === Number(player.dataset.index);
    if (!clip.reason && button.getAttribute("aria-pressed") !== String(on)) {
      button.setAttribute("aria-pressed", String(on));
      button.querySelector(".icon").replaceWith(icon(on ? "stop" : "play"));
    }
    button.querySelector(".past").style.width = on ? `${(100 * player.currentTime) / (player.duration || 1)}%` : "0";
  });
}

function toggle(index) {
  const chosen = app.clips[index];
  if (!chosen) return;
  app.clip = index;
  markClip();
  if (chosen.clip.reason) {
    say(chosen.clip.reason);
    return;
  }
  if (player.dataset.index === String(index) && !player.paused) {
    silence();
    drawPlayer();
    return;
  }
  player.src = chosen.clip.url;
  player.dataset.index = index;
  player.play().catch(() => {});
  drawPlayer();
}

/** A clip that does not play: the server says why. */
async function clipFailed() {
  const index = Number(player.dataset.index);
  const chosen = app.clips[index];
  if (player.dataset.index === undefined || !chosen) return;
  silence();
  drawPlayer();
  try {
    const answer = await fetch(chosen.clip.url, {headers: {Range: "bytes=0-0"}});
    if (answer.ok) grey(index, "this browser cannot play it");
    else grey(index, (await answer.json()).error || `the server answered ${answer.status}`);
    say(chosen.clip.reason);
  } catch {
    app.trouble = GONE;
    drawLine();
  }
}

for (const name of ["playing", "pause", "ended", "timeupdate"]) player.addEventListener(name, drawPlayer);
player.addEventListener("error", clipFailed);

// --- One decision at a time ---

/** Another pair, by that of its tags which is not on screen already. */
const briefLine = (brief, here) => {
  const other = here.includes(brief.target?.id) ? brief.source : brief.target;
  const toSource = other && other.id === brief.source.id && brief.target;
  const said = {broad: toSource ? "narrower" : "broader", narrow: toSource ? "broader" : "narrower"};
  const sure = brief.by === MACHINE ? percent(brief.confidence) : STATES[brief.state];
  return el("li", {}, el("a", {class: "tag", href: `#/decide/${brief.id}`}, other ? named(other) : "no counterpart"),
    el("span", {class: "n"}, `${said[brief.relation] || RELATIONS[brief.relation].chart}, ${sure}`));
};

function chartRow(relation, share, proposed) {
  return el("li", {class: relation === proposed ? "proposed" : ""},
    el("span", {}, relation === "none" && app.pair && !app.pair.target ? "no counterpart" : RELATIONS[relation].chart),
    el("span", {class: "track", "aria-hidden": "true"}, el("span", {class: "fill", wide: share})),
    el("span", {class: "n"}, percent(share)));
}

function reasonRow({source, measure, value}) {
  const bar = value === null ? [] : [el("span", {class: "fill", wide: value})];
  return el("li", {},
    el("span", {}, SOURCES[source] || source, el("small", {}, measure)),
    el("span", {class: value === null ? "" : "track", "aria-hidden": "true"}, ...bar),
    el("span", {class: "n"}, value === null ? "yes" : value.toFixed(2)));
}

function tagHead(link, facts, tag) {
  link.replaceChildren(tag ? named(tag) : "");
  link.classList.toggle("long", Boolean(tag) && tag.name.length > 40);
  if (tag) link.href = `#/tag/${tag.id}`;
  else link.removeAttribute("href");
  facts.replaceChildren(...(tag ? counts(tag) : []));
}

/** What is said of a pair; how likely it is, unless a person said so. */
const likely = (pair) =>
  pair.by === MACHINE ? [pair.words, " ", el("b", {}, percent(pair.confidence))] : [pair.words];

/** Clips that speak for and against, or, where nobody knows which do, clips of either tag. */
function sideTitles(pair) {
  const byTag = pair.clips_by === "tag";
  at("for-title").replaceChildren(byTag ? named(pair.source) : "Speaks for it");
  at("against-title").replaceChildren(byTag && pair.target ? named(pair.target) : "Speaks against it");
  at("against-title").hidden = byTag && !pair.target;
  at("against").hidden = byTag && !pair.target;
}

function drawPair(pair) {
  app.pair = pair;
  at("pair").hidden = !pair;
  at("finished").hidden = Boolean(pair);
  at("verdict").hidden = !pair;
  if (!pair) {
    drawFinished();
    return;
  }
  tagHead(at("source"), at("source-facts"), pair.source);
  tagHead(at("target"), at("target-facts"), pair.target);
  at("words").replaceChildren(...likely(pair));
  const decided = pair.by === MACHINE ? "" : `${pair.by}: ${STATES[pair.state]}, ${RELATIONS[pair.relation].chart}. `;
  at("note").textContent = decided + pair.note;
  const shown = Object.keys(RELATIONS).filter((relation) => relation in pair.chart);
  fill(at("chart"), shown.map((relation) => chartRow(relation, pair.chart[relation], pair.relation)));
  fill(at("reasons"), pair.reasons.map(reasonRow), "Nothing.");
  const here = [pair.source.id, pair.target?.id ?? null];
  fill(at("rivals"), pair.rivals.map((rival) => briefLine(rival, here)), "None.");
  const clips = app.state.clips;
  at("hear").hidden = !clips;
  at("no-clips").hidden = clips;
  at("no-clips").textContent = app.state.clips_note;
  sideTitles(pair);
  drawClips(clips ? [[at("for"), pair.for], [at("against"), pair.against]] : []);
  at("yes-more").textContent = `, ${pair.relation === "none" ? "none" : RELATIONS[pair.relation].chart}`;
  for (const button of at("relations").children) button.disabled = !pair.target;
  markSent();
}

function drawFinished() {
  silence();
  const passed = app.skipped.size;
  at("finished-title").textContent = passed ? "Only what was passed over is left" : "Nothing is left to decide";
  at("finished-note").textContent = passed ? `${plural(passed, "pair")}, which you went past.` : "Every pair was decided. The list shows them all.";
  at("again").hidden = !passed;
}

/** Puts a pair on screen, and its address into the bar: a reload shows the same. */
function showPair(pair, version, focus = true) {
  if (app.view !== "decide") return;
  drawPair(pair);
  app.version = version;
  history.replaceState(null, "", pair ? `#/decide/${pair.id}` : "#/decide");
  if (pair) {
    const found = app.trail.indexOf(pair.id);
    app.at = found < 0 ? app.trail.push(pair.id) - 1 : found;
  }
  keepPlace();
  at("previous").disabled = app.at < 1;
  if (!focus || !pair) return;
  at("pair").focus({preventScroll: true});
  if (at("question").nextElementSibling.getBoundingClientRect().top < 0) at("pair").scrollIntoView();
}

/** What was shown and passed over outlives a reload. */
function keepPlace() {
  app.skipped = new Set([...app.skipped].slice(-200));
  const place = {trail: app.trail.slice(-200), skipped: [...app.skipped]};
  sessionStorage.setItem("place", JSON.stringify(place));
}

function remember() {
  const {trail, skipped} = JSON.parse(sessionStorage.getItem("place") || '{"trail": [], "skipped": []}');
  [app.trail, app.at, app.skipped] = [trail, trail.length - 1, new Set(skipped)];
  keepPending(JSON.parse(sessionStorage.getItem("pending") || "null"));
}

/** The pair of this name, or the next one that is worth deciding. */
async function loadPair(name, focus) {
  const turn = ++app.turn;
  if (!app.state) took(await ask("/api/state"));
  const version = app.state.version;
  const skip = [...app.skipped].join(",");
  const pair = name ? await ask(`/api/pair/${encodeURIComponent(name)}`) : (await ask(`/api/next?skip=${skip}`)).pair;
  if (turn === app.turn) showPair(pair, version, focus);
}

async function refreshPair() {
  const shown = app.pair;
  if (!shown) return quietly(() => loadPair("", false));
  if (app.pending) return undefined;
  const version = app.state.version;
  const pair = await quietly(() => ask(`/api/pair/${shown.id}`));
  if (!pair || app.pair !== shown || app.saving) return undefined;
  app.version = version;
  if (pair.state !== shown.state || pair.by !== shown.by || pair.relation !== shown.relation) {
    if (pair.by !== MACHINE) say(`Decided meanwhile by ${pair.by}: ${STATES[pair.state]}. j goes on.`);
    else if (pair.state !== shown.state) say("What was decided changed what is proposed here.");
    drawWithoutStopping(pair);
  }
  return undefined;
}

/** The same pair with other figures: a clip that plays goes on. */
function drawWithoutStopping(pair) {
  if (player.paused) drawPair(pair);
  else {
    app.pair = {...app.pair, state: pair.state, by: pair.by, relation: pair.relation, confidence: pair.confidence};
    at("words").replaceChildren(...likely(pair));
  }
}

function keepPending(pending) {
  app.pending = pending;
  if (pending) sessionStorage.setItem("pending", JSON.stringify(pending));
  else sessionStorage.removeItem("pending");
  at("undo").disabled = !pending && !app.state?.can_undo;
  markSent();
  drawLine();
}

function markSent() {
  const sent = app.pending && app.pair && app.pending.pair === app.pair.id ? app.pending : null;
  const proposed = sent && sent.relation === app.pair.relation;
  for (const button of at("verdict").querySelectorAll("button")) {
    const {verdict, relation} = button.dataset;
    const own = verdict ? sent?.verdict === verdict && (proposed || verdict !== "positive")
      : Boolean(sent && !proposed && sent.verdict === "positive" && sent.relation === relation);
    button.classList.toggle("sent", own);
  }
}

/** Sends a decision. It stays on screen until the server says that it is on disk. */
async function decide(verdict, relation) {
  const pair = app.pair;
  if (!pair || app.saving || app.view !== "decide" || (!pair.target && relation !== "none")) return;
  app.saving = true;
  const slow = setTimeout(() => say("Saving…"), 500);
  at("pair").classList.add("saving");
  keepPending({pair: pair.id, verdict, relation});
  try {
    const answer = await ask("/api/decide", {...app.pending, version: app.version});
    app.skipped.delete(pair.id);
    app.said = `Saved: ${spoken(verdict, relation)}.`;
    keepPending(null);
    took(answer.state);
    if (answer.next && app.skipped.has(answer.next.id)) await quietly(() => loadPair("", true));
    else showPair(answer.next, answer.state.version);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    await notSaved(error);
  } finally {
    clearTimeout(slow);
    app.saving = false;
    at("pair").classList.remove("saving");
    drawLine();
  }
}

async function notSaved(error) {
  if (error.kind === "gone" || error.kind === "locked") {
    app.trouble = error.message;
    drawLine();
    return;
  }
  const state = await quietly(() => ask("/api/state"));
  if (state) took(state);
  if (state?.error) return;
  keepPending(null);
  say(`${error.message[0].toUpperCase()}${error.message.slice(1)}`);
  if (error.kind === "conflict") await quietly(() => loadPair(app.pair.id, true));
}

/** After the server was away: was the decision saved before it went? */
async function settle() {
  const sent = app.pending;
  const pair = await quietly(() => ask(`/api/pair/${sent.pair}`));
  if (!pair || app.pending !== sent) return;
  if (pair.by !== MACHINE && pair.state === DECIDED[sent.verdict] && pair.relation === sent.relation) {
    keepPending(null);
    say(`Saved: ${spoken(sent.verdict, sent.relation)}.`);
    if (app.view === "decide") await quietly(() => loadPair("", true));
    return;
  }
  app.version = app.state.version;
  if (app.view === "decide" && app.pair?.id !== sent.pair) showPair(pair, app.version);
  drawLine();
}

async function resend() {
  const sent = app.pending;
  if (!sent) return;
  if (app.view !== "decide" || app.pair?.id !== sent.pair) {
    history.pushState(null, "", `#/decide/${sent.pair}`);
    await route();
  }
  await decide(sent.verdict, sent.relation);
}

async function undo() {
  if (app.saving) return;
  if (app.pending) {
    keepPending(null);
    say("That decision is dropped.");
    return;
  }
  if (!app.state?.can_undo) return;
  app.saving = true;
  const answer = await quietly(() => ask("/api/undo", {}));
  app.saving = false;
  if (!answer) return;
  app.said = "Undone.";
  took(answer.state);
  if (app.view === "decide" && answer.pair) showPair(answer.pair, answer.state.version);
  else refresh();
}

function move(step) {
  if (app.saving) return undefined;
  if (app.pending) {
    say("");
    return undefined;
  }
  const next = app.at + step;
  if (next < 0) return undefined;
  app.said = "";
  drawLine();
  if (step > 0 && app.pair && app.pair.by === MACHINE) app.skipped.add(app.pair.id);
  return quietly(() => loadPair(app.trail[next] || "", true));
}

function makeDecide() {
  for (const [relation, {key, short}] of Object.entries(RELATIONS)) {
    if (!key) continue;
    const press = () => decide("positive", relation);
    const button = el("button", {type: "button", title: RELATIONS[relation].says, click: press}, el("kbd", {}, key), short);
    button.dataset.relation = relation;
    at("relations").append(button);
  }
  for (const button of at("verdict").querySelectorAll("[data-verdict]"))
    button.addEventListener("click", () => decide(button.dataset.verdict, app.pair.relation));
  at("undo").addEventListener("click", undo);
  at("next").addEventListener("click", () => move(1));
  at("previous").addEventListener("click", () => move(-1));
  at("resend").addEventListener("click", resend);
  at("again").addEventListener("click", () => {
    app.skipped.clear();
    quietly(() => loadPair("", true));
  });
  const keys = [
    ["space", "play, stop"], ["1", "to 6: hear a clip"], ["y", "yes, as proposed"], ["n", "no"], ["?", "unsure"],
    ...Object.values(RELATIONS).filter(({key}) => key).map(({key, says}) => [key, says]),
    ["u", "undo"], ["j", "next"], ["k", "previous"], ["/", "find a tag"],
  ];
  at("legend").append(...keys.map(([key, text]) => el("li", {}, el("kbd", {}, key), ` ${text}`)));
  at("keys").checked = localStorage.getItem("keys") !== "off";
  at("keys").addEventListener("change", () => localStorage.setItem("keys", at("keys").checked ? "on" : "off"));
}

// --- The list ---

function listQuery() {
  const query = new URLSearchParams(location.hash.split("?")[1] || "");
  query.set("limit", PAGE);
  for (const name of ["low", "high"]) if (query.get(name)) query.set(name, Number(query.get(name)) / 100);
  return query;
}

function listRow(brief) {
  const target = brief.target ? tagLink(brief.target) : "";
  const box = el("input", {type: "checkbox", checked: app.chosen.has(brief.id)});
  box.setAttribute("aria-label", `Choose ${brief.source.name}, ${brief.target ? brief.target.name : "no counterpart"}`);
  box.addEventListener("change", () => choose(brief, box.checked));
  const by = brief.by === MACHINE ? [] : [el("small", {}, el("bdi", {}, `by ${brief.by}`))];
  return el("tr", {},
    el("td", {}, box),
    el("th", {scope: "row"}, tagLink(brief.source),
      el("span", {class: "relation"}, ` ${RELATIONS[brief.relation].says} `), target),
    el("td", {class: "n"},
      el("span", {class: "track", "aria-hidden": "true"}, el("span", {class: "fill", wide: brief.confidence})),
      el("span", {class: "share"}, percent(brief.confidence))),
    el("td", {}, el("a", {class: `state-${brief.state}`, href: `#/decide/${brief.id}`}, STATES[brief.state],
      el("span", {class: "heard"}, `: decide ${brief.source.name}`)), ...by));
}

async function loadList() {
  const turn = ++app.turn;
  const query = listQuery();
  const answer = await quietly(() => ask(`/api/pairs?${query}`));
  if (!answer || turn !== app.turn) return;
  const offset = Number(query.get("offset") || 0);
  const last = offset + answer.pairs.length;
  at("count").textContent = !answer.total ? "No pair is like that."
    : `${number(offset + 1)} to ${number(last)} of ${plural(answer.total, "pair")}`;
  at("rows").replaceChildren(...answer.pairs.map(listRow));
  at("before").disabled = !offset;
  at("after").disabled = last >= answer.total;
  app.rows = answer.pairs;
  drawChosen();
}

function choose(brief, on) {
  if (on) app.chosen.set(brief.id, brief);
  else app.chosen.delete(brief.id);
  drawChosen();
}

function drawChosen() {
  const count = app.chosen.size;
  at("chosen").textContent = count ? `${number(count)} chosen` : "none chosen";
  for (const button of at("many").querySelectorAll("button")) button.disabled = !count;
  const rows = app.rows || [];
  const chosen = rows.filter(({id}) => app.chosen.has(id)).length;
  at("all").checked = chosen > 0 && chosen === rows.length;
  at("all").indeterminate = chosen > 0 && chosen < rows.length;
}

/** What is to be asked of the server: one request a relation. */
function manyRequests(verdict) {
  const groups = new Map();
  for (const brief of app.chosen.values()) {
    const relation = at("as").value || brief.relation;
    if (!groups.has(relation)) groups.set(relation, []);
    groups.get(relation).push(brief.id);
  }
  return [...groups].map(([relation, pairs]) => ({pairs, verdict, relation}));
}

async function previewMany(verdict) {
  const requests = manyRequests(verdict);
  const answers = await quietly(() => Promise.all(requests.map((body) => ask("/api/many", {...body, preview: true}))));
  if (!answers) return;
  const would = answers.flatMap((answer) => answer.would);
  const refused = answers.flatMap((answer) => answer.refused);
  at("preview-title").textContent = `${verdict === "positive" ? "Accept" : "Reject"} ${plural(app.chosen.size, "pair")}?`;
  fill(at("would"), would.map((line) => el("li", {}, el("bdi", {}, line))), "Nothing would change.");
  fill(at("refused"), refused.map((line) => el("li", {class: "warn"}, el("bdi", {}, line))));
  at("refused-title").hidden = !refused.length;
  at("do-it").disabled = !would.length;
  at("do-it").onclick = () => doMany(requests);
  at("preview").showModal();
}

async function doMany(requests) {
  at("do-it").disabled = true;
  const done = await quietly(async () => {
    for (const body of requests) {
      const answer = await ask("/api/many", {...body, preview: false});
      for (const id of body.pairs) app.chosen.delete(id);
      took(answer.state);
    }
    return true;
  });
  at("preview").close();
  if (done) say(requests.length > 1 ? `Saved in ${requests.length} parts; u takes back the last.` : "Saved; u takes it back.");
  await loadList();
}

function makeList() {
  const form = at("filter");
  const options = (select, all, table) => {
    select.append(el("option", {value: ""}, all), ...Object.entries(table).map(([value, text]) => el("option", {value}, text)));
  };
  const spoken = Object.fromEntries(Object.entries(RELATIONS).map(([name, {chart}]) => [name, chart]));
  options(form.elements.state, "all", STATES);
  options(form.elements.relation, "all", spoken);
  options(at("as"), "proposed", {exact: spoken.exact, close: spoken.close, broad: spoken.broad,
    narrow: spoken.narrow, related: spoken.related});
  form.elements.sort.append(...[["useful", "usefulness"], ["confidence", "probability"], ["tag", "tag"]]
    .map(([value, text]) => el("option", {value}, text)));
  let wait = 0;
  const changed = (offset) => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (offset) query.set("offset", offset);
    history.replaceState(null, "", `#/list?${query}`);
    return loadList();
  };
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(changed, 200, 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  const turnPage = (step) => async () => {
    await changed(Math.max(0, Number(listQuery().get("offset") || 0) + step));
    at("list-title").focus();
  };
  at("before").addEventListener("click", turnPage(-PAGE));
  at("after").addEventListener("click", turnPage(PAGE));
  at("all").addEventListener("change", () => {
    const on = at("all").checked;
    for (const brief of app.rows || []) choose(brief, on);
    for (const box of at("rows").querySelectorAll("input")) box.checked = on;
  });
  for (const button of at("many").querySelectorAll("button"))
    button.addEventListener("click", () => previewMany(button.dataset.many));
  at("leave-it").addEventListener("click", () => at("preview").close());
}

function openList() {
  const query = new URLSearchParams(location.hash.split("?")[1] || "");
  for (const field of at("filter").elements) if (field.name) field.value = query.get(field.name) || (field.name === "sort" ? "useful" : "");
  return loadList();
}

// --- A tag ---

const nameLine = (tag) =>
  el("li", {}, tagLink(tag), el("span", {class: "small"}, plural(tag.tracks, "track")));

function senseCard(sense) {
  const list = el("ul", {class: "clips"});
  const card = el("section", {}, el("h3", {}, el("bdi", {}, sense.name)),
    el("p", {class: "small"}, plural(sense.artists, "artist"), ", sounds like ", el("bdi", {}, sense.nearest)), list);
  return [card, [list, sense.clips]];
}

async function loadTag(id, focus = true) {
  app.tag = id;
  const turn = ++app.turn;
  const found = await quietly(async () => {
    if (!app.state) took(await ask("/api/state"));
    return ask(`/api/tag/${id}`);
  });
  if (!found || turn !== app.turn) return;
  drawTag(found);
  if (focus) at("tag-title").focus();
}

function drawTag(found) {
  const {tag, canonical, spellings} = found;
  document.title = `${tag.name} – tagjax review`;
  at("tag-title").replaceChildren(named(tag));
  at("tag-facts").replaceChildren(...counts(tag));
  const notes = [];
  if (canonical.name !== tag.name) notes.push(`Goes by the name ${canonical.name}.`);
  if (found.blocked) notes.push(`Blocked: ${found.blocked}.`);
  at("tag-note").textContent = notes.join(" ");
  fill(at("near"), found.nearest.map((brief) => briefLine(brief, [tag.id])), "None.");
  fill(at("parents"), found.parents.map(nameLine), "Nothing broader.");
  fill(at("children"), found.children.map(nameLine), "Nothing narrower.");
  fill(at("spellings"), found.spellings.filter(({id}) => id !== tag.id).map(nameLine), "No other.");
  const senses = found.senses.map(senseCard);
  at("senses").parentElement.hidden = !senses.length;
  at("senses").replaceChildren(...senses.map(([card]) => card));
  const playing = !player.paused && player.dataset.index !== undefined;
  if (!playing || at("tag-clips").dataset.tag !== String(tag.id))
    drawClips([[at("tag-clips"), found.clips], ...senses.map(([, clips]) => clips)]);
  at("tag-clips").dataset.tag = tag.id;
  if (!app.state.clips) fill(at("tag-clips"), [el("li", {class: "small"}, app.state.clips_note)]);
  const field = at("rename").elements.canonical;
  const names = [...new Set([canonical, tag, ...spellings].map(({name}) => name))];
  if (document.activeElement !== field) {
    field.replaceChildren(...names.map((name) => el("option", {value: name}, name)));
    field.value = canonical.name;
  }
  at("rename").hidden = names.length < 2;
  at("split").textContent = found.split ? "Keep it whole: it is one thing" : "Split: it is two things";
  at("block").textContent = found.blocked ? "Unblock: it is a genre" : "Block: it is no genre";
  at("split").onclick = () => changeTag({split: !found.split});
  at("block").onclick = () => changeTag({block: !found.blocked});
}

async function changeTag(body) {
  const id = app.tag;
  const answer = await quietly(() => ask(`/api/tag/${id}`, body));
  if (!answer) return;
  app.said = "Saved.";
  took(answer.state);
  await loadTag(id, false);
}

// --- The map ---

const map = {points: [], shown: [], scale: 1, x: 0, y: 0, at: -1, wide: 1, high: 1, pointers: new Map(), moved: false};
const LABEL = 24;

const PAD = 26;

const inner = () => [map.wide - 2 * PAD, map.high - 2 * PAD];

function place(point) {
  const [wide, high] = inner();
  return [(point.x - map.x) * map.scale * wide + PAD, (point.y - map.y) * map.scale * high + PAD];
}

const radius = (point) => {
  const room = Math.max(0.5, Math.min(1, Math.sqrt(300 / map.points.length)));
  return Math.min(12, 2.5 + 0.8 * Math.log2(1 + point.tracks / 30)) * room * Math.min(1.6, map.scale ** 0.25);
};

async function loadMap() {
  const turn = ++app.turn;
  const answer = map.points.length ? {points: map.points} : await quietly(() => ask("/api/map"));
  if (!answer || turn !== app.turn) return;
  if (!answer.points.length) at("map-at").textContent = "It is not known how any tag sounds.";
  map.points = [...answer.points].sort((first, second) => second.tracks - first.tracks);
  const systems = [...new Set(map.points.map(({system}) => system))].sort();
  for (const point of map.points) point.colour = `system${systems.indexOf(point.system) % 6}`;
  fill(at("colours"), systems.length < 2 ? [] : systems.map((system, index) => el("li", {},
    svg("svg", {viewBox: "0 0 10 10", "aria-hidden": "true"}, svg("circle", {cx: 5, cy: 5, r: 5, class: `system${index % 6}`})),
    el("bdi", {}, system || "no prefix"))));
  drawMap();
}

function drawMap() {
  const box = at("map").getBoundingClientRect();
  [map.wide, map.high] = [box.width || 1, box.height || 1];
  const marks = [], labels = [], taken = [];
  map.shown = [];
  for (const [index, point] of map.points.entries()) {
    const [x, y] = place(point);
    if (x < -20 || y < -20 || x > map.wide + 20 || y > map.high + 20) continue;
    map.shown.push({index, x, y});
    marks.push(svg("circle", {cx: x, cy: y, r: radius(point), class: point.colour}));
  }
  const current = map.shown.find(({index}) => index === map.at);
  for (const spot of current ? [current, ...map.shown] : map.shown) labels.push(...label(spot, taken));
  const ring = current ? [svg("circle", {class: "ring", cx: current.x, cy: current.y, r: radius(map.points[map.at]) + 3})] : [];
  marks.reverse();
  at("map").replaceChildren(svg("svg", {"aria-hidden": "true", viewBox: `0 0 ${map.wide} ${map.high}`}, ...marks, ...labels, ...ring));
}

/** The name beside a point, where it covers no other name and the middle of no point. */
function label({index, x, y}, taken) {
  const point = map.points[index];
  const letters = [...point.name];
  const text = letters.length > LABEL ? `${letters.slice(0, LABEL).join("")}…` : point.name;
  const width = [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 11.5 : 6.3), 4);
  const gap = radius(point) + 3;
  const corners = [
    [x + gap, y - 7, "start", 0], [x - gap - width, y - 7, "end", width],
    [x - width / 2, y - gap - 13, "middle", width / 2], [x - width / 2, y + gap - 1, "middle", width / 2],
  ];
  for (const [left, top, anchor, from] of corners) {
    const [right, bottom] = [left + width, top + 14];
    const covers = (other) => other[0] < right && left < other[2] && other[1] < bottom && top < other[3];
    if (left < 0 || right > map.wide || top < 0 || bottom > map.high || taken.some(covers)) continue;
    if (map.shown.some((spot) => spot.index !== index && covers([spot.x, spot.y, spot.x, spot.y]))) continue;
    taken.push([left, top, right, bottom]);
    return [svg("text", {x: left + from, y: top + 11, "text-anchor": anchor, direction: "ltr"}, `\u2068${text}\u2069`)];
  }
  return [];
}

function nearest(event, within) {
  const box = at("map").getBoundingClientRect();
  const far = ({x, y, index}) => Math.hypot(x + box.left - event.clientX, y + box.top - event.clientY) - radius(map.points[index]);
  const best = map.shown.reduce((found, spot) => (!found || far(spot) < far(found) ? spot : found), null);
  return best && far(best) <= within ? best : null;
}

function zoom(factor, clientX, clientY) {
  const box = at("map").getBoundingClientRect();
  const [wide, high] = inner();
  const [x, y] = [clientX ?? box.left + box.width / 2, clientY ?? box.top + box.height / 2];
  const share = [(x - box.left - PAD) / wide, (y - box.top - PAD) / high];
  const scale = Math.max(1, Math.min(60, map.scale * factor));
  map.x += share[0] / map.scale - share[0] / scale;
  map.y += share[1] / map.scale - share[1] / scale;
  map.scale = scale;
  pan(0, 0);
}

function pan(right, down) {
  const room = 1 - 1 / map.scale;
  const [wide, high] = inner();
  map.x = Math.max(0, Math.min(room, map.x - right / wide / map.scale));
  map.y = Math.max(0, Math.min(room, map.y - down / high / map.scale));
  at("tip").hidden = true;
  requestAnimationFrame(drawMap);
}

function zoomAll() {
  Object.assign(map, {scale: 1, x: 0, y: 0});
  pan(0, 0);
}

function hover(event) {
  const spot = nearest(event, 6);
  const tip = at("tip");
  tip.hidden = !spot;
  if (!spot) return;
  const point = map.points[spot.index];
  tip.replaceChildren(el("bdi", {}, point.name), ` · ${plural(point.tracks, "track")}`);
  const {width, height} = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(innerWidth - width - 4, event.clientX + 14))}px`;
  tip.style.top = `${Math.max(4, Math.min(innerHeight - height - 4, event.clientY + 14))}px`;
}

function drag(event) {
  const before = map.pointers.get(event.pointerId);
  if (!before) {
    hover(event);
    return;
  }
  const others = [...map.pointers].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
  map.pointers.set(event.pointerId, {x: event.clientX, y: event.clientY, start: before.start});
  if (others.length) {
    const apart = (point) => Math.max(1, Math.hypot(point.x - others[0].x, point.y - others[0].y));
    map.moved = true;
    zoom(apart({x: event.clientX, y: event.clientY}) / apart(before), event.clientX, event.clientY);
    return;
  }
  map.moved ||= Math.hypot(event.clientX - before.start[0], event.clientY - before.start[1]) > 4;
  if (map.moved) pan(event.clientX - before.x, event.clientY - before.y);
}

function mapKey(event) {
  const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const actions = {"+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": zoomAll};
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in arrows) stepTo(arrows[event.key]);
  else if (event.key in actions) actions[event.key]();
  else if (event.key === "Enter" && map.at >= 0) location.hash = `#/tag/${map.points[map.at].tag}`;
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The nearest tag in a direction becomes the chosen one, is named, and comes into view. */
function stepTo([right, down]) {
  if (!map.points.length) return;
  const from = map.points[map.at];
  if (!from) map.at = map.shown.length ? map.shown[0].index : 0;
  else {
    const [x, y] = place(from);
    const cost = (point) => {
      const [dx, dy] = [place(point)[0] - x, place(point)[1] - y];
      const along = dx * right + dy * down;
      const across = Math.abs(dx * down + dy * right);
      return along > 0.5 && across <= along * 1.5 ? along + 2 * across : Infinity;
    };
    const best = map.points.reduce((found, point, index) => (cost(point) < cost(map.points[found]) ? index : found), map.at);
    map.at = best;
  }
  const point = map.points[map.at];
  at("map-at").replaceChildren(named(point), `, ${plural(point.tracks, "track")}. Enter opens it.`);
  const [x, y] = place(point);
  const room = 40;
  pan(Math.max(0, room - x) - Math.max(0, x - map.wide + room), Math.max(0, room - y) - Math.max(0, y - map.high + room));
}

function makeMap() {
  const box = at("map");
  box.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, {passive: false});
  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    if (!map.pointers.size) map.moved = false;
    map.pointers.set(event.pointerId, {x: event.clientX, y: event.clientY, start: [event.clientX, event.clientY]});
  });
  box.addEventListener("pointermove", drag);
  const up = (event) => {
    map.pointers.delete(event.pointerId);
    const spot = event.type === "pointerup" && !map.moved && nearest(event, 14);
    if (spot) location.hash = `#/tag/${map.points[spot.index].tag}`;
  };
  box.addEventListener("pointerup", up);
  box.addEventListener("pointercancel", up);
  box.addEventListener("pointerleave", () => { at("tip").hidden = true; });
  box.addEventListener("keydown", mapKey);
  at("zoom-in").addEventListener("click", () => zoom(1.5));
  at("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  at("zoom-all").addEventListener("click", zoomAll);
  new ResizeObserver(() => { if (app.view === "map" && map.points.length) drawMap(); }).observe(box);
}

// --- The tree ---

const tree = {roots: [], open: new Set()};
const disputes = (node) => Boolean(node.disagrees) || node.children.some(disputes);

async function loadTree() {
  const turn = ++app.turn;
  const answer = await quietly(() => ask("/api/tree"));
  if (!answer || turn !== app.turn) return;
  if (!tree.roots.length) for (const root of answer.roots) tree.open.add(`/${root.tag.id}`);
  tree.roots = answer.roots;
  drawTree();
}

function drawTree() {
  const only = at("disputed").checked;
  const keep = (node) => !only || disputes(node);
  const branch = (node, above) => {
    const path = `${above}/${node.tag.id}`;
    const children = node.children.filter(keep);
    const item = el("li", {}, treeRow(node, children.length ? path : ""));
    if (node.disagrees) item.append(el("p", {class: "warn"}, el("bdi", {}, node.disagrees)));
    if (children.length) {
      item.append(el("ul", {hidden: !tree.open.has(path)}, ...children.map((child) => branch(child, path))));
    }
    return item;
  };
  fill(at("tree"), tree.roots.filter(keep).map((root) => branch(root, "")), only ? "The sound disagrees nowhere." : "No tag has a broader one.");
}

function treeRow(node, path) {
  const fold = path ? el("button", {class: "fold", type: "button"}, tree.open.has(path) ? "▾" : "▸") : el("span", {class: "leaf"});
  if (path) {
    fold.dataset.path = path;
    fold.setAttribute("aria-expanded", String(tree.open.has(path)));
    fold.setAttribute("aria-label", `Below ${node.tag.name}`);
    fold.addEventListener("click", () => unfold(fold));
  }
  return el("div", {class: "row"}, fold, tagLink(node.tag), el("span", {class: "small"}, plural(node.tag.tracks, "track")));
}

function unfold(fold) {
  const open = fold.getAttribute("aria-expanded") !== "true";
  if (open) tree.open.add(fold.dataset.path);
  else tree.open.delete(fold.dataset.path);
  fold.setAttribute("aria-expanded", String(open));
  fold.textContent = open ? "▾" : "▸";
  fold.closest("li").querySelector("ul").hidden = !open;
}

function makeTree() {
  const all = (open) => () => {
    for (const fold of at("tree").querySelectorAll(".fold"))
      if ((fold.getAttribute("aria-expanded") === "true") !== open) unfold(fold);
  };
  at("open-all").addEventListener("click", all(true));
  at("close-all").addEventListener("click", all(false));
  at("disputed").addEventListener("change", () => {
    drawTree();
    if (at("disputed").checked) all(true)();
  });
}

// --- Finding a tag ---

function makeSearch() {
  const input = at("search"), list = at("found");
  let wait = 0, turn = 0;
  const close = () => { list.hidden = true; };
  const find = async () => {
    const own = ++turn;
    const text = input.value.trim();
    if (!text) {
      close();
      return;
    }
    const answer = await quietly(() => ask(`/api/tags?q=${encodeURIComponent(text)}`));
    if (!answer || own !== turn) return;
    fill(list, answer.tags.map((tag) => el("li", {},
      el("a", {href: `#/tag/${tag.id}`, click: close}, named(tag), el("span", {class: "n small"}, number(tag.tracks))))), "No such tag.");
    list.hidden = false;
  };
  input.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(find, 120);
  });
  const step = (event) => {
    const links = [...list.querySelectorAll("a")];
    const here = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      close();
      if (here >= 0) input.focus();
    } else if (event.key === "ArrowDown" && !list.hidden) links[Math.min(here + 1, links.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && !list.hidden) (links[here - 1] || input).focus();
    else if (event.key === "Enter" && here < 0 && !list.hidden && links.length) links[0].click();
    else return;
    event.preventDefault();
  };
  input.parentElement.addEventListener("keydown", step);
  input.parentElement.addEventListener("focusout", (event) => {
    if (!input.parentElement.contains(event.relatedTarget)) close();
  });
}

// --- Addresses and keys ---

const TITLES = {decide: "Decide", list: "List", map: "Map", tree: "Tree", tag: "Tag"};

async function route() {
  const [, view, rest] = /^#\/(\w+)(?:\/([\w-]+))?/.exec(location.hash) || [, "decide", ""];
  const known = view in TITLES ? view : "decide";
  const first = !app.view;
  app.view = known;
  silence();
  if (!first) app.said = "";
  at("tip").hidden = true;
  document.title = `${TITLES[known]} – tagjax review`;
  for (const name of Object.keys(TITLES)) at(`view-${name}`).hidden = name !== known;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === known) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  at("verdict").hidden = known !== "decide" || !app.pair;
  at("many").hidden = known !== "list";
  if (!first) scrollTo(0, 0);
  await quietly(() => open(known, rest, !first));
}

async function open(view, rest, focus) {
  if (view === "decide") {
    await loadPair(app.pending?.pair || rest || "", focus).catch((error) => {
      if (error.kind !== "missing") throw error;
      say("That pair is no longer there.");
      return loadPair("", focus);
    });
    return;
  }
  if (view === "tag") {
    await loadTag(Number(rest), focus);
    return;
  }
  if (!app.state) took(await ask("/api/state"));
  if (focus) at(`${view}-title`).focus({preventScroll: true});
  await {list: openList, map: loadMap, tree: loadTree}[view]();
}

function pressed(event) {
  const {target} = event;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const writes = target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || writes || !at("keys").checked) return;
  if (key === " " && target.closest("button, input")) return;
  const relation = Object.keys(RELATIONS).find((name) => RELATIONS[name].key && RELATIONS[name].key === key);
  const clips = app.view === "decide" || app.view === "tag";
  const deciding = app.view === "decide" && app.pair;
  if (key === "/") at("search").focus();
  else if (key === " " && clips) toggle(app.clip);
  else if (/^[1-6]$/.test(key) && clips) toggle(Number(key) - 1);
  else if (event.repeat) return;
  else if (key === "u") undo();
  else if (key === "j" && app.view === "decide") move(1);
  else if (key === "k" && app.view === "decide") move(-1);
  else if (key === "y" && deciding) decide("positive", app.pair.relation);
  else if (key === "n" && deciding) decide("negative", app.pair.relation);
  else if (key === "?" && deciding) decide("unsure", app.pair.relation);
  else if (relation && deciding) decide("positive", relation);
  else return;
  event.preventDefault();
}

makeDecide();
makeList();
makeMap();
makeTree();
makeSearch();
at("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  changeTag({canonical: at("rename").elements.canonical.value});
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
document.addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", poll);
addEventListener("hashchange", route);
remember();
await route();
if (app.pending && app.state) await settle();
setTimeout(pollAgain, POLL);

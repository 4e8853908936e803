// One decision at a time: what comes next, and sending what was decided.

import {at, el} from "./elements.js";
import {drawPair, isOf, markSent, redrawPair, shown} from "./pair.js";
import {ask, Trouble} from "./server.js";
import {begin, complain, drawLine, known, quietly, readdress, review, say, took} from "./status.js";
import {CHOICES, general, keyOf, MACHINE, plural, spoken, STATES} from "./words.js";

const KEPT = 200;

// The pairs that were shown, the place in them, those that were passed over, and the version that is on screen.
let trail = [], place = -1, passed = new Set(), version = 0;

export const title = "Decide";

export async function open(name, focus) {
  try {
    await load(review.pending?.pair || name, focus);
  } catch (error) {
    if (error.kind !== "missing") throw error;
    say("That pair is no longer there.");
    await load("", focus);
  }
}

/** The pair of this name, or the next one that is worth deciding. */
async function load(name, focus) {
  const current = begin();
  await known();
  const seen = review.state.version;
  const pair = name ? await ask(`/api/pair/${encodeURIComponent(name)}`)
    : (await ask(`/api/next?skip=${[...passed].join(",")}`)).pair;
  if (current()) show(pair, seen, focus);
}

/** Puts a pair on screen, and its address into the bar: a reload shows the same. */
export function show(pair, seen, focus = true) {
  if (!readdress("decide", pair ? `#/decide/${pair.id}` : "#/decide")) return;
  drawPair(pair);
  if (!pair) drawFinished();
  version = seen;
  if (pair) {
    const found = trail.indexOf(pair.id);
    place = found < 0 ? trail.push(pair.id) - 1 : found;
  }
  keepPlace();
  at("previous").disabled = place < 1;
  if (!focus || !pair) return;
  at("pair").focus({preventScroll: true});
  if (at("question").nextElementSibling.getBoundingClientRect().top < 0) at("pair").scrollIntoView();
}

function drawFinished() {
  const {size} = passed;
  at("finished-title").textContent = size ? "Only what was passed over is left" : "Nothing is left to decide";
  at("finished-note").textContent = size ? `${plural(size, "pair")}, which you went past.`
    : "What is not sure was decided. The list shows all pairs.";
  at("again").hidden = !size;
}

/** Something changed, by another window, a hand edit or recalibration. */
export async function refresh() {
  const pair = shown();
  if (!pair) {
    await load("", false);
    return;
  }
  if (review.pending) return;
  const seen = review.state.version;
  const found = await ask(`/api/pair/${pair.id}`);
  if (shown() !== pair || review.saving) return;
  version = seen;
  if (found.state === pair.state && found.by === pair.by && found.relation === pair.relation) return;
  if (found.by !== MACHINE) say(`Decided meanwhile by ${found.by}: ${STATES[found.state]}. j goes on.`);
  else if (found.state !== pair.state) say("What was decided changed what is proposed here.");
  redrawPair(found);
}

// What was shown, and what is not saved, outlives a reload.

function keepPlace() {
  passed = new Set([...passed].slice(-KEPT));
  sessionStorage.setItem("place", JSON.stringify({trail: trail.slice(-KEPT), passed: [...passed]}));
}

export function keepPending(pending) {
  review.pending = pending;
  if (pending) sessionStorage.setItem("pending", JSON.stringify(pending));
  else sessionStorage.removeItem("pending");
  markSent();
  drawLine();
}

function remember() {
  const kept = JSON.parse(sessionStorage.getItem("place") || '{"trail": [], "passed": []}');
  [trail, place, passed] = [kept.trail, kept.trail.length - 1, new Set(kept.passed)];
  keepPending(JSON.parse(sessionStorage.getItem("pending") || "null"));
}

/** Sends what is to be said of the pair on screen; its own relation if none is named. */
export function decide(verdict, relation = shown()?.relation) {
  const pair = shown();
  if (!pair || review.saving || review.view !== "decide" || (!pair.target && relation !== "none")) return undefined;
  return send({pair: pair.id, verdict, relation, words: spoken(pair, verdict, relation)});
}

/** Sends a decision. It stays on screen until the server says that it is on disk. */
export async function send(decision) {
  const {pair, verdict, relation, words} = decision;
  review.saving = true;
  const slow = setTimeout(say, 500, "Saving…");
  at("pair").classList.add("saving");
  keepPending(decision);
  try {
    const answer = await ask("/api/decide", {pair, verdict, relation, version});
    passed.delete(pair);
    keepPending(null);
    took(answer.state);
    say(`Saved: ${words}.`);
    if (answer.next && passed.has(answer.next.id)) await quietly(() => load("", true));
    else show(answer.next, answer.state.version);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    await notSaved(error, pair);
  } finally {
    clearTimeout(slow);
    review.saving = false;
    at("pair").classList.remove("saving");
    drawLine();
  }
}

async function notSaved(error, pair) {
  if (error.kind === "gone" || error.kind === "locked") {
    complain(error);
    return;
  }
  const state = await quietly(() => ask("/api/state"));
  if (state) took(state);
  if (state?.error) return;
  keepPending(null);
  complain(error);
  if (error.kind === "conflict") await quietly(() => load(pair, true));
}

/** After the server was away: was the decision saved before it went? */
export async function settle() {
  const sent = review.pending;
  const pair = await ask(`/api/pair/${sent.pair}`);
  if (review.pending !== sent) return;
  if (isOf(sent, pair)) {
    keepPending(null);
    say(`Saved: ${sent.words}.`);
    if (review.view === "decide") await load("", true);
    return;
  }
  version = review.state.version;
  if (shown()?.id !== sent.pair) show(pair, version);
  drawLine();
}

/** Goes to the next pair or the previous one. */
export function move(step) {
  const next = place + step;
  if (review.saving || review.pending || next < 0) return undefined;
  say("");
  if (step > 0 && shown()?.by === MACHINE) passed.add(shown().id);
  return quietly(() => load(trail[next] || "", true));
}

function drawLegend() {
  const keys = [
    ["space", "play, stop", "sound"], ["1", "to 6: hear a clip", "sound"], ["y", "yes, as proposed"], ["n", "no"],
    ["?", "unsure"], ...CHOICES.map((relation) => [keyOf(relation), general(relation)]),
    ["u", "undo"], ["j", "next"], ["k", "previous"], ["/", "find a tag"],
  ];
  at("legend").append(...keys.map(([key, text, kind]) => el("li", {class: kind || ""}, el("kbd", {}, key), ` ${text}`)));
}

for (const relation of CHOICES) {
  const press = () => decide("positive", relation);
  const button = el("button", {type: "button", click: press}, el("kbd", {}, keyOf(relation)), el("span", {}, general(relation)));
  button.dataset.relation = relation;
  at("relations").append(button);
}
for (const button of at("verdicts").children)
  button.addEventListener("click", () => decide(button.dataset.verdict));
at("next").addEventListener("click", () => move(1));
at("previous").addEventListener("click", () => move(-1));
at("again").addEventListener("click", () => {
  passed.clear();
  quietly(() => load("", true));
});
drawLegend();
remember();

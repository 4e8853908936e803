// How far the review is, and the one line for all that a person has to know.

import {at, el, fill} from "./elements.js";
import {ask, Trouble} from "./server.js";
import {capital, number} from "./words.js";

/** What all views share. `pending` is a decision that is not on disk yet: {pair, verdict, relation, words}. */
export const review = {state: null, view: "", address: "", pending: null, saving: false};

let said = "", trouble = "", changed = "", turns = 0;

/** Begins to load something; the result tells whether nothing else was begun since. */
export function begin() {
  const own = ++turns;
  return () => own === turns;
}

/** Puts what a view shows into the address; false if a person has gone elsewhere meanwhile. */
export function readdress(view, address) {
  if (review.view !== view || location.hash !== review.address) return false;
  history.replaceState(null, "", address);
  review.address = location.hash;
  return true;
}

/** Runs a view's work; what goes wrong becomes the line. */
export async function quietly(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    complain(error);
  }
  return undefined;
}

export function complain(error) {
  if (error.kind === "gone" || error.kind === "locked") trouble = error.message;
  else said = capital(error.message);
  drawLine();
}

export const away = () => Boolean(trouble);

export function say(text) {
  said = text;
  drawLine();
}

/** The same text is not announced twice. */
export function drawLine() {
  const {state, pending, saving} = review;
  const unsaved = pending && !saving && `Not saved yet: “${pending.words}”.`;
  const bad = trouble || state?.error || unsaved;
  const kept = trouble && !unsaved ? "Nothing that was saved is lost." : "";
  const text = [trouble, state?.error, unsaved, kept, bad ? "" : said].filter(Boolean).join(" ");
  if (at("line").textContent !== text) at("line").textContent = text || "\u00a0";
  at("line").parentElement.classList.toggle("bad", Boolean(bad));
  at("resend").hidden = !unsaved || Boolean(trouble);
  at("undo").disabled = !state?.can_undo && !pending;
  at("undo").title = pending ? "drop what is not saved" : state?.undo || "";
}

/** What is left, by why it is. */
function leftBecause(state) {
  const kinds = [
    [state.to_review, "to review"],
    [state.accepted_unsure, "accepted but not sure"],
    [state.candidates_unsure, state.candidates_unsure === 1 ? "candidate" : "candidates"],
  ];
  return kinds.filter(([count]) => count).map(([count, kind]) => `${number(count)} ${kind}`).join(", ");
}

/** Takes over how far the review is; returns whether anything changed. */
export function took(state) {
  const before = review.state;
  review.state = state;
  trouble = "";
  at("bar").max = Math.max(1, state.total);
  at("bar").value = state.decided;
  at("progress").textContent = `${number(state.decided)} decided, ${number(state.left)} left`;
  at("left").textContent = leftBecause(state) || "\u00a0";
  at("busy").textContent = state.busy ? "weighing again…" : "";
  drawChanged(state.changed, !before);
  document.body.classList.toggle("mute", !state.clips);
  if (!before && !state.clips) said = `No clips: ${state.clips_note.replace(/[.\s]*$/, ".")} The review goes on without.`;
  drawLine();
  return Boolean(before) && before.version !== state.version;
}

function drawChanged(lines, first) {
  const text = lines.join("\n");
  if (!first && text === changed) return;
  const known = new Set(changed.split("\n"));
  const item = (line) => el("li", {class: first || known.has(line) ? "" : "new"}, line);
  fill(at("changed"), lines.map(item), "Nothing yet.");
  changed = text;
}

/** Asks how far the review is, if it is not known. */
export async function known() {
  if (!review.state) took(await ask("/api/state"));
}

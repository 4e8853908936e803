// What tags, pairs and figures are called, the same everywhere.

import {el} from "./elements.js";

/** What is said of two tags: between their names (`says`), or without them (`short`); `flip`: the second one first. */
const RELATIONS = {
  exact: {key: "e", short: "the same", says: "is the same as"},
  close: {key: "c", short: "nearly the same", says: "is nearly the same as"},
  related: {key: "r", short: "related", says: "is related to"},
  broad: {key: "b", says: "is a kind of", general: "the first is a kind of the second"},
  narrow: {key: "w", says: "is a kind of", general: "the second is a kind of the first", flip: true},
  none: {short: "unrelated", says: "is unrelated to"},
};
/** What a person may say of two tags. */
export const CHOICES = Object.keys(RELATIONS).filter((relation) => RELATIONS[relation].key);
export const keyOf = (relation) => RELATIONS[relation].key;
export const general = (relation) => RELATIONS[relation].short || RELATIONS[relation].general;

export const STATES = {
  review: "to review", candidate: "candidate", accepted: "accepted", rejected: "rejected", unsure: "unsure",
};
/** The state of a pair after a verdict. */
export const DECIDED = {positive: "accepted", negative: "rejected", unsure: "unsure"};
const VERDICTS = {positive: "yes", negative: "no", unsure: "unsure"};

/** Who decides if no person did. */
export const MACHINE = "tagjax";

export const number = (value) => value.toLocaleString("en");
export const plural = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
export const percent = (value) => `${value > 0 && value < 0.005 ? "<1" : Math.round(value * 100)} %`;
export const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

const systemOf = (tag) => (tag.system && tag.name.startsWith(tag.system) ? tag.system : "");
const bare = (tag) => tag.name.slice(systemOf(tag).length);

/** The name of a tag: its tag system paler than the rest. */
export function named(tag) {
  const system = systemOf(tag);
  return el("bdi", {}, ...(system ? [el("span", {class: "system"}, system)] : []), bare(tag));
}

export const tagLink = (tag) => el("a", {class: "tag", href: `#/tag/${tag.id}`}, named(tag));

/** The new name of a tag, if a person gave it one. */
export const called = (tag) => (tag.called ? [el("span", {class: "small"}, "called ", el("bdi", {}, tag.called))] : []);

/** A pair's tags in the order in which a relation names them: [first, words, second]. */
export function inOrder({source, target}, relation) {
  const {says, flip} = RELATIONS[relation];
  if (!target) return [source, "has no counterpart", null];
  return flip ? [target, says, source] : [source, says, target];
}

/** What a relation says of a pair: of its tags by name if it is not the same both ways. */
export function sentence(pair, relation) {
  const {short} = RELATIONS[relation];
  if (!pair.target) return el("span", {class: "sentence"}, "no counterpart");
  if (short) return el("span", {class: "sentence"}, short);
  const [first, says, second] = inOrder(pair, relation);
  const alike = bare(first).toLowerCase() === bare(second).toLowerCase();
  const name = (tag) => el("bdi", {}, alike ? tag.name : bare(tag));
  return el("span", {class: "sentence two"}, name(first), el("span", {}, ` ${says} `), name(second));
}

/** A decision as the line tells it; names keep to their own direction of writing. */
export function spoken(pair, verdict, relation) {
  if (verdict !== "positive") return VERDICTS[verdict];
  const words = sentence(pair, relation);
  for (const name of words.querySelectorAll("bdi")) name.textContent = `\u2068${name.textContent}\u2069`;
  return `yes, ${words.textContent}`;
}

/** How many tracks and artists a tag has, and some of these. */
export function counts(tag) {
  const artists = tag.artists === null ? "" : ` · ${plural(tag.artists, "artist")}`;
  const lines = [el("p", {}, plural(tag.tracks, "track") + artists)];
  if (tag.examples.length) {
    const names = tag.examples.flatMap((name, index) => [index ? ", " : "", el("bdi", {}, name)]);
    lines.push(el("p", {}, "such as ", ...names));
  }
  return lines;
}

/** Another pair, as an entry of a list; it opens the pair. */
export function pairLine(pair) {
  const [first, says, second] = inOrder(pair, pair.relation);
  const sure = pair.by === MACHINE ? percent(pair.confidence) : STATES[pair.state];
  const words = [named(first), el("span", {class: "small"}, ` ${says} `), ...(second ? [named(second)] : [])];
  return el("li", {}, el("a", {class: "tag", href: `#/decide/${pair.id}`}, ...words), el("span", {class: "n"}, sure));
}

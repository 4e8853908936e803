// One pair on screen: its tags, how likely it is, what each source says, rivals and clips.

import {drawClips, playing} from "./clips.js";
import {at, bar, el, fill} from "./elements.js";
import {review} from "./status.js";
import {CHOICES, counts, DECIDED, MACHINE, named, pairLine, percent, sentence, STATES} from "./words.js";

const SOURCES = {
  joint: "All together", sound: "Sound", together: "Tracks with both", spelling: "Spelling", person: "A person",
};

let pair = null;

/** The pair that is on screen, or null. */
export const shown = () => pair;

export function drawPair(found) {
  pair = found;
  at("pair").hidden = !pair;
  at("finished").hidden = Boolean(pair);
  at("verdicts").hidden = at("relations").hidden = !pair;
  if (!pair) {
    drawClips([]);
    return;
  }
  drawHead(at("source"), at("source-facts"), pair.source);
  drawHead(at("target"), at("target-facts"), pair.target);
  drawLikely();
  const decided = pair.by === MACHINE ? [] : [`${pair.by}: ${STATES[pair.state]}, `, sentence(pair, pair.relation), ". "];
  at("note").replaceChildren(...decided, pair.note);
  const rows = [...CHOICES, "none"].filter((relation) => relation in pair.chart);
  fill(at("chart"), rows.map(chartRow));
  fill(at("reasons"), pair.reasons.map(reasonRow), "Nothing.");
  fill(at("rivals"), pair.rivals.map(pairLine), "None.");
  drawSides();
  drawButtons();
}

function drawHead(link, facts, tag) {
  link.replaceChildren(tag ? named(tag) : "");
  link.classList.toggle("long", Boolean(tag) && tag.name.length > 40);
  if (tag) link.href = `#/tag/${tag.id}`;
  else link.removeAttribute("href");
  facts.replaceChildren(...(tag ? counts(tag) : []));
}

/** What is said of the pair; how likely it is, unless a person said so. */
function drawLikely() {
  const share = pair.by === MACHINE ? [" ", el("b", {}, percent(pair.confidence))] : [];
  at("words").replaceChildren(pair.words, ...share);
}

function chartRow(relation) {
  const share = pair.chart[relation];
  return el("li", {class: relation === pair.relation ? "proposed" : ""},
    sentence(pair, relation), el("span", {class: "n"}, percent(share)), bar(share));
}

function reasonRow({source, measure, value}) {
  return el("li", {},
    el("span", {}, SOURCES[source] || source, el("small", {}, measure)),
    el("span", {class: "n"}, value === null ? "yes" : value.toFixed(2)),
    ...(value === null ? [] : [bar(value)]));
}

/** Clips that speak for and against, or, where nobody knows which do, clips of either tag. */
function drawSides() {
  const byTag = pair.clips_by === "tag";
  at("for-title").replaceChildren(byTag ? named(pair.source) : "Speaks for it");
  at("against-title").replaceChildren(byTag && pair.target ? named(pair.target) : "Speaks against it");
  at("against-title").hidden = at("against").hidden = byTag && !pair.target;
  drawClips(review.state.clips ? [[at("for"), pair.for], [at("against"), pair.against]] : [], !byTag);
}

function drawButtons() {
  at("yes-more").replaceChildren(", ", sentence(pair, pair.relation));
  for (const button of at("relations").children) {
    const {relation} = button.dataset;
    button.disabled = !pair.target;
    button.lastChild.replaceWith(pair.target ? sentence(pair, relation) : el("span", {}, "–"));
    button.classList.toggle("proposed", relation === pair.relation);
  }
  markSent();
}

/** The button of a decision that is not saved yet looks pressed. */
export function markSent() {
  const sent = pair && review.pending?.pair === pair.id ? review.pending : null;
  for (const button of document.querySelectorAll("#verdicts button, #relations button")) {
    const {verdict, relation} = button.dataset;
    const proposed = sent?.relation === pair?.relation;
    const own = verdict ? sent?.verdict === verdict && (proposed || verdict !== "positive")
      : sent?.verdict === "positive" && !proposed && sent.relation === relation;
    button.classList.toggle("sent", Boolean(own));
  }
}

/** Whether a decision of a pair is the one that it has now. */
export const isOf = (sent, found) =>
  found.by !== MACHINE && found.state === DECIDED[sent.verdict] && found.relation === sent.relation;

/** The same pair with other figures: a clip that plays goes on. */
export function redrawPair(found) {
  if (!playing()) {
    drawPair(found);
    return;
  }
  const {state, by, relation, confidence, words} = found;
  pair = {...pair, state, by, relation, confidence, words};
  drawLikely();
  drawButtons();
}

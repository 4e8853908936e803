// A tag: how it sounds, its kin, its senses and spellings; its name, whether it is split or blocked.

import {drawClips, playing} from "./clips.js";
import {at, el, fill} from "./elements.js";
import {ask} from "./server.js";
import {begin, known, quietly, review, say, took} from "./status.js";
import {called, capital, counts, named, pairLine, plural, tagLink} from "./words.js";

const field = at("rename").elements.canonical;
let shown = null;

export const title = "Tag";

export async function open(name, focus) {
  const current = begin();
  await known();
  const found = await ask(`/api/tag/${name}`);
  if (!current()) return;
  draw(found);
  if (focus) at("tag-title").focus({preventScroll: true});
}

export async function refresh() {
  if (shown) await open(shown.tag.id, false);
}

const nameLine = (tag) =>
  el("li", {}, el("span", {}, tagLink(tag), " ", ...called(tag)), el("span", {class: "small"}, plural(tag.tracks, "track")));

function senseCard(sense) {
  const list = el("ul", {class: "clips"});
  const card = el("section", {}, el("h3", {}, el("bdi", {}, sense.name)),
    el("p", {class: "small"}, plural(sense.artists, "artist"), ", sounds like ", el("bdi", {}, sense.nearest)), list);
  return [card, [list, sense.clips]];
}

/** Draws what the server says of a tag; a clip that plays goes on. */
function draw(found) {
  const {tag} = found;
  const other = shown?.tag.id !== tag.id;
  shown = found;
  document.title = `${tag.name} – tagjax review`;
  at("tag-title").replaceChildren(named(tag));
  at("tag-facts").replaceChildren(...counts(tag));
  drawNotes();
  fill(at("near"), found.nearest.map(pairLine), "None.");
  fill(at("parents"), found.parents.map(nameLine), "Nothing broader.");
  fill(at("children"), found.children.map(nameLine), "Nothing narrower.");
  fill(at("spellings"), found.spellings.filter(({id}) => id !== tag.id).map(nameLine), "No other.");
  if (other || !playing()) drawSounds();
  drawActions(other);
}

function drawNotes() {
  const {tag, name, blocked} = shown;
  const notes = [];
  if (name !== tag.name) notes.push("called ", el("bdi", {}, name), " ");
  if (blocked) notes.push(`blocked: ${blocked}`);
  at("tag-note").replaceChildren(...notes);
}

function drawSounds() {
  const senses = shown.senses.map(senseCard);
  at("senses").replaceChildren(...senses.map(([card]) => card));
  at("senses").parentElement.hidden = !senses.length;
  const lists = [[at("tag-clips"), shown.clips], ...senses.map(([, clips]) => clips)];
  drawClips(review.state.clips ? lists : []);
}

function drawActions(other) {
  const {tag, canonical, spellings, name} = shown;
  const names = new Set([canonical, tag, ...spellings].map((each) => each.name));
  names.delete(name);
  at("names").replaceChildren(...[...names].map((value) => el("option", {value})));
  field.placeholder = name;
  if (other) {
    field.value = "";
    refused("");
  }
  at("split").textContent = shown.split ? "Keep it whole: it is one thing" : "Split: it is two things";
  at("block").textContent = shown.blocked ? "Unblock: it is a genre" : "Block: it is no genre";
}

/** Says beside the field why its name was not taken. */
function refused(why) {
  at("rename-error").textContent = why && capital(why);
  field.setAttribute("aria-invalid", String(Boolean(why)));
}

async function change(body) {
  const current = begin();
  const answer = await ask(`/api/tag/${shown.tag.id}`, body);
  took(answer.state);
  say("Saved.");
  if (current()) draw(answer.tag);
}

async function rename() {
  try {
    await change({canonical: field.value});
    field.value = "";
    refused("");
  } catch (error) {
    if (error.kind !== "conflict" && error.kind !== "refused") throw error;
    refused(error.message);
    field.focus();
  }
}

at("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  quietly(rename);
});
field.addEventListener("input", () => refused(""));
at("split").addEventListener("click", () => quietly(() => change({split: !shown.split})));
at("block").addEventListener("click", () => quietly(() => change({block: !shown.blocked})));

// Finding a tag by a part of its name.

import {afterwards, at, el, fill} from "./elements.js";
import {ask} from "./server.js";
import {quietly} from "./status.js";
import {called, named, number} from "./words.js";

const input = at("search"), list = at("found"), box = input.parentElement;
let turns = 0;

function close() {
  list.hidden = true;
}

function leave() {
  close();
  input.value = "";
}

async function find() {
  const own = ++turns;
  const text = input.value.trim();
  if (!text) {
    close();
    return;
  }
  const answer = await ask(`/api/tags?q=${encodeURIComponent(text)}`);
  if (own !== turns) return;
  const entry = (tag) => el("a", {href: `#/tag/${tag.id}`, click: leave},
    el("span", {}, named(tag), " ", ...called(tag)), el("span", {class: "n small"}, number(tag.tracks)));
  fill(list, answer.tags.map((tag) => el("li", {}, entry(tag))), "No such tag.");
  list.hidden = false;
}

function step(event) {
  const links = [...list.querySelectorAll("a")];
  const here = links.indexOf(document.activeElement);
  if (event.key === "Escape") {
    close();
    if (here >= 0) input.focus();
    else leave();
  } else if (event.key === "ArrowDown" && !list.hidden) links[Math.min(here + 1, links.length - 1)]?.focus();
  else if (event.key === "ArrowUp" && !list.hidden) (links[here - 1] || input).focus();
  else if (event.key === "Enter" && here < 0 && !list.hidden && links.length) links[0].click();
  else return;
  event.preventDefault();
}

input.addEventListener("input", afterwards(120, () => quietly(find)));
box.addEventListener("keydown", step);
box.addEventListener("focusout", (event) => {
  if (!box.contains(event.relatedTarget)) close();
});

// Keys: one for each thing that is done often. They can be switched off.

import {toggle} from "./clips.js";
import {decide, move} from "./decide.js";
import {at} from "./elements.js";
import {review} from "./status.js";
import {undo} from "./undo.js";
import {CHOICES, keyOf} from "./words.js";

const CLIPS = {decide: true, tag: true};
const ANYWHERE = {u: undo, "/": () => at("search").focus()};
const DECIDING = {
  j: () => move(1), k: () => move(-1), y: () => decide("positive"), n: () => decide("negative"), "?": () => decide("unsure"),
  ...Object.fromEntries(CHOICES.map((relation) => [keyOf(relation), () => decide("positive", relation)])),
};

/** What a key does here, or undefined. */
function action(key, repeat) {
  if (CLIPS[review.view] && key === " ") return () => toggle();
  if (CLIPS[review.view] && /^[1-6]$/.test(key)) return () => toggle(Number(key) - 1);
  if (repeat) return undefined;
  return ANYWHERE[key] || (review.view === "decide" ? DECIDING[key] : undefined);
}

function pressed(event) {
  const {target} = event;
  const writes = target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || writes || !at("keys").checked) return;
  if (event.key === " " && target.closest("button, input")) return;
  const act = action(event.key.length === 1 ? event.key.toLowerCase() : event.key, event.repeat);
  if (!act) return;
  event.preventDefault();
  act();
}

document.addEventListener("keydown", pressed);
at("keys").checked = localStorage.getItem("keys") !== "off";
at("keys").addEventListener("change", () => localStorage.setItem("keys", at("keys").checked ? "on" : "off"));

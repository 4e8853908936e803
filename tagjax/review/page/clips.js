// Clips: buttons that play, and the one player.

import {at, el, fill, svg} from "./elements.js";
import {GONE, Trouble} from "./server.js";
import {complain, say} from "./status.js";

const player = at("player");
const ICONS = {play: "M4 2l10 6-10 6z", stop: "M3 3h10v10H3z"};
const KEYS = 6;

let clips = [], chosen = 0;

const icon = (name) =>
  svg("svg", {class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true"}, svg("path", {d: ICONS[name]}));

/** A button that plays; grey, with its reason, if it cannot. */
function clipItem(clip, whose) {
  const index = clips.length;
  const who = el("span", {}, clip.artist || "unknown artist");
  const what = el("span", {}, clip.title || `track ${clip.track}`);
  const button = el(
    "button",
    {class: "clip", type: "button", "aria-pressed": "false", title: `${who.textContent} – ${what.textContent}`, click: () => toggle(index)},
    ...(index < KEYS ? [el("kbd", {}, String(index + 1))] : []), icon("play"), el("span", {class: "what"}, who, what),
    ...(whose && clip.tag ? [el("bdi", {class: "whose"}, clip.tag)] : []), el("span", {class: "past"}),
  );
  clips.push({clip, button});
  if (clip.reason) grey(index, clip.reason);
  return el("li", {}, button);
}

function grey(index, reason) {
  const {clip, button} = clips[index];
  clip.reason = reason;
  button.setAttribute("aria-disabled", "true");
  button.removeAttribute("aria-pressed");
  button.querySelector(".what").lastChild.textContent = reason;
}

/** Fills [list, clips] one after the other, numbered through; the first that can be played is chosen. */
export function drawClips(lists, whose = false) {
  silence();
  clips = [];
  for (const [list, some] of lists) fill(list, some.map((clip) => clipItem(clip, whose)), "No clip.");
  choose(Math.max(0, clips.findIndex(({clip}) => !clip.reason)));
}

function choose(index) {
  chosen = index;
  clips.forEach(({button}, other) => button.classList.toggle("at", other === index));
}

/** Whether a clip is heard now. */
export const playing = () => player.dataset.index !== undefined && !player.paused && !player.ended;

export function silence() {
  player.pause();
  player.removeAttribute("src");
  delete player.dataset.index;
}

function drawPlayer() {
  const now = playing() ? Number(player.dataset.index) : -1;
  clips.forEach(({clip, button}, index) => {
    const on = index === now;
    if (!clip.reason && button.getAttribute("aria-pressed") !== String(on)) {
      button.setAttribute("aria-pressed", String(on));
      button.querySelector(".icon").replaceWith(icon(on ? "stop" : "play"));
    }
    button.querySelector(".past").style.width = on ? `${(100 * player.currentTime) / (player.duration || 1)}%` : "0";
  });
}

/** Plays a clip, or the chosen one; stops it if it plays. */
export function toggle(index = chosen) {
  if (!clips[index]) return;
  const {clip} = clips[index];
  choose(index);
  if (clip.reason) {
    say(clip.reason);
    return;
  }
  if (playing() && player.dataset.index === String(index)) silence();
  else {
    player.src = clip.url;
    player.dataset.index = index;
    player.play().catch(() => {});
  }
  drawPlayer();
}

/** A clip that does not play: the server says why. */
async function failed() {
  if (player.dataset.index === undefined) return;
  const index = Number(player.dataset.index);
  const {clip} = clips[index];
  silence();
  drawPlayer();
  try {
    const answer = await fetch(clip.url, {headers: {Range: "bytes=0-0"}});
    if (answer.ok) grey(index, "this browser cannot play it");
    else grey(index, (await answer.json()).error || `the server answered ${answer.status}`);
    say(clip.reason);
  } catch {
    complain(new Trouble("gone", GONE));
  }
}

for (const name of ["playing", "pause", "ended", "timeupdate"]) player.addEventListener(name, drawPlayer);
player.addEventListener("error", failed);

// The map: tags that are alike lie near each other. It is dragged and zoomed, or walked through by keys.

import {at, el, fill, svg} from "./elements.js";
import {ask} from "./server.js";
import {begin, known, review} from "./status.js";
import {capital, named, plural} from "./words.js";

const LABEL = 24, PAD = 26, EDGE = 40;
const box = at("map");
const map = {points: [], loaded: false, shown: [], scale: 1, x: 0, y: 0, at: -1, wide: 1, high: 1, pointers: new Map(), moved: false};

export const title = "Map";

export async function open(_, focus) {
  const current = begin();
  if (focus) at("map-title").focus({preventScroll: true});
  draw();
  await known();
  if (map.loaded) return;
  const answer = await ask("/api/map");
  if (!current()) return;
  take(answer);
  draw();
}

/** The map stays as it is: tags do not move while somebody looks for one. */
export function refresh() {}

function take({points, note}) {
  map.loaded = true;
  map.points = [...points].sort((first, second) => second.tracks - first.tracks);
  const by = note ? `${capital(note)}.` : "";
  at("map-by").textContent = by || `Tags that ${review.state.heard ? "sound" : "are"} alike lie near each other.`;
  const systems = [...new Set(points.map(({system}) => system))].sort();
  for (const point of map.points) point.colour = `system${systems.indexOf(point.system) % 6}`;
  fill(at("colours"), systems.length < 2 ? [] : systems.map((system, index) => el("li", {},
    svg("svg", {viewBox: "0 0 10 10", "aria-hidden": "true"}, svg("circle", {cx: 5, cy: 5, r: 5, class: `system${index % 6}`})),
    el("bdi", {}, system || "no prefix"))));
}

const inner = () => [map.wide - 2 * PAD, map.high - 2 * PAD];

function place(point) {
  const [wide, high] = inner();
  return [(point.x - map.x) * map.scale * wide + PAD, (point.y - map.y) * map.scale * high + PAD];
}

const radius = (point) => {
  const room = Math.max(0.5, Math.min(1, Math.sqrt(300 / map.points.length)));
  return Math.min(12, 2.5 + 0.8 * Math.log2(1 + point.tracks / 30)) * room * Math.min(1.6, map.scale ** 0.25);
};

function draw() {
  if (!map.points.length) {
    const text = map.loaded ? "It is not known which tags are alike." : "The map is being drawn…";
    box.replaceChildren(el("p", {class: "plain"}, text));
    return;
  }
  [map.wide, map.high] = [box.clientWidth || 1, box.clientHeight || 1];
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
  box.replaceChildren(svg("svg", {"aria-hidden": "true", viewBox: `0 0 ${map.wide} ${map.high}`}, ...marks, ...labels, ...ring));
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
  const frame = box.getBoundingClientRect();
  const far = ({x, y, index}) => Math.hypot(x + frame.left - event.clientX, y + frame.top - event.clientY) - radius(map.points[index]);
  const best = map.shown.reduce((found, spot) => (!found || far(spot) < far(found) ? spot : found), null);
  return best && far(best) <= within ? best : null;
}

function zoom(factor, clientX, clientY) {
  const frame = box.getBoundingClientRect();
  const [wide, high] = inner();
  const [x, y] = [clientX ?? frame.left + frame.width / 2, clientY ?? frame.top + frame.height / 2];
  const share = [(x - frame.left - PAD) / wide, (y - frame.top - PAD) / high];
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
  requestAnimationFrame(draw);
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

function pressed(event) {
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
    map.at = map.points.reduce((found, point, index) => (cost(point) < cost(map.points[found]) ? index : found), map.at);
  }
  const point = map.points[map.at];
  at("map-at").replaceChildren(named(point), `, ${plural(point.tracks, "track")}. Enter opens it.`);
  const [x, y] = place(point);
  const inward = (spot, size) => Math.max(0, EDGE - spot) - Math.max(0, spot - size + EDGE);
  pan(inward(x, map.wide), inward(y, map.high));
}

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
box.addEventListener("keydown", pressed);
at("zoom-in").addEventListener("click", () => zoom(1.5));
at("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
at("zoom-all").addEventListener("click", zoomAll);
new ResizeObserver(() => { if (review.view === "map") draw(); }).observe(box);

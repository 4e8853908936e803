// The tree: what is a kind of what, and where the sound disagrees.

import {at, el, fill} from "./elements.js";
import {ask} from "./server.js";
import {begin, known, review} from "./status.js";
import {called, plural, tagLink} from "./words.js";

let roots = null;
const unfolded = new Set();

export const title = "Tree";

export async function open(_, focus) {
  await known();
  if (focus) at("tree-title").focus({preventScroll: true});
  await refresh();
}

export async function refresh() {
  const current = begin();
  const answer = await ask("/api/tree");
  if (!current()) return;
  if (!roots) for (const root of answer.roots) unfolded.add(`/${root.tag.id}`);
  ({roots} = answer);
  at("disputed").parentElement.hidden = !review.state.heard;
  draw();
}

const disputes = (node) => Boolean(node.disagrees) || node.children.some(disputes);

function draw() {
  const only = at("disputed").checked;
  const keep = (node) => !only || disputes(node);
  const branch = (node, above) => {
    const path = `${above}/${node.tag.id}`;
    const children = node.children.filter(keep);
    const item = el("li", {}, row(node, children.length ? path : ""));
    if (node.disagrees) item.append(el("p", {class: "warn"}, el("bdi", {}, node.disagrees)));
    if (children.length) {
      item.append(el("ul", {hidden: !unfolded.has(path)}, ...children.map((child) => branch(child, path))));
    }
    return item;
  };
  fill(at("tree"), roots.filter(keep).map((root) => branch(root, "")), only ? "The sound disagrees nowhere." : "No tag has a broader one.");
  for (const button of [at("open-all"), at("close-all")]) button.disabled = !at("tree").querySelector(".fold");
}

function row(node, path) {
  const fold = path ? el("button", {class: "fold", type: "button"}) : el("span", {class: "leaf"});
  if (path) {
    fold.dataset.path = path;
    fold.setAttribute("aria-label", `Below ${node.tag.name}`);
    fold.addEventListener("click", () => unfold(fold, !unfolded.has(path)));
    mark(fold);
  }
  return el("div", {class: "row"}, fold, tagLink(node.tag), ...called(node.tag), el("span", {class: "small"}, plural(node.tag.tracks, "track")));
}

function mark(fold) {
  const on = unfolded.has(fold.dataset.path);
  fold.setAttribute("aria-expanded", String(on));
  fold.textContent = on ? "▾" : "▸";
}

function unfold(fold, on) {
  if (on) unfolded.add(fold.dataset.path);
  else unfolded.delete(fold.dataset.path);
  mark(fold);
  fold.closest("li").querySelector("ul").hidden = !on;
}

const unfoldAll = (on) => {
  for (const fold of at("tree").querySelectorAll(".fold")) unfold(fold, on);
};

at("open-all").addEventListener("click", () => unfoldAll(true));
at("close-all").addEventListener("click", () => unfoldAll(false));
at("disputed").addEventListener("change", () => {
  draw();
  if (at("disputed").checked) unfoldAll(true);
});

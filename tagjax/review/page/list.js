// All pairs: filtered, sorted, and decided many at once.

import {afterwards, at, bar, el, fill} from "./elements.js";
import {ask} from "./server.js";
import {begin, known, quietly, readdress, say, took} from "./status.js";
import {CHOICES, general, inOrder, MACHINE, number, percent, plural, STATES, tagLink} from "./words.js";

const PAGE = 100;
/** What a pair may be to a person; which tag is named first is no matter in a list. */
const KINDS = {
  exact: "the same", close: "nearly the same", related: "related", "broad,narrow": "a kind of", none: "no counterpart",
};
const SORTS = {useful: "usefulness", confidence: "probability", tag: "tag"};

const form = at("filter");
const chosen = new Map();
let rows = [];

export const title = "List";

export async function open(_, focus) {
  await known();
  const query = inAddress();
  for (const {name} of form.elements) if (name) form.elements[name].value = query.get(name) || "";
  form.elements.sort.value ||= "useful";
  if (focus) at("list-title").focus({preventScroll: true});
  await refresh();
}

const inAddress = () => new URLSearchParams(location.hash.split("?")[1] || "");

/** Shows what the address asks for. */
export async function refresh() {
  const current = begin();
  const query = inAddress();
  const offset = Number(query.get("offset") || 0);
  query.set("limit", PAGE);
  for (const name of ["low", "high"]) if (query.get(name)) query.set(name, Number(query.get(name)) / 100);
  let answer;
  try {
    answer = await ask(`/api/pairs?${query}`);
  } catch (error) {
    if (error.kind !== "refused") throw error;
    at("count").textContent = error.message;
    return;
  }
  if (!current()) return;
  rows = answer.pairs;
  const last = offset + rows.length;
  at("count").textContent = !answer.total ? "No pair is like that."
    : rows.length === answer.total ? plural(answer.total, "pair")
    : `${number(offset + 1)} to ${number(last)} of ${plural(answer.total, "pair")}`;
  at("rows").replaceChildren(...rows.map(row));
  at("before").disabled = !offset;
  at("after").disabled = last >= answer.total;
  at("pages").hidden = rows.length === answer.total;
  drawChosen();
}

function row(pair) {
  const [first, says, second] = inOrder(pair, pair.relation);
  const names = `${first.name} ${says}${second ? ` ${second.name}` : ""}`;
  const box = el("input", {type: "checkbox", checked: chosen.has(pair.id), "aria-label": `Choose: ${names}`});
  box.addEventListener("change", () => choose(pair, box.checked));
  const by = pair.by === MACHINE ? [] : [el("small", {}, "by ", el("bdi", {}, pair.by))];
  return el("tr", {},
    el("td", {}, box),
    el("th", {scope: "row"}, tagLink(first), el("span", {class: "relation"}, ` ${says} `), ...(second ? [tagLink(second)] : [])),
    el("td", {class: "n"}, bar(pair.confidence), el("span", {class: "share"}, percent(pair.confidence))),
    el("td", {}, el("a", {class: `state-${pair.state}`, href: `#/decide/${pair.id}`}, STATES[pair.state],
      el("span", {class: "heard"}, `: decide whether ${names}`)), ...by));
}

function choose(pair, on) {
  if (on) chosen.set(pair.id, pair);
  else chosen.delete(pair.id);
  drawChosen();
}

function drawChosen() {
  at("chosen").textContent = `${number(chosen.size)} chosen`;
  for (const button of at("many").querySelectorAll("button")) button.disabled = !chosen.size;
  const here = rows.filter(({id}) => chosen.has(id)).length;
  at("all").checked = here > 0 && here === rows.length;
  at("all").indeterminate = here > 0 && here < rows.length;
}

/** The relation that is to be said of a pair; "first" and "second" are as in its row. */
function relationOf(pair) {
  const wanted = at("as").value;
  const turned = pair.relation === "narrow" && {broad: "narrow", narrow: "broad"}[wanted];
  return turned || wanted || pair.relation;
}

async function preview(verdict) {
  const pairs = Object.fromEntries([...chosen.values()].map((pair) => [pair.id, relationOf(pair)]));
  const answer = await ask("/api/many", {pairs, verdict, preview: true});
  at("preview-title").textContent = `${verdict === "positive" ? "Accept" : "Reject"} ${plural(chosen.size, "pair")}?`;
  fill(at("would"), answer.would.map((line) => el("li", {}, el("bdi", {}, line))), "Nothing would change.");
  fill(at("refused"), answer.refused.map((line) => el("li", {class: "warn"}, el("bdi", {}, line))));
  at("refused-title").hidden = !answer.refused.length;
  at("do-it").disabled = !answer.would.length;
  at("do-it").onclick = () => doMany(pairs, verdict);
  at("preview").showModal();
}

async function doMany(pairs, verdict) {
  at("do-it").disabled = true;
  const answer = await quietly(() => ask("/api/many", {pairs, verdict, preview: false}));
  at("preview").close();
  if (answer) {
    chosen.clear();
    took(answer.state);
    say(answer.refused.length ? `Saved, but for ${plural(answer.refused.length, "pair")}.` : "Saved.");
  }
  await quietly(refresh);
}

/** Takes the filters into the address, and shows what they leave. */
function filtered(offset = 0) {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  if (offset > 0) query.set("offset", offset);
  return readdress("list", `#/list?${query}`) ? quietly(refresh) : undefined;
}

async function turn(step) {
  await filtered(Number(inAddress().get("offset") || 0) + step);
  scrollTo(0, 0);
  at("list-title").focus({preventScroll: true});
}

const options = (table) => Object.entries(table).map(([value, text]) => el("option", {value}, text));
const soon = afterwards(200, () => filtered());

form.elements.state.append(...options({"": "all", ...STATES}));
form.elements.relation.append(...options({"": "all", ...KINDS}));
form.elements.sort.append(...options(SORTS));
at("as").append(...options({"": "proposed", ...Object.fromEntries(CHOICES.map((name) => [name, general(name)]))}));
form.addEventListener("input", () => soon());
form.addEventListener("submit", (event) => event.preventDefault());
at("before").addEventListener("click", () => turn(-PAGE));
at("after").addEventListener("click", () => turn(PAGE));
at("all").addEventListener("change", () => {
  const on = at("all").checked;
  for (const pair of rows) choose(pair, on);
  for (const box of at("rows").querySelectorAll("input")) box.checked = on;
});
for (const button of at("many").querySelectorAll("button"))
  button.addEventListener("click", () => quietly(() => preview(button.dataset.many)));
at("leave-it").addEventListener("click", () => at("preview").close());

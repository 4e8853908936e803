// Which view is shown: the address says it. #/decide/12-40, #/list?state=review, #/tag/3, #/map, #/tree

import {silence} from "./clips.js";
import * as decide from "./decide.js";
import {at} from "./elements.js";
import * as list from "./list.js";
import * as map from "./map.js";
import {shown} from "./pair.js";
import {quietly, review, say} from "./status.js";
import * as tag from "./tag.js";
import * as tree from "./tree.js";

const VIEWS = {decide, list, map, tree, tag};

export async function route() {
  const [, name, rest] = /^#\/(\w+)(?:\/([\w-]+))?/.exec(location.hash) || [];
  const view = Object.hasOwn(VIEWS, name) ? name : "decide";
  const first = !review.view;
  [review.view, review.address] = [view, location.hash];
  silence();
  if (!first) {
    say("");
    scrollTo(0, 0);
  }
  at("tip").hidden = true;
  document.title = `${VIEWS[view].title} – tagjax review`;
  for (const each of Object.keys(VIEWS)) at(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  at("verdicts").hidden = at("relations").hidden = view !== "decide" || !shown();
  at("moves").hidden = view !== "decide";
  at("many").hidden = view !== "list";
  await quietly(() => VIEWS[view].open(rest || "", !first));
}

/** Shows anew what is on screen. */
export const refresh = () => quietly(() => VIEWS[review.view].refresh());

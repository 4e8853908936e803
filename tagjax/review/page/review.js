// The review page: starts the views, and asks now and then whether anything changed.

import {settle} from "./decide.js";
import {at} from "./elements.js";
import "./keys.js";
import {shown} from "./pair.js";
import {refresh, route} from "./routes.js";
import "./search.js";
import {ask} from "./server.js";
import {away, quietly, review, say, took} from "./status.js";

const POLL = 3000;

async function poll() {
  if (document.hidden || review.saving) return;
  const before = review.state;
  const state = await quietly(() => ask("/api/state"));
  if (!state || review.saving) return;
  const back = away();
  const moved = took(state);
  if (before && state.left > before.left && state.changed[0] && state.changed[0] !== before.changed[0]) say(`${state.changed[0]}.`);
  if (back && review.pending) await quietly(settle);
  else if (back && !before) await route();
  else if (moved || (back && review.view === "decide" && !shown())) await refresh();
}

async function pollAgain() {
  try {
    await poll();
  } finally {
    setTimeout(pollAgain, review.state?.busy ? POLL / 3 : POLL);
  }
}

at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
document.addEventListener("visibilitychange", poll);
addEventListener("hashchange", route);
await route();
if (review.pending && review.state) await quietly(settle);
setTimeout(pollAgain, POLL);

// Takes back what was decided or chosen, or sends again what was not saved.

import {keepPending, send, show} from "./decide.js";
import {at} from "./elements.js";
import {shown} from "./pair.js";
import {refresh, route} from "./routes.js";
import {ask} from "./server.js";
import {quietly, review, say, took} from "./status.js";

export async function undo() {
  if (review.saving) return;
  if (review.pending) {
    keepPending(null);
    say("That decision is dropped.");
    return;
  }
  if (!review.state?.can_undo) return;
  review.saving = true;
  const answer = await quietly(() => ask("/api/undo", {}));
  review.saving = false;
  if (!answer) return;
  took(answer.state);
  say(`Undone: ${answer.said}.`);
  if (review.view === "decide" && answer.pair) show(answer.pair, answer.state.version);
  else await refresh();
}

async function resend() {
  const sent = review.pending;
  if (!sent) return;
  if (review.view !== "decide" || shown()?.id !== sent.pair) {
    history.pushState(null, "", `#/decide/${sent.pair}`);
    await route();
  }
  await send(sent);
}

at("undo").addEventListener("click", undo);
at("resend").addEventListener("click", resend);

// The server's answers.

/** What went wrong: "gone", "locked", "missing", "conflict" or "refused". */
export class Trouble extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export const GONE = "The server does not answer.";
const LOCKED = "This window is locked: open the address that the server printed.";
const KINDS = {403: "locked", 404: "missing", 409: "conflict"};

/** What the server answers to a question or, with a body, to an order. */
export async function ask(path, body) {
  const signal = AbortSignal.timeout(15000);
  const headers = {"Content-Type": "application/json", "X-Tagjax": "1"};
  const options = body === undefined ? {signal} : {signal, method: "POST", headers, body: JSON.stringify(body)};
  let answer, content;
  try {
    answer = await fetch(path, options);
    content = await answer.json();
  } catch {
    if (!answer || answer.ok) throw new Trouble("gone", GONE);
    content = {};
  }
  if (answer.ok) return content;
  const kind = KINDS[answer.status] || "refused";
  throw new Trouble(kind, kind === "locked" ? LOCKED : content.error || `The server answered ${answer.status}.`);
}

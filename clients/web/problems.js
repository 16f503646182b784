/** Errors: what is wrong, what to do, and when to try again. */

import { byId, element, say } from "./elements.js";

let waiting;

export function clearProblem() {
  clearInterval(waiting);
  byId("problem").replaceChildren();
  byId("again").hidden = true;
}

/**
 * Shows an error.
 * @param error Of the client, with `code`, `detail` and `retryAfterS`, or any other.
 * @param again What to do once more; offered where that may help.
 */
export function showProblem(error, again) {
  clearProblem();
  const detail = error.detail ?? error.message ?? String(error);
  const parts = [element("strong", { textContent: detail })];
  if (error.code === "unauthenticated") parts.unshift("Enter a key above. The service says: ");
  if (error.code) {
    const id = error.requestId ? `, request ${error.requestId}` : "";
    parts.push(" ", element("code", { textContent: `${error.code}${id}` }));
  }
  byId("problem").replaceChildren(...parts);
  const mayHelp = !error.code || error.retryAfterS !== undefined || ["unreachable", "deadline_exceeded"].includes(error.code);
  if (again && mayHelp) offer(again, error.retryAfterS ?? 0);
}

/** Offers to try again after some seconds; the button is no part of the alert, which would be read out each second. */
function offer(again, seconds) {
  const button = byId("again"), end = performance.now() + seconds * 1000;
  const tell = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    say(button, left > 0 ? `Try again in ${left} s` : "Try again");
    if (left <= 0) clearInterval(waiting);
  };
  button.onclick = again;
  button.hidden = false;
  waiting = setInterval(tell, 250);
  tell();
}

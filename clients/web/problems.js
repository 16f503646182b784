/** Errors: what is wrong, what to do, and when to try again. */

import { byId, element } from "./elements.js";

let waiting;

export function clearProblem() {
  clearInterval(waiting);
  byId("problem").replaceChildren();
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
  const mayHelp = !error.code || error.retryAfterS !== undefined || ["unreachable", "deadline_exceeded"].includes(error.code);
  if (again && mayHelp) parts.push(" ", againButton(again, error.retryAfterS ?? 0));
  byId("problem").replaceChildren(...parts);
}

function againButton(again, seconds) {
  const button = element("button", { type: "button" });
  button.addEventListener("click", again);
  const end = performance.now() + seconds * 1000;
  const tell = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left <= 0) clearInterval(waiting);
  };
  waiting = setInterval(tell, 250);
  tell();
  return button;
}

/** The models of the service, and which one is asked. */

import { byId, element, say } from "./elements.js";

export class Models {
  #models = [];

  constructor(onChange) {
    for (const id of ["model", "effort", "whom"]) byId(id).addEventListener("change", onChange);
  }

  /** Reads the models and fills the selection. */
  async read(client) {
    const { models, incomplete } = await client.catalogue();
    this.#models = models;
    const select = byId("model"), before = select.value;
    const options = this.#models.map(({ name, ready, card, layout, missing = [] }) =>
      element("option", {
        value: name,
        textContent: `${name}${card.clip ? "" : ", poses only"}${ready ? "" : ", not ready"}`,
        title: ready ? `${card.description ?? name}; ${layout.joints.length} joints${layout.units.z ? " in space" : ""}` : missing.join("; "),
        disabled: !ready,
      }),
    );
    select.replaceChildren(element("option", { value: "", textContent: "the default" }), ...options, ...incomplete.map(lacking));
    select.value = this.#models.some(({ name }) => name === before) ? before : "";
  }

  /** Returns the options of a request: what is not chosen is absent. */
  options(isVideo) {
    const options = { model: byId("model").value || undefined, effort: byId("effort").value || undefined };
    if (isVideo) options.people = byId("whom").value;
    return options;
  }

  /** Returns the layout of people in a video: the events do not say it. */
  layoutOf(people) {
    if (!people.length) return null;
    const names = people[0].keypoints.map(({ name }) => name).join();
    return this.#models.map(({ layout }) => layout).find(({ joints }) => joints.join() === names) ?? null;
  }

  /** Says why another effort was made than the one that was asked for. */
  explain(answer) {
    byId("effort-help").textContent = answer?.effort_reason ? `Answered by ${answer.model}, ${answer.effort}: ${answer.effort_reason}.` : "";
    byId("effort-help").hidden = !answer?.effort_reason;
  }
}

/** Returns the option of a model that has no card yet. */
function lacking({ name, missing }) {
  return element("option", { value: name, textContent: `${name}, not ready`, title: missing.join("; "), disabled: true });
}

/** Returns whether the service is shown as ready. */
export const isReady = () => byId("state").classList.contains("good");

const UNREADY_MS = 3000;
let waiting;

/** Shows whether the service is ready; as long as it is not, it is asked again. */
export async function showState() {
  clearTimeout(waiting);
  const state = byId("state");
  let text = "not reached", isGood = false;
  try {
    const answer = await fetch("readyz");
    const { status, reason } = await answer.json();
    isGood = status === "ok";
    text = isGood ? "ready" : (reason ?? status);
  } catch {
    // Nothing answers, or something else does: it is not reached.
  }
  say(state, text);
  clearTimeout(waiting);
  if (!isGood) waiting = setTimeout(showState, UNREADY_MS);
  state.className = `state ${isGood ? "good" : "wrong"}`;
}

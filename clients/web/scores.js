/** Bars of actions, and what a score means. */

import { byId, children, element, hundredths, say, words } from "./elements.js";

const BARS = 5;
const REASONS = {
  not_seen: "nobody was seen for long enough",
  too_short: "too short: a window is not full yet",
  too_sparse: "too few frames a second",
  repeated_frames: "the same picture again and again",
  model_changed: "a new version of the model came meanwhile; it begins anew",
};
export const reasonText = (reason) => REASONS[reason] ?? words(reason);

/** Shows the actions of people: `[{id, actions, reason}]`. */
export function showActions(doers) {
  byId("actions-card").hidden = doers.length === 0;
  const blocks = children(byId("actions"), doers.length, () =>
    element("div", { className: "doer" }, element("h3"), element("p", { className: "hint" }), element("div")),
  );
  doers.forEach(({ id, actions, reason }, index) => {
    const [title, why, bars] = blocks[index].children;
    say(title, `Person ${id}`);
    say(why, actions.length ? "" : `No action: ${reason ? reasonText(reason) : "none of those that the model knows"}`);
    why.hidden = actions.length > 0;
    const shown = actions.slice(0, BARS);
    children(bars, shown.length, newBar).forEach((bar, place) => {
      const { label, score } = shown[place], [name, value, meter] = bar.children;
      bar.classList.toggle("first", place === 0);
      say(name, words(label));
      say(value, hundredths(score));
      meter.firstElementChild.style.width = `${Math.round(score * 100)}%`;
    });
  });
}

function newBar() {
  const meter = element("span", { className: "meter" }, element("i"));
  return element("div", { className: "bar" }, element("span"), element("span", { className: "figure" }), meter);
}

/** Returns the rule of thumb for a lowest score. */
export function scoreRule(lowest) {
  const meaning = "A person's score is the share of the joints that are expected to be right. ";
  if (lowest < 0.2) return `${meaning}Here everybody is shown, doubtful poses and things that are nobody too.`;
  if (lowest < 0.45) return `${meaning}Around 0.3 suits most pictures: some poses are unsure.`;
  if (lowest < 0.7) return `${meaning}From 0.5 on most joints are right; small and hidden people are left out.`;
  return `${meaning}From 0.7 on only clear poses are left: for measuring, or for training data.`;
}

/** Shows figures: `[[name, value], ...]`. */
export function showFigures(figures) {
  const items = children(byId("figures"), figures.length, () => element("div", {}, element("dt"), element("dd")));
  figures.forEach(([name, value], index) => {
    say(items[index].firstElementChild, name);
    say(items[index].lastElementChild, value);
  });
}

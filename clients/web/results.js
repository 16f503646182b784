/** What is shown of people: over the picture, in the list and in space, with one of them chosen. */

import { byId, hundredths, once, words } from "./elements.js";
import { nameOf, PeopleList } from "./people.js";
import { scoreRule, showActions, showFigures } from "./scores.js";
import { Space } from "./space.js";
import { Stage } from "./stage.js";

export class Results {
  #people = [];
  #layout = null;
  #chosen = null; // what that person is called
  #joint = null;
  onLowest = () => {};

  constructor() {
    this.stage = new Stage();
    this.space = new Space(byId("space"), document.querySelector(".views"));
    this.list = new PeopleList();
    this.refresh = once(() => this.#refresh());
    this.stage.onPoint = (person, joint) => this.#choose(person, joint);
    this.list.onChoose = (person) => this.#choose(person, null);
    this.list.onPoint = (joint) => this.#choose(this.#index, joint);
    const slider = byId("score");
    slider.addEventListener("input", () => this.#showLowest());
    slider.addEventListener("change", () => this.onLowest());
    this.#showLowest();
  }

  get lowest() {
    return Number(byId("score").value);
  }

  clear() {
    this.#people = [];
    this.#chosen = null;
    this.onLowest = () => {};
    this.stage.clear();
    showActions([]);
    showFigures([]);
    byId("said").textContent = "";
    this.refresh();
  }

  /** Shows people at once, with the best action of each where `doers` has one: a film's next picture is due. */
  show(people, layout, doers = []) {
    Object.assign(this.stage, { people, layout });
    this.#people = people;
    this.#layout = layout;
    this.stage.labels = people.map((person, index) => labelOf(person, index, people.length, doers));
    this.#refresh();
  }

  get #index() {
    return Math.max(0, this.#people.findIndex((person, index) => nameOf(person, index) === this.#chosen));
  }

  #choose(person, joint) {
    const chosen = this.#people[person] ? nameOf(this.#people[person], person) : null;
    if (chosen === this.#chosen && joint === this.#joint) return;
    this.#chosen = chosen;
    this.#joint = joint;
    this.refresh();
  }

  #showLowest() {
    byId("score-value").value = hundredths(this.lowest);
    byId("score-help").textContent = scoreRule(this.lowest);
    this.refresh();
  }

  #refresh() {
    const chosen = this.#index, person = this.#people[chosen];
    Object.assign(this.stage, { lowest: this.lowest, chosen, joint: this.#joint });
    this.stage.draw();
    this.list.show(this.#people, { lowest: this.lowest, chosen, joint: this.#joint });
    const hasDepth = Boolean(this.#layout?.units?.z);
    byId("space-card").hidden = !hasDepth || this.#people.length === 0;
    this.space.show(person ?? null, this.#layout);
  }
}

function labelOf(person, index, count, doers) {
  const name = nameOf(person, index), best = doers.find((doer) => doer.id === person.id)?.actions[0];
  if (best) return `${name} ${words(best.label)} ${hundredths(best.score)}`;
  return count > 1 || person.id !== undefined ? `${name} · ${hundredths(person.score)}` : hundredths(person.score);
}

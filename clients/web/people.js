/** The people of a picture, and the joints of the chosen one. */

import { byId, children, element, hundredths, say, words } from "./elements.js";
import { isPlaced, sideOf } from "./skeleton.js";

/** Returns what a person is called: by the id of a video, or by the place in the answer. */
export const nameOf = (person, index) => (person.id === undefined || person.id === null ? index + 1 : person.id);

export class PeopleList {
  onChoose = () => {}; // (person)
  onPoint = () => {}; // (joint or null)

  constructor() {
    this.list = byId("people");
    this.joints = byId("joints");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.onChoose([...this.list.children].indexOf(button.parentElement));
    });
    const all = () => [...this.joints.children];
    this.joints.addEventListener("pointerover", ({ target }) => this.onPoint(numberOf(all(), target.closest("li"))));
    this.joints.addEventListener("pointerleave", () => this.onPoint(null));
  }

  show(people, { lowest, chosen, joint }) {
    byId("people-card").hidden = people.length === 0;
    const items = children(this.list, people.length, () => element("li", {}, element("button", { type: "button" })));
    people.forEach((person, index) => {
      const button = items[index].firstElementChild, below = person.score < lowest;
      button.classList.toggle("below", below);
      button.setAttribute("aria-pressed", String(index === chosen));
      const found = person.detection_score === undefined || person.detection_score === null ? "" : `, detected with ${hundredths(person.detection_score)}`;
      button.title = `score ${hundredths(person.score)}${found}${below ? ", below the lowest score" : ""}`;
      say(button, `${nameOf(person, index)}: ${hundredths(person.score)}${below ? " (below)" : ""}`);
    });
    const person = people[chosen];
    byId("joints").hidden = byId("joints-title").hidden = !person;
    if (person) this.#showJoints(person, joint, `Joints of person ${nameOf(person, chosen)}`);
  }

  #showJoints(person, joint, title) {
    say(byId("joints-title"), title);
    const rows = children(this.joints, person.keypoints.length, newRow);
    person.keypoints.forEach((keypoint, index) => {
      const row = rows[index], [name, meter, score] = row.children;
      say(name, words(keypoint.name));
      row.className = `${sideOf(keypoint.name)}${index === joint ? " lit" : ""}`;
      row.title = isPlaced(keypoint) ? placeOf(keypoint) : "this model does not know this joint";
      say(score, isPlaced(keypoint) ? hundredths(keypoint.score) : "-");
      meter.firstElementChild.style.width = `${Math.round(keypoint.score * 100)}%`;
    });
  }
}

function numberOf(all, one) {
  const number = all.indexOf(one);
  return number < 0 ? null : number;
}

function newRow() {
  const meter = element("span", { className: "meter" }, element("i"));
  return element("li", {}, element("span"), meter, element("span", { className: "figure" }));
}

function placeOf({ x, y, z }) {
  const place = `x ${x.toFixed(1)}, y ${y.toFixed(1)} px`;
  return z === undefined || z === null ? place : `${place}, z ${z.toFixed(0)} mm from the pelvis`;
}

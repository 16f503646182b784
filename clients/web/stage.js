/** The picture, video or camera with the skeletons over it. */

import { byId, once, sharp } from "./elements.js";
import { drawPeople, jointText, nearestJoint, personAt } from "./skeleton.js";

const REACH_PX = 18; // of the pointer to a joint, on the screen

export class Stage {
  people = [];
  layout = null;
  labels = [];
  lowest = 0;
  chosen = 0;
  joint = null;
  shown = null; // of `picture` and `film`
  size = { width: 4, height: 3 };
  onPoint = () => {}; // (person, joint or null)

  constructor() {
    this.frame = byId("frame");
    this.canvas = byId("overlay");
    this.picture = byId("picture");
    this.film = byId("film");
    this.redraw = once(() => this.draw());
    new ResizeObserver(this.redraw).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#point(event, false));
    this.canvas.addEventListener("pointerdown", (event) => this.#point(event, true));
    this.canvas.addEventListener("pointerleave", () => {
      byId("tip").hidden = true;
      this.onPoint(this.chosen, null);
    });
  }

  /** Shows one of `picture` and `film`; with neither, a dark ground on which skeletons stand alone. */
  open(shown, { mirrored = false } = {}) {
    byId("welcome").hidden = true;
    this.frame.hidden = false;
    this.picture.hidden = shown !== this.picture;
    this.film.hidden = shown !== this.film;
    byId("unshown").hidden = shown !== null;
    this.shown = shown;
    this.mirrored = mirrored;
    this.frame.classList.toggle("mirrored", mirrored);
    this.clear();
    byId("stage").scrollIntoView({ block: "nearest" }); // on phones it may be below
  }

  /** Shows the ways in again, unless there is a picture to look at; returns whether it did. */
  close() {
    const isEmpty = !this.shown && this.people.length === 0;
    this.frame.hidden ||= isEmpty;
    byId("welcome").hidden &&= !isEmpty;
    return isEmpty;
  }

  clear() {
    this.people = [];
    this.labels = [];
    byId("tip").hidden = true;
    this.redraw();
  }

  /** Sets in which pixels people are given. */
  resize(width, height) {
    if (!width || !height || (width === this.size.width && height === this.size.height)) return;
    this.size = { width, height };
    this.frame.style.setProperty("--ratio", String(width / height));
    this.redraw();
  }

  /** Returns the picture with the skeletons, in its own size, as a PNG. */
  async saved() {
    const { width, height } = this.size;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    if (this.mirrored) context.setTransform(-1, 0, 0, 1, width, 0);
    if (this.shown) context.drawImage(this.shown, 0, 0, width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.#drawOn(context, width, { chosen: -1 });
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  draw() {
    const { context, width } = sharp(this.canvas);
    this.#drawOn(context, width, { chosen: this.chosen, joint: this.joint });
    this.canvas.setAttribute("aria-label", `Skeletons of ${this.people.length} people`);
  }

  #drawOn(context, width, look) {
    if (!this.layout) return;
    const scale = width / this.size.width;
    const at = this.mirrored ? (x, y) => [width - x * scale, y * scale] : (x, y) => [x * scale, y * scale];
    drawPeople(context, this.people, this.layout, at, scale, { ...look, lowest: this.lowest, labels: this.labels });
  }

  #point(event, isPressed) {
    const scale = this.canvas.clientWidth / this.size.width, tip = byId("tip");
    const x = (this.mirrored ? this.canvas.clientWidth - event.offsetX : event.offsetX) / scale, y = event.offsetY / scale;
    const near = nearestJoint(this.people, x, y, REACH_PX / scale);
    tip.hidden = near === null;
    if (near) {
      const joint = this.people[near.person].keypoints[near.joint];
      tip.textContent = jointText(joint);
      const left = this.mirrored ? this.canvas.clientWidth - joint.x * scale : joint.x * scale;
      tip.style.left = `${Math.max(60, Math.min(left, this.canvas.clientWidth - 60))}px`;
      tip.style.top = `${Math.max(40, joint.y * scale)}px`;
      this.onPoint(near.person, near.joint);
    } else {
      const person = isPressed ? personAt(this.people, x, y) : -1;
      this.onPoint(person < 0 ? this.chosen : person, null);
    }
  }
}

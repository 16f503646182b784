/** The view in space: a pose with depth, turned by pointer and keyboard. */

import { once, sharp } from "./elements.js";
import { boneColour, isShown, jointColour } from "./skeleton.js";

const STATURE_MM = 1700;
// Lengths of limbs as shares of the stature (Drillis and Contini): they tell how large a pixel is.
const LIMBS = [
  ["hip", "knee", 0.245], ["knee", "ankle", 0.246], ["shoulder", "hip", 0.29],
  ["shoulder", "elbow", 0.186], ["elbow", "wrist", 0.146],
];
const VIEWS = { front: [0, 0.12], side: [Math.PI / 2, 0.12], top: [0, 1.45] };
const STEP = Math.PI / 18;
const MOST_PITCH = 1.5;
const DISTANCE_MM = 5200;

/** Returns millimetres for a pixel of the picture: those that give the limbs the length which a person's have. */
export function millimetresPerPixel(person) {
  const by = new Map(person.keypoints.map((keypoint) => [keypoint.name, keypoint]));
  let wanted = 0;
  const limbs = [];
  for (const side of ["right", "left"]) {
    for (const [from, to, share] of LIMBS) {
      const a = by.get(`${side}_${from}`), b = by.get(`${side}_${to}`);
      if (!a || !b || !isShown(a) || !isShown(b)) continue;
      limbs.push([Math.hypot(a.x - b.x, a.y - b.y), (a.z ?? 0) - (b.z ?? 0)]);
      wanted += share * STATURE_MM;
    }
  }
  const height = Math.max(person.box[3], person.box[2], 1);
  if (!limbs.length) return STATURE_MM / height;
  const length = (scale) => limbs.reduce((sum, [pixels, depth]) => sum + Math.hypot(pixels * scale, depth), 0);
  let low = (0.2 * STATURE_MM) / height, high = (5 * STATURE_MM) / height;
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (length(middle) < wanted) low = middle;
    else high = middle;
  }
  return low;
}

/** Returns the joints in millimetres around the middle of the body: x to the right, y up, z towards the viewer. */
export function inSpace(person) {
  const scale = millimetresPerPixel(person);
  const shown = person.keypoints.map((keypoint) => (isShown(keypoint) && Number.isFinite(keypoint.z) ? keypoint : null));
  const seen = shown.filter(Boolean);
  if (!seen.length) return { points: [], floor: 0 };
  const middle = (of) => (Math.min(...seen.map(of)) + Math.max(...seen.map(of))) / 2;
  const x = middle((joint) => joint.x), y = middle((joint) => joint.y), z = middle((joint) => joint.z);
  const points = shown.map(
    (joint) => joint && { name: joint.name, x: (joint.x - x) * scale, y: (y - joint.y) * scale, z: z - joint.z },
  );
  return { points, floor: Math.min(...points.filter(Boolean).map((point) => point.y)) - 60 };
}

export class Space {
  #person = null;
  #layout = null;
  #yaw = 0.6;
  #pitch = 0.2;

  constructor(canvas, views) {
    this.canvas = canvas;
    this.redraw = once(() => this.#draw());
    new ResizeObserver(this.redraw).observe(canvas);
    let last = null; // of the pointer: touches have no movement of their own in some browsers
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = event;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== last?.pointerId || !canvas.hasPointerCapture(event.pointerId)) return;
      this.turn((event.clientX - last.clientX) / 110, (event.clientY - last.clientY) / 110);
      last = event;
    });
    canvas.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
      const turn = turns[event.key];
      if (event.key === "Home") this.look("front");
      if (turn) this.turn(...turn);
      if (turn || event.key === "Home") event.preventDefault();
    });
    views.addEventListener("click", ({ target }) => this.look(target.dataset.view));
  }

  /** Shows a person; null: nobody. */
  show(person, layout) {
    this.#person = person;
    this.#layout = layout;
    this.redraw();
  }

  look(view) {
    if (!VIEWS[view]) return;
    [this.#yaw, this.#pitch] = VIEWS[view];
    this.redraw();
  }

  turn(yaw, pitch) {
    this.#yaw += yaw;
    this.#pitch = Math.max(-MOST_PITCH, Math.min(MOST_PITCH, this.#pitch + pitch));
    this.redraw();
  }

  #draw() {
    const { context, width, height } = sharp(this.canvas);
    if (!width) return;
    const style = getComputedStyle(this.canvas), line = style.getPropertyValue("--field");
    const { points, floor } = this.#person ? inSpace(this.#person) : { points: [], floor: -900 };
    const zoom = Math.min(width, height * 1.1) / 2350;
    const [sy, cy, sp, cp] = [Math.sin(this.#yaw), Math.cos(this.#yaw), Math.sin(this.#pitch), Math.cos(this.#pitch)];
    const project = ({ x, y, z }) => {
      const across = x * cy + z * sy, deep = z * cy - x * sy;
      const up = y * cp - deep * sp, near = deep * cp + y * sp;
      const by = (zoom * DISTANCE_MM) / (DISTANCE_MM - near);
      return { x: width / 2 + across * by, y: height / 2 - up * by, near, by };
    };
    this.#drawFloor(context, floor, project, line, points);
    const bones = (this.#layout?.edges ?? [])
      .filter(([a, b]) => points[a] && points[b])
      .map(([a, b]) => ({ a: points[a], b: points[b], from: project(points[a]), to: project(points[b]) }))
      .sort((one, other) => one.from.near + one.to.near - other.from.near - other.to.near);
    context.lineCap = "round";
    for (const { a, b, from, to } of bones) {
      context.strokeStyle = boneColour(a.name, b.name);
      context.lineWidth = (from.by + to.by) * 17;
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
      for (const [joint, place] of [[a, from], [b, to]]) dot(context, place, place.by * 30, jointColour(joint.name));
    }
  }

  /** Draws a grid under the feet, and the shadow of the joints on it. */
  #drawFloor(context, floor, project, colour, points) {
    context.save();
    context.globalAlpha = 0.4;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    const reach = 900;
    for (let at = -reach; at <= reach; at += 300) {
      for (const ends of [[{ x: at, z: -reach }, { x: at, z: reach }], [{ x: -reach, z: at }, { x: reach, z: at }]]) {
        const [from, to] = ends.map((end) => project({ ...end, y: floor }));
        context.beginPath();
        context.moveTo(from.x, from.y);
        context.lineTo(to.x, to.y);
        context.stroke();
      }
    }
    context.lineWidth = 4;
    context.lineCap = "round";
    for (const [a, b] of this.#layout?.edges ?? []) {
      if (!points[a] || !points[b]) continue;
      const from = project({ ...points[a], y: floor }), to = project({ ...points[b], y: floor });
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
    }
    context.restore();
  }
}

function dot(context, { x, y }, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

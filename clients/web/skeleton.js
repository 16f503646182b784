/** Skeletons: drawn on any canvas, and found again under a pointer. */

import { hundredths, words } from "./elements.js";

export const DRAWN_FROM = 0.2; // score of a joint
const FADED = 0.22;
const COLOURS = { right: "#ff7043", left: "#42a5f5", middle: "#9ccc65" };

/** Returns whether a joint has a place: a layout may have joints that the model lacks. */
export const isPlaced = (joint) => joint.x !== null && joint.x !== undefined && joint.y !== null && joint.y !== undefined;
export const isShown = (joint) => isPlaced(joint) && joint.score >= DRAWN_FROM;

/** Returns `right`, `left` or `middle`. */
export function sideOf(joint) {
  return joint.startsWith("right") ? "right" : joint.startsWith("left") ? "left" : "middle";
}

/** Returns the colour of a bone: that of its end which is not in the middle. */
export function boneColour(a, b) {
  return COLOURS[sideOf(a) === "middle" ? sideOf(b) : sideOf(a)];
}

export const jointColour = (name) => COLOURS[sideOf(name)];

/**
 * Draws people.
 *
 * `at` makes a place of the picture into one of the canvas; `scale` is canvas pixels for one of the picture.
 * `look` says which person and joint are chosen, below which score people are faded, and the texts over them.
 */
export function drawPeople(context, people, layout, at, scale, { lowest = 0, chosen, joint, labels = [] } = {}) {
  context.save();
  context.lineCap = "round";
  const taken = []; // places of labels
  people.forEach((person, index) => {
    const faded = person.score < lowest;
    context.globalAlpha = faded ? FADED : 1;
    const size = Math.max(person.box[2], person.box[3]) * scale;
    const thickness = Math.min(Math.max(2, size / 85), 12);
    drawBones(context, person, layout, at, thickness);
    person.keypoints.forEach((keypoint, number) => {
      if (isShown(keypoint)) drawJoint(context, keypoint, at, thickness, index === chosen && number === joint);
    });
    if (index === chosen && people.length > 1) drawCorners(context, person.box, at, scale);
    if (!faded && labels[index]) drawLabel(context, person, labels[index], at, taken);
  });
  context.restore();
}

function drawBones(context, person, layout, at, thickness) {
  const alpha = context.globalAlpha;
  for (const [from, to] of layout.edges) {
    const a = person.keypoints[from], b = person.keypoints[to];
    if (!isShown(a) || !isShown(b)) continue;
    const [ax, ay] = at(a.x, a.y), [bx, by] = at(b.x, b.y);
    context.globalAlpha = alpha * (0.35 + 0.65 * Math.min(a.score, b.score));
    for (const [colour, width] of [["rgb(0 0 0 / 45%)", thickness + 2], [boneColour(a.name, b.name), thickness]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
      context.stroke();
    }
  }
  context.globalAlpha = alpha;
}

function drawJoint(context, joint, at, thickness, isLit) {
  const [x, y] = at(joint.x, joint.y);
  const circle = (radius, colour) => {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  };
  if (isLit) circle(thickness * 1.6 + 5, "rgb(255 255 255 / 85%)");
  circle(thickness * 0.8 + 1.4, "#fff");
  circle(thickness * 0.8, jointColour(joint.name));
}

/** Marks the chosen one of several people at the corners of the box. */
function drawCorners(context, [x, y, width, height], at, scale) {
  const [x0, y0] = at(x, y), [x1, y1] = at(x + width, y + height), long = Math.min(18, (width * scale) / 4);
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.beginPath();
  for (const [px, py, qx, qy] of [[x0, y0, x1, y1], [x1, y0, x0, y1], [x0, y1, x1, y0], [x1, y1, x0, y0]]) {
    context.moveTo(px + Math.sign(qx - px) * long, py);
    context.lineTo(px, py);
    context.lineTo(px, py + Math.sign(qy - py) * long);
  }
  context.stroke();
}

/** Writes over the head: the highest joint may be in the middle of it. Another label there is not hidden. */
function drawLabel(context, { box: [x, y, width, height], keypoints }, text, at, taken) {
  context.font = "600 13px system-ui, sans-serif";
  const wide = context.measureText(text).width + 14;
  const highest = Math.min(y, ...keypoints.filter(isShown).map((joint) => joint.y - 0.1 * height));
  const [left, top] = at(x, highest), [right] = at(x + width, highest);
  const place = Math.max(2, Math.min((left + right) / 2 - wide / 2, context.canvas.width / context.getTransform().a - wide - 2));
  const isFree = (high) => taken.every((other) => Math.abs(other.high - high) >= 22 || other.left > place + wide || other.right < place);
  const wanted = Math.max(2, top - 24);
  const high = [0, -1, 1, -2, 2].map((step) => wanted + 22 * step).find((place) => place >= 2 && isFree(place)) ?? wanted;
  taken.push({ high, left: place, right: place + wide });
  context.fillStyle = "rgb(16 19 21 / 82%)";
  context.beginPath();
  context.roundRect(place, high, wide, 21, 6);
  context.fill();
  context.fillStyle = "#fff";
  context.fillText(text, place + 7, high + 15);
}

/** Returns the person and the joint nearest to a place of the picture, no further than `reach`; or null. */
export function nearestJoint(people, x, y, reach) {
  let best = null;
  people.forEach((person, index) => {
    person.keypoints.forEach((keypoint, joint) => {
      if (!isShown(keypoint)) return;
      const far = Math.hypot(keypoint.x - x, keypoint.y - y);
      if (far <= (best ? best.far : reach)) best = { person: index, joint, far };
    });
  });
  return best;
}

/** Returns the person at a place: the smallest box around it. */
export function personAt(people, x, y) {
  const area = ({ box }) => box[2] * box[3];
  return people.reduce((best, person, index) => {
    const [left, top, width, height] = person.box;
    const inside = x >= left && x <= left + width && y >= top && y <= top + height;
    return inside && (best < 0 || area(person) < area(people[best])) ? index : best;
  }, -1);
}

export const jointText = (joint) => `${words(joint.name)} ${hundredths(joint.score)}`;

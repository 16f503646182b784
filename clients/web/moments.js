/** What was seen in a video, by time. */

import { isShown } from "./skeleton.js";

const LONGEST_GAP_S = 0.35; // between two poses that belong to one movement

/** The poses of a video, by rising time. Between two of them a person's joints move along a smooth curve. */
export class Poses {
  #moments = []; // {time, people}

  add(time, people) {
    this.#moments.push({ time, people });
  }

  /** Returns the people at a time. */
  at(time) {
    const after = this.#after(time);
    const [earlier, before, next, later] = [-2, -1, 0, 1].map((step) => this.#moments[after + step]);
    if (!before) return next && next.time - time < LONGEST_GAP_S ? next.people : [];
    if (!next || !isOneMovement(before, next)) return time - before.time < LONGEST_GAP_S ? before.people : [];
    return before.people.map((person) => {
      const of = (moment, neighbour) =>
        moment && isOneMovement(moment, neighbour) && moment.people.find((other) => other.id === person.id);
      const to = of(next, before);
      if (!to) return person;
      return between(
        { time: before.time, person },
        { time: next.time, person: to },
        { time: earlier?.time, person: of(earlier, before) },
        { time: later?.time, person: of(later, next) },
        time,
      );
    });
  }

  /** Returns the place of the first moment after a time. */
  #after(time) {
    let low = 0, high = this.#moments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#moments[middle].time > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const isOneMovement = (one, other) => Math.abs(one.time - other.time) <= LONGEST_GAP_S;

/** Returns a person between two moments: cubic Hermite, whose speeds are those between the neighbours on both sides. */
function between(a, b, earlier, later, time) {
  const passed = b.time - a.time, share = (time - a.time) / passed;
  const even = (from, to) => (Number.isFinite(from) && Number.isFinite(to) ? from + (to - from) * share : from);
  const curve = (from, to, first, last) => {
    const straight = to - from;
    const leaving = first === undefined ? straight : ((to - first) / (b.time - earlier.time)) * passed;
    const coming = last === undefined ? straight : ((last - from) / (later.time - a.time)) * passed;
    const rest = 1 - share;
    return from + straight * share * share * (3 - 2 * share) + share * rest * (leaving * rest - coming * share);
  };
  return {
    ...a.person,
    score: even(a.person.score, b.person.score),
    box: a.person.box.map((value, index) => even(value, b.person.box[index])),
    keypoints: a.person.keypoints.map((joint, index) => {
      const [to, first, last] = [b, earlier, later].map(({ person }) => person?.keypoints[index]);
      const mix = (axis) =>
        isShown(joint) && isShown(to)
          ? curve(joint[axis], to[axis], first && isShown(first) ? first[axis] : undefined, last && isShown(last) ? last[axis] : undefined)
          : even(joint[axis], to[axis]);
      const moved = { ...joint, x: mix("x"), y: mix("y"), score: even(joint.score, to.score) };
      if (Number.isFinite(joint.z) && Number.isFinite(to.z)) moved.z = mix("z");
      return moved;
    }),
  };
}

/** The actions of a video: scores of windows, each with its person. */
export class Actions {
  #windows = [];

  add(event) {
    this.#windows.push({ ...event, id: event.person_id });
  }

  /** Returns for each person the window whose middle is nearest to a time; of people who are not about then, none. */
  at(time) {
    const nearest = new Map();
    const far = ({ start_s, end_s }) => Math.abs((start_s + end_s) / 2 - time);
    for (const window of this.#windows) {
      if (time < window.start_s - 0.5 || time > window.end_s + 0.5) continue;
      const best = nearest.get(window.id);
      if (!best || far(window) < far(best)) nearest.set(window.id, window);
    }
    return [...nearest.values()].sort((a, b) => a.id - b.id);
  }
}

/** What was seen in a video, by time. */

const LONGEST_GAP_S = 0.35; // between two poses that belong to one movement

/** The poses of a video; between two of them a person's joints move evenly. */
export class Poses {
  #moments = []; // {time, people}, by rising time

  get last() {
    return this.#moments.at(-1)?.time ?? 0;
  }

  add(time, people) {
    this.#moments.push({ time, people });
  }

  /** Returns the people at a time. */
  at(time) {
    const after = this.#moments.findIndex((moment) => moment.time > time);
    const next = this.#moments[after], before = after < 0 ? this.#moments.at(-1) : this.#moments[after - 1];
    if (!before) return next && next.time - time < LONGEST_GAP_S ? next.people : [];
    if (!next || next.time - before.time > LONGEST_GAP_S) return time - before.time < LONGEST_GAP_S ? before.people : [];
    const share = (time - before.time) / (next.time - before.time);
    return before.people.map((person) => {
      const later = next.people.find((other) => other.id === person.id);
      return later ? between(person, later, share) : person;
    });
  }
}

function between(person, later, share) {
  const mix = (a, b) => (Number.isFinite(a) && Number.isFinite(b) ? a + (b - a) * share : a);
  return {
    ...person,
    score: mix(person.score, later.score),
    box: person.box.map((value, index) => mix(value, later.box[index])),
    keypoints: person.keypoints.map((joint, index) => {
      const other = later.keypoints[index];
      const moved = { ...joint, x: mix(joint.x, other.x), y: mix(joint.y, other.y), score: mix(joint.score, other.score) };
      if (joint.z !== undefined) moved.z = mix(joint.z, other.z);
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

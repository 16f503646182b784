/** The segments of a video over its time, one lane for each person. Each is a button that goes there. */

import { byId, children, element, hundredths, words } from "./elements.js";

export class Timeline {
  #segments = [];
  #duration = 0;

  constructor(onSeek) {
    this.lanes = byId("timeline");
    this.lanes.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) onSeek(Number(button.dataset.start));
    });
  }

  clear() {
    this.set([], 0);
  }

  add(segment, duration) {
    this.set([...this.#segments, segment], duration);
  }

  set(segments, duration) {
    this.#segments = segments;
    this.#duration = duration || Math.max(1, ...segments.map((segment) => segment.end_s));
    const ids = [...new Set(segments.map((segment) => segment.person_id))].sort((a, b) => a - b);
    const tracks = children(this.lanes, ids.length, () =>
      element("div", { className: "track" }, element("span"), element("div", { className: "lane" })),
    );
    ids.forEach((id, index) => {
      const [name, lane] = tracks[index].children;
      name.textContent = `Person ${id}`;
      const own = segments.filter((segment) => segment.person_id === id);
      lane.replaceChildren(...own.map((segment) => this.#button(segment)), element("i"));
    });
  }

  /** Shows the time, and which segments are at it. */
  at(time) {
    for (const line of this.lanes.querySelectorAll("i")) line.style.left = this.#percent(time);
    for (const button of this.lanes.querySelectorAll("button")) {
      const isNow = time >= Number(button.dataset.start) && time < Number(button.dataset.end);
      button.classList.toggle("now", isNow);
      if (isNow) button.setAttribute("aria-current", "time");
      else button.removeAttribute("aria-current");
    }
  }

  #percent(time) {
    return `${Math.min(100, (100 * time) / this.#duration)}%`;
  }

  #button({ start_s, end_s, label, score, person_id }) {
    const text = `${words(label)} ${hundredths(score)}`;
    const name = `Person ${person_id}: ${text}, from ${start_s.toFixed(1)} to ${end_s.toFixed(1)} seconds`;
    const button = element("button", {
      type: "button", textContent: text, title: name, "aria-label": name, "data-start": start_s, "data-end": end_s,
    });
    button.style.left = this.#percent(start_s);
    button.style.width = this.#percent(end_s - start_s);
    return button;
  }
}

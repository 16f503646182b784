/** The player: plays a film, or only its time where the browser cannot show it. */

import { byId, say } from "./elements.js";

/** A film's time without its pictures; as much of a media element as the player uses. */
export class Clock extends EventTarget {
  #time = 0;
  #began = null; // the screen's time at which it would have been 0
  duration = 0;

  get paused() {
    return this.#began === null;
  }

  get currentTime() {
    return this.paused ? this.#time : Math.min(this.duration, (performance.now() - this.#began) / 1000);
  }

  set currentTime(time) {
    this.#time = time;
    if (!this.paused) this.#began = performance.now() - time * 1000;
    this.dispatchEvent(new Event("seeked"));
  }

  async play() {
    if (this.currentTime >= this.duration) this.#time = 0;
    this.#began = performance.now() - this.#time * 1000;
    this.dispatchEvent(new Event("play"));
  }

  pause() {
    this.#time = this.currentTime;
    this.#began = null;
    this.dispatchEvent(new Event("pause"));
  }
}

export class Player {
  #film = null;
  #heard = null; // ends the listening to the film
  onTime = () => {};
  /** Whether the visitor has taken the player into their own hands. */
  isTaken = false;

  constructor() {
    byId("play").addEventListener("click", () => {
      this.isTaken = true;
      if (this.#film.paused) this.play();
      else this.#film.pause();
    });
    byId("seek").addEventListener("input", (event) => this.seek(Number(event.target.value)));
  }

  /** Plays a film from now on, whose duration is known later at times. */
  use(film, duration) {
    this.leave();
    this.#film = film;
    this.isTaken = false;
    this.#heard = new AbortController();
    for (const event of ["play", "pause", "ended", "seeked"]) {
      film.addEventListener(event, () => this.#show(), { signal: this.#heard.signal });
    }
    byId("playing").hidden = false;
    this.stretch(duration);
    this.#follow();
  }

  /** Lets go of the film. */
  leave() {
    this.#heard?.abort();
    this.#film?.pause();
    this.#film = null;
    byId("playing").hidden = true;
  }

  /** Sets how long the film is. */
  stretch(duration) {
    this.duration = duration;
    byId("seek").max = String(duration || 1);
    if (this.#film instanceof Clock) this.#film.duration = duration;
    this.#show();
  }

  play() {
    if (this.#film.ended || this.#film.currentTime >= this.duration - 0.01) this.#film.currentTime = 0;
    this.#film.play().catch(() => {}); // left, or the browser wants a gesture first
  }

  /** Goes to a time, as the visitor wishes. */
  seek(time) {
    this.isTaken = true;
    this.follow(time);
  }

  /** Goes to a time by itself. */
  follow(time) {
    if (this.#film) this.#film.currentTime = Math.min(time, this.duration || time);
    this.#show();
  }

  #show(time = this.#film?.currentTime ?? 0) {
    if (!this.#film) return;
    if (this.#film instanceof Clock && !this.#film.paused && time >= this.duration) this.#film.pause();
    say(byId("play"), this.#film.paused || this.#film.ended ? "Play" : "Pause");
    byId("seek").value = String(time);
    byId("seek").setAttribute("aria-valuetext", `${time.toFixed(1)} seconds`);
    say(byId("time"), `${time.toFixed(1)} / ${(this.duration || 0).toFixed(1)} s`);
    this.onTime(time);
  }

  /** Shows each frame of the film as it comes on the screen. */
  #follow() {
    const film = this.#film, { signal } = this.#heard;
    const isFilm = "requestVideoFrameCallback" in film;
    const next = (time) => {
      if (signal.aborted) return;
      if (time !== undefined || !film.paused) this.#show(time);
      if (isFilm) film.requestVideoFrameCallback((_, { mediaTime }) => next(mediaTime));
      else requestAnimationFrame(() => next());
    };
    next();
  }
}

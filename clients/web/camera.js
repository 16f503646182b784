/** A camera: its frames go to a live stream as there is room for them; what is seen is drawn at once. */

import { byId, say, words } from "./elements.js";
import { showState } from "./models.js";
import { showActions, showFigures } from "./scores.js";

const LONGER_SIDE = 640; // pixels of a frame as it is sent
const QUALITY = 0.8;
const KEPT = 120; // frames whose times are remembered
const FIGURES_MS = 400;
const SILENCE_MS = 3000; // without a pose
const LOST = "The camera is gone; connect it again, or choose a video.";

/** Asks for a camera and follows it until the signal ends it. */
export async function showCamera(deviceId, { client, results, options, signal, progress }) {
  const media = await openCamera(deviceId);
  const film = results.stage.film;
  const close = () => {
    film.pause(); // on its last picture
    for (const track of media.getTracks()) track.stop();
  };
  if (signal.aborted) return close(); // stopped while the browser asked for leave
  signal.addEventListener("abort", close, { once: true });
  film.removeAttribute("src");
  film.srcObject = media;
  await film.play();
  const [track] = media.getVideoTracks();
  results.stage.open(film, { mirrored: track.getSettings().facingMode !== "environment" });
  results.stage.resize(film.videoWidth, film.videoHeight);
  say(byId("said"), "The camera is on.");
  const stream = client.stream({ ...options, drop_policy: "latest", want_keypoints: true }, { signal });
  const sender = new Sender(film, stream, signal);
  sender.start();
  const silence = new Silence(results, progress);
  const lost = new Promise((_, reject) => {
    track.addEventListener("ended", () => reject(new Error(LOST)), { once: true });
  });
  try {
    await Promise.race([shown(stream, sender, results, silence), lost]);
  } finally {
    silence.end();
  }
}

/** Returns the number of cameras. */
export async function cameraIds() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput").map((device) => device.deviceId);
}

async function openCamera(deviceId) {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers open cameras on https or on localhost only; open this page there, or give the service a certificate.");
  }
  const wanted = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: deviceId ? { ...wanted, deviceId: { exact: deviceId } } : { ...wanted, facingMode: "user" },
    });
  } catch (error) {
    const texts = {
      NotAllowedError: "The camera was not allowed; allow it beside the browser's address bar, and try again.",
      NotFoundError: "There is no camera here; connect one, or choose a video.",
      NotReadableError: "The camera is used by another program; close that, and try again.",
      OverconstrainedError: LOST,
    };
    throw new Error(texts[error.name] ?? `The camera cannot be opened: ${error.message}`, { cause: error });
  }
}

/** Sends frames: each new one of the camera, where the stream has room. */
class Sender {
  sent = 0;
  skipped = 0; // frames of the camera that were not sent
  times = new Map(); // when a frame was taken, by its id
  #isTaking = false;
  #canvas = document.createElement("canvas");

  constructor(film, stream, signal) {
    Object.assign(this, { film, stream, signal });
    const scale = Math.min(1, LONGER_SIDE / Math.max(film.videoWidth, film.videoHeight));
    this.#canvas.width = Math.round(film.videoWidth * scale);
    this.#canvas.height = Math.round(film.videoHeight * scale);
    this.scale = film.videoWidth / this.#canvas.width;
  }

  start() {
    const next = this.film.requestVideoFrameCallback
      ? (work) => this.film.requestVideoFrameCallback(work)
      : (work) => requestAnimationFrame(work);
    const take = () => {
      if (this.signal.aborted) return;
      if (this.stream.canSend && !this.#isTaking) this.#take().catch(() => {}); // the stream's events say why
      else if (this.sent) this.skipped++;
      next(take);
    };
    next(take);
  }

  async #take() {
    this.#isTaking = true;
    try {
      const takenMs = performance.now();
      this.#canvas.getContext("2d").drawImage(this.film, 0, 0, this.#canvas.width, this.#canvas.height);
      const picture = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", QUALITY));
      const frameId = this.sent++;
      this.times.set(frameId, takenMs);
      this.times.delete(frameId - KEPT);
      await this.stream.send(picture, { timestampMs: takenMs, frameId });
    } finally {
      this.#isTaking = false;
    }
  }
}

async function shown(stream, sender, results, silence) {
  const doers = new Map(), rate = new Rate();
  let layout = null, model = "", told = "", figuresMs = 0, announced = "";
  for await (const event of stream) {
    if (event.event === "started") {
      ({ layout, model } = event);
    } else if (event.event === "pose") {
      silence.broken();
      const ids = new Set(event.people.map((person) => person.id));
      for (const id of doers.keys()) if (!ids.has(id)) doers.delete(id);
      results.show(event.people.map((person) => scaled(person, sender.scale)), layout, [...doers.values()]);
      showActions([...doers.values()]);
      rate.count();
      const takenMs = sender.times.get(event.frame_id);
      if (takenMs !== undefined && performance.now() - figuresMs > FIGURES_MS) {
        figuresMs = performance.now();
        told = `${(figuresMs - takenMs).toFixed(0)} ms`;
        showFigures([
          ["Model", model],
          ["Poses a second", rate.perSecond.toFixed(1)],
          ["Latency", told],
          ["Lag in the service", `${event.lag_ms.toFixed(0)} ms`],
          ["Dropped frames", `${event.dropped_frames + sender.skipped} of ${sender.sent + sender.skipped}`],
        ]);
      }
    } else if (event.event === "action") {
      doers.set(event.person_id, { ...event, id: event.person_id });
      const [best] = event.actions, text = best ? `Person ${event.person_id}: ${words(best.label)}.` : "";
      if (text && text !== announced) {
        announced = text;
        say(byId("said"), text);
      }
    } else if (event.event === "frame_error") {
      say(byId("said"), `${event.detail}`);
    }
  }
}

function scaled(person, scale) {
  return {
    ...person,
    box: person.box.map((value) => value * scale),
    keypoints: person.keypoints.map((joint) =>
      joint.x === null ? joint : { ...joint, x: joint.x * scale, y: joint.y * scale },
    ),
  };
}

/** Says that no poses come. The stream connects anew by itself; until then old skeletons would tell an untruth. */
class Silence {
  #heardMs = performance.now();
  #isTold = false;
  #timer = setInterval(() => this.#look(), 500);

  constructor(results, progress) {
    Object.assign(this, { results, progress });
  }

  /** A pose has come. */
  broken() {
    this.#heardMs = performance.now();
    if (this.#isTold) this.#tell(false);
  }

  end() {
    clearInterval(this.#timer);
  }

  #look() {
    if (document.hidden) this.#heardMs = performance.now(); // no frames are sent then
    else if (!this.#isTold && performance.now() - this.#heardMs > SILENCE_MS) this.#tell(true);
  }

  #tell(isSilent) {
    this.#isTold = isSilent;
    if (isSilent) this.results.show([], null);
    this.progress(isSilent ? undefined : null, isSilent ? "Waiting for the service" : "");
    say(byId("said"), isSilent ? "Nothing comes from the service; it is asked again and again." : "The service answers again.");
    showState();
  }
}

/** Counts in a moving second. */
class Rate {
  #times = [];

  count() {
    const now = performance.now();
    this.#times.push(now);
    while (this.#times[0] < now - 2000) this.#times.shift();
  }

  get perSecond() {
    const span = this.#times.at(-1) - this.#times[0];
    return span > 0 ? (1000 * (this.#times.length - 1)) / span : 0;
  }
}

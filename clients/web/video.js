/** A video: sent once; what is seen in it comes while the service reads it, and is then played with the film. */

import { byId, hundredths, say, words } from "./elements.js";
import { Actions, Poses } from "./moments.js";
import { Clock } from "./playing.js";
import { reasonText, showActions, showFigures } from "./scores.js";

const LOADING_MS = 8000; // a film that the browser cannot read may never say so
const READING_MS = 600_000; // for the upload and the first event
/** The service smooths poses as they come, which lags behind fast arms; a film's are known on both sides of each time. */
export const UNSMOOTHED = { smooth: false };

/** Shows a video with the people and actions in it. */
export async function showVideo(file, { client, results, player, timeline, models, options, signal, progress }) {
  const film = await opened(file, results.stage, signal);
  if (signal.aborted) return;
  const poses = new Poses(), actions = new Actions();
  let layout = null, answer = null;
  player.onTime = (time) => {
    const doers = actions.at(time);
    if (layout) results.show(poses.at(time), layout, doers);
    showActions(doers);
    timeline.at(time);
  };
  timeline.clear();
  player.use(film, Number.isFinite(film.duration) ? film.duration : 0);
  const began = performance.now();
  for await (const event of client.actionEvents(file, { ...options, ...UNSMOOTHED }, { signal, timeoutMs: READING_MS })) {
    if (event.event === "pose") {
      layout ??= models.layoutOf(event.people);
      poses.add(event.time_s, event.people);
      progress(player.duration ? event.time_s / player.duration : undefined, `${event.time_s.toFixed(1)} s read`);
      if (film instanceof Clock) fit(results.stage, event.people);
      if (film instanceof Clock && event.time_s > player.duration) player.stretch(event.time_s);
      if (!player.isTaken && !film.seeking) player.follow(event.time_s);
    } else if (event.event === "action") actions.add(event);
    else if (event.event === "segment") timeline.add(event, player.duration);
    else if (event.event === "answer") answer = event;
  }
  const { video } = answer;
  results.stage.resize(video.width, video.height);
  player.stretch(!(film instanceof Clock) && Number.isFinite(film.duration) ? film.duration : video.duration_s);
  timeline.set(answer.segments, player.duration);
  say(byId("said"), summary(answer, file.name));
  showFigures([
    ["Model", answer.model],
    ["Effort", answer.effort],
    ["In the service", `${(answer.timing_ms.total / 1000).toFixed(2)} s`],
    ["There and back", `${((performance.now() - began) / 1000).toFixed(2)} s`],
    ["Video", `${video.width} × ${video.height}, ${video.duration_s.toFixed(1)} s`],
    ["Frames", `${video.frames}`],
    ["Lost frames", `${video.lost_frames}`],
  ]);
  if (!player.isTaken) {
    player.follow(0);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) player.play();
  }
  return answer;
}

/** Opens the film in the page; returns a clock where the browser cannot. */
async function opened(file, stage, signal) {
  const address = URL.createObjectURL(file), film = stage.film;
  signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
  film.srcObject = null;
  film.src = address;
  const canShow = await new Promise((resolve) => {
    const done = (can) => () => resolve(can);
    film.addEventListener("loadeddata", done(film), { once: true });
    film.addEventListener("error", done(null), { once: true });
    setTimeout(done(null), LOADING_MS);
  });
  const isShown = canShow !== null && film.videoWidth > 0;
  stage.open(isShown ? film : null);
  if (isShown) stage.resize(film.videoWidth, film.videoHeight);
  return isShown ? film : new Clock();
}

/** Makes the ground large enough: how large the pictures are is known at the end only. */
function fit(stage, people) {
  const { width, height } = stage.size;
  const right = Math.max(width, ...people.map(({ box }) => box[0] + box[2]));
  const bottom = Math.max(height, ...people.map(({ box }) => box[1] + box[3]));
  stage.resize(right, bottom);
}

function summary({ people, reason }, name) {
  const told = people
    .filter(({ actions }) => actions.length)
    .map(({ person_id: id, actions: [best] }) => `person ${id}: ${words(best.label)} ${hundredths(best.score)}`);
  if (told.length) return `${name}: ${told.join("; ")}.`;
  return `${name}: no action${reason ? `, ${reasonText(reason)}` : ""}.`;
}

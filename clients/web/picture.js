/** A picture: sent once, shown with everybody in it. */

import { byId, say } from "./elements.js";
import { showFigures } from "./scores.js";

/** Shows a picture and the people in it. All are asked for: the slider says who is shown. */
export async function showPicture(file, { client, results, options, signal }) {
  const { stage } = results, image = stage.picture;
  const address = URL.createObjectURL(file);
  signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
  stage.film.srcObject = null;
  image.src = address;
  const isShown = await image.decode().then(() => true, () => false); // HEIC, in most browsers
  if (signal.aborted) return;
  stage.open(isShown ? image : null);
  if (isShown) stage.resize(image.naturalWidth, image.naturalHeight);
  const began = performance.now();
  const answer = await client.pose(file, { ...options, min_score: 0 }, { signal });
  const took = performance.now() - began;
  if (!isShown) await asJpeg(file, { client, stage, signal });
  stage.resize(answer.image.width, answer.image.height);
  results.show(answer.people, answer.layout);
  results.onLowest = () => say(byId("said"), summary(answer.people, results.lowest, file.name));
  results.onLowest();
  showFigures([
    ["Model", answer.model],
    ["Effort", answer.effort],
    ["In the service", `${answer.timing_ms.total.toFixed(0)} ms`],
    ["There and back", `${took.toFixed(0)} ms`],
    ["Size", `${answer.image.width} × ${answer.image.height}`],
  ]);
  return answer;
}

/** Shows a file that the browser cannot read as the service reads it; a lowest score of 1 leaves everybody undrawn. */
async function asJpeg(file, { client, stage, signal }) {
  try {
    const drawn = await client.poseDrawn(file, { min_score: 1, max_people: 1, effort: "fast" }, { signal });
    const address = URL.createObjectURL(drawn);
    signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
    stage.picture.src = address;
    await stage.picture.decode();
    if (!signal.aborted) stage.open(stage.picture);
  } catch {
    // The skeletons stand alone.
  }
}

function summary(people, lowest, name) {
  const count = people.filter((person) => person.score >= lowest).length, below = people.length - count;
  const found = count === 0 ? "Nobody" : count === 1 ? "One person" : `${count} people`;
  return `${found} found in ${name}${below ? `, and ${below} below the lowest score` : ""}.`;
}

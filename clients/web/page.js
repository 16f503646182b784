/** The page: a picture, a video or a camera in, people and actions out. */

import { cameraIds, showCamera } from "./camera.js";
import { Client } from "./client.js";
import { byId } from "./elements.js";
import { KeyForm, storedKey } from "./key.js";
import { isReady, Models, showState } from "./models.js";
import { showPicture } from "./picture.js";
import { Player } from "./playing.js";
import { clearProblem, showProblem } from "./problems.js";
import { Results } from "./results.js";
import { installCode, showCode } from "./snippets.js";
import { Timeline } from "./timeline.js";
import { showVideo } from "./video.js";

const VIDEO_NAMES = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m?ts|wmv|flv|3gp)$/i;

const results = new Results();
const player = new Player();
const timeline = new Timeline((time) => player.seek(time));
const models = new Models(() => again());
const keyForm = new KeyForm(() => readModels().then(again));
const address = new URL(".", location.href).href;
let running = new AbortController();
let present = null; // {kind, file or deviceId}: what is shown

const newClient = () => new Client({ address, apiKey: storedKey() });

async function readModels() {
  try {
    await models.read(newClient());
    clearProblem();
  } catch (error) {
    failed(error, readModels);
  }
}

/** Shows a file, by its kind. */
function open(file) {
  const isVideo = file.type.startsWith("video/") || (!file.type && VIDEO_NAMES.test(file.name)) || /\.(mkv|m?ts)$/i.test(file.name);
  show({ kind: isVideo ? "video" : "picture", file });
}

/** Shows what was shown before, with the present options. */
function again() {
  if (present) show(present);
}

async function show(source) {
  stop();
  running = new AbortController();
  present = source;
  const { signal } = running, { kind } = source;
  clearProblem();
  results.clear();
  models.explain(null);
  byId("home").hidden = false;
  byId("hint").hidden = true;
  byId("stop").hidden = kind === "picture";
  const options = models.options(kind !== "picture");
  const desk = { client: newClient(), results, player, timeline, models, options, signal, progress };
  progress(undefined, kind === "picture" ? "Looking for people" : kind === "video" ? "Sending the video" : "");
  try {
    if (kind === "camera") {
      progress(null);
      tellCode(source, options);
      await offerOtherCamera();
      await showCamera(source.deviceId, desk);
      return;
    }
    const answer = await (kind === "picture" ? showPicture : showVideo)(source.file, desk);
    if (!answer || signal.aborted) return;
    models.explain(answer);
    tellCode(source, options);
    byId("save").hidden = false;
    if (!isReady()) showState();
  } catch (error) {
    if (!signal.aborted && kind === "camera" && document.hidden) {
      // A tab behind others sends no frames, and the service ended the stream: it goes on when the tab is seen again.
      document.addEventListener("visibilitychange", () => present === source && show(source), { once: true });
    } else if (!signal.aborted) {
      failed(error, again);
      if (results.stage.close()) player.leave();
    }
  } finally {
    if (running.signal === signal) {
      progress(null);
      byId("stop").hidden = true;
      byId("swap").hidden = true;
      if (kind === "camera") running.abort();
    }
  }
}

/** Shows the samples again. */
function goHome() {
  stop();
  present = null;
  clearProblem();
  results.clear();
  byId("code").hidden = byId("frame").hidden = byId("home").hidden = true;
  byId("welcome").hidden = byId("hint").hidden = false;
  document.querySelector("[data-sample]").focus();
}

/** Ends what is running. */
function stop() {
  running.abort();
  player.leave();
  progress(null);
  byId("save").hidden = byId("stop").hidden = byId("swap").hidden = true;
}

function failed(error, once) {
  showProblem(error, once);
  if (error.code === "unauthenticated") keyForm.ask();
  if (["unauthenticated", "unavailable", "unreachable"].includes(error.code)) showState();
}

/** Shows how far the work is: a share, undefined where it is not known, null where there is none. */
function progress(share, text = "") {
  byId("busy").hidden = share === null;
  if (share === undefined || share === null) byId("progress").removeAttribute("value");
  else byId("progress").value = share;
  byId("busy-text").textContent = text;
}

function tellCode({ kind, file }, options) {
  showCode({ kind, name: file?.name, options, lowest: results.lowest }, Boolean(storedKey()));
}

async function offerOtherCamera() {
  byId("swap").hidden = (await cameraIds()).length < 2;
}

async function otherCamera() {
  const ids = await cameraIds();
  const place = ids.indexOf(results.stage.film.srcObject?.getVideoTracks()[0].getSettings().deviceId);
  show({ kind: "camera", deviceId: ids[(place + 1) % ids.length] });
}

async function openSample(name) {
  try {
    const answer = await fetch(new URL(`page/${name}`, address));
    const blob = await answer.blob();
    open(new File([blob], name, { type: blob.type }));
  } catch (error) {
    failed(error, () => openSample(name));
  }
}

async function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await results.stage.saved());
  link.download = `${present.file.name.replace(/\.\w+$/, "")}_pose.png`;
  link.click();
  URL.revokeObjectURL(link.href);
}

function install() {
  const file = byId("file"), stage = byId("stage");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) open(file.files[0]);
    file.value = "";
  });
  byId("camera").addEventListener("click", () => show({ kind: "camera" }));
  byId("swap").addEventListener("click", otherCamera);
  byId("stop").addEventListener("click", () => {
    stop();
    if (present?.kind === "camera") present = null; // another model or effort does not turn it on again
  });
  byId("home").addEventListener("click", goHome);
  byId("save").addEventListener("click", save);
  byId("score").addEventListener("change", () => {
    if (!byId("code").hidden && present) tellCode(present, models.options(present.kind !== "picture"));
  });
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => openSample(button.dataset.sample));
  }
  document.addEventListener("paste", (event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (pasted) open(pasted);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    const [dropped] = event.dataTransfer.files;
    if (dropped) open(dropped);
  });
  installCode();
}

install();
showState();
readModels();

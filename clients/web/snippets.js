/** What was just done, as a command and as a program. */

import { byId, element } from "./elements.js";
import { UNSMOOTHED } from "./video.js";

let texts = {};

/**
 * Shows the code.
 * @param done `{kind: "picture" | "video" | "camera", name, options, lowest}`
 * @param hasKey Whether a key was sent; it is never shown.
 */
export function showCode(done, hasKey) {
  texts = { Shell: shell(done, hasKey), Python: python(done, hasKey) };
  const before = byId("tabs").querySelector('[aria-selected="true"]')?.textContent ?? "Shell";
  byId("tabs").replaceChildren(
    ...Object.keys(texts).map((name) =>
      element("button", { type: "button", role: "tab", textContent: name, id: `tab-${name}`, "aria-controls": "snippet" }),
    ),
  );
  choose(before);
  byId("code").hidden = false;
}

export function installCode() {
  const tabs = byId("tabs");
  tabs.addEventListener("click", (event) => {
    if (event.target.role === "tab") choose(event.target.textContent);
  });
  tabs.addEventListener("keydown", (event) => {
    const all = [...tabs.children], step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = all.at((all.indexOf(document.activeElement) + step) % all.length);
    choose(next.textContent);
    next.focus();
  });
  byId("copy").addEventListener("click", async ({ target }) => {
    try {
      await navigator.clipboard.writeText(byId("snippet").textContent);
      target.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(byId("snippet")); // without https there is no clipboard
      target.textContent = "Selected";
    }
    setTimeout(() => (target.textContent = "Copy"), 1500);
  });
}

function choose(name) {
  for (const tab of byId("tabs").children) {
    const isChosen = tab.textContent === name;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
  byId("snippet").textContent = texts[name];
  byId("snippet").setAttribute("aria-labelledby", `tab-${name}`);
}

const address = () => new URL(".", location.href).href.replace(/\/$/, "");
const given = (options) => Object.entries(options).filter(([, value]) => value !== undefined);
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function shell({ kind, name, options, lowest }, hasKey) {
  if (kind === "camera") {
    const flags = given({ model: options.model, effort: options.effort }).map(([key, value]) => ` --${key} ${value}`);
    return `${hasKey ? "DEEPHAR_API_KEY=KEY " : ""}DEEPHAR_ADDRESS=${address()} deephar live 0 --show${flags.join("")}`;
  }
  const field = kind === "picture" ? "image" : "video";
  const file = /^\w[\w.-]*$/.test(name) ? `-F ${field}=@${name}` : `-F ${quoted(`${field}=@"${name.replace(/["\\]/g, "\\$&")}"`)}`;
  const sent = { ...shownOptions(kind, options, lowest), ...(kind === "video" ? UNSMOOTHED : {}) };
  const parts = [file, ...given(sent).map(([key, value]) => `-F ${key}=${value}`)];
  if (kind === "video") parts.push("-H 'Accept: application/x-ndjson'");
  if (hasKey) parts.push('-H "Authorization: Bearer $DEEPHAR_API_KEY"');
  return ["curl", ...parts, `${address()}/v1/${kind === "picture" ? "pose" : "actions"}`].join(" \\\n  ").replace(" \\\n ", "");
}

function python({ kind, name, options, lowest }, hasKey) {
  const values = given(shownOptions(kind, options, lowest)).map(
    ([key, value]) => `, ${key}=${typeof value === "string" ? JSON.stringify(value) : value}`,
  );
  const key = hasKey ? ', api_key=os.environ["DEEPHAR_API_KEY"]' : "";
  const names = kind === "camera" ? "Capture, Client" : "Client";
  const head = [...(hasKey ? ["import os", ""] : []), `from deephar import ${names}`, "", `with Client("${address()}"${key}) as client:`];
  const file = JSON.stringify(name);
  const lines = {
    picture: () => [
      ...head,
      `    answer = client.pose(${file}${values.join("")})`,
      "    for person in answer.people:",
      "        print(person.score, [(joint.name, joint.x, joint.y) for joint in person.keypoints])",
    ],
    video: () => [
      ...head,
      `    answer = client.classify(${file}${values.join("")})`,
      "    for segment in answer.segments:",
      "        print(segment.start_s, segment.end_s, segment.person_id, segment.label, segment.score)",
    ],
    camera: () => [
      ...head,
      `    for event in client.stream(Capture("0")${values.join("")}, drop_policy="latest", want_keypoints=True):`,
      "        print(event)",
    ],
  };
  return lines[kind]().join("\n");
}

/** Returns the options as one would write them: what is the default is left out. */
function shownOptions(kind, options, lowest) {
  const shown = { ...options, people: options.people === "main" ? undefined : options.people };
  return kind === "picture" ? { ...shown, min_score: lowest } : shown;
}

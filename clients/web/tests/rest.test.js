import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { Client, DeepharError } from "../client.js";
import { client, FRAME_MS, frames, keys, person, proxy, video } from "./service.js";

const BOX = [225, 70, 190, 345];

/** Returns the address of a server that answers each request with the next status, and those that it was sent. */
async function stand(test, ...statuses) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.method);
    const status = statuses[Math.min(asked.length, statuses.length) - 1];
    if (status === undefined) return; // no answer
    const headers = status === 200 ? {} : { "Retry-After": "0" };
    response.writeHead(status, headers).end(status === 200 ? '{"models": []}' : "<h1>a proxy's page</h1>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => server.closeAllConnections() ?? server.close());
  return { address: `http://127.0.0.1:${server.address().port}`, asked };
}

test("a picture of any kind of bytes is answered the same", async () => {
  const alone = person.buffer.slice(person.byteOffset, person.byteOffset + person.byteLength);
  const answers = [];
  for (const picture of [person, new Uint8Array(person), alone, new Blob([person])]) {
    answers.push(await client().pose(picture, { boxes: [BOX], layout: "coco17" }));
  }
  for (const { people, layout, image } of answers) {
    assert.deepEqual(people, answers[0].people);
    assert.deepEqual(people[0].box, BOX);
    assert.deepEqual(people[0].keypoints.map(({ name }) => name), layout.joints);
    assert.deepEqual([layout.name, image], ["coco17", { width: 640, height: 480 }]);
  }
});

test("options that are undefined or null are left out", async () => {
  const { people } = await client().pose(person, { boxes: undefined, camera: null, max_people: 1, flip: true });
  assert.equal(people.length, 1);
  assert.ok(people[0].detection_score > 0.5);
});

test("a drawn picture is of the type that was asked for", async () => {
  for (const [type, begins] of [[undefined, "ffd8"], ["image/png", "8950"]]) {
    const drawn = await client().poseDrawn(person, {}, { type });
    assert.equal(drawn.type, type ?? "image/jpeg");
    assert.equal(Buffer.from(await drawn.arrayBuffer()).toString("hex", 0, 2), begins);
  }
});

test("a drawn video is an MP4, and one that cannot be drawn is an error", async () => {
  const drawn = await client().actionsDrawn(video);
  assert.equal(drawn.type, "video/mp4");
  assert.equal(Buffer.from(await drawn.slice(4, 8).arrayBuffer()).toString(), "ftyp");
  await assert.rejects(client().actionsDrawn(new Uint8Array(9)), { name: "DeepharError", code: "invalid_video" });
  await assert.rejects(client().actionsDrawn(video, {}, { timeoutMs: 20 }), { code: "deadline_exceeded" });
});

test("joints in formats of other programs are texts", async () => {
  const coco = JSON.parse(await client().poseExport(person, "coco"));
  assert.equal(coco.annotations[0].keypoints.length, 51);
  const [head, ...rows] = (await client().poseExport(person, "csv", { boxes: [BOX] })).trim().split("\r\n");
  assert.ok(head.includes("joint"));
  assert.equal(rows.length, 16);
  assert.match(await client().poseExport(person, "trc", { person_id: 1 }), /^PathFileType/);
  assert.match(await client().actionsExport(video, "mot", { people: "all" }), /^1,1,/);
  await assert.rejects(client().actionsExport(video, "trc", { model: "none" }), { code: "unknown_model" });
});

test("the catalogue has the models that are not whole, too", async () => {
  const { models, incomplete } = await client().catalogue();
  assert.deepEqual([models.map(({ name }) => name), incomplete], [["lite"], []]);
});

test("models have their card and layout", async () => {
  const [model] = await client().models();
  assert.equal(model.name, "lite");
  assert.equal(model.layout.joints.length, 16);
  assert.equal(model.ready, true);
});

test("an error has the service's code, text, status and id", async () => {
  await assert.rejects(client().pose(new Uint8Array([1, 2, 3])), (error) => {
    assert.ok(error instanceof DeepharError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.status], ["DeepharError", "invalid_image", 422]);
    assert.match(error.detail, /not a picture; send a JPEG/);
    assert.equal(error.message, error.detail);
    assert.match(error.requestId, /^[0-9a-f]{16}$/);
    return true;
  });
  await assert.rejects(client().pose(video), { code: "unsupported_media_type", status: 415 });
  await assert.rejects(client().pose(person, { colour: 1 }), { code: "invalid_argument" });
  await assert.rejects(client().actions(person), { code: "unsupported_media_type" });
  await assert.rejects(client().actionEvents(video, { model: "none" }).next(), { code: "unknown_model", status: 404 });
});

test("who has no key, or a wrong one, is told so", async () => {
  for (const apiKey of [undefined, "wrong"]) {
    await assert.rejects(client({ apiKey }).pose(person), { code: "unauthenticated", status: 401 });
  }
});

test("a service that is not there is unreachable, and the text says where it was looked for", async (t) => {
  const { address: gone, close } = await proxy(t);
  close();
  const expected = { code: "unreachable", detail: new RegExp(`${gone}.*make serve`) };
  await assert.rejects(client({ address: gone }).pose(person), expected);
  await assert.rejects(client({ address: gone }).actionEvents(video).next(), expected);
});

test("what is no address is refused at once", () => {
  for (const wrong of [undefined, "localhost:8080", "ftp://localhost"]) {
    assert.throws(() => new Client({ address: wrong }), /must begin with http/);
  }
});

test("an address may have a path and a slash at its end", async () => {
  const asked = [];
  const fetch = async (url) => asked.push(url) && new Response('{"models": []}');
  await new Client({ address: "https://example.org/deephar/", fetch }).models();
  assert.deepEqual(asked, ["https://example.org/deephar/v1/models"]);
});

test("a call ends when its time is over", async (t) => {
  const { address: silent } = await stand(t, undefined);
  const quick = client({ address: silent, timeoutMs: 100 });
  await assert.rejects(quick.models(), { code: "deadline_exceeded" });
  await assert.rejects(quick.actionEvents(video).next(), { code: "deadline_exceeded" });
  await assert.rejects(client({ address: silent }).pose(person, {}, { timeoutMs: 100 }), { code: "deadline_exceeded" });
});

test("a call ends when its caller says so, with the caller's reason", async (t) => {
  const { address: silent } = await stand(t, undefined);
  const controller = new AbortController();
  const asked = client({ address: silent }).pose(person, {}, { signal: controller.signal });
  controller.abort(new Error("no more"));
  await assert.rejects(asked, { message: "no more" });
  await assert.rejects(client().models({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("what is safe is asked again, a few times", async (t) => {
  const better = await stand(t, 503, 429, 200);
  assert.deepEqual(await client({ address: better.address }).models(), []);
  const bad = await stand(t, 503);
  await assert.rejects(client({ address: bad.address }).pose(person), { code: "unavailable", status: 503 });
  assert.equal(bad.asked.length, 3);
  const ofVideo = await stand(t, 503);
  await assert.rejects(client({ address: ofVideo.address }).actions(video), { code: "unavailable" });
  assert.equal(ofVideo.asked.length, 1);
  const wrong = await stand(t, 502);
  const expected = { code: "unavailable", detail: /is the address right/ };
  await assert.rejects(client({ address: wrong.address }).pose(person), expected);
  assert.equal(wrong.asked.length, 1);
});

test("a caller over its rate waits as long as it is told, if that is not too long", async () => {
  const slow = client({ apiKey: keys.slow });
  await slow.pose(person);
  assert.equal((await slow.pose(person)).people.length, 1);
  const seldom = client({ apiKey: keys.seldom });
  await seldom.pose(person);
  await assert.rejects(seldom.pose(person), (error) => error.code === "overloaded" && error.retryAfterS > 60);
});

test("a video is answered with its actions", async () => {
  const { actions, segments, video: facts } = await client().actions(new Blob([video]), { top_k: 2 });
  assert.deepEqual([actions.length, actions[0].label, facts.frames], [2, "jumping_jacks", 100]);
  assert.equal(segments[0].label, "jumping_jacks");
});

test("pictures are answered as a clip", async () => {
  const { actions, video: facts } = await client().actions(frames.slice(0, 60), { fps: 1000 / FRAME_MS, top_k: 1 });
  assert.equal(facts.frames, 60);
  assert.equal(actions[0].label, "jumping_jacks");
});

test("events of a video come one by one, the answer last", async () => {
  const kinds = [];
  let answer;
  for await (answer of client().actionEvents(video, { top_k: 1 })) kinds.push(answer.event);
  assert.deepEqual([kinds[0], kinds.at(-1), kinds.indexOf("answer")], ["pose", "answer", kinds.length - 1]);
  assert.ok(kinds.includes("action") && kinds.includes("segment"));
  assert.equal(answer.actions[0].label, "jumping_jacks");
});

/** Returns a fetch that answers with the text, byte by byte. */
const answering = (text) => async () => new Response(new ReadableStream({
  start(controller) {
    for (const byte of new TextEncoder().encode(text)) controller.enqueue(new Uint8Array([byte]));
    controller.close();
  },
}));

test("an error after the first event is thrown", async () => {
  const problem = { status: 503, detail: "the service is stopping", code: "unavailable", request_id: "a1" };
  const fetch = answering(`{"event": "pose"}\n${JSON.stringify({ event: "error", ...problem })}\n`);
  const events = client({ fetch }).actionEvents(video);
  assert.equal((await events.next()).value.event, "pose");
  const expected = { name: "DeepharError", code: "unavailable", status: 503, detail: problem.detail, requestId: "a1" };
  await assert.rejects(events.next(), expected);
});

test("events that are not known pass, in whatever pieces they come", async () => {
  const fetch = answering('{"event": "new", "é": 1}\n\n{"event": "answer", "actions": [], "more": 2}\n');
  const events = [];
  for await (const event of client({ fetch }).actionEvents(video)) events.push(event);
  assert.deepEqual(events, [{ event: "new", é: 1 }, { event: "answer", actions: [], more: 2 }]);
});

test("a video whose connection breaks is not taken for whole", async (t) => {
  const { address: through, cut } = await proxy(t);
  const read = async () => {
    for await (const _ of client({ address: through }).actionEvents(video)) cut();
  };
  await assert.rejects(read, { code: "unreachable" });
});

test("a reader who leaves early ends the video", async () => {
  const alone = client({ apiKey: keys.alone }); // one video at a time
  for (let i = 0; i < 3; i++) {
    for await (const event of alone.actionEvents(video)) {
      assert.equal(event.event, "pose");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 500)); // the service notices
  }
});

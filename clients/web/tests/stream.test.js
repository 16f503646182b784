import assert from "node:assert/strict";
import { test } from "node:test";

import { DeepharError } from "../client.js";
import { all, client, FRAME_MS, frames, keys, person, proxy } from "./service.js";

const of = (kind, events) => events.filter(({ event }) => event === kind);

/** Sends frames, one after the other, and then the end. */
async function sendAll(stream, from, to) {
  for (let i = from; i < to; i++) await stream.send(frames[i], { timestampMs: i * FRAME_MS, frameId: i });
}

test("who sends by credits loses no frame", async () => {
  for (const drop_policy of ["lossless", "latest"]) {
    const stream = client().stream({ drop_policy, want_keypoints: true });
    const sending = sendAll(stream, 0, 40).then(() => stream.end());
    const events = await all(stream);
    await sending;
    assert.equal(events[0].event, "started");
    assert.deepEqual(of("pose", events).map((event) => event.frame_id), [...Array(40).keys()]);
    assert.ok(events.every((event) => !event.dropped_frames && event.event !== "credits" && event.event !== "end"));
    assert.equal(stream.dropped, 0);
  }
});

test("a camera drops frames while there is no room, and waits for none", async () => {
  const stream = client().stream({ drop_policy: "latest", want_keypoints: true });
  const answered = all(stream);
  assert.equal(stream.canSend, false);
  assert.equal(await stream.send(person, { drop: true }), false);
  await stream.ready;
  assert.equal(stream.canSend, true);
  const sent = [];
  for (let i = 0; i < 60; i++) {
    sent.push(await stream.send(new Blob([frames[i]]), { drop: true }));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await stream.end();
  const poses = of("pose", await answered);
  assert.equal(sent.filter(Boolean).length, poses.length);
  assert.equal(stream.dropped, 61 - poses.length);
  assert.ok(poses.length >= 2 && poses.length < 60);
  assert.equal(poses.at(-1).dropped_frames, 0);
});

test("a flush ends the segments, and the stream goes on", async () => {
  const stream = client().stream({ hop: 4 });
  const answered = all(stream);
  await sendAll(stream, 0, 50);
  await stream.flush();
  await sendAll(stream, 50, 100);
  await stream.end();
  const events = await answered;
  const kinds = events.map(({ event }) => event);
  assert.equal(of("segment", events).length, 2);
  assert.ok(kinds.indexOf("segment") < kinds.indexOf("flushed"));
  assert.equal(of("action", events)[0].actions[0].label, "jumping_jacks");
  await assert.rejects(stream.send(person), { name: "AbortError" });
});

test("people in the caller's boxes keep the caller's ids, raw frames too", async () => {
  const stream = client().stream({ people: "boxes" });
  const answered = all(stream);
  const rgb = new Uint8Array(320 * 240 * 3).fill(128);
  const boxes = [{ id: 4_000_000_000, box: [60, 10, 200, 220] }, { id: 7, box: [0, 0, 40, 40] }];
  await stream.send({ rgb, width: 320, height: 240 }, { timestampMs: 0, boxes });
  await stream.send(frames[5], { timestampMs: 200, boxes: boxes.slice(0, 1) });
  await stream.end();
  const ids = of("pose", await answered).map(({ people }) => people.map(({ id }) => id));
  assert.deepEqual(ids, [[4_000_000_000, 7], [4_000_000_000]]);
});

test("a frame that cannot be used is an event", async () => {
  const stream = client().stream();
  const answered = all(stream);
  await stream.send(new Uint8Array(5), { timestampMs: 1, frameId: 12n });
  await stream.end();
  const [error] = of("frame_error", await answered);
  assert.deepEqual([error.frame_id, error.code], [12, "invalid_image"]);
});

test("a wrong config is an error of everything that waits", async () => {
  const stream = client().stream({ colour: 1 });
  const expected = (error) => error instanceof DeepharError && error.code === "invalid_argument";
  const sent = assert.rejects(stream.send(person), expected);
  await assert.rejects(all(stream), expected);
  await sent;
  await assert.rejects(stream.flush(), expected);
});

test("why a stream was refused is asked for", async () => {
  await assert.rejects(all(client({ apiKey: "wrong" }).stream()), { code: "unauthenticated", status: 401 });
  const alone = client({ apiKey: keys.alone });
  const first = alone.stream();
  await first.ready;
  await assert.rejects(all(alone.stream()), { code: "unavailable", detail: /too many are open/ });
  first.close();
});

test("an aborted stream throws the reason, and one that is left is closed", async () => {
  const controller = new AbortController();
  const aborted = client().stream({}, { signal: controller.signal });
  await aborted.ready;
  const waiting = all(aborted);
  controller.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await assert.rejects(all(client().stream({}, { signal: AbortSignal.abort() })), { name: "AbortError" });
  const left = client().stream();
  for await (const { event } of left) {
    assert.equal(event, "started");
    break;
  }
  await assert.rejects(left.send(person), { name: "AbortError" });
});

test("a client without WebSocket says which to give", () => {
  const here = globalThis.WebSocket;
  delete globalThis.WebSocket;
  assert.throws(() => client({ WebSocket: undefined }).stream(), /give one.*ws/);
  if (here) globalThis.WebSocket = here;
});

for (const how of ["cut", "forget"]) {
  test(`a stream whose connection is lost goes on as if it were not: ${how}`, async (t) => {
    const { address, [how]: lose } = await proxy(t);
    const timeoutMs = how === "forget" ? 1_500 : undefined;
    const stream = client({ address }).stream({ want_keypoints: true, hop: 4 }, timeoutMs && { timeoutMs });
    const sending = sendAll(stream, 0, 100).then(() => stream.end());
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.event === "pose" && event.frame_id === 60) lose();
    }
    await sending;
    assert.deepEqual(of("started", events).map(({ reconnected }) => reconnected), [undefined, true]);
    assert.deepEqual(of("pose", events).map((event) => event.frame_id), [...Array(100).keys()]);
    const again = events.findIndex(({ reconnected }) => reconnected);
    const last = of("action", events.slice(0, again)).at(-1);
    const [next] = of("action", events.slice(again));
    assert.ok(next.first_frame_id <= last.frame_id, "the first window after it has frames from before");
    assert.ok(next.time_s - last.time_s <= 0.8, "windows go on at their hop");
    assert.equal(next.actions[0].label, "jumping_jacks");
  });
}

test("a flush and an end that were not answered are sent again", async (t) => {
  const { address, cut } = await proxy(t);
  const stream = client({ address }).stream();
  const answered = all(stream);
  await sendAll(stream, 0, 40);
  const flushed = stream.flush();
  cut();
  await flushed;
  const ended = stream.end();
  cut();
  await ended;
  const events = await answered;
  assert.equal(of("flushed", events).length, 1);
  assert.equal(of("segment", events).length, 1);
});

test("who wants no new connection, or gets none, is told", async (t) => {
  const { address, cut, close } = await proxy(t);
  const once = client({ address }).stream({}, { reconnect: false });
  await once.ready;
  cut();
  await assert.rejects(all(once), { code: "unreachable", detail: /connection of the stream broke/ });
  const stream = client({ address }).stream({}, { reconnectMs: 500 });
  await stream.ready;
  close();
  await assert.rejects(all(stream), { code: "unreachable", detail: /make serve/ });
  await assert.rejects(all(client({ address }).stream()), { code: "unreachable", detail: /make serve/ });
});

// What a user may write: it is compiled with --strict against the packed package, and not run.
import { Client, DeepharError } from "deephar-client";
import type { ActionsAnswer, Keypoint, PoseAnswer, PoseOptions, StreamConfig, StreamEvent } from "deephar-client";

const client = new Client({ address: "http://localhost:8080", apiKey: "key", timeoutMs: 5_000, WebSocket: class {} });
const options: PoseOptions = { boxes: [[0, 0, 10, 20]], effort: "best", flip: true, layout: "coco17" };
const config: StreamConfig = { people: "boxes", want_keypoints: true, drop_policy: "latest" };

export async function main(file: File, video: Uint8Array, signal: AbortSignal): Promise<string[]> {
  const answer: PoseAnswer = await client.pose(file, options, { signal });
  const joints: Keypoint[] = answer.people.flatMap((person) => person.keypoints);
  const drawn: Blob = await client.poseDrawn(file, {}, { type: "image/png" });
  const whole: ActionsAnswer = await client.actions(video, { top_k: 3, people: "all" });
  const video4: Blob = await client.actionsDrawn(video, { people: "all" }, { signal });
  const texts: string[] = [await client.poseExport(file, "coco"), await client.actionsExport(video, "trc", { person_id: 1 })];
  const { models, incomplete } = await client.catalogue({ timeoutMs: 100 });
  texts.push(...models.map((model) => model.name), ...incomplete.flatMap(({ missing }) => missing), video4.type);
  const labels = whole.actions.map((action) => `${action.label} ${action.score.toFixed(2)} ${drawn.size}`);
  for await (const event of client.actionEvents([video, video], { fps: 10 })) {
    if (event.event === "answer") labels.push(event.video.fps.toFixed(1));
    if (event.event === "segment") labels.push(event.label, String(event.end_s));
  }
  try {
    await client.models();
  } catch (error) {
    if (error instanceof DeepharError) labels.push(error.code, error.detail, String(error.retryAfterS ?? error.status));
  }
  return [...labels, ...texts, ...joints.map(({ name, z }) => `${name} ${z ?? 0}`)];
}

export async function live(pictures: AsyncIterable<Blob>, told: (event: StreamEvent) => void): Promise<void> {
  const stream = client.stream(config, { reconnect: true });
  const sending = (async () => {
    for await (const picture of pictures) {
      const wasSent: boolean = await stream.send(picture, { drop: true, boxes: [{ id: 1, box: [0, 0, 9, 9] }] });
      if (!wasSent && stream.canSend) await stream.flush();
    }
    await stream.end();
  })();
  for await (const event of stream) told(event);
  await sending;
}

// @ts-expect-error: there is no such option
void client.pose(new Uint8Array(1), { colour: 1 });
// @ts-expect-error: a path is no picture
void client.pose("person.jpg");
// @ts-expect-error: pictures have no tracks
void client.poseExport(new Uint8Array(1), "mot");
// @ts-expect-error: the answer would be none
void client.pose(new Uint8Array(1), { format: "csv" });
// @ts-expect-error: there is no such effort
client.stream({ effort: "most" });

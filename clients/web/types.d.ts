/** Types of the client's calls, in the service's own words (schema.d.ts), and the events of videos and streams. */

import type { components, operations } from "./schema.js";

type Schemas = components["schemas"];
type FormOf<Name extends "pose_v1_pose_post" | "actions_v1_actions_post"> =
  operations[Name]["requestBody"]["content"]["multipart/form-data"];

/** A file's content; Node's Buffer is one. */
export type Binary = Blob | ArrayBuffer | ArrayBufferView;

/** A frame as raw RGB, 3 bytes a pixel, row by row. */
export interface RawPicture {
  rgb: ArrayBuffer | ArrayBufferView;
  width: number;
  height: number;
}

export interface CallOptions {
  /** Ends the call: it throws the signal's reason. */
  signal?: AbortSignal;
  /** Instead of the client's. */
  timeoutMs?: number;
}

export interface StreamCallOptions extends CallOptions {
  /** Whether a lost connection is opened anew, and the frames of the last window sent again. Default: true. */
  reconnect?: boolean;
  /** How long that is tried. Default: a minute. */
  reconnectMs?: number;
}

type Exporting = "format" | "person_id"; // options of `poseExport` and `actionsExport` alone

export type PoseOptions = Omit<FormOf<"pose_v1_pose_post">, "image" | Exporting>;
export type ActionsOptions = Partial<Omit<FormOf<"actions_v1_actions_post">, "video" | "frames" | Exporting>>;
/** Formats of other programs. */
export type PoseFormat = "coco" | "openpose" | "csv" | "trc";
export type ActionsFormat = PoseFormat | "mot";
/** With the person of `trc`, whose format has one alone. */
export type ExportOptions<Options> = Options & { person_id?: number };
export type StreamConfig = Partial<Schemas["StreamOptions"]>;
export type TrackedBox = Schemas["TrackedBoxOption"];

export type Model = Schemas["ModelJson"];
export type ModelCatalogue = Schemas["ModelsJson"];
export type PoseAnswer = Schemas["PoseJson"];
export type ActionsAnswer = Schemas["ActionsJson"];
export type Layout = Schemas["LayoutJson"];
export type Person = Schemas["PersonJson"];
export type Keypoint = Schemas["KeypointJson"];
export type Action = Schemas["ActionJson"];
export type Segment = Schemas["SegmentJson"];

/** Of each event: the newest frame that it depends on, how long that waited, and the frames dropped so far. */
export interface At {
  frame_id: number;
  time_s: number;
  lag_ms: number;
  dropped_frames: number;
}

export type PoseEvent = At & { event: "pose"; people: Person[] };
export type ActionEvent = At & {
  event: "action";
  person_id: number;
  start_s: number;
  end_s: number;
  first_frame_id: number;
  /** Best first; empty where `reason` says why there is none. */
  actions: Action[];
  reason?: string;
};
export type SegmentEvent = At & Segment & { event: "segment" };
export type FrameErrorEvent = At & { event: "frame_error"; code: string; detail: string };
export type FlushedEvent = At & { event: "flushed" };
export type StartedEvent = Pick<Schemas["PoseJson"], "model" | "version" | "effort" | "effort_reason" | "layout"> & {
  event: "started";
  clip_frames: number;
  sample_interval_s: number;
  /** Over a new connection: ids of people begin anew. */
  reconnected?: true;
};
export type AnswerEvent = ActionsAnswer & { event: "answer" };

/** Newer services may send events of other kinds: leave a `default` that ignores them. */
export type VideoEvent = PoseEvent | ActionEvent | SegmentEvent | FrameErrorEvent | AnswerEvent;
export type StreamEvent = StartedEvent | PoseEvent | ActionEvent | SegmentEvent | FrameErrorEvent | FlushedEvent;

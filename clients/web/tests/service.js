/** The service that the tests ask, its keys, and what is sent to it. tests/integration/test_web_client.py starts it. */

import { readFileSync, readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import WebSocket from "ws";

import { Client } from "../client.js";

const { DEEPHAR_ADDRESS: address, TEST_KEYS: keysJson, TEST_FRAMES: framesFolder } = process.env;
const samples = new URL("../../../samples/", import.meta.url);

export { address };
export const keys = JSON.parse(keysJson);
export const person = readFileSync(new URL("person.jpg", samples));
export const video = readFileSync(new URL("jumping_jacks.mp4", samples));
export const frames = readdirSync(framesFolder).sort().map((name) => readFileSync(`${framesFolder}/${name}`));
export const FRAME_MS = 40; // the video has 25 a second

export const client = (options) => new Client({ address, apiKey: keys.any, WebSocket, ...options });

/** Returns all events of a stream. */
export async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Passes connections on to the service, until they are cut or forgotten. Ends with the test. */
export async function proxy(test) {
  const { hostname, port } = new URL(address);
  const sockets = new Set();
  let isForgetting = false;
  const server = createServer((caller) => {
    const service = connect(port, hostname);
    const isForgotten = () => isForgetting && service.isOld;
    for (const [source, target] of [[caller, service], [service, caller]]) {
      sockets.add(source);
      source.on("data", (data) => isForgotten() || target.write(data));
      source.on("error", () => {});
      source.on("close", () => {
        sockets.delete(source);
        if (!isForgotten()) target.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  test.after(() => {
    isForgetting = false;
    cut();
    server.close();
  });
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    cut,
    /** Loses what comes over the present connections, and tells nobody. */
    forget() {
      sockets.forEach((socket) => (socket.isOld = true));
      isForgetting = true;
    },
    /** Refuses new connections, and cuts those that there are. */
    close() {
      server.close();
      cut();
    },
  };
}

// One client that offers captures at a fixed rate to a server of its own, whatever the server does:
// what could not be sent in its time, because too many are unanswered, is sent as soon as one may.
// Says the server's pid when it begins, and at the end how many it offered, sent and got refused.
// Writes "ulid number" for each acknowledged capture to the file it is told.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";

const TICK_MS = 10;
const { main, home, env, name, perSecond, seconds, inFlightMax, file } = JSON.parse(
  process.argv[2],
);
const server = spawn(process.execPath, [main, "serve"], {
  env: { PATH: process.env.PATH, ...env, MEMSPOOL_HOME: home },
  stdio: ["pipe", "pipe", "inherit"],
});
const exited = once(server, "exit");
const acknowledged = createWriteStream(file);
const send = (message) => server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const counts = { offered: 0, sent: 0, acknowledged: 0, refused: 0 };
let unanswered = 0;
let onAnswer = () => {};
const initialized = new Promise((resolve) => {
  createInterface({ input: server.stdout }).on("line", (line) => {
    const { id, result } = JSON.parse(line);
    if (id === undefined) return; // a notification
    if (id === 0) return resolve();
    unanswered--;
    const ulid = result?.isError === true ? undefined : result?.structuredContent?.ulid;
    if (ulid === undefined) counts.refused++;
    else {
      counts.acknowledged++;
      acknowledged.write(`${ulid} ${id}\n`);
    }
    onAnswer();
  });
});
send({
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "flood", version: "0.0.0" },
  },
});
await initialized;
send({ method: "notifications/initialized" });
process.stdout.write(`${JSON.stringify({ pid: server.pid })}\n`);

const beganAt = performance.now();
const sendDue = () => {
  while (counts.sent < counts.offered && unanswered < inFlightMax) {
    const id = ++counts.sent;
    unanswered++;
    const args = { surface: `${name}/${id}` };
    send({ id, method: "tools/call", params: { name: "memory_capture", arguments: args } });
  }
};
onAnswer = sendDue;
await new Promise((resolve) => {
  const ticks = setInterval(() => {
    const passedS = Math.min(seconds, (performance.now() - beganAt) / 1_000);
    counts.offered = Math.floor(perSecond * passedS);
    sendDue();
    if (passedS >= seconds) {
      clearInterval(ticks);
      resolve();
    }
  }, TICK_MS);
});
counts.offered = counts.sent; // what was not sent in its time is not sent any more
await new Promise((resolve) => {
  onAnswer = () => unanswered === 0 && resolve();
  onAnswer();
});
server.stdin.end();
await exited;
await new Promise((resolve) => acknowledged.end(resolve));
counts.offered = Math.floor(perSecond * seconds);
process.stdout.write(`${JSON.stringify(counts)}\n`);

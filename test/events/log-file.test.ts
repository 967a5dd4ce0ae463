import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createApp } from "../../src/app.ts";
import { resolveConfig } from "../../src/config/resolve-config.ts";
import type { EventName } from "../../src/events/catalogue.ts";
import { EventHub } from "../../src/events/event-hub.ts";
import { createLogSink } from "../../src/events/log-sink.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { linesOf, logNames } from "../support/log-bench.ts";

interface LoggingHub {
  readonly hub: EventHub;
  readonly path: string;
  readonly alertsDir: string;
  /** Names of events that the hub's other subscribers heard. */
  readonly heard: EventName[];
}

/** A hub whose log reports on itself through the same hub, as in the server. */
function loggingHub(fileBytesMax = 1_000, backupsMax = 5): LoggingHub {
  const home = freshDirectory();
  const path = join(home, "m.log");
  const alertsDir = join(home, "alerts");
  const hub = new EventHub();
  const heard: EventName[] = [];
  const file = { path, fileBytesMax, backupsMax, alertsDir, events: hub };
  hub.subscribe(createLogSink({ level: "debug", file }));
  hub.subscribe(({ event }) => heard.push(event));
  return { hub, path, alertsDir, heard };
}

/** Everything of the log that was put off until the line in hand was written. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const eventsIn = (path: string) => linesOf(path).map((text) => JSON.parse(text).event);

it("L1: appends to a file that only its owner can read, in a directory that is made", () => {
  const { hub, path } = loggingHub();
  hub.emit("leader_elected", { pid: 1 });
  expect(eventsIn(path)).toEqual(["leader_elected"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("L2: a log file rotates, keeps its backups, and says so in itself without an end", async () => {
  const { hub, path, heard } = loggingHub(1_000, 2);
  for (let n = 0; n < 60; n++) {
    hub.emit("leader_elected", { pid: n });
    await settled();
  }
  expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2"]);
  expect(heard.filter((name) => name === "log_near_limit")).toHaveLength(1);
  const deleted = heard.filter((name) => name === "log_backup_deleted").length;
  expect(deleted).toBeGreaterThan(1);
  expect(heard).toHaveLength(60 + 1 + deleted);
  const newest = [...linesOf(`${path}.1`), ...linesOf(path)].map((text) => JSON.parse(text));
  const pids = newest.filter(({ event }) => event === "leader_elected").map(({ pid }) => pid);
  expect(pids).toEqual(pids.map((_, index) => 60 - pids.length + index));
  expect(newest.some(({ event }) => event === "log_backup_deleted")).toBe(true);
});

it("L3: a rotation that fails is an alert file and an event, recovery another", async () => {
  const { hub, path, alertsDir, heard } = loggingHub();
  const inTheWay = `${path}.1`;
  mkdirSync(inTheWay);
  for (let n = 0; n < 20; n++) hub.emit("leader_elected", { pid: n });
  await settled();
  const alert = readFileSync(join(alertsDir, "ALERT_LOG_ROTATION_FAILED.txt"), "utf8");
  expect(alert).toContain("error: UNSAFE_PATH\n");
  expect(heard.filter((name) => name !== "leader_elected")).toEqual(["log_rotation_failed"]);
  expect(eventsIn(path)).toHaveLength(21);
  rmdirSync(inTheWay);
  unlinkSync(path); // somebody makes room by hand
  hub.emit("leader_elected", { pid: 20 });
  await settled();
  expect(existsSync(join(alertsDir, "ALERT_LOG_ROTATION_FAILED.txt"))).toBe(false);
  expect(eventsIn(path)).toEqual(["leader_elected", "log_rotation_recovered"]);
});

it("L1: lines that could not be written are counted in the log once one can be", async () => {
  const { hub, path, heard } = loggingHub();
  hub.emit("leader_elected", { pid: 0 });
  unlinkSync(path);
  symlinkSync(`${path}.elsewhere`, path);
  for (let n = 1; n <= 3; n++) hub.emit("leader_elected", { pid: n });
  await settled();
  expect(heard).toHaveLength(4);
  unlinkSync(path);
  hub.emit("leader_elected", { pid: 4 });
  await settled();
  const lines = linesOf(path).map((text) => JSON.parse(text));
  expect(lines).toMatchObject([
    { event: "leader_elected", pid: 4 },
    { event: "log_lines_lost", count: 3, error: "UNSAFE_PATH" },
  ]);
  expect(existsSync(`${path}.elsewhere`)).toBe(false);
});

const configFor = (flags: Record<string, unknown>) =>
  resolveConfig({ flags: { home: freshDirectory(), ...flags }, env: {} }).config;

it("L2: the settings reach the file: size, two backups, alerts in the data directory", async () => {
  const config = configFor({ "log.file": "m.log", "log.maxBytes": 10_000, "log.backups": 2 });
  const app = await createApp(config);
  const path = config["log.file"];
  for (let n = 0; n < 400; n++) app.events.emit("server_stopping", { reason: "x".repeat(20) });
  expect(logNames(path)).toEqual(["m.log", "m.log.1", "m.log.2"]);
  for (const name of ["m.log.1", "m.log.2"]) {
    const { size } = statSync(join(path, "..", name));
    expect(size).toBeGreaterThan(9_000);
    expect(size).toBeLessThanOrEqual(10_000);
  }
  expect(app.paths.alertsDir).toBe(join(config.home, "alerts"));
  await app.close();
});

it("L1: a log file that can not be used stops the start, and says which and why", async () => {
  const home = freshDirectory();
  writeFileSync(join(home, "file"), "");
  symlinkSync(join(home, "file"), join(home, "link.log"));
  const start = (file: string) => createApp(configFor({ home, "log.file": file }));
  await expect(start("file/m.log")).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    details: { setting: "log.file", value: join(home, "file", "m.log"), errno: "ENOTDIR" },
  });
  await expect(start("link.log")).rejects.toMatchObject({ code: "UNSAFE_PATH" });
  expect(readFileSync(join(home, "file"), "utf8")).toBe("");
});

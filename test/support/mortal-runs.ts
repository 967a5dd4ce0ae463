/** Starts processes that die at a step, and judges from outside what they left. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { auditTail } from "../../src/queue/audit-read.ts";
import { isLeftover, markUlid, pendingPath, quarantinedUlid } from "../../src/queue/layout.ts";
import { readEnvelope } from "../../src/queue/read-envelope.ts";
import { parseSegmentName, readSegment } from "../../src/queue/spill-segment.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import type { Acknowledgement } from "./capturing-server.ts";
import type { MortalTask } from "./mortal-child.ts";
import type { MortalOperation } from "./mortal-operations.ts";
import { drainAll, type MortalScene, pendingIds, sceneAt } from "./mortal-scene.ts";
import { damage, storedRows } from "./stored-truth.ts";

/** Far enough for marks to be stale and temp files to be old; ids stay believable. */
export const LATER_MS = 2 * 3_600_000;
const AUDIT_BYTES_MAX = 1_048_576;

export interface MortalRun {
  readonly attempted: string[];
  readonly acknowledged: Acknowledgement[];
  /** Counted calls, in order. */
  readonly steps: string[];
  readonly ended: boolean;
  readonly signal: NodeJS.Signals | null;
}

/** @param wrap a program that runs node, such as strace with its options */
export async function runMortal(
  bundle: string,
  task: MortalTask,
  wrap: readonly string[] = [],
): Promise<MortalRun> {
  const [command, ...args] = [...wrap, process.execPath, bundle, JSON.stringify(task)];
  const child = spawn(command as string, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done) =>
    child.on("close", (exitCode, by) => done([exitCode, by])),
  );
  if (code !== 0 && code !== 137 && signal !== "SIGKILL")
    throw new Error(`child failed: ${stderr}`);
  const said = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return {
    attempted: said.flatMap(({ attempt }) => (attempt === undefined ? [] : [attempt])),
    acknowledged: said.filter(({ ulid }) => ulid !== undefined),
    steps: said.flatMap(({ step, of }) => (step === undefined ? [] : [`${step} ${of}`.trim()])),
    ended: said.some(({ ended }) => ended === true),
    signal,
  };
}

/** The disk before the operation, and what was captured on it. */
export interface Prepared {
  readonly home: string;
  readonly attempted: string[];
  readonly acknowledged: Acknowledgement[];
  /** Ids whose envelope is damaged on purpose → its bytes. */
  readonly spoiled: ReadonlyMap<string, Buffer>;
}

export async function prepare(operation: MortalOperation, home: string): Promise<Prepared> {
  const attempted: string[] = [];
  const acknowledged: Acknowledgement[] = [];
  const scene = ownScene(home, 0, attempted, acknowledged);
  await operation.prepare(scene);
  const spoiled = new Map<string, Buffer>();
  for (const ulid of tornNames(scene)) {
    spoiled.set(ulid, readFileSync(pendingPath(scene.layout, ulid)));
  }
  return { home, attempted, acknowledged, spoiled };
}

/** A scene in this process, which lives. */
export function ownScene(
  home: string,
  aheadMs: number,
  attempted: string[] = [],
  acknowledged: Acknowledgement[] = [],
): MortalScene {
  return sceneAt(home, {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() },
    attempt: (surface) => attempted.push(surface),
    acknowledge: (ulid, surface) => acknowledged.push({ ulid, surface }),
  });
}

export function copyDisk(prepared: Prepared, home: string): void {
  if (!existsSync(prepared.home)) return; // the operation begins with nothing
  cpSync(prepared.home, home, { recursive: true, preserveTimestamps: true });
}

/** Pending names whose file is no whole envelope. */
function tornNames(scene: MortalScene): string[] {
  return listIfThere(() => pendingIds(scene)).filter((ulid) => {
    try {
      readEnvelope(nodeDurableFsSync, pendingPath(scene.layout, ulid), ulid);
      return false;
    } catch {
      return true;
    }
  });
}

export interface Verdict {
  readonly lost: string[];
  readonly altered: string[];
  readonly twice: string[];
  /** Files that nobody should find after everything was tidied. */
  readonly rubbish: string[];
}

/** Recovers and drains to the end in this process, then compares with what was acknowledged. */
export async function finishAndJudge(
  home: string,
  prepared: Prepared,
  run: Pick<MortalRun, "attempted" | "acknowledged">,
): Promise<Verdict> {
  const scene = ownScene(home, LATER_MS);
  const torn = tornNames(scene).filter((ulid) => !prepared.spoiled.has(ulid));
  torn.push(...tornSegments(scene));
  await drainAll(scene, 1);
  const rows = await storedRows(home);
  const acknowledged = [...prepared.acknowledged, ...run.acknowledged];
  const stored = new Set(rows.map(({ ulid }) => ulid));
  const aside = quarantined(scene);
  const dropped = droppedIds(scene);
  // What is not in the store may lie in quarantine, or have been lost on purpose.
  const excused = ({ ulid, surface }: Acknowledgement) =>
    prepared.spoiled.has(ulid) ||
    (!stored.has(ulid) && (dropped.has(ulid) || textOf(aside.get(ulid), ulid) === surface));
  const found = damage(
    acknowledged.filter((one) => !excused(one)),
    rows,
  );
  const known = new Set([...prepared.attempted, ...run.attempted]);
  const invented = rows.filter(({ surface }) => !known.has(surface)).map(({ ulid }) => ulid);
  const asideLost = [...prepared.spoiled.keys()].filter((ulid) => !aside.has(ulid));
  const asideAltered = [...prepared.spoiled].filter(
    ([ulid, bytes]) => aside.has(ulid) && !aside.get(ulid)?.equals(bytes),
  );
  return {
    lost: [...found.lost, ...asideLost],
    altered: [...found.altered, ...invented, ...torn, ...asideAltered.map(([ulid]) => ulid)],
    twice: found.twice,
    rubbish: leftBehind(scene),
  };
}

/** What the audit log says was lost on purpose. */
function droppedIds(scene: MortalScene): Set<string> {
  const lines = [...auditTail(nodeDurableFsSync, scene.layout, AUDIT_BYTES_MAX)];
  const dropped = lines.filter(({ disposition }) => disposition === "dropped");
  return new Set(dropped.map((line) => line.dropped_ulid));
}

/** Visible segments that do not hold what their name says. */
function tornSegments({ layout }: MortalScene): string[] {
  return listIfThere(() => readdirSync(layout.overflowDir)).filter((name) => {
    const segment = parseSegmentName(name);
    if (!segment) return false;
    const { envelopes } = readSegment(readFileSync(join(layout.overflowDir, name)));
    return envelopes.length !== segment.count;
  });
}

function textOf(bytes: Buffer | undefined, ulid: string): string | undefined {
  try {
    return bytes && decodeEnvelope(bytes, ulid).record.surface;
  } catch {
    return undefined; // damaged: nobody's text
  }
}

function quarantined(scene: MortalScene): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of readdirSync(scene.layout.quarantineDir)) {
    const ulid = quarantinedUlid(name);
    if (ulid) found.set(ulid, readFileSync(join(scene.layout.quarantineDir, name)));
  }
  return found;
}

function leftBehind(scene: MortalScene): string[] {
  const { dir, quarantineDir, ingesterDir, overflowDir } = scene.layout;
  return [dir, quarantineDir, ingesterDir, overflowDir].flatMap((directory) =>
    readdirSync(directory).filter((name) => isLeftover(name) || markUlid(name) !== undefined),
  );
}

function listIfThere(list: () => string[]): string[] {
  try {
    return list();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
}

import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { BUILT_ENTRY, runBuilt } from "../support/built-program.ts";
import { ageLease } from "../support/capturing-server.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";
import { needStrace, type SystemCall, traceNode } from "../support/strace.ts";

const APPENDS = join("test", "support", "traced-appends.mjs");
const FILE_CALLS = [
  "open,openat,write,pwrite64,fsync,fdatasync,fstat,newfstatat,statx",
  "link,linkat,rename,renameat,renameat2,unlink,unlinkat,getdents64",
];

interface Step {
  readonly what: string;
  readonly call: SystemCall;
}

/** What concerns the queue between the marks, in the order in which it began. */
async function tracedAppends(count: number): Promise<Step[]> {
  const queueDir = join(freshDirectory(), "queue");
  const output = join(freshDirectory(), "trace");
  const { child, calls } = traceNode(FILE_CALLS, [APPENDS, queueDir, String(count)], output);
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
  const all = calls();
  const mark = (what: string) => all.findIndex(({ text }) => text.includes(`"MARK ${what}`));
  return all
    .slice(mark("begin") + 1, mark("end"))
    .filter(({ text }) => text.includes(queueDir) || text.includes("MARK"))
    .flatMap((call) => {
      const what = wordFor(call, queueDir);
      return what === undefined ? [] : [{ what, call }];
    });
}

/** One word for each call of the protocol; undefined for a look at something else than the temp file. */
function wordFor({ name, text }: SystemCall, queueDir: string): string | undefined {
  if (text.includes("MARK receipt")) return "receipt";
  if (text.includes("/.ledger-")) return /stat/.test(name) ? undefined : `${name} ledger`;
  if (/^open/.test(name)) return text.includes("O_EXCL") ? "open O_EXCL" : "open";
  if (/^f(data)?sync$/.test(name)) {
    return text.includes(`<${queueDir}>`) ? "fsync directory" : "fsync file";
  }
  if (/stat/.test(name)) return text.includes("/.tmp-") ? "fstat" : undefined;
  return name.replace(/at2?$|64$/, "");
}

/** Whether a directory fsync lies wholly between the link of a receipt's envelope and the receipt. */
function isCovered(receipt: Step, steps: readonly Step[]): boolean {
  const [, ulid = "no receipt"] = /MARK receipt ([0-9A-Z]{26})/.exec(receipt.call.text) ?? [];
  const link = steps.find(
    ({ what, call }) => what === "link" && call.text.includes(`pending-${ulid}.json`),
  );
  return steps.some(
    ({ what, call }) =>
      what === "fsync directory" &&
      link !== undefined &&
      call.beganAt > link.call.endedAt &&
      call.endedAt < receipt.call.beganAt,
  );
}

const named = (steps: readonly Step[], wanted: string) =>
  steps.filter(({ what }) => what === wanted);

describe("the system calls of a capture", () => {
  it("Q1: one alone: open exclusively, write, fsync, size, link, fsync the directory, note the id, and only then the receipt", async (context) => {
    needStrace(context);
    const steps = await tracedAppends(1);
    // The temp name goes beside the directory's fsync, so its place among the others is open.
    expect(named(steps, "unlink")).toHaveLength(1);
    const ordered = steps.filter(({ what }) => what !== "unlink");
    expect(ordered.map(({ what }) => what)).toEqual([
      "open O_EXCL",
      "write",
      "fsync file",
      "fstat",
      "link",
      "fsync directory",
      "write ledger",
      "receipt",
    ]);
    // Each had ended before the next began.
    const lines = ordered.flatMap(({ call }) => [call.beganAt, call.endedAt]);
    expect(lines).toEqual([...lines].sort((one, other) => one - other));
  });

  it("Q7: 32 side by side share directory fsyncs, none goes without, and no directory is listed", async (context) => {
    needStrace(context);
    const steps = await tracedAppends(32);
    const receipts = named(steps, "receipt");
    expect(receipts).toHaveLength(32);
    expect(named(steps, "fsync file")).toHaveLength(32);
    expect(named(steps, "link")).toHaveLength(32);
    const shared = named(steps, "fsync directory").length;
    expect(shared).toBeGreaterThan(0);
    expect(shared).toBeLessThan(32);
    expect(named(steps, "getdents")).toEqual([]);
    // The ledger is written once for all that end together, and never synced for a capture.
    const notes = named(steps, "write ledger").length;
    expect(notes).toBeGreaterThan(0);
    expect(notes).toBeLessThan(32);
    expect(named(steps, "fsync ledger")).toEqual([]);
    expect(receipts.filter((receipt) => !isCovered(receipt, steps))).toEqual([]);
  });

  it("Q7: the rig sees a directory being listed, and a receipt that no fsync covers", async (context) => {
    needStrace(context);
    const output = join(freshDirectory(), "trace");
    const script = 'require("fs").readdirSync(process.argv[1])';
    const { child, calls } = traceNode(FILE_CALLS, ["-e", script, freshDirectory()], output);
    await once(child, "exit");
    expect(calls().some(({ name }) => name === "getdents64")).toBe(true);
    const steps = await tracedAppends(1);
    const [receipt] = named(steps, "receipt") as [Step];
    expect(isCovered(receipt, steps)).toBe(true);
    expect(
      isCovered(
        receipt,
        steps.filter(({ what }) => what !== "fsync directory"),
      ),
    ).toBe(false);
  });
});

describe("the system calls of a server", () => {
  it("I2: initialize and tools/list are answered before any database is opened", async (context) => {
    needStrace(context);
    const home = freshDirectory();
    const queue = new CaptureQueue({ queueDir: join(home, "queue") });
    await queue.append({ surface: "a backlog that waits for the server" });
    const output = join(freshDirectory(), "trace");
    const { child, calls } = traceNode(["openat,write"], [BUILT_ENTRY, "serve"], output, {
      env: { MEMSPOOL_HOME: home, MEMSPOOL_LOG_LEVEL: "silent" },
    });
    const messages = [
      {
        id: 1,
        method: "initialize",
        params: {
          protocolVersion: "2025-06-18",
          capabilities: {},
          clientInfo: { name: "test", version: "0.0.0" },
        },
      },
      { method: "notifications/initialized" },
      { id: 2, method: "tools/list" },
    ];
    for (const message of messages) {
      child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    }
    child.stdout?.resume();
    // The backlog is drained without anybody asking; then the client leaves.
    await expect
      .poll(async () => (await queue.pendingCount()) === 0, { timeout: 15_000, interval: 20 })
      .toBe(true);
    child.stdin?.end();
    await once(child, "exit");
    const all = calls();
    const answered = all.findIndex(
      ({ name, text }) => name === "write" && /"tools":\[|\\"tools\\":\[/.test(text),
    );
    const opened = all.findIndex(({ text }) => text.includes("memspool.db"));
    expect(answered).toBeGreaterThan(0);
    expect(opened).toBeGreaterThan(answered);
  });
});

describe("a drain that is killed", () => {
  it.for<[string, string, number]>([
    ["at its first sync", "fsync,fdatasync", 1],
    ["at its third sync", "fsync,fdatasync", 3],
    ["at its sixth sync", "fsync,fdatasync", 6],
    ["while it writes to the store's log", "pwrite64", 8],
    ["at its third rename", "rename", 3],
    ["at its first unlink", "unlink", 1],
    ["at its third unlink", "unlink", 3],
  ])("I1: killed %s it loses and doubles nothing", async ([, calls, when], context) => {
    needStrace(context);
    const home = freshDirectory();
    const queue = new CaptureQueue({ queueDir: join(home, "queue") });
    const acknowledged = [];
    for (let n = 0; n < 6; n++) {
      const surface = `text ${n}`;
      acknowledged.push({ ...(await queue.append({ surface })), surface });
    }
    const env = { MEMSPOOL_HOME: home, MEMSPOOL_INGEST_BATCH_RECORDS: "2" };
    const output = join(freshDirectory(), "trace");
    const { child } = traceNode([calls], [BUILT_ENTRY, "drain"], output, {
      options: ["-e", `inject=${calls}:signal=SIGKILL:when=${when}`],
      env,
    });
    child.stdout?.resume();
    const [code, signal] = await once(child, "exit");
    expect([code, signal], "it was to be killed").toEqual([null, "SIGKILL"]);
    expect(existsSync(home)).toBe(true);
    ageLease(home);
    const again = await runBuilt(["drain", "--json"], { home, env });
    expect(JSON.parse(again.stdout.toString())).toMatchObject({ remaining: 0, quarantined: 0 });
    const rows = await storedRows(home);
    expect(rows).toHaveLength(6);
    expect(damage(acknowledged, rows)).toEqual(NO_DAMAGE);
  });
});

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dataPaths } from "../../src/config/data-paths.ts";
import { checkModes } from "../../src/health/check-modes.ts";
import { checkWrite } from "../../src/health/check-write.ts";
import {
  configurationCheck,
  directoryChecks,
  queueChecks,
  storeCheck,
} from "../../src/health/health-checks.ts";
import { runChecks } from "../../src/health/run-checks.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { okStatus } from "../support/fake-memory.ts";

let home: string;
let queueDir: string;
const uid = process.getuid?.();
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-health-"));
  queueDir = join(home, "queue");
  mkdirSync(queueDir, { mode: 0o700 });
});
afterEach(() => {
  for (const path of [home, `${home}-elsewhere`]) rmSync(path, { recursive: true, force: true });
});

describe("directory modes", () => {
  it("X1: private directories and files are ok", async () => {
    writeFileSync(join(queueDir, "pending-x.json"), "", { mode: 0o600 });
    expect(await checkModes({ home, uid })).toMatchObject({ status: "ok" });
  });

  it("X1: a file or directory that others may read is named, with the command to close it", async () => {
    const file = join(queueDir, "pending-x.json");
    writeFileSync(file, "");
    chmodSync(file, 0o640);
    const result = await checkModes({ home, uid });
    expect(result).toMatchObject({ status: "degraded" });
    expect(result.detail).toContain('"queue/pending-x.json"');
    expect(result.advice).toContain("chmod -R go=");
    chmodSync(file, 0o600);
    chmodSync(home, 0o755);
    expect((await checkModes({ home, uid })).detail).toContain('"."');
  });

  it("X1: another owner is reported", async () => {
    const result = await checkModes({ home, uid: (uid ?? 0) + 1 });
    expect(result).toMatchObject({ status: "degraded" });
    expect(result.detail).toContain("another owner");
  });

  it("X1: a symlink in place of a directory is failing, and is not walked into", async () => {
    const elsewhere = `${home}-elsewhere`;
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "open"), "", { mode: 0o666 });
    symlinkSync(elsewhere, join(home, "store"));
    const result = await checkModes({ home, uid });
    expect(result).toMatchObject({ status: "failing" });
    expect(result.detail).not.toContain("open");
    rmSync(join(home, "store"));
    symlinkSync(elsewhere, join(home, "stray"));
    expect(await checkModes({ home, uid })).toMatchObject({ status: "degraded" });
  });

  it.each(["quarantine", "done", "overflow", "ingester"])(
    "X1: a queue whose %s is a symlink is failing, because no capture goes through it",
    async (name) => {
      const elsewhere = `${home}-elsewhere`;
      mkdirSync(elsewhere);
      symlinkSync(elsewhere, join(queueDir, name));
      const capture = () => ensureQueueDirectories(nodeDurableFsSync, queueLayout(queueDir));
      expect(capture).toThrow("symbolic link");
      expect(await checkModes({ home, uid })).toMatchObject({ status: "failing" });
    },
  );

  it("X1: a data directory that is itself a symlink is looked into", async () => {
    const link = `${home}-link`;
    symlinkSync(home, link);
    try {
      expect(await checkModes({ home: link, uid })).toMatchObject({ status: "ok" });
    } finally {
      rmSync(link);
    }
  });

  it("H1: a file in the data directory's place is failing, and no mode of it is to be changed", async () => {
    const file = join(home, "file");
    writeFileSync(file, "", { mode: 0o644 });
    const result = await checkModes({ home: file, uid });
    expect(result).toMatchObject({ status: "failing" });
    expect(result.advice).not.toContain("chmod");
  });

  it("H1: a data directory that is a symlink to nowhere is failing", async () => {
    symlinkSync(join(home, "nowhere"), join(home, "link"));
    const result = await checkModes({ home: join(home, "link"), uid });
    expect(result).toMatchObject({ status: "failing" });
    expect(result.detail).toContain("symlink to nowhere");
  });

  it("X1: stops at its bound and says so", async () => {
    for (let n = 0; n < 5; n++) writeFileSync(join(queueDir, `${n}`), "", { mode: 0o600 });
    const result = await checkModes({ home, uid, entriesMax: 4 });
    expect(result.detail).toContain("4 entries (the rest not looked at)");
  });

  it("Q13: a data directory that is not there is no fault and is not made", async () => {
    const absent = join(home, "absent");
    expect(await checkModes({ home: absent, uid })).toMatchObject({ status: "ok" });
    expect(readdirSync(home)).toEqual(["queue"]);
  });
});

describe("write probe", () => {
  it("H1: writes, fsyncs and leaves nothing behind", async () => {
    expect(await checkWrite({ queueDir })).toMatchObject({ status: "ok" });
    expect(readdirSync(queueDir)).toEqual([]);
  });

  /** @param target the probe's file, or the directory that it lies in */
  function failingAt(
    target: "file" | "directory",
    method: "sync" | "write" | "read",
    code: string,
  ): typeof open {
    return async (...args) => {
      const handle = await open(...args);
      if ((args[0] === queueDir) !== (target === "directory")) return handle;
      const failed = () => Promise.reject(Object.assign(new Error("broken"), { code }));
      handle[method] = failed as FileHandle["sync"] & never;
      return handle;
    };
  }

  it.each([
    ["file", "sync", "EIO", "save the data directory"],
    ["directory", "sync", "EIO", "save the data directory"],
    ["file", "write", "ENOSPC", "Free space"],
    ["file", "read", "EIO", "save the data directory"],
  ] as const)("H1: the %s's %s failing with %s is failing, with advice", async (...row) => {
    const [target, method, code, advice] = row;
    const result = await checkWrite({ queueDir, open: failingAt(target, method, code) });
    expect(result).toMatchObject({ status: "failing" });
    expect(result.detail).toContain(code);
    expect(result.advice).toContain(advice);
    expect(readdirSync(queueDir)).toEqual([]);
  });

  it("X3: where directories have no fsync it is degraded and says what a power cut can take", async () => {
    const result = await checkWrite({ queueDir, open: failingAt("directory", "sync", "EINVAL") });
    expect(result).toMatchObject({ status: "degraded" });
    expect(result.detail).toContain("EINVAL");
    expect(result.advice).toContain("power cut");
    expect(readdirSync(queueDir)).toEqual([]);
  });

  it("H1: a short write and other bytes read back are failing", async () => {
    const short: typeof open = async (...args) => {
      const handle = await open(...args);
      const write = handle.write.bind(handle);
      handle.write = ((bytes: Buffer) => write(bytes, 0, 100, 0)) as FileHandle["write"];
      return handle;
    };
    const result = await checkWrite({ queueDir, open: short });
    expect(result.detail).toContain("short write: 100 of 4096");
    const blank: typeof open = async (...args) => {
      const handle = await open(...args);
      handle.read = (async () => ({ bytesRead: 0 })) as unknown as FileHandle["read"];
      return handle;
    };
    expect((await checkWrite({ queueDir, open: blank })).detail).toContain("other bytes");
  });

  it("H1: a queue directory that is a file is failing", async () => {
    rmSync(queueDir, { recursive: true });
    writeFileSync(queueDir, "");
    expect(await checkWrite({ queueDir })).toMatchObject({ status: "failing" });
  });

  it("Q13: a queue directory that is not there is not made", async () => {
    expect(await checkWrite({ queueDir: join(home, "no", "queue") })).toMatchObject({
      status: "ok",
    });
    expect(readdirSync(home)).toEqual(["queue"]);
  });
});

it("H1: all checks together, with the parts' answers through ports", async () => {
  let statusCalls = 0;
  const report = await runChecks([
    configurationCheck({ set: {}, warnings: [] }),
    ...directoryChecks(dataPaths(home)),
    storeCheck(async () => ({ absent: true, sample: { lookedFor: 0, nowhere: 0 } })),
    ...queueChecks(
      async () => {
        statusCalls++;
        return {
          ...okStatus(),
          queue: { ...okStatus().queue, quarantined: 1 },
          ingester: {
            leader: null,
            this_process_leads: false,
            last_batch: null,
            lag_ms: 0,
            delayed: null,
          },
        };
      },
      async () => undefined,
    ),
  ]);
  expect(report.checks.map(({ name }) => name)).toEqual([
    "configuration",
    "directory modes",
    "write and fsync",
    "file system",
    "free space",
    "alerts",
    "crashes",
    "store",
    "ingester",
    "backlog",
    "quarantine",
    "forgetting",
    "spool",
    "memory",
    "pace",
  ]);
  expect(report.checks.find(({ name }) => name === "quarantine")?.status).toBe("degraded");
  expect(statusCalls).toBe(1);
});

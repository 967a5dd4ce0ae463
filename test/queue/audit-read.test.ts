import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, it } from "vitest";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { encodeAuditLine, parseAuditLine } from "../../src/queue/audit-line.ts";
import { newestAuditLines } from "../../src/queue/audit-newest.ts";
import { type AuditPlace, auditTail, findDropped, readAudit } from "../../src/queue/audit-read.ts";
import type { QueueLayout } from "../../src/queue/layout.ts";
import {
  auditLine,
  auditUlid,
  freshAuditLayout,
  numbers,
  writeAuditFile,
} from "../support/overflow-audit-bench.ts";

const MOVING = ".moving-1-0123456789ab";

/** Lines 1 to 8: two in `.2`, two in `.1`, two on their way to `.1`, two in the current file. */
function wholeLog(): QueueLayout {
  const layout = freshAuditLayout();
  mkdirSync(layout.dir, { recursive: true });
  for (const [index, suffix] of [".2", ".1", MOVING, ""].entries()) {
    writeAuditFile(`${layout.auditFile}${suffix}`, [2 * index + 1, 2 * index + 2]);
  }
  return layout;
}

async function readNumbers(layout: QueueLayout, fs: DurableFs = nodeDurableFs) {
  const ids: string[] = [];
  const damaged: AuditPlace[] = [];
  const sum = await readAudit(fs, layout, {
    onLine: ({ dropped_ulid }) => ids.push(dropped_ulid),
    onDamaged: (place) => damaged.push(place),
  });
  return { ids, damaged, sum };
}

describe("reading all of it", () => {
  it("V1: gives every line once, oldest first, across backups and files on their way", async () => {
    const { ids, damaged, sum } = await readNumbers(wholeLog());
    expect(ids).toEqual(numbers(1, 8).map(auditUlid));
    expect(damaged).toEqual([]);
    expect(sum.here).toMatchObject({ files: 4, spilled: 8, dropped: 0, damaged: 0 });
  });

  it("V1: a file under two names counts once, as a crash amid a rotation leaves it", async () => {
    const layout = wholeLog();
    linkSync(`${layout.auditFile}.2`, `${layout.auditFile}.moving-3-0123456789ab`);
    expect((await readNumbers(layout)).sum.here).toMatchObject({ files: 4, spilled: 8 });
  });

  it("V1: a rotation while it is opened hides no file and shows none twice", async () => {
    for (const at of numbers(1, 6)) {
      const layout = wholeLog();
      const { auditFile } = layout;
      let opened = 0;
      const fs: DurableFs = {
        ...nodeDurableFs,
        openRead: (path) => {
          opened++;
          if (opened === at) {
            renameSync(`${auditFile}.2`, `${auditFile}.3`);
            renameSync(`${auditFile}.1`, `${auditFile}.2`);
            renameSync(`${auditFile}${MOVING}`, `${auditFile}.1`);
            renameSync(auditFile, `${auditFile}.moving-1-ba9876543210`);
            writeAuditFile(auditFile, [9]);
          }
          return nodeDurableFs.openRead(path);
        },
      };
      const { ids } = await readNumbers(layout, fs);
      expect(ids.slice(0, 8)).toEqual(numbers(1, 8).map(auditUlid));
      expect(ids.length).toBeLessThanOrEqual(9);
    }
  });

  it("V1: damaged lines are told by file and number, empty ones are none", async () => {
    const layout = wholeLog();
    const line = encodeAuditLine(auditLine(9));
    const flipped = line.replace(auditUlid(9), auditUlid(8));
    const junk = "x".repeat(600_000);
    appendFileSync(layout.auditFile, `\n${flipped}\n${line.slice(0, 90)}\n\n${junk}\n${line}`);
    const { ids, damaged, sum } = await readNumbers(layout);
    expect(ids).toEqual(numbers(1, 9).map(auditUlid));
    const file = ".overflow-audit.log";
    expect(damaged).toEqual([4, 5, 7].map((n) => ({ file, line: n })));
    expect(sum.here.damaged).toBe(3);
  });

  it("V1: what is no file is told, and what is a stranger's is not looked at", async () => {
    const layout = wholeLog();
    mkdirSync(`${layout.auditFile}.3`);
    symlinkSync("/nowhere", `${layout.auditFile}.4`);
    writeFileSync(`${layout.auditFile}.bak`, "words");
    const { damaged, sum } = await readNumbers(layout);
    expect(damaged.map(({ file, line }) => `${file}:${line}`).sort()).toEqual([
      ".overflow-audit.log.3:0",
      ".overflow-audit.log.4:0",
    ]);
    expect(sum.here).toMatchObject({ files: 4, spilled: 8, damaged: 2 });
  });

  it("a queue that never overflowed has nothing to read", async () => {
    const layout = freshAuditLayout();
    const none = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };
    expect(await readAudit(nodeDurableFs, layout)).toEqual({
      here: none,
      gone: none,
      goneIncomplete: false,
    });
    expect(await findDropped(nodeDurableFs, layout, auditUlid(1))).toBeUndefined();
    expect(auditTail(nodeDurableFsSync, layout, 1_000)).toEqual([]);
  });

  it("V1: memory stays bounded: no call reads more than a chunk", async () => {
    const layout = wholeLog();
    writeAuditFile(layout.auditFile, numbers(10, 5_000));
    let most = 0;
    const fs: DurableFs = {
      ...nodeDurableFs,
      read: () => Promise.reject(new Error("a whole file was read")),
      readAt: (fd, into, position) => {
        most = Math.max(most, into.length);
        return nodeDurableFs.readAt(fd, into, position);
      },
    };
    expect((await readAudit(fs, layout)).here.spilled).toBe(4_997);
    expect((await findDropped(fs, layout, auditUlid(1)))?.dropped_ulid).toBe(auditUlid(1));
    expect(most).toBe(262_144);
  });
});

describe("finding one id", () => {
  it("T7: gives its newest line, in whichever file it is", async () => {
    const layout = wholeLog();
    for (const n of numbers(1, 8)) {
      expect(await findDropped(nodeDurableFs, layout, auditUlid(n))).toEqual(auditLine(n));
    }
    expect(await findDropped(nodeDurableFs, layout, auditUlid(9))).toBeUndefined();
    const again = auditLine(3, { disposition: "dropped" });
    appendFileSync(`${layout.auditFile}.1`, `${encodeAuditLine(again)}\n`);
    expect(await findDropped(nodeDurableFs, layout, auditUlid(3))).toEqual(again);
  });

  it("T7: an id in a damaged line, or in another field, is not found", async () => {
    const layout = wholeLog();
    const text = encodeAuditLine(auditLine(9));
    appendFileSync(layout.auditFile, `${text.replace("spilled", "spillet")}\n${auditUlid(9)}\n`);
    const other = auditLine(10, { sha256: auditUlid(9) });
    appendFileSync(layout.auditFile, `${encodeAuditLine(other)}\n`);
    expect(await findDropped(nodeDurableFs, layout, auditUlid(9))).toBeUndefined();
    expect(await findDropped(nodeDurableFs, layout, auditUlid(10))).toEqual(other);
  });

  it("T7: in a large file it is found wherever it stands, beside damage too", async () => {
    const layout = wholeLog();
    writeAuditFile(layout.auditFile, numbers(10, 4_000));
    for (const n of numbers(10, 4_000).filter((each) => each % 61 === 0)) {
      expect((await findDropped(nodeDurableFs, layout, auditUlid(n)))?.dropped_ulid).toBe(
        auditUlid(n),
      );
    }
    const zeros = Buffer.alloc(800_000);
    writeFileSync(layout.auditFile, Buffer.concat([readFileSync(layout.auditFile), zeros]));
    expect((await findDropped(nodeDurableFs, layout, auditUlid(10)))?.dropped_ulid).toBe(
      auditUlid(10),
    );
    const page = await newestAuditLines(nodeDurableFs, layout, { limit: 1 });
    expect(page?.lines.length).toBe(1);
  });
});

describe("the last lines", () => {
  const tail = (layout: QueueLayout, bytesMax: number) =>
    auditTail(nodeDurableFsSync, layout, bytesMax).map(({ dropped_ulid }) => dropped_ulid);

  it("Q12: come oldest first, from as many files as it takes", () => {
    const layout = wholeLog();
    const lineBytes = readFileSync(layout.auditFile).length / 2;
    expect(tail(layout, 1_000_000)).toEqual(numbers(1, 8).map(auditUlid));
    expect(tail(layout, lineBytes * 5)).toEqual(numbers(4, 8).map(auditUlid));
    expect(tail(layout, lineBytes * 2 - 1)).toEqual([auditUlid(8)]);
  });

  it("Q12: damaged ones are left out", () => {
    const layout = wholeLog();
    const text = encodeAuditLine(auditLine(9));
    appendFileSync(layout.auditFile, `${text.slice(0, 100)}\n${text.replace("01JQ", "01JR")}\n`);
    expect(tail(layout, 1_000_000)).toEqual(numbers(1, 8).map(auditUlid));
    mkdirSync(`${layout.auditFile}.3`);
    expect(tail(layout, 1_000_000)).toHaveLength(8);
  });
});

describe("one line", () => {
  it("Q11: any flipped bit, any cut and any zeroed byte of a line is noticed", () => {
    const bytes = Buffer.from(encodeAuditLine(auditLine(1)));
    let tried = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        expect(parseAuditLine(flipped.toString("latin1"))).toBeUndefined();
        tried++;
      }
      const zeroed = Buffer.from(bytes);
      zeroed[at] = 0;
      expect(parseAuditLine(zeroed.toString("latin1"))).toBeUndefined();
      expect(parseAuditLine(bytes.toString("latin1", 0, at))).toBeUndefined();
    }
    expect(tried).toBeGreaterThan(2_000);
    expect(parseAuditLine(bytes.toString("latin1"))).toEqual(auditLine(1));
  });

  it("Q11: another reason or disposition with a checksum of its own is no line of ours", () => {
    const odd = { ...auditLine(1), disposition: "eaten" as "spilled" };
    expect(parseAuditLine(encodeAuditLine(odd))).toBeUndefined();
    expect(parseAuditLine(encodeAuditLine({ ...auditLine(1), dropped_ulid: "x" }))).toBeUndefined();
  });
});

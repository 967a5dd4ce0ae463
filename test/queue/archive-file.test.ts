import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { envelopeOnLine, listArchive, readMembers } from "../../src/queue/archive-file.ts";
import { encodeMember, type SkippedStretch } from "../../src/queue/archive-member.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { encodeEnvelope } from "../../src/record/envelope.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const fs = nodeDurableFsSync;

function envelope(n: number): Buffer {
  const { ulid, appendedAt, recordJson, sha256 } = itemOf(n, { surface: `${n} ${"ab".repeat(n)}` });
  return encodeEnvelope(ulid, appendedAt, recordJson, sha256);
}

function read(path: string, windowBytes?: number) {
  const skipped: SkippedStretch[] = [];
  const options = { onSkipped: (stretch: SkippedStretch) => skipped.push(stretch) };
  const members = [...readMembers(fs, path, windowBytes ? { ...options, windowBytes } : options)];
  const ids = members.flatMap(({ lines }) => lines.map((line) => envelopeOnLine(line)?.ulid));
  return { ids, skipped, offsets: members.map(({ offset }) => offset) };
}

describe("a file of members", () => {
  it("I6: a file that can not be looked at is an error, and its descriptor is let go", () => {
    const path = join(freshDirectory(), "f");
    writeFileSync(path, encodeMember([envelope(1)]));
    const faulty = faultyFsSync();
    faulty.fail({ method: "factsOfDescriptor", errno: "EIO" });
    const members = readMembers(faulty.fs, path, { onSkipped: () => {} });
    expect(() => [...members]).toThrow("EIO");
    expect(faulty.methods()).toEqual(["openRead", "factsOfDescriptor", "close"]);
  });

  it("I6: read in pieces of any size that holds two members, gives what it gives whole", () => {
    const path = join(freshDirectory(), "f");
    const members = Array.from({ length: 30 }, (_, n) =>
      encodeMember([envelope(n), envelope(n + 50)]),
    );
    const longest = Math.max(...members.map(({ length }) => length));
    const torn = members.map((member, n) =>
      n % 7 === 3 ? member.subarray(0, member.length - 5) : member,
    );
    writeFileSync(path, Buffer.concat([...torn, Buffer.alloc(3 * longest), members[0] as Buffer]));
    const whole = read(path);
    expect(whole.ids).toHaveLength(2 * (26 + 1));
    expect(whole.skipped).toHaveLength(5);
    for (let windowBytes = 2 * longest; windowBytes < 6 * longest; windowBytes += 37) {
      expect(read(path, windowBytes)).toEqual(whole);
    }
  });

  it("I6: a torn end is told, an empty file is none, and what is no file has nothing", () => {
    const dir = freshDirectory();
    const [torn, empty] = [join(dir, "torn"), join(dir, "empty")];
    writeFileSync(
      torn,
      Buffer.concat([encodeMember([envelope(1)]), encodeMember([envelope(2)]).subarray(0, 50)]),
    );
    writeFileSync(empty, "");
    symlinkSync(torn, join(dir, "link"));
    expect(read(torn)).toMatchObject({ ids: [idOf(1)], skipped: [{ bytes: 50 }] });
    for (const path of [empty, join(dir, "link"), join(dir, "gone"), dir]) {
      expect(read(path)).toEqual({ ids: [], skipped: [], offsets: [] });
    }
  });

  it("I6: a line that is no whole envelope is none", () => {
    const good = envelope(1);
    const bad = Buffer.from(good.toString().replace("ab", "ac"));
    expect([good, bad, Buffer.from("{}")].map((line) => envelopeOnLine(line)?.ulid)).toEqual([
      idOf(1),
      undefined,
      undefined,
    ]);
  });
});

it("I6: the archive is listed by hour, and within an hour by the oldest record", () => {
  const layout = queueLayout(freshDirectory());
  expect(listArchive(fs, layout)).toEqual([]);
  mkdirSync(layout.doneDir, { recursive: true });
  const files = {
    "20260301-10-aa": 5,
    "20260301-09-zz": 3,
    "20260301-09-aa": 4,
    "20260228-09-bb": 9,
  };
  for (const [name, n] of Object.entries(files)) {
    appendFileSync(join(layout.doneDir, `${name}.ndjson.gz`), encodeMember([envelope(n)]));
  }
  writeFileSync(join(layout.doneDir, "foreign"), "");
  expect(listArchive(fs, layout).map((name) => name.slice(0, 14))).toEqual([
    "20260228-09-bb",
    "20260301-09-zz",
    "20260301-09-aa",
    "20260301-10-aa",
  ]);
});

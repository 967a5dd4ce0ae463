import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeDurableFsSync as fs } from "../../src/platform/durable-fs-sync.ts";
import { envelopeOnLine, readMembers } from "../../src/queue/archive-file.ts";
import { encodeMember } from "../../src/queue/archive-member.ts";
import { type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { purgeArchive, rewriteWithout } from "../../src/queue/purge-archive.ts";
import { encodeEnvelope } from "../../src/record/envelope.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const NAME = "20260301-09-writer.ndjson.gz";

function envelope(n: number): Buffer {
  const { ulid, appendedAt, recordJson, sha256 } = itemOf(n, { surface: `text ${n} `.repeat(50) });
  return encodeEnvelope(ulid, appendedAt, recordJson, sha256);
}

const memberOf = (...numbers: number[]) => encodeMember(numbers.map(envelope));

function archive(...members: Buffer[]): { layout: QueueLayout; path: string } {
  const layout = queueLayout(join(freshDirectory(), "queue"));
  mkdirSync(layout.doneDir, { recursive: true });
  const path = join(layout.doneDir, NAME);
  writeFileSync(path, Buffer.concat(members));
  return { layout, path };
}

function purge(layout: QueueLayout, numbers: readonly number[], disk = fs): void {
  for (const _ of purgeArchive({ fs: disk, layout }, new Set(numbers.map(idOf))));
}

function idsIn(path: string): (string | undefined)[] {
  const members = [...readMembers(fs, path, { onSkipped: () => {} })];
  return members.flatMap(({ lines }) => lines.map((line) => envelopeOnLine(line)?.ulid));
}

describe("records out of the done archive", () => {
  it("S6: members without them stay byte for byte, the others lose theirs alone", () => {
    const { layout, path } = archive(memberOf(1, 2), memberOf(3), memberOf(4, 5, 6));
    purge(layout, [3, 5]);
    expect(readFileSync(path)).toEqual(Buffer.concat([memberOf(1, 2), memberOf(4, 6)]));
    expect(readdirSync(layout.doneDir)).toEqual([NAME]);
  });

  it("S6: a file that holds none of them is not written, one that holds nothing else goes", () => {
    const { layout, path } = archive(memberOf(1));
    const { ino } = fs.facts(path);
    purge(layout, [2]);
    expect(fs.facts(path).ino).toBe(ino);
    purge(layout, [1]);
    expect(readdirSync(layout.doneDir)).toEqual([]);
  });

  it("S6: files of any hour are looked at: either clock may have been wrong", () => {
    const { layout } = archive(memberOf(1));
    writeFileSync(join(layout.doneDir, "20200101-00-old.ndjson.gz"), memberOf(1));
    purge(layout, [1]);
    expect(readdirSync(layout.doneDir)).toEqual([]);
  });

  it("P3: a file that is trimmed while it is rewritten does not come back, and is no failure", () => {
    const { layout, path } = archive(memberOf(1, 2));
    const trim = () => unlinkSync(path);
    const beforeOpening = {
      ...fs,
      openRead: (name: string) => {
        opened++;
        if (opened === 2) trim(); // the first time it was looked into
        return fs.openRead(name);
      },
    };
    let opened = 0;
    purge(layout, [1], beforeOpening);
    expect(readdirSync(layout.doneDir)).toEqual([]);
    writeFileSync(path, memberOf(1, 2));
    const whileCopying = {
      ...fs,
      openExclusive: (name: string) => {
        trim();
        return fs.openExclusive(name);
      },
    };
    purge(layout, [1], whileCopying);
    expect(readdirSync(layout.doneDir)).toEqual([]);
  });

  it("S6: a second purger that dies in its work does not put a half file in the archive", () => {
    const { layout, path } = archive(memberOf(1, 2), memberOf(3, 4));
    // The first was stopped before its rename, and another process took over meanwhile.
    const stopped = {
      ...fs,
      rename: (from: string, to: string) => {
        let writes = 0;
        const half = {
          ...fs,
          write: (fd: number, bytes: Uint8Array, offset: number, length: number) => {
            writes++;
            if (writes > 1) throw Object.assign(new Error("died"), { code: "EIO" });
            return fs.write(fd, bytes, offset, length);
          },
        };
        expect(() => purge(layout, [1], half)).toThrow("died");
        fs.rename(from, to);
      },
    };
    expect(() => purge(layout, [1], stopped)).toThrow();
    purge(layout, [1]);
    expect(idsIn(path)).toEqual([idOf(2), idOf(3), idOf(4)]);
    expect(readdirSync(layout.doneDir)).toEqual([NAME]);
  });

  it("S6: a purger that wakes up when another has exchanged the file takes nothing back", () => {
    const { layout, path } = archive(memberOf(1, 2), memberOf(3, 4));
    const stopped = {
      ...fs,
      fsync: (fd: number) => {
        fs.fsync(fd);
        rewriteWithout(fs, layout.doneDir, NAME, new Set([1, 3].map(idOf)));
        appendFileSync(path, memberOf(5));
      },
    };
    expect(() => purge(layout, [1], stopped)).toThrow("ESTALE");
    expect(idsIn(path)).toEqual([idOf(2), idOf(4), idOf(5)]);
  });

  it("S6: what a writer brings while its file is exchanged is carried over, but for theirs", () => {
    const { layout, path } = archive(memberOf(1, 2));
    let late = 0;
    const disk = {
      ...fs,
      rename: (from: string, to: string) => {
        // The writer has looked at its name already, and it was right.
        appendFileSync(to, Buffer.concat([memberOf(3), memberOf(1, 4)]));
        late++;
        fs.rename(from, to);
      },
    };
    purge(layout, [1], disk);
    expect(late).toBe(1);
    expect(idsIn(path)).toEqual([idOf(2), idOf(3), idOf(4)]);
  });

  it("S6: a torn member goes if one of them can be read in it, and stays if none can", () => {
    const torn = (...numbers: number[]) => memberOf(...numbers).subarray(0, -12);
    const { layout, path } = archive(torn(7, 1), memberOf(2), torn(8), memberOf(3, 1));
    purge(layout, [1]);
    expect(readFileSync(path)).toEqual(Buffer.concat([memberOf(2), torn(8), memberOf(3)]));
  });

  it("S6: of a member that is damaged in its middle, what comes before the damage decides", () => {
    const spoiled = Buffer.from(memberOf(1, 2, 3, 4, 5, 6, 7, 8));
    spoiled.fill(0xff, spoiled.length - 40, spoiled.length - 20);
    const { layout, path } = archive(spoiled, memberOf(9));
    purge(layout, [1]);
    expect(readFileSync(path)).toEqual(memberOf(9));
  });

  it("S6: a temp file of a purge that died is removed", () => {
    const { layout } = archive(memberOf(2));
    writeFileSync(join(layout.doneDir, `.tmp-${idOf(1)}-000000000000`), memberOf(1));
    purge(layout, [1]);
    expect(readdirSync(layout.doneDir)).toEqual([NAME]);
  });
});

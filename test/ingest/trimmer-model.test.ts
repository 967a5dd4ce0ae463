import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { mortalFs } from "../store/mortal-fs.ts";
import { rounds } from "../support/crash-table.ts";
import { NOT_STOPPING, TrimScene, ulidOf } from "../support/done-files.ts";

const { MEMSPOOL_MODEL_SEED } = process.env;
/** fast-check prints it with a failure; MEMSPOOL_MODEL_SEED repeats it. */
const SEED = MEMSPOOL_MODEL_SEED === undefined ? {} : { seed: Number(MEMSPOOL_MODEL_SEED) };

interface File {
  /** From 00 to 12; it is 09 now. */
  readonly hour: number;
  readonly writer: string;
  readonly bytes: number;
  readonly kind: "known" | "lacking" | "temp" | "foreign";
}

interface World {
  readonly files: readonly File[];
  readonly pendingBytes: number;
  readonly softBytes: number;
  /** File-system calls until the trimmer dies. */
  readonly callsUntilDeath: number | undefined;
}

const FILE: fc.Arbitrary<File> = fc.record({
  hour: fc.integer({ min: 0, max: 12 }),
  writer: fc.constantFrom("a", "b", "c"),
  bytes: fc.integer({ min: 200, max: 4_000 }),
  kind: fc.constantFrom("known", "known", "known", "lacking", "temp", "foreign"),
});
const WORLD: fc.Arbitrary<World> = fc.record({
  files: fc.uniqueArray(FILE, { maxLength: 14, selector: (file) => nameOf(file) }),
  pendingBytes: fc.integer({ min: 0, max: 10_000 }),
  softBytes: fc.integer({ min: 0, max: 40_000 }),
  callsUntilDeath: fc.option(fc.nat({ max: 80 }), { nil: undefined }),
});

function nameOf({ hour, writer, kind }: File): string {
  const stem = `20260301-${String(hour).padStart(2, "0")}`;
  if (kind === "temp") return `.tmp-${ulidOf(hour)}-00000000000${writer}`;
  return kind === "foreign" ? `${stem}-${writer}.json` : `${stem}-${writer}.ndjson.gz`;
}

/** Builds the world and trims it; says what was there, what is left, and in which order it went. */
async function trim(world: World) {
  const scene = new TrimScene();
  for (const file of world.files) {
    const ulids = scene.done(nameOf(file), file.bytes);
    if (file.kind === "lacking") for (const ulid of ulids) scene.known.delete(ulid);
  }
  writeFileSync(pendingPath(scene.layout, ulidOf(0)), Buffer.alloc(world.pendingBytes));
  const before = sizes(scene);
  const dying = world.callsUntilDeath === undefined ? undefined : mortalFs(world.callsUntilDeath);
  const removed: string[] = [];
  const disk = dying?.fs ?? nodeDurableFsSync;
  const noting = {
    ...disk,
    unlink: (path: string) => {
      disk.unlink(path);
      removed.push(path);
    },
  };
  await scene.trimmer(world.softBytes, noting).run(NOT_STOPPING);
  return { scene, before, after: sizes(scene), removed, died: dying?.died() ?? false };
}

function sizes({ layout }: TrimScene): ReadonlyMap<string, number> {
  const names = readdirSync(layout.doneDir);
  return new Map(names.map((name) => [name, statSync(join(layout.doneDir, name)).size]));
}

function mayGo({ hour, kind }: File): boolean {
  return kind === "known" && hour < 9;
}

it(
  "P3: in any archive, no protected file goes, oldest first, no more than needed, and all that is",
  async () => {
    const property = fc.asyncProperty(WORLD, async (world) => {
      const { before, after, removed, died } = await trim(world);
      const trimmable = world.files.filter(mayGo).map(nameOf).sort();
      const counted = world.files
        .filter(({ kind }) => kind === "known" || kind === "lacking")
        .map(nameOf);
      const used = (there: ReadonlyMap<string, number>) =>
        counted.reduce((sum, name) => sum + (there.get(name) ?? 0), world.pendingBytes);
      const gone = [...before.keys()].filter((name) => !after.has(name)).sort();
      // Whole files or nothing: what is left is as it was.
      for (const [name, size] of after) expect(before.get(name)).toBe(size);
      expect(gone).toEqual(trimmable.slice(0, gone.length));
      expect(removed.map((path) => path.slice(path.lastIndexOf("/") + 1))).toEqual(gone);
      const last = gone.at(-1);
      if (last !== undefined) {
        expect(used(after) + (before.get(last) ?? 0)).toBeGreaterThan(world.softBytes);
      }
      if (!died && used(after) > world.softBytes) expect(gone).toEqual(trimmable);
    });
    await fc.assert(property, { ...SEED, numRuns: rounds(60, 1_000) });
  },
  rounds(60_000, 600_000),
);

it("P3: killed at any step, a trimmer leaves whole files, and the next one ends its work", async () => {
  const files = [3, 4, 5, 6].map((hour) => ({ hour, writer: "a", bytes: 2_000, kind: "known" }));
  const world = { files: files as File[], pendingBytes: 0, softBytes: 3_000 };
  let deaths = 0;
  for (let calls = 0; ; calls++) {
    const { scene, before, after, died } = await trim({ ...world, callsUntilDeath: calls });
    for (const [name, size] of after) expect(before.get(name)).toBe(size);
    await scene.trimmer(world.softBytes).run(NOT_STOPPING);
    expect([...sizes(scene).keys()]).toEqual(["20260301-06-a.ndjson.gz"]);
    if (!died) break;
    deaths++;
  }
  expect(deaths).toBeGreaterThan(20);
});

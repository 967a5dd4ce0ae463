/** Files of the done archive as a test wants them, and a trimmer on them. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Trimmer, type TrimmerParts, type TrimmingParts } from "../../src/ingest/trimmer.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { encodeMember } from "../../src/queue/archive-member.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { SpoolMeter } from "../../src/queue/spool-meter.ts";
import type { StoreLookup } from "../../src/store/memory-store.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { ManualClock } from "./manual-clock.ts";
import { RecordedEvents } from "./recorded-events.ts";

const INGESTED: StoreLookup = { state: "ingested", sha256: "", appendedAt: "" };
export const NOT_STOPPING = () => false;

/** Ids by number, in order. */
export function ulidOf(n: number): string {
  return `01J${String(n).padStart(23, "0")}`;
}

/** What a store would know, for a trimmer alone. */
export class TrimScene {
  readonly layout = queueLayout(join(freshDirectory(), "queue"));
  /** 2026-03-01 09:30 UTC. */
  readonly clock = new ManualClock();
  readonly events = new RecordedEvents();
  readonly known = new Map<string, StoreLookup>();
  lookups = 0;
  isThere = true;
  /** Throws, or does something, before a look-up answers. */
  beforeLookup: () => void = () => {};
  #next = 1;

  constructor() {
    ensureQueueDirectories(nodeDurableFsSync, this.layout);
  }

  /**
   * A file of about so many bytes in each member; its ids are known to the store.
   * @returns the ids
   */
  done(name: string, bytes: number, members = 1): string[] {
    const ulids: string[] = [];
    const file = Array.from({ length: members }, () => {
      const ulid = ulidOf(this.#next++);
      ulids.push(ulid);
      this.known.set(ulid, INGESTED);
      return encodeMember([this.line(ulid, bytes)]);
    });
    mkdirSync(this.layout.doneDir, { recursive: true });
    writeFileSync(join(this.layout.doneDir, name), Buffer.concat(file));
    return ulids;
  }

  /** Compresses to about so many bytes, as hexadecimal digits do. */
  line(ulid: string, bytes: number): Buffer {
    const text = randomBytes(Math.max(0, bytes - 120)).toString("hex");
    return Buffer.from(`{"ulid":"${ulid}","text":"${text}"}`);
  }

  sizeOf(name: string): number {
    return statSync(join(this.layout.doneDir, name)).size;
  }

  names(): string[] {
    return readdirSync(this.layout.doneDir).sort();
  }

  /** @param softBytes where trimming begins */
  trimmer(
    softBytes: number,
    fs: DurableFsSync = nodeDurableFsSync,
    more: Partial<TrimmingParts> = {},
    archive?: TrimmerParts["archive"],
  ): Trimmer {
    const { layout, clock, events } = this;
    const meter = new SpoolMeter({ fs: nodeDurableFs, layout, clock });
    const trimming: TrimmingParts = {
      quotaBytes: softBytes,
      softPct: 100,
      freeBytesMin: 0,
      measure: async () => (await meter.measure()).usage,
      openReader: async () => ({
        lookup: async (ulids) => {
          this.lookups++;
          this.beforeLookup();
          return new Map(
            ulids.flatMap((ulid) => {
              const found = this.known.get(ulid);
              return found ? [[ulid, found] as const] : [];
            }),
          );
        },
        close: async () => {},
      }),
      storeIsThere: () => this.isThere,
      ...more,
    };
    return new Trimmer({ fs, layout, clock, events, archive, trimming });
  }
}

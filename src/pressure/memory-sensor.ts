/**
 * Watches the memory of this process: RSS at each look, its limits now and then, because a
 * container's may be changed while it runs.
 *
 * Guarantees: a look at RSS reads one number and waits for nothing; limits are read beside it, and
 * until they are known nothing limits. Files that can not be read are no limits.
 */
import type { Events } from "../events/catalogue.ts";
import { type CgroupDirectories, cgroupDirectories, type SystemRoots } from "./cgroup-files.ts";
import { readCpuQuota } from "./cpu-quota.ts";
import { type MemorySettings, memoryLevel, tellMemory } from "./memory-level.ts";
import { type MemoryLimit, type OwnLimits, readMemoryLimit } from "./memory-limit.ts";
import type { MemoryFacts } from "./pressure-facts.ts";

export interface MemorySensorParts {
  readonly roots: SystemRoots;
  readonly settings: MemorySettings;
  readonly ownLimits: OwnLimits;
  readonly rssBytes: () => number;
  readonly events: Events;
}

const NO_DIRECTORIES: CgroupDirectories = Object.freeze({ unified: [], memoryV1: [], cpuV1: [] });

export class MemorySensor {
  readonly #parts: MemorySensorParts;
  #limit: MemoryLimit | undefined;
  #directories = NO_DIRECTORIES;
  #cpuQuota: number | undefined;
  #facts: MemoryFacts = { level: "normal", rssBytes: 0, limitBytes: undefined, source: undefined };

  constructor(parts: MemorySensorParts) {
    this.#parts = parts;
  }

  /** Of the last look at limits. */
  get directories(): CgroupDirectories {
    return this.#directories;
  }

  get cpuQuota(): number | undefined {
    return this.#cpuQuota;
  }

  get facts(): MemoryFacts {
    return this.#facts;
  }

  /** At limits: files are read. */
  async lookAtLimits(): Promise<void> {
    const { roots, ownLimits } = this.#parts;
    this.#directories = await cgroupDirectories(roots);
    const [limit, cpuQuota] = await Promise.all([
      readMemoryLimit(this.#directories, ownLimits),
      readCpuQuota(this.#directories),
    ]);
    this.#limit = limit;
    this.#cpuQuota = cpuQuota;
  }

  /** At RSS. */
  look(): void {
    const { settings, events } = this.#parts;
    const rssBytes = this.#parts.rssBytes();
    const { limitBytes, source } = this.#limit ?? { limitBytes: undefined, source: undefined };
    const usePct = limitBytes === undefined ? undefined : (rssBytes / limitBytes) * 100;
    const from = this.#facts.level;
    this.#facts = { level: memoryLevel(from, usePct, settings), rssBytes, limitBytes, source };
    tellMemory(from, this.#facts, settings, events);
  }
}

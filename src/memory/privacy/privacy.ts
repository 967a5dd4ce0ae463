/**
 * Takes out of a record what must not be stored, before anything of it touches the disk.
 *
 * Guarantees: with everything off, the default, the record is handed back as it is. What is taken
 * out leaves a fixed mark in its place and is counted; the same record gives the same result under
 * the same settings, so a repeated capture stays the same capture. Text, cue, source, tags and
 * metadata, its keys too, are looked at; ids, project and session are not, because they tie
 * records together. What fails here fails the capture.
 * Does not guarantee to find every secret. Marks that are already there are left alone.
 */
import type { Config } from "../../config/settings.ts";
import type { MemoryRecord } from "../../record/memory-record.ts";
import { loadSecretFinder, type SecretFinder } from "./known-secrets.ts";
import { ownPatterns } from "./own-patterns.ts";
import { privateSpans, type TextRange } from "./private-spans.ts";

export const PRIVATE_MARK = "[private]";
export const SECRET_MARK = "[secret]";
/** Deeper metadata is refused by the record's own check a moment later. */
const DEPTH_MAX = 65;

/** How many places were taken out. */
export interface Redacted {
  readonly private: number;
  readonly secrets: number;
}

export interface PrivacySettings {
  readonly privateSpans: boolean;
  readonly secrets: boolean;
  readonly patterns: readonly string[];
}

export function privacySettings(config: Config): PrivacySettings {
  return {
    privateSpans: config["privacy.privateSpans"],
    secrets: config["privacy.secrets"],
    patterns: config["privacy.patterns"],
  };
}

export class Privacy {
  readonly settings: PrivacySettings;
  readonly on: boolean;
  #finder: Promise<SecretFinder> | undefined;

  constructor(settings: PrivacySettings) {
    this.settings = settings;
    this.on = settings.privateSpans || settings.secrets || settings.patterns.length > 0;
  }

  /**
   * @param record as handed in; what has not the shape of a record is left for the record's check
   * @returns a record of its own, and what was taken out; undefined if nothing was
   * @throws MemspoolError PRIVACY_FAILED: then nothing may be stored
   */
  async apply<R extends MemoryRecord>(
    record: R,
  ): Promise<{ record: R; redacted: Redacted | undefined }> {
    if (!this.on) return { record, redacted: undefined };
    // Everything of the caller's object is read before the first await.
    const { surface, cue, source, tags, metadata } = structuredCopy(record);
    const counts = { private: 0, secrets: 0 };
    const clean = { ...record } as Record<string, unknown>;
    const given = { surface, cue, source, tags, metadata };
    for (const [name, value] of Object.entries(given)) {
      if (value !== undefined) clean[name] = await this.#clean(value, counts, 0);
    }
    const any = counts.private + counts.secrets > 0;
    return { record: clean as R, redacted: any ? counts : undefined };
  }

  async #clean(value: unknown, counts: { private: number; secrets: number }, depth: number) {
    if (typeof value === "string") return this.#cleanText(value, counts);
    if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return value;
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      for (const item of value) items.push(await this.#clean(item, counts, depth + 1));
      return items;
    }
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(value)) {
      entries.push([
        await this.#cleanText(key, counts),
        await this.#clean(item, counts, depth + 1),
      ]);
    }
    return Object.fromEntries(entries);
  }

  async #cleanText(text: string, counts: { private: number; secrets: number }): Promise<string> {
    let clean = text;
    if (this.settings.privateSpans) {
      const spans = privateSpans(clean);
      counts.private += spans.length;
      clean = replaceRanges(clean, spans, PRIVATE_MARK);
    }
    const secrets = merged([
      ...ownPatterns(clean, this.settings.patterns),
      ...(await this.#knownSecrets(clean)),
    ]);
    counts.secrets += secrets.length;
    return replaceRanges(clean, secrets, SECRET_MARK);
  }

  async #knownSecrets(text: string): Promise<TextRange[]> {
    if (!this.settings.secrets) return [];
    this.#finder ??= loadSecretFinder().catch((error: unknown) => {
      this.#finder = undefined; // the next capture tries again
      throw error;
    });
    return (await this.#finder)(text);
  }
}

/** Taken now: the caller may go on changing its object while secrets are looked for. */
function structuredCopy(record: MemoryRecord): MemoryRecord {
  if (typeof record !== "object" || record === null) return record;
  try {
    return structuredClone(record);
  } catch {
    return record; // a function in it: the record's own check refuses it by name
  }
}

/** Overlapping and touching ranges as one, in order. */
function merged(ranges: readonly TextRange[]): TextRange[] {
  const sorted = [...ranges].sort(([a], [b]) => a - b);
  const result: [number, number][] = [];
  for (const [start, end] of sorted) {
    const last = result.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

function replaceRanges(text: string, ranges: readonly TextRange[], mark: string): string {
  if (ranges.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const [start, end] of ranges) {
    parts.push(text.slice(at, start), mark);
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join("");
}

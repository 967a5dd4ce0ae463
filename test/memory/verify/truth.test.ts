import { readdirSync, unlinkSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { segmentPath } from "../../../src/queue/spill-segment.ts";
import { overflowNames } from "../../support/spilled-segments.ts";
import { type Sum, sumOf, VerifyBench } from "../../support/verify-bench.ts";

interface CountedStep {
  readonly do: "capture" | "crowd" | "lose pending" | "lose spilled";
  readonly count: number;
}

type Step =
  | CountedStep
  | { readonly do: "repeat"; readonly key: number; readonly other: boolean }
  | { readonly do: "drain" }
  | { readonly do: "verify" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom("capture", "crowd", "lose pending", "lose spilled"),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({
    do: fc.constant("repeat" as const),
    key: fc.integer({ min: 0, max: 2 }),
    other: fc.boolean(),
  }),
  fc.record({ do: fc.constant("drain" as const) }),
  fc.record({ do: fc.constant("verify" as const) }),
);

/** What a person with a list of every id would say. */
class Truth {
  readonly #places = new Map<string, keyof Sum>();
  /** Idempotency key → the text that has it, in the order of draining. */
  readonly #keys = new Map<string, string>();
  readonly #keyed = new Map<string, { key: string; text: string }>();

  captured(ulid: string, keyed?: { key: string; text: string }): void {
    this.#places.set(ulid, "pending");
    if (keyed) this.#keyed.set(ulid, keyed);
  }

  moved(ulid: string, to: keyof Sum): void {
    this.#places.set(ulid, to);
  }

  /** Oldest first, as the ingester does. */
  drained(): void {
    for (const [ulid, place] of [...this.#places].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (place === "pending" || place === "spilled") this.#places.set(ulid, this.#ingested(ulid));
    }
  }

  #ingested(ulid: string): keyof Sum {
    const keyed = this.#keyed.get(ulid);
    if (keyed === undefined) return "stored";
    const holder = this.#keys.get(keyed.key);
    if (holder === undefined) {
      this.#keys.set(keyed.key, keyed.text);
      return "stored";
    }
    return holder === keyed.text ? "duplicates" : "quarantined";
  }

  at(place: keyof Sum): string[] {
    return [...this.#places].filter(([, where]) => where === place).map(([ulid]) => ulid);
  }

  sum(): Partial<Sum> {
    const places = [
      "stored",
      "duplicates",
      "pending",
      "spilled",
      "quarantined",
      "missing",
    ] as const;
    return {
      captured: this.#places.size,
      ...Object.fromEntries(places.map((place) => [place, this.at(place).length])),
      dropped: 0,
      unledgered: 0,
    };
  }
}

async function run(bench: VerifyBench, truth: Truth, steps: readonly Step[]): Promise<void> {
  for (const [n, each] of steps.entries()) {
    if (each.do === "verify") expect(sumOf(await bench.verify())).toMatchObject(truth.sum());
    else if (each.do === "drain") {
      await bench.drain();
      truth.drained();
    } else if (each.do === "repeat") {
      const keyed = { key: `key ${each.key}`, text: each.other ? "one text" : "another" };
      const record = { surface: keyed.text, idempotency_key: keyed.key };
      for (const ulid of await bench.capture(record)) truth.captured(ulid, keyed);
    } else await runCounted(bench, truth, each, n);
  }
}

async function runCounted(
  bench: VerifyBench,
  truth: Truth,
  each: CountedStep,
  n: number,
): Promise<void> {
  if (each.do === "capture") {
    for (let text = 0; text < each.count; text++) {
      for (const ulid of await bench.capture(`step ${n} text ${text}`)) truth.captured(ulid);
    }
  } else if (each.do === "crowd") {
    // A queue that may hold few spills what is too much; the files say what it chose.
    const crowded = bench.openQueue({ maxSize: each.count });
    truth.captured((await crowded.append({ surface: `step ${n} crowds` })).ulid);
    const pending = new Set(bench.pending());
    for (const ulid of truth.at("pending")) if (!pending.has(ulid)) truth.moved(ulid, "spilled");
  } else if (each.do === "lose pending") {
    for (const ulid of truth.at("pending").slice(0, each.count)) {
      unlinkSync(bench.path(ulid));
      truth.moved(ulid, "missing");
    }
  } else {
    const [name] = overflowNamesIfAny(bench);
    if (name === undefined) return;
    const [first = "", last = ""] = name.split("-");
    unlinkSync(segmentPath(bench.layout, name));
    for (const ulid of truth.at("spilled")) {
      if (ulid >= first && ulid <= last) truth.moved(ulid, "missing");
    }
  }
}

function overflowNamesIfAny(bench: VerifyBench): string[] {
  return readdirSync(bench.home).length === 0 ? [] : overflowNames(bench.layout);
}

it("V1: after any operations the sum holds and is the truth", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const bench = new VerifyBench();
      const truth = new Truth();
      await run(bench, truth, [...steps, { do: "verify" }]);
      await run(bench, truth, [{ do: "drain" }, { do: "verify" }]);
      const report = await bench.verify();
      const losses = truth.at("missing").length;
      expect(report.problems.map(({ kind, count }) => [kind, count])).toEqual(
        losses === 0 ? [] : [["missing", losses]],
      );
      await bench.letGo();
    }),
    { numRuns: 15 },
  );
});

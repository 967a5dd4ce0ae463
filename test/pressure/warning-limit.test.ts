import { describe, expect, it } from "vitest";
import { WarningLimit } from "../../src/pressure/warning-limit.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

describe("warning limit", () => {
  it("P4: warns at most once a minute a kind, with the count since the last one", () => {
    const clock = new ManualClock();
    const events = new RecordedEvents();
    const warnings = new WarningLimit({ clock, events });
    const told = () => events.named("backpressure_warning");
    for (let n = 0; n < 5; n++) warnings.meet("soft");
    warnings.meet("line");
    expect(told()).toEqual([
      { kind: "soft", count: 1 },
      { kind: "line", count: 1 },
    ]);
    clock.advance(59_999);
    warnings.meet("soft");
    expect(told()).toHaveLength(2);
    clock.advance(1);
    warnings.meet("soft");
    warnings.meet("soft");
    expect(told().slice(2)).toEqual([{ kind: "soft", count: 6 }]);
  });

  it("P4: a wall clock that steps neither floods nor silences", () => {
    const clock = new ManualClock();
    const events = new RecordedEvents();
    const warnings = new WarningLimit({ clock, events });
    warnings.meet("hard");
    clock.step(-3_600_000);
    warnings.meet("hard");
    clock.step(7_200_000);
    warnings.meet("hard");
    expect(events.all).toHaveLength(1);
  });
});

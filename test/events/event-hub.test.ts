import { describe, expect, it } from "vitest";
import { silentEvents } from "../../src/events/catalogue.ts";
import { EventHub } from "../../src/events/event-hub.ts";

describe("EventHub", () => {
  it("hands each event to every subscriber, in order, at once", () => {
    const hub = new EventHub();
    const heard: string[] = [];
    hub.subscribe(({ event }) => heard.push(`one ${event}`));
    hub.subscribe(({ event }) => heard.push(`two ${event}`));
    hub.emit("leader_elected", { pid: 1 });
    hub.emit("store_recovered", { away_ms: 5 });
    expect(heard).toEqual([
      "one leader_elected",
      "two leader_elected",
      "one store_recovered",
      "two store_recovered",
    ]);
  });

  it("keeps a subscriber's failure from who reports and from the others", () => {
    const hub = new EventHub();
    const heard: unknown[] = [];
    hub.subscribe(() => {
      throw new Error("a broken log");
    });
    hub.subscribe(({ fields }) => heard.push(fields));
    hub.emit("leader_elected", { pid: 1 });
    hub.emit("leader_elected", { pid: 2 });
    expect(heard).toEqual([{ pid: 1 }, { pid: 2 }]);
  });

  it("tells nobody who has left, also from within an event", () => {
    const hub = new EventHub();
    const heard: string[] = [];
    const renew = () => {
      const leave = hub.subscribe(({ event }) => {
        heard.push(event);
        leave();
        renew();
      });
      return leave;
    };
    renew();
    hub.emit("leader_elected", { pid: 1 });
    expect(heard).toEqual(["leader_elected"]);
    hub.subscribe(() => heard.push("never"))();
    hub.emit("store_recovered", { away_ms: 5 });
    expect(heard).toEqual(["leader_elected", "store_recovered"]);
  });

  it("can be left silent", () => {
    expect(silentEvents.emit("leader_elected", { pid: 1 })).toBeUndefined();
  });
});

/**
 * A real memory limit, of a cgroup where this machine lets us make one: the server notices it, says
 * so, and slows its ingester; when the limit is raised it recovers.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ServerProcess } from "../../support/capturing-server.ts";
import { LONG_FORM } from "../../support/crash-table.ts";
import { eventOrder, LOG_TO_FILE, loggedEvents } from "../../support/event-log.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { until } from "../../support/ingest-bench.ts";
import { memoryCgroup } from "../../support/memory-cgroup.ts";

const AMPLE_BYTES = 2_147_483_648;
const ENV = { ...LOG_TO_FILE, MEMSPOOL_GOVERNOR_COOL_DOWN_MS: "100" };
/** In the middle between throttling and shedding. */
const THROTTLED = 0.78;
/** Limits are read every 30 s. */
const LIMITS_MS = 40_000;

function rssBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]) * 1_024;
}

/** What a server takes that has stored something. */
async function usualRssBytes(): Promise<number> {
  const server = await ServerProcess.start(freshDirectory());
  const { ulid } = await server.capture("first");
  await until(async () => expect(await server.state(ulid)).toBe("ingested"));
  const bytes = rssBytes(server.pid);
  await server.leave();
  return bytes;
}

it(
  "P7: a real cgroup's limit throttles the ingester, and is named with its source",
  async (context) => {
    const limitBytes = Math.round((await usualRssBytes()) / THROTTLED);
    const group = memoryCgroup(context, limitBytes);
    const home = freshDirectory();
    const server = await ServerProcess.start(home, ENV, group.under);
    const { ulid } = await server.capture("first");
    await until(async () => {
      const { memory, governor } = (await server.status()).pressure;
      expect(memory).toMatchObject({ level: "throttle", source: group.kind });
      expect(governor.share_pct).toBe(20);
      expect(governor.cause).toBe("memory");
      expect(await server.state(ulid)).toBe("ingested"); // slowly, and still
    });
    if (LONG_FORM) {
      group.limitTo(AMPLE_BYTES);
      await until(async () => {
        const { memory, governor } = (await server.status()).pressure;
        expect([memory.level, governor.share_pct]).toEqual(["normal", 100]);
      }, LIMITS_MS);
    }
    await server.leave();
    const story = ["pressure_raised", "governor_changed", "pressure_relieved"];
    const told = eventOrder(loggedEvents(home), story);
    expect(told.slice(0, 2)).toEqual(story.slice(0, 2));
    if (LONG_FORM) expect(told).toContain("pressure_relieved");
  },
  LIMITS_MS + 40_000,
);

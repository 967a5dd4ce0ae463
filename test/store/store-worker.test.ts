import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/open-store.ts";
import { StoreClient } from "../../src/store/store-client.ts";
import { storeWorkerAt } from "../../src/store/store-worker-handle.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { bundled } from "./bundled.ts";
import { freshStoreFile } from "./open-sqlite.ts";

async function workerClient(
  file: string,
): Promise<{ client: StoreClient; events: RecordedEvents }> {
  const url = pathToFileURL(await bundled("src/workers/store-worker.ts"));
  const events = new RecordedEvents();
  const client = new StoreClient({ startWorker: storeWorkerAt(url, { file }), events });
  onTestFinished(() => client.close());
  return { client, events };
}

it("S2: a real worker answers from the store, sees new commits, and posts its events", async () => {
  const file = freshStoreFile();
  const { client, events } = await workerClient(file);
  expect(await client.stats()).toMatchObject({ records: 0 });
  const writer = await openStore({ file });
  onTestFinished(() => writer.close());
  await writer.commitBatch([itemOf(1, { surface: "a\0b\ud800" })]);
  expect((await client.get(idOf(1)))?.record.surface).toBe("a\0b\ud800");
  expect(events.named("store_opened")).toMatchObject([{ kind: "sqlite", created: true }]);
});

it("I8: a real worker over a broken store fails calls until it is mended", async () => {
  const file = freshStoreFile();
  mkdirSync(dirname(file));
  writeFileSync(file, "x".repeat(5_000));
  const { client } = await workerClient(file);
  const failure = { code: "STORE_UNAVAILABLE", details: { reason: "notadb" } };
  await expect(client.get(idOf(1))).rejects.toMatchObject(failure);
  await expect(client.stats()).rejects.toMatchObject(failure);
  writeFileSync(file, "");
  expect(await client.stats()).toMatchObject({ records: 0 });
});

it("I8: a worker whose program is missing or dies fails the call", async () => {
  const dir = freshDirectory();
  writeFileSync(`${dir}/dies.mjs`, "process.stdout.write('noise'); throw new Error('a secret');");
  for (const name of ["missing.mjs", "dies.mjs"]) {
    const startWorker = storeWorkerAt(pathToFileURL(`${dir}/${name}`), { file: "unused" });
    const client = new StoreClient({ startWorker, events: new RecordedEvents() });
    await expect(client.get(idOf(1))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      details: { reason: "worker_ended" },
      message: expect.not.stringContaining("secret"),
    });
    await client.close();
  }
});

it("S2: closing does not wait for a worker that does not listen", async () => {
  const dir = freshDirectory();
  writeFileSync(
    `${dir}/deaf.mjs`,
    `import { parentPort } from "node:worker_threads";
     parentPort.on("message", () => {});
     parentPort.postMessage({ kind: "event", event: "leader_elected", fields: { pid: 1 } });`,
  );
  const events = new RecordedEvents();
  const startWorker = storeWorkerAt(pathToFileURL(`${dir}/deaf.mjs`), { file: "unused" });
  const client = new StoreClient({ startWorker, events, limits: { closeMs: 50 } });
  const call = expect(client.get(idOf(1))).rejects.toMatchObject({ details: { reason: "closed" } });
  await client.close();
  await call;
});

it("X2: an idle worker does not keep its process alive, and its stdout stays clean", async () => {
  const worker = await bundled("src/workers/store-worker.ts");
  const asker = await bundled("test/store/asker.ts");
  const child = spawn(process.execPath, [asker, worker, freshStoreFile()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  const [code] = await once(child, "close");
  expect({ code, stdout }).toEqual({ code: 0, stdout: "0 records\n" });
});

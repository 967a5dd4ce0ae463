// Appends through the built library, between marks on its standard output that a trace shows.
// Arguments: queue directory, count of appends side by side.
import { writeSync } from "node:fs";
import { CaptureQueue } from "../../dist/index.mjs";

const [, , queueDir, count] = process.argv;
const queue = new CaptureQueue({ queueDir });
// Directories and ids are prepared by the first append of a process.
await queue.append({ surface: "first" });
writeSync(1, "MARK begin\n");
const appends = Array.from({ length: Number(count) }, async (_, n) => {
  const { ulid } = await queue.append({ surface: `text ${n}` });
  writeSync(1, `MARK receipt ${ulid}\n`);
});
await Promise.all(appends);
writeSync(1, "MARK end\n");
await queue.close();

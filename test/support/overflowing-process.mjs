// A process that appends into a small queue, one after another: <queueDir> <maxSize> <policy> <count>.
// Says every receipt, as a line of JSON on stdout, at the moment it has it.
import { CaptureQueue } from "../../dist/index.mjs";

const [, , queueDir, maxSize, overflow, count] = process.argv;
const queue = new CaptureQueue({ queueDir, maxSize: Number(maxSize), overflow });
for (let n = 0; n < Number(count); n++) {
  const surface = `${process.pid}/${n}`;
  const { ulid, sha256 } = await queue.append({ surface });
  process.stdout.write(`${JSON.stringify({ ulid, sha256, surface })}\n`);
}
await queue.close();

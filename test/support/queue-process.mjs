// A process of its own that works on a queue directory: `append <count>` or `hold <ulid>`.
// Speaks lines of JSON on stdout; ends when its work is done or its stdin ends.
import { CaptureQueue } from "../../dist/index.mjs";

const [, , queueDir, work, argument] = process.argv;
const queue = new CaptureQueue({ queueDir });
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (work === "append") {
  const appends = Array.from({ length: Number(argument) }, async (_, n) => {
    const surface = `${process.pid}/${n}`;
    return { surface, ...(await queue.append({ surface })) };
  });
  say(await Promise.all(appends));
} else if (work === "hold") {
  // Handles one record for as long as its parent wants, and passes over the others.
  await queue
    .ingestPending(async (_record, { ulid }) => {
      if (ulid !== argument) throw new Error("left for others");
      say({ holding: ulid });
      await new Promise((resolve) => process.stdin.once("end", resolve).resume());
    })
    .catch(() => {});
} else {
  throw new Error(`unknown work ${work}`);
}

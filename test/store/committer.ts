/**
 * A program that commits batches to a store until it has done enough or is killed. After each
 * commit that was acknowledged it writes the batch's first number as a line.
 *
 * Arguments: file, first number, batches, records a batch.
 */
import { openStore } from "../../src/store/open-store.ts";
import { committerItem } from "./committer-item.ts";

const [file, first, batches, batchCount] = process.argv.slice(2) as [string, ...string[]];
const store = await openStore({ file });
for (let batch = 0; batch < Number(batches); batch++) {
  const start = Number(first) + batch * Number(batchCount);
  await store.commitBatch(
    Array.from({ length: Number(batchCount) }, (_, n) => committerItem(start + n)),
  );
  process.stdout.write(`${start}\n`);
}
await store.close();

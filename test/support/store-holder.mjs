// Holds the write lock of a SQLite store, as another program on the same file may: for as long as its
// stdin is open, or again and again for holdMs with freeMs in between. Says "held" for each time.
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseSync } from "@photostructure/sqlite";

const { file, holdMs, freeMs } = JSON.parse(process.argv[2]);
const db = new DatabaseSync(file, { timeout: 10_000 });
let stopping = false;
const told = new Promise((resolve) => process.stdin.once("close", resolve)).then(() => {
  stopping = true;
});
process.stdin.resume();

async function hold() {
  db.exec("BEGIN EXCLUSIVE");
  process.stdout.write("held\n");
  await (holdMs === undefined ? told : Promise.race([pause(holdMs), told]));
  db.exec("ROLLBACK");
}

do {
  await hold();
  if (holdMs !== undefined) await Promise.race([pause(freeMs), told]);
} while (!stopping);
db.close();
process.exit(0);

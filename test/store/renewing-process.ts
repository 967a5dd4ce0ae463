/**
 * A process that makes an index anew, four rows a step, and kills itself with SIGKILL inside the
 * transaction, at the row of a given number. Says how far it came if it lives.
 *
 * Arguments: store's file, row to die at.
 */
import type { DatabaseSync } from "@photostructure/sqlite";
import { Connection } from "../../src/store/sqlite/connection.ts";
import { renewIndex } from "../../src/store/sqlite/renew-index.ts";

const [file = "", dieAt = ""] = process.argv.slice(2);
const connection = new Connection({ file, readOnly: false });
(connection.db as unknown as InstanceType<typeof DatabaseSync>).function(
  "die_at",
  (id: unknown) => {
    if (Number(id) === Number(dieAt)) process.kill(process.pid, "SIGKILL");
    return 0;
  },
);
connection.db.exec(`CREATE TEMP TRIGGER die AFTER UPDATE OF term_count ON main.records
  BEGIN SELECT die_at(new.id); END`);
while (renewIndex(connection, { rowsMax: 4 }).state === "under_way");
connection.close();
process.stdout.write("lived\n");

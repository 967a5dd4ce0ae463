import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { renewIndex } from "../../src/store/sqlite/renew-index.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { agedStore, expectRenewed, expectSound, watchRenewals } from "./aged-index.ts";
import { bundled } from "./bundled.ts";
import { connect, openSqlite } from "./open-sqlite.ts";

const ROWS = 14;
const STEP = 4;

it("I8: killed at a row of any step, the renewal goes on behind the last whole step, and every row is right", async () => {
  const script = await bundled("test/store/renewing-process.ts");
  const aged = agedStore(ROWS);
  aged.connection.settleLog();
  aged.connection.close();
  for (const dieAt of [1, STEP, STEP + 1, 2 * STEP + 2, ROWS, ROWS + 1]) {
    const home = freshDirectory();
    cpSync(dirname(aged.file), home, { recursive: true });
    const file = join(home, "memspool.db");
    const run = spawnSync(process.execPath, [script, file, String(dieAt)], { encoding: "utf8" });
    const lives = dieAt > ROWS;
    expect([run.signal, run.stdout]).toEqual(lives ? [null, "lived\n"] : ["SIGKILL", ""]);
    const connection = connect(file);
    await expectSound(await openSqlite(file));
    const seen = watchRenewals(connection);
    while (renewIndex(connection, { rowsMax: STEP }).state === "under_way");
    const done = lives ? ROWS : STEP * Math.floor((dieAt - 1) / STEP);
    expect(seen()).toEqual(Array.from({ length: ROWS - done }, (_, n) => done + n + 1));
    expectRenewed(connection);
    await expectSound(await openSqlite(file));
  }
});

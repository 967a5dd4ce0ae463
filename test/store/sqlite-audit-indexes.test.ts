import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { allAudited } from "../contract/audit-contract.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { pagesOf } from "../memory/rebuild/rebuild-scene.ts";
import { freshStoreFile, openSqlite } from "./open-sqlite.ts";

const PAGE_BYTES = 4_096;

it.each(["sqlite_autoindex_records_1", "records_at", "records_project_at"])(
  "V1: a row whose entry in the index %s rotted is found out: its questions no longer find it",
  async (index) => {
    const file = freshStoreFile();
    const filled = await openSqlite(file);
    await filled.commitBatch([1, 2, 3, 4, 5].map((n) => itemOf(n, { project: "p" })));
    await filled.close();
    const bytes = readFileSync(file);
    for (const page of pagesOf(file, index)) {
      const content = bytes.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);
      const at = content.indexOf(idOf(3));
      if (at !== -1) content.write("Z", at + idOf(3).length - 1, "latin1");
    }
    writeFileSync(file, bytes);
    const store = await openSqlite(file);
    const { entries } = await allAudited(store, 10, true);
    expect(entries).toHaveLength(5);
    expect(entries).toContainEqual({ ulid: idOf(3), kind: "record", fault: "not_found" });
    expect(entries).toContainEqual({ ulid: idOf(1), kind: "record" });
  },
);

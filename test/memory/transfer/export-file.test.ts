import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { intoFile } from "../../../src/memory/transfer/export-file.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { faultyFs } from "../../support/faulty-fs.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { failureCode } from "../../support/memory-bench.ts";

describe("the file of an export", () => {
  const filling = (text: string) => async (sink: { write(text: string): Promise<void> }) =>
    sink.write(text);

  it("S7: is there only when it is whole, of mode 0600, and replaces nothing unasked", async () => {
    const file = join(freshDirectory(), "e.ndjson");
    await intoFile(nodeDurableFs, file, { force: false }, async (sink) => {
      await sink.write("whole");
      expect(existsSync(file)).toBe(false);
    });
    expect(readFileSync(file, "utf8")).toBe("whole");
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    const again = (force: boolean) => intoFile(nodeDurableFs, file, { force }, filling("new"));
    expect(await failureCode(again(false))).toBe("TARGET_EXISTS");
    expect(readFileSync(file, "utf8")).toBe("whole");
    await again(true);
    expect(readFileSync(file, "utf8")).toBe("new");
    unlinkSync(file);
    const meanwhile = intoFile(nodeDurableFs, file, { force: false }, async () => {
      writeFileSync(file, "mine");
    });
    expect(await failureCode(meanwhile)).toBe("TARGET_EXISTS");
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(readdirSync(join(file, ".."))).toEqual(["e.ndjson"]);
  });

  it("S7: that can not be written leaves nothing", async () => {
    const disk = faultyFs();
    const file = join(freshDirectory(), "e.ndjson");
    for (const method of ["openExclusive", "write", "fsync", "link"]) {
      disk.fail({ method, errno: "ENOSPC", nth: 1 });
      const failure = await intoFile(disk.fs, file, { force: false }, filling("x")).catch((e) => e);
      expect(failure).toMatchObject({ code: "DATA_DIR_UNUSABLE", details: { errno: "ENOSPC" } });
      expect(readdirSync(join(file, ".."))).toEqual([]);
    }
  });
});

/** A temporary directory of its own for each test, removed when the test ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Absolute path of a new, empty directory. */
export function freshDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), "memspool-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

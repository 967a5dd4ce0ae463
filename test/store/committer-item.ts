/** The items of committer.ts, the same for the same number in every process. */
import { textSha256 } from "../../src/record/content-hash.ts";
import type { CommitItem } from "../../src/store/memory-store.ts";

export function committerItem(n: number): CommitItem {
  const record = { surface: `needle ${n} ${"word ".repeat(100)}`, session_id: "s" };
  return {
    ulid: `01JNXE5M00${String(n).padStart(16, "0")}`,
    appendedAt: new Date(Date.UTC(2026, 2, 1) + n).toISOString(),
    sha256: textSha256(record.surface),
    record,
    recordJson: JSON.stringify(record),
  };
}

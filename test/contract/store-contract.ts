/**
 * The store contract as tests: every implementation of MemoryStore passes all of it. The sentences
 * stand in src/store/memory-store.ts.
 */
import { describe } from "vitest";
import { auditContract } from "./audit-contract.ts";
import { commitContract } from "./commit-contract.ts";
import { exportContract } from "./export-contract.ts";
import { forgetContract } from "./forget-contract.ts";
import { readingContract } from "./reading-contract.ts";
import { searchContract } from "./search-contract.ts";
import type { OpenContractStore } from "./store-bench.ts";

/** Registers the suite for one implementation. */
export function storeContract(name: string, open: OpenContractStore): void {
  describe(`${name}: commit`, () => commitContract(open));
  describe(`${name}: questions`, () => readingContract(open));
  describe(`${name}: search`, () => searchContract(open));
  describe(`${name}: audit`, () => auditContract(open));
  describe(`${name}: export`, () => exportContract(open));
  describe(`${name}: forget`, () => forgetContract(open));
}

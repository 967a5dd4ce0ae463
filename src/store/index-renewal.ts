/** The part of the store's contract that renews the index. memory-store.ts has the rest. */

/** One step of making the index anew, after the text pipeline has changed. */
export interface RenewalStep {
  /** `none`: nothing was to do, and nothing was done. */
  readonly state: "none" | "under_way" | "done";
  /** Versions of the text pipeline. */
  readonly from: number;
  readonly to: number;
  /** Rows that are left, roughly. */
  readonly left: number;
}

export interface RenewingStore {
  /**
   * Indexes some more of the records that an earlier text pipeline indexed, in one short transaction.
   * Questions are answered meanwhile; what is not done yet is found by exact forms.
   */
  renewIndex(): Promise<RenewalStep>;
}

/** Numbers that callers hand in: limits, offsets, times. Pure. */
import { MemspoolError } from "../errors.ts";
import { PAGE_LIMIT_MAX } from "../record/limits.ts";

/** @throws MemspoolError INVALID_ARGUMENT unless it is a whole number of at least `min` */
export function checkedNumber(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `${name} is not a whole number from ${min} on. Correct it, or leave it out for the default.`,
  );
}

/**
 * Entries of a page; more than PAGE_LIMIT_MAX are never given.
 * @throws MemspoolError INVALID_ARGUMENT: a page of no entries would never lead to the next one
 */
export function pageLimit(limit: number | undefined, otherwise: number): number {
  return Math.min(checkedNumber("limit", limit ?? otherwise, 1), PAGE_LIMIT_MAX);
}

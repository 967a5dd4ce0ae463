/**
 * Damage to a file's bytes, at every position, and the judgement of what a reader made of it.
 *
 * A reader may refuse, skip and count as it likes. It may not take for whole what was never written,
 * keep silent about what is missing, give anything twice, or throw what is no error of ours.
 */
import { MemspoolError } from "../../src/errors.ts";

export interface DamagePoint {
  readonly kind: "flip" | "cut" | "zero";
  readonly at: number;
  /** Which of several flips of one byte. */
  readonly nth: number;
}

/** What a reader says of a damaged file. */
export interface Reading {
  /** Everything that it takes for whole. */
  readonly accepted: readonly string[];
  /** Whether it says that something is not. */
  readonly noticed: boolean;
}

/** One kind of file, as it was written, and how it is read. */
export interface RotSubject {
  readonly name: string;
  readonly original: Buffer;
  /** All that it holds. */
  readonly content: readonly string[];
  /**
   * Where a file can end that is only shorter than it was: nothing in it says how long it should
   * be, and no reader could tell. What is before must still be right.
   */
  readonly wholeEnds: ReadonlySet<number>;
  read(bytes: Buffer): Reading | Promise<Reading>;
}

export interface RotFindings {
  tried: number;
  /** Damages by which something was lost in silence. */
  readonly lost: string[];
  readonly altered: string[];
  readonly twice: string[];
  readonly crashed: string[];
}

const ZERO_BYTES_MAX = 32;

export function emptyFindings(): RotFindings {
  return { tried: 0, lost: [], altered: [], twice: [], crashed: [] };
}

/**
 * One bit flipped, the rest cut off, a stretch zeroed, at each position.
 * @param flips bits a byte
 * @param stride positions from one damage to the next
 */
export function* damagePoints(bytes: number, flips: number, stride = 1): Generator<DamagePoint> {
  for (let at = 0; at < bytes; at += stride) {
    for (let nth = 0; nth < flips; nth++) yield { kind: "flip", at, nth };
    yield { kind: "cut", at, nth: 0 };
    yield { kind: "zero", at, nth: 0 };
  }
}

/** undefined if nothing would be different: zeros on zeros, or behind the end. */
export function damaged(original: Buffer, { kind, at, nth }: DamagePoint): Buffer | undefined {
  const bytes = Buffer.from(kind === "cut" ? original.subarray(0, at) : original);
  if (kind === "flip") bytes[at] = (bytes[at] ?? 0) ^ (1 << ((at * 3 + nth * 5) % 8));
  if (kind === "zero")
    bytes.fill(0, at, Math.min(at + 1 + ((at * 7) % ZERO_BYTES_MAX), bytes.length));
  return bytes.equals(original) ? undefined : bytes;
}

/** @param stride positions from one damage to the next */
export async function rotOf(subject: RotSubject, flips: number, stride = 1): Promise<RotFindings> {
  const findings = emptyFindings();
  for (const point of damagePoints(subject.original.length, flips, stride)) {
    const bytes = damaged(subject.original, point);
    if (!bytes) continue;
    findings.tried++;
    const where = `${subject.name}: ${point.kind} at ${point.at}`;
    try {
      judge(findings, where, subject, point, await subject.read(bytes));
    } catch (error) {
      if (error instanceof MemspoolError) continue; // refused as a whole
      findings.crashed.push(`${where}: ${String(error)}`);
    }
  }
  return findings;
}

export function judge(
  findings: RotFindings,
  where: string,
  { content, wholeEnds }: Pick<RotSubject, "content" | "wholeEnds">,
  { kind, at }: DamagePoint,
  { accepted, noticed }: Reading,
): void {
  const known = new Set(content);
  if (accepted.some((each) => !known.has(each))) findings.altered.push(where);
  if (new Set(accepted).size < accepted.length) findings.twice.push(where);
  const isShorter = kind === "cut" && wholeEnds.has(at);
  if (accepted.length < content.length && !noticed && !isShorter) findings.lost.push(where);
}

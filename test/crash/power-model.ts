/**
 * What a disk may hold after a power cut, under a pessimistic reading of POSIX. Pure.
 *
 * The model: what an fsync covered that had ended before the cut is there. Everything else may or
 * may not be: each change of a directory's names by itself, in any combination; a file's bytes
 * since its last fsync not at all, whole, cut anywhere, or as zeros of the right length. An fsync
 * of a file does not make its name durable; one of a directory makes its names durable and not the
 * files' bytes. A rename inside a directory is one change; across two directories it is two.
 */
import { createHash } from "node:crypto";
import type { StoreChange } from "./crash-world.ts";
import type {
  ContentChange,
  DirectoryNode,
  FileNode,
  ForgetNotice,
  NamesChange,
  PowerTrace,
  Span,
  TraceNode,
} from "./power-trace.ts";

/** A file and all of its names. */
export interface CrashFile {
  readonly paths: readonly string[];
  readonly bytes: Buffer;
}

export interface CrashState {
  readonly directories: readonly string[];
  readonly files: readonly CrashFile[];
  readonly rows: readonly StoreChange[];
  /** Receipts that were given before the cut: id → text. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** What was said of orders to forget before the cut. */
  readonly notices: readonly ForgetNotice[];
  readonly tick: number;
  /** Equal for states that no program can tell apart. */
  readonly key: string;
}

/** Up to this many combinations at one moment all are tried; beyond it some are drawn. */
const EXHAUSTIVE_MAX = 128;

/** Numbers in [0, 1), the same again for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Different states only, moment by moment. */
export function* crashStates(
  trace: PowerTrace,
  random: () => number,
  drawsMax: number,
): Generator<CrashState> {
  const seen = new Set<string>();
  for (let tick = 1; tick <= trace.ticks + 1; tick++) {
    for (const state of statesAt(trace, tick, random, drawsMax)) {
      if (seen.has(state.key)) continue;
      seen.add(state.key);
      yield state;
    }
  }
}

/** One state, at a moment and with choices that chance picks. */
export function drawnState(trace: PowerTrace, random: () => number): CrashState {
  const tick = 1 + Math.floor(random() * (trace.ticks + 1));
  return stateOf(trace, tick, (choice) => Math.floor(random() * choice.options));
}

/** Something that the cut decides, with the number of its outcomes. */
interface Choice {
  readonly of: NamesChange | FileNode | Span;
  readonly options: number;
}

type Decide = (choice: Choice) => number;

function* statesAt(
  trace: PowerTrace,
  tick: number,
  random: () => number,
  drawsMax: number,
): Generator<CrashState> {
  const choices = choicesAt(trace, tick);
  const combinations = choices.reduce((product, { options }) => product * options, 1);
  if (combinations <= EXHAUSTIVE_MAX) {
    for (let number = 0; number < combinations; number++) {
      yield stateOf(trace, tick, numbered(choices, number));
    }
    return;
  }
  // None of it, all of it, each by itself lost or kept, and then by chance.
  yield stateOf(trace, tick, () => 0);
  yield stateOf(trace, tick, ({ options }) => options - 1);
  for (const alone of choices) {
    yield stateOf(trace, tick, ({ of, options }) => (of === alone.of ? 0 : options - 1));
    yield stateOf(trace, tick, ({ of, options }) => (of === alone.of ? options - 1 : 0));
  }
  for (let draw = 0; draw < drawsMax; draw++) {
    yield stateOf(trace, tick, ({ options }) => Math.floor(random() * options));
  }
}

/** The outcomes that a number stands for, in a system with as many digits as there are choices. */
function numbered(choices: readonly Choice[], number: number): Decide {
  const outcomes = new Map<unknown, number>();
  let rest = number;
  for (const { of, options } of choices) {
    outcomes.set(of, rest % options);
    rest = Math.floor(rest / options);
  }
  return ({ of }) => outcomes.get(of) ?? 0;
}

/** Every choice that any state at this moment can meet. */
function choicesAt(trace: PowerTrace, tick: number): Choice[] {
  const choices = new Map<unknown, Choice>();
  const met = new Set<TraceNode>();
  const visit = (node: TraceNode): void => {
    if (met.has(node)) return;
    met.add(node);
    if (node.kind === "file") {
      const options = contents(node, tick).length;
      if (options > 1) choices.set(node, { of: node, options });
      return;
    }
    for (const child of node.base.values()) visit(child);
    for (const change of issued(node.changes, tick)) {
      if (!isDurable(change, node.syncs, tick)) choices.set(change, { of: change, options: 2 });
      for (const { node: child } of change.names) if (child) visit(child);
    }
  };
  visit(trace.root);
  for (const commit of trace.commits) {
    if (commit.began < tick && commit.ended >= tick)
      choices.set(commit, { of: commit, options: 2 });
  }
  return [...choices.values()];
}

function stateOf(trace: PowerTrace, tick: number, decide: Decide): CrashState {
  const directories: string[] = [];
  const paths = new Map<FileNode, string[]>();
  const walk = (directory: DirectoryNode, at: string): void => {
    for (const [name, node] of namesAfter(directory, tick, decide)) {
      const path = at === "" ? name : `${at}/${name}`;
      if (node.kind === "directory") {
        directories.push(path);
        walk(node, path);
      } else {
        paths.set(node, [...(paths.get(node) ?? []), path]);
      }
    }
  };
  walk(trace.root, "");
  const files = [...paths].map(([node, names]): CrashFile => {
    const variants = contents(node, tick);
    const chosen = variants.length > 1 ? decide({ of: node, options: variants.length }) : 0;
    return { paths: names.sort(), bytes: variants[chosen] as Buffer };
  });
  const rows = trace.commits
    .filter((commit) => commit.ended < tick || (commit.began < tick && taken(commit, decide)))
    .flatMap(({ items }) => items);
  const receipts = trace.receipts.filter(({ at }) => at < tick);
  const acknowledged = new Map(receipts.map(({ ulid, text }) => [ulid, text]));
  const notices = trace.notices.filter(({ at }) => at < tick);
  return {
    directories,
    files,
    rows,
    acknowledged,
    notices,
    tick,
    key: keyOf(directories, files, rows, [
      ...acknowledged.keys(),
      ...notices.map(({ stage }) => stage),
    ]),
  };
}

function namesAfter(
  directory: DirectoryNode,
  tick: number,
  decide: Decide,
): ReadonlyMap<string, TraceNode> {
  const names = new Map(directory.base);
  for (const change of issued(directory.changes, tick)) {
    if (!isDurable(change, directory.syncs, tick) && !taken(change, decide)) continue;
    for (const { name, node } of change.names) {
      if (node) names.set(name, node);
      else names.delete(name);
    }
  }
  return names;
}

function taken(of: NamesChange | Span, decide: Decide): boolean {
  return decide({ of, options: 2 }) === 1;
}

function issued<S extends Span>(changes: readonly S[], tick: number): S[] {
  return changes.filter(({ began }) => began < tick);
}

/** Ended before an fsync began that had itself ended before the cut. */
function isDurable(change: Span, syncs: readonly Span[], tick: number): boolean {
  return syncs.some((sync) => sync.ended < tick && change.ended < sync.began);
}

/** What a file may hold, from least to most; the last is all of it. */
function contents(node: FileNode, tick: number): readonly Buffer[] {
  let durable = node.base;
  const open: ContentChange[] = [];
  for (const change of issued(node.changes, tick)) {
    if (isDurable(change, node.syncs, tick)) durable = applied(durable, change);
    else open.push(change);
  }
  const variants = [durable];
  let full = durable;
  for (const change of open) {
    if (change.kind === "write") variants.push(...tornWrites(full, change));
    full = applied(full, change);
    variants.push(full);
  }
  const distinct = new Map(variants.map((bytes) => [bytes.toString("latin1"), bytes]));
  distinct.delete(full.toString("latin1"));
  return [...distinct.values(), full];
}

/** Cut short, zeros instead of bytes, and pages that came in the wrong order. */
function tornWrites(before: Buffer, change: ContentChange): Buffer[] {
  const { at, bytes } = change;
  const middle = Math.floor(bytes.length / 2);
  const zeros = Buffer.alloc(bytes.length);
  const written = (content: Buffer) => applied(before, { ...change, at, bytes: content });
  return [
    written(bytes.subarray(0, 1)),
    written(bytes.subarray(0, middle)),
    written(bytes.subarray(0, bytes.length - 1)),
    written(zeros),
    written(Buffer.concat([bytes.subarray(0, middle), zeros.subarray(middle)])),
    written(Buffer.concat([zeros.subarray(0, middle), bytes.subarray(middle)])),
  ];
}

function applied(before: Buffer, { kind, at, bytes }: ContentChange): Buffer {
  if (kind === "truncate") return before.subarray(0, at);
  const gap = Buffer.alloc(Math.max(0, at - before.length));
  return Buffer.concat([before.subarray(0, at), gap, bytes, before.subarray(at + bytes.length)]);
}

function keyOf(
  directories: readonly string[],
  files: readonly CrashFile[],
  rows: readonly StoreChange[],
  said: readonly string[],
): string {
  const hash = createHash("sha1");
  const part = (kind: string, text: string | Buffer) => hash.update(`\0${kind}\0`).update(text);
  for (const path of [...directories].sort()) part("directory", path);
  const sorted = [...files].sort((one, other) => (`${one.paths}` < `${other.paths}` ? -1 : 1));
  for (const { paths, bytes } of sorted) {
    part("file", paths.join("\0"));
    part("bytes", bytes);
  }
  const ids = rows.map((row) => ("ulids" in row ? row.request : row.ulid));
  for (const id of ids.sort()) part("row", id);
  for (const one of [...said].sort()) part("said", one);
  return hash.digest("hex");
}

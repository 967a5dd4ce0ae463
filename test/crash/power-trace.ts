/**
 * Records what an operation asks of the disk: every change with its data, every fsync, every
 * commit and every receipt, each with the moments at which it began and ended.
 *
 * Guarantees: the operation runs for real meanwhile; the trace holds copies. Knows files by their
 * identity and not by name, as a disk does. What lies outside the home directory is not traced.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import type { DurableFs } from "../../src/platform/durable-fs.ts";
import type { DurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import type { CrashWorld, ForgetStage, Seams, StoreChange } from "./crash-world.ts";

/** A stretch of time between two ticks of the trace. */
export interface Span {
  readonly began: number;
  /** Infinite while it goes on. */
  ended: number;
}

export interface ContentChange extends Span {
  readonly kind: "write" | "truncate";
  /** Where the bytes go, or the new length. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** One operation on a directory: all of its names change, or none. */
export interface NamesChange extends Span {
  readonly names: readonly { readonly name: string; readonly node: TraceNode | undefined }[];
}

export interface FileNode {
  readonly kind: "file";
  /** Durable since before the trace. */
  readonly base: Buffer;
  readonly changes: ContentChange[];
  readonly syncs: Span[];
  /** Length as the running program sees it. */
  length: number;
}

export interface DirectoryNode {
  readonly kind: "directory";
  readonly base: ReadonlyMap<string, TraceNode>;
  readonly changes: NamesChange[];
  readonly syncs: Span[];
  /** As the running program sees it. */
  readonly names: Map<string, TraceNode>;
}

export type TraceNode = FileNode | DirectoryNode;

export interface Commit extends Span {
  readonly items: readonly StoreChange[];
}

export interface Receipt {
  readonly at: number;
  readonly ulid: string;
  readonly text: string;
}

/** What was said of an order to forget. */
export interface ForgetNotice {
  readonly at: number;
  readonly stage: ForgetStage;
  readonly ulids: readonly string[];
}

/** Numbers that write-file-atomic puts behind its temp names; any will do. */
const REWRITE_SUFFIX = ".31415";

export class PowerTrace {
  readonly root: DirectoryNode;
  readonly commits: Commit[] = [];
  readonly receipts: Receipt[] = [];
  readonly notices: ForgetNotice[] = [];
  readonly seams: Seams;
  readonly #home: string;
  readonly #open = new Map<number, TraceNode>();
  #tick = 0;

  /** What lies below the home directory now is durable. */
  constructor(world: CrashWorld, base: Seams) {
    this.#home = world.home;
    this.root = readTree(world.home, new Map());
    this.seams = {
      ...base,
      fs: this.#async(base.fs),
      fsSync: this.#sync(base.fsSync),
      commitBatch: async (items) => {
        const commit: Commit = { ...this.#begin(), items };
        const result = await base.commitBatch(items);
        this.#end(commit);
        const kept = [...result.inserted, ...result.duplicates.map(({ ulid }) => ulid)];
        this.commits.push({ ...commit, items: items.filter(({ ulid }) => kept.includes(ulid)) });
        return result;
      },
      forget: async (order) => {
        const commit: Commit = { ...this.#begin(), items: [order] };
        const result = await base.forget(order);
        this.#end(commit);
        this.commits.push(commit);
        return result;
      },
    };
    world.truth.onForgetting = (stage, ulids) =>
      this.notices.push({ at: this.#next(), stage, ulids });
    world.truth.onAcknowledged = (ulid, text) =>
      this.receipts.push({ at: this.#next(), ulid, text });
  }

  /** Moments at which the power can fail: before tick 1 up to after the last. */
  get ticks(): number {
    return this.#tick;
  }

  #next(): number {
    this.#tick++;
    return this.#tick;
  }

  #begin(): Span {
    return { began: this.#next(), ended: Number.POSITIVE_INFINITY };
  }

  #end(span: Span): void {
    span.ended = this.#next();
  }

  #async(fs: DurableFs): DurableFs {
    return {
      ...fs,
      openExclusive: async (path) =>
        this.#opened(await fs.openExclusive(path), path, this.#begin()),
      openDirectory: async (path) => this.#opened(await fs.openDirectory(path), path),
      write: async (fd, bytes, offset, length) => {
        const span = this.#begin();
        const copy = Buffer.from(bytes.subarray(offset, offset + length));
        const written = await fs.write(fd, bytes, offset, length);
        return this.#wrote(fd, copy, written, span);
      },
      fsync: async (fd) => {
        const span = this.#begin();
        await fs.fsync(fd);
        this.#synced(fd, span);
      },
      close: async (fd) => {
        this.#open.delete(fd);
        await fs.close(fd);
      },
      link: (from, to) => this.#nowAsync(() => fs.link(from, to), this.#linking(from, to)),
      rename: (from, to) => this.#nowAsync(() => fs.rename(from, to), this.#renaming(from, to)),
      unlink: (path) => this.#nowAsync(() => fs.unlink(path), this.#unlinking(path)),
      makeDirectory: (path) =>
        this.#nowAsync(() => fs.makeDirectory(path), this.#makingDirectory(path)),
    };
  }

  #sync(fs: DurableFsSync): DurableFsSync {
    return {
      ...fs,
      openExclusive: (path) => this.#opened(fs.openExclusive(path), path, this.#begin()),
      openAppend: (path) => this.#opened(fs.openAppend(path), path, this.#begin()),
      openLog: (path) => this.#opened(fs.openLog(path), path, this.#begin()),
      openDirectory: (path) => this.#opened(fs.openDirectory(path), path),
      openRead: (path) => this.#opened(fs.openRead(path), path),
      write: (fd, bytes, offset, length) => {
        const span = this.#begin();
        const copy = Buffer.from(bytes.subarray(offset, offset + length));
        return this.#wrote(fd, copy, fs.write(fd, bytes, offset, length), span);
      },
      truncate: (fd, bytes) => {
        const span = this.#begin();
        fs.truncate(fd, bytes);
        this.#truncated(fd, bytes, span);
      },
      fsync: (fd) => {
        const span = this.#begin();
        fs.fsync(fd);
        this.#synced(fd, span);
      },
      close: (fd) => {
        this.#open.delete(fd);
        fs.close(fd);
      },
      link: (from, to) => this.#now(() => fs.link(from, to), this.#linking(from, to)),
      rename: (from, to) => this.#now(() => fs.rename(from, to), this.#renaming(from, to)),
      unlink: (path) => this.#now(() => fs.unlink(path), this.#unlinking(path)),
      removeDirectory: (path) => this.#now(() => fs.removeDirectory(path), this.#unlinking(path)),
      makeDirectory: (path) => this.#now(() => fs.makeDirectory(path), this.#makingDirectory(path)),
      replace: (path, content, durability) => {
        fs.replace(path, content, durability);
        this.#replaced(path, Buffer.from(content), durability);
      },
    };
  }

  /** @param span given if the call may make the file */
  #opened(fd: number, path: string, span?: Span): number {
    const node = this.#nodeAt(path) ?? (span && this.#made(path, emptyFile(), span));
    if (node) this.#open.set(fd, node);
    return fd;
  }

  #made(path: string, node: TraceNode, span: Span): TraceNode {
    this.#renamed(dirname(path), [{ name: basename(path), node }], span);
    return node;
  }

  #wrote(fd: number, copy: Buffer, written: number, span: Span): number {
    const node = this.#open.get(fd);
    if (node?.kind === "file") {
      this.#end(span);
      const bytes = copy.subarray(0, written);
      const at = node.length;
      node.changes.push({ ...span, kind: "write", at, bytes });
      node.length += written;
    }
    return written;
  }

  #truncated(fd: number, length: number, span: Span): void {
    const node = this.#open.get(fd);
    if (node?.kind !== "file") return;
    this.#end(span);
    node.changes.push({ ...span, kind: "truncate", at: length, bytes: Buffer.alloc(0) });
    node.length = length;
  }

  #synced(fd: number, span: Span): void {
    const node = this.#open.get(fd);
    if (!node) return;
    this.#end(span);
    node.syncs.push({ ...span });
  }

  /** Temp file, maybe its fsync, rename: as the library does it. */
  #replaced(path: string, content: Buffer, durability: "fsync" | "none"): void {
    const node = emptyFile();
    const temp = path + REWRITE_SUFFIX;
    this.#made(temp, node, this.#begin());
    const write = this.#begin();
    this.#end(write);
    node.changes.push({ ...write, kind: "write", at: 0, bytes: content });
    node.length = content.length;
    if (durability === "fsync") {
      const sync = this.#begin();
      this.#end(sync);
      node.syncs.push(sync);
    }
    this.#renaming(temp, path)();
  }

  #linking(from: string, to: string): () => void {
    const span = this.#begin();
    const node = this.#nodeAt(from);
    return () => void (node && this.#made(to, node, span));
  }

  /** Atomic inside a directory; across two, each side may be lost by itself. */
  #renaming(from: string, to: string): () => void {
    const span = this.#begin();
    const node = this.#nodeAt(from);
    const added = { name: basename(to), node };
    const removed = { name: basename(from), node: undefined };
    return () => {
      if (dirname(from) === dirname(to)) {
        this.#renamed(dirname(to), [removed, added], span);
      } else {
        this.#renamed(dirname(to), [added], span);
        this.#renamed(dirname(from), [removed], this.#begin());
      }
    };
  }

  #unlinking(path: string): () => void {
    const span = this.#begin();
    return () => this.#renamed(dirname(path), [{ name: basename(path), node: undefined }], span);
  }

  #makingDirectory(path: string): () => void {
    const span = this.#begin();
    return () => void this.#made(path, emptyDirectory(), span);
  }

  #renamed(dir: string, names: NamesChange["names"], span: Span): void {
    const directory = this.#nodeAt(dir);
    if (directory?.kind !== "directory") return;
    this.#end(span);
    directory.changes.push({ ...span, names });
    for (const { name, node } of names) {
      if (node) directory.names.set(name, node);
      else directory.names.delete(name);
    }
  }

  #now(call: () => void, note: () => void): void {
    call();
    note();
  }

  async #nowAsync(call: () => Promise<void>, note: () => void): Promise<void> {
    await call();
    note();
  }

  #nodeAt(path: string): TraceNode | undefined {
    if (path === this.#home) return this.root;
    if (!path.startsWith(this.#home + sep)) return undefined;
    let node: TraceNode | undefined = this.root;
    for (const name of path.slice(this.#home.length + 1).split(sep)) {
      node = node?.kind === "directory" ? node.names.get(name) : undefined;
    }
    return node;
  }
}

function emptyFile(): FileNode {
  return { kind: "file", base: Buffer.alloc(0), changes: [], syncs: [], length: 0 };
}

function emptyDirectory(): DirectoryNode {
  return { kind: "directory", base: new Map(), changes: [], syncs: [], names: new Map() };
}

/** @param known files by inode: two names of one file stay two names of one file */
function readTree(dir: string, known: Map<number, FileNode>): DirectoryNode {
  const names = new Map<string, TraceNode>();
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const stats = lstatSync(path);
    if (stats.isDirectory()) {
      names.set(name, readTree(path, known));
      continue;
    }
    const base = readFileSync(path);
    const file: FileNode = known.get(stats.ino) ?? { ...emptyFile(), base, length: base.length };
    known.set(stats.ino, file);
    names.set(name, file);
  }
  return { ...emptyDirectory(), base: new Map(names), names };
}

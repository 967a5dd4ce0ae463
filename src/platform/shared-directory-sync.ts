/**
 * One directory's fsync, shared by everyone who waits for it (group commit).
 *
 * Guarantees: `sync()` resolves only after an fsync that began after the call. Whoever calls while
 * one runs waits for the next one, never for the running one: that one may have begun before the
 * caller's name was linked, and in a power-cut model such names are lost. A failed fsync rejects
 * everyone who waited for it and is not repeated on its descriptor, because the kernel may drop
 * dirty pages on failure and report success afterwards (Rebello et al., USENIX ATC 2020); the next
 * call opens the directory anew. If the path names another directory than the one that was synced
 * (moved away and replaced), that other one is synced too before anybody is told.
 * Where the platform has no directory fsync, `sync` resolves without one and says so once.
 */
import { type DirectorySyncStep, lacksDirectoryFsync } from "./directory-fsync.ts";
import type { DurableFs, FileIdentity } from "./durable-fs.ts";
import { errnoOf } from "./errno.ts";

interface OpenDirectory {
  readonly fd: number;
  readonly identity: FileIdentity;
}

interface Round {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A directory that is replaced faster than this many times in one sync is an error. */
const REOPENS_MAX = 3;

export class SharedDirectorySync {
  readonly #fs: DurableFs;
  readonly #path: string;
  #open: OpenDirectory | undefined;
  #running = false;
  #next: Round | undefined;
  #closed = false;
  readonly #onMissing: (errno: string) => void;
  #toldMissing = false;

  /** @param onMissing told once, when the platform turns out to have no directory fsync */
  constructor(fs: DurableFs, path: string, onMissing: (errno: string) => void = () => {}) {
    this.#fs = fs;
    this.#path = path;
    this.#onMissing = onMissing;
  }

  /** @throws the system error of open, fsync or stat; what was linked before may or may not survive */
  sync(): Promise<void> {
    this.#next ??= newRound();
    const { promise } = this.#next;
    if (!this.#running) void this.#run();
    return promise;
  }

  /** Waits for nobody; call it when no sync is under way. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#running) await this.#release();
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Each turn takes the round that gathered while the last one ran; ends when nobody waits.
    for (let round = this.#next; round; round = this.#next) {
      this.#next = undefined;
      try {
        await this.#syncOnce();
        round.resolve();
      } catch (error) {
        await this.#release();
        round.reject(error);
      }
    }
    this.#running = false;
    if (this.#closed) await this.#release();
  }

  async #syncOnce(): Promise<void> {
    for (let reopens = 0; reopens < REOPENS_MAX; reopens++) {
      try {
        this.#open ??= await this.#openDirectory();
      } catch (error) {
        this.#acceptMissing(error, "open");
        return;
      }
      const { fd, identity } = this.#open;
      // The comparison runs beside the fsync: it costs no latency.
      const [synced, there] = await Promise.allSettled([
        this.#fs.fsync(fd),
        this.#fs.identityOfPath(this.#path),
      ]);
      if (synced.status === "rejected") this.#acceptMissing(synced.reason, "fsync");
      if (there.status === "rejected") throw there.reason;
      if (there.value.ino === identity.ino && there.value.dev === identity.dev) return;
      await this.#release();
    }
    throw Object.assign(new Error(`ESTALE: ${this.#path} keeps being replaced`), {
      code: "ESTALE",
    });
  }

  /** @throws the error itself unless it says that the platform has no directory fsync */
  #acceptMissing(error: unknown, step: DirectorySyncStep): void {
    if (!lacksDirectoryFsync(error, step)) throw error;
    if (this.#toldMissing) return;
    this.#toldMissing = true;
    this.#onMissing(errnoOf(error) ?? "");
  }

  async #openDirectory(): Promise<OpenDirectory> {
    const fd = await this.#fs.openDirectory(this.#path);
    try {
      const { dev, ino } = await this.#fs.identityOfDescriptor(fd);
      return { fd, identity: { dev, ino } };
    } catch (error) {
      await this.#fs.close(fd).catch(() => {});
      throw error;
    }
  }

  async #release(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    // A close that fails tells nothing about names that an fsync vouched for.
    if (open) await this.#fs.close(open.fd).catch(() => {});
  }
}

function newRound(): Round {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  return { promise, resolve, reject };
}

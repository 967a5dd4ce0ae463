// The system calls that a durable capture can not do without, and nothing else: no id, no JSON, no
// checksum, no size check, no error handling. Through the same promisified callbacks as
// src/platform/durable-fs.ts, so that what is compared is our work and not Node's two APIs.
import { close, constants, fsync, link, mkdirSync, open, unlink, write } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const calls = {
  open: promisify(open),
  write: promisify(write),
  fsync: promisify(fsync),
  close: promisify(close),
  link: promisify(link),
  unlink: promisify(unlink),
};

export class BareAppender {
  #dir;
  #directoryFd;
  #count = 0;
  #running = false;
  #waiting;

  constructor(dir) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
  }

  /** Create, write, fsync, link, unlink, fsync of the directory (shared by those in flight). */
  async append(bytes) {
    this.#directoryFd ??= calls.open(this.#dir, constants.O_RDONLY | constants.O_DIRECTORY);
    const name = `bare-${String(this.#count++).padStart(20, "0")}`;
    const temp = join(this.#dir, `.tmp-${name}`);
    const fd = await calls.open(temp, "wx", 0o600);
    await calls.write(fd, bytes, 0, bytes.length, null);
    await calls.fsync(fd);
    await calls.close(fd);
    await calls.link(temp, join(this.#dir, `${name}.json`));
    await calls.unlink(temp);
    await this.#syncDirectory();
  }

  async close() {
    if (this.#directoryFd !== undefined) await calls.close(await this.#directoryFd);
  }

  /** Whoever arrives while one fsync runs shares the next, as in our own code. */
  #syncDirectory() {
    this.#waiting ??= Promise.withResolvers?.() ?? withResolvers();
    const { promise } = this.#waiting;
    if (!this.#running) void this.#run();
    return promise;
  }

  async #run() {
    this.#running = true;
    const fd = await this.#directoryFd;
    for (let round = this.#waiting; round !== undefined; round = this.#waiting) {
      this.#waiting = undefined;
      await calls.fsync(fd).then(round.resolve, round.reject);
    }
    this.#running = false;
  }
}

/** Node 20 lacks Promise.withResolvers. */
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/**
 * Broken variants of the product, made by standing between the code and its seams: each is a
 * mistake that somebody could make, and that a rig must catch.
 */
import type { DurableFs } from "../../src/platform/durable-fs.ts";
import type { DurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { isErrno } from "../../src/platform/errno.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import type { CrashWorld, Seams } from "./crash-world.ts";

const GZIP_MAGIC = 0x1f;

export type Sabotage = (seams: Seams, world: CrashWorld) => Seams;

/** Neither captures nor the ingester sync a file's bytes. */
export const fileSyncLeftOut: Sabotage = (seams) => {
  const { directories, fs, fsSync } = knowingDirectories(seams);
  return {
    ...seams,
    fs: { ...fs, fsync: async (fd) => void (directories.has(fd) && (await fs.fsync(fd))) },
    fsSync: { ...fsSync, fsync: (fd) => void (directories.has(fd) && fsSync.fsync(fd)) },
  };
};

export const directorySyncLeftOut: Sabotage = (seams) => {
  const { directories, fs, fsSync } = knowingDirectories(seams);
  return {
    ...seams,
    fs: { ...fs, fsync: async (fd) => void (directories.has(fd) || (await fs.fsync(fd))) },
    fsSync: { ...fsSync, fsync: (fd) => void (directories.has(fd) || fsSync.fsync(fd)) },
  };
};

/** The name is given first and the bytes are synced afterwards; both before the receipt. */
export const publishedBeforeSync: Sabotage = (seams) => {
  const { directories, fs } = knowingDirectories(seams);
  const waiting: (() => Promise<void>)[] = [];
  return {
    ...seams,
    fs: {
      ...fs,
      fsync: async (fd) => {
        if (directories.has(fd)) return fs.fsync(fd);
        waiting.push(async () => {
          await fs.fsync(fd);
          await fs.close(fd);
        });
      },
      close: async (fd) => {
        if (directories.has(fd)) await fs.close(fd);
      },
      link: async (from, to) => {
        await fs.link(from, to);
        for (const sync of waiting.splice(0)) await sync();
      },
    },
  };
};

/** Settling runs first and the transaction second. */
export const unlinkedBeforeCommit: Sabotage = (seams, { layout }) => ({
  ...seams,
  commitBatch: async (items) => {
    for (const { ulid } of items) ifThere(() => seams.fsSync.unlink(pendingPath(layout, ulid)));
    return seams.commitBatch(items);
  },
});

/** The pending name goes as soon as the other is linked. */
export const quarantinedWithoutSync: Sabotage = (seams, { layout }) => ({
  ...seams,
  fsSync: {
    ...seams.fsSync,
    link: (from, to) => {
      seams.fsSync.link(from, to);
      if (to.startsWith(layout.quarantineDir)) seams.fsSync.unlink(from);
    },
  },
});

/** The pending name goes before the other is linked; put right again if all goes well. */
export const quarantinedUnlinkFirst: Sabotage = (seams, { layout }) => ({
  ...seams,
  fsSync: {
    ...seams.fsSync,
    link: (from, to) => {
      if (!to.startsWith(layout.quarantineDir)) return seams.fsSync.link(from, to);
      const aside = `${to}.moving`;
      seams.fsSync.rename(from, aside);
      seams.fsSync.link(aside, to);
      seams.fsSync.unlink(aside);
    },
  },
});

/** The done archive is trusted without a sync. */
export const archiveNotSynced: Sabotage = (seams) => notSynced(seams, /\.ndjson\.gz$/);

/** Lines about dropped records are trusted without a sync. */
export const auditNotSynced: Sabotage = (seams) => notSynced(seams, /\.overflow-audit\.log$/);

/** The ingester unlinks before the ledger's young lines are on disk. */
export const ledgerNotSynced: Sabotage = (seams) => notSynced(seams, /\.ledger-[\d-]+$/);

/** Leaves out the fsync of files whose path matches, as far as they are opened by the sync twin. */
function notSynced(seams: Seams, pattern: RegExp): Seams {
  const trusted = new Set<number>();
  const { fsSync } = seams;
  const noting = (open: (path: string) => number) => (path: string) => {
    const fd = open(path);
    return pattern.test(path) ? remembered(trusted, fd) : forgotten(trusted, fd);
  };
  return {
    ...seams,
    fsSync: {
      ...fsSync,
      openAppend: noting(fsSync.openAppend),
      openLog: noting(fsSync.openLog),
      openRead: noting(fsSync.openRead),
      openDirectory: noting(fsSync.openDirectory),
      fsync: (fd) => void (trusted.has(fd) || fsSync.fsync(fd)),
    },
  };
}

/** A segment of spilled records is given its name without a sync of its bytes. */
export const segmentNotSynced: Sabotage = (seams) => {
  const segments = new Set<number>();
  const { fs } = seams;
  return {
    ...seams,
    fs: {
      ...fs,
      openExclusive: async (path) => forgotten(segments, await fs.openExclusive(path)),
      openDirectory: async (path) => forgotten(segments, await fs.openDirectory(path)),
      write: (fd, bytes, offset, length) => {
        if (bytes[0] === GZIP_MAGIC) segments.add(fd);
        return fs.write(fd, bytes, offset, length);
      },
      fsync: async (fd) => void (segments.has(fd) || (await fs.fsync(fd))),
    },
  };
};

/** A write counts as whole whatever it returned, and nobody looks at the size. */
export const shortWriteIgnored: Sabotage = (seams) => {
  const claimed = new Map<number, number>();
  const { fs } = seams;
  return {
    ...seams,
    fs: {
      ...fs,
      write: async (fd, bytes, offset, length) => {
        await fs.write(fd, bytes, offset, length);
        claimed.set(fd, offset + length);
        return length;
      },
      size: async (fd) => claimed.get(fd) ?? (await fs.size(fd)),
    },
  };
};

/** A failed fsync is tried again on the same descriptor, and believed the second time. */
export const failedSyncRepeated: Sabotage = (seams) => ({
  ...seams,
  fs: { ...seams.fs, fsync: (fd) => seams.fs.fsync(fd).catch(() => seams.fs.fsync(fd)) },
});

/** A temp file that could not be removed counts as removed. */
export const leftoverDenied: Sabotage = (seams) => ({
  ...seams,
  fs: { ...seams.fs, unlink: (path) => seams.fs.unlink(path).catch(() => {}) },
});

/** Files are closed only where everything went well. */
export const closeForgotten: Sabotage = (seams) => {
  const failed = new Set<number>();
  const { fs } = seams;
  const noting = <T>(fd: number, call: Promise<T>) =>
    call.catch((error: unknown) => {
      failed.add(fd);
      throw error;
    });
  return {
    ...seams,
    fs: {
      ...fs,
      write: (fd, bytes, offset, length) => noting(fd, fs.write(fd, bytes, offset, length)),
      fsync: (fd) => noting(fd, fs.fsync(fd)),
      close: async (fd) => void (failed.has(fd) || (await fs.close(fd))),
    },
  };
};

/** The seams, and which descriptors are directories'. */
function knowingDirectories({ fs, fsSync }: Seams): {
  directories: ReadonlySet<number>;
  fs: DurableFs;
  fsSync: DurableFsSync;
} {
  const directories = new Set<number>();
  return {
    directories,
    fs: {
      ...fs,
      openDirectory: async (path) => remembered(directories, await fs.openDirectory(path)),
      openExclusive: async (path) => forgotten(directories, await fs.openExclusive(path)),
    },
    fsSync: {
      ...fsSync,
      openDirectory: (path) => remembered(directories, fsSync.openDirectory(path)),
      openExclusive: (path) => forgotten(directories, fsSync.openExclusive(path)),
      openAppend: (path) => forgotten(directories, fsSync.openAppend(path)),
      openLog: (path) => forgotten(directories, fsSync.openLog(path)),
    },
  };
}

function remembered(fds: Set<number>, fd: number): number {
  fds.add(fd);
  return fd;
}

/** A number that a file has now. */
function forgotten(fds: Set<number>, fd: number): number {
  fds.delete(fd);
  return fd;
}

function ifThere(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/**
 * Which node and which main.js are written into a client's file: absolute paths, and such as are
 * still there after the next upgrade where that can be known.
 *
 * `process.execPath` has its links resolved, so it names one version of node. Where the manager of
 * that version keeps a name that follows upgrades, that name is taken if it leads to this very node;
 * elsewhere there is a warning.
 */
import { MemspoolError } from "../../errors.ts";
import { oneLine } from "../printable.ts";

export interface Disk {
  /** Absolute path without links; undefined if nothing is there. */
  readonly realpath: (path: string) => string | undefined;
}

export interface NodeChoice {
  readonly node: string;
  readonly warning?: string;
}

interface Manager {
  readonly name: string;
  /** Its versions' directory. */
  readonly version: RegExp;
  /** Names that follow upgrades, made from what the pattern found. */
  readonly steady: (found: RegExpExecArray) => readonly string[];
}

const MANAGERS: readonly Manager[] = [
  {
    name: "Homebrew",
    version: /^(.*)\/Cellar\/(node(?:@\d+)?)\/[^/]+\/bin\/node$/,
    steady: ([, prefix, formula]) => [`${prefix}/opt/${formula}/bin/node`, `${prefix}/bin/node`],
  },
  {
    name: "fnm",
    version: /^(.*)\/node-versions\/[^/]+\/installation\/bin\/node$/,
    steady: ([, base]) => [`${base}/aliases/default/bin/node`],
  },
  {
    name: "n",
    version: /^(.*)\/n\/versions\/node\/[^/]+\/bin\/node$/,
    steady: ([, prefix]) => [`${prefix}/bin/node`],
  },
  {
    name: "nvm",
    version:
      /[\\/]\.?nvm[\\/](?:versions[\\/]node[\\/])?v\d[^\\/]*[\\/](?:bin[\\/]node|node\.exe)$/,
    steady: () => [],
  },
  { name: "Volta", version: /[\\/]tools[\\/]image[\\/]node[\\/][^\\/]+[\\/]/, steady: () => [] },
  { name: "asdf", version: /\/\.asdf\/installs\/nodejs\/[^/]+\/bin\/node$/, steady: () => [] },
  {
    name: "mise",
    version: /^(.*\/mise\/installs\/node)\/[^/]+\/bin\/node$/,
    steady: ([, installs]) => [`${installs}/latest/bin/node`],
  },
  { name: "nodenv", version: /\/\.nodenv\/versions\/[^/]+\/bin\/node$/, steady: () => [] },
  { name: "Nix", version: /^\/nix\/store\//, steady: () => ["/run/current-system/sw/bin/node"] },
];

/** Directories that a package runner empties when it likes. */
const RUNNERS: readonly (readonly [string, RegExp])[] = [
  ["npx", /[\\/]_npx[\\/]/],
  ["pnpm dlx", /[\\/]dlx(?:-\d+)?[\\/]/],
  ["yarn dlx", /[\\/]xfs-[0-9a-f]+[\\/]/],
  ["bunx", /[\\/]bunx-\d+-/],
];

/** @param execPath the node that runs now */
export function chooseNode(execPath: string, disk: Disk): NodeChoice {
  for (const { name, version, steady } of MANAGERS) {
    const found = version.exec(execPath);
    if (found === null) continue;
    const node = steady(found).find((path) => disk.realpath(path) === disk.realpath(execPath));
    if (node !== undefined) return { node };
    return {
      node: execPath,
      warning:
        `${oneLine(execPath)} is one version of node, kept by ${name}. When you remove that version, ` +
        "run this again, or give a lasting one with --node now.",
    };
  }
  return { node: execPath };
}

/** Throws INSTALL_TEMPORARY for a main.js that will be gone one day without anybody's doing. */
export function refuseTemporary(script: string): void {
  const [runner] = RUNNERS.find(([, pattern]) => pattern.test(script)) ?? [];
  if (runner === undefined) return;
  throw new MemspoolError(
    "INSTALL_TEMPORARY",
    `memspool runs from the cache of ${runner} (${oneLine(script)}), which is emptied now and then. ` +
      "Install it to stay, with npm install --global memspool or from a clone, and run that one.",
    { details: { script } },
  );
}

/** A user with a fresh home directory, and memspool's command line called in it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CLIENTS } from "../../../src/cli/install/client-table.ts";
import { type Places, placesOf } from "../../../src/cli/install/places.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { type RunOptions, type RunResult, run } from "../../support/run-program.ts";

export const NODE = "/opt/node/bin/node";
export const ENTRY = "/opt/memspool/dist/main.js";

export interface Scene {
  /** The user's directory. */
  readonly user: string;
  readonly project: string;
  readonly places: Places;
  readonly run: (argv: readonly string[], options?: Partial<RunOptions>) => Promise<RunResult>;
  /** Path of a client's file. */
  readonly fileOf: (
    client: string,
    part?: "server" | "hooks",
    scope?: "user" | "project",
  ) => string;
}

export function scene(): Scene {
  const user = join(freshDirectory(), "user");
  const project = join(user, "work", "atlas");
  mkdirSync(project, { recursive: true });
  const env = { HOME: user, MEMSPOOL_HOME: "" };
  const places = placesOf(env, process.platform, project);
  return {
    user,
    project,
    places,
    run: (argv, options = {}) =>
      run(["install", ...argv, ...(argv.length > 0 ? ["--node", NODE] : [])], {
        home: "",
        entry: ENTRY,
        cwd: project,
        ...options,
        env: { ...env, ...options.env },
      }),
    fileOf: (id, part = "server", scope = "user") => {
      const client = CLIENTS.find((each) => each.id === id);
      const target = client?.targets(places, scope).find((each) => each.part === part);
      if (target === undefined) throw new TypeError(`no file of ${id} for ${part}`);
      return target.path;
    },
  };
}

export function put(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return text;
}

export function textOf(path: string): string {
  return readFileSync(path, "utf8");
}

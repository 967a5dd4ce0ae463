/**
 * What an assistant's client is to the installer: where its files lie, and how memspool is written
 * into them and taken out again. Each client is one file beside this one.
 *
 * Guarantees of an {@link Edit}: it is pure; what it does not return differently stays byte for
 * byte; doing it twice changes nothing the second time; it throws CLIENT_CONFIG_INVALID for a text
 * that it does not understand and CLIENT_ENTRY_FOREIGN for an entry that somebody else wrote.
 */
import type { Places } from "./places.ts";

export const SCOPES = ["user", "project"] as const;
export type Scope = (typeof SCOPES)[number];

/** How memspool is started, as it is written into a client's file. */
export interface Launch {
  /** Absolute path of node. */
  readonly node: string;
  /** Absolute path of dist/main.js. */
  readonly script: string;
  /** Name of the entry. */
  readonly name: string;
  /** Further arguments, name and value in turn, such as `["--home", "/srv/memory"]`. */
  readonly options: readonly string[];
  readonly platform: NodeJS.Platform;
}

export interface EditRequest {
  /** For messages. */
  readonly path: string;
  readonly launch: Launch;
  /** Replaces an entry of the same name that is not ours. */
  readonly force: boolean;
}

/** `current`: as it would be written now; `outdated`: ours, with another path; `foreign`: not ours. */
export type EntryState = "absent" | "current" | "outdated" | "foreign";

/** One kind of file. Texts come without byte order mark; an empty one is a file that is not there. */
export interface Edit {
  readonly install: (text: string, request: EditRequest) => string;
  readonly uninstall: (text: string, request: EditRequest) => string;
  readonly look: (text: string, request: EditRequest) => EntryState;
}

export interface Target {
  readonly part: "server" | "hooks";
  readonly path: string;
  readonly edit: Edit;
}

export interface Client {
  readonly id: string;
  readonly title: string;
  readonly scopes: readonly Scope[];
  /** Paths of which one exists where the client is installed. */
  readonly traces: (places: Places) => readonly string[];
  /** The file of the server's entry first. */
  readonly targets: (places: Places, scope: Scope) => readonly Target[];
  /** What is left to do, one sentence each, and how to see that it worked. */
  readonly afterwards: readonly string[];
}

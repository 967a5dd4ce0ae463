/** Which clients seem to be here, and in which of them memspool is installed. Reads, never writes. */
import { access } from "node:fs/promises";
import { MemspoolError } from "../../errors.ts";
import type { Output } from "../output.ts";
import { oneLine } from "../printable.ts";
import type { Client, EntryState, Launch, Scope, Target } from "./client.ts";
import { CLIENTS } from "./client-table.ts";
import { readConfigFile } from "./config-file.ts";
import type { Places } from "./places.ts";

/** As {@link EntryState}, or the file can not be understood. */
type PartState = EntryState | "unreadable";

export interface ClientRow {
  readonly client: string;
  readonly title: string;
  /** Whether its directory exists. */
  readonly present: boolean;
  readonly server: PartState;
  /** Absent where the client has no hooks. */
  readonly hooks?: PartState;
  readonly file: string;
}

export async function listClients(
  places: Places,
  scope: Scope,
  launch: Launch,
): Promise<ClientRow[]> {
  const rows: ClientRow[] = [];
  for (const client of CLIENTS) {
    if (!client.scopes.includes(scope)) continue;
    const [server, hooks] = client.targets(places, scope) as [Target, Target?];
    rows.push({
      client: client.id,
      title: client.title,
      present: await isPresent(client, places),
      server: await stateOf(server, launch),
      ...(hooks === undefined ? {} : { hooks: await stateOf(hooks, launch) }),
      file: server.path,
    });
  }
  return rows;
}

async function isPresent(client: Client, places: Places): Promise<boolean> {
  for (const path of client.traces(places)) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return true;
  }
  return false;
}

async function stateOf(target: Target, launch: Launch): Promise<PartState> {
  try {
    const { text } = await readConfigFile(target.path);
    return target.edit.look(text, { path: target.path, launch, force: false });
  } catch (error) {
    if (error instanceof MemspoolError) return "unreadable";
    throw error;
  }
}

const IN_WORDS: Readonly<Record<PartState, string>> = {
  absent: "no",
  current: "yes",
  outdated: "another path",
  foreign: "another program",
  unreadable: "unreadable file",
};

export async function showClients(output: Output, rows: readonly ClientRow[]): Promise<void> {
  await output.table(
    [
      { head: "client", width: 16 },
      { head: "here", width: 6 },
      { head: "installed", width: 17 },
      { head: "hooks", width: 17 },
      { head: "file" },
    ],
    rows.map(({ client, present, server, hooks, file }) => [
      client,
      present ? "yes" : "no",
      IN_WORDS[server],
      hooks === undefined ? "-" : IN_WORDS[hooks],
      oneLine(file),
    ]),
  );
  output.line("Install with: memspool install <client>; look first with --dry-run.");
}

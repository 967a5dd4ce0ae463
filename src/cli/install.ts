/**
 * `memspool install`: writes memspool into an assistant's configuration, and takes it out again.
 *
 * Guarantees: shows what it changes before it writes; all files are understood before the first is
 * written; nothing else is started and no network is used. With --dry-run nothing is written.
 */
import { realpathSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { Argument, Command, Option } from "commander";
import { MemspoolError } from "../errors.ts";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import type { PlannedChange } from "./install/change-plan.ts";
import { type Client, type Launch, SCOPES, type Scope, type Target } from "./install/client.ts";
import { CLIENT_IDS } from "./install/client-ids.ts";
import { showChanges, showDone } from "./install/show-changes.ts";
import { examples } from "./option-values.ts";
import { oneLine } from "./printable.ts";

export interface InstallOptions extends GlobalOptions {
  readonly scope: Scope;
  readonly file?: string;
  readonly hooksFile?: string;
  readonly name: string;
  readonly node?: string;
  readonly hooks: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly uninstall?: boolean;
  readonly yes?: boolean;
}

export function installCommand(run: RunCommand): Command {
  const command = new Command("install")
    .description("Write memspool into an assistant's configuration; without a client, list them")
    .addArgument(new Argument("[client]", "the assistant's client").choices(CLIENT_IDS))
    .option("--dry-run", "show what would change, and write nothing")
    .option("--uninstall", "take out what install wrote, and nothing else")
    .addOption(
      new Option("--scope <scope>", "for all your work, or for the project in this directory")
        .choices(SCOPES)
        .default("user"),
    )
    .option("--no-hooks", "the server alone (claude-code and codex have hooks, too)")
    .option("--name <name>", "name of the entry", "memspool")
    .option("--file <file>", "the client's file, if it is elsewhere; hooks then need --hooks-file")
    .option("--hooks-file <file>", "the file for the hooks, if it is elsewhere")
    .option("--node <path>", "the node to start memspool with (default: the one that runs now)")
    .option("--force", "replace an entry of that name that starts something else")
    .option("--yes", "do not ask on a terminal")
    .addHelpText(
      "after",
      `\n--home and --project, if given, become part of the entry. The file that was
there is kept beside the new one as <file>.memspool-backup-<time>, the last
five of them.\n${examples(
        "memspool install",
        "memspool install claude-code --dry-run",
        "memspool install codex --home /srv/memory",
        "memspool install vscode --scope project --project atlas",
        "memspool install claude-code --uninstall",
      )}`,
    );
  return command.action((client: string | undefined) => {
    const options = command.optsWithGlobals<InstallOptions>();
    return run(options, (context) =>
      client === undefined ? list(context, options) : install(context, client, options),
    );
  });
}

async function list(context: CommandContext, options: InstallOptions): Promise<number> {
  const { listClients, showClients } = await import("./install/list-clients.ts");
  const { launch } = await launchFrom(context, options, () => {});
  const clients = await listClients(await placesFrom(context), options.scope, launch);
  if (context.output.json) context.output.document({ clients });
  else await showClients(context.output, clients);
  return EXIT_OK;
}

async function install(
  context: CommandContext,
  id: string,
  options: InstallOptions,
): Promise<number> {
  const { output } = context;
  const { CLIENTS } = await import("./install/client-table.ts");
  const { planChange } = await import("./install/change-plan.ts");
  const client = CLIENTS.find((each) => each.id === id) as Client;
  const uninstall = options.uninstall === true;
  const { launch } = await launchFrom(context, options, (warning) => {
    if (!uninstall) output.note(`warning: ${warning}`);
  });
  const request = { launch, force: options.force === true };
  const changes: PlannedChange[] = [];
  for (const target of await targetsFrom(context, client, options)) {
    changes.push(await planChange(target, { uninstall, request }));
  }
  const diff = await showChanges(output, changes, launch.name);
  const dryRun = options.dryRun === true;
  const wanted = dryRun || (await agreed(context, changes, options));
  const backups = dryRun || !wanted ? [] : await writeAll(changes);
  if (output.json) {
    const files = changes.map(({ part, file, action }, at) => ({
      path: file.path,
      part,
      action,
      ...(backups[at] === undefined ? {} : { backup: backups[at] }),
    }));
    output.document({ client: id, scope: options.scope, uninstall, dry_run: dryRun, files, diff });
  } else if (wanted) showDone(output, client, changes, { uninstall, dryRun, backups });
  else output.line("Nothing was written.");
  return EXIT_OK;
}

/** Writes one after the other; what was written before a failure is named by it. */
async function writeAll(changes: readonly PlannedChange[]): Promise<(string | undefined)[]> {
  const { replaceConfigFile } = await import("./install/config-file.ts");
  const stamp = new Date().toISOString().replace(/[-:.]/g, "");
  const written: string[] = [];
  const backups: (string | undefined)[] = [];
  for (const { file, action, after } of changes) {
    if (action === "unchanged") {
      backups.push(undefined);
      continue;
    }
    try {
      backups.push(await replaceConfigFile(file, after, stamp));
      written.push(file.path);
    } catch (error) {
      if (!(error instanceof MemspoolError) || written.length === 0) throw error;
      const { code, message, details } = error;
      throw new MemspoolError(
        code,
        `${message} Already written: ${written.map(oneLine).join(", ")}.`,
        {
          details: { ...details, written },
          cause: error,
        },
      );
    }
  }
  return backups;
}

/** Asks where somebody can answer. */
async function agreed(
  { output, stdin, signal }: CommandContext,
  changes: readonly PlannedChange[],
  options: InstallOptions,
): Promise<boolean> {
  const asks = output.terminal && stdin.isTTY === true && !output.json && options.yes !== true;
  if (!asks || changes.every(({ action }) => action === "unchanged")) return true;
  const { createInterface } = await import("node:readline");
  output.note("Write this? [Y/n]");
  const lines = createInterface({ input: stdin, signal });
  try {
    // The end of the input is no answer, and no answer is a no.
    for await (const line of lines) return /^\s*(?:y(?:es)?)?\s*$/i.test(line);
    return false;
  } finally {
    lines.close();
  }
}

async function placesFrom({ env, cwd }: CommandContext) {
  const { placesOf } = await import("./install/places.ts");
  return placesOf(env, process.platform, cwd);
}

async function targetsFrom(
  context: CommandContext,
  client: Client,
  { scope, file, hooksFile, hooks }: InstallOptions,
): Promise<readonly Target[]> {
  if (!client.scopes.includes(scope)) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      `${client.title} has no configuration of a ${scope}. Leave --scope out.`,
    );
  }
  const places = await placesFrom(context);
  const given = { server: file, hooks: hooksFile };
  // A path that is given saves asking for the user's directory, which may not be known.
  const known = file === undefined ? places : { ...places, home: () => context.cwd };
  return client
    .targets(known, scope)
    .filter(
      ({ part }) => part === "server" || (hooks && (file === undefined || hooksFile !== undefined)),
    )
    .map((target) => {
      const path = given[target.part];
      return path === undefined ? target : { ...target, path: resolve(context.cwd, path) };
    });
}

async function launchFrom(
  { entry, env, cwd }: CommandContext,
  options: InstallOptions,
  warn: (warning: string) => void,
): Promise<{ launch: Launch }> {
  const { chooseNode, refuseTemporary } = await import("./install/launch-paths.ts");
  if (options.uninstall !== true) refuseTemporary(entry);
  if (/[\u0000-\u001f]/.test(options.name) || options.name === "") {
    throw new MemspoolError("INVALID_ARGUMENT", "--name must be a name without line breaks.");
  }
  const realpath = (path: string) => {
    try {
      return realpathSync(path);
    } catch {
      return undefined; // not there, or not ours to see: no name to be used
    }
  };
  const chosen =
    options.node === undefined
      ? chooseNode(process.execPath, { realpath })
      : { node: resolve(cwd, options.node) };
  if (chosen.warning !== undefined) warn(chosen.warning);
  if (options.home === undefined && env.MEMSPOOL_HOME) {
    warn(
      "MEMSPOOL_HOME is set here, and the client may start memspool without it. " +
        "Give --home to make the data directory part of the entry.",
    );
  }
  const home =
    options.home === undefined ? [] : ["--home", absoluteHome(options.home, env.HOME, cwd)];
  const project = options.project === undefined ? [] : ["--project", options.project];
  const launch = {
    node: chosen.node,
    script: entry,
    name: options.name,
    options: [...home, ...project],
    platform: process.platform,
  };
  return { launch };
}

/** A client starts memspool in a directory of its own choice, and without a shell. */
function absoluteHome(home: string, user: string | undefined, cwd: string): string {
  if (user !== undefined && (home === "~" || home.startsWith("~/")))
    return join(user, home.slice(1));
  return isAbsolute(home) ? home : resolve(cwd, home);
}

/**
 * `memspool hook <client>`: one event of a client, captured by itself.
 *
 * Guarantees: always resolves, within HOOK_MS_MAX, and prints nothing but the recall of a session's
 * start: the client's turn goes on whatever happens here. What could not be done is counted and
 * noted where `status` and `doctor` show it, and on stderr if even that can not be written. Where
 * the settings can not be read nothing is captured: they may ask for privacy. Where the disk quota is
 * reached nothing is captured either, and the client does not wait for room.
 */
import type { Readable } from "node:stream";
import { dataPaths } from "../config/data-paths.ts";
import { loadConfig } from "../config/load-config.ts";
import { projectFor } from "../config/project-for.ts";
import { type Environment, type ResolvedConfig, resolveHome } from "../config/resolve-config.ts";
import type { Config } from "../config/settings.ts";
import { MemspoolError } from "../errors.ts";
import { Captures } from "../memory/capture.ts";
import { Privacy, privacySettings } from "../memory/privacy/privacy.ts";
import { systemClock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { errnoOf } from "../platform/errno.ts";
import { keepingTiming } from "../platform/timing.ts";
import type { Gate } from "../pressure/gate.ts";
import { InstantGate } from "../pressure/instant-gate.ts";
import { spoolLimits } from "../pressure/quota.ts";
import { CaptureQueue } from "../queue/capture-queue.ts";
import { SpoolMeter } from "../queue/spool-meter.ts";
import { captureTurn } from "./capture-turns.ts";
import { clientEvent } from "./client-event.ts";
import { codexNotification } from "./codex-notify.ts";
import { type HookCall, hookCall, hookFlags } from "./hook-call.ts";
import { type HookEvent, HookFault, parsePayload } from "./hook-event.ts";
import { countHook, noteFailure } from "./hook-trace.ts";
import { type HooksDirectory, hooksDirectory } from "./hooks-directory.ts";
import { readInput } from "./read-input.ts";
import { sweepSessions } from "./turn-marks.ts";
import { checkTurnRecord } from "./turn-record.ts";

/** A client waits longer than this for a hook; none should have to. */
export const HOOK_MS_MAX = 10_000;
export const RECALL_MS_MAX = 3_000;
/** A disk that can not be looked at within this is not looked at: a hook has a tenth of a second. */
export const LOOK_MS_MAX = 50;

export interface HookParts {
  /** Behind `hook`. */
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly stdin: Readable;
  /** Writes what the client is to read. */
  readonly print: (text: string) => void;
  /** For a person who looks, when nothing else is left. */
  readonly complain: (text: string) => void;
  /** Throws if the data directory may not be used now. */
  readonly refuseHome: (home: string) => void;
  /** What was said before, as text for the model; "" if there is nothing. */
  readonly recall: (config: Config) => Promise<string>;
}

export async function runHook(parts: HookParts): Promise<void> {
  const told = { client: "", event: "" };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new HookFault("HOOK_TIMEOUT")), HOOK_MS_MAX);
  });
  try {
    await Promise.race([act(parts, told), late]);
  } catch (error) {
    leaveTrace(parts, told, error);
  } finally {
    clearTimeout(timer);
  }
}

async function act(parts: HookParts, told: { client: string; event: string }): Promise<void> {
  const call = hookCall(parts.args);
  told.client = call.client;
  const settings = loadConfig({ flags: call.flags, env: parts.env });
  settings.catch(() => {}); // awaited below, where a failure is this hook's
  const payload = parsePayload(call.payload ?? (await readInput(parts.stdin)));
  const name = payload.hook_event_name ?? payload.type;
  if (typeof name === "string") told.event = name;
  const resolved = await settings;
  const { config } = resolved;
  const event = eventOf(call, payload, config);
  parts.refuseHome(config.home);
  const paths = hooksDirectory(config.home);
  if (event.kind === "ignored") countHook(paths, "ignored");
  else if (event.kind === "turns") await capture(parts, paths, call, resolved, event);
  else await start(parts, paths, resolved, event);
}

function eventOf(call: HookCall, payload: ReturnType<typeof parsePayload>, config: Config) {
  if (call.client === "codex" && payload.hook_event_name === undefined) {
    return codexNotification(payload);
  }
  return clientEvent(call.client, payload, { tools: config["hook.tools"] });
}

async function capture(
  parts: HookParts,
  paths: HooksDirectory,
  { client }: HookCall,
  resolved: ResolvedConfig,
  event: HookEvent & { kind: "turns" },
): Promise<void> {
  const { config } = resolved;
  const textBytesMax = config["record.maxBytes"];
  const { queueDir, alertsDir } = dataPaths(config.home);
  const queue = new CaptureQueue({
    queueDir,
    textBytesMax,
    maxSize: config["queue.maxRecords"],
    overflow: config["queue.overflow"],
    alertsDir,
    parse: checkTurnRecord,
  });
  const project = projectFor(resolved, event.cwd || parts.cwd);
  const gate = gateFor(queue, config);
  const captures = new Captures({ queue, project, gate, onCaptured: () => {} });
  const privacy = new Privacy(privacySettings(config));
  const { sessionId } = event;
  try {
    for (const said of event.turns) {
      const turnParts = { captures, privacy, paths, client, sessionId, project, textBytesMax };
      try {
        await captureTurn(turnParts, said);
      } catch (error) {
        leaveTrace(parts, { client, event: event.name }, error);
        continue;
      }
      countHook(paths, "captured");
    }
  } finally {
    await queue.close();
  }
}

/** The client waits for its hook, so a capture is let in or refused, and never held up. */
function gateFor({ layout }: CaptureQueue, config: Config): Gate {
  const meter = new SpoolMeter({ fs: nodeDurableFs, layout, clock: systemClock });
  const gate = new InstantGate({
    estimate: () => meter.estimate(),
    limits: spoolLimits(config),
    lookMs: LOOK_MS_MAX,
    timing: keepingTiming,
  });
  gate.look();
  return gate;
}

async function start(
  parts: HookParts,
  paths: HooksDirectory,
  resolved: ResolvedConfig,
  event: HookEvent & { kind: "session-start" },
): Promise<void> {
  const { config } = resolved;
  sweepSessions(paths, systemClock.nowMs());
  // A session that is gone on with has its words before it.
  if (!config["hook.recall"] || event.source === "resume") return;
  const project = projectFor(resolved, event.cwd || parts.cwd);
  const text = await withinRecallTime(parts.recall({ ...config, project }));
  if (text === "") return;
  const answer = {
    hookSpecificOutput: { hookEventName: event.name, additionalContext: text },
  };
  parts.print(`${JSON.stringify(answer)}\n`);
}

async function withinRecallTime(recall: Promise<string>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new HookFault("RECALL_TIMEOUT")), RECALL_MS_MAX);
  });
  try {
    return await Promise.race([recall, late]);
  } finally {
    clearTimeout(timer);
  }
}

function leaveTrace(
  parts: HookParts,
  told: { client: string; event: string },
  error: unknown,
): void {
  const { code, subject } = describe(error);
  try {
    const home = resolveHome({ flags: hookFlags(parts.args), env: parts.env });
    const ts = new Date(systemClock.nowMs()).toISOString();
    noteFailure(hooksDirectory(home), { ts, ...told, code, subject });
  } catch (second) {
    parts.complain(
      `memspool: a hook failed (${code}${subject === "" ? "" : `, ${subject}`}), and could not ` +
        `note it (${describe(second).code}). See: memspool doctor\n`,
    );
  }
}

function describe(error: unknown): { code: string; subject: string } {
  if (error instanceof HookFault) return { code: error.code, subject: error.subject };
  if (error instanceof MemspoolError) {
    const { errno, setting, reason } = error.details;
    return { code: error.code, subject: String(errno ?? setting ?? reason ?? "") };
  }
  const errno = errnoOf(error);
  if (errno !== undefined) return { code: "SYSTEM_ERROR", subject: errno };
  return { code: "INTERNAL", subject: error instanceof Error ? error.name : typeof error };
}

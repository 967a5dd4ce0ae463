/**
 * Our hooks in a JSON file, in the shape that Claude Code and Codex share:
 * `{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "…", "timeout": 10}]}]}}`.
 *
 * Guarantees, beside those of an {@link Edit}: a hook is ours only if its command starts memspool's
 * hook for this client and nothing else; other hooks of the same event, before and after, stay.
 */
import type { Node } from "jsonc-parser";
import type { Edit, EditRequest, EntryState } from "./client.ts";
import { insertMember, removeMember, replaceValue } from "./json-members.ts";
import { proved } from "./json-servers.ts";
import { containerOf, type JsonSource, jsonTree, plainValue, propertyOf } from "./json-text.ts";
import { hookWords, shellLine, startsMemspool, wordsOf } from "./our-command.ts";

/** When a turn begins, when it is complete, and when a conversation begins. */
export const HOOK_EVENTS = ["SessionStart", "UserPromptSubmit", "Stop"] as const;

/** A hook takes some 100 ms; a disk that hangs must not hold up the client for long. */
const HOOK_TIMEOUT_SECONDS = 10;

export interface HookForm {
  /** As in `memspool hook <client>`. */
  readonly client: string;
  readonly shell: (platform: NodeJS.Platform) => "posix" | "windows";
}

interface OurHook {
  readonly event: string;
  readonly groupAt: number;
  readonly hookAt: number;
  /** The string that holds the command line. */
  readonly command: Node;
  readonly words: readonly string[];
}

type Json = Record<string, unknown>;

const EMPTY = "{}\n";

export function jsonHooks(form: HookForm): Edit {
  return {
    look: (text, request) => {
      const states = HOOK_EVENTS.map((event) => stateOf(text, event, form, request));
      if (states.every((state) => state === "absent")) return "absent";
      return states.every((state) => state === "current") ? "current" : "outdated";
    },
    install: (given, request) => {
      const start = given.trim() === "" ? EMPTY : given;
      const text = HOOK_EVENTS.reduce((now, event) => putEvent(now, event, form, request), start);
      return text === start ? given : text;
    },
    uninstall: (text, request) => {
      let now = text;
      // Each round takes one out, so there are at most as many as the file has characters.
      for (let before = ""; before !== now; ) {
        before = now;
        now = takeOne(now, form, request);
      }
      return now;
    },
  };
}

function stateOf(text: string, event: string, form: HookForm, request: EditRequest): EntryState {
  const ours = hooksOf(text, form, request).filter((hook) => hook.event === event);
  if (ours.length === 0) return "absent";
  return ours.every((hook) => lineFor(form, request, hook.words) === hook.command.value)
    ? "current"
    : "outdated";
}

function putEvent(text: string, event: string, form: HookForm, request: EditRequest): string {
  const source = sourceOf(request);
  const root = jsonTree(text, source);
  const hooks = containerOf(text, root, "hooks", "object", source);
  const list = hooks && containerOf(text, hooks, event, "array", source);
  const ours = hooksOf(text, form, request).filter((hook) => hook.event === event);
  const old = ours.filter(({ words, command }) => lineFor(form, request, words) !== command.value);
  if (old.length > 0) {
    return old.reduceRight(
      (now, { command, words }) => replaceValue(now, root, command, lineFor(form, request, words)),
      text,
    );
  }
  if (ours.length > 0) return text;
  const group = {
    hooks: [{ type: "command", command: lineFor(form, request), timeout: HOOK_TIMEOUT_SECONDS }],
  };
  const expected = plainValue(root) as { hooks?: Json };
  expected.hooks = {
    ...expected.hooks,
    [event]: [...((expected.hooks?.[event] as unknown[] | undefined) ?? []), group],
  };
  const after =
    hooks === undefined
      ? insertMember(text, root, root, { key: "hooks", value: { [event]: [group] } })
      : list === undefined
        ? insertMember(text, root, hooks, { key: event, value: [group] })
        : insertMember(text, root, list, { value: group });
  return proved(after, expected, source);
}

/** Takes our first hook out, and around it what would be left empty; the same text if there is none. */
function takeOne(text: string, form: HookForm, request: EditRequest): string {
  const [ours] = hooksOf(text, form, request);
  if (ours === undefined) return text;
  const source = sourceOf(request);
  const root = jsonTree(text, source);
  const expected = plainValue(root) as { hooks?: Record<string, { hooks: unknown[] }[]> };
  const property = propertyOf(text, root, "hooks", source) as Node;
  const events = property.children?.[1] as Node;
  const event = propertyOf(text, events, ours.event, source) as Node;
  const list = event.children?.[1] as Node;
  const group = list.children?.[ours.groupAt] as Node;
  const inner = propertyOf(text, group, "hooks", source)?.children?.[1] as Node;
  const groups = expected.hooks?.[ours.event] ?? [];
  let after: string;
  if ((inner.children?.length ?? 0) > 1) {
    groups[ours.groupAt]?.hooks.splice(ours.hookAt, 1);
    after = removeMember(text, inner, inner.children?.[ours.hookAt] as Node);
  } else if (groups.length > 1) {
    groups.splice(ours.groupAt, 1);
    after = removeMember(text, list, group);
  } else if ((events.children?.length ?? 0) > 1) {
    delete expected.hooks?.[ours.event];
    after = removeMember(text, events, event);
  } else {
    delete expected.hooks;
    after = removeMember(text, root, property);
  }
  return proved(after, expected, source);
}

/** In the order of the text. */
function hooksOf(text: string, form: HookForm, request: EditRequest): OurHook[] {
  if (text.trim() === "") return [];
  const source = sourceOf(request);
  const root = jsonTree(text, source);
  const events = containerOf(text, root, "hooks", "object", source);
  return (events?.children ?? []).flatMap((property) => {
    const [key, list] = property.children as [Node, Node];
    const event = key.value as string;
    if (list.type !== "array") return [];
    return (list.children ?? []).flatMap((group, groupAt) => {
      if (group.type !== "object") return [];
      const inner = propertyOf(text, group, "hooks", source)?.children?.[1];
      if (inner?.type !== "array") return [];
      return (inner.children ?? []).flatMap((hook, hookAt) => {
        const command = hook.type === "object" ? commandOf(text, hook, source) : undefined;
        const words = command && wordsOf(command.value as string);
        if (command === undefined || words === undefined) return [];
        if (!startsMemspool(words, ["hook", form.client])) return [];
        return [{ event, groupAt, hookAt, command, words }];
      });
    });
  });
}

function commandOf(text: string, hook: Node, source: JsonSource): Node | undefined {
  const value = propertyOf(text, hook, "command", source)?.children?.[1];
  return value?.type === "string" ? value : undefined;
}

function lineFor(form: HookForm, { launch }: EditRequest, former: readonly string[] = []): string {
  const shell = form.shell(launch.platform);
  const words = hookWords(launch, form.client, former);
  // Git Bash takes C:/… for a path, and a backslash for what it is in every shell of its kind.
  const gitBash = shell === "posix" && launch.platform === "win32";
  return shellLine(gitBash ? words.map((word) => word.replaceAll("\\", "/")) : words, shell);
}

function sourceOf({ path }: EditRequest): JsonSource {
  return { path, dialect: "json" };
}

/**
 * Known forms of keys, tokens and passwords in a text, by secretlint's recommended rules
 * (https://github.com/secretlint/secretlint).
 *
 * Guarantees: the rules are loaded when first needed, from the disk alone; a comment in the text can
 * not switch them off, as it can for a linter. Does not find what has no form of its own: a password
 * in a sentence stays.
 *
 * The rules are called directly: the linter around them works out a line for every finding, which
 * takes minutes where a text holds thousands (measured: 437 s for 26,214 findings in 1 MiB; 0.15 s
 * without).
 */
import { MemspoolError } from "../../errors.ts";
import type { TextRange } from "./private-spans.ts";

/** The part of secretlint's rule interface that is used here. */
interface Rule {
  create(context: unknown, options: unknown): { file?(source: unknown): unknown };
}

interface Preset {
  create(context: { registerRule(rule: Rule): void }, options: unknown): void;
}

export type SecretFinder = (text: string) => Promise<TextRange[]>;

/** @throws MemspoolError PRIVACY_FAILED if the rules can not be loaded */
export async function loadSecretFinder(): Promise<SecretFinder> {
  let preset: Preset;
  try {
    const loaded = await import("@secretlint/secretlint-rule-preset-recommend");
    preset = loaded.creator as unknown as Preset;
  } catch (error) {
    throw new MemspoolError(
      "PRIVACY_FAILED",
      "The rules behind privacy.secrets can not be loaded, so nothing was stored. Install " +
        "memspool again, or switch privacy.secrets off.",
      { details: { setting: "privacy.secrets", stored: "no" }, cause: error },
    );
  }
  const rules: Rule[] = [];
  preset.create({ registerRule: (rule) => rules.push(rule) }, {});
  return (text) => findSecrets(rules, text);
}

async function findSecrets(rules: readonly Rule[], text: string): Promise<TextRange[]> {
  const found: TextRange[] = [];
  const context = {
    createTranslator: () => (messageId: string) => ({ message: messageId, messageId }),
    report: ({ range }: { range: TextRange }) => found.push(range),
    // Comments in the text ask for this; a text that is to be stored has no say in it.
    ignore: () => {},
    sharedOptions: {},
  };
  const source = {
    content: text,
    filePath: "text",
    ext: "",
    contentType: "text",
    getFilePath: () => "text",
  };
  for (const rule of rules) await rule.create(context, {}).file?.(source);
  return found;
}

/**
 * Strings for columns to filter by: the form that a string has inside JSON.
 *
 * Guarantees: equal strings have equal forms and different strings different ones; the form holds
 * neither U+0000, at which SQLite's binding cuts and which PostgreSQL refuses, nor a lone surrogate,
 * which both change.
 */

export function escapeText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The inverse of {@link escapeText}. */
export function unescapeText(escaped: string): string {
  return JSON.parse(`"${escaped}"`) as string;
}

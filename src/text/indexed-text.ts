/**
 * Which text of a record is searched. The index and the scorer both use this, so that what is
 * counted is what was indexed.
 */

/** The fields that count, as a record has them. */
export interface IndexedFields {
  readonly surface: string;
  readonly cue?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** The words of the record, its cue and its tags, a line break between them. */
export function indexedText(record: IndexedFields): string {
  const { surface, cue, tags } = record;
  if (cue === undefined && tags === undefined) return surface;
  return [surface, cue ?? "", ...(tags ?? [])].join("\n");
}

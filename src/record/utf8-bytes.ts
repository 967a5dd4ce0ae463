/** The size of a text as it is stored. Apart from the schema, so that asking it loads nothing. */

/** UTF-8 length in bytes; a lone surrogate counts three, as in WTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

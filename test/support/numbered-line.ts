/** Lines that prove themselves: writer, number, and a filling whose length follows from both. */

/** Without its line feed. */
export function numberedLine(writer: string, n: number): string {
  const filling = "x".repeat(40 + ((n * 7919) % 120));
  return JSON.stringify({ writer, n, filling });
}

/** The text if it is a whole line as above, else undefined. */
export function readNumberedLine(text: string): { writer: string; n: number } | undefined {
  try {
    const { writer, n } = JSON.parse(text) as { writer: string; n: number };
    return numberedLine(writer, n) === text ? { writer, n } : undefined;
  } catch {
    return undefined;
  }
}

/** A store's file that nobody uses, as it lies in a backup. */

/**
 * Looks through the whole file; changes nothing. Takes about a second for 500 MB.
 * @returns what is wrong with it; undefined if it is sound
 */
export async function damageOfStoreCopy(file: string): Promise<string | undefined> {
  const { findDamage } = await import("./sqlite/backup.ts");
  return findDamage(file);
}

/** The note in a data directory that says that a restore is between its last steps. */
export const UNFINISHED_NAME = "restore-unfinished.json";

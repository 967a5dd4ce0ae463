/** The package's version; the build replaces it by a literal, vitest defines it too. */
declare const MEMSPOOL_VERSION: string;

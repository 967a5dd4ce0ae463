/**
 * A program that appends lines to a rotated log, and writes the number of each line to a file of
 * its own once the append has returned. Both writes are synchronous, so a kill tears neither.
 *
 * Arguments: log, report, name, lines, bytes a file.
 */
import { openSync, writeSync } from "node:fs";
import { RotatingFile } from "../../src/platform/rotating-file.ts";
import { numberedLine } from "./numbered-line.ts";

const [path, report, name, count, fileBytesMax] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const reportFd = openSync(report, "w");
const log = new RotatingFile({
  path,
  // More backups than are made, and a total that is never reached: nothing is deleted.
  limits: { fileBytesMax: Number(fileBytesMax), backupsMax: 100, totalBytesMax: 100_000_000 },
  durability: "none",
  alertPath: `${path}-alert.txt`,
  onNotice: (notice) => process.stderr.write(`${JSON.stringify(notice)}\n`),
});
for (let n = 0; n < Number(count); n++) {
  log.append(numberedLine(name, n));
  writeSync(reportFd, `${n}\n`);
}
log.close();

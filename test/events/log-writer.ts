/** A process of its own that logs as many lines as it is told, says so on stdout, and exits. */
import { createLogSink } from "../../src/events/log-sink.ts";

const log = createLogSink({ level: "debug" });
for (let line = 0; line < Number(process.argv[2]); line++) {
  log({ event: "server_stopping", fields: { reason: "x".repeat(100) } });
}
// As src/main.ts ends: what nobody reads must not keep the process.
process.stdout.write("logged\n", () => process.exit());

/** The built program, as main.js finds it beside itself in dist. */
export { runProgram } from "./cli/program.ts";

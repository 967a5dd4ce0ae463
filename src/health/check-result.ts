/** The three outcomes of a check. What is not ok always says what to do. */
import type { HealthCheck } from "../memory/memory.ts";

export function ok(name: string, detail: string): HealthCheck {
  return { name, status: "ok", detail };
}

/** Captures are safe, but something needs a look. */
export function degraded(name: string, detail: string, advice: string): HealthCheck {
  return { name, status: "degraded", detail, advice };
}

/** Captures fail or will soon, or what was stored is in danger. */
export function failing(name: string, detail: string, advice: string): HealthCheck {
  return { name, status: "failing", detail, advice };
}

/** The name of a system error, for a detail; never its message, which may hold a path. */
export function errnoText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code === "string" && /^[A-Z0-9_]+$/.test(code)) return code;
  return error instanceof Error ? error.name : typeof error;
}

/** The settings of somebody who sets nothing, so that a test of thresholds holds the defaults too. */
import { resolveConfig } from "../../src/config/resolve-config.ts";

export const DEFAULT_SETTINGS = resolveConfig({ env: {} }).config;

/** Names of the clients for the command line, apart from the clients, which load parsers. */
export const CLIENT_IDS = [
  "claude-code",
  "claude-desktop",
  "cursor",
  "vscode",
  "codex",
  "gemini",
  "zed",
] as const;

/** Files of clients as people have them: filled by hand and by programs, with what must stay. */

export interface FilledFile {
  readonly what: string;
  readonly text: string;
}

const CURLY = (key: string): FilledFile[] => [
  {
    what: "other servers",
    text: `{\n  "theme": "dark",\n  "${key}": {\n    "github": {\n      "command": "npx",\n      "args": ["-y", "gh"],\n      "env": { "TOKEN": "x" }\n    }\n  },\n  "last": [1, 2]\n}\n`,
  },
  { what: "no servers yet", text: '{\n  "numStartups": 12,\n  "projects": {}\n}\n' },
  { what: "an empty map", text: `{\n  "${key}": {}\n}\n` },
  { what: "an empty map with a line break", text: `{\n  "a": 1,\n  "${key}": {\n  }\n}\n` },
  { what: "an empty object", text: "{}" },
  { what: "an empty object over two lines", text: "{\n}\n" },
  { what: "no line breaks", text: `{"a":1,"${key}":{"x":{"command":"y"}},"b":"c"}` },
  { what: "one line with blanks", text: `{ "a": 1, "${key}": { "x": { "command": "y" } } }` },
  { what: "no line breaks and no servers", text: '{"oauth":{"id":"é\\u0000"},"n":1e3}' },
  { what: "tabs", text: `{\n\t"a": {\n\t\t"b": 1\n\t},\n\t"${key}": {\n\t\t"x": {}\n\t}\n}` },
  { what: "four blanks", text: `{\n    "${key}": {\n        "x": {"command": "y"}\n    }\n}\n` },
  { what: "CRLF", text: `{\r\n  "a": 1,\r\n  "${key}": {\r\n    "x": {}\r\n  }\r\n}\r\n` },
  { what: "a byte order mark", text: `\ufeff{\n  "${key}": {\n    "x": {}\n  }\n}\n` },
  { what: "no line end", text: `{\n  "${key}": {\n    "x": {}\n  }\n}` },
  { what: "blank lines around", text: `\n\n{\n\n  "${key}": {\n\n    "x": {}\n\n  }\n\n}\n\n\n` },
];

const COMMENTED = (key: string): FilledFile[] => [
  {
    what: "comments",
    text: `// My settings\n{\n  // theme\n  "theme": "dark", // by night\n  /* servers */\n  "${key}": {\n    "x": {\n      "command": "y" // why\n    } // the last one\n    // "old": { "command": "z" }\n  }\n  // end\n}\n// after\n`,
  },
  {
    what: "trailing commas",
    text: `{\n  "a": [1, 2,],\n  "${key}": {\n    "x": {\n      "command": "y",\n    },\n  },\n}\n`,
  },
  { what: "a map of comments only", text: `{\n  "${key}": {\n    // none yet\n  }\n}\n` },
  { what: "comments in one line", text: `{ /* a */ "a": 1 /* b */, "${key}": { /* none */ } }\n` },
  { what: "a comment behind a trailing comma", text: `{\n  "a": 1, // one\n}\n` },
];

const TOML: FilledFile[] = [
  {
    what: "other servers and comments",
    text: '# Codex\nmodel = "gpt-5"   # the model\n\n[mcp_servers.docs]\ncommand = "npx"\nargs = [\n  "-y", # yes\n  "docs",\n]\n\n[mcp_servers.docs.env]\nKEY = "x"\n\n# profiles below\n[profiles.fast]\nmodel = "o3"\n',
  },
  { what: "no servers yet", text: 'model = "gpt-5"\n[tui]\nnotifications = true\n' },
  { what: "no line end", text: 'model = "gpt-5"' },
  { what: "CRLF", text: 'model = "gpt-5"\r\n\r\n[mcp_servers.a]\r\ncommand = "b"\r\n' },
  { what: "blank lines at its end", text: 'model = "gpt-5"\n\n\n' },
  {
    what: "strings that look like tables",
    text: 'note = """\n[mcp_servers.memspool]\ncommand = "x"\n"""\n[mcp_servers.a]\ncommand = "b"\n',
  },
  {
    what: "times, dotted keys and inline tables",
    text: "at = 1979-05-27T07:32:00Z\na.b.c = 1\nt = { x = 1, y = [ { z = 2 } ] }\nbig = 0x1F\n[[list]]\nn = 1.5\n[[list]]\nn = inf\n",
  },
  { what: "a byte order mark", text: '\ufeffmodel = "gpt-5"\n' },
];

export const FILLED: Readonly<Record<string, readonly FilledFile[]>> = {
  "claude-code": CURLY("mcpServers"),
  "claude-desktop": CURLY("mcpServers"),
  cursor: [...CURLY("mcpServers"), ...COMMENTED("mcpServers")],
  vscode: [...CURLY("servers"), ...COMMENTED("servers")],
  codex: TOML,
  gemini: [...CURLY("mcpServers"), ...COMMENTED("mcpServers")],
  zed: [...CURLY("context_servers"), ...COMMENTED("context_servers")],
};

/** Whether the client itself takes comments. */
export const TAKES_COMMENTS = ["cursor", "vscode", "gemini", "zed"];

export const FILLED_HOOKS: readonly FilledFile[] = [
  {
    what: "no hooks yet",
    text: '{\n  "model": "opus",\n  "permissions": { "allow": ["Bash(ls)"] }\n}\n',
  },
  { what: "empty hooks", text: '{\n  "hooks": {}\n}\n' },
  { what: "an empty event", text: '{\n  "hooks": {\n    "Stop": []\n  }\n}\n' },
  {
    what: "other hooks of the same events",
    text: '{\n  "hooks": {\n    "Stop": [\n      {\n        "hooks": [\n          {\n            "type": "command",\n            "command": "say done"\n          }\n        ]\n      }\n    ],\n    "PreToolUse": [\n      {\n        "matcher": "Bash",\n        "hooks": [{ "type": "command", "command": "./check.sh" }]\n      }\n    ]\n  },\n  "z": null\n}\n',
  },
  {
    what: "no line breaks",
    text: '{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}',
  },
];

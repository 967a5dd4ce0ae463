// Stands for zod in the bundle of hooks: describes schemas as zod would and builds them with the real
// zod, dist/zod.js, when one is first used. Nothing that a hook does on its common way uses one, and
// loading zod takes longer than a capture.
// Covers what schemas of this project call: `z.name(…)`, methods in a chain, and the uses below.

/** What needs the schema itself, and so the real library. */
const USES = new Set([
  "parse",
  "safeParse",
  "shape",
  "options",
  "_zod",
  "def",
  "type",
  "~standard",
]);
const builders = new WeakMap();

function realZod() {
  return require("./zod.js").z;
}

function deferred(build) {
  let built;
  const real = () => {
    built ??= build();
    return built;
  };
  const stand = new Proxy(() => {}, {
    get: (_target, name) => {
      if (typeof name !== "string") return undefined;
      if (!USES.has(name)) return (...given) => deferred(() => real()[name](...given.map(realOf)));
      const value = real()[name];
      return typeof value === "function" ? value.bind(real()) : value;
    },
  });
  builders.set(stand, real);
  return stand;
}

/** An argument as the real library takes it: schemas in it are built, all else is as it is. */
function realOf(value) {
  if (typeof value === "function") return builders.get(value)?.() ?? value;
  if (Array.isArray(value)) return value.map(realOf);
  if (typeof value !== "object" || value === null || value instanceof RegExp) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, realOf(item)]));
}

export const z = new Proxy(
  {},
  {
    get:
      (_target, name) =>
      (...given) =>
        deferred(() => realZod()[name](...given.map(realOf))),
  },
);

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestIdScanner } from "../../src/server/request-id-scanner.ts";

function scan(text: string, pieceBytes = 7): RequestIdScanner {
  const scanner = new RequestIdScanner();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    scanner.push(bytes.subarray(at, at + pieceBytes));
  }
  return scanner;
}

describe("finding a request's id", () => {
  it.each([
    ['{"jsonrpc":"2.0","id":7,"method":"x"', 7],
    ['{"method":"x","params":{"id":1,"a":["{",{"id":2}]},"id":"abc"}', "abc"],
    ['  { "id" : -3 , "a":1}', -3],
    ['{"a":"\\"id\\":5,","id":6}', 6],
    ['{"params":{"surface":"quote \\" brace } \\\\"},"jsonrpc":"2.0","id":9}', 9],
    ['{"id":"caf\u00e9 \\u0041"}', "café A"],
    ['{"a":"id","b":8,"id":0}', 0],
  ])("X2: finds it wherever it stands: %s", (text, id) => {
    expect(scan(text).id).toBe(id);
    expect(scan(text, 1).id).toBe(id);
  });

  it.each([
    ['{"method":"x"}'],
    ['{"id":null}'],
    ['{"id":{"a":1}}'],
    ['{"id":1.5}'],
    ['{"id":tru}'],
    ['{"id":7'],
    [`{"id":"${"x".repeat(1_000)}"}`],
    ['{"params":{"id":7}}'],
  ])("X2: finds none where there is none: %s", (text) => {
    expect(scan(text).id).toBeNull();
  });

  it.each([["[1,2]"], ["garbage"], ['"id"'], ["\u0000\u0000"]])(
    "X2: gives up at once on what is no object: %j",
    (text) => {
      expect(scan(text).done).toBe(true);
    },
  );

  it("X2: goes on inside an object until its end", () => {
    expect(scan('{"a":{"b":[').done).toBe(false);
    expect(scan('{"a":1}').done).toBe(true);
  });

  it("X2: agrees with JSON.parse on every object", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.integer(), (members, id) => {
        const { id: _id, ...others } = members;
        const text = JSON.stringify({ ...others, id });
        expect(scan(text, 3).id).toBe(JSON.parse(text).id);
      }),
    );
  });
});

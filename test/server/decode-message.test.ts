import { describe, expect, it } from "vitest";
import { decodeMessage, refuseTooLarge } from "../../src/server/decode-message.ts";

const decode = (text: string) => decodeMessage(Buffer.from(text));

describe("decoding a line", () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    ['{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x"}}'],
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}'],
    ['{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    [' \t{"jsonrpc":"2.0","id":1,"method":"ping"} \r'],
  ])("X2: takes a message: %s", (text) => {
    expect(decode(text).kind).toBe("message");
  });

  it.each([
    ["{"],
    ["hello"],
    ['{"jsonrpc":"2.0",}'],
    ["  "],
    ['{"a":1'],
    ['{"a":1}]'],
    ["\u0000"],
    ['{"a":"\u0001"}'],
  ])("X2: refuses what is no JSON with -32700 and no id: %j", (text) => {
    expect(decode(text)).toMatchObject({ code: -32700, reason: "not_json", id: null });
  });

  it.each([
    [Buffer.from([0x7b, 0xff, 0x7d])],
    [Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])],
    [Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3]), Buffer.from('"}')])],
  ])("X2: refuses bytes that are not UTF-8 instead of replacing them", (line) => {
    expect(decodeMessage(line)).toMatchObject({ code: -32700, reason: "not_utf8", id: null });
  });

  it.each([
    ["[]", null],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', null],
    ["5", null],
    ["-1.5e3", null],
    ['"text"', null],
    ["true", null],
    ["false", null],
    ["null", null],
    ['{"id":3,"method":"ping"}', 3],
    ['{"jsonrpc":"1.0","id":"a","method":"ping"}', "a"],
    ['{"jsonrpc":"2.0","id":4}', 4],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', null],
    ['{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', null],
    ['{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}', 5],
    ['{"jsonrpc":"2.0","id":6,"method":"ping","more":1}', 6],
  ])("X2: refuses JSON that is no message with -32600 and its id: %s", (text, id) => {
    expect(decode(text)).toMatchObject({ code: -32600, reason: "not_a_message", id });
  });

  it("X2: a refusal repeats nothing of the line", () => {
    expect(JSON.stringify(decode("my secret"))).not.toContain("secret");
    expect(JSON.stringify(decode('{"secret":1}'))).not.toContain("secret");
  });

  it("X2: text arrives code unit for code unit", () => {
    const text = "\u0000\r\n\ud800 e\u0301 \u00e9 👩‍👩‍👧 \ufeff";
    const line = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "m", params: { text } });
    expect(decode(line)).toMatchObject({ message: { params: { text } } });
  });

  it("X2: a message over the limit is refused by the limit's name", () => {
    const refusal = refuseTooLarge(16, "a");
    expect(refusal).toMatchObject({ code: -32600, reason: "too_large", id: "a" });
    expect(refusal.message).toContain("16 bytes");
  });
});

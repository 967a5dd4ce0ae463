import { describe, expect, it } from "vitest";
import { readQuestion, tellingWords, termsOf } from "../../src/text/question.ts";

const telling = (query: string) => tellingWords(readQuestion(query).words).map(({ word }) => word);

describe("a question's words", () => {
  it("S4: those that only ask say nothing of what is looked for", () => {
    expect(telling("What did Caroline do when she was in Paris?")).toEqual(["caroline", "paris"]);
    expect(telling("Was hat der Hund denn gefressen?")).toEqual(["hund", "gefressen"]);
    expect(telling("Qu'est-ce que nous avons mangé avec eux?")).toContain("mange");
  });

  it("S4: a word is a stop word in the language of the question alone", () => {
    expect(telling("die hard")).toEqual(["die", "hard"]);
    expect(telling("of what did he die")).toEqual(["die"]);
  });

  it("S4: a question of stop words alone asks for all of them", () => {
    expect(telling("to be or not to be")).toEqual(["to", "be", "or", "not"]);
    expect(telling("which")).toEqual(["which"]);
  });

  it("S4: two forms of a word are asked for once", () => {
    const { words } = readQuestion("walk walked WALKING walks");
    expect(words.map(({ word }) => word)).toEqual(["walk"]);
    expect(termsOf(words)).toContain("walk");
  });

  it("S4: particles and question words of Chinese and Japanese are known", () => {
    expect(telling("小林的宠物叫什么")).toContain("宠物");
    expect(telling("小林的宠物叫什么")).not.toContain("什么");
    expect(telling("母の手術はいつですか")).toContain("手術");
    expect(telling("母の手術はいつですか")).not.toContain("です");
  });

  it("S4: only plain words may be misspelt", () => {
    const plain = readQuestion("recieve src/main.ts v1.2 getName 天気").words;
    const words = plain.filter(({ isPlain }) => isPlain).map(({ word }) => word);
    expect(words).toEqual(["recieve", "src", "main", "ts", "getname", "get", "name"]);
  });
});

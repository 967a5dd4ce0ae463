import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TERM_PUNCTUATION } from "../../src/text/character-classes.ts";
import { QUESTION_WORD_COUNT_MAX, readQuestion } from "../../src/text/question.ts";
import { TERM_CHARS_MAX } from "../../src/text/term-sink.ts";
import { indexTerms } from "../../src/text/terms.ts";

const MIB = 1_048_576;

/** The likeliest term of each word of a question; hints left out. */
function asked(query: string): (string | undefined)[] {
  return readQuestion(query)
    .words.filter(({ isHint }) => !isHint)
    .map(({ terms }) => terms[0]);
}

/** True if the text holds every word of the question. */
function finds(query: string, text: string): boolean {
  const indexed = new Set(indexTerms(text));
  const { words } = readQuestion(query);
  return words.length > 0 && words.every(({ terms }) => terms.some((term) => indexed.has(term)));
}

describe("words", () => {
  it("S4: keeps words in order, with their repeats, without punctuation around them", () => {
    expect(indexTerms('"To be, or not to be" (that…) is: the question!')).toEqual([
      ..."to be or not to be that is the question".split(" "),
    ]);
  });

  it("S4: folds case, accents and compatibility forms alike", () => {
    for (const [text, query] of [
      ["École", "ecole"],
      ["e\u0301cole", "\u00e9cole"],
      ["Straße", "STRASSE"],
      ["STRAẞE", "straße"],
      ["ΣΊΣΥΦΟΣ", "σίσυφος"],
      ["İstanbul", "istanbul"],
      ["łódź smørrebrød", "Lodz smorrebrod"],
      ["ﬁne ＡＢＣ", "fine abc"],
      ["ещё", "еще"],
      ["co\u00adoperate", "cooperate"],
      ["שָׁלוֹם", "שלום"],
      ["مُحَمَّد", "محمد"],
    ] as const) {
      expect(indexTerms(text), text).toEqual(indexTerms(query));
      expect(finds(query, text), text).toBe(true);
    }
  });

  it("S4: keeps the marks that tell words apart", () => {
    expect(indexTerms("कि")).not.toEqual(indexTerms("का"));
    expect(indexTerms("が")).not.toEqual(indexTerms("か"));
  });

  it("S4: control characters and lone surrogates separate and never become terms", () => {
    expect(indexTerms("a\0b\u0007c\ud800d\udc00e\n\tf")).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(indexTerms("\0\ud800 \udfff\u0001")).toEqual([]);
  });

  it("S4: cuts an endless word alike in text and question, never inside a pair", () => {
    const word = `${"x".repeat(TERM_CHARS_MAX - 1)}\u{10400}yyyy`;
    const [term] = indexTerms(word);
    expect(term?.isWellFormed()).toBe(true);
    expect(term?.length).toBeLessThanOrEqual(TERM_CHARS_MAX);
    expect(asked(word)).toEqual([term]);
  });
});

describe("compounds", () => {
  it("S4: finds identifiers, paths, versions, addresses and URLs whole and in parts", () => {
    const text =
      "see src/store/MemoryStore.ts, snake_case_name, kebab-case-name, getUserName, HTTPServer, " +
      "v1.2.3, jane.doe+x@example.com and https://example.org/a/b?q=1&r=2#frag.";
    for (const whole of [
      "src/store/memorystore.ts",
      "memorystore.ts",
      "snake_case_name",
      "kebab-case-name",
      "getusername",
      "httpserver",
      "v1.2.3",
      "1.2.3",
      "jane.doe+x@example.com",
      "jane.doe+x",
      "example.com",
      "https://example.org/a/b?q=1&r=2#frag",
      "example.org",
    ]) {
      expect(finds(whole, text), whole).toBe(true);
    }
    const parts = "src store memory ts snake case name kebab get user http server jane doe frag";
    for (const part of parts.split(" ")) expect(finds(part, text), part).toBe(true);
    // Negative control: no word is found in a part of its letters.
    for (const none of ["memo", "getuser", "exampl.co"]) expect(finds(none, text)).toBe(false);
  });

  it("S4: leaves prose punctuation alone", () => {
    expect(indexTerms("wait...what -- no--sun == x")).toEqual(["wait", "what", "no", "sun", "x"]);
    expect(indexTerms("The IDs and APIs")).toEqual(["the", "id", "and", "api"]);
    expect(indexTerms("-flag --dry-run @bob #tag 100%")).toEqual([
      ...["flag", "dry-run", "dry", "run", "bob", "tag", "100"],
    ]);
  });

  it("S4: keeps the sign in the names of languages", () => {
    expect(indexTerms("C++ and C#.")).toEqual(["c++", "c", "and", "c#", "c"]);
  });

  it("S4: capitals beyond the first plane part no word, least of all inside a pair", () => {
    expect(indexTerms("\u{10400}\u{10428}\u{10400}ab")).toEqual(["\u{10428}\u{10428}\u{10428}ab"]);
  });

  it("S4: a long run of joined words takes time in proportion", () => {
    const terms = indexTerms("aB/".repeat(MIB / 4));
    expect(terms.length).toBeGreaterThan(MIB / 4);
    expect(indexTerms("-".repeat(MIB))).toEqual([]);
    expect(indexTerms("a--".repeat(MIB / 4))).toHaveLength(MIB / 4);
  });
});

describe("other scripts and emoji", () => {
  it("S4: finds a two-character CJK word inside a run", () => {
    const text = "今日は良い天気ですね。서울에서 만나요";
    for (const word of ["天気", "今日", "서울", "만나", "良い"])
      expect(finds(word, text)).toBe(true);
    expect(finds("気天", text)).toBe(false);
  });

  it("S4: asks for pairs, and for the character when it stands alone", () => {
    expect(asked("漢字テ")).toEqual(["漢字", "字テ"]);
    expect(asked("水")).toEqual(["水"]);
    const hints = readQuestion("漢字テ").words.filter(({ isHint }) => isHint);
    expect(hints.map(({ word }) => word)).toEqual(["漢", "字"]);
    expect(indexTerms("漢字テ")).toEqual(["漢", "漢字", "字", "字テ", "テ"]);
    expect(finds("\u{20bb7}野", "\u{20bb7}野家")).toBe(true);
  });

  it("S4: finds half-width katakana by the usual form", () => {
    expect(finds("ガス", "ｶﾞｽ料金")).toBe(true);
  });

  it("S4: keeps emoji as terms, whatever their skin tone, and flags whole", () => {
    expect(indexTerms("ok 👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 ❤️")).toEqual([
      ...["ok", "👍", "👨", "👩", "👧", "🇩🇪", "🇫🇷", "❤"],
    ]);
    expect(finds("👍", "ship it👍🏽!")).toBe(true);
  });
});

describe("questions", () => {
  it("S4: gives distinct terms in order, at most the bound", () => {
    expect(asked("the the THE cat the")).toEqual(["the", "cat"]);
    const many = Array.from({ length: 200 }, (_, n) => `word${n}`).join(" ");
    expect(asked(many)).toHaveLength(QUESTION_WORD_COUNT_MAX);
    expect(asked(many)[0]).toBe("word0");
  });

  it("S4: treats operators and quotes as any other text", () => {
    expect(asked(`"a" AND NOT b* NEAR(c, 2) OR terms:d ^e -- ; DROP`)).toEqual([
      ...["a", "and", "not", "b", "near", "c", "2", "or", "terms:d", "term", "d", "e", "drop"],
    ]);
    expect(asked('""\'"')).toEqual([]);
  });

  it("S4: any string at all gives well-formed, bounded terms", () => {
    const allowed = new RegExp(
      `^[a-z0-9\\u{80}-\\u{10ffff}${TERM_PUNCTUATION.replace(/[\\\]^-]/g, "\\$&")}]+$`,
      "u",
    );
    const anyString = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 }).map((units) => {
        return String.fromCharCode(...units);
      }),
    );
    fc.assert(
      fc.property(anyString, (text) => {
        const { words } = readQuestion(text);
        for (const term of [...indexTerms(text), ...words.flatMap(({ terms }) => terms)]) {
          expect(term).toMatch(allowed);
          expect(term.isWellFormed()).toBe(true);
        }
        expect(words.length).toBeLessThanOrEqual(QUESTION_WORD_COUNT_MAX);
      }),
      { numRuns: 300 },
    );
  });

  it("S4: a question that is a text finds that text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
        const indexed = new Set(indexTerms(text));
        for (const { terms } of readQuestion(text).words) {
          expect(
            terms.some((term) => indexed.has(term)),
            `${terms}`,
          ).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

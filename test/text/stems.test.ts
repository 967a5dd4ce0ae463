import { describe, expect, it } from "vitest";
import { guessLanguage, type Language } from "../../src/text/languages.ts";
import { readQuestion } from "../../src/text/question.ts";
import { stemTerms } from "../../src/text/stems.ts";
import { indexTerms, indexTermsAndWords } from "../../src/text/terms.ts";

/** True if a question in these words finds a text that holds the other form. */
function meets(query: string, text: string): boolean {
  const indexed = new Set(indexTerms(text));
  return readQuestion(query).words.every(({ terms }) => terms.some((term) => indexed.has(term)));
}

describe("forms of a word", () => {
  it("S4: meet in every language that has rules, in a text that tells its language", () => {
    const cases: [Language, string, string, string][] = [
      ["en", "walking", "She walked there with them and was happy about it.", "dancing"],
      ["en", "children", "A child was there and it was the one that they had.", "grandchild"],
      ["en", "bought", "I will buy it when they have one of those.", "brought"],
      ["de", "Häuser", "Das Haus ist nicht so groß wie das andere, aber schön.", "Hasen"],
      ["fr", "maisons", "C'est une maison dans laquelle nous avons été avec vous.", "mois"],
      ["es", "canciones", "Es una canción que los niños y ella cantan en la calle.", "camiones"],
      ["it", "libri", "Non ho letto il libro che mi hanno dato con gli altri.", "libero"],
      ["pt", "cidades", "Não é uma cidade como as outras que nós também vimos.", "idade"],
      ["nl", "boeken", "Het boek dat ik van hem heb gekregen is niet voor jou.", "boer"],
      ["sv", "husen", "Det är ett hus som jag inte har sett, och hon också.", "huset2"],
      ["ru", "книгами", "книга", "книжный"],
      ["el", "θάλασσες", "Η θάλασσα", "θάνατος"],
      ["hi", "लड़कों", "लड़का", "लड़ाई"],
    ];
    for (const [language, asked, text, other] of cases) {
      expect(meets(asked, text), `${language}: ${asked}`).toBe(true);
      expect(meets(other, text), `${language}: ${other}`).toBe(false);
    }
  });

  it("S4: irregular English forms meet", () => {
    for (const [one, other] of [
      ["went", "go"],
      ["ran", "running"],
      ["taught", "teaches"],
      ["mice", "mouse"],
      ["wrote", "written"],
      ["used", "use"],
    ] as const) {
      expect(stemTerms(one, "en"), one).toEqual(stemTerms(other, "en"));
    }
  });

  it("S4: a form that is also another word stays with its own family", () => {
    for (const [one, other] of [
      ["lives", "live"],
      ["leaves", "leave"],
      ["grounds", "ground"],
    ] as const) {
      expect(stemTerms(one, "en"), one).toEqual(stemTerms(other, "en"));
    }
  });

  it("S4: short words, stop words and words with digits stay as they are", () => {
    for (const word of ["his", "was", "this", "one", "mp3", "x"]) {
      expect(stemTerms(word, "en"), word).toEqual([word]);
    }
    expect(stemTerms("ids", "en")).toEqual(["id"]);
    expect(stemTerms("\u200b".normalize("NFKC"), "en")).toHaveLength(1);
    expect(stemTerms("\u0301", "en")).toEqual([]);
  });

  it("S4: a question without its accents finds the word that has them", () => {
    const text = "C'est une journée dans laquelle nous avons été avec vous, très fatiguée.";
    for (const query of ["journée", "journee", "fatiguée", "fatiguee"]) {
      expect(meets(query, text), query).toBe(true);
    }
  });

  it("S4: a question that does not tell its language finds a text in a widespread one", () => {
    const text = "Die Häuser waren nicht so teuer, aber sie sind sehr klein und alt.";
    expect(meets("Haus", text)).toBe(true);
    expect(meets("kaufen", text)).toBe(false);
  });
});

describe("the language of a text", () => {
  const language = (text: string) => guessLanguage(text, /^[\0-\x7f]*$/.test(text)).language;

  it("S4: is told by its commonest words", () => {
    for (const [expected, text] of [
      ["en", "The cat sat on the mat and did not want to leave it."],
      ["de", "Ich habe den Hund nicht gesehen, weil er im Garten war."],
      ["fr", "Je ne sais pas ce que tu veux dire avec cette histoire."],
      ["es", "No sé lo que quieres decir con esa historia de los niños."],
      ["nl", "Ik weet niet wat je met dat verhaal wilt zeggen."],
      ["tr", "Bu çok güzel bir gün ama ben yine de evde kalmak istiyorum."],
    ] as const) {
      expect(language(text), text).toBe(expected);
    }
  });

  it("S4: is English where nothing tells, and one word tells nothing", () => {
    for (const text of ["", "cat cat cats category cat", "SELECT 1", "die", "今日は"]) {
      expect(language(text), text).toBe("en");
    }
  });
});

it("S4: the words of a text are kept as they were written, once each", () => {
  const { terms, words } = indexTermsAndWords("Definitely DEFINITELY café src/main.ts v2 今日");
  expect([...words]).toEqual(["definitely", "cafe", "src", "main", "ts", "v2"]);
  expect(terms).toEqual(indexTerms("Definitely DEFINITELY café src/main.ts v2 今日"));
});

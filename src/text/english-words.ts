/**
 * Facts about English words that rules do not give: the forms of irregular verbs and nouns, and
 * words of questions and small talk beside the usual stop words. A form that is a common word of
 * its own (lives, leaves, ground) is left out: "she lives" must meet "where does she live".
 */

/** Base form, then its irregular forms. */
const IRREGULAR = `
arise arose arisen|awake awoke awoken|beat beaten|become became|begin began begun
bend bent|bet bets|bite bit bitten|bleed bled|blow blew blown|break broke broken
breed bred|bring brought|broadcast broadcasts|build built|burn burnt|buy bought|catch caught
choose chose chosen|cling clung|come came|creep crept|deal dealt|dig dug|draw drew drawn
dream dreamt|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|feed fed|feel felt
fight fought|find found|flee fled|fling flung|fly flew flown|forbid forbade forbidden
forget forgot forgotten|forgive forgave forgiven|freeze froze frozen|get gotten|give gave given
go went gone goes going|grow grew grown|hang hung|hear heard|hide hid hidden|hold held|keep kept
kneel knelt|know knew known|lay laid|lead led|lean leant|learn learnt|leave left|lend lent|lie lain lies lying
light lit|lose lost|make made|mean meant|meet met|mistake mistook mistaken|pay paid|prove proven
quit quits|ride rode ridden|ring rang rung|rise rose risen|run ran|say said|see saw seen|seek sought
sell sold|send sent|sew sewn|shake shook shaken|shine shone|shoot shot|show shown|shrink shrank shrunk
sing sang sung|sink sank sunk|sit sat|sleep slept|slide slid|speak spoke spoken|spend spent
spin spun|spring sprang sprung|stand stood|steal stole stolen|stick stuck|sting stung|strike struck
strive strove striven|swear swore sworn|sweep swept|swell swollen|swim swam swum|swing swung
take took taken|teach taught|tear tore torn|tell told|think thought|throw threw thrown
understand understood|undergo underwent undergone|undo undid undone|wake woke woken|wear wore worn
weave wove woven|weep wept|win won|withdraw withdrew withdrawn|write wrote written
overcome overcame|rewrite rewrote rewritten|rebuild rebuilt|undertake undertook undertaken
child children|foot feet|goose geese|man men|mouse mice|person people|tooth teeth|woman women
wife wives|knife knives|wolf wolves|half halves|shelf shelves|thief thieves
analysis analyses|crisis crises|index indices|matrix matrices|vertex vertices
criterion criteria|phenomenon phenomena|diagnosis diagnoses|hypothesis hypotheses|cactus cacti
use uses used using|die dies died dying|tie ties tied tying|age ages aged|owe owes owed owing
ice ices iced|eye eyes eyed
good better best|bad worse worst|far farther further`;

/** Irregular form → base form. */
export const ENGLISH_BASE_FORMS: ReadonlyMap<string, string> = new Map(
  IRREGULAR.split(/[|\n]/).flatMap((entry) => {
    const [base = "", ...forms] = entry.trim().split(" ");
    return forms.map((form) => [form, base] as const);
  }),
);

/** What stays of contractions, and words with which people ask and chat. */
export const ENGLISH_MORE_STOP_WORDS: readonly string[] = (
  "above again against ago ain am aren below cannot couldn d didn does doesn doing don done down " +
  "during else ever few further hadn has hasn haven having hers herself hi however isn it its " +
  "itself just let ll m may mine mustn myself need needn no nobody none nor not nothing o off ok " +
  "once ones ought ours ourselves own per please quite rather re really s say says shall shan she " +
  "shouldn so " +
  "someone something sure t tell tells than themselves thing things till times together told " +
  "unless until upon us " +
  "ve want wasn weren whatever when whenever whether whom whose why will within without won wouldn " +
  "yes yet yours yourself yourselves"
).split(" ");

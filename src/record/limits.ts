/**
 * Every bound on what a caller may hand in or get back, with its unit in the name.
 * Relations between bounds are asserted at the end of this file, when it is loaded.
 */

export const RECORD_TEXT_BYTES_MAX = 1_048_576;
/** Everything of a record but its text, as JSON. Bounded so that one answer can always show it. */
export const RECORD_ATTRIBUTES_BYTES_MAX = 16_384;
export const SHORT_STRING_BYTES_MAX = 1_024;
export const CUE_BYTES_MAX = 4_096;
/** Deeper JSON could exhaust a reader's stack. */
export const METADATA_DEPTH_MAX = 64;
export const TAG_COUNT_MAX = 64;
export const SUPERSEDES_COUNT_MAX = 64;

export const BATCH_COUNT_MAX = 100;
export const BATCH_BYTES_MAX = 8_388_608;

/** One protocol message. JSON may escape a character of text as six bytes. */
export const MESSAGE_BYTES_MAX = 16_777_216;

export const QUERY_CHARS_MAX = 10_240;
export const SEARCH_LIMIT_DEFAULT = 10;
export const PAGE_LIMIT_DEFAULT = 20;
export const PAGE_LIMIT_MAX = 100;
/** Quarantined records sent back by one call. */
export const RETRY_COUNT_DEFAULT = 100;
export const RETRY_COUNT_MAX = 10_000;
export const CURSOR_CHARS_MAX = 3_072;
export const CONTEXT_TURNS_MAX = 5;
/** Ids of one order to forget. */
export const FORGET_COUNT_MAX = 100_000;
export const FORGET_REASON_BYTES_MAX = 200;
/** Ids that a dry run shows. */
export const FORGET_SAMPLE_COUNT = 10;
export const SNIPPET_CHARS_MAX = 320;
export const GET_CHARS_DEFAULT = 16_000;
export const GET_CHARS_MAX = 30_000;
/** A tool's answer as JSON text, in UTF-16 code units. */
export const ANSWER_CHARS_MAX = 39_000;

/** An envelope around the largest record, every character escaped at worst. */
export const ENVELOPE_BYTES_MAX = 6 * (RECORD_TEXT_BYTES_MAX + RECORD_ATTRIBUTES_BYTES_MAX) + 1_024;

if (RECORD_ATTRIBUTES_BYTES_MAX * 2 > ANSWER_CHARS_MAX) {
  throw new TypeError("an answer must have room for a record's attributes and some of its text");
}
if (BATCH_BYTES_MAX * 1.5 > MESSAGE_BYTES_MAX) {
  throw new TypeError("a full batch must fit into one protocol message");
}

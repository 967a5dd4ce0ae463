/** What a client shows its model once, before any tool is called. Under 2 KB. */
export const INSTRUCTIONS = `memspool remembers word for word, across conversations. What memory_capture acknowledges is on disk and stays.

Capture, without being asked, as soon as it is said:
- decisions with their reasons, preferences, corrections, names, dates, facts about the user's work;
- whatever the user asks to remember.
Keep the user's own words in surface; put a summary or likely question into cue. Set session_id and role for turns of a conversation, and source for text from a file. Several at once: memory_capture_batch. Do not capture secrets unless told to.

Recall before you answer:
- at the start of a conversation: memory_recent;
- when a question may depend on something said before: memory_search with the question in plain words, names and dates included; context shows the turns around a hit. Try other words before you conclude that nothing is known;
- a snippet is only a part: read the whole with memory_get before you quote it or rely on it.

Corrections: capture the new text with supersedes set to the old ulid; the old text stays readable. To remove a text for good, only when the user asks for it: memory_forget.
If a tool fails, its error has a code and says whether a retry can help; a capture that failed with stored: unknown is repeated with retry_ulid, one with BACKPRESSURE after retry_after_ms. queue_status tells whether memory works.
`;

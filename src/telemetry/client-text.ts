/** A denial's line must not be longer than a few hundred bytes because a client sent a long path. */
const TEXT_CHARS_MAX = 256;

/** Read at all, since masking makes texts shorter. */
const READ_CHARS_MAX = 1024;

/** How much is left of what may be a secret: the prefix of a key, which tells whose it is, and no more than that. */
const SHOWN_CHARS = 8;

/** A run of characters of which keys and tokens are made. UUIDs and most names are shorter; our shortest key is not. */
const SECRET_RUN = /[0-9A-Za-z_.~+=%-]{40,}/g;
const RUN_AT_END = /[0-9A-Za-z_.~+=%-]+$/;

/**
 * What a log may show of a text that a client chose: no query or fragment, nothing that is as long as a key (clients
 * paste keys into paths and host names by mistake), and not much of it. Escaping is the logger's matter.
 */
export function clientText(text: string): string {
  const end = text.slice(0, READ_CHARS_MAX).search(/[?#]/);
  const whole = end < 0 ? start(text) : text.slice(0, end);
  const masked = whole.replace(
    SECRET_RUN,
    (run) => `${run.slice(0, SHOWN_CHARS)}[${run.length} characters]`,
  );
  return masked.length > TEXT_CHARS_MAX ? `${masked.slice(0, TEXT_CHARS_MAX)}...` : masked;
}

/** A path may be as long as Envoy allows. A run that the cut shortens is left out: it might no longer look like a key. */
function start(text: string): string {
  if (text.length <= READ_CHARS_MAX) return text;
  return `${text.slice(0, READ_CHARS_MAX).replace(RUN_AT_END, '')}...`;
}

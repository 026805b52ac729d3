/**
 * What the text of a key looks like: `<prefix>_<environment><separator><id><secret><checksum>`, the last three of fixed
 * width and without a separator, so that a text is read from the right and the prefix may hold `_` itself.
 */
export interface KeyFormat {
  readonly prefix: string;
  readonly separator: string;
  readonly environments: readonly string[];
}

export const DEFAULT_KEY_FORMAT: KeyFormat = {
  prefix: 'lk',
  separator: '_',
  environments: ['live', 'test'],
};

/** 62^10 ids, about 2^59: public, unique by index, not guessable in bulk. */
export const KEY_ID_CHARS = 10;
/** 62^30 secrets, about 2^178: more than the 160 bits that are asked for. */
export const KEY_SECRET_CHARS = 30;
/** 62^6 exceeds 2^32, so every CRC32 fits. */
export const KEY_CHECKSUM_CHARS = 6;
export const KEY_BODY_CHARS: number = KEY_ID_CHARS + KEY_SECRET_CHARS + KEY_CHECKSUM_CHARS;

/** Everything before the id: `lk_live_`. */
export function keyHead(format: KeyFormat, environment: string): string {
  return `${format.prefix}_${environment}${format.separator}`;
}

/**
 * The text of a regular expression that finds keys of this format in files, for secret scanners. It keeps to what RE2,
 * PCRE and JavaScript have in common.
 */
export function keyPattern(format: KeyFormat): string {
  const environments = format.environments.map(escapePattern).join('|');
  const prefix = escapePattern(format.prefix);
  const separator = escapePattern(format.separator);
  // No boundary in front: `KEY_lk_live_…` must be found as well; a false find is told by its checksum.
  return `${prefix}_(?:${environments})${separator}[0-9A-Za-z]{${KEY_BODY_CHARS}}\\b`;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

import { digestKey } from '../key-text/digest.ts';
import type { KeyFormat } from '../key-text/key-format.ts';
import { keyTextReader } from '../key-text/read.ts';
import type { KeyReading } from '../model/policy.ts';

export interface KeyReaderOptions {
  readonly format: KeyFormat;
  /** Look up texts that are no keys of the format. */
  readonly acceptForeign: boolean;
  /** Beginnings of older or foreign keys, looked up whatever their checksum. */
  readonly alsoAccept: readonly string[];
}

/** What costs a lookup and what is refused at sight. Only what is looked up is hashed. */
export function createKeyReader(options: KeyReaderOptions): (text: string) => KeyReading {
  const { format, acceptForeign, alsoAccept } = options;
  const readText = keyTextReader(format);
  const isAlsoAccepted = (text: string): boolean =>
    acceptForeign || alsoAccept.some((prefix) => text.startsWith(prefix));
  return (text) => {
    const { kind } = readText(text);
    switch (kind) {
      case 'ours':
        return { kind: 'lookup', digest: digestKey(text) };
      case 'mistyped':
        if (isAlsoAccepted(text)) return { kind: 'lookup', digest: digestKey(text) };
        return { kind: 'refused', reason: 'key_checksum' };
      case 'foreign':
        if (isAlsoAccepted(text)) return { kind: 'lookup', digest: digestKey(text) };
        return { kind: 'refused', reason: 'key_foreign' };
      case 'malformed':
        return { kind: 'refused', reason: 'key_malformed' };
    }
  };
}

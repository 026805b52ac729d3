import type { HeaderSlot } from '../model/request.ts';

/** The slots of one request while they are being filled. */
export type OpenSlots = (undefined | string | string[])[];

/**
 * Finds the header names that a policy reads among the bytes of a request, so that no string is made for the others
 * (most of them). Names are compared without regard to ASCII case: Envoy lower-cases them, another sender may not.
 */
export interface HeaderSlots {
  /** A fresh set of empty slots, one per wanted name. */
  open(): OpenSlots;
  /** The slot of the name at these bytes; -1 for a name that nobody wants. */
  slotOf(bytes: Uint8Array, start: number, end: number): number;
  /** To be called once, when all lines have been added. */
  close(slots: OpenSlots): readonly HeaderSlot[];
}

interface WantedName {
  readonly slot: number;
  readonly codes: readonly number[];
}

/** `wantedNames[i]` is read into slot `i`; an empty name leaves its slot unused; a repeated one fills each of its slots. */
export function createHeaderSlots(wantedNames: readonly string[]): HeaderSlots {
  const byLength: WantedName[][] = [];
  const copies: { readonly from: number; readonly to: number }[] = [];
  for (const [slot, wantedName] of wantedNames.entries()) {
    const name = wantedName.toLowerCase();
    const first = wantedNames.findIndex((other) => other.toLowerCase() === name);
    if (name === '') continue;
    if (first < slot) copies.push({ from: first, to: slot });
    else addName(byLength, { slot, codes: [...name].map((char) => char.charCodeAt(0)) });
  }
  const emptySlots: OpenSlots = wantedNames.map(() => undefined);
  const noNames: readonly WantedName[] = [];
  const namesByLength = Array.from(byLength, (names) => names ?? noNames);

  return {
    open: () => emptySlots.slice(),
    slotOf(bytes, start, end) {
      for (const name of namesByLength[end - start] ?? noNames) {
        if (isName(name.codes, bytes, start)) return name.slot;
      }
      return -1;
    },
    close(slots) {
      for (const { from, to } of copies) slots[to] = slots[from];
      return slots;
    },
  };
}

/** Every line is kept, in order: what several lines of one header mean is for the reader of the header to judge. */
export function addLine(slots: OpenSlots, slot: number, value: string): void {
  const known = slots[slot];
  if (known === undefined) slots[slot] = value;
  else if (typeof known === 'string') slots[slot] = [known, value];
  else known.push(value);
}

function addName(byLength: WantedName[][], name: WantedName): void {
  const sameLength = byLength[name.codes.length];
  if (sameLength === undefined) byLength[name.codes.length] = [name];
  else sameLength.push(name);
}

function isName(codes: readonly number[], bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < codes.length; index += 1) {
    const byte = bytes[start + index] ?? 0;
    const lowered = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lowered !== codes[index]) return false;
  }
  return true;
}

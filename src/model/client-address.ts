import {
  ADDRESS_CHARS_MAX,
  addressBucket,
  addressText,
  type IpAddress,
  parseAddress,
} from './address.ts';
import type { CompiledPolicy } from './policy.ts';
import { type CheckInput, type HeaderSlot, SLOT } from './request.ts';

/** Requests whose address cannot be told share one bucket: they are counted together rather than not at all. */
const UNKNOWN_BUCKET = 'unknown';

/** The client's address as the policy says to find it; `undefined` where it cannot be told (a pipe, a broken header). */
export function clientAddressOf(input: CheckInput, policy: CompiledPolicy): IpAddress | undefined {
  const source = policy.clientAddress;
  switch (source.from) {
    case 'peer':
      return peerOf(input);
    case 'envoy_external':
      return addressIn(input.headers[SLOT.externalAddress]) ?? peerOf(input);
    case 'xff':
      return forwardedFor(input.headers[SLOT.forwardedFor], source.hops);
  }
}

/**
 * The address as it was told, unparsed: for records of use, where every allowed request pays for it. `null` where there
 * is none or where it cannot be one.
 */
export function clientAddressTold(input: CheckInput, policy: CompiledPolicy): string | null {
  const { from } = policy.clientAddress;
  const external = from === 'envoy_external' ? input.headers[SLOT.externalAddress] : undefined;
  if (from === 'xff') {
    const address = clientAddressOf(input, policy);
    return address === undefined ? null : addressText(address);
  }
  const told = typeof external === 'string' ? external : input.peerAddress;
  return told === undefined || told.length > ADDRESS_CHARS_MAX ? null : told;
}

export function clientBucketOf(input: CheckInput, policy: CompiledPolicy): string {
  const address = clientAddressOf(input, policy);
  return address === undefined ? UNKNOWN_BUCKET : addressBucket(address);
}

function peerOf(input: CheckInput): IpAddress | undefined {
  return input.peerAddress === undefined ? undefined : parseAddress(input.peerAddress);
}

/** Envoy writes this header itself, once; several lines are somebody else's and say nothing. */
function addressIn(slot: HeaderSlot): IpAddress | undefined {
  return typeof slot === 'string' ? parseAddress(slot.trim()) : undefined;
}

/** Counted from the right: everything further left was written by whoever stands before the trusted proxies. */
function forwardedFor(slot: HeaderSlot, hops: number): IpAddress | undefined {
  if (slot === undefined) return undefined;
  const list = (typeof slot === 'string' ? slot : slot.join(',')).split(',');
  return parseAddress(list.at(-hops)?.trim() ?? '');
}

import { BlockList, isIP, isIPv4 } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  addressBucket,
  addressText,
  cidrListContains,
  type IpAddress,
  parseAddress,
  parseCidr,
} from '../../../src/model/address.ts';
import { type Random, seededRandom } from '../../support/random.ts';

const RANDOM_TEXTS = 60_000;

describe('parseAddress', () => {
  it('takes exactly the texts that Node takes, over random ones near the border', () => {
    const random = seededRandom(1);
    const seen = { v4: 0, v6: 0, neither: 0 };
    for (let n = 0; n < RANDOM_TEXTS; n += 1) {
      const text = randomText(random);
      const version = isIP(text);
      const address = parseAddress(text);
      expect(address !== undefined, JSON.stringify(text)).toBe(version !== 0);
      if (version === 4) seen.v4 += 1;
      else if (version === 6) seen.v6 += 1;
      else seen.neither += 1;
    }
    expect(Math.min(seen.v4, seen.v6, seen.neither)).toBeGreaterThan(3000);
  });

  it('means the same address as Node does, and no other', () => {
    const random = seededRandom(2);
    for (let n = 0; n < RANDOM_TEXTS; n += 1) {
      const text = randomText(random);
      const address = parseAddress(text);
      if (address === undefined) continue;
      const itself = new BlockList();
      itself.addAddress(text, family(text));
      expect(itself.check(addressText(address), family(addressText(address))), text).toBe(true);
      // One bit further is somebody else.
      const other = flipBit(address, random.below(address.isV4 ? 32 : 128));
      expect(itself.check(addressText(other), family(addressText(other))), text).toBe(false);
    }
  });

  it.each([
    '',
    ' ',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4:80',
    '[::1]',
    '[::1]:80',
    'fe80::1%eth0',
    '01.2.3.4',
    '1.2.3.04',
    '0x1.2.3.4',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '16909060',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '::12345',
    '::g',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '::01.2.3.4',
    '::1\u0000',
    '１.２.３.４',
    'localhost',
    '::'.repeat(10_000),
    '1'.repeat(100_000),
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('takes the longest text there is', () => {
    const text = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255';
    expect(text).toHaveLength(45);
    expect(parseAddress(text)?.words).toEqual(new Array(8).fill(0xffff));
  });

  it('takes an IPv4 address and its IPv6-mapped form for the same', () => {
    const forms = ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:c000:0201'];
    for (const form of forms) expect(parseAddress(form)).toEqual(parseAddress('192.0.2.1'));
    // The deprecated IPv4-compatible form is an IPv6 address (RFC 4291 §2.5.5.1).
    expect(parseAddress('::192.0.2.1')?.isV4).toBe(false);
  });
});

describe('addressBucket', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['255.0.255.0', '255.0.255.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::', '2001:db8:1:3::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::192.0.2.1', '0:0:0:0::/64'],
  ])('counts %s as %s', (text, bucket) => {
    const address = parseAddress(text);
    expect(address && addressBucket(address)).toBe(bucket);
  });
});

describe('parseCidr', () => {
  it.each([
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/8 ',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '/8',
    '10.0.0.0/255.0.0.0',
    '10.0.0/8',
    '2001:db8::/129',
    '2001:db8::/1000',
    '10.0.0.1/8',
    '10.0.0.1/31',
    '2001:db8::1/127',
    '8000::/0',
    '10.0.0.0/1e1',
    '10.0.0.0/0x8',
  ])('refuses %j', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it.each([
    {
      cidr: '10.0.0.0/8',
      has: ['10.0.0.0', '10.255.255.255'],
      lacks: ['9.255.255.255', '11.0.0.0'],
    },
    { cidr: '0.0.0.0/0', has: ['0.0.0.0', '255.255.255.255'], lacks: ['::', '::1', '2001:db8::'] },
    {
      cidr: '::/0',
      has: ['::', '::1', '2001:db8::1', 'ffff::'],
      lacks: ['10.0.0.1', '::ffff:10.0.0.1'],
    },
    { cidr: '::ffff:0:0/96', has: ['10.0.0.1'], lacks: ['::1'] },
    { cidr: '::ffff:10.0.0.0/104', has: ['10.9.9.9'], lacks: ['11.0.0.0'] },
    {
      cidr: '192.0.2.1',
      has: ['192.0.2.1', '::ffff:192.0.2.1'],
      lacks: ['192.0.2.0', '192.0.2.2'],
    },
    { cidr: '192.0.2.1/32', has: ['192.0.2.1'], lacks: ['192.0.2.0'] },
    { cidr: '2001:db8::1', has: ['2001:db8:0::1'], lacks: ['2001:db8::', '2001:db8::2'] },
    { cidr: '2001:db8::/33', has: ['2001:db8:7fff::'], lacks: ['2001:db8:8000::', '2001:db9::'] },
  ])('$cidr holds what it should', ({ cidr, has, lacks }) => {
    const list = listOf(cidr);
    for (const text of has) expect(cidrListContains(list, addressOf(text)), text).toBe(true);
    for (const text of lacks) expect(cidrListContains(list, addressOf(text)), text).toBe(false);
  });

  it('holds what Node says it holds, over random blocks and addresses around them', () => {
    const random = seededRandom(3);
    let inside = 0;
    for (let n = 0; n < RANDOM_TEXTS; n += 1) {
      const v4 = random.below(2) === 0;
      const bits = random.below(v4 ? 33 : 129);
      const base = clearHostBits(randomAddress(random, v4), bits + (v4 ? 96 : 0));
      const text = addressText(base);
      const address =
        random.below(2) === 0 ? randomAddress(random, v4) : flipBit(base, random.below(32));
      const block = new BlockList();
      block.addSubnet(text, bits, family(text));
      const expected = block.check(addressText(address), family(addressText(address)));
      const actual = cidrListContains(listOf(`${text}/${bits}`), address);
      expect(actual, `${text}/${bits} has ${addressText(address)}`).toBe(expected);
      if (expected) inside += 1;
    }
    expect(inside).toBeGreaterThan(3000);
    expect(inside).toBeLessThan(RANDOM_TEXTS - 3000);
  });

  it('an empty list holds nothing', () => {
    expect(cidrListContains([], addressOf('10.0.0.1'))).toBe(false);
  });
});

function family(text: string): 'ipv4' | 'ipv6' {
  return isIPv4(text) ? 'ipv4' : 'ipv6';
}

function addressOf(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

function listOf(text: string) {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`${text} is no block`);
  return [cidr];
}

/** `bit` counts from the right. */
function flipBit({ words, isV4 }: IpAddress, bit: number): IpAddress {
  const at = 7 - Math.floor(bit / 16);
  return {
    isV4,
    words: words.map((word, index) => (index === at ? word ^ (1 << (bit % 16)) : word)),
  };
}

/** `bits` counts over the mapped form. */
function clearHostBits({ words, isV4 }: IpAddress, bits: number): IpAddress {
  const kept = (index: number): number => Math.min(16, Math.max(0, bits - 16 * index));
  return { isV4, words: words.map((word, i) => word & ((0xffff << (16 - kept(i))) & 0xffff)) };
}

function randomAddress(random: Random, v4: boolean): IpAddress {
  const words = Array.from({ length: 8 }, () => random.below(0x1_0000));
  return v4
    ? { isV4: true, words: [0, 0, 0, 0, 0, 0xffff, ...words.slice(6)] }
    : { isV4: false, words: [0x2000 | random.below(0x1000), ...words.slice(1)] };
}

/** Valid addresses in every spelling, and each of them with one small thing changed. */
function randomText(random: Random): string {
  const text = random.below(3) === 0 ? randomV4Text(random) : randomV6Text(random);
  if (random.below(2) === 0) return text;
  const at = random.below(text.length + 1);
  const dropped = random.below(2);
  const added = random.pick(['', ':', '::', '.', '0', '1', 'f', 'g', '9', '/', ' ', '256', '-']);
  return text.slice(0, at) + added + text.slice(at + dropped);
}

function randomV4Text(random: Random): string {
  const byte = (): string =>
    random.pick([`${random.below(256)}`, `${random.below(300)}`, '0', '00']);
  return [byte(), byte(), byte(), byte()].join('.');
}

function randomV6Text(random: Random): string {
  const group = (): string => {
    const hex = random.pick([0, 0, random.below(16), random.below(0x1_0000), 0xffff]).toString(16);
    return random.pick([hex, hex.toUpperCase(), hex.padStart(4, '0')]);
  };
  const groups = Array.from({ length: random.pick([8, 8, 7, 6, 9, random.below(9)]) }, group);
  if (random.below(4) === 0) groups.splice(-2, 2, randomV4Text(random));
  if (random.below(2) === 0) return groups.join(':');
  const at = random.below(groups.length + 1);
  const cut = random.below(groups.length - at + 1);
  return `${groups.slice(0, at).join(':')}::${groups.slice(at + cut).join(':')}`;
}

import { parseArgs } from 'node:util';

export const PARTS = ['direct', 'latency', 'envoy', 'cold', 'revocation', 'flood'] as const;
export type PartName = (typeof PARTS)[number];

export interface BenchOptions {
  readonly parts: readonly PartName[];
  /** Small and short: to see that everything runs. Its figures mean little, and are never written. */
  readonly isQuick: boolean;
  /** Into docs/benchmarks.md. */
  readonly writes: boolean;
  /** Numbers of keys, from the smallest to the largest. */
  readonly sizes: readonly [small: number, middle: number, large: number];
  readonly rounds: number;
  /** Of one measurement. */
  readonly measureMs: number;
  /** Before each measurement. */
  readonly warmupMs: number;
  /** Flags of V8 for latchkey, each list a subject of its own; the empty one is latchkey as it comes. */
  readonly variants: readonly (readonly string[])[];
  readonly entry: 'src' | 'dist';
}

export const USAGE = `npm run bench -- [options]

  --only PARTS      some of: ${PARTS.join(', ')} (separated by commas)
  --quick           small and short: shows that everything runs; nothing is written
  --no-write        leave docs/benchmarks.md as it is
  --sizes A,B,C     numbers of keys in Postgres and in memory (1000,100000,1000000)
  --rounds N        how often each subject has its turn (5)
  --variants LIST   flags of V8 for latchkey in the part "latency", lists separated by semicolons,
                    such as "--single-threaded-gc;--max-semi-space-size=8"
  --entry src|dist  what to measure: the sources as they are (src), or what "npm run build" made`;

/** The default is 16 MB; one collector thread or several; and both together. */
const VARIANTS = [
  '',
  '--single-threaded-gc',
  '--max-semi-space-size=4',
  '--max-semi-space-size=32',
  '--single-threaded-gc --max-semi-space-size=4',
  '--single-threaded-gc --max-semi-space-size=32',
];

const FULL = { sizes: '1000,100000,1000000', rounds: '5', measureMs: 3_000, warmupMs: 1_000 };
const QUICK = { sizes: '1000,5000,20000', rounds: '2', measureMs: 800, warmupMs: 400 };

export type ReadOptions =
  | { readonly kind: 'run'; readonly options: BenchOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

export function readOptions(args: readonly string[]): ReadOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        write: { type: 'boolean', default: true },
        sizes: { type: 'string' },
        rounds: { type: 'string' },
        variants: { type: 'string' },
        entry: { type: 'string', default: 'src' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const length = values.quick ? QUICK : FULL;
    const options: BenchOptions = {
      parts: partsNamed(values.only),
      isQuick: values.quick,
      writes: values.write && !values.quick,
      sizes: sizesIn(values.sizes ?? length.sizes),
      rounds: wholeNumber('--rounds', values.rounds ?? length.rounds),
      ...{ measureMs: length.measureMs, warmupMs: length.warmupMs },
      variants: (values.variants?.split(';') ?? VARIANTS).map(flagsIn),
      entry: entryNamed(values.entry),
    };
    return { kind: 'run', options };
  } catch (error) {
    return { kind: 'wrong', message: error instanceof Error ? error.message : String(error) };
  }
}

function partsNamed(text: string | undefined): readonly PartName[] {
  if (text === undefined) return PARTS;
  const names = text.split(',');
  const unknown = names.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0) {
    throw new Error(`There is no part ${unknown.join(', ')}; choose from ${PARTS.join(', ')}.`);
  }
  return PARTS.filter((part) => names.includes(part));
}

function sizesIn(text: string): BenchOptions['sizes'] {
  const [small, middle, large, ...rest] = text
    .split(',')
    .map((size) => wholeNumber('--sizes', size));
  if (small === undefined || middle === undefined || large === undefined || rest.length > 0) {
    throw new Error('--sizes wants three numbers, separated by commas.');
  }
  if (!(small < middle && middle < large)) throw new Error('--sizes must grow.');
  return [small, middle, large];
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${option} wants a whole number above 0, not ${text}.`);
}

function flagsIn(text: string): readonly string[] {
  const flags = text.split(' ').filter((flag) => flag !== '');
  const wrong = flags.find((flag) => !flag.startsWith('--'));
  if (wrong !== undefined) throw new Error(`--variants: ${wrong} is no flag of V8.`);
  return flags;
}

function entryNamed(name: string): 'src' | 'dist' {
  if (name === 'src' || name === 'dist') return name;
  throw new Error(`--entry can be src or dist, not ${name}.`);
}

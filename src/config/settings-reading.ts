import { readFileSync, statSync } from 'node:fs';
import {
  EMBEDDED_DIR_DEFAULT,
  SETTINGS,
  type Setting,
  type SettingName,
  type SettingValues,
} from './settings.ts';
import { unknownVariables } from './unknown-variables.ts';

/** Options as they were typed: camel case, `true` for one without a value. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;
export type Environment = Readonly<Record<string, string | undefined>>;

export interface SettingsReading {
  readonly values: Partial<SettingValues>;
  /** Settings whose text is wrong or could not be had: told already. */
  readonly failed: ReadonlySet<SettingName>;
  /** Settings that were given, right or wrong, and not left to their defaults. */
  readonly given: ReadonlySet<SettingName>;
  /** What is in force, by variable, without secrets. */
  readonly summary: Record<string, string>;
  readonly problems: string[];
}

/** Every setting from its flag, its variable, the file that a variable names, or its default. Every problem at once. */
export function readSettings(flags: Flags, environment: Environment): SettingsReading {
  const problems = [...unknownVariables(environment)];
  const summary: Record<string, string> = {};
  const failed = new Set<SettingName>();
  const given = new Set<SettingName>();
  const values: Record<string, unknown> = {};
  for (const [name, setting] of settingEntries()) {
    const source = sourceOf(setting, flags, environment);
    if (source.kind === 'absent') continue;
    if (source.kind === 'problem' || !source.isDefault) given.add(name);
    const problem = source.kind === 'problem' ? source.text : undefined;
    const parsed = source.kind === 'text' ? setting.value.safeParse(source.text) : undefined;
    if (source.kind === 'text' && parsed?.success) {
      values[name] = parsed.data;
      summary[setting.variable] = setting.secret ? '(set)' : source.text;
      continue;
    }
    failed.add(name);
    problems.push(problem ?? refusal(setting, source, parsed?.error?.issues[0]?.message));
  }
  // Each value was parsed by the schema of its own name.
  return { values: values as Partial<SettingValues>, failed, given, summary, problems };
}

export function settingEntries(): [SettingName, Setting][] {
  // Object.entries widens the keys of a constant.
  return Object.entries(SETTINGS) as [SettingName, Setting][];
}

/** `--check-listen` for `checkListen`. */
export function flagText(flag: string): string {
  return `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A text and where it comes from, for messages. */
type Source =
  | {
      readonly kind: 'text';
      readonly text: string;
      readonly from: string;
      readonly isDefault?: boolean;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'problem'; readonly text: string };

function refusal(
  { secret }: Setting,
  source: Extract<Source, { kind: 'text' | 'problem' }>,
  rule = 'is not valid',
): string {
  if (source.kind === 'problem') return source.text;
  if (source.text === '') return `${source.from} is empty. Give it a value, or leave it out.`;
  return secret
    ? `${source.from} ${rule}.`
    : `${source.from} is ${JSON.stringify(source.text)}: it ${rule}.`;
}

function sourceOf(setting: Setting, flags: Flags, environment: Environment): Source {
  const { variable, flag, secret, fallback } = setting;
  const flagged = flag === undefined ? undefined : flags[flag];
  if (flag !== undefined && flagged !== undefined && flagged !== false) {
    // Only --embedded may stand without a value.
    const text = flagged === true ? EMBEDDED_DIR_DEFAULT : flagged;
    return { kind: 'text', text, from: flagText(flag) };
  }
  const direct = environment[variable];
  if (secret) {
    const fileFlag = setting.fileFlag === undefined ? undefined : flags[setting.fileFlag];
    if (typeof fileFlag === 'string') return readSecret(fileFlag, flagText(setting.fileFlag ?? ''));
    const file = environment[`${variable}_FILE`];
    if (file !== undefined && direct !== undefined) {
      const text = `${variable} and ${variable}_FILE are both set. Keep one of the two.`;
      return { kind: 'problem', text };
    }
    if (file !== undefined) return readSecret(file, `${variable}_FILE`);
  }
  if (direct !== undefined) return { kind: 'text', text: direct, from: variable };
  if (fallback !== undefined) {
    return { kind: 'text', text: fallback, from: variable, isDefault: true };
  }
  return { kind: 'absent' };
}

/** A URL or a few peppers; more is the wrong file. */
const SECRET_BYTES_MAX = 64 * 1024;

function readSecret(file: string, from: string): Source {
  const problem = (why: string): Source => ({
    kind: 'problem',
    text: `${from} names ${JSON.stringify(file)}, ${why}.`,
  });
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return problem('which is no regular file');
    if (stat.size > SECRET_BYTES_MAX)
      return problem(`which has more than ${SECRET_BYTES_MAX} bytes`);
    // Editors and `echo` end a file with a line break that is no part of the secret.
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return { kind: 'text', text, from: `the file of ${from}` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return problem(`which cannot be read (${code})`);
  }
}

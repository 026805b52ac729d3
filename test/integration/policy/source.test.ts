import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createPolicySource,
  type Every,
  type PolicyEvent,
  type PolicySource,
} from '../../../src/policy/source.ts';

const policyText = (realm: string) =>
  `version: 1\nrealm: ${realm}\nplans: { default: { limits: [] } }\nroutes: []\n`;

let folder: string;
let events: PolicyEvent[];
let sources: PolicySource[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-policy-'));
  events = [];
  sources = [];
});

afterEach(async () => {
  await Promise.all(sources.map((source) => source.close()));
  await rm(folder, { recursive: true });
});

/** Looks by hand: a test decides when the file is looked at. */
function handLooks() {
  let work: (() => Promise<void>) | undefined;
  const every: Every = (_intervalMs, run) => {
    work = run;
    return () => {
      work = undefined;
    };
  };
  const look = async (times = 1): Promise<void> => {
    for (let count = 0; count < times; count += 1) await work?.();
  };
  return { every, look, isWatching: () => work !== undefined };
}

async function start(
  path: string,
  every?: Every,
  lookAt?: (path: string) => Promise<string>,
): Promise<PolicySource> {
  const onEvent = (event: PolicyEvent) => events.push(event);
  const started = await createPolicySource({
    path,
    onEvent,
    ...(every && { every }),
    ...(lookAt && { lookAt }),
  });
  if (started.kind === 'rejected') throw new Error(JSON.stringify(started.errors));
  sources.push(started.source);
  return started.source;
}

/** The kinds of events since the last call. */
const news = () => events.splice(0).map(({ kind }) => kind);

describe('the first policy', () => {
  it('is in force with generation 1, and told', async () => {
    const path = join(folder, 'policy.yaml');
    await writeFile(path, policyText('one'));
    const source = await start(path, handLooks().every);
    expect(source.current()).toMatchObject({ realm: 'one', generation: 1 });
    expect(events).toEqual([
      {
        kind: 'loaded',
        sha256: source.current().sha256,
        generation: 1,
        warnings: [expect.objectContaining({ path: 'routes' })],
      },
    ]);
  });

  it.each<[title: string, prepare: (path: string) => Promise<unknown>, message: RegExp]>([
    ['is missing', async () => undefined, /does not exist; create it/],
    ['is a folder', (path) => mkdir(path), /is no regular file/],
    ['is not UTF-8', (path) => writeFile(path, Buffer.from([0x61, 0xff])), /is not UTF-8/],
    [
      'is too large',
      (path) => writeFile(path, `# ${'x'.repeat(1024 * 1024)}`),
      /is larger than 1048576 bytes/,
    ],
    ['is wrong', (path) => writeFile(path, 'version: 1\n'), /is missing; add it/],
    ['links to nothing', (path) => symlink('nowhere', path), /does not exist/],
  ])('that %s is told, and nothing is started', async (_title, prepare, message) => {
    const path = join(folder, 'policy.yaml');
    await prepare(path);
    const { every, isWatching } = handLooks();
    const started = await createPolicySource({
      path,
      every,
      onEvent: (event) => events.push(event),
    });
    expect(started).toEqual({
      kind: 'rejected',
      errors: [expect.objectContaining({ message: expect.stringMatching(message) })],
    });
    expect(isWatching()).toBe(false);
    expect(events).toEqual([]);
  });
});

describe('a changed file', () => {
  let path: string;
  let source: PolicySource;
  const { every, look, isWatching } = handLooks();

  beforeEach(async () => {
    path = join(folder, 'policy.yaml');
    await writeFile(path, policyText('one'));
    source = await start(path, every);
    news();
  });

  it('is in force after two looks, once', async () => {
    await writeFile(path, policyText('two'));
    await look();
    expect(source.current().realm).toBe('one');
    await look();
    expect(source.current()).toMatchObject({ realm: 'two', generation: 2 });
    await look(5);
    expect(news()).toEqual(['loaded']);
  });

  it('that replaced the old one by renaming is followed, again and again', async () => {
    for (const realm of ['two', 'three', 'four']) {
      await writeFile(`${path}.new`, policyText(realm));
      await rename(`${path}.new`, path);
      await look(2);
      expect(source.current().realm).toBe(realm);
    }
    expect(source.current().generation).toBe(4);
    expect(news()).toEqual(['loaded', 'loaded', 'loaded']);
  });

  it('of the same size and modification time is followed', async () => {
    const date = new Date('2026-01-01T00:00:00Z');
    await utimes(path, date, date);
    await look(2);
    await writeFile(path, policyText('eno'));
    await utimes(path, date, date);
    await look(2);
    expect(source.current().realm).toBe('eno');
  });

  it('that is written in pieces is read when it lies still', async () => {
    await truncate(path);
    await look();
    await appendFile(path, 'version: 1\nrealm: t');
    await look();
    await appendFile(path, 'wo\nroutes: []\n');
    await look(2);
    expect(source.current().realm).toBe('two');
    expect(news()).toEqual(['loaded']);
  });

  it('that never lies still is read all the same', async () => {
    for (let turn = 0; turn < 4; turn += 1) {
      await writeFile(path, policyText(`turn${turn}`));
      await look();
    }
    expect(source.current().realm).toBe('turn3');
  });

  it('with errors changes nothing and tells every error, once; then repaired it is in force', async () => {
    await writeFile(path, 'version: 2\nrealm: 7\nroutes: []\n');
    await look(5);
    expect(source.current()).toMatchObject({ realm: 'one', generation: 1 });
    expect(events.splice(0)).toEqual([
      {
        kind: 'rejected',
        errors: [
          expect.objectContaining({ line: 1, path: 'version' }),
          expect.objectContaining({ line: 2, path: 'realm' }),
        ],
      },
    ]);
    await writeFile(path, policyText('two'));
    await look(2);
    expect(source.current()).toMatchObject({ realm: 'two', generation: 2 });
    expect(news()).toEqual(['loaded']);
  });

  it('with the bytes that are in force is no reload', async () => {
    const before = source.current();
    await writeFile(`${path}.new`, policyText('one'));
    await rename(`${path}.new`, path);
    await look(3);
    expect(source.current()).toBe(before);
    expect(news()).toEqual([]);
  });

  it('that goes back to what is in force ends a rejection, without a reload', async () => {
    const before = source.current();
    await writeFile(path, 'nonsense');
    await look(2);
    await writeFile(path, policyText('one'));
    await look(2);
    expect(source.current()).toBe(before);
    expect(news()).toEqual(['rejected', 'restored']);
  });

  it('that is deleted leaves the policy in force, and counts again when it is back', async () => {
    await rm(path);
    await look(3);
    expect(source.current().realm).toBe('one');
    expect(news()).toEqual(['rejected']);
    await writeFile(path, policyText('two'));
    await look(2);
    expect(source.current().realm).toBe('two');
    expect(news()).toEqual(['loaded']);
  });

  it('that is away for one look only, as while an editor saves, is not told', async () => {
    await rm(path);
    await look();
    await writeFile(path, policyText('two'));
    await look(2);
    expect(news()).toEqual(['loaded']);
  });

  it('is read at once on reload, whatever its looks', async () => {
    await writeFile(path, policyText('two'));
    expect(await source.reload()).toMatchObject({ kind: 'loaded', generation: 2 });
    expect(source.current().realm).toBe('two');
    expect(await source.reload()).toEqual({ kind: 'unchanged' });
    await writeFile(path, 'nonsense');
    expect(await source.reload()).toMatchObject({ kind: 'rejected' });
    expect(await source.reload()).toMatchObject({ kind: 'rejected' });
    await look(3);
    expect(news()).toEqual(['loaded', 'rejected', 'rejected']);
  });

  it('that looks as before is found as well, within twenty further looks', async () => {
    const { every: everySame, look: lookSame } = handLooks();
    const same = await start(path, everySame, async () => 'always the same');
    await writeFile(path, policyText('two'));
    await lookSame(21);
    expect(same.current().realm).toBe('two');
    await writeFile(path, 'nonsense');
    await lookSame(21);
    expect(news()).toEqual(['loaded', 'loaded', 'rejected']);
    await lookSame(60);
    expect(news()).toEqual([]);
  });

  it('is never read twice at once, so an older text cannot overtake a newer one', async () => {
    let active = 0;
    let activeMax = 0;
    const { every: everyTurn, look: lookTurn } = handLooks();
    const counted = await start(path, everyTurn, async (file) => {
      active += 1;
      activeMax = Math.max(activeMax, active);
      const { size } = await stat(file);
      active -= 1;
      return `${size}`;
    });
    await writeFile(path, policyText('three'));
    await Promise.all([
      counted.reload(),
      lookTurn(2),
      counted.reload(),
      lookTurn(),
      counted.reload(),
    ]);
    expect(activeMax).toBe(1);
    expect(counted.current()).toMatchObject({ realm: 'three', generation: 2 });
  });

  it('is looked at no more after close', async () => {
    await source.close();
    expect(isWatching()).toBe(false);
  });
});

describe('a ConfigMap', () => {
  it('is followed through the swap of its ..data link', async () => {
    // As the kubelet does it: files link into ..data, which links to a folder per version and is replaced by a rename.
    const publish = async (version: string, text: string) => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'policy.yaml'), text);
      await symlink(version, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await publish('..1', policyText('one'));
    const path = join(folder, 'policy.yaml');
    await symlink(join('..data', 'policy.yaml'), path);
    const { every, look } = handLooks();
    const source = await start(path, every);
    news();
    await publish('..2', policyText('two'));
    await rm(join(folder, '..1'), { recursive: true });
    await look(2);
    expect(source.current().realm).toBe('two');
    await publish('..3', 'broken: [');
    await look(2);
    expect(source.current().realm).toBe('two');
    await publish('..4', policyText('four'));
    await look(2);
    expect(source.current()).toMatchObject({ realm: 'four', generation: 3 });
    expect(news()).toEqual(['loaded', 'rejected', 'loaded']);
  });
});

describe('by its own timer', () => {
  it('a change is in force soon', async () => {
    const path = join(folder, 'policy.yaml');
    await writeFile(path, policyText('one'));
    const source = await start(path);
    await writeFile(path, policyText('two'));
    const changedAtMs = performance.now();
    await vi.waitFor(() => expect(source.current().realm).toBe('two'), {
      timeout: 10_000,
      interval: 5,
    });
    // Two looks of 250 ms each; the rest is for a busy machine.
    expect(performance.now() - changedAtMs).toBeLessThan(5_000);
    await source.close();
    await chmod(path, 0o600);
    expect(source.current().realm).toBe('two');
  });
});

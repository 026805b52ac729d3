import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { type CommandLine, commandLine } from './command-line.ts';

let postgres: TestPostgres;
let cli: CommandLine;
let folder: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  cli = await commandLine(postgres);
  folder = await mkdtemp(join(tmpdir(), 'latchkey-cli-'));
});

afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});

describe('policy check', () => {
  it('tells each error with file, line and column', async () => {
    const path = join(folder, 'broken.yaml');
    await writeFile(
      path,
      'version: 1\ncredentials:\n  b: { type: beerer }\nroutes: []\nrotes: []\n',
    );
    const { code, stdout, stderr } = await cli.run(['policy', 'check', path], { bare: true });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`${path}:3:14 credentials.b.type: `);
    expect(stderr).toContain(`${path}:5:1`);
    expect(stderr).toContain(`latchkey: ${path} has 2 errors.`);
    const { document } = await cli.json(['policy', 'check', path], { bare: true });
    expect(document).toMatchObject({
      ...{ sha256: null, warnings: [] },
      errors: [
        { line: 3, column: 14, path: 'credentials.b.type' },
        { line: 5, column: 1 },
      ],
    });
    const created = await cli.run([
      'keys',
      'create',
      '--org',
      'a',
      '--name',
      'n',
      '--policy',
      path,
    ]);
    expect(created).toMatchObject({ code: 2, stdout: '' });
    expect(created.stderr).toContain(`latchkey: ${path}:3:14`);
  });

  it('reads standard input, and tells warnings without failing', async () => {
    const stdin =
      'version: 1\ncredentials: { b: { type: bearer } }\nroutes: []\nplans: { default: { limits: [] } }\n';
    const { code, stdout, stderr } = await cli.run('policy check -', { bare: true, stdin });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^- is a valid policy: 0 rules, sha256 [0-9a-f]{64}\n$/);
    expect(stderr).toMatch(/^-:3:\d+ routes: .*every request is refused.* \(warning\)\n$/);
  });

  it('a file that is not there is wrong usage', async () => {
    const { code, stderr } = await cli.run('policy check /nowhere.yaml', { bare: true });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'latchkey: /nowhere.yaml does not exist; create it, or name another file.\n',
    });
  });

  it('policy schema is JSON Schema', async () => {
    const { code, stdout } = await cli.run('policy schema', { bare: true });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: expect.any(String), type: 'object' });
    const { document } = await cli.json('policy schema', { bare: true });
    expect(document).toEqual(JSON.parse(stdout));
  });
});

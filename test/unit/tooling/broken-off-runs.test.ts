import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../tools/run-command.ts';
import { type StartedProcess, startProcess } from '../../support/child-process.ts';
import { until } from '../../support/until.ts';

/* A run of tests that fails or is broken off leaves no process behind. */

/** A module that runs this text. */
function startModule(text: string): StartedProcess {
  const env = { PATH: process.env['PATH'] ?? '' };
  return startProcess(process.execPath, ['--input-type=module', '--eval', text], { env });
}

/** Says its number, and that of a process which it leaves behind. */
const LEAVING = 'sleep 60 >&- & echo $$ $!';

const runCommand = (script: string): string => `
  import { runCommand } from '${join(ROOT, 'tools', 'run-command.ts')}';
  process.exitCode = await runCommand('/bin/sh', ['-c', '${script}']);`;

const startChild = `
  import '${join(ROOT, 'test', 'support', 'end-children.ts')}';
  import { startProcess } from '${join(ROOT, 'test', 'support', 'child-process.ts')}';
  const { pid } = startProcess('sleep', ['60'], { env: process.env });
  console.log(process.pid, pid);`;

async function pidsOf(started: StartedProcess): Promise<readonly number[]> {
  await until('the numbers of the processes', () => started.stdout().length > 0);
  return (started.stdout()[0] ?? '').split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const allGone = (pids: readonly number[]): Promise<void> =>
  until('all of them are gone', () => !pids.some(isAlive));

describe.concurrent('a command of the tools', () => {
  it('that fails gives its exit code, and what it left running is ended', async () => {
    const tool = startModule(runCommand(`${LEAVING}; exit 7`));
    expect(await tool.exited).toEqual({ code: 7, signal: null });
    await allGone(await pidsOf(tool));
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends all of it', async (signal) => {
    const tool = startModule(runCommand(`${LEAVING}; wait`));
    const pids = await pidsOf(tool);
    expect(pids.map(isAlive)).toEqual([true, true]);
    tool.kill(signal);
    expect(await tool.exited).toEqual({ code: null, signal });
    await allGone(pids);
  });
});

it('Vitest ends a worker by SIGTERM: what its tests started ends with it', async () => {
  const worker = startModule(startChild);
  const pids = await pidsOf(worker);
  expect(pids.map(isAlive)).toEqual([true, true]);
  worker.kill('SIGTERM');
  await worker.exited;
  await allGone(pids);
});

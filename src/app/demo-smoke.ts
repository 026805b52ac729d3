import { revokeKey } from '../accounts/keys/revoke-key.ts';
import type { Terminal } from '../cli/ports.ts';
import type { Demo } from './demo.ts';
import { AFTER_REVOCATION, DEMO_STEPS, type DemoStep, headersOf } from './demo-steps.ts';
import { sleep } from './system.ts';

/** What is promised of a revocation where the replica reaches Postgres. */
const REVOCATION_MS_MAX = 1000;
const REQUEST_TIMEOUT_MS = 10_000;

/** Does what the instructions tell a person to do, and says what came of it. Exit code 0 if all of it was as told. */
export async function runSmoke(demo: Demo, terminal: Terminal): Promise<number> {
  let failures = 0;
  for (const step of DEMO_STEPS) {
    const seen = await perform(step, demo);
    const isRight = seen.status === step.expectStatus && seen.problem === undefined;
    if (!isRight) failures += 1;
    terminal.out(line(isRight, `${seen.status}  ${step.title}`, seen.problem));
  }
  const tookMs = await revokeAndWatch(demo);
  const isRevoked = tookMs !== undefined;
  if (!isRevoked) failures += 1;
  terminal.out(
    line(
      isRevoked,
      `${AFTER_REVOCATION.expectStatus}  ${AFTER_REVOCATION.title}`,
      isRevoked
        ? `${Math.round(tookMs)} ms after the revocation`
        : `still let through after ${REVOCATION_MS_MAX} ms`,
    ),
  );
  terminal.out(failures === 0 ? 'The demo works.' : `${failures} of the demo's steps went wrong.`);
  return failures === 0 ? 0 : 1;
}

function line(isRight: boolean, text: string, remark: string | undefined): string {
  return `${isRight ? 'ok  ' : 'FAIL'}  ${text}${remark === undefined ? '' : ` (${remark})`}`;
}

interface Seen {
  readonly status: number;
  readonly problem: string | undefined;
}

async function perform(step: DemoStep, demo: Demo): Promise<Seen> {
  let seen: Seen = { status: 0, problem: 'nothing was sent' };
  for (let count = 0; count < step.times; count += 1) {
    const response = await send(step, demo);
    const body = await response.text();
    seen = {
      status: response.status,
      problem: response.status === 200 ? leakOf(body, demo) : undefined,
    };
  }
  return seen;
}

function send(step: DemoStep, { envoy, keys }: Demo): Promise<Response> {
  return fetch(`http://127.0.0.1:${envoy.port}${step.path}`, {
    method: step.method,
    headers: headersOf(step, keys),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
}

/** The upstream echoes what it was sent: no key may be in it, nor a principal that the client made up. */
function leakOf(echo: string, { keys }: Demo): string | undefined {
  if (Object.values(keys).some(({ text }) => echo.includes(text)))
    return 'the upstream saw the key';
  return echo.includes('"root"') ? 'the upstream saw a forged principal' : undefined;
}

/** Milliseconds from the revocation's commit to the first refusal; `undefined` if there was none in time. */
async function revokeAndWatch(demo: Demo): Promise<number | undefined> {
  const { reader } = demo.keys;
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const revoked = await revokeKey(demo.accounts, reader.record.id, { actor: 'demo', signal });
  if (revoked.kind === 'refused') return undefined;
  const startedMs = performance.now();
  while (performance.now() - startedMs <= REVOCATION_MS_MAX) {
    const response = await send(AFTER_REVOCATION, demo);
    await response.arrayBuffer();
    if (response.status === AFTER_REVOCATION.expectStatus) return performance.now() - startedMs;
    await sleep(5);
  }
  return undefined;
}

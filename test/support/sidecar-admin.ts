import { get } from 'node:http';
import { text } from 'node:stream/consumers';

const ADMIN_TIMEOUT_MS = 5_000;

export interface ReadyAnswer {
  readonly status: number;
  readonly state: 'ready' | 'degraded' | 'not_ready' | 'silent';
}

/** `silent`: nobody answers, or something else than expected. */
export async function readyz(adminPort: number): Promise<ReadyAnswer> {
  try {
    const { status, body } = await adminPage(adminPort, '/readyz');
    return { status, state: JSON.parse(body).state };
  } catch {
    return { status: 0, state: 'silent' };
  }
}

export function adminPage(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.setTimeout(ADMIN_TIMEOUT_MS, () => request.destroy(new Error(`no answer to ${path}`)));
    request.once('error', reject);
  });
}

/**
 * The value of one series of a scrape; 0 where its metric has no such series yet.
 * @throws Error when there is no metric of this name at all: a test that expects 0 would hold nothing.
 */
export function seriesValue(metrics: string, series: string): number {
  const lines = metrics.split('\n');
  const name = series.replace(/\{.*/, '').replace(/_(?:count|sum|bucket)$/, '');
  if (!lines.some((line) => line.startsWith(`# TYPE ${name} `))) {
    throw new Error(`There is no metric ${name}.`);
  }
  const line = lines.find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

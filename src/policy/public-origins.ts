import type { Findings } from './findings.ts';

const ORIGIN = /^(https?):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** Origins as browsers send them (RFC 6454 §6.2): lower case, no default port, no path. */
export function compilePublicOrigins(
  texts: readonly string[],
  findings: Findings,
): ReadonlySet<string> {
  const origins = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const [, scheme = '', host = '', port] = ORIGIN.exec(text.toLowerCase()) ?? [];
    if (scheme === '') {
      const message = `${JSON.stringify(text)} is no origin; write https://app.example.com, with a port if it has one, and without a path.`;
      findings.error(['public_origins', index], message);
      continue;
    }
    const isDefault = port === undefined || port === DEFAULT_PORTS[scheme];
    origins.add(`${scheme}://${host}${isDefault ? '' : `:${port}`}`);
  }
  return origins;
}

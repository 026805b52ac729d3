/** `exact`: this host. `suffix`: every host below this one. `any`: every host. */
export type HostPattern =
  | { readonly kind: 'exact'; readonly host: string }
  | { readonly kind: 'suffix'; readonly suffix: string }
  | { readonly kind: 'any' };

const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
const IPV6_LITERAL = /^\[[0-9a-f:.]{2,45}\]$/;

/** The pattern, or what is wrong with it. Requests are matched in lower case, without port and trailing dot. */
export function readHostPattern(text: string): HostPattern | string {
  if (text === '*') return { kind: 'any' };
  const lower = text.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name.startsWith('*.') && HOST.test(name.slice(2))) {
    return { kind: 'suffix', suffix: name.slice(2) };
  }
  if (HOST.test(name) || IPV6_LITERAL.test(name)) return { kind: 'exact', host: name };
  if (/:\d*$/.test(name) && !name.includes('://')) {
    return `${JSON.stringify(text)} has a port; hosts are matched without it, so remove the port.`;
  }
  return `${JSON.stringify(text)} is no host; write api.example.com, *.example.com or "*".`;
}

export function hostKey(pattern: HostPattern): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.host;
    case 'suffix':
      return `*.${pattern.suffix}`;
    case 'any':
      return '*';
  }
}

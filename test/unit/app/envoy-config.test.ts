import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { adaptEnvoyConfig, type EnvoyPlaces } from '../../../src/app/envoy-config.ts';

const reference = readFileSync(new URL('../../../envoy.yaml', import.meta.url), 'utf8');

/** `a.b.0.c: 1` for every leaf; an empty list or map is a leaf, too. */
function leaves(node: unknown, path = ''): Map<string, unknown> {
  const entries =
    typeof node === 'object' && node !== null ? Object.entries(node) : ([] as [string, unknown][]);
  if (entries.length === 0) return new Map([[path, isEmpty(node) ? 'empty' : node]]);
  return new Map(
    entries.flatMap(([key, value]) => [...leaves(value, path === '' ? key : `${path}.${key}`)]),
  );
}

const isEmpty = (node: unknown): boolean => typeof node === 'object' && node !== null;

/** Every leaf that adapting the reference changes, adds or (`undefined`) removes. */
function changes(places: EnvoyPlaces): Record<string, unknown> {
  const before = leaves(parse(reference));
  const after = leaves(parse(adaptEnvoyConfig(reference, places)));
  const paths = new Set([...before.keys(), ...after.keys()]);
  return Object.fromEntries(
    [...paths]
      .filter((path) => before.get(path) !== after.get(path))
      .map((path) => [path, after.get(path)]),
  );
}

const LISTENER = 'static_resources.listeners.0.address.socket_address';
const ADMIN = 'admin.address.socket_address';
const endpoint = (cluster: number, index = 0): string =>
  `static_resources.clusters.${cluster}.load_assignment.endpoints.0.lb_endpoints.${index}.endpoint.address`;

describe('adaptEnvoyConfig changes nothing but', () => {
  it('nothing, where nothing is asked', () => {
    expect(changes({})).toEqual({});
  });

  it('the addresses and ports that are given', () => {
    expect(
      changes({
        listener: { address: '127.0.0.1', port: 1 },
        admin: { address: '127.0.0.2', port: 2 },
        upstream: { address: '127.0.0.3', port: 3 },
        check: [{ socketPath: '/a: "b"/#c.sock' }],
      }),
    ).toEqual({
      [`${LISTENER}.address`]: '127.0.0.1',
      [`${LISTENER}.port_value`]: 1,
      [`${ADMIN}.address`]: '127.0.0.2',
      [`${ADMIN}.port_value`]: 2,
      [`${endpoint(0)}.pipe.path`]: '/a: "b"/#c.sock',
      [`${endpoint(1)}.socket_address.address`]: '127.0.0.3',
      [`${endpoint(1)}.socket_address.port_value`]: 3,
      [`${endpoint(2)}.socket_address.address`]: '127.0.0.3',
      [`${endpoint(2)}.socket_address.port_value`]: 3,
    });
  });

  it('the port, where no address is given', () => {
    expect(changes({ listener: { port: 0 } })).toEqual({ [`${LISTENER}.port_value`]: 0 });
  });

  it('the endpoints of latchkey: TCP instead of the socket, and as many as there are', () => {
    const check = [{ port: 4 }, { socketPath: '/b.sock' }];
    expect(changes({ check })).toEqual({
      [`${endpoint(0)}.pipe.path`]: undefined,
      [`${endpoint(0)}.socket_address.address`]: '127.0.0.1',
      [`${endpoint(0)}.socket_address.port_value`]: 4,
      [`${endpoint(0, 1)}.pipe.path`]: '/b.sock',
    });
  });

  it('the form of the headers, where it is asked for', () => {
    expect(changes({ rawHeaders: true })).toEqual({});
    expect(Object.entries(changes({ rawHeaders: false }))).toEqual([
      [expect.stringMatching(/http_filters\.0\.typed_config\.encode_raw_headers$/), false],
    ]);
  });

  it('places that are marked for it: every CHANGE ME, and no other line of comment', () => {
    const places: EnvoyPlaces = {
      listener: { address: '127.0.0.9', port: 9 },
      admin: { address: '127.0.0.9', port: 9 },
      upstream: { address: '127.0.0.9', port: 9 },
      check: [{ socketPath: '/9' }],
    };
    const marked = reference.split('\n').filter((line) => line.includes('} # CHANGE ME'));
    const adapted = adaptEnvoyConfig(reference, places).split('\n');
    expect(marked).toHaveLength(5);
    for (const line of marked) expect(adapted).not.toContain(line);
    const comments = (text: readonly string[]): string[] =>
      text.map((line) => line.trim()).filter((line) => line.startsWith('#'));
    expect(comments(adapted)).toEqual(comments(reference.split('\n')));
  });
});

describe('adaptEnvoyConfig refuses', () => {
  it('a file without the part that is to be changed, and names the part', () => {
    const other = reference.replace('name: upstream_grpc', 'name: other');
    expect(() => adaptEnvoyConfig(other, { upstream: { port: 1 } })).toThrow(
      'no upstream_grpc under static_resources.clusters',
    );
  });

  it('what is no YAML', () => {
    expect(() => adaptEnvoyConfig('a: [', { admin: { port: 1 } })).toThrow();
  });
});

import { type Document, isMap, isSeq, parseDocument } from 'yaml';

export interface HostPort {
  /** Absent: as it stands in the file; where nothing stands yet, loopback. */
  readonly address?: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Where latchkey listens. */
export type CheckEndpoint = { readonly socketPath: string } | HostPort;

/** What differs between one machine and another. What is absent stays as the file has it. */
export interface EnvoyPlaces {
  readonly listener?: HostPort;
  readonly admin?: HostPort;
  /** More than one: as many replicas of latchkey behind this Envoy. */
  readonly check?: readonly CheckEndpoint[];
  readonly upstream?: HostPort;
  /**
   * Not a place: `false` makes Envoy send headers as a map that joins repeated ones, so that tests can hold latchkey
   * against both forms.
   */
  readonly rawHeaders?: boolean;
}

type Path = readonly (string | number)[];

const CLUSTERS: Path = ['static_resources', 'clusters'];
const LISTENERS: Path = ['static_resources', 'listeners'];

/**
 * The text of `envoy.yaml` → the text of one that runs here. Changes addresses, ports and paths only; comments and
 * everything else stay, so that what tests and demo run is what the reference file says.
 * @throws Error when the text is no YAML, or lacks the listener or a cluster that is to be changed.
 */
export function adaptEnvoyConfig(text: string, places: EnvoyPlaces): string {
  const document = parseDocument(text);
  const fault = document.errors[0];
  if (fault !== undefined) throw fault;
  const { listener, admin, check, upstream, rawHeaders } = places;
  const ingress = named(document, LISTENERS, 'ingress');
  if (admin !== undefined) setHostPort(document, ['admin'], admin);
  if (listener !== undefined) setHostPort(document, ingress, listener);
  if (check !== undefined) setCheckEndpoints(document, check);
  if (upstream !== undefined) {
    for (const cluster of ['upstream', 'upstream_grpc']) {
      setHostPort(document, [...endpoints(document, cluster), 0, 'endpoint'], upstream);
    }
  }
  if (rawHeaders !== undefined) {
    const manager = [...ingress, 'filter_chains', 0, 'filters', 0, 'typed_config', 'http_filters'];
    const filter = named(document, manager, 'envoy.filters.http.ext_authz');
    document.setIn([...filter, 'typed_config', 'encode_raw_headers'], rawHeaders);
  }
  return document.toString({ lineWidth: 0 });
}

function setHostPort(document: Document, owner: Path, { address, port }: HostPort): void {
  const place = [...owner, 'address', 'socket_address'];
  if (address !== undefined) document.setIn([...place, 'address'], address);
  document.setIn([...place, 'port_value'], port);
}

function setCheckEndpoints(document: Document, check: readonly CheckEndpoint[]): void {
  const list = endpoints(document, 'latchkey');
  for (const [index, endpoint] of check.entries()) {
    const address = addressOf(endpoint);
    // The first one stands in the file, with a comment that is to stay.
    if (index === 0) {
      document.setIn([...list, 0, 'endpoint', 'address'], document.createNode(address));
    } else document.addIn(list, document.createNode({ endpoint: { address } }));
  }
}

function addressOf(endpoint: CheckEndpoint): unknown {
  if ('socketPath' in endpoint) return { pipe: { path: endpoint.socketPath } };
  const { address = '127.0.0.1', port } = endpoint;
  return { socket_address: { address, port_value: port } };
}

function endpoints(document: Document, cluster: string): Path {
  const place = named(document, CLUSTERS, cluster);
  return [...place, 'load_assignment', 'endpoints', 0, 'lb_endpoints'];
}

/** The path of the list item that has this `name`. */
function named(document: Document, list: Path, name: string): Path {
  const node = document.getIn(list);
  const index = isSeq(node)
    ? node.items.findIndex((item) => isMap(item) && item.get('name') === name)
    : -1;
  if (index < 0) throw new Error(`The Envoy configuration has no ${name} under ${list.join('.')}.`);
  return [...list, index];
}

import type { Document } from 'yaml';
import { type EnvoySetup, startEnvoy, type TestEnvoy } from './envoy.ts';

/**
 * An Envoy with nothing but a listener, the check and the upstream: no hardening, no header that is reserved for inside,
 * no path normalisation beyond Envoy's own defaults. What latchkey promises must hold here as well.
 */
export function startBareEnvoy(setup: Omit<EnvoySetup, 'configPatch'>): Promise<TestEnvoy> {
  return startEnvoy({ ...setup, configPatch: strip });
}

/** Takes the addresses from the adapted reference configuration, and nothing else. */
function strip(document: Document): void {
  const address = (cluster: number): unknown =>
    document.getIn([
      ...['static_resources', 'clusters', cluster, 'load_assignment'],
      ...['endpoints', 0, 'lb_endpoints', 0, 'endpoint', 'address'],
    ]);
  const isRaw = document.getIn([
    ...['static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0],
    ...['typed_config', 'http_filters', 0, 'typed_config', 'encode_raw_headers'],
  ]);
  const any = { address: '127.0.0.1', port_value: 0 };
  const bare = {
    admin: { address: { socket_address: any } },
    static_resources: {
      listeners: [
        { name: 'bare', address: { socket_address: any }, filter_chains: [chain(isRaw)] },
      ],
      clusters: [
        { name: 'latchkey', ...http2(), ...endpoint('latchkey', address(0)) },
        { name: 'upstream', ...endpoint('upstream', address(1)) },
        { name: 'upstream_grpc', ...http2(), ...endpoint('upstream_grpc', address(2)) },
      ],
    },
  };
  document.contents = document.createNode(bare) as typeof document.contents; // A plain document holds any node.
}

const API = 'type.googleapis.com/envoy.extensions';

function chain(isRaw: unknown): object {
  const logFormat = {
    status: '%RESPONSE_CODE%',
    details: '%RESPONSE_CODE_DETAILS%',
    path: '%PATH(NQ:PATH)%',
  };
  const config = {
    '@type': `${API}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bare',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    access_log: [
      {
        name: 'stdout',
        typed_config: {
          '@type': `${API}.access_loggers.stream.v3.StdoutAccessLog`,
          log_format: { json_format: logFormat },
        },
      },
    ],
    http_filters: [checkFilter(isRaw), router()],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { prefix: '/', grpc: {} }, route: { cluster: 'upstream_grpc' } },
            { match: { prefix: '/' }, route: { cluster: 'upstream' } },
          ],
        },
      ],
    },
  };
  return { filters: [{ name: 'manager', typed_config: config }] };
}

function checkFilter(isRaw: unknown): object {
  const grpcService = { envoy_grpc: { cluster_name: 'latchkey' }, timeout: '1s' };
  const config = {
    '@type': `${API}.filters.http.ext_authz.v3.ExtAuthz`,
    transport_api_version: 'V3',
    grpc_service: grpcService,
    encode_raw_headers: isRaw,
  };
  return { name: 'envoy.filters.http.ext_authz', typed_config: config };
}

function router(): object {
  const config = { '@type': `${API}.filters.http.router.v3.Router` };
  return { name: 'envoy.filters.http.router', typed_config: config };
}

function http2(): object {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const options = {
    '@type': `${API}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  };
  return { typed_extension_protocol_options: { [name]: options } };
}

function endpoint(name: string, address: unknown): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return { type: 'STATIC', load_assignment: { cluster_name: name, endpoints } };
}

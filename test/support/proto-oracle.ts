import { fileURLToPath } from 'node:url';
import * as protoLoader from '@grpc/proto-loader';

/**
 * What proto-loader, a general protobuf decoder, makes of the same bytes by the files in proto/: the judge of our codec.
 * Fields that are missing have proto3's default; 64-bit numbers are decimal text.
 */
export interface ProtoOracle {
  /** Path of the RPC. */
  readonly path: string;
  decodeRequest(bytes: Uint8Array): OracleRequest;
  encodeRequest(request: object): Buffer;
  decodeResponse(bytes: Uint8Array): OracleResponse;
  encodeResponse(response: object): Buffer;
}

export interface OracleRequest {
  readonly attributes: null | {
    readonly source: null | {
      readonly address: null | {
        readonly address?: string;
        readonly socket_address?: { readonly address: string };
      };
    };
    readonly request: null | {
      readonly time: null | { readonly seconds: string; readonly nanos: number };
      readonly http: null | {
        readonly id: string;
        readonly method: string;
        readonly path: string;
        readonly host: string;
        readonly scheme: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly header_map: null | {
          readonly headers: readonly {
            readonly key: string;
            readonly value: string;
            readonly raw_value: Buffer;
          }[];
        };
      };
    };
    readonly context_extensions: Readonly<Record<string, string>>;
  };
}

export interface OracleHeaderOption {
  readonly header: { readonly key: string; readonly value: string; readonly raw_value: Buffer };
  readonly append: null | { readonly value: boolean };
  readonly append_action: number;
  readonly keep_empty_value: boolean;
}

export interface OracleDenied {
  readonly status: null | { readonly code: number };
  readonly headers: readonly OracleHeaderOption[];
  readonly body: string;
}

export interface OracleResponse {
  readonly status: null | { readonly code: number; readonly message: string };
  readonly http_response?: 'denied_response' | 'ok_response' | 'error_response';
  readonly denied_response?: OracleDenied;
  readonly error_response?: OracleDenied;
  readonly ok_response?: {
    readonly headers: readonly OracleHeaderOption[];
    readonly headers_to_remove: readonly string[];
    readonly response_headers_to_add: readonly OracleHeaderOption[];
    readonly query_parameters_to_set: readonly unknown[];
    readonly query_parameters_to_remove: readonly string[];
    readonly dynamic_metadata: null;
  };
  readonly dynamic_metadata: null | {
    readonly fields: Readonly<Record<string, { readonly stringValue?: string }>>;
  };
}

/** Numbers for enums, Buffers for bytes. */
const OPTIONS: protoLoader.Options = {
  keepCase: true,
  longs: String,
  defaults: true,
  oneofs: true,
};

export function loadProtoOracle(): ProtoOracle {
  const definition = protoLoader.loadSync('envoy/service/auth/v3/external_auth.proto', {
    ...OPTIONS,
    includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  });
  const service = definition['envoy.service.auth.v3.Authorization'];
  if (service === undefined || !isService(service)) throw new Error('proto/ has no Authorization');
  const check = service['Check'];
  if (check === undefined) throw new Error('Authorization has no Check');
  return {
    path: check.path,
    // proto-loader types every message as `object`; the shapes above are those of proto/ under OPTIONS.
    decodeRequest: (bytes) => check.requestDeserialize(toBuffer(bytes)) as OracleRequest,
    encodeRequest: (request) => check.requestSerialize(request),
    decodeResponse: (bytes) => check.responseDeserialize(toBuffer(bytes)) as OracleResponse,
    encodeResponse: (response) => check.responseSerialize(response),
  };
}

/** The same messages as bytes see them: no UTF-8, and every entry of a map kept. Holds only the fields that we read. */
export interface ByteOracleRequest {
  readonly attributes: null | {
    readonly source: null | {
      readonly address: null | {
        readonly address?: string;
        readonly socket_address?: { readonly address: Buffer };
      };
    };
    readonly request: null | {
      readonly time: null | { readonly seconds: string; readonly nanos: number };
      readonly http: null | {
        readonly id: Buffer;
        readonly method: Buffer;
        readonly path: Buffer;
        readonly host: Buffer;
        readonly scheme: Buffer;
        readonly headers: readonly { readonly key: Buffer; readonly value: Buffer }[];
        readonly header_map: null | {
          readonly headers: readonly {
            readonly key: Buffer;
            readonly value: Buffer;
            readonly raw_value: Buffer;
          }[];
        };
      };
    };
    readonly context_extensions: readonly { readonly key: Buffer; readonly value: Buffer }[];
  };
}

interface FieldJson {
  readonly id: number;
  readonly type: string;
  readonly rule?: 'repeated';
}

/** On the wire strings are bytes and a map is a repeated message of key and value, so other types can read the same bytes. */
export function loadByteOracle(): (bytes: Uint8Array) => ByteOracleRequest {
  const one = (id: number, type = 'bytes'): FieldJson => ({ id, type });
  const many = (id: number, type: string): FieldJson => ({ id, type, rule: 'repeated' });
  const definition = protoLoader.fromJSON(
    {
      nested: {
        CheckRequest: { fields: { attributes: one(1, 'Attributes') } },
        Attributes: {
          fields: {
            source: one(1, 'Peer'),
            request: one(4, 'Request'),
            context_extensions: many(10, 'Entry'),
          },
        },
        Peer: { fields: { address: one(1, 'Address') } },
        Address: {
          oneofs: { address: { oneof: ['socket_address', 'pipe', 'envoy_internal_address'] } },
          fields: {
            socket_address: one(1, 'SocketAddress'),
            pipe: one(2),
            envoy_internal_address: one(3),
          },
        },
        SocketAddress: { fields: { address: one(2) } },
        Request: { fields: { time: one(1, 'Timestamp'), http: one(2, 'Http') } },
        Timestamp: { fields: { seconds: one(1, 'int64'), nanos: one(2, 'int32') } },
        Http: {
          fields: {
            id: one(1),
            method: one(2),
            headers: many(3, 'Entry'),
            path: one(4),
            host: one(5),
            scheme: one(6),
            header_map: one(13, 'HeaderMap'),
          },
        },
        HeaderMap: { fields: { headers: many(1, 'HeaderValue') } },
        HeaderValue: { fields: { key: one(1), value: one(2), raw_value: one(3) } },
        Entry: { fields: { key: one(1), value: one(2) } },
        // proto-loader hands out the decoder of a message only as part of a method.
        Service: {
          methods: {
            Check: { requestType: 'CheckRequest', responseType: 'CheckRequest', comment: '' },
          },
        },
      },
    },
    OPTIONS,
  );
  const service = definition['Service'];
  const check = service !== undefined && isService(service) ? service['Check'] : undefined;
  if (check === undefined) throw new Error('the byte oracle has no service');
  // As above: the shape follows from the JSON.
  return (bytes) => check.requestDeserialize(toBuffer(bytes)) as ByteOracleRequest;
}

function isService(
  definition: protoLoader.AnyDefinition,
): definition is protoLoader.ServiceDefinition {
  return !('format' in definition);
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

import { describe, expect, it } from 'vitest';
import { channelOptions, completeLimits, DEFAULT_GRPC_LIMITS } from '../../../src/grpc/limits.ts';

describe('the limits of the gRPC server', () => {
  it('leave nothing unlimited that grpc-js leaves unlimited', () => {
    const options = channelOptions(DEFAULT_GRPC_LIMITS);
    for (const name of [
      'grpc-node.max_session_memory',
      'grpc.max_concurrent_streams',
      'grpc.max_receive_message_length',
      'grpc.max_send_message_length',
      'grpc.keepalive_time_ms',
      'grpc.keepalive_timeout_ms',
    ]) {
      expect(options[name], name).toBeGreaterThan(0);
    }
    expect(options['grpc.enable_channelz']).toBe(0);
  });

  it('take a request above twice the header limit of Envoy’s defaults, so that no client can provoke the refusal', () => {
    const envoyHeaderBytesMax = 60 * 1024;
    expect(DEFAULT_GRPC_LIMITS.requestBytesMax).toBeGreaterThan(2 * envoyHeaderBytesMax);
  });

  it('can be overridden one by one', () => {
    expect(completeLimits({ connectionsMax: 7 })).toEqual({
      ...DEFAULT_GRPC_LIMITS,
      connectionsMax: 7,
    });
    expect(completeLimits(undefined)).toEqual(DEFAULT_GRPC_LIMITS);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
    'are refused by name when one is %d',
    (value) => {
      expect(() => completeLimits({ keepaliveTimeMs: value })).toThrow(
        `gRPC limit keepaliveTimeMs must be above 0 and at most 2147483647: ${value}`,
      );
    },
  );
});

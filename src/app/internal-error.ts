import type { Environment } from '../config/read-config.ts';
import { errorFields } from '../telemetry/error-fields.ts';

/**
 * What is said of a bug: where, and not what was being worked on, since that may be a key or a connection string. Only
 * who asks for debugging gets the stack as it is.
 */
export function internalErrorLines(error: unknown, environment: Environment): readonly string[] {
  if (environment['LATCHKEY_LOG_LEVEL'] === 'debug') {
    const stack = error instanceof Error ? error.stack : undefined;
    return (stack ?? String(error)).split('\n');
  }
  const { error: name, error_code: code, error_message: message, error_stack } = errorFields(error);
  const place = String(error_stack ?? '').split(' < ')[0] ?? '';
  const parts = [name, code, message, place].filter((part) => part !== undefined && part !== '');
  return [
    `latchkey: internal error, please report it: ${parts.join(' ')} (LATCHKEY_LOG_LEVEL=debug shows all of it, secrets perhaps included)`,
  ];
}

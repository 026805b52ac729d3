import type { CheckInput } from '../model/request.ts';
import type { HeaderSlots, OpenSlots } from './header-slots.ts';
import { WireReader } from './wire-reader.ts';

/** Envoy admits 100 header lines by default; this is for the operator who raised that, forty times over. */
export const HEADER_LINES_MAX = 4096;

/** Three fields per header line (itself, name, value) and as many again for all the rest. */
const FIELDS_MAX = 6 * HEADER_LINES_MAX;

/** What has been read so far; proto3's defaults to begin with. */
export interface RequestDraft {
  readonly reader: WireReader;
  readonly headerSlots: HeaderSlots;
  readonly headers: OpenSlots;
  headerLines: number;
  id: string;
  method: string;
  path: string;
  host: string;
  scheme: string;
  startSeconds: string;
  startNanos: string;
  peerAddress: string;
  ruleName: string | undefined;
}

export function newDraft(bytes: Buffer, headerSlots: HeaderSlots): RequestDraft {
  return {
    reader: new WireReader(bytes, FIELDS_MAX),
    headerSlots,
    headers: headerSlots.open(),
    headerLines: 0,
    id: '',
    method: '',
    path: '',
    host: '',
    scheme: '',
    startSeconds: '0',
    startNanos: '0',
    peerAddress: '',
    ruleName: undefined,
  };
}

export function inputOf(draft: RequestDraft): CheckInput {
  return {
    method: draft.method,
    path: draft.path,
    host: draft.host,
    scheme: draft.scheme,
    headers: draft.headerSlots.close(draft.headers),
    peerAddress: draft.peerAddress === '' ? undefined : draft.peerAddress,
    ruleName: draft.ruleName,
    requestKey:
      draft.id === '' ? undefined : `${draft.id}:${draft.startSeconds}.${draft.startNanos}`,
  };
}

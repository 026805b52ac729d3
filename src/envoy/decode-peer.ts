import type { RequestDraft } from './request-draft.ts';
import { fieldBits, lengthDelimited } from './wire-reader.ts';

const PEER_ADDRESS = lengthDelimited(1);
const PEER_FIELDS = fieldBits(PEER_ADDRESS);

/** AttributeContext.Peer: the address of the other end of the downstream connection, if it is an IP socket. */
export function readPeer(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === PEER_ADDRESS) readAddress(draft);
    else reader.skip(tag, PEER_FIELDS);
  }
  reader.leave(outer);
}

const SOCKET_ADDRESS = lengthDelimited(1);
const PIPE = lengthDelimited(2);
const ENVOY_INTERNAL_ADDRESS = lengthDelimited(3);
const ADDRESS_FIELDS = fieldBits(SOCKET_ADDRESS, PIPE, ENVOY_INTERNAL_ADDRESS);

function readAddress(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === SOCKET_ADDRESS) {
      readSocketAddress(draft);
    } else if (tag === PIPE || tag === ENVOY_INTERNAL_ADDRESS) {
      // The three are alternatives (a oneof): the later one takes the place of the earlier.
      reader.passBytes();
      draft.peerAddress = '';
    } else {
      reader.skip(tag, ADDRESS_FIELDS);
    }
  }
  reader.leave(outer);
}

const SOCKET_ADDRESS_ADDRESS = lengthDelimited(2);
const SOCKET_ADDRESS_FIELDS = fieldBits(SOCKET_ADDRESS_ADDRESS);

function readSocketAddress(draft: RequestDraft): void {
  const { reader } = draft;
  const outer = reader.enter();
  for (let tag = reader.nextTag(); tag !== 0; tag = reader.nextTag()) {
    if (tag === SOCKET_ADDRESS_ADDRESS) draft.peerAddress = reader.byteString();
    else reader.skip(tag, SOCKET_ADDRESS_FIELDS);
  }
  reader.leave(outer);
}

import { svidKeyDer } from '../../../core/identity/index.ts';
import type { EngineTables } from '../contract.ts';
import type { NativeIdentity, NativeTrust } from './messages.ts';

type Trust = EngineTables['trust'];

/** Holds the key: for the engine alone. */
export function encodeIdentity({ svid, trust }: Pick<EngineTables, 'svid' | 'trust'>): NativeIdentity {
  return { chain: svid.chainDer.map(hex), key: svidKeyDer(svid).toString('hex'), trust: encodeTrust(trust) };
}

function encodeTrust({ trustDomain, roots, intermediates, deniedSerials, others = [] }: Trust): NativeTrust {
  return {
    trustDomain,
    roots: roots.map(hex),
    intermediates: intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: hex(certificate) })),
    deniedSerials,
    others: others.map(encodeTrust),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

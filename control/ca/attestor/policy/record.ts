import { sha256Hex } from '../../../../core/pki/index.ts';

/** That a proof is used by one key. */
export interface ProofUse {
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly key: string;
  readonly instance: string;
  readonly grant: string;
  /** Unix ms; 0: remembered for ever. */
  readonly until: number;
}

export const usesPrefix = 'ca/proofs/';

/** Proofs and machines by their hash: what they are is nobody's business who reads the store. */
export const proofKeys = {
  use: (once: string) => `${usesPrefix}${sha256Hex(once)}`,
  /** One entry for each grant to a machine. */
  machine: (machine: string, grant: string) => `${machinePrefix(machine)}${grant}`,
};

export function machinePrefix(machine: string): string {
  return `ca/machines/${sha256Hex(machine)}/`;
}

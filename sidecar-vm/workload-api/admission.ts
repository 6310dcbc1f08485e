import type { Metadata } from '@grpc/grpc-js';
import { hasSecurityHeader, noHeader, noIdentity, tooMany } from './callers.ts';
import type { WorkloadIdentity } from './contract.ts';
import type { Refusal } from './follow.ts';
import type { SocketCaller } from './socket-front.ts';

export interface AdmissionOptions {
  readonly callerOf: (call: {
    getPeer(): string;
  }) => { readonly caller: SocketCaller; readonly known: WorkloadIdentity | undefined } | undefined;
  /** Open at once, of one user. */
  readonly callsPerUid: number;
  /** Of a caller that was refused, with the reason for the counter. */
  readonly onRefused: (reason: 'no-header' | 'no-identity' | 'too-many') => void;
}

export interface Admitted {
  readonly identity: WorkloadIdentity;
  /** When the call is over, however. Once. */
  readonly release: () => void;
}

interface Call {
  getPeer(): string;
  readonly metadata: Metadata;
}

/** Who may have a call of the SPIFFE Workload API, and how many at once. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #open = new Map<number, number>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** With a refusal the call is to end by it; it was counted. */
  admit(call: Call): Admitted | { readonly refusal: Refusal } {
    const { callerOf, callsPerUid, onRefused } = this.#options;
    const refuse = (refusal: Refusal, reason: Parameters<typeof onRefused>[0]) => {
      onRefused(reason);
      return { refusal };
    };
    if (!hasSecurityHeader(call.metadata)) return refuse(noHeader, 'no-header');
    const { caller, known } = callerOf(call) ?? {};
    if (caller === undefined || known === undefined) return refuse(noIdentity(caller?.uid), 'no-identity');
    const { uid } = caller;
    if ((this.#open.get(uid) ?? 0) >= callsPerUid) return refuse(tooMany('calls'), 'too-many');
    this.#open.set(uid, (this.#open.get(uid) ?? 0) + 1);
    return { identity: known, release: () => this.#release(uid) };
  }

  #release(uid: number): void {
    const left = (this.#open.get(uid) ?? 1) - 1;
    if (left === 0) this.#open.delete(uid);
    else this.#open.set(uid, left);
  }
}

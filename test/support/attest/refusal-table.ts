import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import type { TestContext } from 'node:test';
import { ChannelCredentials, type ServiceError, status } from '@grpc/grpc-js';
import type { Attestor } from '../../../control/ca/index.ts';
import type { RefusalReason, RefusedWhat } from '../../../control/telemetry/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { certificatesToPem, createCsr, generateKey, keyToPem } from '../../../core/pki/index.ts';
import type { Store } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { IdentityClient, type SignJwtReply, type SignJwtRequest, type SvidReply } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { startControlPlane, type TestControlPlane, temporaryDir } from '../control-plane.ts';
import { onEnd } from '../on-end.ts';

/** One credential that must be refused: how gRPC says it, and how the control plane counts and logs it. */
export interface RefusalCase {
  readonly name: string;
  readonly code: status;
  readonly what?: RefusedWhat;
  readonly reason: RefusalReason;
  readonly send: () => Promise<unknown>;
}

export interface Asked {
  readonly attestor: string;
  readonly proof: Uint8Array | string;
  readonly key?: KeyObject;
  readonly csr?: Uint8Array;
  readonly instance?: string;
}

/** A control plane behind its real listener, and a client without scruples. */
export class RefusalTable {
  readonly plane: TestControlPlane;
  readonly dir: string;
  readonly #t: TestContext;
  readonly #anonymous: IdentityClient;
  readonly #secrets: string[] = [];
  readonly #replies: string[] = [];
  readonly #time: { ahead: number };

  private constructor(t: TestContext, plane: TestControlPlane, dir: string, time: { ahead: number }) {
    this.#t = t;
    this.plane = plane;
    this.dir = dir;
    this.#time = time;
    this.#anonymous = this.client(ChannelCredentials.createSsl(this.#roots(), null, null, { checkServerIdentity: () => undefined }));
  }

  static async open(t: TestContext, attestors?: (parts: { store: Store; clock: Clock }) => Iterable<Attestor>): Promise<RefusalTable> {
    // Whoever is refused often has to wait: the table does not.
    const time = { ahead: 0 };
    const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + time.ahead };
    const dir = await temporaryDir(t);
    const plane = await startControlPlane({ dir, clock, ...(attestors === undefined ? {} : { attestors }) });
    onEnd(t, () => plane.stop());
    return new RefusalTable(t, plane, dir, time);
  }

  client(credentials: ChannelCredentials): IdentityClient {
    const options = { 'grpc.ssl_target_name_override': 'control.isthmus', 'grpc.enable_http_proxy': 0 };
    const client = new IdentityClient(this.plane.address, credentials, options);
    onEnd(this.#t, () => client.close());
    return client;
  }

  /** mTLS with whatever chain. */
  withChain(chain: readonly Uint8Array[], key: KeyObject): IdentityClient {
    const own = [Buffer.from(keyToPem(key)), Buffer.from(certificatesToPem(chain))] as const;
    return this.client(ChannelCredentials.createSsl(this.#roots(), ...own, { checkServerIdentity: () => undefined }));
  }

  attest({ attestor, proof, key = generateKey(), csr = createCsr(key), instance = 'vm-1' }: Asked): Promise<SvidReply> {
    const bytes = Buffer.from(proof);
    this.#keep(bytes);
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, reply: SvidReply) => (error === null ? resolve(reply) : reject(error));
      this.#anonymous.attest({ attestor, proof: bytes, csr: Buffer.from(csr), instance }, done);
    });
  }

  renew(client: IdentityClient = this.#anonymous, csr: Uint8Array = createCsr(generateKey())): Promise<SvidReply> {
    return new Promise((resolve, reject) => {
      client.renew({ csr: Buffer.from(csr) }, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  }

  signJwt(client: IdentityClient = this.#anonymous, request: Partial<SignJwtRequest> = {}): Promise<SignJwtReply> {
    return new Promise((resolve, reject) => {
      const whole = { audiences: ['payments'], ttlMs: 0, ...request };
      client.signJwt(whole, (error, reply) => {
        if (error !== null) return reject(error);
        this.#keep(Buffer.from(reply.token));
        resolve(reply);
      });
    });
  }

  /** Each is refused as it should be, counted once and logged once; afterwards no credential shown is in any log line or reply. */
  async check(cases: readonly RefusalCase[]): Promise<void> {
    for (const { name, code, what = 'attestation', reason, send } of cases) {
      this.#time.ahead += 61_000;
      const [counted, logged] = [await this.plane.refused(), this.plane.lines.length];
      const label = `${what} ${reason}`;
      await assert.rejects(send(), (error: ServiceError) => {
        this.#replies.push(`${error.details} ${error.message}`);
        assert.equal(status[error.code], status[code], `${name}: ${error.details}; ${this.plane.lines.slice(logged).join(' | ')}`);
        return true;
      });
      const lines = this.plane.lines.slice(logged).filter((line) => line.startsWith(`${what} refused `));
      const reasons = lines.map((line) => (JSON.parse(line.slice(line.indexOf('{'))) as { reason: string }).reason);
      // gRPC dials again by itself.
      const times = what === 'connection' ? Math.max(1, reasons.length) : 1;
      assert.deepEqual(reasons, Array(times).fill(reason), name);
      assert.ok(((await this.plane.refused())[label] ?? 0) >= (counted[label] ?? 0) + times, `${name}: ${label}`);
      if (what !== 'connection') assert.equal((await this.plane.refused())[label], (counted[label] ?? 0) + 1, `${name}: ${label}`);
    }
    this.assertNothingLeaked();
  }

  assertNothingLeaked(): void {
    const said = [...this.plane.lines, ...this.#replies].join('\n');
    assert.ok(this.#secrets.length > 0);
    for (const secret of this.#secrets) assert.ok(!said.includes(secret), 'a credential is in a log line or a reply');
  }

  /** Stretches of it, of 24 characters: so much of a secret nobody may read. */
  #keep(proof: Buffer): void {
    const text = proof.toString('latin1');
    for (let at = 0; at + 24 <= text.length && at < 4_096; at += 24) {
      const part = text.slice(at, at + 24);
      if (new Set(part).size > 8) this.#secrets.push(part);
    }
  }

  #roots(): Buffer {
    return Buffer.from(certificatesToPem(this.plane.authority.bundle().roots));
  }
}

/** The bytes with one bit of them turned. */
export function turned(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}

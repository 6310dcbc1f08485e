import { createPrivateKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { readIfThere, type SettableSvidSource, writeOwnerOnly } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { clusterSan } from '../../core/model/index.ts';
import {
  type Certificate,
  certificatesToPem,
  generateKey,
  issueBootstrap,
  keyToPem,
  parseCertificate,
  pemBlocks,
  rootFault,
} from '../../core/pki/index.ts';
import { type AdminTls, adminTlsOf, apiTrustFile } from '../admin/index.ts';
import { Authority, loadRoots, ownSvidSource } from '../ca/index.ts';
import type { FrontIdentity } from '../grpc/index.ts';

const day = 86_400_000;

interface ControlIdentityOptions {
  readonly mesh: MeshSpec;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Bootstrap {
  readonly certificate: Buffer;
  readonly key: KeyObject;
}

/**
 * Who this control plane is. A joiner begins with a self-signed certificate that proves nothing and is pinned by whoever must
 * talk to it; once the authority can sign, everything moves to the SVID, without a restart.
 */
export class ControlIdentity {
  readonly authority: Authority;
  readonly bootstrap: Bootstrap;
  readonly #options: ControlIdentityOptions;
  readonly #listeners = new Set<() => void>();
  #svid: SettableSvidSource | undefined;

  private constructor(authority: Authority, bootstrap: Bootstrap, options: ControlIdentityOptions) {
    this.authority = authority;
    this.bootstrap = bootstrap;
    this.#options = options;
  }

  static async open(options: ControlIdentityOptions): Promise<ControlIdentity> {
    const { mesh, clock, log } = options;
    const { cluster, trustDomain, identity } = mesh;
    const online = identity.rootDir === undefined ? [] : await loadRoots(identity.rootDir, trustDomain);
    const dir = join(mesh.stateDir, 'ca');
    const intermediateTtlMs = identity.intermediateTtlMs;
    const authority = await Authority.open({
      dir,
      cluster,
      trustDomain,
      online,
      ...(await pinned(identity)),
      announceFirst: true,
      intermediateTtlMs,
      clock,
      log,
    });
    const bootstrap = await openBootstrap(join(mesh.stateDir, 'bootstrap.pem'), clusterSan(cluster, trustDomain), clock.now());
    const opened = new ControlIdentity(authority, bootstrap, options);
    await opened.#writeTrust();
    opened.#useAuthority();
    authority.subscribe(() => opened.#useAuthority());
    return opened;
  }

  /** Undefined until this cluster can sign. */
  get svid(): SettableSvidSource | undefined {
    return this.#svid;
  }

  front(): FrontIdentity {
    const bundle = this.authority.bundle();
    return this.#svid === undefined ? { bootstrap: this.bootstrap, bundle } : { svid: this.#svid.current(), bundle };
  }

  adminTls(): AdminTls {
    const { certificate, key } = this.bootstrap;
    const bare: SecureContextOptions = { cert: certificatesToPem([certificate]), key: keyToPem(key) };
    return {
      current: () => (this.#svid === undefined ? bare : adminTlsOf(this.#svid).current()),
      subscribe: (listener) => this.subscribe(listener),
    };
  }

  /** Called after each change of the SVID or of what is trusted. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  #useAuthority(): void {
    if (!this.authority.ready) return;
    if (this.#svid !== undefined) return;
    const { mesh, clock, log, signal } = this.#options;
    this.#svid = ownSvidSource(this.authority, { ttlMs: mesh.identity.svidTtlMs, clock, log, signal });
    this.#svid.subscribe(() => this.#changed());
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
    this.#writeTrust().catch((error: unknown) => this.#options.log.error({ error }, 'what the API is trusted by could not be written'));
  }

  /** For the commands of this machine: the roots, and the certificate that stands in before there is one. */
  async #writeTrust(): Promise<void> {
    const { roots } = this.authority.bundle();
    await writeOwnerOnly(apiTrustFile(this.#options.mesh.stateDir), certificatesToPem([...roots, this.bootstrap.certificate]));
  }
}

/** The root of an external signer: what an operator has put there, never what the signer says. */
async function pinned({ signer }: MeshSpec['identity']): Promise<{ readonly pinned?: readonly Certificate[] }> {
  if (signer === undefined) return {};
  const roots = pemBlocks((await readIfThere(signer.rootFile)) ?? '', 'CERTIFICATE').map((der) => parseCertificate(der));
  const good = roots.flatMap((root) => (root.ok && rootFault(root.value) === undefined ? [root.value] : []));
  if (good.length === 0)
    throw new MeshError('CONFIG_INVALID', `identity.signer.rootFile: ${signer.rootFile} holds no root certificate in PEM`);
  return { pinned: good };
}

async function openBootstrap(path: string, dnsName: string, now: number): Promise<Bootstrap> {
  const text = await readIfThere(path);
  const [der] = text === undefined ? [] : pemBlocks(text, 'CERTIFICATE');
  const parsed = der === undefined ? undefined : parseCertificate(der);
  if (text !== undefined && parsed?.ok === true && parsed.value.notAfter > now + day) {
    return { certificate: parsed.value.der, key: createPrivateKey(text) };
  }
  const key = generateKey();
  const { der: certificate } = issueBootstrap(key, dnsName, now, 3_650 * day);
  await writeOwnerOnly(path, keyToPem(key) + certificatesToPem([certificate]));
  return { certificate, key };
}

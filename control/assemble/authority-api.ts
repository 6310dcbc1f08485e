import type { AuthorityCertificate, AuthorityStatus, Instance, RotationStatus } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { type Certificate, csrToPem, fingerprintOf, parseCertificate, pemBlocks } from '../../core/pki/index.ts';
import type { AuthorityApi } from '../admin/index.ts';
import { type Authority, issuerFromPem, type RotationDriver, type RotationView, rootOver, type TrustKeeper } from '../ca/index.ts';
import type { JwtHome } from './jwt-svids.ts';
import { lateRenewals } from './late-renewals.ts';

export interface AuthorityApiParts {
  readonly authority: Authority;
  readonly jwt: JwtHome;
  readonly driver: RotationDriver;
  readonly keeper: TrustKeeper;
  /** Everybody who attested. */
  readonly instances: () => Promise<readonly Instance[]>;
  /** Life of an SVID. */
  readonly svidTtlMs: number;
  readonly clock: Clock;
}

/** The certificate authority as the API sees it. */
export function authorityApi({ authority, jwt, driver, keeper, instances, svidTtlMs, clock }: AuthorityApiParts): AuthorityApi {
  const rotation = async () => {
    const view = await driver.view();
    return view === undefined ? null : rotationStatus(view);
  };
  const status = async (): Promise<AuthorityStatus> => ({
    cluster: authority.cluster,
    trustDomain: authority.trustDomain,
    ready: authority.ready,
    needsSignature: authority.due && authority.signer === undefined,
    version: authority.trust.version,
    signingRoot: authority.signingRoot ?? '',
    certificates: certificates(authority, clock.now()),
    jwtKeys: jwtKeys({ ring: jwt.ring, keys: jwt.keys() }, authority.cluster),
    holding: keeper.holding.map((each) => ({ ...each })),
    late: lateRenewals(await instances(), svidTtlMs, clock.now()),
    rotation: await rotation(),
  });
  return {
    status,
    rotate: async (request) => {
      const before = await rotation();
      const { action, step = false, without = [], force = false, newRootKey } = request;
      if (action === 'start') {
        const given = newRootKey === undefined ? {} : { root: issuerFromPem(newRootKey, 'the new root') };
        await driver.start({ step, without, ...given });
      } else if (action === 'continue') await driver.go({ without, force });
      else await driver.abort();
      const value = await rotation();
      if (value === null) throw new MeshError('NOT_FOUND', 'no rotation is under way');
      return { value, diff: [{ subject: `ca/rotation/${value.id}`, ...(before === null ? {} : { before }), after: value }] };
    },
    request: async () => ({
      cluster: authority.cluster,
      trustDomain: authority.trustDomain,
      csr: csrToPem(await authority.intermediateCsr()),
    }),
    install: async ({ certificate, roots }) => {
      const [der] = pemBlocks(certificate, 'CERTIFICATE');
      if (der === undefined) throw new MeshError('CONFIG_INVALID', 'certificate holds no certificate in PEM');
      await authority.installIntermediate(
        der,
        roots.flatMap((text) => pemBlocks(text, 'CERTIFICATE')),
      );
      const value = await status();
      return {
        value,
        diff: [{ subject: `intermediate/${authority.cluster}`, after: value.certificates.filter((c) => c.kind !== 'peer') }],
      };
    },
  };
}

function jwtKeys({ ring, keys }: { ring: JwtHome['ring']; keys: ReturnType<JwtHome['keys']> }, own: string): AuthorityStatus['jwtKeys'] {
  const time = (at: number) => new Date(at).toISOString();
  const ours = ring
    .states()
    .map(({ keyId, state, notAfter }) => ({ cluster: own, keyId, state, namespaces: ['*'], notAfter: time(notAfter) }));
  const theirs = keys.filter(({ cluster }) => cluster !== own);
  return [
    ...ours,
    ...theirs.map(({ cluster, keyId, namespaces, notAfterMs }) => ({
      cluster,
      keyId,
      state: 'peer' as const,
      namespaces: [...namespaces],
      notAfter: time(notAfterMs),
    })),
  ];
}

function rotationStatus({ record, missing, asks }: RotationView): RotationStatus {
  const time = (at: number) => new Date(at).toISOString();
  return {
    id: record.id,
    phase: record.phase,
    aborting: record.goal === 'from',
    startedAt: time(record.startedAt),
    from: record.from,
    to: record.to ?? '',
    step: record.step,
    asks,
    without: [...record.without],
    force: record.force,
    missing: missing.map((each) => ({ ...each })),
    history: record.history.map(({ phase, at }) => ({ phase, at: time(at) })),
  };
}

function certificates(authority: Authority, now: number): AuthorityCertificate[] {
  const { trust, intermediate, staged, cluster } = authority;
  const online = new Set(authority.online.map((root) => fingerprintOf(root.certificate)));
  const of = (kind: AuthorityCertificate['kind'], certificate: Certificate, signer: string): AuthorityCertificate => ({
    kind,
    cluster: signer,
    fingerprint: fingerprintOf(certificate),
    root: kind === 'root' ? '' : (rootOver(certificate, trust.roots) ?? ''),
    serial: certificate.serial,
    notAfter: new Date(certificate.notAfter).toISOString(),
    online: kind === 'root' ? online.has(fingerprintOf(certificate)) : signer === cluster && kind !== 'previous',
    endsSoon: (certificate.notAfter - now) / (certificate.notAfter - certificate.notBefore) < 1 / 3,
  });
  const signers = authority.bundle().intermediates.flatMap(({ cluster: signer, certificate: der }) => {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return [];
    const is = (one: Certificate | undefined) => one?.der.equals(parsed.value.der) === true;
    const kind = signer !== cluster ? 'peer' : is(intermediate) ? 'intermediate' : is(staged) ? 'staged' : 'previous';
    return [of(kind, parsed.value, signer)];
  });
  return [...trust.roots.map((root) => of('root', root, '')), ...signers.map(withoutReplaced)];
}

/** A cluster's first signing certificate is the one in use. Those before it have to last as long as what they signed, and nobody renews them. */
function withoutReplaced(one: AuthorityCertificate, at: number, all: readonly AuthorityCertificate[]): AuthorityCertificate {
  const inUse = one.kind === 'staged' || all.findIndex((each) => each.cluster === one.cluster) === at;
  return inUse ? one : { ...one, endsSoon: false };
}

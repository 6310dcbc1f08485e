import { type KeyObject, X509Certificate } from 'node:crypto';
import type { AwsAttestor } from '../../../../core/config/index.ts';
import { pemBlocks } from '../../../../core/pki/index.ts';
import type { AttestationRequest } from '../contract.ts';
import { type ProofVerdict, type Prover, refuseProof as refuse } from '../prover.ts';
import type { ProverContext } from '../prover-context.ts';
import { verifySignedData } from './signed-data.ts';

const toleranceMs = 5 * 60_000;

/**
 * Instance identity documents with AWS's RSA-2048 signature, as /latest/dynamic/instance-identity/rsa2048 of the metadata service gives them. A document
 * says neither for whom it is nor when it ends, and every program of the machine can read it: the first key of an instance is the only one.
 */
export class AwsProver implements Prover {
  readonly #spec: AwsAttestor;
  readonly #keys: readonly KeyObject[];
  readonly #policy: string;

  constructor(spec: AwsAttestor, context: ProverContext) {
    this.#spec = spec;
    this.#policy = context.policy;
    this.#keys = pemBlocks(spec.certificates, 'CERTIFICATE')
      .map((der) => new X509Certificate(der).publicKey)
      .filter((key) => key.asymmetricKeyType === 'rsa');
  }

  async prove({ proof }: AttestationRequest, now: number): Promise<ProofVerdict> {
    const text = Buffer.from(proof)
      .toString('latin1')
      .replace(/-----(BEGIN|END) (PKCS7|CMS)-----/g, '')
      .replace(/\s+/g, '');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return refuse('unproven', 'malformed', 'the document is no base64');
    const verdict = verifySignedData(Buffer.from(text, 'base64'), this.#keys);
    if (!verdict.ok) return refuse('unproven', verdict.why, verdict.reason);
    const document = documentOf(verdict.content);
    if (document === undefined) return refuse('unproven', 'malformed', 'the document names no instance');
    const { accountId, instanceId, region, launchedAt, claims } = document;
    if (!this.#spec.accounts.includes(accountId))
      return refuse('forbidden', 'untrusted-issuer', `instance ${instanceId} is of account ${accountId}, which the policy does not name`);
    if (launchedAt > now + toleranceMs) return refuse('unproven', 'not-yet-valid', `instance ${instanceId} is of the future`);
    const { firstWithinMs } = this.#spec;
    const machine = `aws\0${accountId}\0${region}\0${instanceId}`;
    return {
      ok: true,
      proven: {
        claims,
        subject: `aws ${accountId} ${region} ${instanceId}`,
        once: `${machine}\0${this.#policy}`,
        machine,
        ...(firstWithinMs === 0 ? {} : { firstUseBy: launchedAt + firstWithinMs }),
      },
    };
  }

  async close(): Promise<void> {}
}

interface InstanceDocument {
  readonly accountId: string;
  readonly instanceId: string;
  readonly region: string;
  /** Unix ms. */
  readonly launchedAt: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

function documentOf(content: Buffer): InstanceDocument | undefined {
  let said: unknown;
  try {
    said = JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null || Array.isArray(said)) return undefined;
  const claims = said as Readonly<Record<string, unknown>>;
  const { accountId, instanceId, region, pendingTime } = claims;
  const launchedAt = Date.parse(String(pendingTime));
  if (typeof accountId !== 'string' || !/^[0-9]{12}$/.test(accountId)) return undefined;
  if (typeof instanceId !== 'string' || !/^i-[0-9a-f]{8,32}$/.test(instanceId)) return undefined;
  if (typeof region !== 'string' || !/^[a-z0-9-]{1,32}$/.test(region) || Number.isNaN(launchedAt)) return undefined;
  return { accountId, instanceId, region, launchedAt, claims };
}

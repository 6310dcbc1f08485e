import { readFile } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:https';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import type { BundleEndpointSpec } from '../../core/config/index.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { chainOf } from '../../core/identity/index.ts';
import { certificatesToPem, type TrustBundle, verifyForeign } from '../../core/pki/index.ts';
import { bundleLimits } from './bundle-document.ts';

export interface BundleRequest {
  readonly endpoint: BundleEndpointSpec;
  /** Of that trust domain, as known now: what profile https_spiffe is authenticated by. */
  readonly trust: TrustBundle;
  /** Of what is known. Empty: nothing is. */
  readonly etag: string;
  /** Unix ms. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** `text` absent: as it was. */
export interface BundleReply {
  readonly text?: string;
  readonly etag: string;
}

const timeoutMs = 10_000;

/**
 * One GET of a bundle endpoint (SPIFFE Federation §5). Follows no redirects: whom an answer is from was configured. Rejects with MeshError
 * IDENTITY_INVALID for a server that is not who it must be, PROTOCOL_ERROR for an answer that is no bundle's, LIMIT_EXCEEDED,
 * DEADLINE_EXCEEDED, ABORTED, else UPSTREAM_UNREACHABLE.
 */
export async function requestBundle(asked: BundleRequest): Promise<BundleReply> {
  const { endpoint, etag, signal } = asked;
  const tls = await tlsOf(asked);
  return new Promise((resolve, reject) => {
    const fail = (error: MeshError) => {
      sent.destroy();
      reject(error);
    };
    const headers = { accept: 'application/json', 'user-agent': 'isthmus', ...(etag === '' ? {} : { 'if-none-match': etag }) };
    const sent = request(endpoint.url, { ...tls, agent: false, headers, signal, maxHeaderSize: 16_384 }, (answer) => {
      const { statusCode = 0, headers: got } = answer;
      if (statusCode === 304 && etag !== '') {
        answer.resume();
        resolve({ etag });
        return;
      }
      if (statusCode !== 200) return fail(new MeshError('PROTOCOL_ERROR', `${endpoint.url} answered ${statusCode}`, { retryable: true }));
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        parts.push(part);
        if (size > bundleLimits.bytes) fail(new MeshError('LIMIT_EXCEEDED', `${endpoint.url} sends more than ${bundleLimits.bytes} bytes`));
      });
      answer.on('error', (error) => fail(faultOf(error, endpoint.url, signal)));
      answer.on('end', () => {
        if (answer.complete) resolve({ text: Buffer.concat(parts).toString('utf8'), etag: got.etag ?? '' });
      });
    });
    // Of the whole: a server that trickles holds nobody up.
    const timer = setTimeout(() => fail(new MeshError('DEADLINE_EXCEEDED', `${endpoint.url} took over ${timeoutMs} ms`)), timeoutMs);
    sent.on('error', (error) => reject(faultOf(error, endpoint.url, signal)));
    sent.on('close', () => clearTimeout(timer));
    sent.end();
  });
}

async function tlsOf({ endpoint, trust, now }: BundleRequest): Promise<RequestOptions> {
  const common = { minVersion: 'TLSv1.2' as const, rejectUnauthorized: true };
  if (endpoint.profile === 'https_web') {
    if (endpoint.caFile === undefined) return common;
    const ca = await readFile(endpoint.caFile).catch((error: unknown) => {
      throw toMeshError(error, 'CONFIG_INVALID', `caFile ${endpoint.caFile}`);
    });
    return { ...common, ca };
  }
  const expectation = { uriSans: [endpoint.endpointSpiffeId] };
  return {
    ...common,
    ca: trust.roots.map((root) => certificatesToPem([root])),
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
      const verdict = verifyForeign(chainOf(certificate as DetailedPeerCertificate), trust, now(), expectation);
      return verdict.ok ? undefined : new MeshError('IDENTITY_INVALID', `the endpoint ${verdict.reason}`);
    },
  };
}

function faultOf(error: Error, url: string, signal: AbortSignal): MeshError {
  if (error instanceof MeshError) return error;
  if (signal.aborted) return new MeshError('ABORTED', 'aborted');
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const untrusted = /CERT|SIGNATURE|ISSUER|ERR_TLS|SELF_SIGNED|UNABLE_TO/.test(code);
  return new MeshError(untrusted ? 'IDENTITY_INVALID' : 'UPSTREAM_UNREACHABLE', `${url}: ${error.message}`, {
    retryable: true,
    cause: error,
  });
}

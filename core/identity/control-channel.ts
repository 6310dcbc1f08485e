import type { PeerCertificate } from 'node:tls';
import { ChannelCredentials, type ChannelOptions, experimental } from '@grpc/grpc-js';
import { clusterSan, controlServiceAccount, formatSpiffeId, systemNamespace } from '../model/index.ts';
import { certificatesToPem, type TrustBundle, type VerifiedPeer, verifySvid } from '../pki/index.ts';
import { type SvidSource, svidKeyPem } from './svid.ts';
import { chainOf, serverFault } from './tls.ts';

/** Whom a client of a control plane expects there. */
export interface ControlExpectation {
  /** Of this cluster. Absent: any cluster of the trust domain, as `check` says. */
  readonly cluster?: string;
  /** More to demand of a server whose identity holds; the text says why it is refused. */
  readonly check?: (peer: VerifiedPeer) => string | undefined;
  /** Unix ms. */
  readonly now: () => number;
}

export interface ControlChannel {
  readonly credentials: ChannelCredentials;
  /** To be spread into the client's options: they set the TLS server name, and keep environment proxies out. */
  readonly options: ChannelOptions;
}

/** SNI of control planes: whatever address was dialled, the certificate is of a cluster, not of a host. */
const serverName = 'control.isthmus';

const channelOptions: ChannelOptions = {
  'grpc.ssl_target_name_override': serverName,
  'grpc.enable_http_proxy': 0,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 5_000,
};

/** Of each source, by the cluster that is expected: what it has open shares connections. */
const shared = new WeakMap<SvidSource, Map<string | undefined, ControlChannel>>();

/** The name of every control plane of a trust domain; its cluster is in the DNS SAN. */
export function controlSpiffeId(trustDomain: string): string {
  return formatSpiffeId({ trustDomain, namespace: systemNamespace, serviceAccount: controlServiceAccount });
}

/**
 * mTLS to a control plane with this process's SVID. Each new connection uses the SVID and bundle of that moment; one that
 * stands keeps what it began with until the server, which ends it when the SVID does, says otherwise.
 *
 * Clients of one source that dial one address share a connection, and the pauses between attempts to make it: gRPC keeps one for equal
 * credentials. A control plane of many agents is spared the handshakes and buffers of one for each service.
 */
export function controlChannel(source: SvidSource, expectation: ControlExpectation): ControlChannel {
  if (expectation.check !== undefined) return separateControlChannel(source, expectation);
  return shared.get(source)?.get(expectation.cluster) ?? freshControlChannel(source, expectation);
}

/** The same on a connection that is made now, which clients that are made later share: for when the one that stands may lead nowhere any more. */
export function freshControlChannel(source: SvidSource, expectation: ControlExpectation): ControlChannel {
  const made = separateControlChannel(source, expectation);
  const bySource = shared.get(source) ?? new Map<string | undefined, ControlChannel>();
  shared.set(source, bySource.set(expectation.cluster, made));
  return made;
}

/** The same on connections that nothing else shares: for somebody else's streams, whose reader may stop, and all of their connection with them. */
export function separateControlChannel(source: SvidSource, expectation: ControlExpectation): ControlChannel {
  const provider = new SourceProvider(source);
  const credentials = experimental.createCertificateProviderChannelCredentials(provider, provider, {
    checkServerIdentity: (_host, certificate) => controlFault(certificate, source.bundle(), expectation),
  });
  return { credentials, options: channelOptions };
}

/** For a caller that has no SVID yet: TLS whose server must be a control plane under one of the bundle's roots. */
export function attestChannel(bundle: TrustBundle, expectation: ControlExpectation): ControlChannel {
  const roots = Buffer.from(certificatesToPem(bundle.roots));
  const credentials = ChannelCredentials.createSsl(roots, null, null, {
    checkServerIdentity: (_host, certificate) => controlFault(certificate, bundle, expectation),
  });
  return { credentials, options: channelOptions };
}

function controlFault(certificate: PeerCertificate, bundle: TrustBundle, expectation: ControlExpectation): Error | undefined {
  const demanded = {
    uriSans: [controlSpiffeId(bundle.trustDomain)],
    ...(expectation.cluster === undefined ? {} : { clusterSan: clusterSan(expectation.cluster, bundle.trustDomain) }),
  };
  const fault = serverFault(certificate, bundle, expectation.now(), demanded);
  if (fault !== undefined || expectation.check === undefined) return fault;
  const peer = verifySvid(chainOf(certificate), bundle, expectation.now(), demanded);
  const reason = peer.ok ? expectation.check(peer) : peer.reason;
  return reason === undefined ? undefined : new Error(`the server's identity was refused: ${reason}`);
}

type CaListener = (update: { caCertificate: Buffer } | null) => void;
type IdentityListener = (update: { certificate: Buffer; privateKey: Buffer } | null) => void;

/** grpc-js's provider of rotating certificates, over a source. Listens to the source only while a channel listens here. */
class SourceProvider implements experimental.CertificateProvider {
  readonly #source: SvidSource;
  readonly #ca = new Set<CaListener>();
  readonly #identity = new Set<IdentityListener>();
  #unsubscribe: (() => void) | undefined;

  constructor(source: SvidSource) {
    this.#source = source;
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#ca.add(listener);
    this.#follow();
    listener(this.#caUpdate());
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#ca.delete(listener);
    this.#follow();
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identity.add(listener);
    this.#follow();
    listener(this.#identityUpdate());
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identity.delete(listener);
    this.#follow();
  }

  #follow(): void {
    const wanted = this.#ca.size + this.#identity.size > 0;
    if (wanted && this.#unsubscribe === undefined) {
      this.#unsubscribe = this.#source.subscribe(() => {
        for (const listener of this.#ca) listener(this.#caUpdate());
        for (const listener of this.#identity) listener(this.#identityUpdate());
      });
    } else if (!wanted) {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
  }

  #caUpdate() {
    return { caCertificate: Buffer.from(certificatesToPem(this.#source.bundle().roots)) };
  }

  #identityUpdate() {
    const svid = this.#source.current();
    return { certificate: Buffer.from(svid.chainPem), privateKey: Buffer.from(svidKeyPem(svid)) };
  }
}

import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { clusterSan } from '../../core/model/index.ts';
import { generateKey, spkiOf } from '../../core/pki/index.ts';
import type { BenchCase, BenchRun } from '../bench-case.ts';
import { cluster, openBenchAuthority, trustDomain, withFolder } from '../bench-pki.ts';
import { alternate, perCpuSecond } from '../measure.ts';
import { type CaseReport, caseReport } from '../report.ts';

const lifetimeMs = 3_600_000;
const subject = { trustDomain, namespace: 'shop', serviceAccount: 'orders' };
/** At once, so that the peer's hops between threads are shared. */
const batch = 16;

export const sign: BenchCase = {
  name: 'sign',
  about: 'SVIDs signed for a given public key, beside @peculiar/x509 making the same leaf',
  run: (bench) => withFolder((dir) => run(dir, bench)),
};

async function run(dir: string, bench: BenchRun): Promise<readonly CaseReport[]> {
  const authority = await openBenchAuthority(dir);
  const spki = spkiOf(generateKey());
  const signAsPeer = await peerSigner(spki);
  const ours = () => {
    for (let i = 0; i < batch; i++) authority.issueSvid(spki, subject, lifetimeMs);
    return batch;
  };
  const theirs = async () => {
    await Promise.all(Array.from({ length: batch }, signAsPeer));
    return batch;
  };
  const figures = await alternate(
    {
      ours: async () => ({ signed: await perCpuSecond(bench.roundMs, ours) }),
      theirs: async () => ({ signed: await perCpuSecond(bench.roundMs, theirs) }),
    },
    bench.rounds,
  );
  return [
    caseReport({
      name: 'SVIDs signed',
      unit: '/CPU-s',
      better: 'more',
      ours: figures.ours.signed,
      peer: { name: '@peculiar/x509', figure: figures.theirs.signed },
      goal: { text: 'not below the peer', met: (_ours, ratio) => ratio >= 1 },
    }),
  ];
}

/** The leaf that issueSvid makes, by a general library on WebCrypto; the CA key is of the same kind. */
async function peerSigner(spki: Uint8Array): Promise<() => Promise<x509.X509Certificate>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const ca = await webcrypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const publicKey = new x509.PublicKey(spki);
  const uri = `spiffe://${trustDomain}/ns/${subject.namespace}/sa/${subject.serviceAccount}`;
  const names = [
    { type: 'url', value: uri },
    { type: 'dns', value: clusterSan(cluster, trustDomain) },
  ] as const;
  const issuerKeyId = await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey);
  const usage = x509.KeyUsageFlags.digitalSignature;
  return async () =>
    x509.X509CertificateGenerator.create({
      issuer: `O=Isthmus, CN=${cluster} of ${trustDomain}`,
      notBefore: new Date(Date.now() - 300_000),
      notAfter: new Date(Date.now() + lifetimeMs),
      publicKey,
      signingKey: ca.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(usage, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([...names], true),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        issuerKeyId,
      ],
    });
}
